//! A short half-year, and random commands, on both databases. The long ones: `cargo run --release -p callout-tests --bin half_year`.

use callout_tests::city::random::{self, Step};
use callout_tests::city::{CitySetting, run};
use callout_tests::simulation::Database;

fn short(database: Database) {
    let setting = CitySetting { seed: 7, database, complaints: 110, days: 40, full_phone_every: 20 };
    let Some(result) = run(&setting, &mut |_| ()) else { return };
    let report = result.unwrap_or_else(|what| panic!("seed {}: {what}", setting.seed));
    assert!(report.orders > 60, "{report:?}");
    assert!(report.figures.states["resolved"] > 40, "{report:?}");
    assert!(report.figures.syncs.0 > 0, "some orders are worked on with the real phone core");
    let unanchored = report.events.0 - report.events.1;
    assert!(unanchored < 50, "but for the last hour all is anchored: {:?}", report.events);
    let refused: u64 = report.figures.refused.values().sum();
    assert!(refused * 10 < report.requests, "the rules refuse what people ordinarily do: {:?}", report.figures.refused);
}

/// Issue 3, "a simulated half-year of a city": R-INTAKE-1 … R-RETURN-4 with every invariant checked.
#[test]
fn a_short_half_year_on_sqlite() {
    short(Database::Sqlite);
}

/// The same on PostgreSQL.
#[test]
fn a_short_half_year_on_postgres() {
    short(Database::Postgres);
}

fn random_commands(database: Database, seed: u64) {
    let steps = random::steps(seed, 320);
    match random::run(seed, database, &steps) {
        None => {}
        Some(Ok(tally)) => {
            assert!(tally.done > 100, "hardly anything was possible: {tally:?}");
            assert!(tally.refused.values().sum::<u64>() > 10, "nothing was refused: {tally:?}");
            assert!(tally.states.len() > 3, "{tally:?}");
        }
        Some(Err((done, what))) => {
            let short = random::shrink(seed, database, &steps[..done], 60);
            panic!("seed {seed}, after {done} commands: {what}\n{short:#?}");
        }
    }
}

/// R-RETURN-1 … R-RETURN-4, R-ROUTE-1 … R-ROUTE-4, R-LOCATE-2, R-AUDIT-1: whatever anybody tries, what must hold holds.
#[test]
fn random_commands_on_sqlite() {
    random_commands(Database::Sqlite, 11);
}

/// The same with other chance on PostgreSQL.
#[test]
fn random_commands_on_postgres() {
    random_commands(Database::Postgres, 12);
}

/// Lists that found something stay here.
#[test]
fn an_empty_town_holds() {
    let none: [Step; 0] = [];
    if let Some(result) = random::run(1, Database::Sqlite, &none) {
        result.unwrap();
    }
}
