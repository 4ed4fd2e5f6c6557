//! Synthetic JPEG photos with EXIF: a sky, a ground, a mast and sensor noise, of about a wanted size.
//!
//! What does not belong here: reading or queueing photos (`photos`).

use super::random::Random;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

/// What a photo shows and says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhotoOptions {
    /// Decides the picture.
    pub seed: u64,
    /// Pixels across, as stored: before the orientation is applied; 1 … 8192.
    pub width: u32,
    /// Pixels down, as stored; 1 … 8192.
    pub height: u32,
    /// EXIF orientation, 1 … 8; 6 is what a phone held upright writes.
    pub orientation: u16,
    /// When it was taken; EXIF has whole seconds.
    pub taken_at: Timestamp,
    /// The phone's zone, minutes ahead of UTC.
    pub utc_offset_minutes: i16,
    /// Where it was taken; none writes no GPS block.
    pub position: Option<Position>,
    /// The size to come near to (within about a tenth, where the picture's area can hold it).
    pub target_bytes: usize,
}

impl PhotoOptions {
    /// A photo of 1280 × 960 and about 300 KB, taken upright in China.
    pub fn new(seed: u64, taken_at: Timestamp, position: Position) -> Self {
        Self {
            seed,
            width: 1280,
            height: 960,
            orientation: 6,
            taken_at,
            utc_offset_minutes: 480,
            position: Some(position),
            target_bytes: 300_000,
        }
    }
}

/// Why a photo could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// No pixels, or more than a side of 8192.
    #[error("a photo is 1 to 8192 pixels wide and high")]
    Size,
    /// No EXIF orientation.
    #[error("an orientation is 1 to 8")]
    Orientation,
    /// The picture could not be encoded.
    #[error("the photo could not be encoded")]
    Encode(#[from] image::ImageError),
}

const JPEG_QUALITY: u8 = 82;
/// Noise beyond this is white noise already.
const NOISE_MAX: f64 = 120.0;

/// Makes the photo of these options; the same bytes for the same options.
///
/// # Errors
/// [`PhotoError::Size`] and [`PhotoError::Orientation`] for options out of bounds.
pub fn photo_create(options: &PhotoOptions) -> Result<Vec<u8>, PhotoError> {
    if !(1..=8192).contains(&options.width) || !(1..=8192).contains(&options.height) {
        return Err(PhotoError::Size);
    }
    if !(1..=8).contains(&options.orientation) {
        return Err(PhotoError::Orientation);
    }
    let exif = exif_segment(options);
    let wanted = options.target_bytes.saturating_sub(exif.len());
    let (scene, grain) = paint(options);
    // Noise decides the size of a JPEG. The first guess is tried out for this quality and these scenes; then the noise
    // follows the size, which grows a little faster than it.
    let pixels = f64::from(options.width) * f64::from(options.height);
    let mut noise = 7.0 + 37.0 * wanted as f64 / pixels;
    let mut best: Option<Vec<u8>> = None;
    for _ in 0..6 {
        let jpeg = encode(options, &scene, &grain, noise.min(NOISE_MAX))?;
        let bytes = jpeg.len();
        if best.as_ref().is_none_or(|best| bytes.abs_diff(wanted) < best.len().abs_diff(wanted)) {
            best = Some(jpeg);
        }
        if bytes.abs_diff(wanted) <= wanted / 12 {
            break;
        }
        noise = noise.min(NOISE_MAX) * (1.0 + wanted as f64 / bytes as f64) / 2.0;
    }
    let jpeg = best.unwrap_or_default();
    // Behind the start-of-image marker, where readers look for it.
    let (start, rest) = jpeg.split_at(jpeg.len().min(2));
    Ok([start, &exif, rest].concat())
}

fn encode(options: &PhotoOptions, scene: &[u8], grain: &[i8], noise: f64) -> Result<Vec<u8>, PhotoError> {
    // In 128ths, so that the loop over all pixels needs integers only.
    let noise = (noise * 128.0).round() as i32;
    let pixels: Vec<u8> = scene
        .iter()
        .zip(grain)
        .map(|(&channel, &grain)| (i32::from(channel) + i32::from(grain) * noise / (128 * 128)).clamp(0, 255) as u8)
        .collect();
    let mut jpeg = Vec::with_capacity(options.target_bytes.min(1 << 24));
    let colours = ExtendedColorType::Rgb8;
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode(&pixels, options.width, options.height, colours)?;
    Ok(jpeg)
}

/// The scene without noise, and the noise at full strength, three bytes for each pixel.
fn paint(options: &PhotoOptions) -> (Vec<u8>, Vec<i8>) {
    let mut random = Random::new(options.seed);
    let (width, height) = (i64::from(options.width), i64::from(options.height));
    let horizon = height * random.between(50, 75) / 100;
    let mast = width * random.between(20, 80) / 100;
    let mast_top = height * random.between(5, 25) / 100;
    let hue = random.between(0, 60);
    let houses: Vec<(i64, i64, i64, i64)> = (0..random.between(3, 8))
        .map(|_| {
            let left = random.between(0, width);
            let top = horizon - height * random.between(5, 30) / 100;
            (left, left + width * random.between(5, 18) / 100, top, random.between(70, 190))
        })
        .collect();
    let mut scene = Vec::new();
    let mut grain = Vec::new();
    for y in 0..height {
        let shade = 90 * y / height;
        for x in 0..width {
            let house = houses
                .iter()
                .find(|(left, right, top, _)| (*left..*right).contains(&x) && (*top..horizon).contains(&y));
            let from_mast = (x - mast).abs();
            let on_mast = y >= mast_top && y < horizon && from_mast <= 2 + (y - mast_top) / 60;
            let on_antenna = y >= mast_top && y < mast_top + height / 12 && (8..=10).contains(&from_mast);
            let colour = if on_mast || on_antenna {
                [60, 60, 66]
            } else if let Some((.., grey)) = house {
                let is_window = x / 14 % 3 == 1 && y / 18 % 2 == 0;
                if is_window { [grey / 2, grey / 2, grey / 2 + 20] } else { [*grey, grey - 8, grey - 14] }
            } else if y < horizon {
                [110 + shade, 150 + shade, 235 - hue / 3]
            } else {
                [96 + hue, 110 + hue / 2, 84]
            };
            scene.extend(colour.map(|channel| channel.clamp(0, 255) as u8));
            let [red, green, blue, ..] = random.next_u64().to_le_bytes();
            grain.extend([red, green, blue].map(|byte| byte as i8));
        }
    }
    (scene, grain)
}

/// One entry of a TIFF directory, its value as bytes.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    value: Vec<u8>,
}

const TIFF_BYTE: u16 = 1;
const TIFF_ASCII: u16 = 2;
const TIFF_SHORT: u16 = 3;
const TIFF_LONG: u16 = 4;
const TIFF_RATIONAL: u16 = 5;
const TIFF_UNDEFINED: u16 = 7;

fn ascii(tag: u16, text: &str) -> Entry {
    let value = [text.as_bytes(), b"\0"].concat();
    Entry { tag, kind: TIFF_ASCII, count: u32::try_from(value.len()).unwrap_or_default(), value }
}

fn short(tag: u16, value: u16) -> Entry {
    Entry { tag, kind: TIFF_SHORT, count: 1, value: value.to_be_bytes().to_vec() }
}

fn long(tag: u16, value: u32) -> Entry {
    Entry { tag, kind: TIFF_LONG, count: 1, value: value.to_be_bytes().to_vec() }
}

fn rationals(tag: u16, values: &[(u32, u32)]) -> Entry {
    let value = values.iter().flat_map(|(n, d)| [n.to_be_bytes(), d.to_be_bytes()]).flatten().collect();
    Entry { tag, kind: TIFF_RATIONAL, count: u32::try_from(values.len()).unwrap_or_default(), value }
}

/// The bytes of a directory that starts at `offset` of the TIFF block: its entries, then the values that do not fit in
/// four bytes.
fn directory(offset: usize, entries: &[Entry]) -> Vec<u8> {
    let mut table = u16::try_from(entries.len()).unwrap_or_default().to_be_bytes().to_vec();
    let mut values: Vec<u8> = Vec::new();
    let values_at = offset + 2 + 12 * entries.len() + 4;
    for entry in entries {
        table.extend(entry.tag.to_be_bytes());
        table.extend(entry.kind.to_be_bytes());
        table.extend(entry.count.to_be_bytes());
        if entry.value.len() <= 4 {
            let mut value = entry.value.clone();
            value.resize(4, 0);
            table.extend(value);
        } else {
            table.extend(u32::try_from(values_at + values.len()).unwrap_or_default().to_be_bytes());
            values.extend(&entry.value);
            // Values start at even offsets.
            values.resize(values.len().next_multiple_of(2), 0);
        }
    }
    // No further directory.
    table.extend(0u32.to_be_bytes());
    [table, values].concat()
}

/// The APP1 segment (EXIF 2.32): orientation, time with zone, and position. It is a few hundred bytes, far below the 64
/// KiB of a segment.
fn exif_segment(options: &PhotoOptions) -> Vec<u8> {
    let offset_seconds = i64::from(options.utc_offset_minutes) * 60;
    let local = options.taken_at.plus_seconds(offset_seconds).to_offset_date_time();
    let (date, clock) = (local.date(), local.time());
    let taken = format!(
        "{:04}:{:02}:{:02} {:02}:{:02}:{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    );
    let minutes = options.utc_offset_minutes.unsigned_abs();
    let sign = if options.utc_offset_minutes < 0 { '-' } else { '+' };
    let zone = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);

    let exif = [
        Entry { tag: 0x9000, kind: TIFF_UNDEFINED, count: 4, value: b"0232".to_vec() },
        ascii(0x9003, &taken),
        ascii(0x9011, &zone),
        long(0xA002, options.width),
        long(0xA003, options.height),
    ];
    let gps = options.position.map(|position| gps_entries(position, options.taken_at));
    let main = |exif_at: usize, gps_at: usize| {
        let at = |offset: usize| u32::try_from(offset).unwrap_or_default();
        let mut entries = vec![
            ascii(0x010F, "Callout"),
            ascii(0x0110, "synthetic"),
            short(0x0112, options.orientation),
            ascii(0x0132, &taken),
            long(0x8769, at(exif_at)),
        ];
        if gps.is_some() {
            entries.push(long(0x8825, at(gps_at)));
        }
        directory(8, &entries)
    };
    // Offsets do not change a directory's length, so a first pass tells where the others start.
    let exif_at = 8 + main(0, 0).len();
    let exif = directory(exif_at, &exif);
    let gps_at = exif_at + exif.len();
    let gps_directory = gps.as_ref().map(|entries| directory(gps_at, entries)).unwrap_or_default();
    let tiff = [b"MM\0\x2A\0\0\0\x08".to_vec(), main(exif_at, gps_at), exif, gps_directory].concat();
    let length = u16::try_from(2 + 6 + tiff.len()).unwrap_or(u16::MAX);
    [&[0xFF, 0xE1], length.to_be_bytes().as_slice(), b"Exif\0\0", &tiff].concat()
}

fn gps_entries(position: Position, taken_at: Timestamp) -> Vec<Entry> {
    let utc = taken_at.to_offset_date_time();
    let degrees = |millionths: i32| {
        let magnitude = millionths.unsigned_abs();
        // A millionth of a degree is 0.0036 seconds: exact in ten-thousandths.
        let seconds = magnitude % 1_000_000 * 36;
        [(magnitude / 1_000_000, 1), (seconds / 600_000, 1), (seconds % 600_000, 10_000)]
    };
    let (latitude, longitude) = (position.latitude_e6, position.longitude_e6);
    vec![
        Entry { tag: 0x00, kind: TIFF_BYTE, count: 4, value: vec![2, 3, 0, 0] },
        ascii(0x01, if latitude < 0 { "S" } else { "N" }),
        rationals(0x02, &degrees(latitude)),
        ascii(0x03, if longitude < 0 { "W" } else { "E" }),
        rationals(0x04, &degrees(longitude)),
        rationals(0x07, &[(utc.hour().into(), 1), (utc.minute().into(), 1), (utc.second().into(), 1)]),
        ascii(0x12, "WGS-84"),
        ascii(0x1D, &format!("{:04}:{:02}:{:02}", utc.year(), u8::from(utc.month()), utc.day())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use exif::{In, Tag, Value};

    fn options() -> PhotoOptions {
        let position =
            Position { latitude_e6: 37_295_123, longitude_e6: -103_372_456, accuracy_m: None, is_mock: false };
        PhotoOptions::new(5, "2026-03-01T18:30:05Z".parse().expect("an instant"), position)
    }

    fn degrees(exif: &exif::Exif, tag: Tag) -> f64 {
        match exif.get_field(tag, In::PRIMARY).map(|field| &field.value) {
            Some(Value::Rational(parts)) => parts[0].to_f64() + parts[1].to_f64() / 60.0 + parts[2].to_f64() / 3600.0,
            _ => f64::NAN,
        }
    }

    #[test]
    fn a_photo_is_a_jpeg_of_the_wanted_size_and_its_exif_says_when_and_where() {
        let photo = photo_create(&options()).expect("made");
        assert!((270_000..330_000).contains(&photo.len()), "{} bytes", photo.len());
        let picture = image::load_from_memory(&photo).expect("an image");
        assert_eq!((picture.width(), picture.height()), (1280, 960));

        let exif = exif::Reader::new().read_from_container(&mut std::io::Cursor::new(&photo)).expect("EXIF");
        let text = |tag| exif.get_field(tag, In::PRIMARY).map(|field| field.display_value().to_string());
        let orientation = exif.get_field(Tag::Orientation, In::PRIMARY).and_then(|field| field.value.get_uint(0));
        assert_eq!(orientation, Some(6));
        assert_eq!(text(Tag::DateTimeOriginal).as_deref(), Some("2026-03-02 02:30:05"));
        assert_eq!(text(Tag::OffsetTimeOriginal).as_deref(), Some("\"+08:00\""));
        assert_eq!(text(Tag::GPSDateStamp).as_deref(), Some("2026-03-01"));
        assert_eq!(text(Tag::GPSLatitudeRef).as_deref(), Some("N"));
        assert_eq!(text(Tag::GPSLongitudeRef).as_deref(), Some("W"));
        assert!((degrees(&exif, Tag::GPSLatitude) - 37.295_123).abs() < 1e-9);
        assert!((degrees(&exif, Tag::GPSLongitude) - 103.372_456).abs() < 1e-9);
    }

    #[test]
    fn the_same_options_give_the_same_bytes_and_another_seed_another_picture() {
        let small = PhotoOptions { width: 160, height: 120, target_bytes: 9_000, position: None, ..options() };
        let photo = photo_create(&small).expect("made");
        assert_eq!(photo, photo_create(&small).expect("made"));
        assert_ne!(photo, photo_create(&PhotoOptions { seed: 6, ..small }).expect("made"));
        let exif = exif::Reader::new().read_from_container(&mut std::io::Cursor::new(&photo)).expect("EXIF");
        assert!(exif.get_field(Tag::GPSLatitude, In::PRIMARY).is_none());
    }

    #[test]
    fn options_out_of_bounds_are_errors() {
        for (width, height) in [(0, 10), (10, 0), (8193, 10), (10, 8193)] {
            assert!(matches!(photo_create(&PhotoOptions { width, height, ..options() }), Err(PhotoError::Size)));
        }
        for orientation in [0, 9] {
            let wrong = PhotoOptions { orientation, ..options() };
            assert!(matches!(photo_create(&wrong), Err(PhotoError::Orientation)));
        }
        let tiny = PhotoOptions { width: 1, height: 1, ..options() };
        assert!(photo_create(&tiny).is_ok());
    }
}
