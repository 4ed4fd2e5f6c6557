//! Runs the deterministic simulation: `simulate --seed N --operations M [--runs R] [--phones P] [--servers S]
//! [--database sqlite|postgres]`. Each run takes the next seed. The first failure is shrunk and printed as the list of
//! operations that a regression test keeps; the exit status is then 1.

use callout_tests::simulation::{Database, Setting, operations, run, shrink};
use std::process::ExitCode;
use std::time::Instant;

/// Runs that shrinking may take.
const SHRINK_TRIES: u32 = 400;

const USAGE: &str =
    "simulate [--seed N] [--operations M] [--runs R] [--phones P] [--servers S] [--database sqlite|postgres]";

struct Arguments {
    seed: u64,
    operations: usize,
    runs: u64,
    setting: Setting,
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name}: '{text}' is not a number that fits\n{USAGE}"))
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { seed: 1, operations: 1_000, runs: 1, setting: Setting::of(Database::Sqlite) };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name}: what follows is missing\n{USAGE}"))?;
        match name.as_str() {
            "--seed" => arguments.seed = number(&name, &value)?,
            "--operations" => arguments.operations = number(&name, &value)?,
            "--runs" => arguments.runs = number(&name, &value)?,
            "--phones" => arguments.setting.phones = number::<u8>(&name, &value)?.clamp(1, 50),
            "--servers" => arguments.setting.servers = number::<u8>(&name, &value)?.clamp(1, 10),
            "--database" => {
                arguments.setting.database = match value.as_str() {
                    "sqlite" => Database::Sqlite,
                    "postgres" => Database::Postgres,
                    _ => return Err(format!("--database: sqlite or postgres\n{USAGE}")),
                }
            }
            _ => return Err(format!("{name} is unknown\n{USAGE}")),
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    let Setting { phones, servers, .. } = arguments.setting;
    for seed in (arguments.seed..).take(usize::try_from(arguments.runs).unwrap_or(usize::MAX)) {
        let list = operations(seed, arguments.operations, phones, servers);
        let begun = Instant::now();
        match run(seed, &arguments.setting, &list) {
            None => return ExitCode::SUCCESS,
            Some(Ok(report)) => {
                let seconds = begun.elapsed().as_secs_f64();
                let rate = list.len() as f64 / seconds;
                println!("seed {seed}: {} operations in {seconds:.1} s ({rate:.0}/s); {report:?}", list.len());
            }
            Some(Err(failure)) => {
                println!("seed {seed}: after {} operations: {}", failure.operations, failure.what);
                println!("shrinking …");
                let short = shrink(&failure, &arguments.setting, &list, SHRINK_TRIES);
                if let Some(Err(failure)) = run(seed, &arguments.setting, &short) {
                    println!("{} operations: {}\n{short:#?}", short.len(), failure.what);
                }
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
