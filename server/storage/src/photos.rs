//! Photos: the manifest first, what became of the bytes later. What does not belong here: the bytes (object store) and the
//! upload in progress (`photo_uploads`).

use crate::connection::{Tx, each_backend, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Standing, text_enum};
use crate::schema::photos;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{DeviceId, FieldTestId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoPurpose};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

text_enum! {
    /// What became of a photo's bytes.
    PhotoState {
        /// They are still on the phone.
        Announced = "announced" / "待上传",
        /// They are here.
        Stored = "stored" / "已保存",
        /// They came, but are not what the manifest promised, or no image.
        Refused = "refused" / "已拒绝",
    }
}

/// A photo: what the phone promised of it, and what became of it.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct Photo {
    /// Its id, made by the phone.
    pub id: PhotoId,
    /// The test that it belongs to; may be unknown here.
    pub field_test_id: FieldTestId,
    /// That test's order; may be unknown here.
    pub work_order_id: WorkOrderId,
    /// Who took it.
    pub tester_id: UserId,
    /// On which phone.
    pub device_id: DeviceId,
    /// SHA-256 of the bytes.
    pub hash: PhotoHash,
    /// How many bytes.
    pub byte_length: u64,
    /// Their format.
    pub media_type: MediaType,
    /// What it shows.
    pub purpose: PhotoPurpose,
    /// When it was taken, by the phone's clock.
    pub captured_at: Timestamp,
    /// Latitude in 1e-6 degrees; with the longitude or not at all.
    pub latitude_e6: Option<i32>,
    /// Longitude in 1e-6 degrees.
    pub longitude_e6: Option<i32>,
    /// Accuracy of the position in metres.
    pub accuracy_m: Option<i32>,
    /// The position came from a mock provider.
    pub is_mock: bool,
    /// What became of the bytes.
    pub state: PhotoState,
    /// Why they were refused.
    pub refusal: Option<Rejection>,
    /// Whether it counts.
    pub standing: Standing,
    /// Why it does not.
    pub standing_reason: Option<Rejection>,
    /// Where the bytes are in the object store.
    pub object_key: Option<String>,
    /// Where the thumbnail is in the object store.
    pub thumbnail_key: Option<String>,
    /// Width in pixels.
    pub width: Option<i32>,
    /// Height in pixels.
    pub height: Option<i32>,
    /// What the image says of itself.
    pub exif: Option<serde_json::Value>,
    /// When its manifest arrived.
    pub announced_at: Timestamp,
    /// When its bytes had arrived and matched.
    pub stored_at: Option<Timestamp>,
}

impl Tx {
    /// Adds a photo's manifest unless one of this id exists. Returns whether it was added.
    pub fn photo_insert(&mut self, photo: &Photo) -> Result<bool, StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(photos::table)
                .values(row_values!(
                    photos,
                    photo,
                    id,
                    field_test_id,
                    work_order_id,
                    tester_id,
                    device_id,
                    hash,
                    byte_length,
                    media_type,
                    purpose,
                    captured_at,
                    latitude_e6,
                    longitude_e6,
                    accuracy_m,
                    is_mock,
                    state,
                    refusal,
                    standing,
                    standing_reason,
                    object_key,
                    thumbnail_key,
                    width,
                    height,
                    exif,
                    announced_at,
                    stored_at
                ))
                .on_conflict_do_nothing()
                .execute(c))
        })
        .map(|rows| rows > 0)
    }

    /// Saves what became of a photo; what the manifest says never changes. Lock it first.
    pub fn photo_update(&mut self, photo: &Photo) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(photos::table.find(bind(&photo.id)))
                .set(row_values!(
                    photos,
                    photo,
                    state,
                    refusal,
                    standing,
                    standing_reason,
                    object_key,
                    thumbnail_key,
                    width,
                    height,
                    exif,
                    stored_at
                ))
                .execute(c)
        })?;
        if rows == 1 { Ok(()) } else { Err(StorageError::NotFound { what: "photo" }) }
    }

    /// The photo of an id.
    pub fn photo_by_id(&mut self, id: PhotoId) -> Result<Option<Photo>, StorageError> {
        self.run(|c| photos::table.find(bind(&id)).first(c).optional())
    }

    /// The photo of an id, locked until the unit of work ends.
    pub fn photo_lock(&mut self, id: PhotoId) -> Result<Option<Photo>, StorageError> {
        self.run(|c| locked!(c, photos::table.find(bind(&id))))
    }

    /// A test's photos in the order in which they were taken, at most 500.
    pub fn photo_list_by_test(&mut self, id: FieldTestId) -> Result<Vec<Photo>, StorageError> {
        self.run(|c| {
            photos::table
                .filter(photos::field_test_id.eq(bind(&id)))
                .order((photos::captured_at, photos::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// An order's photos in the order in which they were taken, at most 500.
    pub fn photo_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<Photo>, StorageError> {
        self.run(|c| {
            photos::table
                .filter(photos::work_order_id.eq(bind(&id)))
                .order((photos::captured_at, photos::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// The photos of a phone whose bytes are still there, oldest first.
    pub fn photo_ids_wanted(
        &mut self,
        tester_id: UserId,
        device_id: DeviceId,
        limit: u32,
    ) -> Result<Vec<PhotoId>, StorageError> {
        self.run(|c| {
            photos::table
                .filter(photos::state.eq(bind(&PhotoState::Announced)))
                .filter(photos::tester_id.eq(bind(&tester_id)))
                .filter(photos::device_id.eq(bind(&device_id)))
                .order((photos::announced_at, photos::id))
                .limit(crate::names::limit(limit))
                .select(photos::id)
                .load(c)
        })
    }

    /// The photos whose bytes have this hash, in the order in which they were announced, at most 500.
    pub fn photo_list_by_hash(&mut self, hash: &PhotoHash) -> Result<Vec<Photo>, StorageError> {
        self.run(|c| {
            photos::table
                .filter(photos::hash.eq(bind(hash)))
                .order((photos::announced_at, photos::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }
}
