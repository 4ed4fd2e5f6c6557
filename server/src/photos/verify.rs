//! Defensive decoding: are these bytes really a photo, and what does it show of itself?
//!
//! Pure over bytes, bounded in memory and time, never panics. What does not belong here: the hash that the phone promised and
//! who may send it (`service`), where bytes rest (`store`).

use super::exif::ExifFacts;
use super::image_outline::{ImageOutline, OutlineProblem, outline, sniff};
use callout_sync_protocol::photos::{MAX_PHOTO_BYTES, MediaType};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngDecoder;
use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, Limits, RgbImage};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Longest side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 512;

/// JPEG quality of a thumbnail, of 100.
const THUMBNAIL_QUALITY: u8 = 80;

/// What a PNG's metadata may make the decoder allocate, in bytes.
const PNG_METADATA_BYTES: u64 = 64 * 1024 * 1024;

/// What is still a photo.
#[derive(Clone, Copy, Debug)]
pub struct ImageLimits {
    /// Longest file, in bytes.
    pub max_bytes: u64,
    /// Longest side, in pixels.
    pub max_side: u32,
    /// Most pixels.
    pub max_pixels: u64,
    /// Most memory that pixels and coefficients may take while decoding, in bytes.
    pub max_decoded_bytes: u64,
    /// Most passes of a progressive JPEG; cameras and web tools write about ten.
    pub max_scans: u32,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_bytes: MAX_PHOTO_BYTES,
            max_side: 12_000,
            max_pixels: 64_000_000,
            max_decoded_bytes: 256 * 1024 * 1024,
            max_scans: 40,
        }
    }
}

/// Why bytes are not accepted as a photo. The texts are for the person who took it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageProblem {
    /// The file is too long.
    #[error("the photo has {bytes} bytes; at most {limit} are accepted")]
    TooManyBytes {
        /// How many it has.
        bytes: u64,
        /// How many it may have.
        limit: u64,
    },
    /// Neither JPEG nor PNG.
    #[error("the file is neither a JPEG nor a PNG image")]
    NotAnImage,
    /// The announced format is another one.
    #[error("the photo was announced as {announced} but is {found}")]
    OtherFormat {
        /// What the manifest says.
        announced: MediaType,
        /// What the bytes are.
        found: MediaType,
    },
    /// Too large once decoded.
    #[error("the photo measures {width} × {height} pixels, which is more than can be decoded safely")]
    TooManyPixels {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// Decoding would take too long.
    #[error("the photo is stored in {scans} passes, which is more than can be decoded safely")]
    TooManyScans {
        /// How many it has.
        scans: u32,
    },
    /// The file contradicts its format, or ends too early.
    #[error("the photo is damaged: {0}")]
    Damaged(#[from] OutlineProblem),
    /// The pixels cannot be decoded. The decoder's own words, for the log, are in the field.
    #[error("the photo is damaged: its picture cannot be decoded")]
    Undecodable {
        /// The decoder's own words.
        cause: String,
    },
}

/// A file that looks like a photo and whose decoding is known to be affordable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectedImage {
    /// Its format.
    pub media_type: MediaType,
    /// Its size and cost.
    pub outline: ImageOutline,
}

/// What a photo shows of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotoFacts {
    /// Its format.
    pub media_type: MediaType,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// What the camera wrote beside it.
    pub exif: ExifFacts,
    /// 64-bit difference hash of the upright picture; near-duplicates differ in few bits.
    pub perceptual_hash: u64,
}

impl PhotoFacts {
    /// What the row keeps beside the manifest, as JSON: the camera's claims and the perceptual hash in hexadecimal.
    pub fn to_json(&self) -> serde_json::Value {
        let mut facts = self.exif.to_json();
        facts["perceptual_hash"] = format!("{:016x}", self.perceptual_hash).into();
        facts
    }
}

/// A photo that was decoded whole.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedPhoto {
    /// What it shows of itself.
    pub facts: PhotoFacts,
    /// Upright, at most [`THUMBNAIL_SIDE`] pixels a side, a JPEG without camera data.
    pub thumbnail: Vec<u8>,
}

/// Refuses what is no photo or too costly to decode, before any pixel is decoded. `announced` is the manifest's format.
pub fn inspect(bytes: &[u8], announced: MediaType, limits: &ImageLimits) -> Result<InspectedImage, ImageProblem> {
    let length = bytes.len() as u64;
    if length > limits.max_bytes {
        return Err(ImageProblem::TooManyBytes { bytes: length, limit: limits.max_bytes });
    }
    let media_type = sniff(bytes).ok_or(ImageProblem::NotAnImage)?;
    if media_type != announced {
        return Err(ImageProblem::OtherFormat { announced, found: media_type });
    }
    let outline = outline(media_type, bytes)?;
    let ImageOutline { width, height, scans, decoded_bytes } = outline;
    if width > limits.max_side
        || height > limits.max_side
        || u64::from(width) * u64::from(height) > limits.max_pixels
        || decoded_bytes > limits.max_decoded_bytes
    {
        return Err(ImageProblem::TooManyPixels { width, height });
    }
    if scans > limits.max_scans {
        return Err(ImageProblem::TooManyScans { scans });
    }
    Ok(InspectedImage { media_type, outline })
}

/// Decodes the whole picture and tells what it shows of itself. `inspected` must come from [`inspect`] on the same bytes.
/// Takes CPU time: not for an async worker.
pub fn verify(bytes: &[u8], inspected: &InspectedImage) -> Result<VerifiedPhoto, ImageProblem> {
    // The decoders are safe code, but a hostile file that makes one panic must not take a request down with it.
    catch_unwind(AssertUnwindSafe(|| verify_decoded(bytes, inspected)))
        .unwrap_or_else(|_| Err(ImageProblem::Undecodable { cause: "the decoder panicked".into() }))
}

fn verify_decoded(bytes: &[u8], inspected: &InspectedImage) -> Result<VerifiedPhoto, ImageProblem> {
    let picture = match inspected.media_type {
        MediaType::Jpeg => decode_jpeg(bytes, &inspected.outline)?,
        MediaType::Png => decode_png(bytes, &inspected.outline)?,
    };
    let exif = ExifFacts::read(bytes);
    let (width, height) = match is_quarter_turn(exif.orientation) {
        true => (picture.height(), picture.width()),
        false => (picture.width(), picture.height()),
    };
    let mut small = match width.max(height) > THUMBNAIL_SIDE {
        true => shrink(&picture),
        false => picture,
    };
    small.apply_orientation(exif.orientation);
    let small = flatten(&small);
    let mut thumbnail = Vec::new();
    JpegEncoder::new_with_quality(&mut thumbnail, THUMBNAIL_QUALITY)
        .encode_image(&small)
        .map_err(|error| ImageProblem::Undecodable { cause: error.to_string() })?;
    let perceptual_hash = difference_hash(&small);
    let facts = PhotoFacts { media_type: inspected.media_type, width, height, exif, perceptual_hash };
    Ok(VerifiedPhoto { facts, thumbnail })
}

/// Shrinks a picture so that its longer side is a thumbnail's.
fn shrink(picture: &DynamicImage) -> DynamicImage {
    match picture {
        DynamicImage::ImageRgb8(rgb) => shrink_rgb(rgb).into(),
        other => other.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE),
    }
}

/// What nearly every photo is: each pixel becomes the mean of the box that it covers, in whole numbers. The image crate's own
/// `thumbnail` does the same in floating point and took half the time of a whole photo's verification.
fn shrink_rgb(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = u64::from(width.max(height));
    let side = |length: u32| ((u64::from(length) * u64::from(THUMBNAIL_SIDE)).div_ceil(longer) as u32).max(1);
    let (small_width, small_height) = (side(width), side(height));
    // Which source pixels a small one covers: at least one, since the picture is larger.
    let covered = |index: u32, small: u32, large: u32| {
        let edge = |index: u32| (u64::from(index) * u64::from(large) / u64::from(small)) as usize;
        edge(index)..edge(index + 1).max(edge(index) + 1)
    };
    let columns: Vec<_> = (0..small_width).map(|x| covered(x, small_width, width)).collect();
    let source = picture.as_raw();
    let row_bytes = width as usize * 3;
    let mut sums = vec![[0u32; 3]; small_width as usize];
    let mut pixels = Vec::with_capacity(small_width as usize * small_height as usize * 3);
    for y in 0..small_height {
        sums.fill([0; 3]);
        let rows = covered(y, small_height, height);
        for row in rows.clone() {
            let line = &source[row * row_bytes..(row + 1) * row_bytes];
            for (sum, column) in sums.iter_mut().zip(&columns) {
                for pixel in line[column.start * 3..column.end * 3].chunks_exact(3) {
                    sum[0] += u32::from(pixel[0]);
                    sum[1] += u32::from(pixel[1]);
                    sum[2] += u32::from(pixel[2]);
                }
            }
        }
        for (sum, column) in sums.iter().zip(&columns) {
            let count = (column.len() * rows.len()) as u32;
            pixels.extend(sum.map(|channel| ((channel + count / 2) / count) as u8));
        }
    }
    // As many pixels as were reckoned above; should that ever be wrong, an empty thumbnail is no harm.
    RgbImage::from_raw(small_width, small_height, pixels).unwrap_or_default()
}

fn is_quarter_turn(orientation: image::metadata::Orientation) -> bool {
    use image::metadata::Orientation as O;
    match orientation {
        O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH => true,
        O::NoTransforms | O::Rotate180 | O::FlipHorizontal | O::FlipVertical => false,
    }
}

/// Strict, where the image crate's own use of the same decoder fills what is missing with grey and calls it a success.
/// JPEG has no checksums: damage that still decodes is not seen here; against it stands the manifest's hash.
fn decode_jpeg(bytes: &[u8], outline: &ImageOutline) -> Result<DynamicImage, ImageProblem> {
    let undecodable = |cause: String| ImageProblem::Undecodable { cause };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(outline.width as usize)
        .set_max_height(outline.height as usize)
        .jpeg_set_max_scans(outline.scans as usize + 1);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| undecodable(error.to_string()))?;
    let gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let out = if gray { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(out));
    let pixels = decoder.decode().map_err(|error| undecodable(error.to_string()))?;
    let picture = if gray {
        GrayImage::from_raw(outline.width, outline.height, pixels).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(outline.width, outline.height, pixels).map(DynamicImage::from)
    };
    picture.ok_or_else(|| undecodable("the decoder gave another number of pixels".into()))
}

fn decode_png(bytes: &[u8], outline: &ImageOutline) -> Result<DynamicImage, ImageProblem> {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(outline.width);
    limits.max_image_height = Some(outline.height);
    limits.max_alloc = Some(PNG_METADATA_BYTES);
    PngDecoder::with_limits(Cursor::new(bytes), limits)
        .and_then(DynamicImage::from_decoder)
        .map_err(|error| ImageProblem::Undecodable { cause: error.to_string() })
}

/// Eight bits a channel, transparency laid over white.
fn flatten(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let rgba = picture.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, alpha] = rgba.get_pixel(x, y).0;
        let over_white = |channel: u8| {
            let alpha = u32::from(alpha);
            ((u32::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        image::Rgb([over_white(r), over_white(g), over_white(b)])
    })
}

/// One bit for each of 8 × 8 pairs of neighbours, row by row from the most significant bit: set where it grows brighter.
fn difference_hash(picture: &RgbImage) -> u64 {
    let gray = image::imageops::resize(&image::imageops::grayscale(picture), 9, 8, FilterType::Triangle);
    let mut hash = 0;
    for y in 0..8 {
        for x in 0..8 {
            hash = hash << 1 | u64::from(gray.get_pixel(x, y).0[0] < gray.get_pixel(x + 1, y).0[0]);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn shrinking_keeps_the_shape_and_the_mean() {
        for (width, height) in [(1280, 960), (513, 1), (1, 3000), (960, 1280), (12_000, 2), (1025, 700)] {
            let picture = RgbImage::from_fn(width, height, |x, y| Rgb([(x % 256) as u8, (y % 256) as u8, 200]));
            let small = shrink_rgb(&picture);
            let (ours, theirs) = (small.dimensions(), DynamicImage::from(picture).thumbnail(512, 512).to_rgb8());
            assert_eq!(ours.0.max(ours.1), 512, "{width} x {height}");
            assert!(
                ours.0.abs_diff(theirs.width()) <= 1 && ours.1.abs_diff(theirs.height()) <= 1,
                "{width} x {height}"
            );
            assert!(small.pixels().all(|pixel| pixel.0[2] == 200), "{width} x {height}");
        }
        let halves = RgbImage::from_fn(1024, 1024, |x, _| if x < 512 { Rgb([0; 3]) } else { Rgb([255; 3]) });
        let small = shrink_rgb(&halves);
        assert_eq!((small.get_pixel(255, 0).0, small.get_pixel(256, 0).0), ([0; 3], [255; 3]));
    }
}
