//! Supervision (三超督办): clusters of complaints in space and time, the list of what is supervised, sites that stay down
//! (R-SUPERVISE-1, R-SUPERVISE-2).

use crate::workflow::places::distance_m;
use crate::workflow::policies::Policy;
use crate::workflow::{DAY_MICROS, HOUR_MICROS, refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What is a cluster, and how long a site may be down. The 48 hours are the standard's; the others are choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupervisionPolicy {
    /// Metres within which complaints are neighbours.
    pub radius_m: u32,
    /// Days within which complaints are neighbours.
    pub window_days: u16,
    /// Fewest complaints, one's own among them, that make a neighbourhood dense.
    pub min_complaints: u32,
    /// Hours without a break after which a site's outage is flagged (R-SUPERVISE-2: 48).
    pub site_down_hours: u16,
    /// Metres from a site within which a complaint counts as its own (a choice: 1,500, a suburban macro site).
    pub site_reach_m: u32,
    /// A tested place is weakly covered when fewer samples than this percentage of our own network are covered (a choice: 90).
    pub weak_coverage_percent: u8,
}

impl Default for SupervisionPolicy {
    fn default() -> Self {
        Self {
            radius_m: 500,
            window_days: 14,
            min_complaints: 3,
            site_down_hours: 48,
            site_reach_m: 1_500,
            weak_coverage_percent: 90,
        }
    }
}

impl Policy for SupervisionPolicy {
    const KIND: &'static str = "supervision";

    fn check(&self) -> Result<(), Rejection> {
        let within = |field: &str, value: u32, most: u32| {
            if (1..=most).contains(&value) {
                Ok(())
            } else {
                refuse(ProblemType::InvalidField, format!("{field}: must be from 1 to {most}"))
            }
        };
        within("radius_m", self.radius_m, 20_000)?;
        within("window_days", u32::from(self.window_days), 90)?;
        within("min_complaints", self.min_complaints, 1_000)?;
        within("site_down_hours", u32::from(self.site_down_hours), 720)?;
        within("site_reach_m", self.site_reach_m, 50_000)?;
        within("weak_coverage_percent", u32::from(self.weak_coverage_percent), 100)
    }
}

/// A complaint as a point in space and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComplaintPoint {
    /// Where.
    pub position: Position,
    /// When it came.
    pub received_at: Timestamp,
}

/// A dense crowd of complaints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComplaintCluster {
    /// Indexes into the points given, ascending.
    pub members: Vec<usize>,
    /// The mean of their positions.
    pub centre: Position,
    /// When the first came.
    pub first_at: Timestamp,
    /// When the last came.
    pub last_at: Timestamp,
}

/// Metres of one degree of latitude on the sphere that `distance_m` measures on.
const METRES_PER_DEGREE: f64 = 111_195.080_233_532_9;

/// Points sorted into strips of one radius of latitude, and by longitude within, so that a neighbourhood is a short search.
struct Strips {
    strips: BTreeMap<i64, Vec<(i32, usize)>>,
    strip_degrees: f64,
}

impl Strips {
    fn new(points: &[ComplaintPoint], radius_m: f64) -> Self {
        let strip_degrees = (radius_m / METRES_PER_DEGREE).max(1e-6);
        let mut strips: BTreeMap<i64, Vec<(i32, usize)>> = BTreeMap::new();
        for (index, point) in points.iter().enumerate() {
            let strip = (point.position.latitude() / strip_degrees).floor() as i64;
            strips.entry(strip).or_default().push((point.position.longitude_e6, index));
        }
        strips.values_mut().for_each(|strip| strip.sort_unstable());
        Self { strips, strip_degrees }
    }

    /// Indexes of the points near in space and time, oneself among them.
    fn neighbours(&self, points: &[ComplaintPoint], of: usize, policy: &SupervisionPolicy) -> Vec<usize> {
        let here = points[of];
        let radius_m = f64::from(policy.radius_m);
        let window = i64::from(policy.window_days) * DAY_MICROS;
        let strip = (here.position.latitude() / self.strip_degrees).floor() as i64;
        // The strip's rim farthest from the equator needs the widest search; near a pole everything is near.
        let rim = (here.position.latitude().abs() + self.strip_degrees).min(89.9).to_radians();
        let reach_e6 = (self.strip_degrees / rim.cos() * 1e6).ceil().min(360e6) as i32 + 1;
        let (west, east) =
            (here.position.longitude_e6.saturating_sub(reach_e6), here.position.longitude_e6.saturating_add(reach_e6));
        let mut found = Vec::new();
        for strip in self.strips.range(strip - 1..=strip + 1).map(|(_, strip)| strip) {
            let from = strip.partition_point(|(longitude, _)| *longitude < west);
            for &(_, index) in strip[from..].iter().take_while(|(longitude, _)| *longitude <= east) {
                let there = points[index];
                if there.received_at.micros_since(here.received_at).abs() <= window
                    && distance_m(here.position, there.position) <= radius_m
                {
                    found.push(index);
                }
            }
        }
        found
    }
}

/// Clusters by density (DBSCAN) over distance on the sphere and time: a point whose neighbourhood holds `min_complaints` is in a
/// cluster together with that neighbourhood. No grid decides what belongs together. Clusters come in the order of their first
/// member; a point on two clusters' rims belongs to the first. Points across the antimeridian are not neighbours.
pub fn complaint_clusters(points: &[ComplaintPoint], policy: &SupervisionPolicy) -> Vec<ComplaintCluster> {
    let strips = Strips::new(points, f64::from(policy.radius_m));
    let needed = policy.min_complaints.max(1) as usize;
    let mut taken = vec![false; points.len()];
    let mut clusters = Vec::new();
    for start in 0..points.len() {
        if taken[start] {
            continue;
        }
        let seed = strips.neighbours(points, start, policy);
        if seed.len() < needed {
            continue;
        }
        let mut members = Vec::new();
        let mut queue = VecDeque::from([start]);
        taken[start] = true;
        while let Some(index) = queue.pop_front() {
            members.push(index);
            let near = strips.neighbours(points, index, policy);
            if near.len() >= needed {
                for next in near {
                    if !taken[next] {
                        taken[next] = true;
                        queue.push_back(next);
                    }
                }
            }
        }
        members.sort_unstable();
        clusters.extend(cluster_of(points, members));
    }
    clusters
}

fn cluster_of(points: &[ComplaintPoint], members: Vec<usize>) -> Option<ComplaintCluster> {
    let count = i64::try_from(members.len()).ok().filter(|count| *count > 0)?;
    let mean = |value: fn(&Position) -> i32| {
        let sum: i64 = members.iter().map(|&index| i64::from(value(&points[index].position))).sum();
        // A mean of 32-bit numbers is one.
        i32::try_from(sum.div_euclid(count)).unwrap_or_default()
    };
    let centre = Position {
        latitude_e6: mean(|p| p.latitude_e6),
        longitude_e6: mean(|p| p.longitude_e6),
        accuracy_m: None,
        is_mock: false,
    };
    let first_at = members.iter().map(|&index| points[index].received_at).min()?;
    let last_at = members.iter().map(|&index| points[index].received_at).max()?;
    Some(ComplaintCluster { members, centre, first_at, last_at })
}

named_enum! {
    /// Why something enters the supervision list (R-SUPERVISE-1).
    SupervisionReason {
        /// A faulty site with clustered complaints.
        FaultySite = "faulty_site" / "故障基站引起集中投诉",
        /// A confirmed weak-coverage area with clustered complaints.
        WeakCoverage = "weak_coverage" / "弱覆盖区域引起集中投诉",
    }
}

/// What is known of the place of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupervisionFacts {
    /// A site that serves the place is faulty.
    pub has_faulty_site: bool,
    /// Weak coverage there is confirmed by an approved test.
    pub weak_coverage_confirmed: bool,
    /// Complaints of the cluster.
    pub clustered_complaints: u32,
}

/// The reasons for which it enters the supervision list; none if it does not (R-SUPERVISE-1).
pub fn supervision_reasons(facts: &SupervisionFacts, policy: &SupervisionPolicy) -> Vec<SupervisionReason> {
    if facts.clustered_complaints < policy.min_complaints {
        return Vec::new();
    }
    [
        (facts.has_faulty_site, SupervisionReason::FaultySite),
        (facts.weak_coverage_confirmed, SupervisionReason::WeakCoverage),
    ]
    .into_iter()
    .filter_map(|(holds, reason)| holds.then_some(reason))
    .collect()
}

named_enum! {
    /// Where an entry of the supervision list stands; it stays until cleared (R-SUPERVISE-1).
    SupervisionState {
        /// On the list.
        Listed = "listed" / "督办中",
        /// Taken off by quality control.
        Cleared = "cleared" / "已销督",
    }
}

/// Takes an entry off the list: by a person, with what cleared it, never by the mere passing of time (R-SUPERVISE-1).
///
/// # Errors
/// `illegal-transition` while the cause stands, `invalid-field` without a reason.
pub fn supervision_clear(
    state: SupervisionState,
    cause_stands: bool,
    what_cleared_it: &str,
) -> Result<SupervisionState, Rejection> {
    match state {
        SupervisionState::Listed if cause_stands => {
            refuse(ProblemType::IllegalTransition, "the fault or the weak coverage still stands (R-SUPERVISE-1)")
        }
        SupervisionState::Listed => {
            required_text("what_cleared_it", what_cleared_it)?;
            Ok(SupervisionState::Cleared)
        }
        SupervisionState::Cleared => Ok(SupervisionState::Cleared),
    }
}

/// A site's outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteOutage {
    /// The site.
    pub site: String,
    /// Handled before others.
    pub is_key_site: bool,
    /// Down since then.
    pub down_since: Timestamp,
    /// Up again then; absent while it is down.
    pub up_at: Option<Timestamp>,
    /// Complaints that it causes.
    pub complaints: u32,
}

/// A site that has been down too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlaggedSite {
    /// The site.
    pub site: String,
    /// Handled before others.
    pub is_key_site: bool,
    /// Whole hours without a break.
    pub down_hours: i64,
    /// Complaints that it causes.
    pub complaints: u32,
}

/// Sites down for more than 48 hours without a break, key sites first, then by complaints and duration (R-SUPERVISE-2).
pub fn sites_down_too_long(outages: &[SiteOutage], now: Timestamp, policy: &SupervisionPolicy) -> Vec<FlaggedSite> {
    let mut flagged: Vec<FlaggedSite> = outages
        .iter()
        .filter(|outage| outage.up_at.is_none_or(|up_at| up_at > now))
        .filter(|outage| now.micros_since(outage.down_since) > i64::from(policy.site_down_hours) * HOUR_MICROS)
        .map(|outage| FlaggedSite {
            site: outage.site.clone(),
            is_key_site: outage.is_key_site,
            down_hours: now.micros_since(outage.down_since) / HOUR_MICROS,
            complaints: outage.complaints,
        })
        .collect();
    flagged.sort_by(|a, b| {
        (b.is_key_site, b.complaints, b.down_hours)
            .cmp(&(a.is_key_site, a.complaints, a.down_hours))
            .then(a.site.cmp(&b.site))
    });
    flagged
}

/// Since when a site is down without a break, where several systems may each have seen a part of it: outages that touch or overlap
/// are one (R-SUPERVISE-2). Absent when it is up at `now`.
pub fn down_since(outages: &[(Timestamp, Option<Timestamp>)], now: Timestamp) -> Option<Timestamp> {
    let mut spells: Vec<(Timestamp, Timestamp)> = outages
        .iter()
        .filter(|(began_at, ended_at)| *began_at <= now && ended_at.is_none_or(|ended_at| ended_at > *began_at))
        // One without an end reaches beyond now.
        .map(|(began_at, ended_at)| (*began_at, ended_at.unwrap_or(now.plus_seconds(1))))
        .collect();
    spells.sort_unstable();
    let mut unbroken: Option<(Timestamp, Timestamp)> = None;
    for (began_at, ended_at) in spells {
        unbroken = Some(match unbroken {
            Some((since, until)) if began_at <= until => (since, until.max(ended_at)),
            Some(_) | None => (began_at, ended_at),
        });
    }
    unbroken.filter(|(_, until)| *until > now).map(|(since, _)| since)
}

/// What became of the clusters of the run before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterIdentities {
    /// For each cluster of this run: which of the run before it is, if it is one.
    pub of_now: Vec<Option<usize>>,
    /// For each cluster of the run before that is no more: which of this run took most of its complaints, if any did.
    pub swallowed_by: Vec<(usize, Option<usize>)>,
}

/// Recognises clusters between two runs by the complaints that they share, so that a crowd that grows, shrinks or moves a little
/// keeps its identity: pairs with the most common complaints first, each cluster in one pair at most. Where clusters merge, the one
/// that gives most goes on and the others are swallowed; where one splits, the part with most of its complaints goes on.
/// Members must be sorted.
pub fn cluster_identities<Id: Ord + Copy>(before: &[Vec<Id>], now: &[Vec<Id>]) -> ClusterIdentities {
    let mut cluster_now_of: BTreeMap<Id, usize> = BTreeMap::new();
    for (index, members) in now.iter().enumerate() {
        cluster_now_of.extend(members.iter().map(|member| (*member, index)));
    }
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (old, members) in before.iter().enumerate() {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for member in members {
            if let Some(new) = cluster_now_of.get(member) {
                *shared.entry(*new).or_default() += 1;
            }
        }
        pairs.extend(shared.into_iter().map(|(new, count)| (count, old, new)));
    }
    // Most common first; then the older cluster, then the earlier one of this run.
    pairs.sort_unstable_by_key(|(count, old, new)| (std::cmp::Reverse(*count), *old, *new));
    let mut identities = ClusterIdentities { of_now: vec![None; now.len()], swallowed_by: Vec::new() };
    let mut goes_on = vec![false; before.len()];
    for (_, old, new) in &pairs {
        if !goes_on[*old] && identities.of_now[*new].is_none() {
            goes_on[*old] = true;
            identities.of_now[*new] = Some(*old);
        }
    }
    for old in (0..before.len()).filter(|old| !goes_on[*old]) {
        let heir = pairs.iter().find(|(_, of, _)| *of == old).map(|(_, _, new)| *new);
        identities.swallowed_by.push((old, heir));
    }
    identities
}

named_enum! {
    /// Where a cluster of complaints stands.
    ClusterState {
        /// Complaints of the last days crowd there.
        Active = "active" / "聚集中",
        /// They do no longer, or another cluster swallowed it.
        Dissolved = "dissolved" / "已消散",
    }
}

named_enum! {
    /// What a site is.
    SiteKind {
        /// A tower or roof that covers a neighbourhood.
        Macro = "macro" / "宏站",
        /// A small cell for a street or a square.
        SmallCell = "small_cell" / "微站",
        /// A distributed system inside a building.
        Indoor = "indoor" / "室分",
        /// A repeater.
        Repeater = "repeater" / "直放站",
    }
}

named_enum! {
    /// What is planned with a site (R-SUPERVISE-2).
    SitePlan {
        /// Nothing: it stands and serves.
        None = "none" / "在网",
        /// It is to be built.
        PlannedBuild = "planned_build" / "规划新建",
        /// It is to move.
        Relocation = "relocation" / "规划搬迁",
    }
}
