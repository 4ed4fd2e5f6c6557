//! Time and chance, handed in: whoever replaces this trait decides what the phone takes for "now" and which ids it draws.
//!
//! What does not belong here: the network (`transport`).

use crate::transport::listening::ListenControl;
use callout_sync_protocol::ids::uuid_v7;
use callout_sync_protocol::time::Timestamp;
use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// What the phone takes from its surroundings beside the network.
pub trait Env: Debug + Send + Sync {
    /// The phone's clock.
    fn now(&self) -> Timestamp;
    /// Fills `bytes` with chance good enough for keys.
    fn random_fill(&self, bytes: &mut [u8]);
    /// Returns when the clock shows `until`.
    fn sleep_until(&self, until: Timestamp);
    /// The same, but returns early when something is wished of whoever listens.
    fn wait_until(&self, until: Timestamp, _control: &ListenControl) {
        self.sleep_until(until);
    }
}

/// A new UUIDv7 from the environment's clock and chance.
pub(crate) fn uuid_new(env: &dyn Env) -> Uuid {
    let mut random = [0; 10];
    env.random_fill(&mut random);
    uuid_v7(u64::try_from(env.now().unix_millis()).unwrap_or(0), random)
}

/// A random number, for jitter.
pub(crate) fn random_u64(env: &dyn Env) -> u64 {
    let mut random = [0; 8];
    env.random_fill(&mut random);
    u64::from_le_bytes(random)
}

/// The machine's own clock and random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnv;

impl Env for SystemEnv {
    fn now(&self) -> Timestamp {
        // A clock before 1970 or after 9999 is shown as 1970: every consumer treats it as a wrong clock anyway.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_micros()).ok().and_then(Timestamp::from_unix_micros).unwrap_or(Timestamp::EPOCH)
    }

    fn random_fill(&self, bytes: &mut [u8]) {
        // A platform without a random source can make neither keys nor ids; going on would make guessable ones.
        #[allow(clippy::expect_used)]
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }

    fn sleep_until(&self, until: Timestamp) {
        if let Ok(micros) = u64::try_from(until.micros_since(self.now())) {
            std::thread::sleep(Duration::from_micros(micros));
        }
    }

    fn wait_until(&self, until: Timestamp, control: &ListenControl) {
        if let Ok(micros) = u64::try_from(until.micros_since(self.now())) {
            control.wait(Some(Duration::from_micros(micros)));
        }
    }
}
