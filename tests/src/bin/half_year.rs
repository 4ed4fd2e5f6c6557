//! Half a year of a city in one command: `half_year --seed N --database sqlite|postgres --complaints M [--days D] [--full-phone-every K]`.
//! Shows progress, ends with the report and the list of what was checked; the exit status is 1 when something did not hold.

use callout_tests::city::figures::rendered;
use callout_tests::city::{CitySetting, run};
use callout_tests::simulation::Database;
use std::process::ExitCode;

const USAGE: &str =
    "half_year [--seed N] [--database sqlite|postgres] [--complaints M] [--days D] [--full-phone-every K]";

fn number(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name}: '{text}' is not a number that fits\n{USAGE}"))
}

fn setting() -> Result<CitySetting, String> {
    let mut setting =
        CitySetting { seed: 1, database: Database::Sqlite, complaints: 5_000, days: 182, full_phone_every: 25 };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name}: what follows is missing\n{USAGE}"))?;
        match name.as_str() {
            "--seed" => setting.seed = number(&name, &value)?,
            "--complaints" => setting.complaints = number(&name, &value)?.clamp(1, 1_000_000),
            "--days" => setting.days = number(&name, &value)?.clamp(1, 366),
            "--full-phone-every" => setting.full_phone_every = number(&name, &value)?,
            "--database" => {
                setting.database = match value.as_str() {
                    "sqlite" => Database::Sqlite,
                    "postgres" => Database::Postgres,
                    _ => return Err(format!("--database: sqlite or postgres\n{USAGE}")),
                }
            }
            _ => return Err(format!("{name} is unknown\n{USAGE}")),
        }
    }
    Ok(setting)
}

fn main() -> ExitCode {
    let setting = match setting() {
        Ok(setting) => setting,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    match run(&setting, &mut |line| eprintln!("{line}")) {
        // PostgreSQL is not installed; the terminal was told.
        None => ExitCode::SUCCESS,
        Some(Ok(report)) => {
            println!("{}", rendered(&setting, &report));
            ExitCode::SUCCESS
        }
        Some(Err(what)) => {
            println!("violation 违反不变量 (seed {}): {what}", setting.seed);
            ExitCode::FAILURE
        }
    }
}
