//! Field tests as the desks see them: evidence, figures per operator, what is missing, and what the server finds by itself.
//!
//! Figures are those of the blocks that count; what is kept apart is shown with its reason. What does not belong here: how a
//! test comes in (`sync`), how it is judged (`reviews`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::workflow::field_tests::{
    FindingPolicy, OperatorTrack, PhotoEvidence, TestEvidence, TestFinding, test_findings,
};
use callout_storage::arrivals::Arrival;
use callout_storage::field_tests::{FieldTest, Submission};
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::reviews::Review;
use callout_storage::sample_blocks::SampleBlock;
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Standing, Tx};
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{
    BlockHash, KpiPolicy, KpiReport, Position, SampleColumns, SampleKpis, block_open, block_open_into, kpis_compute,
};
use callout_sync_protocol::time::Timestamp;
use std::collections::{BTreeMap, HashSet};

/// Blocks of larger tests are not opened to judge them: their kept figures tell all but the movement.
const MAX_OPENED_SAMPLES: u64 = 1_000_000;

/// A test with all that belongs to it.
#[derive(Clone, Debug)]
pub struct FieldTestSeen {
    /// The test.
    pub test: FieldTest,
    /// Its blocks, by operator and number, with those that do not count.
    pub blocks: Vec<SampleBlock>,
    /// Blocks that it cites and that have not arrived.
    pub missing_blocks: Vec<BlockHash>,
    /// Its photos.
    pub photos: Vec<Photo>,
    /// The figures of each operator's blocks that count.
    pub operators: Vec<(Operator, KpiReport)>,
    /// What is remarkable about it, once handed in.
    pub automatic_findings: Vec<TestFinding>,
    /// Its reviews, oldest first.
    pub reviews: Vec<Review>,
    /// The tester's last arrival for the order, compared with the appointment (R-VISIT-1).
    pub arrival: Option<Arrival>,
}

/// What of the evidence that a submission cites is here.
pub(super) struct EvidenceStanding {
    /// Cited blocks that have not arrived.
    pub missing_blocks: Vec<BlockHash>,
    /// Everything cited is here and counts.
    pub is_complete: bool,
}

/// Compares what a submission cites with what is here.
pub(super) fn evidence_standing(submission: &Submission, blocks: &[SampleBlock], photos: &[Photo]) -> EvidenceStanding {
    let present: HashSet<&BlockHash> = blocks.iter().map(|block| &block.hash).collect();
    let counting: HashSet<&BlockHash> = counting(blocks).map(|block| &block.hash).collect();
    let cited = || submission.blocks.iter().map(|cited| &cited.hash);
    let photos_stored = submission.photos.iter().all(|id| {
        photos
            .iter()
            .any(|photo| photo.id == *id && photo.state == PhotoState::Stored && photo.standing == Standing::Accepted)
    });
    EvidenceStanding {
        missing_blocks: cited().filter(|hash| !present.contains(hash)).copied().collect(),
        is_complete: photos_stored && cited().all(|hash| counting.contains(hash)),
    }
}

fn counting(blocks: &[SampleBlock]) -> impl Iterator<Item = &SampleBlock> {
    blocks.iter().filter(|block| block.standing == Standing::Accepted)
}

fn photo_position(photo: &Photo) -> Option<Position> {
    Some(Position {
        latitude_e6: photo.latitude_e6?,
        longitude_e6: photo.longitude_e6?,
        accuracy_m: photo.accuracy_m.and_then(|metres| u16::try_from(metres).ok()),
        is_mock: photo.is_mock,
    })
}

impl App {
    /// An order's tests, oldest first, with those that do not count.
    pub fn field_test_list(&self, caller: &Caller, work_order_id: WorkOrderId) -> AppResult<Vec<FieldTestSeen>> {
        self.storage.read("field_test_list", |tx| {
            let order = self.work_order_visible(tx, caller, work_order_id)?;
            tx.field_test_list_by_work_order(work_order_id)?
                .into_iter()
                .map(|test| self.field_test_seen(tx, Some(&order), test))
                .collect()
        })
    }

    /// A test of an order of the caller's regions. What belongs to no known order is seen by those who see what has no region.
    ///
    /// # Errors
    /// `not-found` for what does not exist and for what lies outside the caller's regions alike.
    pub fn field_test_show(&self, caller: &Caller, id: FieldTestId) -> AppResult<FieldTestSeen> {
        self.storage.read("field_test_show", |tx| {
            let (test, order) = self.field_test_visible(tx, caller, id)?;
            self.field_test_seen(tx, order.as_ref(), test)
        })
    }

    fn field_test_visible(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: FieldTestId,
    ) -> AppResult<(FieldTest, Option<WorkOrder>)> {
        let scope = self.caller_scope(tx, caller)?;
        let test = tx.field_test_by_id(id)?.ok_or_else(|| AppError::not_found("field test"))?;
        let order = tx.work_order_by_id(test.work_order_id)?;
        if !scope.contains(order.as_ref().and_then(|order| order.region_id)) {
            return Err(AppError::not_found("field test"));
        }
        Ok((test, order))
    }

    fn field_test_seen(&self, tx: &mut Tx, order: Option<&WorkOrder>, test: FieldTest) -> AppResult<FieldTestSeen> {
        let blocks = tx.sample_block_list_by_test(test.id)?;
        let photos = tx.photo_list_by_test(test.id)?;
        let reviews = tx.review_list_by_test(test.id)?;
        let arrivals = tx.arrival_list_by_work_orders(&[test.work_order_id])?;
        let arrival = arrivals.into_iter().rfind(|arrival| arrival.tester_id == test.tester_id);
        let kpis = kpis_by_operator(tx, &blocks)?;
        let missing_blocks = match &test.submission {
            Some(submission) => evidence_standing(submission, &blocks, &photos).missing_blocks,
            None => Vec::new(),
        };
        let automatic_findings = match test.submitted_at {
            Some(submitted_at) => {
                let evidence = test_evidence(tx, order, &test, submitted_at, &blocks, &photos, &kpis)?;
                test_findings(&evidence, &FindingPolicy::default())
            }
            None => Vec::new(),
        };
        Ok(FieldTestSeen {
            operators: kpis.iter().map(|(operator, kpis)| (*operator, kpis.report())).collect(),
            test,
            blocks,
            missing_blocks,
            photos,
            automatic_findings,
            reviews,
            arrival,
        })
    }

    /// The blocks of a test, those that do not count too, of one operator or of all.
    pub fn field_test_blocks(
        &self,
        caller: &Caller,
        id: FieldTestId,
        operator: Option<Operator>,
    ) -> AppResult<Vec<SampleBlock>> {
        self.storage.read("field_test_blocks", |tx| {
            self.field_test_visible(tx, caller, id)?;
            let mut blocks = tx.sample_block_list_by_test(id)?;
            blocks.retain(|block| operator.is_none_or(|operator| block.operator == operator));
            Ok(blocks)
        })
    }

    /// The samples of a block, opened on demand; `None` for one that is kept although it cannot be read.
    pub fn sample_block_open(&self, hash: &BlockHash) -> AppResult<Option<SampleColumns>> {
        let bytes = self.storage.read("sample_block_open", |tx| tx.sample_block_bytes(hash))?;
        Ok(bytes.and_then(|bytes| block_open(&bytes).ok()).map(|(_, columns)| columns))
    }
}

/// The merged figures of each operator's blocks that count.
pub(crate) fn kpis_by_operator(tx: &mut Tx, blocks: &[SampleBlock]) -> AppResult<BTreeMap<Operator, SampleKpis>> {
    let mut merged: BTreeMap<Operator, SampleKpis> = BTreeMap::new();
    for block in counting(blocks) {
        let kept: SampleKpis = serde_json::from_value(block.kpi.clone()).map_err(AppError::internal)?;
        let mine = merged.entry(block.operator).or_insert_with(|| SampleKpis::new(KpiPolicy::default()));
        if mine.merge(&kept).is_err() {
            // Counted by thresholds of another time: the samples are there to be counted anew.
            let bytes = tx.sample_block_bytes(&block.hash)?.unwrap_or_default();
            let (_, columns) = block_open(&bytes).map_err(AppError::internal)?;
            mine.merge(&kpis_compute(&columns, &mine.policy)).map_err(AppError::internal)?;
        }
    }
    Ok(merged)
}

fn test_evidence(
    tx: &mut Tx,
    order: Option<&WorkOrder>,
    test: &FieldTest,
    submitted_at: Timestamp,
    blocks: &[SampleBlock],
    photos: &[Photo],
    kpis: &BTreeMap<Operator, SampleKpis>,
) -> AppResult<TestEvidence> {
    let complaint_position = order.and_then(WorkOrder::position);
    let arrived_at = tx
        .command_receipt_list_by_work_order(test.work_order_id)?
        .iter()
        .filter(|receipt| receipt.kind == "arrive" && receipt.is_accepted && receipt.tester_id == test.tester_id)
        .map(|receipt| receipt.captured_at)
        .min();
    let mut evidence = Vec::with_capacity(photos.len());
    for photo in photos.iter().filter(|photo| photo.standing == Standing::Accepted) {
        let twins = tx.photo_list_by_hash(&photo.hash)?;
        evidence.push(PhotoEvidence {
            id: photo.id,
            captured_at: photo.captured_at,
            position: photo_position(photo),
            lookalikes: twins
                .iter()
                .filter(|twin| twin.work_order_id != photo.work_order_id)
                .map(|twin| (twin.work_order_id, 0))
                .collect(),
        });
    }
    let excused = test.submission.iter().flat_map(|submission| &submission.missing_operators);
    Ok(TestEvidence {
        complaint_position,
        tracks: operator_tracks(tx, blocks, kpis, complaint_position)?,
        excused: excused.map(|missing| missing.operator).collect(),
        photos: evidence,
        arrived_at,
        submitted_at,
    })
}

fn operator_tracks(
    tx: &mut Tx,
    blocks: &[SampleBlock],
    kpis: &BTreeMap<Operator, SampleKpis>,
    complaint_position: Option<Position>,
) -> AppResult<Vec<OperatorTrack>> {
    let policy = FindingPolicy::default();
    let samples: u64 = counting(blocks).map(|block| u64::from(block.sample_count)).sum();
    if samples > MAX_OPENED_SAMPLES {
        return Ok(kpis
            .iter()
            .map(|(operator, kpis)| OperatorTrack::from_kpis(*operator, kpis, complaint_position, &policy))
            .collect());
    }
    let mut tracks: BTreeMap<Operator, OperatorTrack> = BTreeMap::new();
    // One block after the other, in the order of capture, in the memory of one.
    let mut columns = SampleColumns::new();
    for block in counting(blocks) {
        let bytes = tx.sample_block_bytes(&block.hash)?.unwrap_or_default();
        block_open_into(&bytes, &mut columns).map_err(AppError::internal)?;
        let track = tracks.entry(block.operator).or_insert_with(|| OperatorTrack::new(block.operator));
        columns.iter().for_each(|sample| track.add(&sample, complaint_position, &policy));
    }
    Ok(tracks.into_values().collect())
}
