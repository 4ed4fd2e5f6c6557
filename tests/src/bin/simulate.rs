//! Runs the deterministic simulation: `simulate --seed N --operations M [--runs R] [--phones P] [--servers S] [--threads T]
//! [--database sqlite|postgres]`. Each run is a world of its own and takes the next seed; T of them run at a time. The first failure is
//! shrunk and printed as the list of operations that a regression test keeps; the exit status is then 1.
//!
//! `simulate --cuts phone-power|phone-room|server-power|server-process [--stride N] [--first K]` ends one visit at its K-th step and at
//! every N-th behind it (by default all of them), and likewise the sealing of a plain store; `--runs R` does so with R seeds.

use callout_tests::simulation::{
    Cut, Cuts, Database, Setting, cut_everywhere, operations, run, seal_cut_everywhere, shrink,
};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Runs that shrinking may take.
const SHRINK_TRIES: u32 = 400;

const USAGE: &str =
    "simulate [--seed N] [--operations M] [--runs R] [--phones P] [--servers S] [--threads T] [--database sqlite|postgres]
simulate --cuts phone-power|phone-room|server-power|server-process [--seed N] [--runs R] [--first K] [--stride N] [--threads T]";

struct Arguments {
    seed: u64,
    operations: usize,
    runs: u64,
    setting: Setting,
    cut: Option<Cut>,
    first: u64,
    stride: u64,
    threads: usize,
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name}: '{text}' is not a number that fits\n{USAGE}"))
}

fn arguments() -> Result<Arguments, String> {
    let setting = Setting::of(Database::Sqlite);
    let mut arguments =
        Arguments { seed: 1, operations: 1_000, runs: 1, setting, cut: None, first: 1, stride: 1, threads: 1 };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name}: what follows is missing\n{USAGE}"))?;
        match name.as_str() {
            "--seed" => arguments.seed = number(&name, &value)?,
            "--operations" => arguments.operations = number(&name, &value)?,
            "--runs" => arguments.runs = number(&name, &value)?,
            "--first" => arguments.first = number(&name, &value)?,
            "--stride" => arguments.stride = number(&name, &value)?,
            "--threads" => arguments.threads = number::<usize>(&name, &value)?.clamp(1, 64),
            "--cuts" => {
                arguments.cut = Some(match value.as_str() {
                    "phone-power" => Cut::PhonePower,
                    "phone-room" => Cut::PhoneRoom,
                    "server-power" => Cut::ServerPower,
                    "server-process" => Cut::ServerProcess,
                    _ => return Err(format!("--cuts: unknown\n{USAGE}")),
                });
            }
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
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let is_failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if run >= arguments.runs || is_failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let is_sound = match arguments.cut {
                        Some(cut) => cuts(&arguments, cut, arguments.seed + run),
                        None => random(&arguments, arguments.seed + run),
                    };
                    done.fetch_add(u64::from(is_sound), Ordering::Relaxed);
                    is_failed.fetch_or(!is_sound, Ordering::Relaxed);
                }
            });
        }
    });
    if is_failed.into_inner() {
        return ExitCode::FAILURE;
    }
    if arguments.cut.is_none() {
        let operations = done.into_inner() * arguments.operations as u64;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{operations} operations in {seconds:.0} s ({:.0}/s): everything held", operations as f64 / seconds);
    }
    ExitCode::SUCCESS
}

/// One visit, cut at its steps; says whether everything held.
fn cuts(arguments: &Arguments, cut: Cut, seed: u64) -> bool {
    let sealing = match cut {
        Cut::PhonePower | Cut::PhoneRoom => seal_cut_everywhere(cut, seed, arguments.first, arguments.stride),
        _ => Ok(Cuts::default()),
    };
    let visit = cut_everywhere(cut, seed, Some(arguments.first), arguments.stride);
    match visit.and_then(|visit| Ok((visit, sealing?))) {
        Ok((visit, sealing)) => {
            let (visits, sealings) = (visit.last_step, sealing.last_step);
            println!(
                "seed {seed}: {cut:?}, up to step {visits} of a visit and {sealings} of a sealing; {:?}",
                visit.failures
            );
            true
        }
        Err(what) => {
            println!("{what}");
            false
        }
    }
}

/// A world of random operations; says whether everything held.
fn random(arguments: &Arguments, seed: u64) -> bool {
    let Setting { phones, servers, .. } = arguments.setting;
    let list = operations(seed, arguments.operations, phones, servers);
    let begun = Instant::now();
    match run(seed, &arguments.setting, &list) {
        None => true,
        Some(Ok(report)) => {
            let seconds = begun.elapsed().as_secs_f64();
            let rate = list.len() as f64 / seconds;
            println!("seed {seed}: {} operations in {seconds:.1} s ({rate:.0}/s); {report:?}", list.len());
            true
        }
        Some(Err(failure)) => {
            println!("seed {seed}: after {} operations: {}", failure.operations, failure.what);
            println!("shrinking …");
            let short = shrink(&failure, &arguments.setting, &list, SHRINK_TRIES);
            if let Some(Err(failure)) = run(seed, &arguments.setting, &short) {
                println!("{} operations: {}\n{short:#?}", short.len(), failure.what);
            }
            false
        }
    }
}
