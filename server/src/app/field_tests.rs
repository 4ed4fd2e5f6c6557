//! Field tests as the desks see them: evidence, figures per operator, what is missing, and what the server finds by itself.
//!
//! Figures are those of the blocks that count; what is kept apart is shown with its reason. What does not belong here: how a
//! test comes in (`sync`), how it is judged (`reviews`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::workflow::evidence_templates::EvidenceTemplates;
use crate::workflow::field_tests::{
    FindingPolicy, OperatorTrack, PhotoEvidence, TestEvidence, TestFinding, picture_is_telling, test_findings,
};
use callout_storage::arrivals::Arrival;
use callout_storage::field_tests::{FieldTest, Submission};
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::reviews::Review;
use callout_storage::sample_blocks::SampleBlock;
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Standing, Tx};
use callout_sync_protocol::evidence::{EvidenceItem, EvidencePresent, EvidenceTemplate, evidence_checklist};
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{
    BlockHash, KpiPolicy, KpiReport, Position, SampleColumns, SampleKpis, block_open, kpis_compute,
};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::volte_walkthrough::VolteWalkthrough;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Most other orders that are named as having the same picture.
const MAX_LOOKALIKES: u32 = 20;

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
    /// Movement is among them; until a job has opened a large test's blocks, it is not.
    pub findings_are_complete: bool,
    /// What it must have.
    pub evidence_template: Option<EvidenceTemplate>,
    /// What of that it has.
    pub checklist: Vec<EvidenceItem>,
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

pub(super) fn counting(blocks: &[SampleBlock]) -> impl Iterator<Item = &SampleBlock> {
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
        let seen = self.storage.read("field_test_show", |tx| {
            let (test, order) = self.field_test_visible(tx, caller, id)?;
            self.field_test_seen(tx, order.as_ref(), test)
        })?;
        if !seen.findings_are_complete {
            // Late blocks, or other thresholds: what the job computed at the submission is old.
            self.storage.write("field_test_tracks_ask", |tx| self.field_test_tracks_ask(tx, id))?;
        }
        Ok(seen)
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

    /// What of its template's evidence a test has; empty where there is no template for it.
    pub(super) fn evidence_checklist_of(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        test: &FieldTest,
        blocks: &[SampleBlock],
        photos: &[Photo],
    ) -> AppResult<Vec<EvidenceItem>> {
        let template = match &test.evidence_template {
            Some(template) => Some(template.clone()),
            None => self.evidence_template_of(tx, order)?,
        };
        let Some(template) = template else { return Ok(Vec::new()) };
        let present = evidence_present(test, photos, &kpis_by_operator(tx, blocks)?);
        Ok(evidence_checklist(&template, &present))
    }

    /// What a test for this order must have, as it is set now.
    pub(super) fn evidence_template_of(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<Option<EvidenceTemplate>> {
        let Some(complaint) = tx.complaint_by_id(order.complaint_id)? else { return Ok(None) };
        let templates: EvidenceTemplates = self.policy(tx, order.region_id)?;
        let rule = templates.template_of(complaint.symptom, complaint.generation);
        Ok(rule.map(|rule| rule.requires.clone()))
    }

    pub(super) fn field_test_seen(
        &self,
        tx: &mut Tx,
        order: Option<&WorkOrder>,
        test: FieldTest,
    ) -> AppResult<FieldTestSeen> {
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
        let region_id = order.and_then(|order| order.region_id);
        let (automatic_findings, findings_are_complete) = match test.submitted_at {
            Some(submitted_at) => {
                let policy: FindingPolicy = self.policy(tx, region_id)?;
                let tracks = self.operator_tracks(tx, order, &test, &blocks, &kpis, &policy)?;
                let evidence = test_evidence(tx, order, &test, submitted_at, &photos, tracks.tracks, &policy)?;
                (test_findings(&evidence, &policy), tracks.is_complete)
            }
            None => (Vec::new(), true),
        };
        let template = match (&test.evidence_template, order) {
            // As it was when the test was handed in.
            (Some(template), _) => Some(template.clone()),
            (None, Some(order)) => self.evidence_template_of(tx, order)?,
            (None, None) => None,
        };
        let present = evidence_present(&test, &photos, &kpis);
        Ok(FieldTestSeen {
            checklist: template.as_ref().map(|template| evidence_checklist(template, &present)).unwrap_or_default(),
            evidence_template: template,
            findings_are_complete,
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

/// What the camera wrote into a photo's file, as `photos::verify` keeps it.
fn camera_claims(photo: &Photo, utc_offset_minutes: i16) -> (Option<Timestamp>, Option<Position>) {
    let Some(exif) = &photo.exif else { return (None, None) };
    let text = |name: &str| exif.get(name).and_then(Value::as_str);
    // A wall clock without a zone is the place's own.
    let local = || {
        let wall: Timestamp = format!("{}Z", text("taken_at_local")?).parse().ok()?;
        Some(wall.plus_seconds(-60 * i64::from(utc_offset_minutes)))
    };
    let number = |name: &str| exif.get(name).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    let position = number("latitude_e6").zip(number("longitude_e6")).map(|(latitude_e6, longitude_e6)| Position {
        latitude_e6,
        longitude_e6,
        accuracy_m: number("accuracy_m").and_then(|metres| u16::try_from(metres).ok()),
        is_mock: false,
    });
    (text("taken_at").and_then(|text| text.parse().ok()).or_else(local), position)
}

/// The perceptual hash of a stored photo.
pub(crate) fn perceptual_hash(photo: &Photo) -> Option<u64> {
    u64::from_str_radix(photo.exif.as_ref()?.get("perceptual_hash")?.as_str()?, 16).ok()
}

/// The other orders that have the same picture, with how many bits differ: the very same bytes, or the same to the eye.
fn lookalikes(tx: &mut Tx, photo: &Photo, policy: &FindingPolicy) -> AppResult<Vec<(WorkOrderId, u32)>> {
    let mut found: BTreeMap<WorkOrderId, u32> = tx
        .photo_list_by_hash(&photo.hash)?
        .iter()
        .filter(|twin| twin.work_order_id != photo.work_order_id)
        .map(|twin| (twin.work_order_id, 0))
        .collect();
    if let Some(hash) = perceptual_hash(photo).filter(|hash| picture_is_telling(*hash)) {
        for like in tx.photo_lookalikes(hash, policy.same_photo_bits, photo.work_order_id, MAX_LOOKALIKES)? {
            if picture_is_telling(like.perceptual_hash) {
                found.entry(like.work_order_id).or_insert(like.distance);
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn test_evidence(
    tx: &mut Tx,
    order: Option<&WorkOrder>,
    test: &FieldTest,
    submitted_at: Timestamp,
    photos: &[Photo],
    tracks: Vec<OperatorTrack>,
    policy: &FindingPolicy,
) -> AppResult<TestEvidence> {
    let arrived_at = tx
        .command_receipt_list_by_work_order(test.work_order_id)?
        .iter()
        .filter(|receipt| receipt.kind == "arrive" && receipt.is_accepted && receipt.tester_id == test.tester_id)
        .map(|receipt| receipt.captured_at)
        .min();
    let utc_offset_minutes = order.map_or(0, |order| order.utc_offset_minutes);
    let mut evidence = Vec::with_capacity(photos.len());
    for photo in photos.iter().filter(|photo| photo.standing == Standing::Accepted) {
        let (camera_taken_at, camera_position) = camera_claims(photo, utc_offset_minutes);
        evidence.push(PhotoEvidence {
            id: photo.id,
            captured_at: photo.captured_at,
            position: photo_position(photo),
            camera_taken_at,
            camera_position,
            lookalikes: lookalikes(tx, photo, policy)?,
        });
    }
    let excused = test.submission.iter().flat_map(|submission| &submission.missing_operators);
    Ok(TestEvidence {
        complaint_position: order.and_then(WorkOrder::position),
        tracks,
        excused: excused.map(|missing| missing.operator).collect(),
        photos: evidence,
        arrived_at,
        submitted_at,
    })
}

/// What of the template's evidence is here and counts.
fn evidence_present(test: &FieldTest, photos: &[Photo], kpis: &BTreeMap<Operator, SampleKpis>) -> EvidencePresent {
    let walk = test.findings.as_ref().and_then(|findings| findings.volte.as_ref());
    let excuses = test.submission.iter().flat_map(|submission| &submission.missing_operators);
    let photos = photos
        .iter()
        .filter(|photo| photo.standing == Standing::Accepted && photo.state == PhotoState::Stored)
        .map(|photo| photo.purpose);
    EvidencePresent {
        samples: kpis.iter().map(|(operator, kpis)| (*operator, kpis.total().samples)).collect(),
        photos: photos.collect(),
        excuses: excuses.map(|missing| (missing.operator, missing.reason.clone())).collect(),
        is_volte_walked: walk.is_some_and(|walk| walk.conclusion.is_some()),
        test_calls: walk.and_then(VolteWalkthrough::calls_attempted),
    }
}
