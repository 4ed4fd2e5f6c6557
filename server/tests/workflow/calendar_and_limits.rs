//! Working days, limits and clocks (R-LIMIT-1, R-LIMIT-2, R-INTAKE-5, R-INTAKE-9, R-CLASS-2, R-LADDER-3).

use crate::workflow::support::{CHINA, china};
use callout_server::workflow::calendar::{CalendarError, Day, WorkCalendar};
use callout_server::workflow::clocks::{Clock, ClockEvent, ClockStanding, SpanReason, TimeMeasure};
use callout_server::workflow::complaints::{ComplaintChannel, ComplaintClass};
use callout_server::workflow::limits::{LimitClass, LimitPolicy};
use callout_server::workflow::reviews::PlanKind;
use callout_sync_protocol::time::Timestamp;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

#[test]
fn the_default_calendar_is_chinas_of_2025_and_2026() {
    let calendar = WorkCalendar::default();
    calendar.validate().unwrap();
    // From the State Council's notices of 2024-11-12 and 2025-11-04: days off and make-up workdays of the two years.
    assert_eq!(calendar.public_holidays.keys().filter(|d| d.year() == 2025).count(), 1 + 8 + 3 + 5 + 3 + 8);
    assert_eq!(calendar.public_holidays.keys().filter(|d| d.year() == 2026).count(), 3 + 9 + 3 + 5 + 3 + 3 + 7);
    assert_eq!(calendar.makeup_workdays.len(), 5 + 6);
    for off in ["2025-01-28", "2025-10-08", "2026-01-03", "2026-02-23", "2026-06-21", "2026-10-07", "2026-11-21"] {
        assert!(!calendar.is_working_day(day(off)), "{off}");
    }
    for worked in ["2025-01-26", "2025-10-11", "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-11-20"] {
        assert!(calendar.is_working_day(day(worked)), "{worked}");
    }
    // 365 days less 104 of weekends and the 13 that the law gives; the rest only moves.
    for (year, expected) in [(2025, 248), (2026, 248)] {
        let first = day(&format!("{year}-01-01"));
        let count = (0..365).filter(|n| calendar.is_working_day(first.plus_days(*n))).count();
        assert_eq!(count, expected, "{year}");
    }
    assert!(calendar.covers(2026) && !calendar.covers(2027), "a year without data says so");
}

#[test]
fn an_administrators_calendar_is_checked() {
    let text = r#"{"years":[2027],"public_holidays":{"2027-02-06":"春节"},"makeup_workdays":["2027-02-20"]}"#;
    let calendar: WorkCalendar = serde_json::from_str(text).unwrap();
    calendar.validate().unwrap();
    assert_eq!(serde_json::to_string(&calendar).unwrap(), text, "it reads what it writes");
    let mut wrong = calendar.clone();
    wrong.makeup_workdays.insert(day("2027-02-06"));
    assert_eq!(wrong.validate(), Err(CalendarError::Contradiction(day("2027-02-06"))));
    let mut wrong = calendar.clone();
    wrong.makeup_workdays.insert(day("2027-02-19"));
    assert_eq!(wrong.validate(), Err(CalendarError::MakeupOnWeekday(day("2027-02-19"))));
    let mut wrong = calendar;
    wrong.public_holidays.insert(day("2028-01-01"), "元旦".into());
    assert_eq!(wrong.validate(), Err(CalendarError::YearNotListed(day("2028-01-01"))));
    assert!(
        serde_json::from_str::<WorkCalendar>(
            r#"{"years":[],"public_holidays":{"2027-02-30":""},"makeup_workdays":[]}"#
        )
        .is_err()
    );
}

#[test]
fn r_limit_1_working_days_by_class() {
    let (policy, calendar) = (LimitPolicy::default(), WorkCalendar::default());
    let due =
        |class, received: &str| policy.handling_clock(class, false, china(received)).due_at(&calendar, CHINA).unwrap();
    for (class, received, expected) in [
        // An ordinary week.
        (LimitClass::Quality, "2026-11-16 09:00", "2026-11-19 09:00"),
        (LimitClass::StaffConduct, "2026-11-16 09:00", "2026-11-18 09:00"),
        (LimitClass::Billing, "2026-11-16 09:00", "2026-11-18 09:00"),
        (LimitClass::Other, "2026-11-16 09:00", "2026-11-23 09:00"),
        // Over a weekend; on a weekend it begins with Monday.
        (LimitClass::Quality, "2026-11-20 16:00", "2026-11-25 16:00"),
        (LimitClass::Quality, "2026-11-21 16:00", "2026-11-26 00:00"),
        // Before Spring Festival: Saturday the 14th is worked, then nine days off.
        (LimitClass::Quality, "2026-02-13 10:00", "2026-02-25 10:00"),
        // Sunday 2026-01-04 is worked.
        (LimitClass::StaffConduct, "2026-01-02 10:00", "2026-01-06 00:00"),
    ] {
        assert_eq!(due(class, received), china(expected), "{class} {received}");
    }
    assert_eq!(LimitClass::of_complaint(ComplaintClass::Network), LimitClass::Quality);
}

#[test]
fn r_class_2_a_major_complaint_has_the_fast_track() {
    let (policy, calendar) = (LimitPolicy::default(), WorkCalendar::default());
    let clock = policy.handling_clock(LimitClass::Quality, true, china("2026-11-16 09:00"));
    assert_eq!(clock.due_at(&calendar, CHINA), Some(china("2026-11-17 21:00")));
}

#[test]
fn r_intake_5_and_9_answers_are_owed_holidays_or_not() {
    let (policy, calendar) = (LimitPolicy::default(), WorkCalendar::default());
    let received = china("2026-02-15 22:00");
    assert_eq!(policy.first_response_clock(received).due_at(&calendar, CHINA), Some(china("2026-02-16 22:00")));
    for channel in ComplaintChannel::ALL {
        let due = policy.higher_door_clock(*channel, received).and_then(|clock| clock.due_at(&calendar, CHINA));
        let expected = matches!(channel, ComplaintChannel::GroupHotline | ComplaintChannel::Regulator)
            .then(|| china("2026-02-17 22:00"));
        assert_eq!(due, expected, "{channel}");
    }
}

#[test]
fn r_limit_2_deadlines_count_from_the_approval() {
    let (policy, calendar) = (LimitPolicy::default(), WorkCalendar::default());
    let due = |kind, approved: &str| policy.plan_due_at(kind, china(approved), &calendar, CHINA);
    assert_eq!(due(PlanKind::Optimise, "2026-11-20 10:00"), None);
    assert_eq!(due(PlanKind::Fault, "2026-11-20 10:00"), Some(china("2026-11-22 10:00")));
    assert_eq!(due(PlanKind::Retrofit, "2026-11-20 10:00"), Some(china("2026-11-23 10:00")));
    // The meeting of the week after, whether approved on Monday or Sunday.
    assert_eq!(due(PlanKind::Build, "2026-11-16 10:00"), Some(china("2026-11-26 14:30")));
    assert_eq!(due(PlanKind::Build, "2026-11-22 23:59"), Some(china("2026-11-26 14:30")));
    assert_eq!(due(PlanKind::Build, "2026-11-23 00:00"), Some(china("2026-12-03 14:30")));
    // R-LADDER-3: where Thursday is off, the last working day before it; where the week is off, the first after.
    assert_eq!(due(PlanKind::Build, "2025-04-28 10:00"), Some(china("2025-05-08 14:30")), "May holidays are over");
    assert_eq!(
        due(PlanKind::Build, "2025-12-24 10:00"),
        Some(china("2025-12-31 14:30")),
        "New Year's Day is a Thursday"
    );
    assert_eq!(due(PlanKind::Build, "2026-02-11 10:00"), Some(china("2026-02-24 14:30")), "Spring Festival's week");
}

#[test]
fn a_clock_pauses_goes_on_and_explains_itself() {
    let calendar = WorkCalendar::default();
    // Friday 10:00; paused Friday 12:00 to Monday 12:00; resolved Tuesday 12:00; reopened Thursday 12:00.
    let mut clock = Clock::started(china("2026-11-20 10:00"), TimeMeasure::WorkingDays, 72 * HOUR, "received");
    clock.record(china("2026-11-20 12:00"), ClockEvent::Paused, "asked for the house number").unwrap();
    assert_eq!(clock.due_at(&calendar, CHINA), None, "a paused clock has no due time");
    clock.record(china("2026-11-23 12:00"), ClockEvent::Resumed, "the customer answered").unwrap();
    assert_eq!(clock.due_at(&calendar, CHINA), Some(china("2026-11-26 10:00")));
    clock.record(china("2026-11-24 12:00"), ClockEvent::Stopped, "resolved").unwrap();
    clock.record(china("2026-11-26 12:00"), ClockEvent::Reopened, "the customer denied").unwrap();
    assert_eq!(clock.due_at(&calendar, CHINA), Some(china("2026-11-30 10:00")), "the old clock goes on");
    let now = china("2026-11-29 12:00");
    assert_eq!(clock.used_micros(now, &calendar, CHINA), (2 + 24 + 36) * HOUR);
    assert_eq!(clock.warn_at(80, &calendar, CHINA), Some(china("2026-11-27 19:36")));
    let told: Vec<(Timestamp, SpanReason, String)> =
        clock.explain(now, &calendar, CHINA).into_iter().map(|s| (s.from, s.reason, s.note)).collect();
    let span = |from: &str, reason, note: &str| (china(from), reason, note.to_owned());
    assert_eq!(
        told,
        vec![
            span("2026-11-20 10:00", SpanReason::Counted, "received"),
            span("2026-11-20 12:00", SpanReason::Paused, "asked for the house number"),
            span("2026-11-23 12:00", SpanReason::Counted, "the customer answered"),
            span("2026-11-24 12:00", SpanReason::Stopped, "resolved"),
            span("2026-11-26 12:00", SpanReason::Counted, "the customer denied"),
            span("2026-11-28 00:00", SpanReason::Weekend, ""),
        ]
    );
    assert!(!clock.is_breached(now, &calendar, CHINA));
    assert!(clock.is_breached(china("2026-11-30 10:01"), &calendar, CHINA));
}

#[test]
fn a_clock_that_ran_out_before_a_pause_stays_due_then() {
    let calendar = WorkCalendar::weekdays_only();
    let mut clock = Clock::started(china("2026-11-16 10:00"), TimeMeasure::AllHours, HOUR, "received");
    clock.record(china("2026-11-16 15:00"), ClockEvent::Paused, "asked").unwrap();
    clock.record(china("2026-11-18 15:00"), ClockEvent::Resumed, "answered").unwrap();
    assert_eq!(clock.due_at(&calendar, CHINA), Some(china("2026-11-16 11:00")));
}

#[test]
fn a_clock_refuses_what_it_cannot_do_and_survives_a_clock_set_back() {
    let mut clock = Clock::started(china("2026-11-20 10:00"), TimeMeasure::AllHours, HOUR, "received");
    assert!(clock.record(china("2026-11-20 11:00"), ClockEvent::Resumed, "x").is_err());
    assert_eq!(clock.history.len(), 1, "a refusal changes nothing");
    clock.record(china("2026-11-20 09:00"), ClockEvent::Stopped, "the server's clock was set back").unwrap();
    assert_eq!(clock.history[1].at, china("2026-11-20 10:00"));
    assert_eq!(clock.standing(), ClockStanding::Stopped);
    assert_eq!(clock.used_micros(china("2026-11-21 09:00"), &WorkCalendar::default(), CHINA), 0);
}

proptest! {
    /// Adding working time and measuring it agree, in every zone.
    #[test]
    fn working_time_added_is_working_time_between(
        start in 1_735_689_600i64..1_798_761_600,
        hours in 0i64..400,
        offset in -12i16..=14,
    ) {
        let calendar = WorkCalendar::default();
        let from = Timestamp::from_unix_micros(start * 1_000_000).unwrap();
        let until = calendar.plus_working_micros(from, hours * HOUR, offset * 60);
        prop_assert_eq!(calendar.working_micros_between(from, until, offset * 60), hours * HOUR);
    }

    /// Whatever happens to a clock, its explanation covers its whole life without gap or overlap, and adds up.
    #[test]
    fn every_clock_explains_every_moment(
        events in prop::collection::vec((0usize..ClockEvent::ALL.len(), 0i64..100), 0..30),
        measure in prop::sample::select(TimeMeasure::ALL.to_vec()),
    ) {
        let calendar = WorkCalendar::default();
        let begin = china("2026-02-10 08:00");
        let mut clock = Clock::started(begin, measure, 72 * HOUR, "received");
        let mut now = begin;
        for (event, hours) in events {
            now = now.plus_seconds(hours * 3_600);
            let _ = clock.record(now, ClockEvent::ALL[event], "because");
        }
        now = now.plus_seconds(3_600);
        let spans = clock.explain(now, &calendar, CHINA);
        prop_assert_eq!(spans[0].from, begin);
        prop_assert_eq!(spans[spans.len() - 1].until, now);
        for pair in spans.windows(2) {
            prop_assert_eq!(pair[0].until, pair[1].from);
        }
        let used = clock.used_micros(now, &calendar, CHINA);
        prop_assert!(used <= now.micros_since(begin));
        if let Some(due) = clock.due_at(&calendar, CHINA) {
            prop_assert!(!clock.is_breached(now, &calendar, CHINA) || due < now);
            prop_assert!(due > now || used >= clock.budget_micros);
        }
    }
}
