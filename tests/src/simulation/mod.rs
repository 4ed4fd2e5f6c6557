//! A deterministic simulation of phones, servers and desks: real phone cores on real stores, real servers on a real database,
//! and between them a network that loses, repeats, cuts and delays; one thread, one clock, one seed.
//!
//! A run is a list of [`Operation`]s, made from a seed or kept from a find. The same seed gives the same messages, byte for byte
//! ([`Report::digest`]). What must hold is in `checks`. Phones lose power before any write or sync of their storage, or find it full;
//! servers are killed at any wait of a request, and their machine, where the database is SQLite, loses power before any write or sync
//! ([`crate::medium`]). `cuts` does the same to one visit at every one of its steps. What does not belong here: processes and sockets
//! (`kill_loop`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

pub(crate) mod chance;
mod checks;
mod cuts;
pub(crate) mod full_phone;
mod house;
mod network;
mod operations;
mod phones;
pub(crate) mod server;
mod visits;

pub use chance::Dice;
pub use checks::Tally;
pub use cuts::{Cut, Cuts, cut_everywhere, seal_cut_everywhere};
pub use house::Failures;
pub use operations::{Act, Fault, Operation, operations};

use house::House;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where a world stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file in a temporary folder.
    Sqlite,
    /// A fresh database of the tests' own cluster.
    Postgres,
}

/// How large a world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its database.
    pub database: Database,
    /// Phones, each with its tester.
    pub phones: u8,
    /// Server processes on the one database.
    pub servers: u8,
}

impl Setting {
    /// Three phones, two servers.
    pub fn of(database: Database) -> Self {
        Self { database, phones: 3, servers: 2 }
    }
}

/// A run in which everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Requests that reached a server.
    pub messages: u64,
    /// Orders made.
    pub orders: u64,
    /// Reviews made.
    pub reviews: u64,
    /// What failed.
    pub failures: Failures,
    /// What was counted when all was quiet.
    pub tally: Tally,
    /// The same for the same operations and seed.
    pub digest: u64,
}

/// A run in which something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the world's chance.
    pub seed: u64,
    /// How many operations were carried out, the one that showed it included.
    pub operations: usize,
    /// What did not hold.
    pub what: String,
}

/// Runs a list of operations in a fresh world; `None` where its database is not installed.
///
/// # Errors
/// The first thing that did not hold.
pub fn run(seed: u64, setting: &Setting, operations: &[Operation]) -> Option<Result<Report, Failure>> {
    let mut done = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut house = House::new(seed, setting)?;
        Some(run_in(&mut house, operations, &mut done))
    }));
    let failure = |what| Failure { seed, operations: done, what };
    match outcome {
        Ok(outcome) => outcome.map(|result| result.map_err(failure)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(Err(failure(format!("panicked: {}", text.unwrap_or_default()))))
        }
    }
}

fn run_in(house: &mut House, operations: &[Operation], done: &mut usize) -> Result<Report, String> {
    let unseen = |house: &House| house.record.violations.first().cloned().map_or(Ok(()), Err);
    for operation in operations {
        *done += 1;
        house.step(operation)?;
        unseen(house)?;
    }
    house.quiet()?;
    unseen(house)?;
    let tally = house.check_all()?;
    Ok(Report {
        messages: house.record.messages,
        orders: house.orders.len() as u64,
        reviews: house.reviews,
        failures: house.failures,
        tally,
        digest: house.record.digest(),
    })
}

/// A shorter list that fails as well (though perhaps otherwise), by leaving out ever smaller parts; at most `tries` runs.
pub fn shrink(failure: &Failure, setting: &Setting, operations: &[Operation], mut tries: u32) -> Vec<Operation> {
    let mut list = operations[..failure.operations.min(operations.len())].to_vec();
    let mut part = list.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        while from < list.len() && tries > 0 {
            let mut shorter = list.clone();
            shorter.drain(from..(from + part).min(list.len()));
            tries -= 1;
            if matches!(run(failure.seed, setting, &shorter), Some(Err(_))) {
                list = shorter;
            } else {
                from += part;
            }
        }
        if part == 1 || tries == 0 {
            return list;
        }
        part = part.div_ceil(2);
    }
}
