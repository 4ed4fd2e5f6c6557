//! What a storage has done since it was opened, for metrics and benchmarks. Counted in this process only.
//! What does not belong here: what a unit of work does.

use crate::storage::Storage;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The counters, shared by all connections of one storage.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    statements: AtomicU64,
    units_of_work: AtomicU64,
    reruns: AtomicU64,
    waits: AtomicU64,
    waited_micros: AtomicU64,
    timeouts: AtomicU64,
}

impl Counts {
    pub(crate) fn statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unit_of_work(&self) {
        self.units_of_work.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rerun(&self) {
        self.reruns.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn timeout(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was had, asked for at `since`.
    pub(crate) fn waited(&self, since: Instant) {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// What a storage has done, and how its connections stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageFigures {
    /// Statements that were sent, without those that begin and end transactions.
    pub statements: u64,
    /// Units of work that were begun, those that ran again not counted twice.
    pub units_of_work: u64,
    /// How often one ran again after a conflict.
    pub reruns: u64,
    /// How often a connection was waited for, however shortly: of the pool, or SQLite's one writer.
    pub connection_waits: u64,
    /// How long all that took.
    pub connection_waited_micros: u64,
    /// How often no connection came free in time.
    pub connection_timeouts: u64,
    /// Open connections of the pool.
    pub connections: u32,
    /// Those that nobody uses.
    pub connections_idle: u32,
}

impl Storage {
    /// What this storage has done since it was opened.
    pub fn figures(&self) -> StorageFigures {
        let counts = self.counts();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (connections, connections_idle) = self.pool_state();
        StorageFigures {
            statements: of(&counts.statements),
            units_of_work: of(&counts.units_of_work),
            reruns: of(&counts.reruns),
            connection_waits: of(&counts.waits),
            connection_waited_micros: of(&counts.waited_micros),
            connection_timeouts: of(&counts.timeouts),
            connections,
            connections_idle,
        }
    }
}
