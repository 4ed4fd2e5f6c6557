//! A field test as desks see it.

use crate::app::field_tests::FieldTestSeen;
use crate::http::appointments::ArrivalView;
use crate::http::positions::PositionView;
use crate::workflow::field_tests::TestFinding;
use callout_storage::Standing;
use callout_storage::field_tests::FieldTestState;
use callout_storage::photos::{Photo, PhotoState};
use callout_storage::reviews::{Review, ReviewDecision};
use callout_storage::sample_blocks::SampleBlock;
use callout_sync_protocol::commands::{AffectedService, Findings};
use callout_sync_protocol::evidence::{EvidenceItem, EvidenceKind};
use callout_sync_protocol::ids::{DeviceId, FieldTestId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::samples::{BlockHash, KpiReport};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::volte_walkthrough::{
    VolteAnswer, VolteConclusion, VolteQuestion, VolteStage, VolteWalkthrough,
};
use callout_sync_protocol::work_orders::NetworkGeneration;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why something does not count.
#[derive(Serialize, ToSchema)]
pub struct ReasonView {
    /// The problem's name, such as `not-assigned`.
    problem: &'static str,
    /// The title in English.
    title: &'static str,
    /// The title in Chinese.
    title_zh: &'static str,
    /// What exactly.
    detail: String,
}

impl From<Rejection> for ReasonView {
    fn from(rejection: Rejection) -> Self {
        let problem = rejection.problem;
        Self {
            problem: problem.slug(),
            title: problem.title_en(),
            title_zh: problem.title_zh(),
            detail: rejection.detail,
        }
    }
}

/// What the tester found at the place (R-TEST-2, R-VISIT-3).
#[derive(Serialize, ToSchema)]
pub struct FindingsView {
    /// The customer's problem as found.
    problem: String,
    /// Which network generation suffers.
    generation: NetworkGeneration,
    /// `voice`, `data` or `both`.
    #[schema(value_type = String)]
    service: AffectedService,
    /// When it appears.
    occurs: String,
    /// The exact address.
    address: String,
    /// The exact place.
    position: Option<PositionView>,
    /// How the competitors cover the place.
    competitor_coverage: String,
    /// Sites that serve the place.
    serving_sites: Vec<String>,
    /// Planned sites nearby.
    planned_sites: Vec<String>,
    /// Competitors' and the tower company's resources that could be used.
    shareable_resources: Vec<String>,
    /// The customer's most pressing need.
    pressing_need: String,
    /// A direct contact was left.
    contact_left: bool,
    /// The customer was told of the revisit call.
    revisit_announced: bool,
    /// The VoLTE walk, where one was made (R-TEST-4).
    volte: Option<VolteView>,
}

/// A VoLTE walk: what was asked and answered, in order, and what it concludes.
#[derive(Serialize, ToSchema)]
pub struct VolteView {
    /// Question by question.
    answers: Vec<VolteAnswerView>,
    /// The first stage at which something is wrong, such as `access_fails`; absent while the walk is not finished.
    #[schema(value_type = Option<String>)]
    conclusion: Option<VolteConclusion>,
    /// The conclusion in Chinese.
    conclusion_zh: Option<&'static str>,
}

/// An answer of a VoLTE walk.
#[derive(Serialize, ToSchema)]
pub struct VolteAnswerView {
    /// Which question, such as `calls_dropped`.
    #[schema(value_type = String)]
    question: VolteQuestion,
    /// `registration`, `access`, `drop`, `quality` or `fallback`.
    #[schema(value_type = String)]
    stage: VolteStage,
    /// The question in English.
    text: &'static str,
    /// The question in Chinese.
    text_zh: &'static str,
    /// 0 no, 1 yes; or the number.
    value: u32,
}

impl From<VolteWalkthrough> for VolteView {
    fn from(walk: VolteWalkthrough) -> Self {
        let answer = |answer: VolteAnswer| {
            let asked = answer.question.text();
            VolteAnswerView {
                question: answer.question,
                stage: asked.stage,
                text: asked.text_en,
                text_zh: asked.text_zh,
                value: answer.value,
            }
        };
        Self {
            answers: walk.answers.into_iter().map(answer).collect(),
            conclusion: walk.conclusion,
            conclusion_zh: walk.conclusion.map(VolteConclusion::name_zh),
        }
    }
}

impl From<Findings> for FindingsView {
    fn from(findings: Findings) -> Self {
        Self {
            problem: findings.problem,
            generation: findings.generation,
            service: findings.service,
            occurs: findings.occurs,
            address: findings.address,
            position: findings.position.map(PositionView::from),
            competitor_coverage: findings.competitor_coverage,
            serving_sites: findings.serving_sites,
            planned_sites: findings.planned_sites,
            shareable_resources: findings.shareable_resources,
            pressing_need: findings.pressing_need,
            contact_left: findings.contact_left,
            revisit_announced: findings.revisit_announced,
            volte: findings.volte.map(VolteView::from),
        }
    }
}

/// Why a network was not tested (R-TEST-1).
#[derive(Serialize, ToSchema)]
pub struct MissingOperatorView {
    /// Whose.
    operator: Operator,
    /// Why.
    reason: String,
}

/// A sealed block.
#[derive(Serialize, ToSchema)]
pub struct SampleBlockView {
    /// Its content address: BLAKE3, in hexadecimal.
    #[schema(value_type = String)]
    hash: BlockHash,
    /// Whose network.
    operator: Operator,
    /// Its number within test and operator, from 0.
    sequence: u32,
    /// How many samples.
    sample_count: u32,
    /// How many bytes.
    byte_length: u32,
    /// `accepted`, or `quarantined`: kept, but no evidence.
    #[schema(value_type = String)]
    standing: Standing,
    /// Why it is no evidence.
    standing_reason: Option<ReasonView>,
    /// When it arrived.
    received_at: Timestamp,
}

/// A photo.
#[derive(Serialize, ToSchema)]
pub struct PhotoView {
    /// The photo.
    id: PhotoId,
    /// `announced`, `stored` or `refused`.
    #[schema(value_type = String)]
    state: PhotoState,
    /// What it shows.
    #[schema(value_type = String)]
    purpose: PhotoPurpose,
    /// When it was taken, by the phone's clock.
    captured_at: Timestamp,
    /// Where.
    position: Option<PositionView>,
    /// How many bytes.
    byte_length: u64,
    /// In pixels, once stored.
    width: Option<i32>,
    /// In pixels, once stored.
    height: Option<i32>,
    /// `accepted`, or `quarantined`: kept, but no evidence.
    #[schema(value_type = String)]
    standing: Standing,
    /// Why it is no evidence, or was refused.
    standing_reason: Option<ReasonView>,
}

/// One operator's figures.
#[derive(Serialize, ToSchema)]
pub struct OperatorKpiView {
    /// Whose network.
    operator: Operator,
    /// Coverage, weakness, grades and distributions, together and by technology.
    #[schema(value_type = Object)]
    kpi: KpiReport,
}

/// A review.
#[derive(Serialize, ToSchema)]
pub struct ReviewView {
    /// The review.
    id: Uuid,
    /// Who reviewed.
    reviewer_id: UserId,
    /// `approve` or `send_back`.
    #[schema(value_type = String)]
    decision: ReviewDecision,
    /// Why it was sent back.
    reasons: Vec<String>,
    /// What is done now.
    quick_relief: Option<String>,
    /// What is done for good.
    cure: Option<String>,
    /// What kind of work the cure is: `optimise`, `fault`, `retrofit` or `build`.
    kind: Option<String>,
    /// Which hand-in it judged, from 1.
    submission_number: u32,
    /// The template's codes of the reasons.
    reason_codes: Vec<String>,
    /// The template's sections as answered: `{section, assessment, note}`.
    #[schema(value_type = Vec<Object>)]
    sections: serde_json::Value,
    /// Why a test that lacks evidence was good enough.
    evidence_accepted_because: Option<String>,
    /// The step of the ladder that comes next, by its key.
    ladder_step: Option<String>,
    /// When.
    created_at: Timestamp,
}

/// An item of the evidence checklist (R-TEST-1, R-TEST-4).
#[derive(Serialize, ToSchema)]
pub struct EvidenceItemView {
    /// `samples`, `photos`, `volte_walkthrough` or `test_calls`.
    #[schema(value_type = String)]
    kind: EvidenceKind,
    /// Of whose network.
    operator: Option<Operator>,
    /// Showing what; absent: anything.
    #[schema(value_type = Option<String>)]
    purpose: Option<PhotoPurpose>,
    /// How much there must be.
    required: u64,
    /// How much there is.
    present: u64,
    /// There is enough, or the tester said why not.
    is_met: bool,
    /// Why it is lacking, in the tester's words.
    excuse: Option<String>,
    /// The item in English.
    text: String,
    /// The item in Chinese.
    text_zh: String,
}

impl From<EvidenceItem> for EvidenceItemView {
    fn from(item: EvidenceItem) -> Self {
        Self {
            kind: item.kind,
            operator: item.operator,
            purpose: item.purpose,
            required: item.required,
            present: item.present,
            is_met: item.is_met(),
            text: item.text_en(),
            text_zh: item.text_zh(),
            excuse: item.excuse,
        }
    }
}

/// Something remarkable that the server found by itself (R-REVIEW-1).
#[derive(Serialize, ToSchema)]
pub struct FindingView {
    /// Names it, such as `out_of_area`; never changes its meaning.
    code: &'static str,
    /// What it is, in English.
    title: &'static str,
    /// What it is, in Chinese.
    title_zh: &'static str,
    /// What was found with its figures, in English.
    text: String,
    /// What was found with its figures, in Chinese.
    text_zh: String,
    /// The figures, and what they are of: `operator`, `photo_id`, `samples` …
    #[schema(value_type = Object)]
    figures: serde_json::Value,
}

impl From<TestFinding> for FindingView {
    fn from(finding: TestFinding) -> Self {
        let title = finding.title();
        // A finding is an object of plain values; should it ever not be, its words still say what was found.
        let mut figures = serde_json::to_value(&finding).unwrap_or_default();
        if let Some(fields) = figures.as_object_mut() {
            fields.remove("kind");
        }
        Self {
            code: title.code,
            title: title.title_en,
            title_zh: title.title_zh,
            text: finding.text_en(),
            text_zh: finding.text_zh(),
            figures,
        }
    }
}

/// A field test.
#[derive(Serialize, ToSchema)]
pub struct FieldTestView {
    /// The test.
    id: FieldTestId,
    /// The order that it was made for.
    work_order_id: WorkOrderId,
    /// Who made it.
    tester_id: UserId,
    /// On which phone.
    device_id: DeviceId,
    /// `accepted`, or `quarantined`: kept, but no evidence.
    #[schema(value_type = String)]
    standing: Standing,
    /// Why it is no evidence.
    standing_reason: Option<ReasonView>,
    /// `begun`, `submitted`, `sent_back` or `approved`.
    #[schema(value_type = String)]
    state: FieldTestState,
    /// When it began, by the phone's clock.
    begun_at: Timestamp,
    /// When it was handed in last, by the phone's clock.
    submitted_at: Option<Timestamp>,
    /// How often it was handed in.
    submission_count: u32,
    /// What the tester found.
    findings: Option<FindingsView>,
    /// Networks that were not tested, and why.
    missing_operators: Vec<MissingOperatorView>,
    /// Its blocks.
    blocks: Vec<SampleBlockView>,
    /// Cited blocks that have not arrived.
    #[schema(value_type = Vec<String>)]
    missing_blocks: Vec<BlockHash>,
    /// Its photos.
    photos: Vec<PhotoView>,
    /// The operators side by side, over the blocks that count.
    operators: Vec<OperatorKpiView>,
    /// What the server finds remarkable, once it is handed in.
    automatic_findings: Vec<FindingView>,
    /// False while a job has yet to open a large test's blocks: what they tell of movement is not among the findings then.
    findings_are_complete: bool,
    /// The code of the template of what it must have; absent where there is none for it.
    evidence_template: Option<String>,
    /// What it must have, and what of that is here and counts.
    evidence: Vec<EvidenceItemView>,
    /// Its reviews, oldest first.
    reviews: Vec<ReviewView>,
    /// The tester's last arrival for the order, compared with the appointment (R-VISIT-1).
    arrival: Option<ArrivalView>,
}

fn block_view(block: SampleBlock) -> SampleBlockView {
    SampleBlockView {
        hash: block.hash,
        operator: block.operator,
        sequence: block.sequence,
        sample_count: block.sample_count,
        byte_length: block.byte_length,
        standing: block.standing,
        standing_reason: block.standing_reason.map(ReasonView::from),
        received_at: block.received_at,
    }
}

fn photo_view(photo: Photo) -> PhotoView {
    let degrees = |e6: i32| f64::from(e6) / 1e6;
    let place = photo.latitude_e6.zip(photo.longitude_e6);
    PhotoView {
        id: photo.id,
        state: photo.state,
        purpose: photo.purpose,
        captured_at: photo.captured_at,
        position: place
            .map(|(latitude, longitude)| PositionView { latitude: degrees(latitude), longitude: degrees(longitude) }),
        byte_length: photo.byte_length,
        width: photo.width,
        height: photo.height,
        standing: photo.standing,
        standing_reason: photo.standing_reason.or(photo.refusal).map(ReasonView::from),
    }
}

fn review_view(review: Review) -> ReviewView {
    ReviewView {
        id: review.id,
        reviewer_id: review.reviewer_id,
        decision: review.decision,
        reasons: review.reasons,
        quick_relief: review.quick_relief,
        cure: review.cure,
        kind: review.rung,
        submission_number: review.submission_number,
        reason_codes: review.reason_codes,
        sections: review.sections,
        evidence_accepted_because: review.evidence_accepted_because,
        ladder_step: review.ladder_step,
        created_at: review.created_at,
    }
}

pub(super) fn field_test_view(seen: FieldTestSeen) -> FieldTestView {
    let FieldTestSeen { test, blocks, missing_blocks, photos, operators, automatic_findings, reviews, arrival, .. } =
        seen;
    let missing_operators = test.submission.into_iter().flat_map(|submission| submission.missing_operators);
    FieldTestView {
        id: test.id,
        work_order_id: test.work_order_id,
        tester_id: test.tester_id,
        device_id: test.device_id,
        standing: test.standing,
        standing_reason: test.standing_reason.map(ReasonView::from),
        state: test.state,
        begun_at: test.begun_at,
        submitted_at: test.submitted_at,
        submission_count: test.submission_count,
        findings: test.findings.map(FindingsView::from),
        missing_operators: missing_operators
            .map(|missing| MissingOperatorView { operator: missing.operator, reason: missing.reason })
            .collect(),
        blocks: blocks.into_iter().map(block_view).collect(),
        missing_blocks,
        photos: photos.into_iter().map(photo_view).collect(),
        operators: operators.into_iter().map(|(operator, kpi)| OperatorKpiView { operator, kpi }).collect(),
        automatic_findings: automatic_findings.into_iter().map(FindingView::from).collect(),
        findings_are_complete: seen.findings_are_complete,
        evidence_template: seen.evidence_template.map(|template| template.code),
        evidence: seen.checklist.into_iter().map(EvidenceItemView::from).collect(),
        reviews: reviews.into_iter().map(review_view).collect(),
        arrival: arrival.map(ArrivalView::from),
    }
}
