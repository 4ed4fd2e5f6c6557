//! Looking at a photo's file: is it one, how large, when and where was it taken. The bytes themselves stay as they are: they are
//! evidence.

use callout_sync_protocol::photos::{MAX_PHOTO_BYTES, MediaType};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use exif::{DateTime, Exif, In, Rational, Tag, Value};
use image::{ImageFormat, ImageReader};
use std::io::Cursor;
use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

/// No camera of a phone makes larger sides; the server refuses them, too.
const SIDE_MAX: u32 = 32_768;

/// Why a file is no photo that can be sent.
#[derive(Debug, thiserror::Error)]
pub enum PhotoFileError {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
    /// Empty, or more than 32 MiB.
    #[error("a photo has between 1 byte and 32 MiB, not {bytes} bytes")]
    Size {
        /// Its length.
        bytes: u64,
    },
    /// Neither JPEG nor PNG, or damaged at its beginning.
    #[error("the file is neither a JPEG nor a PNG image")]
    NotAnImage,
}

/// What a photo's file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PhotoFacts {
    pub media_type: MediaType,
    /// From EXIF, if there.
    pub captured_at: Option<Timestamp>,
    /// From EXIF, if there.
    pub position: Option<Position>,
}

/// Reads the header and EXIF; `utc_offset_minutes` is for cameras that note local time without its zone.
pub(super) fn photo_inspect(bytes: &[u8], utc_offset_minutes: i16) -> Result<PhotoFacts, PhotoFileError> {
    let length = bytes.len() as u64;
    if length == 0 || length > MAX_PHOTO_BYTES {
        return Err(PhotoFileError::Size { bytes: length });
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(PhotoFileError::Read)?;
    let media_type = match reader.format() {
        Some(ImageFormat::Jpeg) => MediaType::Jpeg,
        Some(ImageFormat::Png) => MediaType::Png,
        _ => return Err(PhotoFileError::NotAnImage),
    };
    match reader.into_dimensions() {
        Ok((width, height)) if (1..=SIDE_MAX).contains(&width) && (1..=SIDE_MAX).contains(&height) => {}
        _ => return Err(PhotoFileError::NotAnImage),
    }
    // EXIF that is absent or damaged is no reason to refuse a photo.
    let exif = exif::Reader::new().read_from_container(&mut Cursor::new(bytes)).ok();
    Ok(PhotoFacts {
        media_type,
        captured_at: exif.as_ref().and_then(|exif| captured_at(exif, utc_offset_minutes)),
        position: exif.as_ref().and_then(position),
    })
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(texts) => texts.first().map(Vec::as_slice),
        _ => None,
    }
}

fn captured_at(exif: &Exif, utc_offset_minutes: i16) -> Option<Timestamp> {
    let mut at = DateTime::from_ascii(ascii(exif, Tag::DateTimeOriginal)?).ok()?;
    if let Some(offset) = ascii(exif, Tag::OffsetTimeOriginal) {
        // A malformed offset is as good as none.
        let _ = at.parse_offset(offset);
    }
    if let Some(subsec) = ascii(exif, Tag::SubSecTimeOriginal) {
        let _ = at.parse_subsec(subsec);
    }
    let date = Date::from_calendar_date(at.year.into(), Month::try_from(at.month).ok()?, at.day).ok()?;
    let time = Time::from_hms_nano(at.hour, at.minute, at.second, at.nanosecond.unwrap_or(0)).ok()?;
    let offset_seconds = i32::from(at.offset.unwrap_or(utc_offset_minutes)) * 60;
    let offset = UtcOffset::from_whole_seconds(offset_seconds).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_offset(offset).into())
}

/// Degrees, minutes and seconds to millionths of a degree.
fn angle_e6(exif: &Exif, tag: Tag, reference: Tag, negative: u8) -> Option<i32> {
    let parts = match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Rational(parts) => parts,
        _ => return None,
    };
    let part =
        |index: usize| parts.get(index).map_or(Some(0.0), |part: &Rational| (part.denom != 0).then(|| part.to_f64()));
    let degrees = part(0)? + part(1)? / 60.0 + part(2)? / 3600.0;
    let sign = if ascii(exif, reference)?.first() == Some(&negative) { -1.0 } else { 1.0 };
    let e6 = (sign * degrees * 1e6).round();
    // Everything up to ±180 000 000 fits; the rest is rubbish that `validate` would refuse anyway.
    (e6.abs() <= 180e6).then_some(e6 as i32)
}

fn position(exif: &Exif) -> Option<Position> {
    let accuracy = match exif.get_field(Tag::GPSHPositioningError, In::PRIMARY).map(|field| &field.value) {
        Some(Value::Rational(parts)) => parts.first().filter(|part| part.denom != 0).map(|part| part.to_f64()),
        _ => None,
    };
    let position = Position {
        latitude_e6: angle_e6(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, b'S')?,
        longitude_e6: angle_e6(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, b'W')?,
        accuracy_m: accuracy.filter(|m| (0.0..=65_535.0).contains(m)).map(|m| m.ceil() as u16),
        is_mock: false,
    };
    position.validate().is_ok().then_some(position)
}
