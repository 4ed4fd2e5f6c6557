//! Segments: the chunks in which a running test's samples are kept on the phone until they are sealed.
//!
//! A segment is written once and never touched again; the block is made of all of them when the test ends, so that a phone
//! that dies loses at most the segment being written. What does not belong here: signing (`block`), writing to disk (SDK).
//!
//! ```text
//! version(1)  sample count  payload …  check(4: first bytes of the BLAKE3 hash of what stands before)
//! ```

use super::block::{BLOCK_VERSION, MAX_BLOCK_BYTES, MAX_SAMPLES_PER_BLOCK, SealError};
use super::codec::{self, CodecError};
use super::columns::SampleColumns;

/// Why bytes are no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Cut off, overwritten, or not a segment at all.
    #[error("the segment is damaged or incomplete")]
    Damaged,
    /// Written by a newer version of this software.
    #[error("segment version {version} is not supported, only {BLOCK_VERSION}")]
    Version {
        /// The version that it names.
        version: u8,
    },
    /// More samples than a block may hold, or more bytes.
    #[error("the segment is larger than a block may be")]
    TooLarge,
    /// Whole, but its samples are not acceptable.
    #[error("the packed samples: {0}")]
    Samples(#[from] CodecError),
}

const CHECK_BYTES: usize = 4;

/// Packs samples for the phone's disk. Nothing is signed; [`segment_decode`] recognises damage. No samples are fine.
///
/// # Errors
/// [`SealError`] if there are more samples than a block can hold.
pub fn segment_encode(columns: &SampleColumns) -> Result<Vec<u8>, SealError> {
    let count = columns.len();
    if count > MAX_SAMPLES_PER_BLOCK {
        return Err(SealError::TooManySamples { count });
    }
    let mut bytes = vec![BLOCK_VERSION];
    codec::write_varint(&mut bytes, count as u64);
    codec::encode(columns, &mut bytes);
    let check = check(&bytes);
    bytes.extend_from_slice(&check);
    if bytes.len() > MAX_BLOCK_BYTES {
        return Err(SealError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes)
}

/// Unpacks a segment.
///
/// # Errors
/// [`SegmentError`]; time and memory are bounded whatever the bytes.
pub fn segment_decode(bytes: &[u8]) -> Result<SampleColumns, SegmentError> {
    if bytes.len() > MAX_BLOCK_BYTES {
        return Err(SegmentError::TooLarge);
    }
    let (checked, found) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(SegmentError::Damaged)?;
    if check(checked) != *found {
        return Err(SegmentError::Damaged);
    }
    let (&version, mut payload) = checked.split_first().ok_or(SegmentError::Damaged)?;
    if version != BLOCK_VERSION {
        return Err(SegmentError::Version { version });
    }
    let count = usize::try_from(codec::read_varint(&mut payload)?).unwrap_or(usize::MAX);
    if count > MAX_SAMPLES_PER_BLOCK {
        return Err(SegmentError::TooLarge);
    }
    let mut columns = SampleColumns::new();
    codec::decode(payload, count, &mut columns)?;
    Ok(columns)
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = blake3::hash(bytes);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}
