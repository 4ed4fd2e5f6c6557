//! Uploads of photos in progress: how far they are and which staged parts they consist of. What does not belong here: the bytes.

use crate::connection::{Tx, each_backend, locked};
use crate::error::StorageError;
use crate::names::{limit, updated};
use crate::schema::photo_uploads;
use crate::sql_types::{bind, json_value, row_values};
use callout_sync_protocol::ids::{DeviceId, PhotoId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

/// A staged part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadPart {
    /// Where it is in the object store.
    pub object_key: String,
    /// The offset of its first byte.
    pub byte_offset: u64,
    /// How many bytes it has.
    pub byte_length: u64,
}
json_value!(@codec Vec<UploadPart>);

/// An upload in progress.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct PhotoUpload {
    /// The photo.
    pub photo_id: PhotoId,
    /// Who uploads it.
    pub tester_id: UserId,
    /// From which phone.
    pub device_id: DeviceId,
    /// How many bytes it will have.
    pub byte_length: u64,
    /// How many have arrived.
    pub byte_offset: u64,
    /// `Upload-Metadata` of its creation, as the phone sent it; tus wants it repeated to whoever asks.
    pub metadata: String,
    /// The parts, in order.
    pub parts: Vec<UploadPart>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Begins an upload unless the photo has one. Returns whether it was begun.
    pub fn photo_upload_insert(&mut self, upload: &PhotoUpload) -> Result<bool, StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(photo_uploads::table)
                .values(row_values!(
                    photo_uploads,
                    upload,
                    photo_id,
                    tester_id,
                    device_id,
                    byte_length,
                    byte_offset,
                    metadata,
                    parts,
                    created_at,
                    expires_at,
                    version
                ))
                .on_conflict_do_nothing()
                .execute(c))
        })
        .map(|rows| rows > 0)
    }

    /// Saves an upload that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if another request moved it since.
    pub fn photo_upload_update(&mut self, upload: &mut PhotoUpload) -> Result<(), StorageError> {
        let version = upload.version + 1;
        let rows = self.run(|c| {
            diesel::update(
                photo_uploads::table
                    .find(bind(&upload.photo_id))
                    .filter(photo_uploads::version.eq(bind(&upload.version))),
            )
            .set((
                row_values!(photo_uploads, upload, byte_offset, parts, expires_at),
                photo_uploads::version.eq(bind(&version)),
            ))
            .execute(c)
        })?;
        updated(rows, "photo upload")?;
        upload.version = version;
        Ok(())
    }

    /// A photo's upload.
    pub fn photo_upload_by_id(&mut self, id: PhotoId) -> Result<Option<PhotoUpload>, StorageError> {
        self.run(|c| photo_uploads::table.find(bind(&id)).first(c).optional())
    }

    /// A photo's upload, locked until the unit of work ends.
    pub fn photo_upload_lock(&mut self, id: PhotoId) -> Result<Option<PhotoUpload>, StorageError> {
        self.run(|c| locked!(c, photo_uploads::table.find(bind(&id))))
    }

    /// Ends an upload. Returns whether there was one.
    pub fn photo_upload_delete(&mut self, id: PhotoId) -> Result<bool, StorageError> {
        self.run(|c| diesel::delete(photo_uploads::table.find(bind(&id))).execute(c)).map(|rows| rows > 0)
    }

    /// The uploads to give up, those that waited longest first.
    pub fn photo_upload_list_expired(
        &mut self,
        now: Timestamp,
        at_most: u32,
    ) -> Result<Vec<PhotoUpload>, StorageError> {
        self.run(|c| {
            photo_uploads::table
                .filter(photo_uploads::expires_at.le(bind(&now)))
                .order((photo_uploads::expires_at, photo_uploads::photo_id))
                .limit(limit(at_most))
                .load(c)
        })
    }
}
