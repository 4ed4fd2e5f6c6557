//! How much the phone holds, how much it may, and what it lets go of to stay below.
//!
//! The quota bounds what the server has already. What only the phone has is never let go and never turned away because of it: a tester
//! without a network for days may go beyond the quota, is warned in good time, and stops only where the medium ends (R-TEST-5).

use super::{Phone, PhoneError};
use crate::store::StoreError;
use crate::store::eviction::{Evicted, StoredBytes};
use crate::store::settings::{Settings, settings_get, settings_put};
use serde::Serialize;

/// From so many hundredths of the quota on the tester is warned, and what the server has goes.
const NEARLY_FULL_PERCENT: u64 = 80;

/// How full the phone is, measured by its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageLevel {
    /// Nothing to worry about.
    Fine,
    /// More than four fifths are taken by what only the phone has: sync soon, over Wi-Fi where photos wait for it.
    NearlyFull,
    /// All of it is taken by what only the phone has. Capturing goes on as long as the medium has room.
    Full,
}

/// What the phone holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StorageUse {
    /// Bytes of samples and photos.
    pub held: StoredBytes,
    /// What they should stay below.
    pub quota_bytes: Option<u64>,
    /// By what only the phone has: the rest can go at any time.
    pub level: StorageLevel,
}

impl Phone {
    /// Counts, and judges.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn storage_use(&self) -> Result<StorageUse, PhoneError> {
        let held = self.store.stored_bytes()?;
        let quota_bytes = settings_get(self.store.connection())?.quota_bytes;
        let level = match quota_bytes {
            Some(quota) if held.unsent >= quota => StorageLevel::Full,
            Some(quota) if held.unsent >= threshold(quota) => StorageLevel::NearlyFull,
            Some(_) | None => StorageLevel::Fine,
        };
        Ok(StorageUse { held, quota_bytes, level })
    }

    /// Sets how much the phone should hold; kept. Lets go at once of what is too much and with the server.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn set_quota(&mut self, quota_bytes: Option<u64>) -> Result<Evicted, PhoneError> {
        self.store.write(|connection| {
            let settings = settings_get(connection)?;
            settings_put(connection, &Settings { quota_bytes, ..settings })
        })?;
        Ok(self.storage_tidy()?)
    }

    /// Lets go of everything that the server has confirmed, as when the platform is short of storage.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn storage_free(&mut self) -> Result<Evicted, PhoneError> {
        let now = self.env.now();
        Ok(self.store.evict(0, now)?)
    }

    /// After each sync and each photo: down to the threshold, the oldest first.
    pub(super) fn storage_tidy(&mut self) -> Result<Evicted, StoreError> {
        match settings_get(self.store.connection())?.quota_bytes {
            Some(quota) => {
                let now = self.env.now();
                self.store.evict(threshold(quota), now)
            }
            None => Ok(Evicted::default()),
        }
    }
}

fn threshold(quota: u64) -> u64 {
    quota / 100 * NEARLY_FULL_PERCENT + quota % 100 * NEARLY_FULL_PERCENT / 100
}
