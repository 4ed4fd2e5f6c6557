//! What a JPEG or PNG file says of itself, read without decoding a single pixel.
//!
//! The outline tells how much memory and work decoding would cost, so that a decompression bomb is refused before it costs
//! anything, and whether the file reaches its own end. What does not belong here: pixels (`verify`), camera data (`exif`).

use callout_sync_protocol::photos::MediaType;

/// What decoding would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageOutline {
    /// Width in pixels, as stored (before the orientation is applied).
    pub width: u32,
    /// Height in pixels, as stored (before the orientation is applied).
    pub height: u32,
    /// How many passes over the picture the decoder makes. Always 1 for PNG.
    pub scans: u32,
    /// An upper bound of the bytes that the decoder allocates for pixels and coefficients.
    pub decoded_bytes: u64,
}

/// Why a file has no outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutlineProblem {
    /// It ends before it is complete.
    #[error("the file ends too early")]
    Truncated,
    /// A part of it contradicts the format.
    #[error("{0}")]
    Corrupt(&'static str),
    /// A variant of the format that no camera or phone writes.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// The format that the first bytes tell of; a file's name or announced type proves nothing.
pub fn sniff(bytes: &[u8]) -> Option<MediaType> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Some(MediaType::Jpeg)
    } else if bytes.starts_with(&PNG_SIGNATURE) {
        Some(MediaType::Png)
    } else {
        None
    }
}

/// Reads the outline of a file of that format. Takes time proportional to the file's length, and no memory.
pub fn outline(media_type: MediaType, bytes: &[u8]) -> Result<ImageOutline, OutlineProblem> {
    match media_type {
        MediaType::Jpeg => jpeg_outline(bytes),
        MediaType::Png => png_outline(bytes),
    }
}

/// ISO/IEC 15948 §5.2.
const PNG_SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];

/// The frame header of a JPEG (ISO/IEC 10918-1 §B.2.2).
struct JpegFrame {
    width: u32,
    height: u32,
    components: u8,
    progressive: bool,
}

/// Walks the marker segments of ISO/IEC 10918-1 §B.1. What follows the end marker is ignored: phones append videos there.
fn jpeg_outline(bytes: &[u8]) -> Result<ImageOutline, OutlineProblem> {
    let mut rest = bytes.get(2..).ok_or(OutlineProblem::Truncated)?;
    let mut frame: Option<JpegFrame> = None;
    let mut scans = 0_u32;
    loop {
        let marker = next_marker(&mut rest)?;
        match marker {
            // End of image.
            0xD9 => break,
            // Stand-alone markers: TEM, and restart markers between segments.
            0x01 | 0xD0..=0xD7 => continue,
            0xD8 => return Err(OutlineProblem::Corrupt("a second JPEG begins inside the first")),
            _ => {}
        }
        let segment = take_segment(&mut rest)?;
        match marker {
            0xC0..=0xC2 if frame.is_some() => {
                return Err(OutlineProblem::Corrupt("the JPEG has more than one frame header"));
            }
            0xC0..=0xC2 => frame = Some(jpeg_frame(marker, segment)?),
            // Lossless, hierarchical and arithmetic-coded frames; C4 is a Huffman table, C8 reserved, CC arithmetic conditioning.
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(OutlineProblem::Unsupported("this kind of JPEG is not supported"));
            }
            // Start of scan: entropy-coded bytes follow.
            0xDA => {
                scans += 1;
                skip_entropy_coded(&mut rest);
            }
            _ => {}
        }
    }
    let frame = frame.ok_or(OutlineProblem::Corrupt("the JPEG has no frame header"))?;
    if scans == 0 {
        return Err(OutlineProblem::Corrupt("the JPEG has no picture"));
    }
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    let samples = u64::from(frame.components);
    let picture = pixels * if frame.components == 1 { 1 } else { 3 };
    // A decoder that needs several scans keeps all coefficients, 16 bits each, until the last one.
    let coefficients = if frame.progressive || scans > 1 { pixels * samples * 2 } else { 0 };
    Ok(ImageOutline { width: frame.width, height: frame.height, scans, decoded_bytes: picture + coefficients })
}

/// The code of the next marker; the rest begins after it.
fn next_marker(rest: &mut &[u8]) -> Result<u8, OutlineProblem> {
    let start = rest.iter().position(|byte| *byte == 0xFF).ok_or(OutlineProblem::Truncated)?;
    let fill = rest[start..].iter().position(|byte| *byte != 0xFF).ok_or(OutlineProblem::Truncated)?;
    let code = rest[start + fill];
    *rest = &rest[start + fill + 1..];
    if code == 0 { Err(OutlineProblem::Corrupt("the JPEG has picture data outside a scan")) } else { Ok(code) }
}

/// A marker segment without its length; the rest begins after it.
fn take_segment<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], OutlineProblem> {
    let [high, low, ..] = **rest else { return Err(OutlineProblem::Truncated) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 2 {
        return Err(OutlineProblem::Corrupt("a JPEG segment has an impossible length"));
    }
    let segment = rest.get(2..length).ok_or(OutlineProblem::Truncated)?;
    *rest = &rest[length..];
    Ok(segment)
}

fn jpeg_frame(marker: u8, segment: &[u8]) -> Result<JpegFrame, OutlineProblem> {
    let [precision, h1, h0, w1, w0, components, ..] = *segment else {
        return Err(OutlineProblem::Corrupt("the JPEG's frame header is too short"));
    };
    let height = u32::from(u16::from_be_bytes([h1, h0]));
    let width = u32::from(u16::from_be_bytes([w1, w0]));
    if precision != 8 || height == 0 {
        return Err(OutlineProblem::Unsupported("this kind of JPEG is not supported"));
    }
    if width == 0 || !(1..=4).contains(&components) {
        return Err(OutlineProblem::Corrupt("the JPEG's frame header is not valid"));
    }
    Ok(JpegFrame { width, height, components, progressive: marker == 0xC2 })
}

/// Skips to the next marker that is neither a stuffed zero nor a restart (§B.1.1.5, §F.1.2.3).
fn skip_entropy_coded(rest: &mut &[u8]) {
    let mut at = 0;
    while let Some(found) = rest[at..].iter().position(|byte| *byte == 0xFF) {
        let marker = at + found;
        match rest.get(marker + 1) {
            Some(0x00 | 0xD0..=0xD7) => at = marker + 2,
            Some(0xFF) => at = marker + 1,
            Some(_) => {
                *rest = &rest[marker..];
                return;
            }
            None => break,
        }
    }
    *rest = &[];
}

/// Walks the chunks of ISO/IEC 15948 §5.3 up to the end chunk; checks no picture data.
fn png_outline(bytes: &[u8]) -> Result<ImageOutline, OutlineProblem> {
    let mut rest = bytes.get(PNG_SIGNATURE.len()..).ok_or(OutlineProblem::Truncated)?;
    let (kind, header) = take_chunk(&mut rest)?;
    if &kind != b"IHDR" {
        return Err(OutlineProblem::Corrupt("the PNG does not begin with its header"));
    }
    let [w3, w2, w1, w0, h3, h2, h1, h0, bit_depth, color_type, _, _, _] = *header else {
        return Err(OutlineProblem::Corrupt("the PNG's header has the wrong length"));
    };
    let width = u32::from_be_bytes([w3, w2, w1, w0]);
    let height = u32::from_be_bytes([h3, h2, h1, h0]);
    if width == 0 || height == 0 || width > i32::MAX as u32 || height > i32::MAX as u32 {
        return Err(OutlineProblem::Corrupt("the PNG's size is not valid"));
    }
    // Channels once a palette is expanded and transparency has become an alpha channel.
    let channels = match color_type {
        0 | 4 => 2,
        2 | 3 | 6 => 4,
        _ => return Err(OutlineProblem::Corrupt("the PNG's colour type is not valid")),
    };
    let bytes_per_channel = if bit_depth == 16 { 2 } else { 1 };
    let mut has_picture = false;
    loop {
        let (kind, _) = take_chunk(&mut rest)?;
        match &kind {
            b"IDAT" => has_picture = true,
            b"IEND" => break,
            _ => {}
        }
    }
    if !has_picture {
        return Err(OutlineProblem::Corrupt("the PNG has no picture"));
    }
    let decoded_bytes = u64::from(width).saturating_mul(u64::from(height)).saturating_mul(channels * bytes_per_channel);
    Ok(ImageOutline { width, height, scans: 1, decoded_bytes })
}

/// A chunk's type and data; the rest begins after its checksum, which the decoder checks.
fn take_chunk<'a>(rest: &mut &'a [u8]) -> Result<([u8; 4], &'a [u8]), OutlineProblem> {
    let [l3, l2, l1, l0, k0, k1, k2, k3, ..] = **rest else { return Err(OutlineProblem::Truncated) };
    let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
    let data = rest.get(8..).and_then(|data| data.get(..length)).ok_or(OutlineProblem::Truncated)?;
    *rest = rest.get(8 + length + 4..).ok_or(OutlineProblem::Truncated)?;
    Ok(([k0, k1, k2, k3], data))
}
