//! R-TEST-5, on real processes: a few rounds of the kill loop; `cargo run -p callout-tests --bin kill_loop` runs more.

use callout_tests::kill_loop::{KillLoopOptions, kill_loop};
use callout_tests::postgres::empty_database_url;

fn loop_on(postgres: bool) {
    let program = env!("CARGO_BIN_EXE_kill_loop").into();
    let options = KillLoopOptions { program, postgres, phones: 2, rounds: 1, samples: 600, seed: 7 };
    let report = kill_loop(&options, &mut |text| println!("{text}")).unwrap();
    assert_eq!((report.orders, report.samples), (2, 3_600));
    assert!(report.phone_kills > 0 && report.server_kills > 0, "somebody was killed: {report:?}");
    assert!(report.link_faults > 0, "something was cut: {report:?}");
}

#[test]
fn nothing_is_lost_or_doubled_on_sqlite() {
    loop_on(false);
}

#[test]
fn nothing_is_lost_or_doubled_on_postgres() {
    // Says what is skipped where there is no PostgreSQL.
    if empty_database_url("the kill loop").unwrap().is_some() {
        loop_on(true);
    }
}
