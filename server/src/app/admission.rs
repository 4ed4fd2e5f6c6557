//! Who is let in at what rate, so that one guesser or one broken phone does not cost the rest their service.
//!
//! Counts live in this process: several servers together allow a little more, which is no harm.

use super::App;
use super::error::{AppError, AppResult};
use callout_sync_protocol::problem::ProblemType;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;

// Evaluated when the program is compiled: a zero here would not build.
/// Tries to sign in, per user name and per address.
const SIGN_INS_PER_NAME_A_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
const SIGN_INS_PER_ADDRESS_A_MINUTE: NonZeroU32 = NonZeroU32::new(120).unwrap();
/// Looks at a revisit's page, per address.
const REVISIT_LOOKS_A_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// The counters.
#[derive(Debug)]
pub struct Admission {
    sign_in_names: DefaultKeyedRateLimiter<String>,
    sign_in_addresses: DefaultKeyedRateLimiter<IpAddr>,
    revisit_addresses: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            sign_in_names: RateLimiter::keyed(Quota::per_minute(SIGN_INS_PER_NAME_A_MINUTE)),
            sign_in_addresses: RateLimiter::keyed(Quota::per_minute(SIGN_INS_PER_ADDRESS_A_MINUTE)),
            revisit_addresses: RateLimiter::keyed(Quota::per_minute(REVISIT_LOOKS_A_MINUTE)),
        }
    }
}

fn admit<K: Clone + Eq + std::hash::Hash>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> AppResult<()> {
    // Names and addresses are the sender's to choose; what is full again is forgotten before the table grows large.
    if limiter.len() > 10_000 {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        AppError {
            retry_after_seconds: Some(u32::try_from(wait).unwrap_or(u32::MAX)),
            ..AppError::new(ProblemType::TooManyRequests, format!("try again in {wait} seconds"))
        }
    })
}

impl App {
    /// Lets a try to sign in through, or says when the next may come.
    pub fn sign_in_admit(&self, address: Option<IpAddr>, user_name: &str) -> AppResult<()> {
        if let Some(address) = address {
            admit(&self.admission.sign_in_addresses, &address)?;
        }
        let name: String = user_name.chars().take(128).flat_map(char::to_lowercase).collect();
        admit(&self.admission.sign_in_names, &name)
    }

    /// Lets a look at a customer's page through: the token cannot be guessed, but nobody shall try.
    pub fn revisit_look_admit(&self, address: Option<IpAddr>) -> AppResult<()> {
        address.map_or(Ok(()), |address| admit(&self.admission.revisit_addresses, &address))
    }
}
