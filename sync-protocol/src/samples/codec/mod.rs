//! The codec: samples to bytes and back, without loss. `docs/sample-block.md` is the normative description.
//!
//! Samples are written column by column ([`encode`]); each value is told by how it differs from what the reader could expect
//! ([`plan`]), as symbols whose probabilities ([`priors`], by [`contexts`]) adapt as they pass, which an entropy coder
//! ([`rans`]) packs into fractions of bits. What does not belong here: the header and signature around the bytes (`block`),
//! the chunks on the phone's disk (`segment`).

mod contexts;
mod decode;
mod encode;
mod plan;
mod priors;
mod rans;
pub mod statistics;
#[cfg(test)]
mod tests;

use super::columns::SampleColumns;
use super::sample::OutOfRange;

/// Why packed samples cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They end early.
    #[error("the bytes end early")]
    Truncated,
    /// They go on after the last sample.
    #[error("bytes follow the last sample")]
    TrailingBytes,
    /// They say something that no encoder writes, or not in the one way in which it is written.
    #[error("the bytes are not in canonical form")]
    NotCanonical,
    /// A sample holds a value that its standard does not allow.
    #[error("sample {index}: {error}")]
    OutOfRange {
        /// The sample's number, from 0.
        index: u32,
        /// The field and its limits.
        error: OutOfRange,
    },
}

/// Packs the samples at the end of `out`. No samples are no bytes.
pub(super) fn encode(columns: &SampleColumns, out: &mut Vec<u8>) {
    if !columns.is_empty() {
        let mut encoder = rans::Encoder::new(columns.len() * 10);
        encode::encode(columns, &mut encoder);
        encoder.finish(out);
    }
}

/// Unpacks `count` samples from `bytes`, which must hold just them, in place of what `columns` held; on an error they are
/// left empty.
pub(super) fn decode(bytes: &[u8], count: usize, columns: &mut SampleColumns) -> Result<(), CodecError> {
    let result = match count {
        0 if bytes.is_empty() => Ok(()),
        0 => Err(CodecError::TrailingBytes),
        _ => decode::decode(bytes, count, columns),
    };
    if count == 0 || result.is_err() {
        columns.clear();
    }
    result
}

/// Appends a number of seven bits a byte, low bits first, the top bit set in all bytes but the last (LEB128).
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads what [`write_varint`] wrote; refuses a longer form of the same number.
pub(super) fn read_varint(bytes: &mut &[u8]) -> Result<u64, CodecError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(CodecError::Truncated)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7F);
        if bits << shift >> shift != bits {
            return Err(CodecError::NotCanonical);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return if byte == 0 && shift > 0 { Err(CodecError::NotCanonical) } else { Ok(value) };
        }
    }
    Err(CodecError::NotCanonical)
}
