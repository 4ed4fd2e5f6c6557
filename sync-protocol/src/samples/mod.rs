//! Samples: what one measurement is, how a test's samples are packed and sealed, and what is computed of them.

pub mod block;
pub mod codec;
pub mod columns;
pub mod kpi;
pub mod sample;
pub mod segment;

pub use block::{
    BLOCK_VERSION, BlockError, BlockHash, BlockHeader, MAX_BLOCK_BYTES, MAX_SAMPLES_PER_BLOCK, SealError, SealedBlock,
    block_hash, block_header, block_open, block_open_into, block_seal, block_verify, blocks_seal,
};
pub use codec::CodecError;
pub use columns::SampleColumns;
pub use kpi::{KpiPolicy, KpiReport, SampleKpis, kpis_compute};
pub use sample::{Cell, OutOfRange, Position, Sample, SampleField, Technology};
pub use segment::{SegmentError, segment_decode, segment_encode};
