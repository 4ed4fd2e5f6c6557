//! Photos from a file or from memory.

use crate::PhoneError;
use crate::phone::PhoneCore;
use crate::places::{Position, system_time, timestamp};
use callout_mobile_sdk::facade;
use callout_sync_protocol::ids::{PhotoId, WorkOrderId};
use callout_sync_protocol::photos::{PhotoManifest, PhotoPurpose};
use std::path::Path;
use std::time::SystemTime;

/// What happens to a photo before it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum PhotoProcessing {
    /// Nothing: the bytes are evidence as they are.
    Original,
    /// Turned as its EXIF says, at most so large, and encoded anew as JPEG.
    Upright {
        /// The longer side's most pixels; photos are never made larger.
        side_max_pixels: u32,
        /// JPEG quality, 1 to 100.
        quality_percent: u8,
    },
}

/// What the app knows of a photo beside its bytes.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct PhotoRequest {
    /// What it shows.
    pub purpose: PhotoPurpose,
    /// When it was taken; from EXIF, else now, if absent.
    #[uniffi(default = None)]
    pub captured_at: Option<SystemTime>,
    /// Where it was taken; from EXIF if absent.
    #[uniffi(default = None)]
    pub position: Option<Position>,
    /// What happens to it before it is kept; nothing if absent.
    #[uniffi(default = None)]
    pub processing: Option<PhotoProcessing>,
}

impl PhotoRequest {
    fn to_core(&self) -> Result<facade::PhotoRequest, PhoneError> {
        Ok(facade::PhotoRequest {
            purpose: self.purpose,
            captured_at: self.captured_at.map(timestamp).transpose()?,
            position: self.position.map(Position::to_core).transpose()?,
            processing: match self.processing {
                None | Some(PhotoProcessing::Original) => facade::PhotoProcessing::Original,
                Some(PhotoProcessing::Upright { side_max_pixels, quality_percent }) => {
                    facade::PhotoProcessing::Upright { side_max: side_max_pixels, quality: quality_percent }
                }
            },
        })
    }
}

/// A photo that is safe on the phone.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Photo {
    /// Its id.
    pub id: PhotoId,
    /// How many bytes it has, after processing.
    pub byte_length: u64,
    /// `image/jpeg` or `image/png`.
    pub media_type: String,
    /// When it was taken.
    pub captured_at: SystemTime,
    /// Where it was taken.
    pub position: Option<Position>,
}

impl From<PhotoManifest> for Photo {
    fn from(manifest: PhotoManifest) -> Self {
        Self {
            id: manifest.id,
            byte_length: manifest.byte_length,
            media_type: manifest.media_type.as_str().to_owned(),
            captured_at: system_time(manifest.captured_at),
            position: manifest.position.map(Position::from),
        }
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Adds a photo from a file, which is left as it is.
    pub fn photo_add_file(&self, order: WorkOrderId, path: &str, request: PhotoRequest) -> Result<Photo, PhoneError> {
        let request = request.to_core()?;
        self.inner.act(|phone| phone.photo_add_file(order, Path::new(path), request)).map(Photo::from)
    }

    /// Adds a photo from memory.
    pub fn photo_add_bytes(
        &self,
        order: WorkOrderId,
        bytes: Vec<u8>,
        request: PhotoRequest,
    ) -> Result<Photo, PhoneError> {
        let request = request.to_core()?;
        self.inner.act(|phone| phone.photo_add_bytes(order, &bytes, request)).map(Photo::from)
    }
}
