//! How long to wait after a failure: exponential, with jitter, so that phones that lost the server together do not come back
//! together.

use callout_sync_protocol::time::Timestamp;

/// The bounds of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffConfig {
    /// After the first failure, milliseconds.
    pub first_ms: u64,
    /// At most, milliseconds.
    pub maximum_ms: u64,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { first_ms: 2_000, maximum_ms: 15 * 60 * 1_000 }
    }
}

impl BackoffConfig {
    /// When to try again after `failures` failures in a row: between half and all of the doubled delay, by `random`, and never
    /// before the server's own wish.
    pub(super) fn until(
        &self,
        now: Timestamp,
        failures: u32,
        random: u64,
        retry_after_seconds: Option<u64>,
    ) -> Timestamp {
        let doubled = self.first_ms.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let delay = doubled.min(self.maximum_ms).max(1);
        let jittered = delay - random % (delay / 2 + 1);
        // A day is the longest that a server's wish is believed.
        let wished = retry_after_seconds.unwrap_or(0).min(86_400) * 1_000;
        // Jitter also on top of the wish: it was told to many phones at once.
        let wished = if wished == 0 { 0 } else { wished + random % (wished / 4 + 1) };
        now.plus_millis(i64::try_from(jittered.max(wished)).unwrap_or(i64::MAX))
    }
}
