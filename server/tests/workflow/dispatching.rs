//! Whom to send and when: the ranking and its properties, shifts, appointments, hours of rest, questions to the branch.

use crate::workflow::support::{CHINA, at, china, facts, place, position, user};
use callout_server::workflow::appointments::{ArrivalPolicy, appointment_check};
use callout_server::workflow::branch_questions::{branch_question_answer, branch_question_ask};
use callout_server::workflow::candidates::{
    Candidate, CandidateFactorKind, CandidateOrder, CandidatePolicy, CandidateTester, Skill, candidates_rank,
    skills_needed,
};
use callout_server::workflow::contacts::{ContactPolicy, contact_check};
use callout_server::workflow::handoffs::{HandoffRecipient, HandoffState};
use callout_server::workflow::policies::Policy;
use callout_server::workflow::shifts::{
    ShiftException, ShiftExceptionKind, ShiftStanding, Shifts, TimeOfDay, WeeklyShift,
};
use callout_server::workflow::work_orders::{WorkOrderCommand, WorkOrderFacts, WorkOrderPolicy, work_order_transition};
use callout_sync_protocol::contact_words::ContactWords;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom, TimeWindow, WorkOrderState};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn time(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

fn weekly(weekday: u8, from: &str, until: &str) -> WeeklyShift {
    WeeklyShift { weekday, from: time(from), until: time(until) }
}

fn window(from: &str, until: &str) -> TimeWindow {
    TimeWindow { from: china(from), until: china(until) }
}

#[test]
fn a_time_of_day_has_one_form() {
    for text in ["00:00", "08:30", "23:59"] {
        assert_eq!(time(text).to_string(), text);
    }
    for text in ["", "8:30", "24:00", "08:60", "08:3", "08-30", "+8:30", "08:30:00", "０8:30"] {
        assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
    }
    assert_eq!(TimeOfDay::of(at("2026-11-22T23:59:59Z"), CHINA), time("07:59"));
    assert_eq!(TimeOfDay::of(at("1969-12-31T23:30:00Z"), 0), time("23:30"), "before the epoch");
}

/// Shifts by local time; a leave goes before an extra shift, and both before the week. 2026-11-23 is a Monday.
#[test]
fn shifts_follow_the_week_and_its_exceptions() {
    let exception = |day: &str, kind, hours: Option<(&str, &str)>| ShiftException {
        day: day.parse().unwrap(),
        kind,
        from: hours.map(|(from, _)| time(from)),
        until: hours.map(|(_, until)| time(until)),
    };
    let shifts = Shifts {
        weekly: vec![weekly(1, "08:30", "17:30"), weekly(5, "22:00", "06:00")],
        exceptions: vec![
            exception("2026-11-30", ShiftExceptionKind::Leave, None),
            exception("2026-12-07", ShiftExceptionKind::Leave, Some(("13:00", "18:00"))),
            exception("2026-11-29", ShiftExceptionKind::Extra, Some(("20:00", "02:00"))),
        ],
    };
    shifts.check().unwrap();
    use ShiftStanding as S;
    for (when, standing) in [
        ("2026-11-23 08:29", S::Off),
        ("2026-11-23 08:30", S::On),
        ("2026-11-23 17:30", S::Off),
        ("2026-11-24 09:00", S::Off),
        ("2026-11-27 23:00", S::On),
        ("2026-11-28 05:59", S::On),
        ("2026-11-28 06:00", S::Off),
        ("2026-11-29 21:00", S::On),
        ("2026-11-30 01:00", S::Leave),
        ("2026-11-30 09:00", S::Leave),
        ("2026-12-07 12:59", S::On),
        ("2026-12-07 13:00", S::Leave),
    ] {
        assert_eq!(shifts.standing(china(when), CHINA), standing, "{when}");
    }
    assert_eq!(Shifts::default().standing(china("2026-11-23 09:00"), CHINA), S::Unknown);
    for bad in [
        Shifts { weekly: vec![weekly(0, "08:00", "09:00")], exceptions: vec![] },
        Shifts { weekly: vec![], exceptions: vec![exception("2026-11-29", ShiftExceptionKind::Extra, None)] },
        Shifts { weekly: vec![weekly(1, "08:00", "09:00"); 65], exceptions: vec![] },
    ] {
        assert_eq!(bad.check().unwrap_err().problem, ProblemType::InvalidField);
    }
}

#[test]
fn the_skills_follow_from_symptom_generation_and_place() {
    use NetworkGeneration as G;
    use Symptom as Y;
    let policy = CandidatePolicy::default();
    for (symptom, generation, text, expected) in [
        (Y::CallDrop, None, "路上", vec![Skill::Volte]),
        (Y::CallDrop, Some(G::Gsm), "路上", vec![]),
        (Y::VoiceQuality, Some(G::Nr), "在家里", vec![Skill::Volte, Skill::Nr, Skill::Indoor]),
        (Y::SlowData, Some(G::Lte), "Basement", vec![Skill::Indoor, Skill::Data]),
        (Y::NoSignal, Some(G::Nr), "", vec![Skill::Nr]),
        (Y::Other, None, "广场", vec![]),
    ] {
        let expected: BTreeSet<Skill> = expected.into_iter().collect();
        assert_eq!(skills_needed(symptom, generation, &[text], &policy), expected, "{symptom} {generation:?} {text}");
    }
}

fn order() -> CandidateOrder {
    CandidateOrder {
        place: Some(place().position),
        utc_offset_minutes: CHINA,
        skills: [Skill::Volte, Skill::Indoor].into(),
        appointment: None,
        now: china("2026-11-23 10:00"),
    }
}

/// On shift, skilled, free, next door.
fn tester(n: u8) -> CandidateTester {
    CandidateTester {
        id: user(n),
        region_count: 1,
        skills: [Skill::Volte, Skill::Indoor].into(),
        shifts: Shifts { weekly: vec![weekly(1, "08:30", "17:30")], exceptions: vec![] },
        home: Some(place().position),
        last_arrival: None,
        orders_in_hand: 0,
        daily_capacity: 4,
        appointments: vec![],
        has_declined: false,
    }
}

fn points(candidate: &Candidate, kind: CandidateFactorKind) -> (u32, &str) {
    let factor = candidate.factors.iter().find(|factor| factor.factor == kind).unwrap();
    (factor.points, factor.reason.as_str())
}

/// One factor at a time against the ideal tester: how many points remain, and why.
#[test]
fn every_factor_tells_its_points_and_its_reason() {
    use CandidateFactorKind as K;
    let far = position(30.54, 114.40);
    let shown = CandidateOrder { appointment: Some(window("2026-11-23 14:30", "2026-11-23 15:30")), ..order() };
    let table: Vec<(CandidateOrder, CandidateTester, K, u32, &str, bool)> = vec![
        (order(), tester(1), K::Region, 50, "works in this region only", true),
        (order(), CandidateTester { region_count: 4, ..tester(1) }, K::Region, 12, "works in 4 regions", true),
        (order(), tester(1), K::Distance, 300, "0.0 km from the usual start", true),
        (
            order(),
            CandidateTester { home: Some(far), ..tester(1) },
            K::Distance,
            204,
            "9.6 km from the usual start",
            true,
        ),
        (order(), CandidateTester { home: None, ..tester(1) }, K::Distance, 0, "the tester's place is not known", true),
        (
            order(),
            CandidateTester { last_arrival: Some((far, china("2026-11-23 09:00"))), ..tester(1) },
            K::Distance,
            204,
            "9.6 km from the last arrival",
            true,
        ),
        (
            order(),
            CandidateTester { last_arrival: Some((far, china("2026-11-22 21:00"))), ..tester(1) },
            K::Distance,
            300,
            "0.0 km from the usual start",
            true,
        ),
        (CandidateOrder { place: None, ..order() }, tester(1), K::Distance, 0, "the order's place is not known", true),
        (order(), tester(1), K::Skill, 250, "has volte, indoor", true),
        (order(), CandidateTester { skills: [Skill::Volte].into(), ..tester(1) }, K::Skill, 125, "lacks indoor", true),
        (CandidateOrder { skills: [].into(), ..order() }, tester(1), K::Skill, 250, "no special skill needed", true),
        (order(), CandidateTester { orders_in_hand: 3, ..tester(1) }, K::Load, 37, "3 orders in hand of 4 a day", true),
        (order(), CandidateTester { orders_in_hand: 9, ..tester(1) }, K::Load, 0, "9 orders in hand of 4 a day", false),
        (order(), tester(1), K::Shift, 150, "on shift now", true),
        (
            order(),
            CandidateTester { shifts: Shifts::default(), ..tester(1) },
            K::Shift,
            75,
            "no shifts on record",
            true,
        ),
        (
            CandidateOrder { appointment: Some(window("2026-11-24 14:30", "2026-11-24 15:30")), ..order() },
            tester(1),
            K::Shift,
            0,
            "off shift at the appointment",
            false,
        ),
        (shown.clone(), tester(1), K::Appointment, 100, "free at the appointment", true),
        (
            shown.clone(),
            CandidateTester { appointments: vec![window("2026-11-23 15:45", "2026-11-23 16:30")], ..tester(1) },
            K::Appointment,
            0,
            "has another appointment too close to it",
            false,
        ),
        (
            shown,
            CandidateTester { appointments: vec![window("2026-11-23 16:00", "2026-11-23 16:30")], ..tester(1) },
            K::Appointment,
            100,
            "free at the appointment",
            true,
        ),
        (order(), CandidateTester { has_declined: true, ..tester(1) }, K::Skill, 250, "has volte, indoor", false),
    ];
    for (order, tester, kind, expected, reason, is_available) in table {
        let ranked = candidates_rank(&order, std::slice::from_ref(&tester), &CandidatePolicy::default());
        assert_eq!(points(&ranked[0], kind), (expected, reason), "{kind}: {tester:?}");
        assert_eq!(ranked[0].is_available, is_available, "{kind}: {tester:?}");
        assert!(ranked[0].factors.iter().all(|factor| !factor.reason_zh.is_empty()));
    }
}

fn any_tester() -> impl Strategy<Value = CandidateTester> {
    let place = (29.0f64..32.0, 113.0f64..116.0).prop_map(|(latitude, longitude)| position(latitude, longitude));
    let skills = proptest::collection::btree_set(proptest::sample::select(Skill::ALL), 0..4);
    (1..200u8, 1..5u32, skills, proptest::option::of(place), 0..9u32, 1..9u16, any::<bool>(), any::<bool>()).prop_map(
        |(n, region_count, skills, home, orders_in_hand, daily_capacity, has_shifts, has_declined)| CandidateTester {
            region_count,
            skills,
            home,
            orders_in_hand,
            daily_capacity,
            has_declined,
            shifts: if has_shifts { tester(n).shifts } else { Shifts::default() },
            ..tester(n)
        },
    )
}

fn any_testers() -> impl Strategy<Value = Vec<CandidateTester>> {
    proptest::collection::vec(any_tester(), 0..12).prop_map(|mut testers| {
        testers.sort_by_key(|tester| tester.id);
        testers.dedup_by_key(|tester| tester.id);
        testers
    })
}

proptest! {
    /// Everybody is ranked once, from 1, whatever the order in which they come; scores are the sums of what is shown.
    #[test]
    fn a_ranking_is_whole_and_does_not_depend_on_the_input_order(testers in any_testers(), seed in 0..100usize) {
        let policy = CandidatePolicy::default();
        let ranked = candidates_rank(&order(), &testers, &policy);
        let mut turned = testers.clone();
        if !turned.is_empty() {
            let middle = seed % turned.len();
            turned.rotate_left(middle);
        }
        prop_assert_eq!(&ranked, &candidates_rank(&order(), &turned, &policy));
        let ids: BTreeSet<_> = ranked.iter().map(|candidate| candidate.tester_id).collect();
        prop_assert_eq!(ids.len(), testers.len());
        for (place, candidate) in ranked.iter().enumerate() {
            prop_assert_eq!(candidate.rank as usize, place + 1);
            prop_assert_eq!(candidate.score, candidate.factors.iter().map(|factor| factor.points).sum::<u32>());
            prop_assert!(candidate.factors.iter().all(|factor| factor.points <= factor.most));
        }
        let unavailable_first = ranked.windows(2).any(|pair| !pair[0].is_available && pair[1].is_available);
        prop_assert!(!unavailable_first);
    }

    /// Being nearer, better trained, or less busy never makes a tester's place worse.
    #[test]
    fn doing_better_never_ranks_worse(testers in any_testers(), which in any::<prop::sample::Index>(), how in 0..3u8) {
        prop_assume!(!testers.is_empty());
        let policy = CandidatePolicy::default();
        let index = which.index(testers.len());
        let id = testers[index].id;
        let rank = |testers: &[CandidateTester]| {
            let ranked = candidates_rank(&order(), testers, &policy);
            ranked.iter().find(|candidate| candidate.tester_id == id).unwrap().rank
        };
        let before = rank(&testers);
        let mut better = testers.clone();
        match how {
            0 => better[index].home = order().place,
            1 => better[index].skills.extend(order().skills),
            _ => better[index].orders_in_hand = 0,
        }
        prop_assert!(rank(&better) <= before);
    }
}

/// R-VISIT-1: what a desk may promise.
#[test]
fn a_promised_window_lies_ahead_and_is_neither_too_short_nor_too_long() {
    let now = china("2026-11-23 10:00");
    let policy = ArrivalPolicy::default();
    let problem =
        |from: &str, until: &str| appointment_check(window(from, until), now, &policy).err().map(|r| r.detail);
    assert_eq!(problem("2026-11-23 10:01", "2026-11-23 13:01"), None);
    assert_eq!(problem("2026-11-23 14:30", "2026-11-23 14:45"), None);
    for (from, until, field) in [
        ("2026-11-23 10:00", "2026-11-23 11:00", "from"),
        ("2026-11-23 12:00", "2026-11-23 12:00", "until"),
        ("2026-11-23 12:00", "2026-11-23 11:00", "until"),
        ("2026-11-23 12:00", "2026-11-23 12:14", "15 to 180"),
        ("2026-11-23 12:00", "2026-11-23 15:01", "15 to 180"),
    ] {
        assert!(problem(from, until).unwrap().contains(field), "{from} {until}");
    }
}

/// R-CONTACT-1: the default hours, with the emergency exception.
#[test]
fn desks_leave_customers_in_peace() {
    let policy = ContactPolicy::default();
    for (when, rests) in [
        ("2026-11-23 08:29", true),
        ("2026-11-23 08:30", false),
        ("2026-11-23 11:59", false),
        ("2026-11-23 12:00", true),
        ("2026-11-23 14:29", true),
        ("2026-11-23 14:30", false),
        ("2026-11-23 20:59", false),
        ("2026-11-23 21:00", true),
        ("2026-11-23 00:00", true),
    ] {
        let check = |reason| contact_check(&policy, china(when), CHINA, reason);
        assert_eq!(
            check(None).map_err(|r| r.problem),
            if rests { Err(ProblemType::CustomerRestHours) } else { Ok(false) },
            "{when}"
        );
        assert_eq!(check(Some("  ")).is_err(), rests, "{when}");
        assert_eq!(check(Some("医院断网")), Ok(rests), "{when}");
    }
    let json = serde_json::to_value(&policy).unwrap();
    assert_eq!(json["rest_hours"][0]["from"], "12:00");
    assert_eq!(serde_json::from_value::<ContactPolicy>(json).unwrap(), policy);
    assert!(ContactWords::default().check().is_ok());
}

/// R-ROUTE-3: only while the branch owns the order; one answer.
#[test]
fn the_branch_is_asked_only_for_what_it_owns() {
    use HandoffRecipient as R;
    use HandoffState as S;
    for (handoff, is_possible) in [
        (None, false),
        (Some((R::Branch, S::Open)), true),
        (Some((R::Branch, S::Answered)), false),
        (Some((R::Branch, S::Cancelled)), false),
        (Some((R::Maintenance, S::Open)), false),
    ] {
        assert_eq!(branch_question_ask(handoff, "when?").is_ok(), is_possible, "{handoff:?}");
    }
    assert!(branch_question_ask(Some((R::Branch, S::Open)), " ").is_err());
    assert!(branch_question_answer(false, "Wednesday").is_ok());
    assert!(branch_question_answer(false, "").is_err() && branch_question_answer(true, "Wednesday").is_err());
}

/// R-ROUTE-5: where dispatches are checked, a junior cannot get round it by reassigning.
#[test]
fn a_junior_does_not_reassign_where_dispatches_are_checked() {
    let command = WorkOrderCommand::Reassign { tester: user(2), reason: "ill".into(), was_wrong: false };
    for (checks_junior_dispatch, actor_is_junior, is_possible) in
        [(true, true, false), (true, false, true), (false, true, true)]
    {
        let facts = WorkOrderFacts { actor_is_junior, ..facts() };
        let policy = WorkOrderPolicy { checks_junior_dispatch, ..WorkOrderPolicy::default() };
        let outcome = work_order_transition(WorkOrderState::Accepted, &command, &facts, &policy);
        assert_eq!(outcome.is_ok(), is_possible);
    }
}
