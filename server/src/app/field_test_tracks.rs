//! What a test's samples tell of where they were taken: opened block by block, in the memory of one.
//!
//! A test of ordinary size is opened whenever somebody looks at it. A large one is opened once, by a durable job, and again when
//! its blocks, the complaint's place or the thresholds are others; until then its kept figures tell all but the movement. What
//! does not belong here: what is remarkable about a track (`workflow::field_tests`).

use super::App;
use super::error::{AppError, AppResult};
use super::field_tests::counting;
use crate::jobs::FIELD_TEST_TRACKS;
use crate::workflow::field_tests::{FindingPolicy, OperatorTrack};
use callout_storage::Tx;
use callout_storage::field_test_tracks::FieldTestTracks;
use callout_storage::field_tests::FieldTest;
use callout_storage::sample_blocks::SampleBlock;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::FieldTestId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{Position, SampleColumns, SampleKpis, block_open_into};
use serde_json::Value;
use std::collections::BTreeMap;

/// Up to so many samples are opened while somebody waits, unless set otherwise: about a tenth of a second.
const MAX_OPENED_SAMPLES: u64 = 1_000_000;

/// The tracks of each operator's samples.
pub(super) struct Tracks {
    /// One for each operator.
    pub tracks: Vec<OperatorTrack>,
    /// They tell of movement, too.
    pub is_complete: bool,
}

/// Of exactly what tracks are computed.
fn fingerprint(
    blocks: &[SampleBlock],
    complaint_position: Option<Position>,
    policy: &FindingPolicy,
) -> AppResult<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    let settings = serde_json::to_vec(&(complaint_position, policy)).map_err(AppError::internal)?;
    hasher.update(&settings);
    for block in counting(blocks) {
        hasher.update(&block.hash.0);
    }
    Ok(*hasher.finalize().as_bytes())
}

fn samples_of(blocks: &[SampleBlock]) -> u64 {
    counting(blocks).map(|block| u64::from(block.sample_count)).sum()
}

/// Adds a block's samples to its operator's track.
fn track_add(
    tracks: &mut BTreeMap<Operator, OperatorTrack>,
    operator: Operator,
    columns: &SampleColumns,
    complaint_position: Option<Position>,
    policy: &FindingPolicy,
) {
    let track = tracks.entry(operator).or_insert_with(|| OperatorTrack::new(operator));
    columns.iter().for_each(|sample| track.add(&sample, complaint_position, policy));
}

impl App {
    /// Whether a test of so many samples is too large to be opened while somebody waits.
    pub(super) fn is_opened_by_a_job(&self, samples: u64) -> bool {
        samples > self.config.max_opened_samples.unwrap_or(MAX_OPENED_SAMPLES)
    }

    /// The tracks of a test's samples, as far as they can be told at once.
    pub(super) fn operator_tracks(
        &self,
        tx: &mut Tx,
        order: Option<&WorkOrder>,
        test: &FieldTest,
        blocks: &[SampleBlock],
        kpis: &BTreeMap<Operator, SampleKpis>,
        policy: &FindingPolicy,
    ) -> AppResult<Tracks> {
        let complaint_position = order.and_then(WorkOrder::position);
        if self.is_opened_by_a_job(samples_of(blocks)) {
            let known = tx.field_test_tracks_by_test(test.id)?;
            if let Some(known) = known
                && known.fingerprint == fingerprint(blocks, complaint_position, policy)?
            {
                let tracks = serde_json::from_value(known.tracks).map_err(AppError::internal)?;
                return Ok(Tracks { tracks, is_complete: true });
            }
            let tracks = kpis
                .iter()
                .map(|(operator, kpis)| OperatorTrack::from_kpis(*operator, kpis, complaint_position, policy))
                .collect();
            return Ok(Tracks { tracks, is_complete: false });
        }
        let mut tracks: BTreeMap<Operator, OperatorTrack> = BTreeMap::new();
        let mut columns = SampleColumns::new();
        for block in counting(blocks) {
            let bytes = tx.sample_block_bytes(&block.hash)?.unwrap_or_default();
            block_open_into(&bytes, &mut columns).map_err(AppError::internal)?;
            track_add(&mut tracks, block.operator, &columns, complaint_position, policy);
        }
        Ok(Tracks { tracks: tracks.into_values().collect(), is_complete: true })
    }

    /// Asks for the tracks of a test that is too large to be opened while somebody waits, unless that is asked for already.
    pub(super) fn field_test_tracks_ask(&self, tx: &mut Tx, id: FieldTestId) -> AppResult<()> {
        let is_waiting = tx
            .job_list_by_subject(id.into())?
            .iter()
            .any(|job| job.kind == FIELD_TEST_TRACKS && job.finished_at.is_none());
        if is_waiting {
            return Ok(());
        }
        self.job_enqueue(tx, FIELD_TEST_TRACKS, id, self.env.now(), Value::Null)
    }

    /// Computes the tracks of a large test. No transaction stays open while a block is looked at.
    pub(crate) fn field_test_tracks_compute(&self, id: FieldTestId) -> AppResult<()> {
        let read = self.storage.read("field_test_tracks_begin", |tx| {
            let Some(test) = tx.field_test_by_id(id)? else { return Ok(None) };
            let order = tx.work_order_by_id(test.work_order_id)?;
            let policy: FindingPolicy = self.policy(tx, order.as_ref().and_then(|order| order.region_id))?;
            let position = order.as_ref().and_then(WorkOrder::position);
            Ok::<_, AppError>(Some((tx.sample_block_list_by_test(id)?, position, policy)))
        })?;
        let Some((blocks, complaint_position, policy)) = read else { return Ok(()) };
        if !self.is_opened_by_a_job(samples_of(&blocks)) {
            return Ok(());
        }
        let mut tracks: BTreeMap<Operator, OperatorTrack> = BTreeMap::new();
        let mut columns = SampleColumns::new();
        for block in counting(&blocks) {
            let bytes = self.storage.read("field_test_tracks_block", |tx| tx.sample_block_bytes(&block.hash))?;
            block_open_into(&bytes.unwrap_or_default(), &mut columns).map_err(AppError::internal)?;
            track_add(&mut tracks, block.operator, &columns, complaint_position, &policy);
        }
        let tracks: Vec<OperatorTrack> = tracks.into_values().collect();
        let kept = FieldTestTracks {
            field_test_id: id,
            fingerprint: fingerprint(&blocks, complaint_position, &policy)?,
            tracks: serde_json::to_value(&tracks).map_err(AppError::internal)?,
            computed_at: self.env.now(),
        };
        self.storage.write("field_test_tracks_keep", |tx| Ok(tx.field_test_tracks_put(&kept)?))
    }
}
