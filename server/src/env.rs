//! Time and chance, injected, so that a whole world can run on one seed.
//!
//! What does not belong here: any other way to the outside.

use callout_sync_protocol::ids::uuid_v7;
use callout_sync_protocol::time::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Draws random bytes that nobody can guess.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's own clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from(time::OffsetDateTime::now_utc())
    }
}

/// The machine's own source of randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[allow(
        clippy::expect_used,
        reason = "a machine without randomness cannot make a single secret; stopping is the only safe answer"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// What the application layer knows of the outside.
#[derive(Clone)]
pub struct Env {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Env {
    /// An environment of the given parts.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// The real one.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(SystemEntropy))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A new id of any noun.
    pub fn id<T: From<Uuid>>(&self) -> T {
        // An instant before 1970 would only make the id sort first.
        let unix_ms = u64::try_from(self.now().unix_millis()).unwrap_or(0);
        T::from(uuid_v7(unix_ms, self.random()))
    }
}
