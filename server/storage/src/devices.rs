//! Devices: enrolled phones and browsers. What does not belong here: their sessions (`sessions`).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, keyset};
use crate::schema::{devices, sessions, users};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{DeviceId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// An enrolled phone or browser.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Device {
    /// Its id, made by the device.
    pub id: DeviceId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// Its system, such as `android 14`.
    pub platform: String,
    /// Ed25519; absent for browsers.
    pub public_key: Option<[u8; 32]>,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When it was last heard of.
    pub last_seen_at: Timestamp,
    /// When it was shut out.
    pub revoked_at: Option<Timestamp>,
}

impl Tx {
    /// Enrols a device.
    pub fn device_insert(&mut self, device: &Device) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(devices::table)
                .values(row_values!(
                    devices,
                    device,
                    id,
                    user_id,
                    name,
                    platform,
                    public_key,
                    enrolled_at,
                    last_seen_at,
                    revoked_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a device's name, platform, last contact and revocation. Its owner and key never change.
    pub fn device_update(&mut self, device: &Device) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::update(devices::table.find(bind(&device.id)))
                .set(row_values!(devices, device, name, platform, last_seen_at, revoked_at))
                .execute(c)
        })?;
        Ok(())
    }

    /// Notes that a device was heard of.
    pub fn device_seen(&mut self, id: DeviceId, at: Timestamp) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::update(devices::table.find(bind(&id))).set(devices::last_seen_at.eq(bind(&at))).execute(c)
        })?;
        Ok(())
    }

    /// The device of an id.
    pub fn device_by_id(&mut self, id: DeviceId) -> Result<Option<Device>, StorageError> {
        self.run(|c| devices::table.find(bind(&id)).first(c).optional())
    }

    /// A user's devices, oldest first, at most 500.
    pub fn device_list_by_user(&mut self, user_id: UserId) -> Result<Vec<Device>, StorageError> {
        self.run(|c| {
            devices::table
                .filter(devices::user_id.eq(bind(&user_id)))
                .order((devices::enrolled_at, devices::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// A user's devices with a session that stands, the last one heard of first, at most ten; none of a user who was shut out.
    pub fn device_list_signed_in(&mut self, user_id: UserId) -> Result<Vec<DeviceId>, StorageError> {
        self.run(|c| {
            devices::table
                .inner_join(users::table.on(users::id.eq(devices::user_id)))
                .filter(devices::user_id.eq(bind(&user_id)))
                .filter(devices::revoked_at.is_null())
                .filter(users::is_active)
                .filter(diesel::dsl::exists(
                    sessions::table.filter(sessions::device_id.eq(devices::id)).filter(sessions::revoked_at.is_null()),
                ))
                .order((devices::last_seen_at.desc(), devices::id))
                .limit(10)
                .select(devices::id)
                .load(c)
        })
    }

    /// All devices, newest first.
    pub fn device_list(&mut self, page: &Page<DeviceId>) -> Result<Vec<Device>, StorageError> {
        self.run(|c| keyset!(devices::table.into_boxed(), devices, enrolled_at, id, page).load(c))
    }
}
