//! Turning a photo upright and making it smaller before it is kept, for who asks for it.

use super::photo_file::PhotoFileError;
use callout_sync_protocol::photos::MediaType;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits};
use std::io::Cursor;

/// A phone has little memory; no camera of one needs more than this for a decoded photo.
const DECODED_BYTES_MAX: u64 = 512 << 20;

/// What happens to a photo before it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PhotoProcessing {
    /// Nothing: the bytes are evidence as they are.
    #[default]
    Original,
    /// Turned as its EXIF says, at most so large, and encoded anew as JPEG. EXIF goes; time and place are in the manifest.
    Upright {
        /// The longer side's most pixels; photos are never made larger.
        side_max: u32,
        /// JPEG quality, 1 to 100.
        quality: u8,
    },
}

/// The photo's bytes after processing, and what they are. Nothing for [`PhotoProcessing::Original`].
pub(super) fn photo_process(
    bytes: &[u8],
    processing: PhotoProcessing,
) -> Result<Option<(MediaType, Vec<u8>)>, PhotoFileError> {
    let PhotoProcessing::Upright { side_max, quality } = processing else { return Ok(None) };
    let not_an_image = |_| PhotoFileError::NotAnImage;
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(PhotoFileError::Read)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(not_an_image)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(not_an_image)?;
    let side_max = side_max.max(1);
    if image.width().max(image.height()) > side_max {
        image = image.resize(side_max, side_max, FilterType::Triangle);
    }
    image.apply_orientation(orientation);
    let mut encoded = Vec::new();
    JpegEncoder::new_with_quality(&mut encoded, quality.clamp(1, 100))
        .encode_image(&image.into_rgb8())
        .map_err(not_an_image)?;
    Ok(Some((MediaType::Jpeg, encoded)))
}
