//! Benchmarks of the whole server, over real HTTP, against a process of its own: one command, JSON on standard output.
//!
//! `cargo run --release -p callout-tests --bin bench -- [--quick] [--database sqlite|postgres|both]`
//! `cargo run --release -p callout-tests --bin bench -- overview [--orders 1000000] [--quick] [--database …]`: the queries over a whole
//! province at the size of a year.
//! `… -- idle [--orders 1000000]`, `… -- storm`, `… -- slow-link`, `… -- formats [with --features parquet]`: what a sync with nothing to say
//! costs; every phone at once after an outage; a first sync on a bad link; how small samples get. Without a word all but `overview` run.
//!
//! Databases keep what they acknowledge as in production (fsync on). Clients run on the same machine and take their share of its
//! cores; what they prepare (sealing, photos) is prepared before the clock starts. What does not belong here: tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark stops at what it does not expect"
)]

mod blocks;
mod changes;
mod commands;
mod crowd;
mod formats;
mod house;
mod idle;
mod link;
mod load;
mod logs;
mod overview;
mod photos;
mod storm;
mod wire;

use callout_tests::postgres::{ClusterError, Durability, PostgresCluster};
use house::House;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long each measurement lasts at most.
    pub duration: Duration,
    /// Phones that work at the same time.
    pub phones: usize,
    /// Requests that each phone has prepared for the blocks' measurements.
    pub block_requests: usize,
    /// Orders in the feed that is pulled.
    pub feed_orders: usize,
    /// Photos that each phone has prepared.
    pub photos: usize,
    /// Phones that come back at once after an outage.
    pub storm_phones: usize,
    /// Orders among which a sync has nothing to say.
    pub idle_orders: u64,
}

const FULL: Plan = Plan {
    duration: Duration::from_secs(10),
    phones: 4,
    block_requests: 400,
    feed_orders: 500,
    photos: 300,
    storm_phones: 3_000,
    idle_orders: 1_000_000,
};
const QUICK: Plan = Plan {
    duration: Duration::from_secs(2),
    phones: 2,
    block_requests: 60,
    feed_orders: 60,
    photos: 30,
    storm_phones: 300,
    idle_orders: 20_000,
};

const USAGE: &str =
    "bench [overview|idle|storm|slow-link|formats] [--quick] [--orders N] [--database sqlite|postgres|both]
Prints JSON; without a word all but `overview` run. 基准测试，输出 JSON；不带参数时运行除 overview 外的全部项目。";

/// The first argument that means nothing here.
fn unknown(arguments: &[String]) -> Option<&str> {
    let mut rest = arguments.iter().map(String::as_str);
    let mut is_first = true;
    while let Some(argument) = rest.next() {
        match argument {
            "overview" | "idle" | "storm" | "slow-link" | "formats" if is_first => {}
            "--quick" => {}
            "--orders" => match rest.next() {
                Some(number) if number.parse::<u64>().is_ok() => {}
                number => return number.or(Some(argument)),
            },
            "--database" => match rest.next() {
                Some("sqlite" | "postgres" | "both") => {}
                name => return name.or(Some(argument)),
            },
            _ => return Some(argument),
        }
        is_first = false;
    }
    None
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The measured server is this very program, so that the benchmark needs no other one to be built.
    if arguments.first().is_some_and(|first| first == "serve") {
        return callout_cli::run(std::env::args_os());
    }
    if let Some(argument) = unknown(&arguments) {
        eprintln!("{argument}\n{USAGE}");
        return if argument == "--help" { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let overview_orders =
        arguments.first().is_some_and(|first| first == "overview").then(|| overview::orders(&arguments));
    let mut plan = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    if let Some(at) = arguments.iter().position(|argument| argument == "--orders") {
        plan.idle_orders = arguments.get(at + 1).and_then(|text| text.parse().ok()).expect("--orders: a number");
    }
    let only = arguments.first().map(String::as_str).filter(|word| ["idle", "storm", "slow-link"].contains(word));
    if arguments.first().is_some_and(|first| first == "formats") {
        println!("{}", serde_json::to_string_pretty(&formats::measure()).unwrap());
        return ExitCode::SUCCESS;
    }
    let wanted = arguments.iter().position(|argument| argument == "--database").and_then(|at| arguments.get(at + 1));
    let wanted = wanted.map_or("both", String::as_str);
    let mut databases = Vec::new();
    if matches!(wanted, "sqlite" | "both") {
        databases.push(measure("sqlite", None, &plan, overview_orders, only));
    }
    if matches!(wanted, "postgres" | "both") {
        match PostgresCluster::start(Durability::Full) {
            Ok(cluster) => {
                let url = cluster.database("callout_bench", None).unwrap();
                databases.push(measure("postgres", Some(url), &plan, overview_orders, only));
            }
            Err(error @ ClusterError::NotInstalled) => eprintln!("skipped: PostgreSQL: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
    let report = json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "quick": plan.duration == QUICK.duration,
        "phones": plan.phones,
        "bytes_per_sample": logs::bytes_per_sample(),
        "formats": if only.is_some() || overview_orders.is_some() { Value::Null } else { formats::measure() },
        "databases": databases,
    });
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    ExitCode::SUCCESS
}

fn measure(
    name: &str,
    database_url: Option<String>,
    plan: &Plan,
    overview_orders: Option<u64>,
    only: Option<&str>,
) -> Value {
    eprintln!("{name}: starting");
    let house = House::open(database_url);
    let idle = house.resident_bytes();
    let mut result = json!({ "database": name, "start_up_ms": house.start_up_ms, "resident_idle_bytes": idle });
    if let Some(orders) = overview_orders {
        result["overview"] = overview::measure(&house, orders);
        result["resident_after_bytes"] = json!(house.resident_bytes());
        return result;
    }
    type Measurement = fn(&House, &Plan) -> Value;
    let measurements: [(&str, Measurement); 9] = [
        ("sample_blocks_by_visit", blocks::measure_visits),
        ("sample_blocks_by_day", blocks::measure_days),
        ("commands_batched", commands::measure_batched),
        ("commands_single", commands::measure_single),
        ("changes", changes::measure),
        ("photos_300_kb", photos::measure),
        ("slow-link", link::measure),
        ("idle", idle::measure),
        ("storm", storm::measure),
    ];
    for (what, measurement) in measurements {
        if only.is_some_and(|only| only != what) {
            continue;
        }
        eprintln!("{name}: {what}");
        let figures = measurement(&house, plan);
        eprintln!("{name}: {what}: {figures}");
        result[what] = figures;
    }
    result["resident_after_bytes"] = json!(house.resident_bytes());
    result["resident_peak_bytes"] = json!(house.resident_peak_bytes());
    result
}
