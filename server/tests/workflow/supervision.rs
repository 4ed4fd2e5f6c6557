//! Clusters, the supervision list, sites down, early warnings (R-SUPERVISE-1, R-SUPERVISE-2, R-WARN-1).

use crate::workflow::support::{at, position};
use callout_server::workflow::places::distance_m;
use callout_server::workflow::supervision::*;
use callout_server::workflow::warnings::*;
use callout_sync_protocol::problem::ProblemType;
use proptest::prelude::*;

fn point(latitude: f64, longitude: f64, day: i64) -> ComplaintPoint {
    let received_at = at("2026-11-01T00:00:00Z").plus_seconds(day * 86_400);
    ComplaintPoint { position: position(latitude, longitude), received_at }
}

#[test]
fn clusters_follow_density_not_a_grid() {
    let policy = SupervisionPolicy::default();
    // A street of complaints, 330 m apart each: one cluster, however a grid would cut it.
    let street: Vec<ComplaintPoint> = (0..20).map(|n| point(30.5 + f64::from(n) * 0.003, 114.3, 0)).collect();
    let clusters = complaint_clusters(&street, &policy);
    assert_eq!(clusters.len(), 1);
    assert_eq!(clusters[0].members, (0..20).collect::<Vec<_>>());
    assert_eq!(clusters[0].centre, position(30.5285, 114.3));
    // 670 m apart: none.
    let sparse: Vec<ComplaintPoint> = (0..20).map(|n| point(30.5 + f64::from(n) * 0.006, 114.3, 0)).collect();
    assert_eq!(complaint_clusters(&sparse, &policy), vec![]);
    // Two are not a crowd; three are.
    let mut near = vec![point(30.5, 114.3, 0), point(30.5, 114.301, 1)];
    assert_eq!(complaint_clusters(&near, &policy), vec![]);
    near.push(point(30.501, 114.3, 20));
    assert_eq!(complaint_clusters(&near, &policy), vec![], "the third came too late");
    near.push(point(30.501, 114.3, 10));
    assert_eq!(complaint_clusters(&near, &policy).len(), 1);
}

proptest! {
    /// The quick search finds the neighbours that comparing everything with everything finds, everywhere on Earth.
    #[test]
    fn clusters_are_those_of_the_plain_definition(
        latitude in -88.0f64..88.0,
        longitude in -179.0f64..179.0,
        offsets in prop::collection::vec((-2_000i32..2_000, -2_000i32..2_000, 0i64..30), 0..60),
        min_complaints in 1u32..6,
    ) {
        let policy = SupervisionPolicy { min_complaints, ..SupervisionPolicy::default() };
        let points: Vec<ComplaintPoint> = offsets
            .iter()
            .map(|(north_m, east_m, day)| {
                let metre = 1.0 / 111_195.0;
                let east = f64::from(*east_m) * metre / latitude.to_radians().cos();
                point(latitude + f64::from(*north_m) * metre, (longitude + east).clamp(-180.0, 180.0), *day)
            })
            .collect();
        let near = |a: usize, b: usize| {
            distance_m(points[a].position, points[b].position) <= f64::from(policy.radius_m)
                && points[a].received_at.micros_since(points[b].received_at).abs() <= 14 * 86_400_000_000
        };
        let dense: Vec<bool> = (0..points.len())
            .map(|a| (0..points.len()).filter(|b| near(a, *b)).count() >= min_complaints as usize)
            .collect();
        let clusters = complaint_clusters(&points, &policy);
        let mut cluster_of = vec![None; points.len()];
        for (number, cluster) in clusters.iter().enumerate() {
            for member in &cluster.members {
                prop_assert_eq!(cluster_of[*member], None, "a point is in one cluster");
                cluster_of[*member] = Some(number);
            }
        }
        for a in 0..points.len() {
            let touches_dense = (0..points.len()).any(|b| dense[b] && near(a, b));
            prop_assert_eq!(cluster_of[a].is_some(), touches_dense);
            for b in 0..points.len() {
                if dense[a] && dense[b] && near(a, b) {
                    prop_assert_eq!(cluster_of[a], cluster_of[b], "dense neighbours are together");
                }
            }
        }
    }
}

#[test]
fn r_supervise_1_what_enters_the_list_stays_until_cleared() {
    let policy = SupervisionPolicy::default();
    let reasons = |has_faulty_site, weak_coverage_confirmed, clustered_complaints| {
        supervision_reasons(
            &SupervisionFacts { has_faulty_site, weak_coverage_confirmed, clustered_complaints },
            &policy,
        )
    };
    assert_eq!(reasons(true, false, 2), vec![]);
    assert_eq!(reasons(false, false, 30), vec![]);
    assert_eq!(reasons(true, false, 3), vec![SupervisionReason::FaultySite]);
    assert_eq!(reasons(false, true, 3), vec![SupervisionReason::WeakCoverage]);
    assert_eq!(reasons(true, true, 3), vec![SupervisionReason::FaultySite, SupervisionReason::WeakCoverage]);
    let clear = |state, stands, why: &str| supervision_clear(state, stands, why).map_err(|r| r.problem);
    use SupervisionState::{Cleared, Listed};
    assert_eq!(clear(Listed, true, "it rained"), Err(ProblemType::IllegalTransition));
    assert_eq!(clear(Listed, false, " "), Err(ProblemType::InvalidField));
    assert_eq!(clear(Listed, false, "power is back"), Ok(Cleared));
    assert_eq!(clear(Cleared, false, ""), Ok(Cleared));
}

#[test]
fn r_supervise_2_sites_down_for_more_than_48_hours() {
    let now = at("2026-11-23T02:00:00Z");
    let outage = |site: &str, is_key_site, down: &str, up: Option<&str>, complaints| SiteOutage {
        site: site.into(),
        is_key_site,
        down_since: at(down),
        up_at: up.map(at),
        complaints,
    };
    let outages = [
        outage("exactly 48 h", true, "2026-11-21T02:00:00Z", None, 9),
        outage("few", false, "2026-11-10T02:00:00Z", None, 1),
        outage("many", false, "2026-11-21T01:00:00Z", None, 7),
        outage("key", true, "2026-11-21T01:59:59Z", None, 0),
        outage("up again", true, "2026-11-01T00:00:00Z", Some("2026-11-20T00:00:00Z"), 9),
    ];
    let flagged = sites_down_too_long(&outages, now, &SupervisionPolicy::default());
    let told: Vec<(&str, i64, u32)> = flagged.iter().map(|s| (s.site.as_str(), s.down_hours, s.complaints)).collect();
    assert_eq!(told, vec![("key", 48, 0), ("many", 49, 7), ("few", 312, 1)]);
}

#[test]
fn r_warn_1_base_factor_and_floor() {
    let policy = WarningPolicy::default();
    policy.validate().unwrap();
    // 1,820 complaints in a half-year of 182 days: ten a day.
    let base = warning_base(1_820, &policy);
    assert_eq!(base, 10.0);
    for (count, level) in [
        (15, None),
        (16, Some(WarningLevel::Notice)),
        (20, Some(WarningLevel::Notice)),
        (21, Some(WarningLevel::Serious)),
        (30, Some(WarningLevel::Serious)),
        (31, Some(WarningLevel::Severe)),
    ] {
        assert_eq!(warning_level(count, base, &policy), level, "{count}");
    }
    // The floor keeps a quiet place quiet: no complaint in half a year, then a few.
    assert_eq!(warning_level(5, 0.0, &policy), None);
    assert_eq!(warning_level(6, 0.0, &policy), Some(WarningLevel::Severe));
    assert!(WarningPolicy { window_hours: 0, ..policy.clone() }.validate().is_err());
    assert!(WarningPolicy { serious_factor: 1.0, ..policy.clone() }.validate().is_err());
    assert!(WarningPolicy { severe_factor: f64::NAN, ..policy }.validate().is_err());
}

#[test]
fn r_warn_1_a_person_looks_before_anybody_is_told() {
    use WarningCommand as C;
    use WarningState as S;
    let judge = |state, command: &C| {
        warning_transition(state, WarningLevel::Notice, command).map_err(|rejection| rejection.problem)
    };
    let publish = C::Publish { recipients: vec!["lead of the region".into()] };
    let dismiss = C::Dismiss { reason: "a stadium concert".into() };
    let review = C::Review { note: "a base station lost power".into() };
    assert_eq!(judge(S::Draft, &publish), Err(ProblemType::IllegalTransition), "nobody looked at it");
    assert_eq!(judge(S::Draft, &review), Ok((S::Reviewed, vec![])));
    assert_eq!(judge(S::Draft, &C::Review { note: " ".into() }), Err(ProblemType::InvalidField));
    assert_eq!(judge(S::Reviewed, &review), Err(ProblemType::IllegalTransition));
    assert_eq!(judge(S::Reviewed, &publish), Ok((S::Published, vec![WarningEffect::RecipientsTold])));
    assert_eq!(judge(S::Reviewed, &C::Publish { recipients: vec![] }), Err(ProblemType::InvalidField));
    for undecided in [S::Draft, S::Reviewed] {
        assert_eq!(judge(undecided, &dismiss), Ok((S::Dismissed, vec![])));
        assert_eq!(judge(undecided, &C::Counted(None)), Ok((S::Recovered, vec![])), "nobody was told, nobody is told");
    }
    for done in [S::Published, S::Dismissed, S::Recovered] {
        assert_eq!(judge(done, &publish), Err(ProblemType::IllegalTransition));
        assert_eq!(judge(done, &dismiss), Err(ProblemType::IllegalTransition));
        assert_eq!(judge(done, &review), Err(ProblemType::IllegalTransition));
    }
    assert_eq!(judge(S::Published, &C::Counted(None)), Ok((S::Recovered, vec![WarningEffect::RecoveryTold])));
    let worse = C::Counted(Some(WarningLevel::Severe));
    assert_eq!(judge(S::Published, &worse), Ok((S::Published, vec![WarningEffect::LevelSet(WarningLevel::Severe)])));
    assert_eq!(judge(S::Published, &C::Counted(Some(WarningLevel::Notice))), Ok((S::Published, vec![])));
    for over in [S::Dismissed, S::Recovered] {
        assert_eq!(judge(over, &worse), Ok((over, vec![])));
    }
}

#[test]
fn r_supervise_2_what_touches_is_one_outage() {
    let now = at("2026-11-23T02:00:00Z");
    let since = |outages: &[(&str, Option<&str>)]| {
        let outages: Vec<_> = outages.iter().map(|(began, ended)| (at(began), ended.map(at))).collect();
        down_since(&outages, now).map(|since| since.to_string())
    };
    let (early, late) = ("2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z");
    assert_eq!(since(&[]), None);
    assert_eq!(since(&[(early, Some(late))]), None, "up again");
    assert_eq!(since(&[(late, None)]), Some(at(late).to_string()));
    // Two systems saw parts of one outage.
    assert_eq!(since(&[(early, Some(late)), (late, None)]), Some(at(early).to_string()));
    assert_eq!(since(&[("2026-11-21T00:00:00Z", None), (early, Some(late))]), Some(at(early).to_string()));
    // A minute of service between them is a break.
    assert_eq!(since(&[(early, Some("2026-11-21T23:59:00Z")), (late, None)]), Some(at(late).to_string()));
    assert_eq!(since(&[("2026-11-23T03:00:00Z", None)]), None, "not yet");
}

#[test]
fn clusters_are_recognised_by_the_complaints_that_they_share() {
    let identities = |before: &[&[u32]], now: &[&[u32]]| {
        let owned = |clusters: &[&[u32]]| clusters.iter().map(|members| members.to_vec()).collect::<Vec<_>>();
        cluster_identities(&owned(before), &owned(now))
    };
    // It grew, lost its oldest, and another one appeared.
    let found = identities(&[&[1, 2, 3]], &[&[2, 3, 4, 5], &[8, 9]]);
    assert_eq!((found.of_now, found.swallowed_by), (vec![Some(0), None], vec![]));
    // Two merged: the one that gives more goes on, the other is swallowed by it.
    let found = identities(&[&[1, 2, 3], &[4, 5, 6, 7]], &[&[1, 2, 3, 4, 5, 6, 7]]);
    assert_eq!((found.of_now, found.swallowed_by), (vec![Some(1)], vec![(0, Some(0))]));
    // One split: the larger part goes on, the other is new.
    let found = identities(&[&[1, 2, 3, 4, 5]], &[&[1, 2], &[3, 4, 5]]);
    assert_eq!((found.of_now, found.swallowed_by), (vec![None, Some(0)], vec![]));
    // One ended.
    let found = identities(&[&[1, 2]], &[&[3, 4]]);
    assert_eq!((found.of_now, found.swallowed_by), (vec![None], vec![(0, None)]));
}

proptest! {
    /// Nothing changed: everything is what it was, whatever the order in which it is found. No identity is given twice.
    #[test]
    fn identities_are_stable_and_unique(owners in prop::collection::vec(0usize..6, 0..60), moved in prop::collection::vec(0usize..6, 0..60)) {
        let clusters = |owners: &[usize]| {
            let mut clusters = vec![Vec::new(); 6];
            owners.iter().enumerate().for_each(|(member, owner)| clusters[*owner].push(member));
            clusters.retain(|members| !members.is_empty());
            clusters
        };
        let before = clusters(&owners);
        let mut reversed = before.clone();
        reversed.reverse();
        let same = cluster_identities(&before, &reversed);
        prop_assert_eq!(same.of_now, (0..before.len()).rev().map(Some).collect::<Vec<_>>());
        prop_assert_eq!(same.swallowed_by, vec![]);
        let found = cluster_identities(&before, &clusters(&moved));
        let mut given: Vec<usize> = found.of_now.iter().flatten().copied().collect();
        given.extend(found.swallowed_by.iter().map(|(old, _)| *old));
        given.sort_unstable();
        prop_assert_eq!(given, (0..before.len()).collect::<Vec<_>>(), "each of before goes on or is gone");
    }
}
