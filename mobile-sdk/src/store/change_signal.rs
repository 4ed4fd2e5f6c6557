//! Tells listeners that something was written; what, they ask.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Counts writes, and wakes who waits for one. Clones are the same signal; many writes in a row wake a listener once.
#[derive(Clone, Debug, Default)]
pub struct ChangeSignal(Arc<(Mutex<u64>, Condvar)>);

impl ChangeSignal {
    /// Wakes who waits, as after a write; also for letting a listener end.
    pub fn raise(&self) {
        let (count, changed) = &*self.0;
        *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        changed.notify_all();
    }

    /// How many writes there were.
    pub fn count(&self) -> u64 {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns as soon as there was a write after `seen` ones, or after `patience`; says how many there were then.
    pub fn wait(&self, seen: u64, patience: Duration) -> u64 {
        let (count, changed) = &*self.0;
        let guard = count.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) =
            changed.wait_timeout_while(guard, patience, |count| *count <= seen).unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}
