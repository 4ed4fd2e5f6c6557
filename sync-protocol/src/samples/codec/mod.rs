//! The codec: samples to bytes and back, without loss. `docs/sample-block.md` is the normative description.
//!
//! What does not belong here: the header and signature around the bytes (`block`), the chunks on the phone's disk (`segment`).

use super::columns::SampleColumns;
use super::sample::{Cell, OutOfRange, Position, Sample, Technology};

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

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn optional(out: &mut Vec<u8>, value: Option<i64>) {
    match value {
        None => write_varint(out, 0),
        Some(value) => write_varint(out, zigzag(value) + 1),
    }
}

/// Packs the samples at the end of `out`.
pub(super) fn encode(columns: &SampleColumns, out: &mut Vec<u8>) {
    let mut last = 0;
    for s in columns.iter() {
        out.push(s.technology as u8);
        write_varint(out, zigzag(s.captured_at_ms - last));
        last = s.captured_at_ms;
        optional(out, s.level_dbm.map(i64::from));
        optional(out, s.quality_half_db.map(i64::from));
        optional(out, s.sinr_half_db.map(i64::from));
        optional(out, s.cell.cell_identity.map(|v| v as i64));
        optional(out, s.cell.physical_cell_id.map(i64::from));
        optional(out, s.cell.area_code.map(i64::from));
        optional(out, s.cell.channel.map(i64::from));
        optional(out, s.position.map(|p| p.latitude_e6.into()));
        if let Some(p) = s.position {
            optional(out, Some(p.longitude_e6.into()));
            optional(out, p.accuracy_m.map(i64::from));
            out.push(p.is_mock.into());
        }
        optional(out, s.rtt_tenth_ms.map(i64::from));
        optional(out, s.downlink_kbps.map(i64::from));
        optional(out, s.uplink_kbps.map(i64::from));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, CodecError> {
        let (&byte, rest) = self.0.split_first().ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(byte)
    }

    fn optional<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, CodecError> {
        match read_varint(&mut self.0)? {
            0 => Ok(None),
            value => T::try_from(unzigzag(value - 1)).map(Some).map_err(|_| CodecError::NotCanonical),
        }
    }
}

/// Unpacks `count` samples from `bytes`, which must hold just them, into empty `columns`.
pub(super) fn decode(bytes: &[u8], count: usize, columns: &mut SampleColumns) -> Result<(), CodecError> {
    let mut r = Reader(bytes);
    let mut last = 0i64;
    for index in 0..count {
        let technology = Technology::from_code(r.byte()?).ok_or(CodecError::NotCanonical)?;
        last = last.wrapping_add(unzigzag(read_varint(&mut r.0)?));
        let sample = Sample {
            captured_at_ms: last,
            technology,
            level_dbm: r.optional()?,
            quality_half_db: r.optional()?,
            sinr_half_db: r.optional()?,
            cell: Cell {
                cell_identity: r.optional()?,
                physical_cell_id: r.optional()?,
                area_code: r.optional()?,
                channel: r.optional()?,
            },
            position: match r.optional()? {
                None => None,
                Some(latitude_e6) => Some(Position {
                    latitude_e6,
                    longitude_e6: r.optional()?.ok_or(CodecError::NotCanonical)?,
                    accuracy_m: r.optional()?,
                    is_mock: match r.byte()? {
                        0 => false,
                        1 => true,
                        _ => return Err(CodecError::NotCanonical),
                    },
                }),
            },
            rtt_tenth_ms: r.optional()?,
            downlink_kbps: r.optional()?,
            uplink_kbps: r.optional()?,
        };
        columns.push(&sample).map_err(|error| CodecError::OutOfRange { index: index as u32, error })?;
    }
    if r.0.is_empty() { Ok(()) } else { Err(CodecError::TrailingBytes) }
}
