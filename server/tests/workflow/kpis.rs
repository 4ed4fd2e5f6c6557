//! The figures: what a complaint contributes to which day, handling times in buckets, the Pareto of causes (R-KPI-1).

use crate::workflow::support::{CHINA, china, region, user};
use callout_server::workflow::calendar::Day;
use callout_server::workflow::handling_times::HandlingTimes;
use callout_server::workflow::kpis::*;
use callout_storage::kpi_cells::KpiSums;
use callout_storage::kpi_facts::KpiFact;
use callout_sync_protocol::ids::{ComplaintId, UserId};
use proptest::prelude::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Taken by 1 on a Sunday evening, visited once by 2, held solved by 3, denied once, then confirmed; late.
fn fact() -> KpiFact {
    KpiFact {
        complaint_id: ComplaintId::from_bytes([9; 16]),
        work_order_id: None,
        region_id: Some(region(7)),
        class: "network".into(),
        utc_offset_minutes: CHINA,
        received_at: china("2026-11-29 23:30"),
        taken_by: Some(user(1)),
        taken_team: "hotline".into(),
        responded_at: Some(china("2026-11-30 23:30")),
        is_repeat: true,
        closed_at: Some(china("2026-12-03 01:30")),
        is_on_time: Some(false),
        visit_count: 1,
        is_solved_at_first_visit: false,
        tester_id: Some(user(2)),
        tester_team: "east".into(),
        return_count: 2,
        false_return_count: 1,
        returned_at: Some(china("2026-12-03 01:30")),
        returned_by: Some(user(3)),
        returned_team: "lead".into(),
        score: Some(9),
        overdue_at: Some(china("2026-12-02 23:30")),
        overdue_cause: Some("property access".into()),
        is_counted: true,
    }
}

#[test]
fn r_kpi_1_each_part_counts_on_its_own_day_for_its_own_person() {
    let contributions = kpi_contributions(&fact());
    let on = |is_personal, grain, first_day: &str, team: &str, person: Option<UserId>| {
        let mut found = contributions.sums.iter().filter(|contribution| {
            let key = &contribution.key;
            (key.is_personal, key.grain, key.day) == (is_personal, grain, day(first_day))
                && (key.team.as_str(), key.person_id) == (team, person.unwrap_or(UserId::NIL))
        });
        let first = found.next().map(|contribution| contribution.sums);
        found.fold(first, |sum, more| {
            let mut sum = sum.unwrap_or_default();
            sum += more.sums;
            Some(sum)
        })
    };
    let received = KpiSums { received_count: 1, responded_count: 1, repeat_count: 1, ..KpiSums::default() };
    let closed = KpiSums {
        closed_count: 1,
        judged_count: 1,
        handling_seconds: 74 * 3_600,
        visited_count: 1,
        ..KpiSums::default()
    };
    let overdue = KpiSums { overdue_count: 1, ..KpiSums::default() };
    let returned = KpiSums {
        return_count: 2,
        false_return_count: 1,
        score_count: 1,
        score_sum: 9,
        promoter_count: 1,
        ..KpiSums::default()
    };
    // The Sunday belongs to the week before and to November, the end to the week and month after.
    for (grain, intake_day, end_day) in [
        (Grain::Day, "2026-11-29", "2026-12-03"),
        (Grain::Week, "2026-11-23", "2026-11-30"),
        (Grain::Month, "2026-11-01", "2026-12-01"),
    ] {
        for is_personal in [false, true] {
            let person = |n| is_personal.then(|| user(n));
            assert_eq!(on(is_personal, grain, intake_day, "hotline", person(1)), Some(received), "{grain:?}");
            assert_eq!(on(is_personal, grain, end_day, "lead", person(3)), Some(returned), "{grain:?}");
            let mut at_the_end = closed;
            if grain != Grain::Day {
                at_the_end += overdue;
            }
            assert_eq!(on(is_personal, grain, end_day, "east", person(2)), Some(at_the_end), "{grain:?}");
        }
    }
    assert_eq!(on(false, Grain::Day, "2026-12-02", "east", None), Some(overdue), "late on the day of the breach");
    let causes: Vec<(Grain, String, &str)> =
        contributions.causes.iter().map(|key| (key.grain, key.day.to_string(), key.cause.as_str())).collect();
    assert_eq!(causes.len(), 3);
    assert!(causes.contains(&(Grain::Day, "2026-12-02".into(), "property access")));
}

#[test]
fn r_intake_5_the_first_response_counts_up_to_24_hours() {
    let responded = |at: Option<&str>| {
        let fact = KpiFact { responded_at: at.map(china), ..fact() };
        kpi_contributions(&fact).sums.iter().any(|contribution| contribution.sums.responded_count > 0)
    };
    assert!(responded(Some("2026-11-30 23:30")), "24 hours to the minute");
    assert!(!responded(Some("2026-11-30 23:31")));
    assert!(!responded(None), "silence is no answer in time");
}

#[test]
fn r_kpi_1_rates_scores_and_nps() {
    let sums = KpiSums {
        received_count: 8,
        responded_count: 6,
        repeat_count: 2,
        closed_count: 4,
        judged_count: 4,
        on_time_count: 3,
        handling_seconds: 4 * 3 * 3_600,
        visited_count: 2,
        first_visit_count: 1,
        return_count: 10,
        false_return_count: 1,
        score_count: 5,
        score_sum: 40,
        promoter_count: 3,
        detractor_count: 1,
        overdue_count: 1,
    };
    let mut times = HandlingTimes::default();
    times.add(3 * 3_600, 4);
    let figures = kpi_figures(&sums, &times);
    assert_eq!(figures.first_response_rate, Some(0.75));
    assert_eq!(figures.repeat_rate, Some(0.25));
    assert_eq!(figures.timeliness_rate, Some(0.75));
    assert_eq!(figures.handling_hours_mean, Some(3.0));
    assert!((figures.handling_hours_p90.unwrap() / 3.0 - 1.0).abs() <= 0.02);
    assert_eq!(figures.first_visit_solve_rate, Some(0.5));
    assert_eq!(figures.false_return_rate, Some(0.1));
    assert_eq!((figures.score_mean, figures.nps), (Some(8.0), Some(40.0)));
    let nothing = kpi_figures(&KpiSums::default(), &HandlingTimes::default());
    assert_eq!(nothing, KpiFigures::default(), "nothing is divided by nothing");
}

#[test]
fn r_kpi_1_the_pareto_of_overdue_causes() {
    // The reference: one cause made 62.65 % of the overdue orders.
    let causes = pareto([("access".to_owned(), 17), ("parts".into(), 0), ("wait".into(), 52), ("weather".into(), 14)]);
    let told: Vec<(&str, u64)> = causes.iter().map(|entry| (entry.cause.as_str(), entry.count)).collect();
    assert_eq!(told, vec![("wait", 52), ("access", 17), ("weather", 14)]);
    assert!((causes[0].share - 0.6265).abs() < 0.0001);
    assert!((causes[1].cumulative_share - 69.0 / 83.0).abs() < 1e-12);
    assert_eq!(causes[2].cumulative_share, 1.0);
    assert_eq!(pareto([]), vec![]);
}

proptest! {
    /// Whatever is asked for, each day is in exactly one of the periods that answer, and months and weeks are whole.
    #[test]
    fn stretches_hold_each_day_once(from in 20_000i32..20_800, length in 0i32..800, grain in 0usize..3) {
        let grain = Grain::ALL[grain];
        let (from, until) = (Day::from_number(from).unwrap(), Day::from_number(from + length).unwrap());
        let mut next = from;
        for stretch in kpi_stretches(from, until, grain) {
            prop_assert_eq!(stretch.from, next);
            prop_assert!(stretch.until > stretch.from);
            prop_assert_eq!(stretch.grain.first_day(stretch.from), stretch.from);
            prop_assert_eq!(stretch.grain.first_day(stretch.until), stretch.until);
            next = stretch.until;
        }
        prop_assert_eq!(next, until);
    }

    /// The 90th percentile is within two percent of the exact one, and what is taken out again leaves no trace.
    #[test]
    fn quantiles_are_within_two_percent(
        seconds in prop::collection::vec(60u64..5_000_000, 1..300),
        taken_out in prop::collection::vec(0u64..5_000_000, 0..50),
    ) {
        let mut times = HandlingTimes::default();
        seconds.iter().chain(&taken_out).for_each(|seconds| times.add(*seconds, 1));
        taken_out.iter().for_each(|seconds| times.add(*seconds, -1));
        let mut kept = HandlingTimes::default();
        kept.merge_encoded(&times.encode()).unwrap();
        prop_assert_eq!(&kept, &times);
        let mut sorted = seconds.clone();
        sorted.sort_unstable();
        let exact = sorted[(9 * sorted.len()).div_ceil(10) - 1] as f64;
        let found = kept.quantile_seconds(0.9).unwrap();
        prop_assert!((found / exact - 1.0).abs() <= 0.0201, "{} is not {}", found, exact);
    }

    /// Bytes of whatever kind are read or refused.
    #[test]
    fn rubbish_is_no_handling_times(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = HandlingTimes::default().merge_encoded(&bytes);
    }
}
