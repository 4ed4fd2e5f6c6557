//! What is shown and done at intake beside the decision: reasons, numbers, likeness, escalations, the case library (R-INTAKE-3,
//! R-INTAKE-4, R-INTAKE-7, R-INTAKE-8, R-KNOW-1, R-RETURN-5).

use crate::workflow::support::{at, position};
use callout_server::workflow::cases::*;
use callout_server::workflow::complaints::IntakePolicy;
use callout_server::workflow::escalations::*;
use callout_server::workflow::intakes::*;
use callout_server::workflow::policies::Policy;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::NetworkGeneration;
use proptest::prelude::*;
use std::cmp::Ordering;

#[test]
fn numbers_are_compared_without_their_dress() {
    for (written, normal) in [
        ("13800000001", "13800000001"),
        ("+86 138-0000-0001", "13800000001"),
        ("0086 138 0000 0001", "13800000001"),
        ("(0931) 888 7766", "09318887766"),
        ("+86 931 888 7766", "09318887766"),
        ("8612345", "8612345"),
        ("10086", "10086"),
        ("", ""),
    ] {
        assert_eq!(phone_normalised(written), normal, "{written}");
    }
    assert_eq!(customer_number_normalised(" KA-77 01 "), "ka-7701");
}

fn likeness(distance_m: Option<f64>, same_symptom: bool, same_cell: bool, same_customer: bool) -> Likeness {
    Likeness { distance_m, same_symptom, same_cell, same_customer, received_at: at("2026-11-01T00:00:00Z") }
}

#[test]
fn r_intake_7_what_is_like_and_in_which_order() {
    let policy = IntakePolicy::default();
    assert!(is_like(&likeness(Some(1_000.0), false, false, false), &policy));
    assert!(!is_like(&likeness(Some(1_001.0), true, false, false), &policy));
    assert!(is_like(&likeness(None, false, true, false), &policy));
    assert!(is_like(&likeness(Some(90_000.0), false, false, true), &policy));
    assert!(!is_like(&likeness(None, true, false, false), &policy));
    // Most in common first; of equals the newest.
    let order = [
        likeness(Some(0.0), true, true, true),
        likeness(Some(0.0), true, true, false),
        likeness(Some(0.0), true, false, false),
        likeness(Some(900.0), true, false, false),
        likeness(None, true, false, false),
        likeness(None, false, false, true),
    ];
    for pair in order.windows(2) {
        assert_eq!(likeness_order(&pair[0], &pair[1], &policy), Ordering::Less, "{pair:?}");
    }
    let newer = Likeness { received_at: at("2026-11-02T00:00:00Z"), ..order[2] };
    assert_eq!(likeness_order(&newer, &order[2], &policy), Ordering::Less);
}

proptest! {
    /// The box that is searched holds every place within the radius.
    #[test]
    fn r_intake_7_no_near_place_is_outside_the_box(
        latitude in -85.0..85.0f64, longitude in -179.0..179.0f64, metres in 1u32..5_000,
        north in -0.06..0.06f64, east in -0.6..0.6f64,
    ) {
        let here = position(latitude, longitude);
        let there = position(latitude + north, longitude + east);
        let (half_latitude, half_longitude) = box_around(here.latitude_e6, metres);
        let apart = complaints_apart_m(Some(here), Some(there)).unwrap();
        if apart <= f64::from(metres) {
            prop_assert!((there.latitude_e6 - here.latitude_e6).abs() <= half_latitude + 1);
            prop_assert!((there.longitude_e6 - here.longitude_e6).abs() <= half_longitude + half_longitude / 50 + 1);
        }
    }

    /// Whatever is written, no number that calls somebody is left.
    #[test]
    fn r_know_1_no_number_is_left(text in "[0-9 a-z王\\-]{0,60}") {
        let clean = without_personal_data(&text, &["王a"]);
        prop_assert!(!clean.contains("王a"));
        let mut run = 0;
        for c in clean.chars() {
            match c {
                '0'..='9' => run += 1,
                '-' | ' ' if run > 0 => {}
                _ => run = 0,
            }
            prop_assert!(run < 7, "{text} → {clean}");
        }
    }
}

#[test]
fn r_intake_8_r_return_5_how_an_escalation_ends() {
    use {EscalationCause as C, EscalationLevel as L, EscalationOutcome as O};
    for (level, cause, outcome, words, refused) in [
        (L::Senior, C::KeyAccount, O::Answered, "told", None),
        (L::Senior, C::KeyAccount, O::Answered, " ", Some(ProblemType::InvalidField)),
        (L::Senior, C::KeyAccount, O::Upheld, "x", Some(ProblemType::InvalidField)),
        (L::Manager, C::BeyondLimit, O::TakenUp, "x", Some(ProblemType::InvalidField)),
        (L::Manager, C::RefusalContested, O::Answered, "x", Some(ProblemType::InvalidField)),
        (L::Manager, C::RefusalContested, O::Upheld, "x", None),
        (L::Manager, C::RefusalContested, O::TakenUp, "x", None),
        (L::Coordination, C::SeveralChannels, O::Raised, "x", None),
        (L::Joint, C::RaisedFurther, O::Raised, "x", Some(ProblemType::IllegalTransition)),
    ] {
        let judged = escalation_close_check(level, cause, outcome, words);
        assert_eq!(judged.err().map(|rejection| rejection.problem), refused, "{level} {cause} {outcome}");
    }
    let climbed: Vec<L> = std::iter::successors(Some(L::Senior), |level| level.above()).collect();
    assert_eq!(climbed, L::ALL);
}

#[test]
fn r_know_1_which_cases_are_hard() {
    let policy = IntakePolicy::default();
    let easy = CaseFacts::default();
    for (facts, is_hard) in [
        (easy, false),
        (CaseFacts { had_tracking_ticket: true, ..easy }, true),
        (CaseFacts { reopened_count: 1, ..easy }, true),
        (CaseFacts { ladder_steps: 2, ..easy }, false),
        (CaseFacts { ladder_steps: 3, ..easy }, true),
        (CaseFacts { was_handed_over: true, ..easy }, false),
        (CaseFacts { was_escalated: true, ..easy }, false),
        (CaseFacts { was_handed_over: true, was_escalated: true, ..easy }, true),
    ] {
        assert_eq!(case_is_hard(&facts, &policy), is_hard, "{facts:?}");
    }
}

#[test]
fn r_know_1_what_kind_of_place() {
    for (address, kind) in [
        ("人民路12号地下车库B2", PlaceKind::Underground),
        ("中山大道3号15层1502室", PlaceKind::HighRise),
        ("Tower A, floor 22", PlaceKind::HighRise),
        ("人民路12号3楼", PlaceKind::Building),
        ("河西村三队", PlaceKind::Village),
        ("港湾一路12号", PlaceKind::Road),
        ("12 Station Road", PlaceKind::Road),
        ("", PlaceKind::Unknown),
    ] {
        assert_eq!(place_kind(address), kind, "{address}");
    }
}

#[test]
fn r_know_1_nothing_personal_is_told_and_the_most_alike_comes_first() {
    let told =
        without_personal_data("张三(138-0000-0001)在人民路12号, 3 times in 2026, band 41", &["张三", "人民路12号", ""]);
    assert_eq!(told, "***(***)在***, 3 times in 2026, band 41");
    let lte = Some(NetworkGeneration::Lte);
    let order = (lte, PlaceKind::Village);
    let all = [(lte, PlaceKind::Village), (lte, PlaceKind::Road), (None, PlaceKind::Unknown)];
    let compared = all.iter().rev().map(|case| (case_likeness(*case, order), *case)).collect();
    assert_eq!(cases_offered(compared, 2), all[..2]);
    assert_eq!(case_likeness((None, PlaceKind::Unknown), (None, PlaceKind::Unknown)), 0);
    assert_eq!(folded("  Weak  SIGNAL\n弱 "), "weak signal 弱");
}

#[test]
fn the_policy_of_intake_is_checked() {
    assert!(IntakePolicy::default().check().is_ok());
    for wrong in [
        IntakePolicy { same_place_m: 0, ..IntakePolicy::default() },
        IntakePolicy { several_channels: 1, ..IntakePolicy::default() },
        IntakePolicy { major_joint_customers: 1, ..IntakePolicy::default() },
        IntakePolicy { similar_place_m: 5_001, ..IntakePolicy::default() },
        IntakePolicy { hard_case_steps: 13, ..IntakePolicy::default() },
    ] {
        assert_eq!(wrong.check().unwrap_err().problem, ProblemType::InvalidField, "{wrong:?}");
    }
}
