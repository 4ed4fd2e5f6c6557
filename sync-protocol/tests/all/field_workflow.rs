//! The tester's part of the workflow, rule by rule, through its one public function.

use callout_sync_protocol::commands::{
    AffectedService, BlockCitation, CommandBody, ContactOutcome, Findings, MissingOperator,
};
use callout_sync_protocol::field_workflow::{FieldEffect, FieldFacts, FieldTransition, RestHours, field_transition};
use callout_sync_protocol::ids::{FieldTestId, PhotoId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::{MediaType, PhotoHash, PhotoManifest, PhotoPurpose};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::{BlockHash, Position};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, TimeWindow, WorkOrderState as S};

const CHINA_OFFSET: i16 = 8 * 60;

fn test_id(n: u8) -> FieldTestId {
    FieldTestId::from_bytes([n; 16])
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Ten in the morning in China, on the tester's own order, with a test begun and its findings recorded.
fn facts() -> FieldFacts {
    FieldFacts {
        is_assignee: true,
        captured_at: at("2026-11-23T02:00:00Z"),
        utc_offset_minutes: CHINA_OFFSET,
        photo_consent: Some(true),
        field_test_id: Some(test_id(1)),
        has_findings: true,
        rest_hours: RestHours::default(),
    }
}

fn position() -> Position {
    Position { latitude_e6: 30_500_000, longitude_e6: 114_300_000, accuracy_m: Some(8), is_mock: false }
}

fn window() -> TimeWindow {
    TimeWindow { from: at("2026-11-23T06:30:00Z"), until: at("2026-11-23T08:00:00Z") }
}

fn contact(outcome: ContactOutcome, appointment: Option<TimeWindow>, emergency_reason: Option<&str>) -> CommandBody {
    CommandBody::Contact { outcome, appointment, emergency_reason: emergency_reason.map(str::to_owned), note: None }
}

fn findings() -> CommandBody {
    CommandBody::FindingsRecord {
        field_test_id: test_id(1),
        findings: Findings {
            problem: "calls drop in the lift hall".into(),
            generation: NetworkGeneration::Lte,
            service: AffectedService::Voice,
            occurs: "evenings".into(),
            address: "人民路12号".into(),
            position: Some(position()),
            competitor_coverage: String::new(),
            serving_sites: vec![],
            planned_sites: vec![],
            shareable_resources: vec![],
            pressing_need: String::new(),
            contact_left: true,
            revisit_announced: true,
            volte: None,
        },
    }
}

fn photo(purpose: PhotoPurpose) -> CommandBody {
    CommandBody::PhotoAttach {
        manifest: PhotoManifest {
            id: PhotoId::NIL,
            field_test_id: test_id(1),
            work_order_id: WorkOrderId::NIL,
            hash: PhotoHash([0; 32]),
            byte_length: 300_000,
            media_type: MediaType::Jpeg,
            purpose,
            captured_at: at("2026-11-23T02:00:00Z"),
            position: None,
        },
    }
}

fn submit(tested: &[Operator], excused: &[Operator]) -> CommandBody {
    CommandBody::TestSubmit {
        field_test_id: test_id(1),
        blocks: tested
            .iter()
            .map(|operator| BlockCitation {
                operator: *operator,
                sequence: 0,
                hash: BlockHash([0; 32]),
                sample_count: 100,
            })
            .collect(),
        photos: vec![],
        missing_operators: excused
            .iter()
            .map(|operator| MissingOperator { operator: *operator, reason: "the SIM is blocked".into() })
            .collect(),
    }
}

fn accepted(result: Result<FieldTransition, Rejection>) -> (S, Vec<FieldEffect>) {
    let transition = result.unwrap();
    (transition.state, transition.effects)
}

fn problem(result: Result<FieldTransition, Rejection>) -> ProblemType {
    result.unwrap_err().problem
}

/// From, to, effects.
type Move = (S, S, Vec<FieldEffect>);

/// For each command, the states in which it is possible and where it leads; everywhere else it is refused.
#[test]
fn every_command_in_every_state() {
    use FieldEffect as E;
    let working = [S::Accepted, S::Contacted, S::OnSite, S::SentBack];
    let stays = |effect: E| working.map(|s| (s, s, vec![effect])).to_vec();
    let table: Vec<(CommandBody, Vec<Move>)> = vec![
        (CommandBody::Accept {}, vec![(S::Dispatched, S::Accepted, vec![])]),
        (
            CommandBody::Decline { reason: "ill".into() },
            vec![(S::Dispatched, S::Located, vec![E::Unassign]), (S::Accepted, S::Located, vec![E::Unassign])],
        ),
        (
            contact(ContactOutcome::Reached, Some(window()), None),
            vec![
                (S::Accepted, S::Contacted, vec![E::AppointmentSet]),
                (S::Contacted, S::Contacted, vec![E::AppointmentSet]),
                (S::OnSite, S::OnSite, vec![E::AppointmentSet]),
                (S::SentBack, S::SentBack, vec![E::AppointmentSet]),
            ],
        ),
        (contact(ContactOutcome::NoAnswer, None, None), working.map(|s| (s, s, vec![])).to_vec()),
        (contact(ContactOutcome::VisitRefused, None, None), working.map(|s| (s, s, vec![])).to_vec()),
        (
            CommandBody::Arrive { position: position() },
            vec![
                (S::Contacted, S::OnSite, vec![E::ArrivalRecorded]),
                (S::OnSite, S::OnSite, vec![E::ArrivalRecorded]),
                (S::SentBack, S::SentBack, vec![E::ArrivalRecorded]),
            ],
        ),
        (CommandBody::PhotoConsent { granted: false }, stays(E::PhotoConsentSet(false))),
        // The order's own test again: nothing new.
        (CommandBody::TestBegin { field_test_id: test_id(1) }, working.map(|s| (s, s, vec![])).to_vec()),
        (findings(), stays(E::FindingsReplaced)),
        (photo(PhotoPurpose::Indoors), stays(E::PhotoAdded)),
        (
            submit(&Operator::REQUIRED, &[]),
            vec![(S::OnSite, S::Submitted, vec![E::TestHandedIn]), (S::SentBack, S::Submitted, vec![E::TestHandedIn])],
        ),
    ];
    for (body, possible) in table {
        for state in S::ALL {
            let result = field_transition(*state, &body, &facts());
            match possible.iter().find(|(from, _, _)| from == state) {
                Some((_, to, effects)) => {
                    assert_eq!(accepted(result), (*to, effects.clone()), "{} in {state}", body.kind());
                }
                None => {
                    assert_eq!(problem(result), ProblemType::IllegalTransition, "{} in {state}", body.kind());
                }
            }
        }
    }
}

#[test]
fn nobody_else_moves_the_order() {
    for state in S::ALL {
        let facts = FieldFacts { is_assignee: false, ..facts() };
        assert_eq!(problem(field_transition(*state, &CommandBody::Accept {}, &facts)), ProblemType::NotAssigned);
    }
}

#[test]
fn r_contact_1_rest_hours_need_an_emergency() {
    // Local time in China, eight hours ahead; the limits are half open.
    for (utc, is_rest) in [
        ("2026-11-23T03:59:59Z", false), // 11:59:59
        ("2026-11-23T04:00:00Z", true),  // 12:00
        ("2026-11-23T06:29:59Z", true),  // 14:29:59
        ("2026-11-23T06:30:00Z", false), // 14:30
        ("2026-11-23T12:59:59Z", false), // 20:59:59
        ("2026-11-23T13:00:00Z", true),  // 21:00
        ("2026-11-23T16:00:00Z", true),  // 00:00
        ("2026-11-24T00:29:59Z", true),  // 08:29:59
        ("2026-11-24T00:30:00Z", false), // 08:30
    ] {
        let facts = FieldFacts { captured_at: at(utc), ..facts() };
        let without = field_transition(S::Accepted, &contact(ContactOutcome::NoAnswer, None, None), &facts);
        let with = field_transition(S::Accepted, &contact(ContactOutcome::NoAnswer, None, Some("fire alarm")), &facts);
        if is_rest {
            assert_eq!(problem(without), ProblemType::CustomerRestHours, "{utc}");
            assert_eq!(accepted(with).1, vec![FieldEffect::EmergencyContactRecorded], "{utc}");
        } else {
            assert_eq!(accepted(without).1, vec![], "{utc}");
            assert_eq!(accepted(with).1, vec![], "{utc}");
        }
    }
    // Local time decides: ten in the morning in China is two at night in Greenwich.
    let greenwich = FieldFacts { utc_offset_minutes: 0, ..facts() };
    assert_eq!(
        problem(field_transition(S::Accepted, &contact(ContactOutcome::NoAnswer, None, None), &greenwich)),
        ProblemType::CustomerRestHours
    );
}

#[test]
fn r_contact_1_a_blank_emergency_is_none() {
    let facts = FieldFacts { captured_at: at("2026-11-23T04:30:00Z"), ..facts() };
    let body = contact(ContactOutcome::NoAnswer, None, Some("  "));
    assert_eq!(problem(field_transition(S::Accepted, &body, &facts)), ProblemType::CustomerRestHours);
}

#[test]
fn an_appointment_belongs_to_a_customer_who_was_reached() {
    for (outcome, appointment) in [
        (ContactOutcome::Reached, None),
        (ContactOutcome::NoAnswer, Some(window())),
        (ContactOutcome::VisitRefused, Some(window())),
    ] {
        let result = field_transition(S::Accepted, &contact(outcome, appointment, None), &facts());
        assert_eq!(problem(result), ProblemType::InvalidField, "{outcome}");
    }
}

#[test]
fn r_visit_2_photos_need_consent() {
    // (consent, purpose, allowed): indoors only with a yes; after a no, nothing of the customer's place.
    for (consent, purpose, is_allowed) in [
        (None, PhotoPurpose::Indoors, false),
        (Some(false), PhotoPurpose::Indoors, false),
        (Some(true), PhotoPurpose::Indoors, true),
        (None, PhotoPurpose::Surroundings, true),
        (Some(false), PhotoPurpose::Surroundings, false),
        (Some(true), PhotoPurpose::Surroundings, true),
        (Some(false), PhotoPurpose::Screen, true),
        (Some(false), PhotoPurpose::Site, true),
    ] {
        let facts = FieldFacts { photo_consent: consent, ..facts() };
        let result = field_transition(S::OnSite, &photo(purpose), &facts);
        if is_allowed {
            assert_eq!(accepted(result).1, vec![FieldEffect::PhotoAdded], "{consent:?} {purpose}");
        } else {
            assert_eq!(problem(result), ProblemType::ConsentMissing, "{consent:?} {purpose}");
        }
    }
}

#[test]
fn an_order_has_one_test_at_a_time() {
    let none = FieldFacts { field_test_id: None, ..facts() };
    let begin = |n| CommandBody::TestBegin { field_test_id: test_id(n) };
    assert_eq!(accepted(field_transition(S::Contacted, &begin(1), &none)).1, vec![FieldEffect::TestBegun]);
    assert_eq!(problem(field_transition(S::Contacted, &begin(2), &facts())), ProblemType::IllegalTransition);
    for body in [findings(), photo(PhotoPurpose::Site), submit(&Operator::REQUIRED, &[])] {
        let other = FieldFacts { field_test_id: Some(test_id(2)), ..facts() };
        assert_eq!(problem(field_transition(S::OnSite, &body, &other)), ProblemType::IllegalTransition);
        assert_eq!(problem(field_transition(S::OnSite, &body, &none)), ProblemType::IllegalTransition);
    }
}

#[test]
fn r_test_1_each_required_operator_is_tested_or_excused() {
    for missing in Operator::REQUIRED {
        let others: Vec<Operator> = Operator::REQUIRED.into_iter().filter(|o| *o != missing).collect();
        let refused = field_transition(S::OnSite, &submit(&others, &[]), &facts()).unwrap_err();
        assert_eq!(refused.problem, ProblemType::OperatorMissing);
        assert!(refused.detail.contains(missing.as_str()), "the sentence names it: {}", refused.detail);
        assert_eq!(accepted(field_transition(S::OnSite, &submit(&others, &[missing]), &facts())).0, S::Submitted);
    }
    // A fourth operator does not stand in for one of the three.
    let fourth = [Operator::ChinaMobile, Operator::ChinaUnicom, Operator::ChinaBroadnet];
    assert_eq!(problem(field_transition(S::OnSite, &submit(&fourth, &[]), &facts())), ProblemType::OperatorMissing);
}

#[test]
fn r_test_1_an_empty_block_tests_nothing() {
    let mut body = submit(&Operator::REQUIRED, &[]);
    if let CommandBody::TestSubmit { blocks, .. } = &mut body {
        blocks[1].sample_count = 0;
    }
    assert_eq!(problem(field_transition(S::OnSite, &body, &facts())), ProblemType::OperatorMissing);
}

#[test]
fn r_test_2_findings_come_before_the_submission() {
    let facts = FieldFacts { has_findings: false, ..facts() };
    let result = field_transition(S::OnSite, &submit(&Operator::REQUIRED, &[]), &facts);
    assert_eq!(problem(result), ProblemType::FindingsMissing);
}
