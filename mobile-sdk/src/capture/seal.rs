//! Sealing: segments joined to signed blocks.
//!
//! One transaction writes a block and removes its segments, so that a kill leaves either all segments or the block. The same
//! segments give the same bytes however often they are sealed (Ed25519 signatures are deterministic).

use crate::store::account::Device;
use crate::store::blocks::{block_insert, block_next_sequence};
use crate::store::captures::{SegmentRow, segment_bytes, segment_delete, segment_list, segment_mark_damaged};
use crate::store::{Connection, StoreError};
use callout_sync_protocol::commands::BlockCitation;
use callout_sync_protocol::ids::FieldTestId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{BlockHeader, SampleColumns, SealError, SealedBlock, block_seal, segment_decode};
use callout_sync_protocol::time::Timestamp;
use ed25519_dalek::SigningKey;

/// A block gets about so many samples: some 100 KiB, which a weak link carries in one piece.
pub const BLOCK_SAMPLES: u64 = 20_000;

/// Seals samples into as many blocks as they need: halves, where one would be longer than a block may be.
///
/// # Errors
/// None but those of [`block_seal`] for a single sample.
pub fn samples_seal(
    header: BlockHeader,
    columns: &SampleColumns,
    key: &SigningKey,
) -> Result<Vec<SealedBlock>, SealError> {
    match block_seal(&header, columns, key) {
        Ok(block) => Ok(vec![block]),
        Err(SealError::TooLarge { .. } | SealError::TooManySamples { .. }) if columns.len() > 1 => {
            let samples: Vec<_> = columns.iter().collect();
            let (first, second) = samples.split_at(samples.len() / 2);
            let half = |part| SampleColumns::from_samples(part).map_err(|_| SealError::Empty);
            let mut blocks = samples_seal(header, &half(first)?, key)?;
            let sequence = header.sequence + blocks.len() as u32;
            blocks.extend(samples_seal(BlockHeader { sequence, ..header }, &half(second)?, key)?);
            Ok(blocks)
        }
        Err(error) => Err(error),
    }
}

/// Seals whatever of a test is in no block yet; inside a transaction of the caller. Says how many blocks that made.
///
/// # Errors
/// [`StoreError`]; a segment that the medium damaged is set aside and stands in nobody's way.
pub fn field_test_seal(
    connection: &Connection,
    device: &Device,
    test: FieldTestId,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut blocks = 0;
    for operator in Operator::ALL {
        let segments = segment_list(connection, test, operator)?;
        let total: u64 = segments.iter().map(|segment| segment.sample_count).sum();
        // Blocks of about the same size, rather than full ones and a tiny last one.
        let target = total.div_ceil(total.div_ceil(BLOCK_SAMPLES).max(1));
        let mut group = Vec::new();
        let mut group_samples = 0;
        for segment in segments {
            group_samples += segment.sample_count;
            group.push(segment);
            if group_samples >= target {
                blocks += group_seal(connection, device, test, operator, &group, now)?;
                group.clear();
                group_samples = 0;
            }
        }
        blocks += group_seal(connection, device, test, operator, &group, now)?;
    }
    Ok(blocks)
}

fn group_seal(
    connection: &Connection,
    device: &Device,
    test: FieldTestId,
    operator: Operator,
    group: &[SegmentRow],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut joined = SampleColumns::new();
    let mut sealed = Vec::new();
    for segment in group {
        let bytes = segment_bytes(connection, segment.position)?.unwrap_or_default();
        let Ok(columns) = segment_decode(&bytes) else {
            segment_mark_damaged(connection, segment.position)?;
            continue;
        };
        joined.append(&columns).map_err(|_| StoreError::Damaged { what: "a segment" })?;
        sealed.push(segment.position);
    }
    if joined.is_empty() {
        return Ok(0);
    }
    let header = BlockHeader {
        field_test_id: test,
        device_id: device.id,
        operator,
        sequence: block_next_sequence(connection, test, operator)?,
        sample_count: 0,
    };
    let blocks = samples_seal(header, &joined, &device.signing_key)
        .map_err(|_| StoreError::Damaged { what: "samples that fit into no block" })?;
    for (sequence, block) in (header.sequence..).zip(&blocks) {
        let sample_count = callout_sync_protocol::samples::block_header(block.as_bytes())
            .map_err(|_| StoreError::Damaged { what: "a block just sealed" })?
            .sample_count;
        let citation = BlockCitation { operator, sequence, hash: block.hash(), sample_count };
        block_insert(connection, test, &citation, block.as_bytes(), now)?;
    }
    for position in sealed {
        segment_delete(connection, position)?;
    }
    Ok(blocks.len())
}
