//! SQLite's one writer: first come, first served, and several units of work to one flush of the disk.
//!
//! Flushing is what a small transaction costs. So whoever has run its unit of work and sees others waiting hands the open
//! transaction on to the next instead of committing; the last one (or the sixty-fourth, or the first after ten milliseconds)
//! commits for all, and only then is anyone answered. Each unit of work runs in a savepoint of its own: one that fails is undone
//! alone. If the common commit fails, all of them fail. What does not belong here: PostgreSQL, which does this by itself.

use crate::connection::{Connector, Tx};
use crate::error::StorageError;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const MAX_BATCH: usize = 64;
const MAX_BATCH_AGE: Duration = Duration::from_millis(10);

/// A value that one thread waits for and another gives.
struct Promise<T> {
    value: Mutex<Option<T>>,
    given: Condvar,
}

impl<T> Promise<T> {
    fn new() -> Self {
        Self { value: Mutex::new(None), given: Condvar::new() }
    }

    fn give(&self, value: T) {
        *locked(&self.value) = Some(value);
        self.given.notify_all();
    }

    fn take(&self) -> T {
        let mut value = locked(&self.value);
        loop {
            if let Some(value) = value.take() {
                return value;
            }
            value = self.given.wait(value).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T: Copy> Promise<T> {
    /// Waits like `take`, but leaves the value for others who wait for it.
    fn read(&self) -> T {
        let mut value = locked(&self.value);
        loop {
            if let Some(value) = *value {
                return value;
            }
            value = self.given.wait(value).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// No code that can panic runs while one of these is held, so a poisoned one is still whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The units of work that one commit will keep.
struct Batch {
    is_kept: Arc<Promise<bool>>,
    length: usize,
    began: Instant,
}

/// The right to write, with the transaction that is open if others handed theirs on.
struct Turn {
    tx: Tx,
    batch: Option<Batch>,
}

struct State {
    idle: Option<Turn>,
    waiting: VecDeque<Arc<Promise<Turn>>>,
}

pub(crate) struct Writer {
    connector: Connector,
    state: Mutex<State>,
}

/// How a unit of work ended, its savepoint dealt with.
enum Ended<T, E> {
    /// Its changes stand in the open transaction.
    Kept(T),
    /// Its changes are undone, those of the units before it stand.
    Undone(Failed<E>),
    /// The transaction is lost, and with it the units before.
    Lost,
}

enum Failed<E> {
    Error(E),
    Panic(Box<dyn std::any::Any + Send>),
}

impl Writer {
    pub(crate) fn new(connector: Connector) -> Result<Self, StorageError> {
        let tx = connector.connect()?;
        let state = State { idle: Some(Turn { tx, batch: None }), waiting: VecDeque::new() };
        Ok(Self { connector, state: Mutex::new(state) })
    }

    /// Waits for the right to write.
    fn turn_take(&self) -> Turn {
        let promise = {
            let mut state = locked(&self.state);
            if let Some(turn) = state.idle.take() {
                return turn;
            }
            let promise = Arc::new(Promise::new());
            state.waiting.push_back(promise.clone());
            promise
        };
        promise.take()
    }

    /// Gives the right to write to whoever waits longest.
    fn turn_give(&self, turn: Turn) {
        let mut state = locked(&self.state);
        match state.waiting.pop_front() {
            Some(next) => next.give(turn),
            None => state.idle = Some(turn),
        }
    }

    /// Gives the right to write on with its transaction open, if somebody waits for it; else gives it back.
    fn turn_hand_on(&self, turn: Turn) -> Option<Turn> {
        match locked(&self.state).waiting.pop_front() {
            Some(next) => {
                next.give(turn);
                None
            }
            None => Some(turn),
        }
    }

    /// Runs a unit of work and returns when it is durably on disk, or undone.
    pub(crate) fn write<T, E: From<StorageError>>(&self, work: impl FnOnce(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        let since = Instant::now();
        let mut turn = self.turn_take();
        self.connector.counts.waited(since);
        let mut batch = match turn.batch.take() {
            Some(batch) => batch,
            None => {
                if let Err(error) = self.begin(&mut turn.tx) {
                    self.turn_give(turn);
                    return Err(error.into());
                }
                Batch { is_kept: Arc::new(Promise::new()), length: 0, began: Instant::now() }
            }
        };
        let is_kept = batch.is_kept.clone();
        let ended = run(&mut turn.tx, work);
        let is_lost = matches!(ended, Ended::Lost);
        if is_lost {
            // Whether anything is left to undo is unknown; the next `begin` sees to a clean connection.
            let _ = turn.tx.rollback();
            is_kept.give(false);
            self.turn_give(turn);
        } else {
            batch.length += 1;
            let is_full = batch.length >= MAX_BATCH || batch.began.elapsed() >= MAX_BATCH_AGE;
            turn.batch = Some(batch);
            if let Some(mut turn) = if is_full { Some(turn) } else { self.turn_hand_on(turn) } {
                turn.batch = None;
                let committed = turn.tx.commit();
                if let Err(error) = &committed {
                    tracing::error!(%error, "the common commit failed");
                }
                is_kept.give(committed.is_ok());
                self.turn_give(turn);
            }
        }
        let is_kept = is_kept.read();
        match ended {
            Ended::Undone(Failed::Panic(panic)) => resume_unwind(panic),
            // What it decided may rest on changes of others that were not kept.
            _ if !is_kept => Err(StorageError::unavailable("the transaction could not be committed").into()),
            Ended::Kept(value) => Ok(value),
            Ended::Undone(Failed::Error(error)) => Err(error),
            Ended::Lost => Err(StorageError::unavailable("the transaction was lost").into()),
        }
    }

    fn begin(&self, tx: &mut Tx) -> Result<(), StorageError> {
        if !tx.is_idle() {
            tracing::warn!("the writing connection was left in an unknown state; opening another");
            *tx = self.connector.connect()?;
        }
        tx.begin_write().map_err(StorageError::from)
    }
}

/// Runs a unit of work in a savepoint.
fn run<T, E>(tx: &mut Tx, work: impl FnOnce(&mut Tx) -> Result<T, E>) -> Ended<T, E> {
    if let Err(error) = tx.begin_savepoint() {
        tracing::error!(%error, "no savepoint");
        return Ended::Lost;
    }
    let failed = match catch_unwind(AssertUnwindSafe(|| work(&mut *tx))) {
        Ok(Ok(value)) => match tx.commit() {
            Ok(()) => return Ended::Kept(value),
            Err(error) => {
                tracing::error!(%error, "the savepoint is gone");
                return Ended::Lost;
            }
        },
        Ok(Err(error)) => Failed::Error(error),
        Err(panic) => Failed::Panic(panic),
    };
    match tx.rollback() {
        Ok(()) => Ended::Undone(failed),
        // The database itself rolled the whole back (disk full, for one); a panic is told all the same.
        Err(error) => {
            tracing::error!(%error, "the transaction is gone");
            match failed {
                Failed::Panic(panic) => resume_unwind(panic),
                Failed::Error(_) => Ended::Lost,
            }
        }
    }
}
