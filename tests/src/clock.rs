//! Time and chance of a world: one clock that the test moves, for the server and for every phone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at what it does not expect")]

use callout_mobile_sdk::env::Env as PhoneEnv;
use callout_server::env::Clock;
use callout_sync_protocol::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.unix_micros())))
    }

    /// What it shows.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }

    /// Moves it.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.unix_micros(), Ordering::SeqCst);
    }

    /// Moves it on.
    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.time()
    }
}

/// A phone's surroundings: the world's clock, put forward by so much; waiting moves the world's clock instead of sleeping.
#[derive(Clone, Debug)]
pub struct TestPhoneEnv {
    /// The world's clock.
    pub clock: TestClock,
    /// How far this phone's own clock is ahead, in milliseconds.
    pub ahead_ms: i64,
}

impl PhoneEnv for TestPhoneEnv {
    fn now(&self) -> Timestamp {
        self.clock.time().plus_millis(self.ahead_ms)
    }

    fn random_fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap();
    }

    fn sleep_until(&self, until: Timestamp) {
        let until = until.plus_millis(-self.ahead_ms);
        if until > self.clock.time() {
            self.clock.set(until);
        }
    }
}
