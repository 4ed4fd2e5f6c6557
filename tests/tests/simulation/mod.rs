//! The deterministic simulation at a size for every build, and what it found before.
//!
//! Larger: `cargo run -p callout-tests --bin simulate -- --seed 1 --operations 100000`. A list that it prints is added to `found`.

mod cuts;
mod found;

use callout_tests::simulation::{Database, Report, Setting, operations, run};

#[track_caller]
fn check(seed: u64, count: usize, database: Database) -> Option<Report> {
    let setting = Setting::of(database);
    let list = operations(seed, count, setting.phones, setting.servers);
    let result = run(seed, &setting, &list)?;
    let again = format!("simulate --seed {seed} --operations {count} shrinks it");
    Some(result.unwrap_or_else(|failure| panic!("{failure:?}; {again}")))
}

/// R-TEST-5 and the rest of `checks`, and that the runs were no idle ones.
fn check_busy(seeds: std::ops::Range<u64>, count: usize, database: Database) {
    let reports: Option<Vec<Report>> = seeds.map(|seed| check(seed, count, database)).collect();
    let Some(reports) = reports else { return };
    let sum = |what: fn(&Report) -> u64| reports.iter().map(what).sum::<u64>();
    assert!(sum(|report| report.tally.commands_accepted) > 50, "{reports:?}");
    assert!(sum(|report| report.tally.commands - report.tally.commands_accepted) > 0, "{reports:?}");
    assert!(sum(|report| report.tally.samples_accepted) > 1_000, "{reports:?}");
    assert!(sum(|report| report.tally.samples_quarantined) > 0, "{reports:?}");
    assert!(sum(|report| report.tally.photos) > 0, "{reports:?}");
}

#[test]
fn faults_lose_nothing_and_do_nothing_twice_sqlite_1() {
    check_busy(1..4, 600, Database::Sqlite);
}

#[test]
fn faults_lose_nothing_and_do_nothing_twice_sqlite_2() {
    check_busy(4..7, 600, Database::Sqlite);
}

#[test]
fn faults_lose_nothing_and_do_nothing_twice_postgres() {
    check_busy(1..3, 400, Database::Postgres);
}

/// One seed, one history: what a failing seed shows is there again when it is looked into.
#[test]
fn a_seed_gives_the_same_messages_again() {
    let first = check(42, 150, Database::Sqlite);
    assert_eq!(first, check(42, 150, Database::Sqlite));
    assert_ne!(first, check(43, 150, Database::Sqlite));
}
