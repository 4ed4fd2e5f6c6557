//! What a person who helps may see: counts, sizes, how syncs ended. Nothing that names a customer, a tester or a place.

use super::{Phone, PhoneError, Status, StorageUse};
use crate::store::sync_history::{SyncRecord, sync_record_list};
use callout_sync_protocol::ids::DeviceId;
use callout_sync_protocol::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;

/// The bundle; hand it out as its JSON. Ids of devices are in it, because the administrator's list has them; ids and numbers of orders,
/// names, texts, places, keys and tokens are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    /// By the phone's clock.
    pub made_at: Timestamp,
    /// Of this software.
    pub version: &'static str,
    /// The platform.
    pub platform: &'static str,
    /// This installation.
    pub device_id: DeviceId,
    /// The store's schema.
    pub schema: i64,
    /// SQLite finds the store sound.
    pub is_store_sound: bool,
    /// The store is sealed.
    pub is_sealed: bool,
    /// The device was revoked then.
    pub revoked_at: Option<Timestamp>,
    /// Somebody is signed in.
    pub is_signed_in: bool,
    /// Counts of everything.
    pub status: StatusCounts,
    /// Bytes.
    pub storage: StorageUse,
    /// Bytes of files by kind.
    pub file_bytes: BTreeMap<String, u64>,
    /// Why commands, blocks and photos were refused: how often each problem.
    pub refusals: BTreeMap<String, u64>,
    /// The last syncs, the latest first.
    pub syncs: Vec<SyncRecord>,
}

/// [`Status`] without its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusCounts {
    orders: u64,
    orders_left: u64,
    captures: super::CaptureStatus,
    blocks: crate::store::blocks::BlockCounts,
    commands: super::CommandCounts,
    photos: crate::store::photos::PhotoCounts,
    last_sync_at: Option<Timestamp>,
    clock_ahead_ms: i64,
}

impl From<Status> for StatusCounts {
    fn from(status: Status) -> Self {
        Self {
            orders: status.orders,
            orders_left: status.orders_left,
            captures: status.captures,
            blocks: status.blocks,
            commands: status.commands,
            photos: status.photos,
            last_sync_at: status.last_sync_at,
            clock_ahead_ms: status.clock_ahead_ms,
        }
    }
}

impl Phone {
    /// Gathers the bundle.
    ///
    /// # Errors
    /// [`PhoneError::Store`].
    pub fn diagnostics(&self) -> Result<Diagnostics, PhoneError> {
        let status = self.status()?;
        let (schema, is_store_sound) = self.store.health()?;
        let mut refusals = BTreeMap::new();
        let set_aside = self.set_aside()?;
        let problems = set_aside
            .commands
            .iter()
            .filter_map(|command| match &command.standing {
                crate::store::commands::CommandStanding::Rejected { rejection } => Some(rejection.problem),
                _ => None,
            })
            .chain(set_aside.blocks.iter().map(|block| block.rejection.problem))
            .chain(set_aside.photos.iter().map(|photo| photo.rejection.problem));
        for problem in problems {
            *refusals.entry(problem.slug().to_owned()).or_default() += 1;
        }
        Ok(Diagnostics {
            made_at: self.env.now(),
            version: env!("CARGO_PKG_VERSION"),
            platform: std::env::consts::OS,
            device_id: self.device.id,
            schema,
            is_store_sound,
            is_sealed: self.store.is_sealed(),
            revoked_at: self.revoked_at()?,
            is_signed_in: status.is_signed_in,
            status: status.into(),
            storage: self.storage_use()?,
            file_bytes: self.file_bytes(),
            refusals,
            syncs: sync_record_list(self.store.connection())?,
        })
    }

    /// Files by their ending: a photo's name would tell its id.
    fn file_bytes(&self) -> BTreeMap<String, u64> {
        let mut bytes = BTreeMap::new();
        let folders = [self.folder.clone(), self.store.photo_folder()];
        for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = name.split_once('.').map_or("other", |(_, ending)| ending).to_owned();
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                *bytes.entry(kind).or_default() += metadata.len();
            }
        }
        bytes
    }
}
