//! The VoLTE walk (R-TEST-4) and the evidence checklist (R-TEST-1).

use callout_sync_protocol::commands::{AffectedService, Findings};
use callout_sync_protocol::evidence::{
    EvidenceKind, EvidencePresent, EvidenceTemplate, PhotoRequirement, evidence_checklist,
};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::volte_walkthrough::{
    QUESTIONS, VolteAnswer, VolteConclusion as C, VolteQuestion as Q, VolteStage, VolteStep, VolteWalkthrough,
    volte_next,
};
use callout_sync_protocol::work_orders::NetworkGeneration;
use proptest::prelude::*;

fn answers(values: &[u32]) -> Vec<VolteAnswer> {
    QUESTIONS.iter().zip(values).map(|(asked, value)| VolteAnswer { question: asked.question, value: *value }).collect()
}

#[test]
fn r_test_4_the_questions_stand_in_the_order_of_the_rule() {
    for (place, question) in Q::ALL.iter().enumerate() {
        assert_eq!(QUESTIONS[place].question, *question, "a question is found by its number");
        assert_eq!(question.text().question, *question);
    }
    let mut stages: Vec<VolteStage> = QUESTIONS.iter().map(|question| question.stage).collect();
    assert!(stages.is_sorted());
    stages.dedup();
    assert_eq!(stages, VolteStage::ALL, "registration, access, drop, MOS, fallback");
}

#[test]
fn r_test_4_each_walk_concludes_the_first_fault() {
    for (values, conclusion) in [
        (&[0][..], C::SimServiceMissing),
        (&[1, 0], C::HandsetUnsupported),
        (&[1, 1, 0], C::SettingsOff),
        (&[1, 1, 1, 0], C::RegistrationFails),
        (&[1, 1, 1, 1, 10, 10], C::AccessFails),
        (&[1, 1, 1, 1, 10, 1, 2, 250, 3], C::AccessFails),
        (&[1, 1, 1, 1, 10, 0, 1, 250, 3], C::CallsDrop),
        (&[1, 1, 1, 1, 10, 0, 0, 299, 3], C::QualityPoor),
        (&[1, 1, 1, 1, 10, 0, 0, 300, 1], C::FallsBack),
        (&[1, 1, 1, 1, 10, 0, 0, 300, 0], C::NoFaultFound),
    ] {
        assert_eq!(volte_next(&answers(values)), Ok(VolteStep::Concluded(conclusion)), "{values:?}");
        for shorter in 0..values.len() {
            let asked = volte_next(&answers(&values[..shorter])).unwrap();
            let VolteStep::Ask { question, .. } = asked else { panic!("{values:?} ends before its end: {asked:?}") };
            assert_eq!(question.question, QUESTIONS[shorter].question);
        }
    }
}

#[test]
fn r_test_4_a_walk_out_of_order_or_out_of_range_is_refused() {
    let skipped = vec![VolteAnswer { question: Q::HandsetSupport, value: 1 }];
    let twice = [answers(&[1]), answers(&[1])].concat();
    for (bad, why) in [
        (skipped, "begins with the second question"),
        (twice, "one question twice"),
        (answers(&[2]), "neither yes nor no"),
        (answers(&[0, 1]), "goes on after a no"),
        (answers(&[1, 1, 1, 1, 0]), "no call was made"),
        (answers(&[1, 1, 1, 1, 1_001]), "too many calls"),
        (answers(&[1, 1, 1, 1, 10, 11]), "more failures than calls"),
        (answers(&[1, 1, 1, 1, 10, 4, 7]), "more drops than calls that were set up"),
        (answers(&[1, 1, 1, 1, 10, 0, 0, 99]), "below the scale"),
        (answers(&[1, 1, 1, 1, 10, 0, 0, 501]), "above the scale"),
        (answers(&[1, 1, 1, 1, 10, 10, 0]), "goes on without a call that was set up"),
    ] {
        assert_eq!(volte_next(&bad).unwrap_err().field, "volte", "{why}");
        assert!(VolteWalkthrough { answers: bad, conclusion: None }.validate().is_err(), "{why}");
    }
    let honest = VolteWalkthrough::of(answers(&[1, 1, 0])).unwrap();
    assert!(honest.validate().is_ok());
    let other = VolteWalkthrough { conclusion: Some(C::NoFaultFound), ..honest.clone() };
    assert!(other.validate().is_err(), "the conclusion is recomputed");
    assert!(
        VolteWalkthrough { conclusion: None, ..honest }.validate().is_err(),
        "a finished walk says what it concludes"
    );
}

proptest! {
    /// However a tester answers what is asked, the walk ends after at most nine answers, and what it says is valid.
    #[test]
    fn a_guided_walk_ends_and_is_valid(values in prop::collection::vec(0u32..600, 9)) {
        let mut given: Vec<VolteAnswer> = Vec::new();
        let mut values = values.into_iter();
        while let VolteStep::Ask { question, kind } = volte_next(&given).unwrap() {
            use callout_sync_protocol::volte_walkthrough::AnswerKind;
            let wanted = values.next().unwrap();
            let value = match kind {
                AnswerKind::YesNo => u32::from(wanted % 8 > 0),
                AnswerKind::Number { minimum, maximum } => minimum + wanted % (maximum - minimum + 1),
            };
            given.push(VolteAnswer { question: question.question, value });
        }
        prop_assert!(given.len() <= QUESTIONS.len());
        let walk = VolteWalkthrough::of(given).unwrap();
        prop_assert!(walk.conclusion.is_some());
        prop_assert_eq!(walk.validate(), Ok(()));
        let bytes = minicbor::to_vec(&walk).unwrap();
        prop_assert_eq!(minicbor::decode::<VolteWalkthrough>(&bytes).unwrap(), walk);
    }
}

#[test]
fn findings_without_a_walk_have_the_bytes_that_they_had_before() {
    let findings = Findings {
        problem: "p".into(),
        generation: NetworkGeneration::Lte,
        service: AffectedService::Voice,
        occurs: String::new(),
        address: "a".into(),
        position: None,
        competitor_coverage: String::new(),
        serving_sites: vec![],
        planned_sites: vec![],
        shareable_resources: vec![],
        pressing_need: String::new(),
        contact_left: true,
        revisit_announced: true,
        volte: None,
    };
    let bytes = minicbor::to_vec(&findings).unwrap();
    assert_eq!(bytes[0], 0x8d, "an array of the thirteen fields of version 1");
    assert_eq!(minicbor::decode::<Findings>(&bytes).unwrap(), findings, "what an older phone sends is read");
    let walked = Findings { volte: Some(VolteWalkthrough::of(answers(&[1, 0])).unwrap()), ..findings };
    let bytes = minicbor::to_vec(&walked).unwrap();
    assert_eq!(minicbor::decode::<Findings>(&bytes).unwrap(), walked);
}

fn template() -> EvidenceTemplate {
    EvidenceTemplate {
        code: "volte".into(),
        operators: Operator::REQUIRED.to_vec(),
        samples_per_operator: 60,
        photos: vec![PhotoRequirement { purpose: Some(PhotoPurpose::Indoors), at_least: 2 }],
        needs_volte_walkthrough: true,
        test_calls: 5,
    }
}

#[test]
fn r_test_1_the_checklist_says_what_is_lacking() {
    let nothing = evidence_checklist(&template(), &EvidencePresent::default());
    assert_eq!(nothing.len(), 6);
    assert!(nothing.iter().all(|item| !item.is_met()));
    assert!(nothing.iter().all(|item| !item.text_en().is_empty() && !item.text_zh().is_empty()));

    let present = EvidencePresent {
        samples: vec![(Operator::ChinaMobile, 60), (Operator::ChinaUnicom, 59)],
        photos: vec![PhotoPurpose::Indoors, PhotoPurpose::Site],
        excuses: vec![
            (Operator::ChinaTelecom, "no SIM card".into()),
            (Operator::ChinaUnicom, "too few is no reason".into()),
        ],
        is_volte_walked: true,
        test_calls: Some(4),
    };
    let items = evidence_checklist(&template(), &present);
    let lacking: Vec<_> = items.iter().filter(|item| !item.is_met()).map(|item| (item.kind, item.operator)).collect();
    assert_eq!(
        lacking,
        [
            (EvidenceKind::Samples, Some(Operator::ChinaUnicom)),
            (EvidenceKind::Photos, None),
            (EvidenceKind::TestCalls, None)
        ],
        "only a network that was not tested at all is excused by a reason"
    );
    assert_eq!(items[2].excuse.as_deref(), Some("no SIM card"));
    assert_eq!(items[1].text_en(), "59 of 60 samples of china_unicom");
    assert_eq!(items[3].text_zh(), "室内照片 1/2");
    let unregistered = EvidencePresent { test_calls: None, ..present };
    let kinds: Vec<_> = evidence_checklist(&template(), &unregistered).iter().map(|item| item.kind).collect();
    assert!(!kinds.contains(&EvidenceKind::TestCalls), "who cannot register cannot call");
    let any = EvidenceTemplate { photos: vec![PhotoRequirement { purpose: None, at_least: 2 }], ..template() };
    assert!(evidence_checklist(&any, &unregistered)[3].is_met(), "two photos of anything");
}
