//! What the server finds by itself in a submitted test, operators side by side, arrivals (R-TEST-1, R-VISIT-1).

use crate::workflow::support::{at, place, position};
use callout_server::workflow::appointments::{ArrivalPolicy, Punctuality, arrival_compare};
use callout_server::workflow::field_tests::{
    ComparedFigure, FindingPolicy, OperatorFigures, OperatorTrack, PhotoEvidence, TestEvidence, TestFinding as F,
    side_by_side, test_findings,
};
use callout_sync_protocol::ids::{PhotoId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{
    Cell, KpiPolicy, Position, Sample, SampleColumns, SampleKpis, Technology, kpis_compute,
};
use callout_sync_protocol::work_orders::TimeWindow;

const BEGIN_MS: i64 = 1_795_000_000_000;

fn sample(second: i64, position: Option<Position>) -> Sample {
    Sample {
        captured_at_ms: BEGIN_MS + second * 1_000,
        technology: Technology::Lte,
        level_dbm: Some(-95),
        quality_half_db: None,
        sinr_half_db: None,
        cell: Cell::default(),
        position,
        rtt_tenth_ms: None,
        downlink_kbps: None,
        uplink_kbps: None,
    }
}

/// A walk of 1.1 m/s northward from the complaint's place.
fn walk(operator: Operator, from: Position, seconds: i64) -> OperatorTrack {
    let mut track = OperatorTrack::new(operator);
    for second in 0..seconds {
        let here = Position { latitude_e6: from.latitude_e6 + second as i32 * 10, ..from };
        track.add(&sample(second, Some(here)), Some(place().position), &FindingPolicy::default());
    }
    track
}

fn evidence(tracks: Vec<OperatorTrack>) -> TestEvidence {
    TestEvidence {
        complaint_position: Some(place().position),
        tracks,
        excused: vec![],
        photos: vec![],
        arrived_at: Some(at("2026-11-23T06:20:00Z")),
        submitted_at: at("2026-11-23T08:00:00Z"),
    }
}

fn three(from: Position, seconds: i64) -> Vec<OperatorTrack> {
    Operator::REQUIRED.iter().map(|operator| walk(*operator, from, seconds)).collect()
}

fn findings(evidence: &TestEvidence) -> Vec<F> {
    test_findings(evidence, &FindingPolicy::default())
}

#[test]
fn a_good_test_has_no_findings() {
    assert_eq!(findings(&evidence(three(place().position, 120))), vec![]);
}

#[test]
fn r_test_1_a_missing_operator_is_found_excused_or_not() {
    let mut test = evidence(three(place().position, 120));
    test.tracks.remove(1);
    let missing = |is_excused| vec![F::OperatorMissing { operator: Operator::ChinaUnicom, is_excused }];
    assert_eq!(findings(&test), missing(false));
    test.excused = vec![Operator::ChinaUnicom];
    assert_eq!(findings(&test), missing(true));
    test.tracks.push(OperatorTrack::new(Operator::ChinaUnicom));
    assert_eq!(findings(&test), missing(true), "a block without samples is no test");
}

#[test]
fn too_few_samples_and_none_with_a_position() {
    let mut tracks = three(place().position, 59);
    tracks[0] = walk(Operator::ChinaMobile, place().position, 60);
    let mut blind = OperatorTrack::new(Operator::ChinaTelecom);
    for second in 0..60 {
        blind.add(&sample(second, None), Some(place().position), &FindingPolicy::default());
    }
    tracks[2] = blind;
    assert_eq!(
        findings(&evidence(tracks)),
        vec![
            F::TooFewSamples { operator: Operator::ChinaUnicom, samples: 59, minimum: 60 },
            F::NoPositions { operator: Operator::ChinaTelecom },
        ]
    );
}

#[test]
fn samples_away_from_the_complaint() {
    // Two kilometres north.
    let away = position(30.558, 114.30);
    let mut tracks = three(place().position, 120);
    tracks[0] = walk(Operator::ChinaMobile, away, 120);
    let found = findings(&evidence(tracks.clone()));
    let [F::OutOfArea { operator: Operator::ChinaMobile, inside_percent: 0, farthest_m }] = found[..] else {
        panic!("{found:?}")
    };
    assert!((2_100..2_200).contains(&farthest_m), "{farthest_m}");
    // Without a place there is nothing to be away from.
    let mut placeless = evidence(vec![]);
    placeless.complaint_position = None;
    placeless.tracks = Operator::REQUIRED
        .iter()
        .map(|operator| {
            let mut track = OperatorTrack::new(*operator);
            (0..60).for_each(|second| track.add(&sample(second, Some(away)), None, &FindingPolicy::default()));
            track
        })
        .collect();
    assert_eq!(findings(&placeless), vec![]);
}

#[test]
fn mocked_positions_and_impossible_movement() {
    let mut tracks = three(place().position, 120);
    let mocked = Position { is_mock: true, ..place().position };
    tracks[0].add(&sample(120, Some(mocked)), Some(place().position), &FindingPolicy::default());
    // 900 m in two seconds.
    let jump = position(30.5482, 114.30);
    tracks[1].add(&sample(121, Some(jump)), Some(place().position), &FindingPolicy::default());
    let found = findings(&evidence(tracks.clone()));
    assert_eq!(found[0], F::MockedPositions { operator: Operator::ChinaMobile, samples: 1 });
    let F::ImpossibleMovement { operator: Operator::ChinaUnicom, speed_kmh } = found[1] else { panic!("{found:?}") };
    assert!((1_200..1_700).contains(&speed_kmh), "{speed_kmh}");
    assert_eq!(found.len(), 2);
    // The same jump within the fixes' own accuracy tells nothing.
    let mut track = walk(Operator::ChinaUnicom, place().position, 120);
    let vague = Position { accuracy_m: Some(900), ..jump };
    track.add(&sample(121, Some(vague)), Some(place().position), &FindingPolicy::default());
    assert_eq!(track.fastest_kmh, 0.0);
    // Nor does the same distance in ten minutes, though positions were repeated meanwhile.
    let mut track = OperatorTrack::new(Operator::ChinaUnicom);
    track.add(&sample(0, Some(place().position)), None, &FindingPolicy::default());
    track.add(&sample(600, Some(jump)), None, &FindingPolicy::default());
    assert!(track.fastest_kmh < 10.0, "{}", track.fastest_kmh);
}

#[test]
fn photos_of_another_time_or_place_or_order() {
    let photo = |captured_at: &str, position, lookalikes| PhotoEvidence {
        id: PhotoId::NIL,
        captured_at: at(captured_at),
        position,
        camera_taken_at: None,
        camera_position: None,
        lookalikes,
    };
    let here = Some(place().position);
    let photo_id = PhotoId::NIL;
    let work_order_id = WorkOrderId::from_bytes([9; 16]);
    for (photo, expected) in [
        (photo("2026-11-23T06:30:00Z", here, vec![]), vec![]),
        (photo("2026-11-23T05:20:00Z", here, vec![]), vec![]),
        (photo("2026-11-23T05:09:30Z", here, vec![]), vec![F::PhotoTimeOff { photo_id, minutes: 11 }]),
        (photo("2026-11-23T09:30:00Z", here, vec![]), vec![F::PhotoTimeOff { photo_id, minutes: 31 }]),
        (photo("2026-11-23T06:30:00Z", None, vec![]), vec![]),
        (
            photo("2026-11-23T06:30:00Z", Some(position(30.55, 114.30)), vec![]),
            vec![F::PhotoPlaceOff { photo_id, distance_m: 1_111 }],
        ),
        (
            photo("2026-11-23T06:30:00Z", Some(Position { is_mock: true, ..place().position }), vec![]),
            vec![F::PhotoMocked { photo_id }],
        ),
        (
            photo("2026-11-23T06:30:00Z", here, vec![(work_order_id, 4), (WorkOrderId::NIL, 5)]),
            vec![F::PhotoUsedElsewhere { photo_id, work_order_id, differing_bits: 4 }],
        ),
    ] {
        let mut test = evidence(three(place().position, 120));
        test.photos = vec![photo];
        assert_eq!(findings(&test), expected, "{:?}", test.photos);
    }
}

#[test]
fn operators_stand_side_by_side() {
    let figures = |operator, coverage: f64, rtt: Option<f64>| OperatorFigures {
        operator,
        coverage_percent: Some(coverage),
        level_dbm: None,
        sinr_db: Some(f64::NAN),
        rtt_ms: rtt,
        downlink_kbps: None,
    };
    let rows = side_by_side(
        &[
            figures(Operator::ChinaMobile, 91.0, Some(48.0)),
            figures(Operator::ChinaUnicom, 96.0, Some(40.0)),
            figures(Operator::ChinaTelecom, 96.0, None),
        ],
        Operator::ChinaMobile,
    );
    assert_eq!(rows.len(), ComparedFigure::ALL.len());
    assert_eq!(rows[0].best, vec![Operator::ChinaUnicom, Operator::ChinaTelecom]);
    assert_eq!(rows[0].own_deficit, Some(5.0));
    assert_eq!(rows[1].best, vec![], "nobody measured the level");
    assert_eq!((&rows[2].values[0].1, rows[2].own_deficit), (&None, None), "not a number is not a value");
    let round_trip = &rows[3];
    assert_eq!(round_trip.figure, ComparedFigure::RoundTrip);
    assert_eq!((round_trip.best.clone(), round_trip.own_deficit), (vec![Operator::ChinaUnicom], Some(8.0)));
}

#[test]
fn r_visit_1_arrivals_are_compared_with_the_appointment() {
    let window = TimeWindow { from: at("2026-11-23T06:30:00Z"), until: at("2026-11-23T08:00:00Z") };
    let policy = ArrivalPolicy::default();
    let here = place().position;
    for (arrived, punctuality, minutes) in [
        ("2026-11-23T06:10:00Z", Punctuality::Early, -20),
        ("2026-11-23T06:20:00Z", Punctuality::Early, -10),
        ("2026-11-23T06:20:01Z", Punctuality::ShortNotice, -10),
        ("2026-11-23T06:30:00Z", Punctuality::ShortNotice, 0),
        ("2026-11-23T06:30:01Z", Punctuality::Late, 0),
        ("2026-11-23T07:59:59Z", Punctuality::Late, 89),
        ("2026-11-23T08:00:00Z", Punctuality::Missed, 90),
    ] {
        let verdict = arrival_compare(Some(window), at(arrived), here, Some(here), &policy);
        assert_eq!((verdict.punctuality, verdict.minutes_after_start), (punctuality, Some(minutes)), "{arrived}");
        assert_eq!((verdict.at_place, verdict.is_mock), (Some(true), false));
    }
    let now = at("2026-11-23T06:10:00Z");
    let away = Position { accuracy_m: Some(50), is_mock: true, ..position(30.543, 114.30) };
    let verdict = arrival_compare(None, now, away, Some(here), &policy);
    assert_eq!(
        (verdict.punctuality, verdict.at_place, verdict.is_mock),
        (Punctuality::NoAppointment, Some(false), true)
    );
    let vague = Position { accuracy_m: Some(200), ..away };
    assert_eq!(
        arrival_compare(None, now, vague, Some(here), &policy).at_place,
        Some(true),
        "as far as the fix can tell"
    );
    assert_eq!(arrival_compare(None, now, here, None, &policy).at_place, None);
}

fn kpis(from: Position, samples: i64) -> SampleKpis {
    let samples: Vec<Sample> = (0..samples)
        .map(|second| {
            let here = Position { latitude_e6: from.latitude_e6 + second as i32 * 10, is_mock: second == 0, ..from };
            Sample { sinr_half_db: Some(9), rtt_tenth_ms: Some(480), ..sample(second, Some(here)) }
        })
        .collect();
    kpis_compute(&SampleColumns::from_samples(&samples).unwrap(), &KpiPolicy::default())
}

#[test]
fn the_kept_figures_tell_the_same_without_opening_the_blocks() {
    let policy = FindingPolicy::default();
    let (place, away) = (place().position, position(30.558, 114.30));
    let near = OperatorTrack::from_kpis(Operator::ChinaMobile, &kpis(place, 120), Some(place), &policy);
    assert_eq!((near.samples, near.positioned, near.inside_area, near.mocked), (120, 120, 120, 1));
    let far = OperatorTrack::from_kpis(Operator::ChinaUnicom, &kpis(away, 120), Some(place), &policy);
    assert_eq!((far.positioned, far.inside_area), (120, 0));
    let exact = walk(Operator::ChinaUnicom, away, 120).farthest_m.unwrap();
    assert!((far.farthest_m.unwrap() - exact).abs() < 50.0, "{far:?}");

    let report = kpis(place, 120);
    let figures = OperatorFigures::of(Operator::ChinaMobile, &report.technologies[&Technology::Lte]);
    assert_eq!(
        figures,
        OperatorFigures {
            operator: Operator::ChinaMobile,
            coverage_percent: Some(100.0),
            level_dbm: Some(-95.0),
            sinr_db: Some(4.5),
            rtt_ms: Some(48.0),
            downlink_kbps: None,
        }
    );
}
