//! Sealed sample blocks: the very bytes as evidence, by content hash, beside what was computed of them. Immutable but for
//! their standing. What does not belong here: opening or checking them (`samples`, `app`).

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, Standing, in_scope, keyset};
use crate::schema::{sample_blocks, work_orders};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{DeviceId, FieldTestId, UserId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// Most blocks that a list of one test returns at once.
pub const MAX_BLOCKS_PER_LIST: u32 = 4_096;

/// A sealed block, without its bytes.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct SampleBlock {
    /// Its content address.
    pub hash: BlockHash,
    /// The test that it belongs to; may be unknown here.
    pub field_test_id: FieldTestId,
    /// The order that it was measured for; may be unknown here.
    pub work_order_id: WorkOrderId,
    /// Who measured.
    pub tester_id: UserId,
    /// The phone that sealed it.
    pub device_id: DeviceId,
    /// Whose network was measured.
    pub operator: Operator,
    /// Its number within test and operator, from 0; two devices may use the same.
    pub sequence: u32,
    /// How many samples it holds.
    pub sample_count: u32,
    /// How many bytes it has.
    pub byte_length: u32,
    /// What was computed of its samples.
    pub kpi: serde_json::Value,
    /// Whether it counts.
    pub standing: Standing,
    /// Why it does not.
    pub standing_reason: Option<Rejection>,
    /// The first sample's time, by the phone's clock.
    pub captured_from: Timestamp,
    /// The last sample's time, by the phone's clock.
    pub captured_until: Option<Timestamp>,
    /// When it arrived.
    pub received_at: Timestamp,
}

macro_rules! columns_without_bytes {
    () => {
        (
            sample_blocks::hash,
            sample_blocks::field_test_id,
            sample_blocks::work_order_id,
            sample_blocks::tester_id,
            sample_blocks::device_id,
            sample_blocks::operator,
            sample_blocks::sequence,
            sample_blocks::sample_count,
            sample_blocks::byte_length,
            sample_blocks::kpi,
            sample_blocks::standing,
            sample_blocks::standing_reason,
            sample_blocks::captured_from,
            sample_blocks::captured_until,
            sample_blocks::received_at,
        )
    };
}

impl Tx {
    /// Keeps a block. Returns `None` if it is new, or the block of the same hash that is here already and stays as it is.
    pub fn sample_block_insert(
        &mut self,
        block: &SampleBlock,
        bytes: &[u8],
    ) -> Result<Option<SampleBlock>, StorageError> {
        let rows = self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(sample_blocks::table)
                .values((
                    row_values!(
                        sample_blocks,
                        block,
                        hash,
                        field_test_id,
                        work_order_id,
                        tester_id,
                        device_id,
                        operator,
                        sequence,
                        sample_count,
                        byte_length,
                        kpi,
                        standing,
                        standing_reason,
                        captured_from,
                        captured_until,
                        received_at
                    ),
                    sample_blocks::bytes.eq(bytes),
                ))
                .on_conflict_do_nothing()
                .execute(c))
        })?;
        if rows > 0 {
            return Ok(None);
        }
        self.sample_block_by_hash(&block.hash)
    }

    /// The block of a hash, without its bytes.
    pub fn sample_block_by_hash(&mut self, hash: &BlockHash) -> Result<Option<SampleBlock>, StorageError> {
        self.run(|c| sample_blocks::table.find(bind(hash)).select(columns_without_bytes!()).first(c).optional())
    }

    /// The bytes of a block.
    pub fn sample_block_bytes(&mut self, hash: &BlockHash) -> Result<Option<Vec<u8>>, StorageError> {
        self.run(|c| sample_blocks::table.find(bind(hash)).select(sample_blocks::bytes).first(c).optional())
    }

    /// Which of these blocks (at most 4096) are here.
    pub fn sample_block_hashes_present(&mut self, hashes: &[BlockHash]) -> Result<Vec<BlockHash>, StorageError> {
        let mut present = Vec::new();
        for chunk in hashes.chunks(500).take(9) {
            present.extend(self.run(|c| {
                sample_blocks::table
                    .filter(sample_blocks::hash.eq_any(chunk.iter().map(bind)))
                    .select(sample_blocks::hash)
                    .load::<BlockHash>(c)
            })?);
        }
        Ok(present)
    }

    /// Which of these blocks (at most 256) are here, whether they count, and if not, why.
    pub fn sample_block_standings(
        &mut self,
        hashes: &[BlockHash],
    ) -> Result<Vec<(BlockHash, Standing, Option<Rejection>)>, StorageError> {
        let hashes = &hashes[..hashes.len().min(callout_sync_protocol::version::MAX_BLOCKS)];
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        self.run(|c| {
            sample_blocks::table
                .filter(sample_blocks::hash.eq_any(hashes.iter().map(bind)))
                .select((sample_blocks::hash, sample_blocks::standing, sample_blocks::standing_reason))
                .load(c)
        })
    }

    /// A test's blocks without their bytes, by operator and number, at most 4096.
    pub fn sample_block_list_by_test(&mut self, id: FieldTestId) -> Result<Vec<SampleBlock>, StorageError> {
        self.run(|c| {
            sample_blocks::table
                .filter(sample_blocks::field_test_id.eq(bind(&id)))
                .order((sample_blocks::operator, sample_blocks::sequence, sample_blocks::hash))
                .limit(i64::from(MAX_BLOCKS_PER_LIST))
                .select(columns_without_bytes!())
                .load(c)
        })
    }

    /// Says whether a block counts, and if not, why.
    pub fn sample_block_set_standing(
        &mut self,
        hash: &BlockHash,
        standing: Standing,
        reason: Option<Rejection>,
    ) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(sample_blocks::table.find(bind(hash)))
                .set((sample_blocks::standing.eq(bind(&standing)), sample_blocks::standing_reason.eq(bind(&reason))))
                .execute(c)
        })?;
        if rows == 1 { Ok(()) } else { Err(StorageError::NotFound { what: "sample block" }) }
    }

    /// Quarantined blocks, newest first; those of unknown orders count as unlocated.
    pub fn sample_block_list_quarantined(
        &mut self,
        scope: &RegionScope,
        page: &Page<BlockHash>,
    ) -> Result<Vec<SampleBlock>, StorageError> {
        self.run(|c| {
            let regions;
            let joined = sample_blocks::table
                .left_join(work_orders::table.on(work_orders::id.eq(sample_blocks::work_order_id)))
                .filter(sample_blocks::standing.eq(bind(&Standing::Quarantined)))
                .select(columns_without_bytes!())
                .into_boxed();
            let query = in_scope!(joined, work_orders::region_id, scope, regions);
            keyset!(query, sample_blocks, received_at, hash, page).load(c)
        })
    }
}
