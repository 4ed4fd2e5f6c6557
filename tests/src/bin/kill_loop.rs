//! Kills real servers and phones over and over and counts: `kill_loop [--rounds N] [--phones P] [--samples S] [--seed X]
//! [--database sqlite|postgres]`. Prints one JSON object; the exit status is 1 when anything is missing or doubled.
//!
//! With `--node` as the first argument it is `callout` itself: the processes that are killed.

use callout_tests::kill_loop::{KillLoopOptions, NODE, kill_loop};
use std::process::ExitCode;

const USAGE: &str = "kill_loop [--rounds N] [--phones P] [--samples S] [--seed X] [--database sqlite|postgres]";

fn options() -> Result<KillLoopOptions, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program's own file: {error}"))?;
    let mut options = KillLoopOptions { program, postgres: false, phones: 3, rounds: 10, samples: 3_000, seed: 1 };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name}: what follows is missing\n{USAGE}"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name}: '{value}' is not a number\n{USAGE}"));
        match name.as_str() {
            "--rounds" => options.rounds = number()?,
            "--phones" => options.phones = number()?.clamp(1, 50),
            "--samples" => options.samples = number()?.max(1),
            "--seed" => options.seed = number()?,
            "--database" => {
                options.postgres = match value.as_str() {
                    "sqlite" => false,
                    "postgres" => true,
                    _ => return Err(format!("--database: sqlite or postgres\n{USAGE}")),
                }
            }
            _ => return Err(format!("{name} is unknown\n{USAGE}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next();
    if std::env::args_os().nth(1).is_some_and(|first| first == NODE) {
        return callout_cli::run(program.into_iter().chain(arguments.skip(1)));
    }
    let options = match options() {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    match kill_loop(&options, &mut |text| eprintln!("{text}")) {
        Ok(report) => {
            println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
