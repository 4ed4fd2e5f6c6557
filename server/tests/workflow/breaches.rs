//! Who used a clock's time, what a breach suggests, and limits that change while a clock runs (R-KPI-1, R-CLASS-2, R-LIMIT-1).

use crate::workflow::support::{CHINA, china};
use callout_server::workflow::breaches::{BreachCausePolicy, ClockStage, time_by_stage};
use callout_server::workflow::calendar::WorkCalendar;
use callout_server::workflow::clocks::{Clock, ClockEvent, ClockKind, ClockStanding, SpanReason, TimeMeasure};
use callout_server::workflow::handoffs::HandoffRecipient;
use callout_server::workflow::limits::{LimitClass, LimitPolicy, clock_budget_change};
use callout_server::workflow::policies::Policy;
use callout_server::workflow::reviews::PlanKind;
use callout_sync_protocol::work_orders::WorkOrderState;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000;

#[test]
fn counted_time_is_divided_among_the_stages() {
    let calendar = WorkCalendar::default();
    // Friday 10:00 to Monday 12:00, over a weekend that counts for nobody.
    let clock = Clock::started(china("2026-11-20 10:00"), TimeMeasure::WorkingDays, 72 * HOUR, "received");
    let spans = clock.explain(china("2026-11-23 12:00"), &calendar, CHINA);
    let stages = [
        (china("2026-11-20 12:00"), ClockStage::Location),
        (china("2026-11-20 13:00"), ClockStage::Dispatch),
        (china("2026-11-21 09:00"), ClockStage::Field),
        (china("2026-11-23 11:00"), ClockStage::Review),
    ];
    let times = time_by_stage(&spans, &stages);
    let expected = [
        (ClockStage::Triage, 2 * HOUR),
        (ClockStage::Location, HOUR),
        (ClockStage::Dispatch, 11 * HOUR),
        (ClockStage::Field, 11 * HOUR),
        (ClockStage::Review, HOUR),
    ];
    assert_eq!(times.into_iter().collect::<Vec<_>>(), expected);
    assert!(time_by_stage(&[], &stages).is_empty());
    assert_eq!(time_by_stage(&spans, &[]).get(&ClockStage::Triage), Some(&(26 * HOUR)), "no order yet");
}

#[test]
fn r_kpi_1_the_stage_that_used_most_suggests_the_cause() {
    let policy = BreachCausePolicy::default();
    policy.check().unwrap();
    let suggestion = |times: &[(ClockStage, i64)]| {
        policy.suggestion(&times.iter().copied().collect()).map(|cause| cause.key.clone())
    };
    assert_eq!(suggestion(&[(ClockStage::Review, 5), (ClockStage::Field, 4)]).as_deref(), Some("late_review"));
    assert_eq!(
        suggestion(&[(ClockStage::Maintenance, 9), (ClockStage::Field, 4)]).as_deref(),
        Some("maintenance_overdue")
    );
    assert_eq!(
        suggestion(&[(ClockStage::Dispatch, 4), (ClockStage::Field, 4)]).as_deref(),
        Some("late_dispatch"),
        "the earlier"
    );
    assert_eq!(suggestion(&[]), None);
    for stage in ClockStage::ALL.iter().filter(|stage| stage.owner().is_some()) {
        assert!(suggestion(&[(*stage, 1)]).is_some(), "{stage} has a cause of its own");
    }
    for state in WorkOrderState::ALL {
        let stage = ClockStage::of_order(*state, None);
        let owner = callout_server::workflow::work_orders::work_order_owner(*state);
        if *state != WorkOrderState::Unresolved {
            assert_eq!(stage.owner(), owner, "{state}: one owner, whoever is asked");
        }
    }
    let maintenance = ClockStage::of_order(WorkOrderState::HandedOver, Some(HandoffRecipient::Maintenance));
    assert_eq!(maintenance, ClockStage::Maintenance);
}

#[test]
fn causes_are_checked() {
    let policy = BreachCausePolicy::default();
    assert!(policy.check_named("late_review", None).is_ok());
    assert!(policy.check_named("bad_luck", None).is_err());
    assert!(policy.check_named("other", None).is_err(), "needs a note");
    assert!(policy.check_named("other", Some(" ")).is_err());
    assert!(policy.check_named("other", Some("台风")).is_ok());
    let mut twice = policy.clone();
    twice.causes.push(twice.causes[0].clone());
    assert!(twice.check().unwrap_err().detail.contains("twice"));
    assert!(BreachCausePolicy { causes: vec![] }.check().is_err());
    let mut blank = policy;
    blank.causes[0].name_zh = " ".into();
    assert!(blank.check().is_err());
}

#[test]
fn r_class_2_a_limit_changes_while_the_clock_runs_or_waits() {
    let calendar = WorkCalendar::default();
    let mut clock = Clock::started(china("2026-11-16 10:00"), TimeMeasure::WorkingDays, 72 * HOUR, "received");
    clock.limit_change(china("2026-11-16 22:00"), 42 * HOUR, "major").unwrap();
    assert_eq!(clock.standing(), ClockStanding::Running);
    assert_eq!(clock.due_at(&calendar, CHINA), Some(china("2026-11-18 04:00")));
    clock.record(china("2026-11-17 10:00"), ClockEvent::Paused, "asked").unwrap();
    clock.limit_change(china("2026-11-17 12:00"), 30 * HOUR, "again").unwrap();
    assert_eq!(clock.standing(), ClockStanding::Paused, "a clock that waits goes on waiting");
    assert_eq!(clock.due_at(&calendar, CHINA), None);
    assert_eq!(clock.deadline(&calendar, CHINA), Some(china("2026-11-17 16:00")), "as it last ran");
    clock.record(china("2026-11-17 20:00"), ClockEvent::Resumed, "answered").unwrap();
    assert_eq!(clock.due_at(&calendar, CHINA), Some(china("2026-11-18 02:00")));
    assert_eq!(clock.history.iter().map(|entry| entry.budget_micros / HOUR).collect::<Vec<_>>(), [72, 42, 42, 30, 30]);
    clock.record(china("2026-11-17 21:00"), ClockEvent::Stopped, "done").unwrap();
    assert!(clock.limit_change(china("2026-11-17 22:00"), HOUR, "late").is_err());
    assert!(clock.record(china("2026-11-17 22:00"), ClockEvent::LimitChanged, "x").is_err(), "only with the new limit");
    let reasons: Vec<SpanReason> =
        clock.explain(china("2026-11-17 23:00"), &calendar, CHINA).into_iter().map(|span| span.reason).collect();
    use SpanReason::{Counted, Paused, Stopped};
    assert_eq!(reasons, [Counted, Counted, Paused, Paused, Counted, Stopped]);
}

#[test]
fn a_limit_that_ends_with_the_week_is_broken_on_saturday() {
    let calendar = WorkCalendar::default();
    let mut clock = Clock::started(china("2026-11-19 00:00"), TimeMeasure::WorkingDays, 48 * HOUR, "received");
    let midnight = china("2026-11-21 00:00");
    assert_eq!(clock.due_at(&calendar, CHINA), Some(midnight));
    assert_eq!(clock.breached_at(midnight, &calendar, CHINA), None, "due is not overdue");
    assert_eq!(clock.breached_at(china("2026-11-21 00:01"), &calendar, CHINA), Some(midnight));
    clock.record(china("2026-11-20 23:59"), ClockEvent::Stopped, "done").unwrap();
    assert_eq!(clock.breached_at(china("2026-12-21 00:00"), &calendar, CHINA), None, "it was in time");
}

#[test]
fn years_without_data_are_named() {
    let calendar = WorkCalendar::default();
    let years = |from: &str, until: &str| calendar.uncovered_years(china(from), china(until), CHINA);
    assert!(years("2025-12-31 00:00", "2026-12-31 23:59").is_empty());
    assert_eq!(years("2026-12-31 23:59", "2027-01-01 00:00"), [2027]);
    assert_eq!(years("2024-12-31 10:00", "2028-01-01 10:00"), [2024, 2027, 2028]);
}

#[test]
fn every_kind_of_clock_knows_its_limit() {
    let policy = LimitPolicy::default();
    let quality = LimitClass::Quality.as_str();
    for (kind, key, full, major) in [
        (ClockKind::Handling, quality, Some(72), Some(36)),
        (ClockKind::Handling, "unheard of", None, None),
        (ClockKind::FirstResponse, "", Some(24), Some(24)),
        (ClockKind::HigherDoor, "regulator", Some(48), Some(48)),
        (ClockKind::Review, "", Some(24), Some(12)),
        (ClockKind::Plan, PlanKind::Fault.as_str(), Some(48), Some(24)),
        (ClockKind::Plan, PlanKind::Retrofit.as_str(), Some(72), Some(36)),
        (ClockKind::Plan, PlanKind::Build.as_str(), None, None),
        (ClockKind::Tracking, "", Some(720), Some(360)),
    ] {
        assert_eq!(policy.budget_micros(kind, key, false), full.map(|hours| hours * HOUR), "{kind} {key}");
        assert_eq!(policy.budget_micros(kind, key, true), major.map(|hours| hours * HOUR), "{kind} {key} major");
    }
    let calendar = WorkCalendar::default();
    let begin = china("2026-11-16 10:00");
    let plan = |kind, is_major| policy.plan_clock(kind, is_major, begin, &calendar, CHINA);
    assert!(plan(PlanKind::Optimise, false).is_none());
    assert_eq!(plan(PlanKind::Fault, true).unwrap().due_at(&calendar, CHINA), Some(china("2026-11-17 10:00")));
    // R-LADDER-3: the meeting does not move for a major complaint.
    assert_eq!(plan(PlanKind::Build, true).unwrap().due_at(&calendar, CHINA), Some(china("2026-11-26 14:30")));
}

proptest! {
    /// R-CLASS-2: the fast track never makes late what was in time, never gives more time, and takes nothing that was used.
    #[test]
    fn the_fast_track_only_shortens_what_is_left(budget in 0i64..1_000 * HOUR, used in 0i64..1_000 * HOUR, percent in 1u8..=100) {
        let policy = LimitPolicy { major_percent: percent, ..LimitPolicy::default() };
        let shorter = clock_budget_change(&policy, budget, used);
        prop_assert!(shorter <= budget);
        prop_assert!(used > budget || shorter >= used);
        if used >= budget {
            prop_assert_eq!(shorter, budget);
        }
    }
}
