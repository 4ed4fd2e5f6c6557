//! Chance and time of a simulated world: everything that looks random comes from one seed, everything that looks like time is
//! one number that the simulation moves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

use callout_mobile_sdk::env::Env as PhoneEnv;
use callout_server::env::{Clock, Entropy};
use callout_sync_protocol::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// A seeded source of numbers (SplitMix64): the same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0. The bounds here are so small that the bias does not matter.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// True in `percent` of all cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Fills with the next numbers.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.roll().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The servers' source of randomness.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<Dice>);

impl SeededEntropy {
    /// The bytes of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Dice::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill(bytes);
    }
}

/// The one clock of a world. Clones show the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.unix_micros())))
    }

    /// What it shows.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }

    /// Moves it on.
    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// Moves it on to an instant, unless that is past.
    pub fn advance_to(&self, until: Timestamp) {
        self.0.fetch_max(until.unix_micros(), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.time()
    }
}

/// A phone's surroundings: the world's clock with this phone's own error, and chance from the seed. Waiting moves the clock.
#[derive(Debug)]
pub struct SeededPhoneEnv {
    clock: VirtualClock,
    ahead_seconds: AtomicI64,
    dice: Mutex<Dice>,
}

impl SeededPhoneEnv {
    /// A phone whose clock is right, with the chance of a seed.
    pub fn new(clock: VirtualClock, seed: u64) -> Self {
        Self { clock, ahead_seconds: AtomicI64::new(0), dice: Mutex::new(Dice::new(seed)) }
    }

    /// Puts the phone's clock ahead of the world's by so many seconds, or behind.
    pub fn set_ahead(&self, seconds: i64) {
        self.ahead_seconds.store(seconds, Ordering::SeqCst);
    }

    fn ahead(&self) -> i64 {
        self.ahead_seconds.load(Ordering::SeqCst)
    }
}

impl PhoneEnv for SeededPhoneEnv {
    fn now(&self) -> Timestamp {
        self.clock.time().plus_seconds(self.ahead())
    }

    fn random_fill(&self, bytes: &mut [u8]) {
        self.dice.lock().unwrap().fill(bytes);
    }

    fn sleep_until(&self, until: Timestamp) {
        self.clock.advance_to(until.plus_seconds(-self.ahead()));
    }
}
