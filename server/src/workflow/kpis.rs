//! The figures of R-KPI-1: what a complaint contributes to which day's sums, and what is reported of sums.
//!
//! | figure | counts | on the local day of | for the team and person |
//! |---|---|---|---|
//! | first-response rate | responses within 24 hours of receipt, of all complaints received | receipt | who took the complaint |
//! | repeat rate | repeats, of all complaints received | receipt | who took the complaint |
//! | timeliness rate | ended inside the limit, of those that ended and have one | the end | who visited last |
//! | handling time | receipt to end, every hour; mean, and p90 within two percent | the end | who visited last |
//! | first-visit solve rate | confirmed solved after one visit and never reopened, of those visited | the end | who visited last |
//! | false-return rate | false returns, of all returns that the customer answered | the customer's last answer | who held it solved |
//! | score, NPS | the customer's last score; 9–10 less 0–6 in percent | the customer's last answer | who held it solved |
//! | overdue, causes | went beyond the limit | the breach | who visited last |
//!
//! A complaint's contribution follows from its [`KpiFact`] alone, so that what was counted of it can be taken out again exactly
//! when the fact changes. What does not belong here: reading facts and adding sums up (`app::kpis`, `storage`).

use crate::workflow::calendar::Day;
use crate::workflow::{HOUR_MICROS, handling_times::HandlingTimes};
use callout_storage::kpi_cells::KpiSums;
use callout_storage::kpi_facts::KpiFact;
use callout_sync_protocol::ids::{RegionId, UserId};
use callout_sync_protocol::time::Timestamp;

/// Hours from receipt to the first response that are in time (R-INTAKE-5).
pub const FIRST_RESPONSE_HOURS: i64 = 24;

named_enum! {
    /// What figures are reported by.
    KpiGroupBy {
        /// Regions.
        Region = "region" / "区域",
        /// Teams.
        Team = "team" / "班组",
        /// Persons.
        Person = "person" / "人员",
        /// Classes of complaints.
        Class = "class" / "投诉类别",
        /// Days.
        Day = "day" / "日",
        /// Weeks from Monday.
        Week = "week" / "周",
        /// Calendar months.
        Month = "month" / "月",
    }
}

/// The length of a kept period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// A local day.
    Day,
    /// A week from Monday.
    Week,
    /// A calendar month.
    Month,
}

impl Grain {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As it is kept.
    pub fn number(self) -> i16 {
        match self {
            Self::Day => 1,
            Self::Week => 2,
            Self::Month => 3,
        }
    }

    /// The first day of the period that holds a day.
    pub fn first_day(self, day: Day) -> Day {
        match self {
            Self::Day => day,
            Self::Week => day.first_of_week(),
            Self::Month => day.first_of_month(),
        }
    }

    fn next(self, first: Day) -> Day {
        match self {
            Self::Day => first.plus_days(1),
            Self::Week => first.plus_days(7),
            Self::Month => first.plus_days(31).first_of_month(),
        }
    }
}

/// Where a contribution goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KpiKey {
    /// A person's sums, or a team's.
    pub is_personal: bool,
    /// How long the period is.
    pub grain: Grain,
    /// The region; zeros where none is known.
    pub region_id: RegionId,
    /// The period's first day.
    pub day: Day,
    /// The class.
    pub class: String,
    /// The team; empty without one.
    pub team: String,
    /// The person; zeros for a team's sums.
    pub person_id: UserId,
}

/// Where a cause goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CauseKey {
    /// How long the period is.
    pub grain: Grain,
    /// The region; zeros where none is known.
    pub region_id: RegionId,
    /// The period's first day.
    pub day: Day,
    /// The class.
    pub class: String,
    /// The cause; empty where nobody has named it.
    pub cause: String,
}

/// What a complaint contributes to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KpiContribution {
    /// Where.
    pub key: KpiKey,
    /// What.
    pub sums: KpiSums,
    /// Its handling time, if it ended.
    pub handling_seconds: Option<u64>,
}

/// All that a complaint contributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KpiContributions {
    /// To the sums.
    pub sums: Vec<KpiContribution>,
    /// To the causes of being late.
    pub causes: Vec<CauseKey>,
}

/// One part of a contribution, before it is spread over days, weeks and months, teams and persons.
struct Part<'a> {
    at: Timestamp,
    team: &'a str,
    person: Option<UserId>,
    sums: KpiSums,
    handling_seconds: Option<u64>,
}

fn parts(fact: &KpiFact) -> Vec<Part<'_>> {
    let in_time = |at: Timestamp| at.micros_since(fact.received_at) <= FIRST_RESPONSE_HOURS * HOUR_MICROS;
    let mut parts = vec![Part {
        at: fact.received_at,
        team: &fact.taken_team,
        person: fact.taken_by,
        sums: KpiSums {
            received_count: 1,
            responded_count: i64::from(fact.responded_at.is_some_and(in_time)),
            repeat_count: i64::from(fact.is_repeat),
            ..KpiSums::default()
        },
        handling_seconds: None,
    }];
    if let Some(closed_at) = fact.closed_at {
        // A complaint that was received after its end (clocks of two systems) took no time.
        let seconds = closed_at.micros_since(fact.received_at).max(0) / 1_000_000;
        parts.push(Part {
            at: closed_at,
            team: &fact.tester_team,
            person: fact.tester_id,
            sums: KpiSums {
                closed_count: 1,
                judged_count: i64::from(fact.is_on_time.is_some()),
                on_time_count: i64::from(fact.is_on_time == Some(true)),
                handling_seconds: seconds,
                visited_count: i64::from(fact.visit_count > 0),
                first_visit_count: i64::from(fact.visit_count > 0 && fact.is_solved_at_first_visit),
                ..KpiSums::default()
            },
            handling_seconds: Some(seconds.unsigned_abs()),
        });
    }
    if let Some(returned_at) = fact.returned_at {
        let score = fact.score.map(i64::from);
        parts.push(Part {
            at: returned_at,
            team: &fact.returned_team,
            person: fact.returned_by,
            sums: KpiSums {
                return_count: i64::from(fact.return_count),
                false_return_count: i64::from(fact.false_return_count),
                score_count: i64::from(score.is_some()),
                score_sum: score.unwrap_or(0),
                promoter_count: i64::from(score.is_some_and(|score| score >= 9)),
                detractor_count: i64::from(score.is_some_and(|score| score <= 6)),
                ..KpiSums::default()
            },
            handling_seconds: None,
        });
    }
    if let Some(overdue_at) = fact.overdue_at {
        parts.push(Part {
            at: overdue_at,
            team: &fact.tester_team,
            person: fact.tester_id,
            sums: KpiSums { overdue_count: 1, ..KpiSums::default() },
            handling_seconds: None,
        });
    }
    parts
}

/// What a complaint contributes.
pub fn kpi_contributions(fact: &KpiFact) -> KpiContributions {
    let region_id = fact.region_id.unwrap_or(RegionId::NIL);
    let mut found = KpiContributions::default();
    for part in parts(fact) {
        let day = Day::of(part.at, fact.utc_offset_minutes);
        for grain in Grain::ALL {
            for (is_personal, person_id) in [(false, Some(UserId::NIL)), (true, part.person)] {
                let Some(person_id) = person_id else { continue };
                found.sums.push(KpiContribution {
                    key: KpiKey {
                        is_personal,
                        grain,
                        region_id,
                        day: grain.first_day(day),
                        class: fact.class.clone(),
                        team: part.team.to_owned(),
                        person_id,
                    },
                    sums: part.sums,
                    handling_seconds: part.handling_seconds,
                });
            }
        }
    }
    if let Some(overdue_at) = fact.overdue_at {
        let day = Day::of(overdue_at, fact.utc_offset_minutes);
        found.causes.extend(Grain::ALL.map(|grain| CauseKey {
            grain,
            region_id,
            day: grain.first_day(day),
            class: fact.class.clone(),
            cause: fact.overdue_cause.clone().unwrap_or_default(),
        }));
    }
    found
}

/// A stretch of kept periods of one length: first days from inclusive, until exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KpiStretch {
    /// The periods' length.
    pub grain: Grain,
    /// The first period's first day.
    pub from: Day,
    /// The first day after the last period.
    pub until: Day,
}

/// The fewest kept periods that hold exactly the days from `from` to `until` (exclusive): whole months, weeks or days in the
/// middle, days at the rims.
pub fn kpi_stretches(from: Day, until: Day, grain: Grain) -> Vec<KpiStretch> {
    let days = |from: Day, until: Day| (from < until).then_some(KpiStretch { grain: Grain::Day, from, until });
    if grain == Grain::Day {
        return days(from, until).into_iter().collect();
    }
    let begin = if grain.first_day(from) == from { from } else { grain.next(grain.first_day(from)) };
    let end = grain.first_day(until);
    if begin >= end {
        return days(from, until).into_iter().collect();
    }
    let middle = KpiStretch { grain, from: begin, until: end };
    days(from, begin).into_iter().chain([middle]).chain(days(end, until)).collect()
}

/// What is reported of sums: rates from 0 to 1, absent where there is nothing to divide by.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct KpiFigures {
    /// Complaints received.
    pub received: i64,
    /// First responses within 24 hours of receipt (R-INTAKE-5).
    pub first_response_rate: Option<f64>,
    /// Repeats.
    pub repeat_rate: Option<f64>,
    /// Complaints whose handling ended.
    pub closed: i64,
    /// Ended inside the limit.
    pub timeliness_rate: Option<f64>,
    /// Mean hours from receipt to end.
    pub handling_hours_mean: Option<f64>,
    /// Nine of ten took at most so many hours.
    pub handling_hours_p90: Option<f64>,
    /// Ended ones that were visited.
    pub visited: i64,
    /// Solved at the first visit.
    pub first_visit_solve_rate: Option<f64>,
    /// Held solved and answered by the customer.
    pub returns: i64,
    /// False returns (R-RETURN-4).
    pub false_return_rate: Option<f64>,
    /// Scores given.
    pub scores: i64,
    /// Their mean, of ten.
    pub score_mean: Option<f64>,
    /// Promoters less detractors, in percent of the scores.
    pub nps: Option<f64>,
    /// Went beyond the limit.
    pub overdue: i64,
}

fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What is reported of sums and their handling times.
pub fn kpi_figures(sums: &KpiSums, times: &HandlingTimes) -> KpiFigures {
    KpiFigures {
        received: sums.received_count,
        first_response_rate: share(sums.responded_count, sums.received_count),
        repeat_rate: share(sums.repeat_count, sums.received_count),
        closed: sums.closed_count,
        timeliness_rate: share(sums.on_time_count, sums.judged_count),
        handling_hours_mean: share(sums.handling_seconds, sums.closed_count).map(|seconds| seconds / 3_600.0),
        handling_hours_p90: times.quantile_seconds(0.9).map(|seconds| seconds / 3_600.0),
        visited: sums.visited_count,
        first_visit_solve_rate: share(sums.first_visit_count, sums.visited_count),
        returns: sums.return_count,
        false_return_rate: share(sums.false_return_count, sums.return_count),
        scores: sums.score_count,
        score_mean: share(sums.score_sum, sums.score_count),
        nps: share(100 * (sums.promoter_count - sums.detractor_count), sums.score_count),
        overdue: sums.overdue_count,
    }
}

/// One cause of being late, with its share and the share of it and all greater ones.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ParetoEntry {
    /// The cause; empty where nobody has named it.
    pub cause: String,
    /// How many went beyond their limit for it.
    pub count: u64,
    /// Of all, from 0 to 1.
    pub share: f64,
    /// With all greater causes, from 0 to 1.
    pub cumulative_share: f64,
}

/// The causes of being late, the greatest first (Pareto).
pub fn pareto(counts: impl IntoIterator<Item = (String, u64)>) -> Vec<ParetoEntry> {
    let mut counts: Vec<(String, u64)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let whole: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut so_far = 0;
    counts
        .into_iter()
        .map(|(cause, count)| {
            so_far += count;
            let of_whole = |part: u64| part as f64 / whole as f64;
            ParetoEntry { cause, count, share: of_whole(count), cumulative_share: of_whole(so_far) }
        })
        .collect()
}
