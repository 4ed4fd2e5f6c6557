//! What phone and server say to each other: frames, messages, sealed blocks, segments, instants.

use crate::{Target, vector_bytes};
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::samples::{
    SampleColumns, block_header, block_open, block_open_into, block_verify, segment_decode, segment_encode,
};
use callout_sync_protocol::sync::{SyncRequest, SyncResponse};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::MAX_MESSAGE_BYTES;
use ed25519_dalek::SigningKey;

pub(crate) const TARGETS: [Target; 5] = [
    Target { name: "sync_request", run: sync_request, seeds: frames, memory_bound: message_bound },
    Target { name: "sync_response", run: sync_response, seeds: frames, memory_bound: message_bound },
    Target { name: "sample_block", run: sample_block, seeds: vector_bytes, memory_bound: block_bound },
    Target { name: "sample_segment", run: sample_segment, seeds: segments, memory_bound: block_bound },
    Target { name: "timestamp", run: timestamp, seeds: timestamps, memory_bound: |length| 4_096 + 8 * length },
];

/// The message decompressed, and what it becomes: CBOR's smallest item is a byte, ours with the least bytes per byte of
/// memory is an absent field.
fn message_bound(length: usize) -> usize {
    8 * MAX_MESSAGE_BYTES + 64 * length
}

/// A block has at most 65,536 samples, whatever it says; a sample takes some 200 bytes in columns, twice while they grow.
fn block_bound(length: usize) -> usize {
    65_536 * 512 + 16 * length
}

fn frames() -> Vec<Vec<u8>> {
    let mut frames = vector_bytes();
    // A frame around anything that may be a message.
    let framed: Vec<Vec<u8>> = frames.iter().map(|bytes| [&[1, 0], bytes.as_slice()].concat()).collect();
    frames.extend(framed);
    frames
}

/// What the phone keeps until a block is sealed: the samples of the published blocks.
fn segments() -> Vec<Vec<u8>> {
    let opened = vector_bytes().into_iter().filter_map(|bytes| block_open(&bytes).ok());
    opened.filter_map(|(_, columns)| segment_encode(&columns).ok()).collect()
}

fn sync_request(bytes: &[u8]) {
    if let Ok(request) = frame_decode::<SyncRequest>(bytes) {
        let again = frame_decode::<SyncRequest>(&frame_encode(&request));
        assert!(again.is_ok_and(|same| same == request), "a request that was read reads the same when it is sent on");
        let _ = request.validate();
        for block in &request.blocks {
            sample_block(&block.bytes);
        }
    }
}

fn sync_response(bytes: &[u8]) {
    if let Ok(response) = frame_decode::<SyncResponse>(bytes) {
        let again = frame_decode::<SyncResponse>(&frame_encode(&response));
        assert!(again.is_ok_and(|same| same == response), "a response that was read reads the same when it is sent on");
    }
}

fn sample_block(bytes: &[u8]) {
    let header = block_header(bytes);
    let key = SigningKey::from_bytes(&[0x42; 32]);
    let _ = block_verify(bytes, &key.verifying_key());
    if let Ok((opened, columns)) = block_open(bytes) {
        assert_eq!(header.as_ref(), Ok(&opened), "the header is that of the block");
        assert_eq!(opened.sample_count as usize, columns.len());
        let mut reused = SampleColumns::new();
        assert_eq!(block_open_into(bytes, &mut reused), Ok(opened));
        assert_eq!(reused, columns, "columns used again hold nothing of before");
        assert!(columns.validate().is_ok(), "what opens is within its ranges");
    }
}

fn sample_segment(bytes: &[u8]) {
    if let Ok(columns) = segment_decode(bytes) {
        assert!(columns.validate().is_ok(), "what decodes is within its ranges");
        let again = segment_encode(&columns).map(|bytes| segment_decode(&bytes));
        assert!(
            matches!(&again, Ok(Ok(same)) if *same == columns),
            "a segment reads the same when it is written again"
        );
    }
}

fn timestamp(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(instant) = text.parse::<Timestamp>()
    {
        assert_eq!(instant.to_string().parse(), Ok(instant), "an instant reads the same when it is written");
    }
}

fn timestamps() -> Vec<Vec<u8>> {
    ["2026-11-22T08:30:00Z", "2026-11-22T08:30:00.123456+08:00", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}
