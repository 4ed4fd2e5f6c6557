//! Counts as people read them: rates, means and quantiles in dB, milliseconds and kbit/s.
//!
//! What does not belong here: counting (`mod`); wording and languages (console, workbook).

use super::super::sample::Technology;
use super::histogram::Histogram;
use super::{BoundingBox, LEVEL_GRADES_DBM, SINR_GRADES_HALF_DB, SampleKpis, TechnologyKpis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A distribution in figures. Quantiles are values that occurred (round trips and throughputs: at most 1.6 % below one).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Distribution {
    pub count: u64,
    pub minimum: f64,
    pub mean: f64,
    pub p5: f64,
    pub p50: f64,
    pub p95: f64,
    pub maximum: f64,
}

impl Distribution {
    /// Of a histogram whose values are `scale` of the unit wanted; `None` if it is empty.
    fn of(histogram: &Histogram, scale: f64) -> Option<Self> {
        let quantile = |per_mille| histogram.quantile(per_mille).map(|value| f64::from(value) * scale);
        Some(Self {
            count: histogram.count(),
            minimum: f64::from(histogram.minimum?) * scale,
            mean: histogram.mean()? * scale,
            p5: quantile(50)?,
            p50: quantile(500)?,
            p95: quantile(950)?,
            maximum: f64::from(histogram.maximum?) * scale,
        })
    }
}

/// How many samples have each [`Grade`](super::Grade).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct GradeCounts {
    pub excellent: u64,
    pub good: u64,
    pub fair: u64,
    pub poor: u64,
    pub very_poor: u64,
}

impl GradeCounts {
    fn new([excellent, good, fair, poor, very_poor]: [u64; 5]) -> Self {
        Self { excellent, good, fair, poor, very_poor }
    }

    /// Of a histogram by the least value of each grade but the last.
    fn of(histogram: &Histogram, grades: &[i32; 4]) -> Self {
        let below = grades.map(|least| histogram.count_below(least));
        let [a, b, c, d] = below;
        Self::new([histogram.count() - a, a - b, b - c, c - d, d])
    }
}

/// One technology's figures, or all technologies' together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TechnologyReport {
    /// All samples.
    pub samples: u64,
    /// Those that coverage is judged by: with a level and, where the technology has one, an SINR.
    pub valid: u64,
    /// Share of the valid samples at or above both thresholds, 0 … 1; absent if none is valid.
    pub coverage_rate: Option<f64>,
    /// Samples with a level below the weak threshold.
    pub weak: u64,
    /// Share of the samples with a level that are weak, 0 … 1; absent if none has a level.
    pub weak_rate: Option<f64>,
    /// By the worse of level and SINR.
    pub grades: GradeCounts,
    /// By level alone.
    pub level_grades: GradeCounts,
    /// By SINR alone.
    pub sinr_grades: GradeCounts,
    /// In dBm.
    pub level_dbm: Option<Distribution>,
    /// In dB.
    pub quality_db: Option<Distribution>,
    /// In dB.
    pub sinr_db: Option<Distribution>,
    /// In milliseconds.
    pub rtt_ms: Option<Distribution>,
    /// In kbit/s.
    pub downlink_kbps: Option<Distribution>,
    /// In kbit/s.
    pub uplink_kbps: Option<Distribution>,
}

impl TechnologyReport {
    fn new(kpis: &TechnologyKpis) -> Self {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        Self {
            samples: kpis.samples,
            valid: kpis.valid,
            coverage_rate: share(kpis.covered, kpis.valid),
            weak: kpis.weak,
            weak_rate: share(kpis.weak, kpis.level_dbm.count()),
            grades: GradeCounts::new(kpis.grades),
            level_grades: GradeCounts::of(&kpis.level_dbm, &LEVEL_GRADES_DBM),
            sinr_grades: GradeCounts::of(&kpis.sinr_half_db, &SINR_GRADES_HALF_DB),
            level_dbm: Distribution::of(&kpis.level_dbm, 1.0),
            quality_db: Distribution::of(&kpis.quality_half_db, 0.5),
            sinr_db: Distribution::of(&kpis.sinr_half_db, 0.5),
            rtt_ms: Distribution::of(&kpis.rtt_tenth_ms, 0.1),
            downlink_kbps: Distribution::of(&kpis.downlink_kbps, 1.0),
            uplink_kbps: Distribution::of(&kpis.uplink_kbps, 1.0),
        }
    }
}

/// The figures of samples, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KpiReport {
    /// The earliest and the latest sample, in milliseconds since the Unix epoch by the phone's clock.
    pub captured_ms: Option<(i64, i64)>,
    /// Samples with a position.
    pub located: u64,
    /// Samples whose position came from a mock provider.
    pub mocked: u64,
    /// Around all positions.
    pub bounds: Option<BoundingBox>,
    /// All technologies together.
    pub total: TechnologyReport,
    /// Each technology that there were samples of.
    pub technologies: BTreeMap<Technology, TechnologyReport>,
}

impl SampleKpis {
    /// The figures as people read them.
    pub fn report(&self) -> KpiReport {
        KpiReport {
            captured_ms: self.captured_ms,
            located: self.located,
            mocked: self.mocked,
            bounds: self.bounds,
            total: TechnologyReport::new(&self.total()),
            technologies: self.technologies.iter().map(|(t, kpis)| (*t, TechnologyReport::new(kpis))).collect(),
        }
    }
}
