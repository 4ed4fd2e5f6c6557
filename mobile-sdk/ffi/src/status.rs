//! Counts for a glance, storage, and the diagnostics bundle.

use crate::PhoneError;
use crate::phone::PhoneCore;
use crate::places::system_time;
use callout_mobile_sdk::facade::{self, StorageLevel};
use callout_sync_protocol::ids::{DeviceId, UserId};
use std::time::SystemTime;

/// What is on the phone.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PhoneStatus {
    /// This installation.
    pub device_id: DeviceId,
    /// Whose phone it is, once somebody signed in.
    pub user_id: Option<UserId>,
    /// Their name.
    pub user_name: Option<String>,
    /// The phone may talk to the server without a password.
    pub is_signed_in: bool,
    /// Orders that are this tester's.
    pub orders: u64,
    /// Orders that left and that something was done for.
    pub orders_left: u64,
    /// Samples taken and safe, sealed or not.
    pub samples: u64,
    /// Samples outside their standard's range, not kept.
    pub samples_refused: u64,
    /// Samples not sealed yet.
    pub samples_unsealed: u64,
    /// Samples that the medium damaged; their bytes are kept.
    pub samples_damaged: u64,
    /// Samples that the server holds.
    pub samples_held_by_server: u64,
    /// Sample blocks that wait.
    pub blocks_waiting: u64,
    /// Sample blocks that the server holds as evidence.
    pub blocks_stored: u64,
    /// Sample blocks that the server holds, not as evidence.
    pub blocks_quarantined: u64,
    /// Sample blocks that only the phone keeps.
    pub blocks_refused: u64,
    /// Steps that wait.
    pub commands_waiting: u64,
    /// Steps that the server applied.
    pub commands_accepted: u64,
    /// Steps that the server rejected.
    pub commands_rejected: u64,
    /// Photos of which the server has not every byte yet.
    pub photos_waiting: u64,
    /// Photos that the server has and checked.
    pub photos_stored: u64,
    /// Photos that the server did not take.
    pub photos_refused: u64,
    /// When the server last answered a sync.
    pub last_sync_at: Option<SystemTime>,
    /// Milliseconds that the phone's clock was ahead of the server's then.
    pub clock_ahead_ms: i64,
}

impl From<facade::Status> for PhoneStatus {
    fn from(status: facade::Status) -> Self {
        Self {
            device_id: status.device_id,
            user_id: status.user_id,
            user_name: status.user_name,
            is_signed_in: status.is_signed_in,
            orders: status.orders,
            orders_left: status.orders_left,
            samples: status.captures.samples,
            samples_refused: status.captures.refused_samples,
            samples_unsealed: status.captures.unsealed_samples,
            samples_damaged: status.captures.damaged_samples,
            samples_held_by_server: status.blocks.samples_held_by_server,
            blocks_waiting: status.blocks.sealed,
            blocks_stored: status.blocks.stored,
            blocks_quarantined: status.blocks.quarantined,
            blocks_refused: status.blocks.refused,
            commands_waiting: status.commands.waiting,
            commands_accepted: status.commands.accepted,
            commands_rejected: status.commands.rejected,
            photos_waiting: status.photos.waiting,
            photos_stored: status.photos.stored,
            photos_refused: status.photos.refused,
            last_sync_at: status.last_sync_at.map(system_time),
            clock_ahead_ms: status.clock_ahead_ms,
        }
    }
}

/// What the phone holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct StorageUse {
    /// Bytes of samples and photos that only the phone has.
    pub unsent_bytes: u64,
    /// Bytes of samples and photos that the server has, too.
    pub confirmed_bytes: u64,
    /// What both should stay below.
    pub quota_bytes: Option<u64>,
    /// Judged by what only the phone has: the rest can go at any time.
    pub level: StorageLevel,
}

/// What was let go; the server has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FreedStorage {
    /// Photos' files.
    pub photos: u64,
    /// Sample blocks' bytes.
    pub blocks: u64,
    /// Bytes in all.
    pub bytes: u64,
}

impl From<facade::Evicted> for FreedStorage {
    fn from(evicted: facade::Evicted) -> Self {
        Self { photos: evicted.photos, blocks: evicted.blocks, bytes: evicted.bytes }
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Counts everything.
    pub fn status(&self) -> Result<PhoneStatus, PhoneError> {
        self.inner.act(|phone| phone.status()).map(PhoneStatus::from)
    }

    /// How much the phone holds, and how full that makes it.
    pub fn storage_use(&self) -> Result<StorageUse, PhoneError> {
        let used = self.inner.act(|phone| phone.storage_use())?;
        Ok(StorageUse {
            unsent_bytes: used.held.unsent,
            confirmed_bytes: used.held.confirmed,
            quota_bytes: used.quota_bytes,
            level: used.level,
        })
    }

    /// Sets how much the phone should hold, or that there is no bound; kept. Lets go at once of what is too much and with the server.
    pub fn set_quota(&self, quota_bytes: Option<u64>) -> Result<FreedStorage, PhoneError> {
        self.inner.act(|phone| phone.set_quota(quota_bytes)).map(FreedStorage::from)
    }

    /// Lets go of everything that the server has confirmed, as when the platform is short of storage.
    pub fn storage_free(&self) -> Result<FreedStorage, PhoneError> {
        self.inner.act(|phone| phone.storage_free()).map(FreedStorage::from)
    }

    /// A bundle for whoever helps with a problem, as JSON; no personal data in it.
    pub fn diagnostics_json(&self) -> Result<String, PhoneError> {
        let bundle = self.inner.act(|phone| phone.diagnostics())?;
        serde_json::to_string_pretty(&bundle).map_err(|error| PhoneError::value(error.to_string(), "诊断信息无法生成"))
    }
}
