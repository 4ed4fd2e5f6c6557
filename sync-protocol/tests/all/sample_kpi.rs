//! Key figures from outside: the published report, exact merging, bounds (R-TEST-2).

use crate::support::samples;
use callout_sync_protocol::samples::kpi::{
    CoverageThresholds, GRID_SQUARES_MAX, Grade, KpiPolicy, PolicyMismatch, SampleKpis, kpis_compute,
};
use callout_sync_protocol::samples::{Cell, Position, Sample, SampleColumns, Technology};
use proptest::prelude::*;

fn sample(technology: Technology, level_dbm: Option<i16>, sinr_half_db: Option<i16>) -> Sample {
    Sample {
        captured_at_ms: 1_700_000_000_000,
        technology,
        level_dbm,
        quality_half_db: None,
        sinr_half_db,
        cell: Cell::default(),
        position: None,
        rtt_tenth_ms: None,
        downlink_kbps: None,
        uplink_kbps: None,
    }
}

fn kpis(samples: &[Sample]) -> SampleKpis {
    kpis_compute(&SampleColumns::from_samples(samples).unwrap(), &KpiPolicy::default())
}

/// Samples with the numbers of a published report: from −75 dBm, −85, −95, −105, −115, below.
fn bins(counts: [usize; 6]) -> Vec<Sample> {
    let levels = [-75, -85, -95, -105, -115, -116];
    levels
        .into_iter()
        .zip(counts)
        .flat_map(|(level, count)| std::iter::repeat_n(sample(Technology::Lte, Some(level), Some(20)), count))
        .collect()
}

#[test]
fn the_published_report_is_met() {
    let report = kpis(&bins([183, 137, 308, 117, 46, 25])).report().total;
    assert_eq!((report.samples, report.weak), (816, 71));
    assert_eq!((report.weak_rate.unwrap() * 100_000.0).round(), 8701.0);
    let grades = report.level_grades;
    assert_eq!([grades.good + grades.excellent, grades.fair, grades.poor, grades.very_poor], [628, 117, 46, 25]);
    for (samples, weak, rate) in [(96, 4, 4.1667), (139, 8, 5.7554), (549, 24, 4.3716)] {
        let report = kpis(&bins([0, 0, 0, samples - weak, weak, 0])).report().total;
        assert_eq!((report.samples, report.weak), (samples as u64, weak as u64));
        assert!((report.weak_rate.unwrap() * 100.0 - rate).abs() < 5e-5);
    }
}

#[test]
fn coverage_is_the_share_of_valid_samples_at_or_above_both_thresholds() {
    let report = kpis(&[
        sample(Technology::Lte, Some(-110), Some(-6)),
        sample(Technology::Lte, Some(-111), Some(-6)),
        sample(Technology::Lte, Some(-110), Some(-7)),
        sample(Technology::Lte, Some(-60), Some(40)),
        // Neither is valid: half of what coverage asks for is unknown.
        sample(Technology::Lte, Some(-60), None),
        sample(Technology::Lte, None, Some(40)),
        // GSM has no SINR: the level alone decides.
        sample(Technology::Gsm, Some(-110), None),
        sample(Technology::Gsm, None, None),
    ])
    .report();
    let lte = &report.technologies[&Technology::Lte];
    assert_eq!((lte.samples, lte.valid, lte.coverage_rate), (6, 4, Some(0.5)));
    let gsm = &report.technologies[&Technology::Gsm];
    assert_eq!((gsm.samples, gsm.valid, gsm.coverage_rate), (2, 1, Some(1.0)));
    assert_eq!((report.total.samples, report.total.valid, report.total.coverage_rate), (8, 5, Some(0.6)));
    assert_eq!(kpis(&[sample(Technology::Nr, None, None)]).report().total.coverage_rate, None);
}

#[test]
fn grades_are_those_of_the_field() {
    let levels = [-84, -85, -95, -96, -105, -106, -115, -116];
    use Grade as G;
    assert_eq!(
        levels.map(Grade::of_level),
        [G::Excellent, G::Good, G::Good, G::Fair, G::Fair, G::Poor, G::Poor, G::VeryPoor]
    );
    let sinrs = [51, 50, 32, 31, 22, 21, 6, 5];
    assert_eq!(
        sinrs.map(Grade::of_sinr),
        [G::Excellent, G::Good, G::Good, G::Fair, G::Fair, G::Poor, G::Poor, G::VeryPoor]
    );
    let one = kpis(&[sample(Technology::Nr, Some(-70), Some(5))]);
    assert_eq!(one.technologies[&Technology::Nr].grades, [0, 0, 0, 0, 1]);
}

#[test]
fn distributions_are_in_the_units_that_people_read() {
    let samples: Vec<_> = (1..=100)
        .map(|n| Sample {
            rtt_tenth_ms: Some(n),
            downlink_kbps: Some(n * 100_000),
            ..sample(Technology::Nr, Some(-(n as i16)).filter(|level| *level <= -31), Some(n as i16 - 46))
        })
        .collect();
    let report = kpis(&samples).report().total;
    let rtt = report.rtt_ms.unwrap();
    assert!((rtt.p50 - 5.0).abs() < 1e-9 && (rtt.p95 - 9.5).abs() < 1e-9 && (rtt.mean - 5.05).abs() < 1e-9);
    let sinr = report.sinr_db.unwrap();
    assert_eq!((sinr.minimum, sinr.p5, sinr.maximum), (-22.5, -20.5, 27.0));
    assert_eq!(report.level_dbm.unwrap().count, 70);
    let downlink = report.downlink_kbps.unwrap();
    assert_eq!((downlink.minimum, downlink.maximum), (100_000.0, 10_000_000.0));
    assert!((downlink.p50 / 5_000_000.0 - 1.0).abs() < 0.016, "{}", downlink.p50);
}

#[test]
fn the_grid_stays_small_however_far_the_tester_drives() {
    let samples: Vec<_> = (0..5_000)
        .map(|n| Sample {
            position: Some(Position {
                latitude_e6: 30_000_000 + n * 300,
                longitude_e6: 104_000_000 - n * 300,
                accuracy_m: None,
                is_mock: n % 2 == 0,
            }),
            ..sample(Technology::Lte, Some(-90), None)
        })
        .collect();
    let kpis = kpis(&samples);
    let grid = &kpis.technologies[&Technology::Lte].grid;
    assert!(grid.squares.len() <= GRID_SQUARES_MAX && grid.squares.len() > GRID_SQUARES_MAX / 8);
    assert_eq!(grid.squares.iter().map(|square| square.samples).sum::<u64>(), 5_000);
    assert!(grid.squares.iter().all(|square| square.mean_level_dbm() == Some(-90.0)));
    assert_eq!((kpis.located, kpis.mocked), (5_000, 2_500));
    let bounds = kpis.bounds.unwrap();
    assert_eq!((bounds.south_e6, bounds.east_e6), (30_000_000, 104_000_000));
    let [south_west, north_east] = grid.squares[0].corners(grid.doublings);
    assert!(south_west.0 <= 30.0 && north_east.0 > 30.0);
}

#[test]
fn figures_by_different_thresholds_do_not_merge() {
    let other = KpiPolicy { nr: CoverageThresholds { level_dbm: -100, ..Default::default() }, ..Default::default() };
    let mut kpis = SampleKpis::new(KpiPolicy::default());
    assert_eq!(kpis.merge(&SampleKpis::new(other)), Err(PolicyMismatch));
}

proptest! {
    #[test]
    fn merging_is_exact_and_the_order_does_not_matter(samples in samples(400), cuts in any::<[prop::sample::Index; 3]>()) {
        let whole = kpis(&samples);
        let mut cuts = cuts.map(|cut| cut.index(samples.len()));
        cuts.sort_unstable();
        let parts: Vec<_> = [0..cuts[0], cuts[0]..cuts[1], cuts[1]..cuts[2], cuts[2]..samples.len()]
            .map(|part| kpis(&samples[part]))
            .into_iter()
            .collect();
        let merge = |a: &SampleKpis, b: &SampleKpis| {
            let mut merged = a.clone();
            merged.merge(b).unwrap();
            merged
        };
        let forwards = parts.iter().fold(SampleKpis::new(KpiPolicy::default()), |sum, part| merge(&sum, part));
        let pairs = merge(&merge(&parts[3], &parts[1]), &merge(&parts[2], &parts[0]));
        prop_assert_eq!(&forwards, &whole);
        prop_assert_eq!(&pairs, &whole);
        let json = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(serde_json::from_str::<SampleKpis>(&json).unwrap(), whole);
    }
}
