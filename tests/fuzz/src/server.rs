//! What the server reads beside the sync: photos, uploads' headers, regions' polygons, tokens, page marks.

use crate::Target;
use callout_server::app::tokens::{SigningKey, TokenKeys};
use callout_server::http::pages::{PageQuery, page_of};
use callout_server::photos::exif::ExifFacts;
use callout_server::photos::image_outline::sniff;
use callout_server::photos::tus;
use callout_server::photos::verify::{ImageLimits, inspect, verify};
use callout_server::workflow::regions::RegionShape;
use callout_sync_protocol::ids::UserId;
use callout_sync_protocol::time::Timestamp;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, RgbImage};
use std::io::Cursor;

pub(crate) const TARGETS: [Target; 6] = [
    Target { name: "photo", run: photo, seeds: photos, memory_bound: |length| 64 * 1024 * 1024 + 4 * length },
    Target { name: "exif", run: exif, seeds: photos, memory_bound: |length| 1024 * 1024 + 64 * length },
    Target { name: "tus_headers", run: tus_headers, seeds: headers, memory_bound: |length| 65_536 + 64 * length },
    Target { name: "region", run: region, seeds: regions, memory_bound: |length| 1024 * 1024 + 1024 * length },
    Target { name: "access_token", run: access_token, seeds: tokens, memory_bound: |length| 65_536 + 64 * length },
    Target { name: "page_mark", run: page_mark, seeds: page_marks, memory_bound: |length| 65_536 + 64 * length },
];

/// As the server's, but small: a campaign looks at many pictures.
const LIMITS: ImageLimits = ImageLimits {
    max_bytes: 1024 * 1024,
    max_side: 2_000,
    max_pixels: 500_000,
    max_decoded_bytes: 4 * 1024 * 1024,
    max_scans: 12,
};

fn photo(bytes: &[u8]) {
    let Some(media_type) = sniff(bytes) else { return };
    if let Ok(inspected) = inspect(bytes, media_type, &LIMITS)
        && let Ok(verified) = verify(bytes, &inspected)
    {
        assert!(verified.facts.width <= LIMITS.max_side && verified.facts.height <= LIMITS.max_side);
        let thumbnail = &verified.thumbnail;
        assert!(sniff(thumbnail).is_some(), "a thumbnail is a picture");
    }
}

fn exif(bytes: &[u8]) {
    let _ = ExifFacts::read(bytes).to_json();
}

fn tus_headers(bytes: &[u8]) {
    // One header a line, in this order.
    let names = [
        "tus-resumable",
        "upload-length",
        "upload-offset",
        "upload-metadata",
        "upload-checksum",
        "content-type",
        "content-length",
        "upload-defer-length",
        "upload-concat",
    ];
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let value = |name: &'static str| {
        let place = names.iter().position(|known| *known == name)?;
        lines.get(place).copied().filter(|line| !line.is_empty())
    };
    let Ok(headers) = tus::TusHeaders::collect(value) else { return };
    let _ = tus::check_version(&headers);
    if let Ok(creation) = tus::read_creation(&headers, 20 << 20) {
        assert!(creation.length <= 20 << 20);
    }
    if let Ok(piece) = tus::read_piece(&headers) {
        let _ = tus::check_offset(&piece, 7, 1_000);
    }
}

fn region(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(shape) = RegionShape::from_geojson_text(text)
    {
        let ((south, west), (north, east)) = shape.bounds();
        assert!(south <= north && west <= east && south >= -90.0 && north <= 90.0 && west >= -180.0 && east <= 180.0);
    }
}

fn access_token(bytes: &[u8]) {
    let key = SigningKey { id: "00112233445566aa".into(), secret: vec![7; 32] };
    let keys = TokenKeys::new(key, Vec::new());
    if let (Ok(token), Some(now)) = (std::str::from_utf8(bytes), Timestamp::from_unix_micros(1_700_000_000_000_000)) {
        let _ = TokenKeys::key_id_of(token);
        assert!(keys.verify(token, now).is_err(), "nobody but us signs a token");
    }
}

fn page_mark(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = page_of::<UserId>(&PageQuery { after: Some(text.to_owned()), limit: Some(10) });
    }
}

fn photos() -> Vec<Vec<u8>> {
    let picture = RgbImage::from_fn(24, 16, |x, y| image::Rgb([(x * 10) as u8, (y * 15) as u8, (x ^ y) as u8]));
    let mut jpeg = Vec::new();
    let mut png = Vec::new();
    // A picture that cannot be written is missed by the test that asks for seeds of every target.
    let _ = JpegEncoder::new_with_quality(&mut jpeg, 70).encode_image(&picture);
    let _ = DynamicImage::ImageRgb8(picture).write_to(&mut Cursor::new(&mut png), ImageFormat::Png);
    // Exif behind the start of image: little-endian TIFF, one directory with orientation 6.
    let exif: &[u8] = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let turned = [&jpeg[..2], exif, &jpeg[2..]].concat();
    vec![jpeg, png, turned]
}

fn headers() -> Vec<Vec<u8>> {
    [
        "1.0.0\n1000\n\nphoto_id MDE5MjAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx\nsha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\napplication/offset+octet-stream\n10",
        "1.0.0\n\n7\n\nsha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=\napplication/offset+octet-stream\n0",
        "0.2.2\n-1\n99999999999999999999\nk \nmd5 xx\n\n\n1\npartial",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

fn regions() -> Vec<Vec<u8>> {
    [
        r#"{"type":"Polygon","coordinates":[[[114,30],[115,30],[115,31],[114,31],[114,30]]]}"#,
        r#"{"type":"MultiPolygon","coordinates":[[[[114,30],[115,30],[115,31],[114,30]]],[[[1,1],[2,1],[2,2],[1,1]]]]}"#,
        r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,9],[0,0]],[[1,1],[1,2],[2,2],[2,1],[1,1]]]}"#,
        r#"{"type":"GeometryCollection","geometries":[]}"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

fn tokens() -> Vec<Vec<u8>> {
    [
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAwMTEyMjMzNDQ1NTY2YWEifQ.eyJzdWIiOiIxIiwiZXhwIjo5OTk5OTk5OTk5fQ.AAAA",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

fn page_marks() -> Vec<Vec<u8>> {
    vec![b"AAXeBmH0kkABkgAAAAB3AIAAAAAAAAAB".to_vec()]
}
