//! The ladder (R-LADDER-1…3).

use crate::workflow::support::{position, test_id};
use callout_server::workflow::ladder::*;
use callout_server::workflow::ladder_defaults::default_ladder;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::Technology;
use proptest::prelude::*;

pub fn record(step: &str, outcome: StepOutcome) -> LadderRecord {
    LadderRecord {
        step: step.into(),
        outcome,
        evidence: vec![LadderEvidence::FieldTest(test_id(1))],
        reason: "measured before and after".into(),
    }
}

/// Records these steps one after the other; each must be accepted.
fn climbed(ladder: &Ladder, steps: &[(usize, StepOutcome)]) -> Vec<LadderRecord> {
    let mut records = Vec::new();
    for (index, outcome) in steps {
        let record = record(&ladder.steps[*index].key, *outcome);
        ladder_record(ladder, &records, record.clone()).unwrap();
        records.push(record);
    }
    records
}

fn demand() -> BuildDemand {
    BuildDemand {
        position: position(30.54, 114.30),
        field_tests: vec![test_id(1)],
        shareable_resources: "a tower of the tower company 200 m away".into(),
        affected_customers: 12,
    }
}

#[test]
fn r_ladder_1_every_technology_has_twelve_steps_nine_before_building() {
    for technology in Technology::ALL {
        let ladder = default_ladder(technology);
        ladder.validate().unwrap();
        assert_eq!(ladder.technology, technology);
        let count = |rung| ladder.steps.iter().filter(|step| step.rung == rung).count();
        assert_eq!((count(Rung::Optimise), count(Rung::Retrofit), count(Rung::Build)), (6, 3, 3));
    }
}

#[test]
fn r_ladder_1_an_administrators_ladder_is_checked() {
    let ladder = default_ladder(Technology::Lte);
    let changed = |change: fn(&mut Ladder)| {
        let mut ladder = ladder.clone();
        change(&mut ladder);
        ladder.validate()
    };
    assert_eq!(changed(|l| l.steps.truncate(11)), Err(LadderError::WrongLength(11)));
    assert_eq!(changed(|l| l.steps[3].key = "antenna".into()), Err(LadderError::DuplicateKey("antenna".into())));
    assert_eq!(changed(|l| l.steps[3].name_zh = " ".into()), Err(LadderError::Blank(4)));
    assert_eq!(changed(|l| l.steps[8].rung = Rung::Build), Err(LadderError::WrongRung(9)));
    assert_eq!(changed(|l| l.steps[9].rung = Rung::Retrofit), Err(LadderError::WrongRung(10)));
    assert_eq!(changed(|l| l.steps[5].rung = Rung::Retrofit), Ok(()), "retrofit may begin earlier");
    assert_eq!(changed(|l| l.steps[7].rung = Rung::Optimise), Err(LadderError::WrongRung(8)));
    let text = serde_json::to_string(&ladder).unwrap();
    assert_eq!(serde_json::from_str::<Ladder>(&text).unwrap(), ladder, "it is data");
}

#[test]
fn r_ladder_2_no_rung_is_skipped() {
    let ladder = default_ladder(Technology::Lte);
    let refused = ladder_record(&ladder, &[], record("repeater", StepOutcome::NotEnough)).unwrap_err();
    assert_eq!(refused.problem, ProblemType::RungSkipped);
    assert!(refused.detail.contains("parameters") && refused.detail.contains("capacity"), "{}", refused.detail);
    // Within a rung the order is free.
    let mut records = climbed(&ladder, &[(5, StepOutcome::RuledOut), (0, StepOutcome::NotEnough)]);
    for index in 1..5 {
        assert!(!rung_is_open(&ladder, &records, Rung::Retrofit));
        let next = record(&ladder.steps[index].key, StepOutcome::NotEnough);
        let effects = ladder_record(&ladder, &records, next.clone()).unwrap();
        assert_eq!(effects.contains(&LadderEffect::RungOpened(Rung::Retrofit)), index == 4, "the last one opens it");
        records.push(next);
    }
    assert_eq!(next_step(&ladder, &records).unwrap().key, "repeater");
    assert_eq!(
        ladder_record(&ladder, &records, record("new_site", StepOutcome::NotEnough)).unwrap_err().problem,
        ProblemType::RungSkipped
    );
    assert_eq!(
        ladder_record(&ladder, &records, record("magic", StepOutcome::NotEnough)).unwrap_err().problem,
        ProblemType::NotFound
    );
}

#[test]
fn r_ladder_2_evidence_and_reasons() {
    let ladder = default_ladder(Technology::Nr);
    let with = |outcome, evidence: Vec<LadderEvidence>, reason: &str| {
        let record = LadderRecord { step: "power".into(), outcome, evidence, reason: reason.into() };
        ladder_record(&ladder, &[], record).map(|_| ()).map_err(|rejection| rejection.problem)
    };
    let order = || vec![LadderEvidence::Reference("change request 4711".into())];
    for outcome in [StepOutcome::Solved, StepOutcome::NotEnough, StepOutcome::RuledOut] {
        assert_eq!(with(outcome, order(), "measured"), Ok(()));
        assert_eq!(with(outcome, vec![], "measured"), Err(ProblemType::LadderEvidenceMissing), "{outcome}");
        assert_eq!(with(outcome, order(), " "), Err(ProblemType::InvalidField), "{outcome}");
        let blank = vec![LadderEvidence::Reference(" ".into())];
        assert_eq!(with(outcome, blank, "measured"), Err(ProblemType::InvalidField), "{outcome}");
    }
    assert_eq!(with(StepOutcome::Skipped, vec![], "the site is another operator's"), Ok(()));
    assert_eq!(with(StepOutcome::Skipped, vec![], ""), Err(ProblemType::InvalidField), "a skip has a reason");
}

#[test]
fn r_ladder_2_a_skip_opens_retrofit_but_never_building() {
    let ladder = default_ladder(Technology::Lte);
    let mut steps: Vec<(usize, StepOutcome)> = (0..9).map(|index| (index, StepOutcome::NotEnough)).collect();
    steps[2].1 = StepOutcome::Skipped;
    let mut records = climbed(&ladder, &steps);
    let refused = ladder_record(&ladder, &records, record("tower_sharing", StepOutcome::NotEnough)).unwrap_err();
    assert_eq!(refused.problem, ProblemType::RungSkipped);
    assert!(refused.detail.contains("antenna"));
    assert_eq!(build_demand_check(&ladder, &records, &demand(), true).unwrap_err().problem, ProblemType::RungSkipped);
    // Made up for, it opens.
    let made_up = record("antenna", StepOutcome::RuledOut);
    let effects = ladder_record(&ladder, &records, made_up.clone()).unwrap();
    assert!(effects.contains(&LadderEffect::BuildAllowed));
    records.push(made_up);
    assert!(ladder_record(&ladder, &records, record("tower_sharing", StepOutcome::NotEnough)).is_ok());
    // What was tried stays tried; a building step cannot be passed over.
    assert_eq!(
        ladder_record(&ladder, &records, record("power", StepOutcome::Skipped)).unwrap_err().problem,
        ProblemType::IllegalTransition
    );
    assert_eq!(
        ladder_record(&ladder, &records, record("new_site", StepOutcome::Skipped)).unwrap_err().problem,
        ProblemType::InvalidField
    );
}

#[test]
fn r_ladder_2_what_solved_the_problem_ends_the_climb() {
    let ladder = default_ladder(Technology::Gsm);
    let mut steps: Vec<(usize, StepOutcome)> = (0..9).map(|index| (index, StepOutcome::RuledOut)).collect();
    steps[8].1 = StepOutcome::Solved;
    let mut records = climbed(&ladder, &steps);
    assert!(!rung_is_open(&ladder, &records, Rung::Build));
    assert_eq!(next_step(&ladder, &records), None);
    // The customer denies it: recorded anew, the climb goes on.
    records.push(record("small_cell", StepOutcome::NotEnough));
    assert!(rung_is_open(&ladder, &records, Rung::Build));
    assert_eq!(next_step(&ladder, &records).unwrap().key, "passive_resources");
}

#[test]
fn r_ladder_3_a_build_demand_carries_what_the_board_must_see() {
    let ladder = default_ladder(Technology::Lte);
    let spent: Vec<(usize, StepOutcome)> = (0..9).map(|index| (index, StepOutcome::NotEnough)).collect();
    let records = climbed(&ladder, &spent);
    let check = |demand: &BuildDemand, ended| {
        build_demand_check(&ladder, &records, demand, ended).map_err(|rejection| rejection.problem)
    };
    assert_eq!(check(&demand(), true), Ok(()));
    assert_eq!(check(&demand(), false), Err(ProblemType::IllegalTransition), "after the handling ended");
    assert_eq!(check(&BuildDemand { field_tests: vec![], ..demand() }, true), Err(ProblemType::LadderEvidenceMissing));
    assert_eq!(
        check(&BuildDemand { shareable_resources: String::new(), ..demand() }, true),
        Err(ProblemType::InvalidField)
    );
    assert_eq!(check(&BuildDemand { affected_customers: 0, ..demand() }, true), Err(ProblemType::InvalidField));
    assert_eq!(
        check(&BuildDemand { position: position(91.0, 114.0), ..demand() }, true),
        Err(ProblemType::InvalidField)
    );
}

proptest! {
    /// However records are attempted, no step of building is accepted before all nine earlier ones are spent, and no step of
    /// retrofit before every step of optimisation has a record.
    #[test]
    fn no_build_step_without_spent_rungs(
        attempts in prop::collection::vec((0usize..12, 0usize..StepOutcome::ALL.len(), any::<bool>()), 0..200),
        technology in prop::sample::select(Technology::ALL.to_vec()),
    ) {
        let ladder = default_ladder(technology);
        let mut records: Vec<LadderRecord> = Vec::new();
        for (step, outcome, has_evidence) in attempts {
            let mut attempt = record(&ladder.steps[step].key, StepOutcome::ALL[outcome]);
            if !has_evidence {
                attempt.evidence.clear();
            }
            let all = |range: std::ops::Range<usize>, test: fn(StepOutcome) -> bool| {
                range.into_iter().all(|i| step_outcome(&records, &ladder.steps[i].key).is_some_and(test))
            };
            let nine_spent = all(0..9, StepOutcome::is_spent);
            let six_recorded = all(0..6, |_| true);
            prop_assert_eq!(build_demand_check(&ladder, &records, &demand(), true).is_ok(), nine_spent);
            if ladder_record(&ladder, &records, attempt.clone()).is_ok() {
                match ladder.steps[step].rung {
                    Rung::Build => prop_assert!(nine_spent),
                    Rung::Retrofit => prop_assert!(six_recorded),
                    Rung::Optimise => {}
                }
                prop_assert!(has_evidence || attempt.outcome == StepOutcome::Skipped);
                records.push(attempt);
            }
        }
    }
}
