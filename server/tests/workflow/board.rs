//! Demands to the board and its meetings (R-LADDER-3), evidence of ladder steps (R-LADDER-2), templates (R-TEST-1, R-REVIEW-1).

use crate::workflow::support::{at, position, test_id};
use callout_server::workflow::build_demands::*;
use callout_server::workflow::evidence_templates::{EvidenceTemplates, evidence_accepted};
use callout_server::workflow::field_tests::{FindingPolicy, TestFinding as F, picture_is_telling};
use callout_server::workflow::ladder::{
    EvidenceRequirement, LadderEvidence, LadderEvidenceKind, LadderPolicy, LadderRecord, StepOutcome, ladder_record,
};
use callout_server::workflow::policies::Policy;
use callout_server::workflow::reviews::{Assessment, ReturnReasons, ReviewTemplate, SectionAnswer};
use callout_sync_protocol::evidence::{EvidencePresent, evidence_checklist};
use callout_sync_protocol::ids::{PhotoId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::Technology;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom};

fn facts(now: &str) -> BuildDemandFacts {
    BuildDemandFacts {
        now: at(now),
        meeting: ReviewMeetingState::AgendaSet,
        meeting_starts_at: at("2026-12-03T06:30:00Z"),
    }
}

#[test]
fn r_ladder_3_a_demand_is_decided_in_its_meeting_and_nowhere_else() {
    use BuildDemandState as S;
    let decide = |decision| BuildDemandCommand::Decide { decision, reason: "the cluster grows".into() };
    let (before, during) = (facts("2026-12-03T06:29:59Z"), facts("2026-12-03T06:30:00Z"));
    let after = BuildDemandFacts { meeting: ReviewMeetingState::Closed, ..during };
    let judged = |state, command: &BuildDemandCommand, facts: &BuildDemandFacts| {
        build_demand_transition(state, command, facts).map(|done| done.state).map_err(|refused| refused.problem)
    };
    let illegal = Err(ProblemType::IllegalTransition);
    for state in S::ALL.iter().copied() {
        let expected = match state {
            S::Filed | S::Deferred => Ok(S::OnAgenda),
            S::OnAgenda | S::Accepted | S::Rejected => illegal,
        };
        assert_eq!(judged(state, &BuildDemandCommand::PutOnAgenda, &before), expected, "{state}");
        for (decision, next) in [
            (BoardDecision::Accept, S::Accepted),
            (BoardDecision::Reject, S::Rejected),
            (BoardDecision::Defer, S::Deferred),
        ] {
            let expected = if state == S::OnAgenda { Ok(next) } else { illegal };
            assert_eq!(judged(state, &decide(decision), &during), expected, "{state} {decision}");
            assert_eq!(judged(state, &decide(decision), &before), illegal, "{state} before the meeting");
            assert_eq!(judged(state, &decide(decision), &after), illegal, "{state} after the meeting");
        }
    }
    let blank = BuildDemandCommand::Decide { decision: BoardDecision::Accept, reason: " ".into() };
    assert_eq!(judged(S::OnAgenda, &blank, &during), Err(ProblemType::InvalidField));
    let deferred = build_demand_transition(S::OnAgenda, &decide(BoardDecision::Defer), &during).unwrap();
    assert!(deferred.effects.contains(&BuildDemandEffect::MovedToNextMeeting));
}

#[test]
fn r_ladder_3_a_meeting_is_closed_when_everything_is_decided() {
    use ReviewMeetingState as S;
    let (now, starts_at) = (at("2026-12-03T08:00:00Z"), at("2026-12-03T06:30:00Z"));
    let close = |state, minutes: &str, undecided: &[String], facts| {
        review_meeting_close(state, minutes, undecided, facts).map_err(|refused| refused.problem)
    };
    let open = vec!["BD-1".to_owned()];
    assert_eq!(close(S::AgendaSet, "said", &[], (now, starts_at)), Ok(S::Closed));
    assert_eq!(close(S::Planned, "said", &[], (now, starts_at)), Ok(S::Closed), "nothing was on the agenda");
    assert_eq!(close(S::AgendaSet, "said", &open, (now, starts_at)), Err(ProblemType::IllegalTransition));
    assert_eq!(close(S::AgendaSet, "said", &[], (starts_at, now)), Err(ProblemType::IllegalTransition));
    assert_eq!(close(S::AgendaSet, "", &[], (now, starts_at)), Err(ProblemType::InvalidField));
    assert_eq!(close(S::Closed, "said", &[], (now, starts_at)), Err(ProblemType::IllegalTransition));
}

#[test]
fn r_ladder_3_affected_customers_are_counted_once_and_near() {
    let place = position(30.54, 114.30);
    let complainant = |latitude, customer| Complainant { position: position(latitude, 114.30), customer };
    let near = [complainant(30.54, 1), complainant(30.5445, 1), complainant(30.5444, 2), complainant(30.5446, 3)];
    assert_eq!(affected_customers(place, &near, 500), 2, "one customer once; one is 511 m away");
    assert_eq!(affected_customers(place, &near, 520), 3);
    assert_eq!(affected_customers(place, &[], 500), 1, "whose order it is");
    assert!(BuildDemandPolicy::default().check().is_ok());
    assert!(BuildDemandPolicy { affected_radius_m: 0, ..BuildDemandPolicy::default() }.check().is_err());
}

#[test]
fn r_ladder_2_a_step_asks_for_its_own_kinds_of_evidence() {
    let policy = LadderPolicy::default();
    assert!(policy.check().is_ok());
    let mut ladder = policy.ladder_of(Technology::Lte);
    ladder.steps[2].evidence =
        EvidenceRequirement { kinds: vec![LadderEvidenceKind::Photo, LadderEvidenceKind::FieldTest], at_least: 2 };
    let with = |evidence: Vec<LadderEvidence>, outcome| {
        let record = LadderRecord { step: "antenna".into(), outcome, evidence, reason: "tilted".into() };
        ladder_record(&ladder, &[], record).map(drop).map_err(|refused| refused.problem)
    };
    let photo = || LadderEvidence::Photo(PhotoId::NIL);
    let test = || LadderEvidence::FieldTest(test_id(1));
    let document = || LadderEvidence::Reference("CR-1".into());
    assert_eq!(with(vec![photo(), test()], StepOutcome::NotEnough), Ok(()));
    assert_eq!(with(vec![photo(), document()], StepOutcome::NotEnough), Err(ProblemType::LadderEvidenceMissing));
    assert_eq!(with(vec![photo()], StepOutcome::RuledOut), Err(ProblemType::LadderEvidenceMissing));
    assert_eq!(with(vec![], StepOutcome::Skipped), Ok(()), "a skip has a reason, not evidence");

    let mut asks_nothing = policy.clone();
    asks_nothing.ladders[0].steps[0].evidence.at_least = 0;
    let mut twice = policy.clone();
    twice.ladders[1] = twice.ladders[0].clone();
    for bad in [asks_nothing, twice] {
        assert_eq!(bad.check().unwrap_err().problem, ProblemType::InvalidField);
    }
    let one = LadderPolicy { ladders: vec![ladder.clone()] };
    assert_eq!(one.ladder_of(Technology::Lte), ladder);
    assert_eq!(one.ladder_of(Technology::Nr), policy.ladder_of(Technology::Nr), "the default where none is given");
}

#[test]
fn r_test_4_voice_on_4g_and_5g_asks_for_the_volte_walk() {
    let templates = EvidenceTemplates::default();
    assert!(templates.check().is_ok());
    for symptom in Symptom::ALL.iter().copied() {
        for generation in [None].into_iter().chain(NetworkGeneration::ALL.iter().copied().map(Some)) {
            let is_voice = matches!(symptom, Symptom::CallDrop | Symptom::CallSetup | Symptom::VoiceQuality);
            let is_volte = matches!(generation, Some(NetworkGeneration::Lte | NetworkGeneration::Nr));
            let requires = &templates.template_of(symptom, generation).unwrap().requires;
            assert_eq!(requires.needs_volte_walkthrough, is_voice && is_volte, "{symptom} {generation:?}");
            assert_eq!(requires.operators, Operator::REQUIRED, "R-TEST-1");
        }
    }
    let requires = &templates.templates[0].requires;
    let items = evidence_checklist(requires, &EvidencePresent::default());
    assert_eq!(evidence_accepted(&items, None).unwrap_err().problem, ProblemType::EvidenceMissing);
    assert_eq!(evidence_accepted(&items, Some(" ")).unwrap_err().problem, ProblemType::InvalidField);
    assert!(evidence_accepted(&items, Some("the street was closed")).is_ok());
    assert!(evidence_accepted(&[], None).is_ok());
}

#[test]
fn r_review_1_returns_have_codes_and_words() {
    let template = ReviewTemplate::default();
    assert!(template.check().is_ok());
    let texts = |codes: &[&str], words: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        template
            .return_texts(&ReturnReasons { codes: owned(codes), words: owned(words) })
            .map_err(|refused| refused.problem)
    };
    let (codes, shown) = texts(&["samples_few", "samples_few"], &["楼上再测 upstairs, too"]).unwrap();
    assert_eq!(codes, ["samples_few"]);
    assert_eq!(shown, ["采样点不足 Too few samples", "楼上再测 upstairs, too"]);
    assert_eq!(texts(&[], &["words alone"]).unwrap(), (vec!["other".to_owned()], vec!["words alone".to_owned()]));
    for (codes, words) in [(&[][..], &[][..]), (&["nonsense"], &[]), (&["other"], &[]), (&["samples_few"], &[" "])] {
        assert_eq!(texts(codes, words), Err(ProblemType::InvalidField), "{codes:?} {words:?}");
    }
    let answer = |section: &str, assessment, note: &str| SectionAnswer {
        section: section.into(),
        assessment,
        note: note.into(),
    };
    let check = |answers: &[SectionAnswer]| template.sections_check(answers).map_err(|refused| refused.problem);
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[answer("cause", Assessment::Poor, "not found")]), Ok(()));
    for bad in [
        vec![answer("nonsense", Assessment::Good, "")],
        vec![answer("cause", Assessment::Poor, "")],
        vec![answer("cause", Assessment::Good, ""), answer("cause", Assessment::Good, "")],
    ] {
        assert_eq!(check(&bad), Err(ProblemType::InvalidField), "{bad:?}");
    }
}

#[test]
fn every_finding_has_a_code_and_words_in_both_languages() {
    let (operator, photo_id) = (Operator::ChinaUnicom, PhotoId::NIL);
    let findings = [
        F::OperatorMissing { operator, is_excused: true },
        F::OperatorMissing { operator, is_excused: false },
        F::TooFewSamples { operator, samples: 59, minimum: 60 },
        F::NoPositions { operator },
        F::OutOfArea { operator, inside_percent: 12, farthest_m: 2_345 },
        F::MockedPositions { operator, samples: 7 },
        F::ImpossibleMovement { operator, speed_kmh: 912 },
        F::PhotoTimeOff { photo_id, minutes: 31 },
        F::PhotoPlaceOff { photo_id, distance_m: 1_234 },
        F::PhotoMocked { photo_id },
        F::CameraTimeOff { photo_id, minutes: 44 },
        F::CameraPlaceOff { photo_id, distance_m: 5_678 },
        F::PhotoUsedElsewhere { photo_id, work_order_id: WorkOrderId::NIL, differing_bits: 3 },
    ];
    for finding in &findings {
        let title = finding.title();
        let json = serde_json::to_value(finding).unwrap();
        assert_eq!(json["kind"], title.code, "the code is the finding's own name");
        assert!(!title.title_en.is_empty() && !title.title_zh.is_ascii(), "{title:?}");
        let (en, zh) = (finding.text_en(), finding.text_zh());
        assert!(!en.is_empty() && !zh.is_ascii(), "{en} {zh}");
        for (name, value) in json.as_object().unwrap() {
            if let Some(figure) = value.as_u64() {
                assert!(en.contains(&figure.to_string()) && zh.contains(&figure.to_string()), "{name} in {en} {zh}");
            }
        }
    }
    assert!(picture_is_telling(0x00ff) && !picture_is_telling(0x007f) && !picture_is_telling(!0x007f));
    assert!(FindingPolicy::default().check().is_ok());
}
