//! Shared by the workflow tests: one sample of every command, and facts under which nothing but the state stands in the way.

use callout_server::workflow::handoffs::{HandoffOutcome, HandoffRecipient};
use callout_server::workflow::places::Place;
use callout_server::workflow::replies::ReplyText;
use callout_server::workflow::reviews::{PlanKind, ReviewPlan};
use callout_server::workflow::revisits::RevisitAnswer;
use callout_server::workflow::work_orders::{WorkOrderCommand, WorkOrderFacts};
use callout_sync_protocol::commands::{AffectedService, BlockCitation, CommandBody, ContactOutcome, Findings};
use callout_sync_protocol::field_workflow::{FieldFacts, RestHours};
use callout_sync_protocol::ids::{FieldTestId, PhotoId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::samples::{BlockHash, Position};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, TimeWindow, Urgency};

/// Minutes that China is ahead of UTC.
pub const CHINA: i16 = 8 * 60;

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An instant by China's clock, such as `2026-02-14 09:00`.
pub fn china(text: &str) -> Timestamp {
    at(&format!("{}:00+08:00", text.replace(' ', "T")))
}

pub fn position(latitude: f64, longitude: f64) -> Position {
    Position {
        latitude_e6: (latitude * 1e6).round() as i32,
        longitude_e6: (longitude * 1e6).round() as i32,
        accuracy_m: None,
        is_mock: false,
    }
}

pub fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

pub fn region(n: u8) -> RegionId {
    RegionId::from_bytes([n; 16])
}

pub fn test_id(n: u8) -> FieldTestId {
    FieldTestId::from_bytes([n; 16])
}

pub fn place() -> Place {
    Place { address: "武昌区人民路12号".into(), position: position(30.54, 114.30) }
}

pub fn reply() -> ReplyText {
    ReplyText { text: "测试已完成，正在调整天线".into(), next_step: Some("周三前复测".into()) }
}

pub fn plan(kind: PlanKind) -> ReviewPlan {
    ReviewPlan {
        quick_relief: "raise the power of cell 3".into(),
        cure: "tilt the antenna".into(),
        kind,
        ladder_step: Some("antenna".into()),
        evidence_accepted_because: None,
        sections: vec![],
    }
}

pub fn answer(solved: bool, score: u8) -> RevisitAnswer {
    RevisitAnswer { solved, score, words: None }
}

/// Facts under which only the state can stand in the way.
pub fn facts() -> WorkOrderFacts {
    WorkOrderFacts {
        region_id: Some(region(1)),
        place_region_id: Some(region(1)),
        assignee: Some(user(1)),
        tester_in_region: true,
        evidence_arrived: true,
        has_approved_test: true,
        resolved_at: Some(at("2026-11-20T02:00:00Z")),
        ..WorkOrderFacts::at(at("2026-11-23T02:00:00Z"))
    }
}

/// One sample of every desk command, with the words that tell variants apart.
pub fn desk_commands() -> Vec<(&'static str, WorkOrderCommand)> {
    use WorkOrderCommand as C;
    vec![
        ("", C::Locate(place())),
        ("", C::AskCustomer { question: "几号楼？".into() }),
        ("", C::CustomerAnswered { answer: "12号楼".into() }),
        ("", C::Dispatch { tester: user(2) }),
        ("", C::SetAppointment(TimeWindow { from: at("2026-11-23T06:30:00Z"), until: at("2026-11-23T07:30:00Z") })),
        ("approved", C::DispatchCheck { approved: true, reason: None }),
        ("stopped", C::DispatchCheck { approved: false, reason: Some("too far away".into()) }),
        ("", C::Reassign { tester: user(2), reason: "ill".into(), was_wrong: false }),
        ("wrong dispatch", C::Reassign { tester: user(2), reason: "other region".into(), was_wrong: true }),
        ("", C::Withdraw { reason: "客户撤诉".into() }),
        ("facts", C::Chase { urgency: None, note: Some("the lift hall too".into()) }),
        ("urgency", C::Chase { urgency: Some(Urgency::Urgent), note: None }),
        ("", C::RaiseToCoordination { reason: "the press asks".into() }),
        ("", C::ReviewApprove(plan(PlanKind::Retrofit))),
        ("", C::ReviewSendBack { reasons: vec!["no samples indoors".into()] }),
        ("", C::HandOver { recipient: HandoffRecipient::Branch, demand: "property access".into() }),
        ("", C::HandoffAnswer { outcome: HandoffOutcome::Done }),
        ("wrong addressee", C::HandoffAnswer { outcome: HandoffOutcome::WrongAddressee }),
        ("", C::StageReply(reply())),
        ("", C::FinalReplyUnresolved(reply())),
        ("", C::HoldSolved { what_was_done: "antenna tilted".into() }),
        ("", C::RevisitAgain),
        ("solved", C::RevisitAnswered(answer(true, 9))),
        ("solved, low score", C::RevisitAnswered(answer(true, 5))),
        ("denied", C::RevisitAnswered(answer(false, 7))),
        ("", C::ComplainedAgain),
    ]
}

/// One sample of every command of a tester.
pub fn field_commands() -> Vec<(&'static str, CommandBody)> {
    let window = TimeWindow { from: at("2026-11-23T06:30:00Z"), until: at("2026-11-23T08:00:00Z") };
    let contact =
        |outcome, appointment| CommandBody::Contact { outcome, appointment, emergency_reason: None, note: None };
    let blocks = Operator::REQUIRED
        .iter()
        .map(|operator| BlockCitation { operator: *operator, sequence: 0, hash: BlockHash([0; 32]), sample_count: 100 })
        .collect();
    vec![
        ("", CommandBody::Accept {}),
        ("", CommandBody::Decline { reason: "ill".into() }),
        ("reached", contact(ContactOutcome::Reached, Some(window))),
        ("not reached", contact(ContactOutcome::NoAnswer, None)),
        ("", CommandBody::Arrive { position: place().position }),
        ("", CommandBody::PhotoConsent { granted: true }),
        ("", CommandBody::TestBegin { field_test_id: test_id(1) }),
        ("", CommandBody::FindingsRecord { field_test_id: test_id(1), findings: findings() }),
        ("", CommandBody::PhotoAttach { manifest: photo() }),
        (
            "",
            CommandBody::TestSubmit {
                field_test_id: test_id(1),
                blocks,
                photos: vec![PhotoId::NIL],
                missing_operators: vec![],
            },
        ),
    ]
}

pub fn field_facts() -> FieldFacts {
    FieldFacts {
        is_assignee: true,
        captured_at: at("2026-11-23T02:00:00Z"),
        utc_offset_minutes: CHINA,
        photo_consent: Some(true),
        field_test_id: Some(test_id(1)),
        has_findings: true,
        rest_hours: RestHours::default(),
    }
}

fn findings() -> Findings {
    Findings {
        problem: "calls drop in the lift hall".into(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Voice,
        occurs: "evenings".into(),
        address: "人民路12号".into(),
        position: None,
        competitor_coverage: String::new(),
        serving_sites: vec![],
        planned_sites: vec![],
        shareable_resources: vec![],
        pressing_need: String::new(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    }
}

fn photo() -> PhotoManifest {
    PhotoManifest {
        id: PhotoId::NIL,
        field_test_id: test_id(1),
        work_order_id: WorkOrderId::NIL,
        hash: PhotoHash([0; 32]),
        byte_length: 300_000,
        media_type: MediaType::Jpeg,
        purpose: PhotoPurpose::Site,
        captured_at: at("2026-11-23T02:00:00Z"),
        position: None,
    }
}
