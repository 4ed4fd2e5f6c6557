//! What the camera wrote beside the picture (Exif 2.32): orientation, time, place. Tolerant: what cannot be read is absent.
//!
//! These are claims of the phone, kept beside the manifest's own for comparison; they decide nothing here.

use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use exif::{Exif, In, Tag, Value};
use image::metadata::Orientation;
use std::io::Cursor;
use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

/// The camera's claims, as far as they can be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExifFacts {
    /// How the stored picture must be turned to stand upright.
    pub orientation: Orientation,
    /// When it was taken, on the camera's wall clock, without its zone (DateTimeOriginal).
    pub taken_at_local: Option<PrimitiveDateTime>,
    /// When it was taken: the wall clock with its offset (OffsetTimeOriginal), or else the satellites' time.
    pub taken_at: Option<Timestamp>,
    /// Where it was taken, WGS-84. Zero latitude and longitude together mean unknown.
    pub position: Option<Position>,
}

impl ExifFacts {
    /// Nothing known; the picture stands upright.
    pub const NONE: Self =
        Self { orientation: Orientation::NoTransforms, taken_at_local: None, taken_at: None, position: None };

    /// Reads them from the bytes of a JPEG or PNG file.
    pub fn read(bytes: &[u8]) -> Self {
        let read = exif::Reader::new().continue_on_error(true).read_from_container(&mut Cursor::new(bytes));
        match read.or_else(|error| error.distill_partial_result(|_| {})) {
            Ok(exif) => Self::of(&exif),
            Err(_) => Self::NONE,
        }
    }

    /// The same as JSON; what is unknown is absent. The orientation is Exif's own number, 1 to 8.
    pub fn to_json(&self) -> serde_json::Value {
        let mut facts = serde_json::json!({ "orientation": self.orientation.to_exif() });
        if let Some(local) = self.taken_at_local {
            // A wall clock has no zone: RFC 3339 without its last part.
            facts["taken_at_local"] = format!("{}T{}", local.date(), clock_text(local.time())).into();
        }
        if let Some(taken_at) = self.taken_at {
            facts["taken_at"] = taken_at.to_string().into();
        }
        if let Some(position) = self.position {
            facts["latitude_e6"] = position.latitude_e6.into();
            facts["longitude_e6"] = position.longitude_e6.into();
            if let Some(accuracy_m) = position.accuracy_m {
                facts["accuracy_m"] = accuracy_m.into();
            }
        }
        facts
    }

    fn of(exif: &Exif) -> Self {
        let taken = local_time(exif);
        let with_offset =
            taken.and_then(|(local, offset)| offset.map(|offset| Timestamp::from(local.assume_offset(offset))));
        Self {
            orientation: unsigned(exif, Tag::Orientation)
                .and_then(|value| u8::try_from(value).ok())
                .and_then(Orientation::from_exif)
                .unwrap_or(Orientation::NoTransforms),
            taken_at_local: taken.map(|(local, _)| local),
            taken_at: with_offset.or_else(|| satellite_time(exif)),
            position: position(exif),
        }
    }
}

fn clock_text(time: Time) -> String {
    let (hour, minute, second, milli) = time.as_hms_milli();
    format!("{hour:02}:{minute:02}:{second:02}.{milli:03}")
}

fn unsigned(exif: &Exif, tag: Tag) -> Option<u32> {
    exif.get_field(tag, In::PRIMARY)?.value.get_uint(0)
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(lines) => lines.first().map(Vec::as_slice),
        _ => None,
    }
}

/// `count` unsigned rationals; a zero denominator makes the value absent.
fn rationals<const COUNT: usize>(exif: &Exif, tag: Tag) -> Option<[f64; COUNT]> {
    let Value::Rational(list) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let mut values = [0.0; COUNT];
    for (value, rational) in values.iter_mut().zip(list.get(..COUNT)?) {
        if rational.denom == 0 {
            return None;
        }
        *value = rational.to_f64();
    }
    Some(values)
}

fn local_time(exif: &Exif) -> Option<(PrimitiveDateTime, Option<UtcOffset>)> {
    let mut read = exif::DateTime::from_ascii(ascii(exif, Tag::DateTimeOriginal)?).ok()?;
    // Fractions and zone are extras: a broken one does not cost the time itself.
    if let Some(fraction) = ascii(exif, Tag::SubSecTimeOriginal)
        && read.parse_subsec(fraction).is_err()
    {
        read.nanosecond = None;
    }
    if let Some(offset) = ascii(exif, Tag::OffsetTimeOriginal)
        && read.parse_offset(offset).is_err()
    {
        read.offset = None;
    }
    let date = date(i32::from(read.year), read.month, read.day)?;
    let time = Time::from_hms_nano(read.hour, read.minute, read.second, read.nanosecond.unwrap_or(0)).ok()?;
    let offset = read.offset.and_then(|minutes| UtcOffset::from_whole_seconds(i32::from(minutes) * 60).ok());
    Some((PrimitiveDateTime::new(date, time), offset))
}

/// GPSDateStamp and GPSTimeStamp are UTC.
fn satellite_time(exif: &Exif) -> Option<Timestamp> {
    let text = std::str::from_utf8(ascii(exif, Tag::GPSDateStamp)?).ok()?;
    let mut parts = text.trim().split(':');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let date = date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    let [hours, minutes, seconds] = rationals::<3>(exif, Tag::GPSTimeStamp)?;
    let in_day = hours * 3_600.0 + minutes * 60.0 + seconds;
    if !(0.0..86_401.0).contains(&in_day) {
        return None;
    }
    let midnight = Timestamp::from(PrimitiveDateTime::new(date, Time::MIDNIGHT).assume_utc());
    Some(midnight.plus_millis((in_day * 1_000.0).round() as i64))
}

/// A camera that does not know the date writes zeros, or the year of its making; only zeros can be told.
fn date(year: i32, month: u8, day: u8) -> Option<Date> {
    if year < 1 {
        return None;
    }
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

fn position(exif: &Exif) -> Option<Position> {
    let latitude = degrees_e6(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, b'N', b'S')?;
    let longitude = degrees_e6(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, b'E', b'W')?;
    if latitude == 0 && longitude == 0 {
        return None;
    }
    let accuracy_m = rationals::<1>(exif, Tag::GPSHPositioningError)
        .map(|[metres]| metres.ceil())
        .filter(|metres| (0.0..=f64::from(u16::MAX)).contains(metres))
        .map(|metres| metres as u16);
    let position = Position { latitude_e6: latitude, longitude_e6: longitude, accuracy_m, is_mock: false };
    position.validate().is_ok().then_some(position)
}

/// Degrees, minutes and seconds with their hemisphere, in millionths of a degree.
fn degrees_e6(exif: &Exif, value: Tag, reference: Tag, positive: u8, negative: u8) -> Option<i32> {
    let [degrees, minutes, seconds] = rationals::<3>(exif, value)?;
    let magnitude = degrees + minutes / 60.0 + seconds / 3_600.0;
    if !(0.0..=180.0).contains(&magnitude) {
        return None;
    }
    let millionths = (magnitude * 1e6).round() as i32;
    match ascii(exif, reference)?.first()?.to_ascii_uppercase() {
        sign if sign == positive => Some(millionths),
        sign if sign == negative => Some(-millionths),
        _ => None,
    }
}
