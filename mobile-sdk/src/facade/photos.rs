//! Adding photos: the bytes are copied and safe before the tester is told so.

use super::actions::{command_give, field_test_current};
use super::photo_file::{PhotoFileError, photo_inspect};
use super::photo_processing::{PhotoProcessing, photo_process};
use super::{Phone, PhoneError};
use crate::env::uuid_new;
use crate::store::photos::photo_insert;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{PhotoId, WorkOrderId};
use callout_sync_protocol::photos::{MAX_PHOTO_BYTES, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// What the app knows of a photo beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhotoRequest {
    /// What it shows.
    pub purpose: PhotoPurpose,
    /// When it was taken; from EXIF, else now, if absent.
    pub captured_at: Option<Timestamp>,
    /// Where it was taken; from EXIF if absent.
    pub position: Option<Position>,
    /// What happens to it before it is kept.
    pub processing: PhotoProcessing,
}

impl PhotoRequest {
    /// A photo that speaks for itself.
    pub fn new(purpose: PhotoPurpose) -> Self {
        Self { purpose, captured_at: None, position: None, processing: PhotoProcessing::Original }
    }
}

impl Phone {
    /// Adds a photo from a file, which is left as it is.
    ///
    /// # Errors
    /// [`PhoneError::Photo`], [`PhoneError::Rejected`] (R-VISIT-2).
    pub fn photo_add_file(
        &mut self,
        order: WorkOrderId,
        path: &Path,
        request: PhotoRequest,
    ) -> Result<PhotoManifest, PhoneError> {
        let photo_error = |cause| PhoneError::Photo { path: path.to_owned(), cause };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_PHOTO_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|cause| photo_error(PhotoFileError::Read(cause)))?;
        self.photo_add(order, &bytes, path, request)
    }

    /// Adds a photo from memory.
    ///
    /// # Errors
    /// [`PhoneError::Photo`], [`PhoneError::Rejected`] (R-VISIT-2).
    pub fn photo_add_bytes(
        &mut self,
        order: WorkOrderId,
        bytes: &[u8],
        request: PhotoRequest,
    ) -> Result<PhotoManifest, PhoneError> {
        self.photo_add(order, bytes, Path::new("photo"), request)
    }

    fn photo_add(
        &mut self,
        order: WorkOrderId,
        bytes: &[u8],
        shown_as: &Path,
        request: PhotoRequest,
    ) -> Result<PhotoManifest, PhoneError> {
        let env = self.env.clone();
        let offset = self.order(order)?.view.utc_offset_minutes;
        let facts =
            photo_inspect(bytes, offset).map_err(|cause| PhoneError::Photo { path: shown_as.to_owned(), cause })?;
        let processed = photo_process(bytes, request.processing)
            .map_err(|cause| PhoneError::Photo { path: shown_as.to_owned(), cause })?;
        let (media_type, bytes) = match &processed {
            Some((media_type, bytes)) => (*media_type, bytes.as_slice()),
            None => (facts.media_type, bytes),
        };
        let id = PhotoId(uuid_new(env.as_ref()));
        // The file first: a row must never name bytes that are not there. A file without a row goes at the next start.
        let _lock = self.store.photo_files_lock()?;
        let file_name = self.store.photo_file_write(id, media_type, bytes)?;
        let added = self.store.write(|connection| {
            let field_test_id = field_test_current(connection, env.as_ref(), order)?;
            let manifest = PhotoManifest {
                id,
                field_test_id,
                work_order_id: order,
                hash: PhotoHash(Sha256::digest(bytes).into()),
                byte_length: bytes.len() as u64,
                media_type,
                purpose: request.purpose,
                captured_at: request.captured_at.or(facts.captured_at).unwrap_or_else(|| env.now()),
                position: request.position.or(facts.position),
            };
            let body = CommandBody::PhotoAttach { manifest: manifest.clone() };
            let command = command_give(connection, env.as_ref(), order, body)?;
            photo_insert(connection, &manifest, command, &file_name)?;
            Ok(manifest)
        });
        if added.is_err() {
            self.store.photo_file_remove(&file_name);
        }
        added
    }
}
