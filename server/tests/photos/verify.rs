//! Hostile and honest pictures. Honest ones keep what their camera said; hostile ones are refused and cost little.

use crate::photos::pictures::*;
use callout_server::photos::exif::ExifFacts;
use callout_server::photos::verify::{ImageLimits, ImageProblem, VerifiedPhoto, inspect, verify};
use callout_sync_protocol::photos::MediaType;
use exif::Tag;
use image::metadata::Orientation;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::time::{Duration, Instant};

fn judge(bytes: &[u8], media_type: MediaType) -> Result<VerifiedPhoto, ImageProblem> {
    inspect(bytes, media_type, &ImageLimits::default()).and_then(|inspected| verify(bytes, &inspected))
}

fn decoded(jpeg: &[u8]) -> image::RgbImage {
    image::load_from_memory(jpeg).unwrap().to_rgb8()
}

#[test]
fn honest_photos_pass() {
    for (bytes, media_type) in [(jpeg(1200, 900), MediaType::Jpeg), (png(1200, 900), MediaType::Png)] {
        let photo = judge(&bytes, media_type).unwrap();
        assert_eq!((photo.facts.width, photo.facts.height), (1200, 900));
        assert_eq!(photo.facts.exif, ExifFacts::NONE);
        let thumbnail = decoded(&photo.thumbnail);
        assert_eq!(thumbnail.dimensions(), (512, 384));
        assert!(photo.thumbnail.len() < 40_000, "a thumbnail of {} bytes", photo.thumbnail.len());
    }
}

#[test]
fn small_photos_are_not_blown_up() {
    let photo = judge(&jpeg(40, 30), MediaType::Jpeg).unwrap();
    assert_eq!(decoded(&photo.thumbnail).dimensions(), (40, 30));
}

#[test]
fn what_follows_a_jpegs_end_is_ignored_because_phones_append_videos() {
    let mut bytes = jpeg(64, 48);
    bytes.extend(b"....ftypmp42 and megabytes of video \xFF\xD8\xFF");
    assert!(judge(&bytes, MediaType::Jpeg).is_ok());
}

#[test]
fn camera_data_is_read_and_leaves_the_thumbnail() {
    let tiff = exif_tiff(&[
        short(Tag::Orientation, 6),
        ascii(Tag::DateTimeOriginal, "2026:11:21 16:30:05"),
        ascii(Tag::SubSecTimeOriginal, "25"),
        ascii(Tag::OffsetTimeOriginal, "+08:00"),
        ascii(Tag::GPSLatitudeRef, "N"),
        rationals(Tag::GPSLatitude, &[(30, 1), (31, 1), (1234, 100)]),
        ascii(Tag::GPSLongitudeRef, "E"),
        rationals(Tag::GPSLongitude, &[(114, 1), (18, 1), (0, 1)]),
        rationals(Tag::GPSHPositioningError, &[(47, 10)]),
    ]);
    let photo = judge(&with_exif(&jpeg(640, 480), &tiff), MediaType::Jpeg).unwrap();
    let exif = photo.facts.exif;
    assert_eq!(exif.orientation, Orientation::Rotate90);
    assert_eq!(exif.taken_at.unwrap().to_string(), "2026-11-21T08:30:05.250000Z");
    assert_eq!(exif.taken_at_local.unwrap().to_string(), "2026-11-21 16:30:05.25");
    let position = exif.position.unwrap();
    assert_eq!((position.latitude_e6, position.longitude_e6, position.accuracy_m), (30_520_094, 114_300_000, Some(5)));

    // Turned a quarter to the right: the bright quarter moves from the upper left to the upper right.
    assert_eq!((photo.facts.width, photo.facts.height), (480, 640));
    let thumbnail = decoded(&photo.thumbnail);
    assert_eq!(thumbnail.dimensions(), (384, 512));
    assert!(thumbnail.get_pixel(350, 40).0[1] > 200 && thumbnail.get_pixel(40, 40).0[1] < 100);
    assert_eq!(ExifFacts::read(&photo.thumbnail), ExifFacts::NONE);
}

#[test]
fn without_a_zone_the_satellites_time_counts() {
    let tiff = exif_tiff(&[
        ascii(Tag::DateTimeOriginal, "2026:11:21 16:30:05"),
        ascii(Tag::GPSDateStamp, "2026:11:21"),
        rationals(Tag::GPSTimeStamp, &[(8, 1), (30, 1), (4, 1)]),
    ]);
    let exif = ExifFacts::read(&with_exif(&jpeg(16, 16), &tiff));
    assert_eq!(exif.taken_at.unwrap().to_string(), "2026-11-21T08:30:04.000000Z");
}

#[test]
fn camera_data_that_makes_no_sense_is_absent() {
    let base = jpeg(16, 16);
    let position = |latitude: (u32, u32), reference: &str| {
        let tiff = exif_tiff(&[
            ascii(Tag::DateTimeOriginal, "0000:00:00 00:00:00"),
            short(Tag::Orientation, 99),
            ascii(Tag::GPSLatitudeRef, reference),
            rationals(Tag::GPSLatitude, &[latitude, (0, 1), (0, 1)]),
            ascii(Tag::GPSLongitudeRef, "E"),
            rationals(Tag::GPSLongitude, &[(0, 1), (0, 1), (0, 1)]),
        ]);
        ExifFacts::read(&with_exif(&base, &tiff))
    };
    for (latitude, reference) in [((0, 1), "N"), ((91, 1), "N"), ((30, 0), "N"), ((30, 1), "?"), ((u32::MAX, 1), "S")] {
        assert_eq!(position(latitude, reference), ExifFacts::NONE, "{latitude:?} {reference}");
    }
    assert!(position((30, 1), "S").position.is_some());
    assert_eq!(ExifFacts::read(&with_exif(&base, b"II*\0\xff\xff\xff\xff")), ExifFacts::NONE);
}

#[test]
fn every_truncated_photo_is_refused() {
    for (bytes, media_type) in [(jpeg(48, 40), MediaType::Jpeg), (png(24, 20), MediaType::Png)] {
        for length in 0..bytes.len() {
            assert!(judge(&bytes[..length], media_type).is_err(), "{media_type}: {length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn what_is_no_photo_is_refused() {
    for bytes in
        [&b""[..], b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"\xFF\xD8", b"\x89PNG"]
    {
        assert_eq!(judge(bytes, MediaType::Jpeg), Err(ImageProblem::NotAnImage));
    }
    let other = ImageProblem::OtherFormat { announced: MediaType::Png, found: MediaType::Jpeg };
    assert_eq!(judge(&jpeg(8, 8), MediaType::Png), Err(other));
}

#[test]
fn too_long_a_file_is_refused_unread() {
    let limits = ImageLimits { max_bytes: 100, ..ImageLimits::default() };
    assert!(matches!(inspect(&jpeg(64, 64), MediaType::Jpeg, &limits), Err(ImageProblem::TooManyBytes { .. })));
}

/// A PNG of a few hundred bytes that claims to be huge.
fn claimed_png(width: u32, height: u32, bit_depth: u8, color_type: u8) -> Vec<u8> {
    let mut chunks = png_chunks(&png(1, 1));
    let mut header = width.to_be_bytes().to_vec();
    header.extend(height.to_be_bytes());
    header.extend([bit_depth, color_type, 0, 0, 0]);
    chunks[0].1 = header;
    png_of(&chunks)
}

#[test]
fn decompression_bombs_are_refused_before_they_cost_anything() {
    let started = Instant::now();
    let too_large = |bytes: &[u8], media_type| {
        let refused = inspect(bytes, media_type, &ImageLimits::default());
        assert!(matches!(refused, Err(ImageProblem::TooManyPixels { .. })), "{refused:?}");
    };
    too_large(&claimed_png(100_000, 100_000, 1, 0), MediaType::Png);
    too_large(&claimed_png(0x7FFF_FFFF, 0x7FFF_FFFF, 16, 6), MediaType::Png);
    too_large(&claimed_png(12_001, 1, 8, 0), MediaType::Png);
    // Within the sides, beyond the pixels; and within the pixels, beyond the memory of 16-bit channels.
    too_large(&claimed_png(9_000, 9_000, 8, 0), MediaType::Png);
    too_large(&claimed_png(8_000, 7_000, 16, 6), MediaType::Png);

    let mut bytes = jpeg(16, 16);
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    too_large(&bytes, MediaType::Jpeg);
    // 8,000 × 7,000 is a fine baseline JPEG, but a progressive one would keep all coefficients in memory.
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x1B, 0x58, 0x1F, 0x40]);
    assert!(inspect(&bytes, MediaType::Jpeg, &ImageLimits::default()).is_ok());
    bytes[frame + 1] = 0xC2;
    too_large(&bytes, MediaType::Jpeg);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_jpeg_of_endless_passes_is_refused() {
    let bytes = jpeg(16, 16);
    let scan = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    let mut many = bytes[..scan].to_vec();
    for _ in 0..1_000 {
        many.extend(&bytes[scan..bytes.len() - 2]);
    }
    many.extend([0xFF, 0xD9]);
    assert_eq!(judge(&many, MediaType::Jpeg), Err(ImageProblem::TooManyScans { scans: 1_000 }));
}

#[test]
fn a_png_that_inflates_to_more_than_its_picture_costs_no_more_than_its_picture() {
    // 48 MB of zeros in a few tens of kilobytes, as picture data of a PNG of one pixel, and as its colour profile.
    let mut zeros = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut zeros);
    image::ImageEncoder::write_image(encoder, &vec![0; 48_000_000], 8_000, 6_000, image::ExtendedColorType::L8)
        .unwrap();
    let inflating: Vec<u8> =
        png_chunks(&zeros).into_iter().filter(|(kind, _)| kind == b"IDAT").flat_map(|(_, data)| data).collect();
    assert!(inflating.len() < 500_000);

    let mut chunks = png_chunks(&png(1, 1));
    let mut profile = b"profile\0\0".to_vec();
    profile.extend(&inflating);
    chunks.insert(1, (*b"iCCP", profile));
    let mut text = b"Comment\0\0".to_vec();
    text.extend(&inflating);
    chunks.insert(2, (*b"zTXt", text));
    let picture = chunks.iter().position(|(kind, _)| kind == b"IDAT").unwrap();
    for data in [chunks[picture].1.clone(), inflating] {
        chunks[picture].1 = data;
        let bytes = png_of(&chunks);
        let inspected = inspect(&bytes, MediaType::Png, &ImageLimits::default()).unwrap();
        assert_eq!(inspected.outline.decoded_bytes, 4);
        let started = Instant::now();
        // Whether such a file passes is of no account; that it ends soon is.
        let _ = verify(&bytes, &inspected);
        assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
    }
}

#[test]
fn near_duplicates_have_near_hashes_and_others_far_ones() {
    let scene = |phase: f32| {
        image::RgbImage::from_fn(640, 480, |x, y| {
            let wave = (x as f32 / 70.0 + phase).sin() + (y as f32 / 45.0 + x as f32 / 200.0 * phase).cos();
            image::Rgb([(127.0 + 60.0 * wave) as u8; 3])
        })
    };
    let hash = |picture: &image::RgbImage, quality: u8| {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture).unwrap();
        judge(&bytes, MediaType::Jpeg).unwrap().facts.perceptual_hash
    };
    let original = hash(&scene(0.5), 90);
    let smaller = image::imageops::resize(&scene(0.5), 400, 300, image::imageops::FilterType::Triangle);
    let again = hash(&smaller, 35);
    assert!((original ^ again).count_ones() <= 6, "{original:064b}\n{again:064b}");
    let other = hash(&scene(3.0), 90);
    assert!((original ^ other).count_ones() >= 16, "{original:064b}\n{other:064b}");
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match *mutation {
        Mutation::Set(at, value) => bytes[at % length] = value,
        Mutation::Cut(at) => bytes.truncate(at % length),
        Mutation::Remove(at, count) => drop(bytes.drain(at % length..(at % length + count).min(length))),
        Mutation::Repeat(at, count) => {
            let piece = bytes[at % length..(at % length + count).min(length)].to_vec();
            bytes.splice(at % length..at % length, piece);
        }
    }
}

#[test]
fn no_mutated_photo_makes_the_decoder_panic_or_exceed_its_limits() {
    let mutation = prop_oneof![
        6 => (any::<usize>(), any::<u8>()).prop_map(|(at, value)| Mutation::Set(at, value)),
        1 => any::<usize>().prop_map(Mutation::Cut),
        1 => (any::<usize>(), 1_usize..40).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (any::<usize>(), 1_usize..40).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ];
    let tiff = exif_tiff(&[
        short(Tag::Orientation, 8),
        ascii(Tag::DateTimeOriginal, "2026:11:21 16:30:05"),
        ascii(Tag::GPSLatitudeRef, "N"),
        rationals(Tag::GPSLatitude, &[(30, 1), (31, 1), (1234, 100)]),
    ]);
    let originals = [with_exif(&jpeg(40, 24), &tiff), png(20, 16)];
    let limits = ImageLimits { max_pixels: 1_000_000, ..ImageLimits::default() };
    let config =
        Config { cases: 1_500, rng_seed: RngSeed::Fixed(20_261_121), failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&(0..originals.len(), prop::collection::vec(mutation, 1..6)), |(original, mutations)| {
            let mut bytes = originals[original].clone();
            mutations.iter().for_each(|mutation| mutate(&mut bytes, mutation));
            for media_type in [MediaType::Jpeg, MediaType::Png] {
                let Ok(inspected) = inspect(&bytes, media_type, &limits) else { continue };
                match verify(&bytes, &inspected) {
                    Ok(photo) => {
                        prop_assert!(u64::from(photo.facts.width) * u64::from(photo.facts.height) <= limits.max_pixels)
                    }
                    Err(ImageProblem::Undecodable { cause }) => prop_assert_ne!(cause, "the decoder panicked"),
                    Err(_) => {}
                }
            }
            Ok(())
        })
        .unwrap();
}
