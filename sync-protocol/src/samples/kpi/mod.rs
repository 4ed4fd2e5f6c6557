//! Key figures of samples: coverage, weak share, distributions, and where they were taken (R-TEST-2, R-TEST-3).
//!
//! [`SampleKpis`] counts in whole numbers and merges exactly: the figures of a test are those of its blocks merged, in any
//! order. [`report`](SampleKpis::report) turns counts into rates and quantiles for people.
//! What does not belong here: packing (`codec`), judging a test (the review), storing (the server).

mod grid;
mod histogram;
mod report;

pub use grid::{GRID_SQUARES_MAX, Grid, SQUARE_LATITUDE_E6, SQUARE_LONGITUDE_E6, Square};
pub use histogram::Histogram;
pub use report::{Distribution, GradeCounts, KpiReport, TechnologyReport};

use super::columns::{ABSENT_16, ABSENT_32, SampleColumns};
use super::sample::{Position, Technology};
use histogram::{LinearCounter, LogarithmicCounter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When a sample of one technology counts as covered, and when as weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoverageThresholds {
    /// Covered needs at least this level (R), in dBm.
    pub level_dbm: i16,
    /// Covered needs at least this SINR (S), in half dB; not asked of technologies that have no SINR.
    pub sinr_half_db: i16,
    /// Weak is a level below this, in dBm.
    pub weak_below_dbm: i16,
}

impl Default for CoverageThresholds {
    /// R = −110 dBm, S = −3 dB, weak below −105 dBm: common in the field, and configurable.
    fn default() -> Self {
        Self { level_dbm: -110, sinr_half_db: -6, weak_below_dbm: -105 }
    }
}

/// The thresholds of each technology.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct KpiPolicy {
    pub gsm: CoverageThresholds,
    pub umts: CoverageThresholds,
    pub lte: CoverageThresholds,
    pub nr: CoverageThresholds,
}

impl KpiPolicy {
    /// The thresholds of a technology.
    pub fn of(&self, technology: Technology) -> &CoverageThresholds {
        match technology {
            Technology::Gsm => &self.gsm,
            Technology::Umts => &self.umts,
            Technology::Lte => &self.lte,
            Technology::Nr => &self.nr,
        }
    }
}

/// How good a sample is, by the grades in use in the field; a sample with level and SINR has the worse grade of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Above −85 dBm; above 25 dB.
    Excellent,
    /// From −95 dBm; from 16 dB.
    Good,
    /// From −105 dBm; from 11 dB.
    Fair,
    /// From −115 dBm; from 3 dB.
    Poor,
    /// Below.
    VeryPoor,
}

/// A level of this grade is at least so many dBm.
const LEVEL_GRADES_DBM: [i32; 4] = [-84, -95, -105, -115];
/// An SINR of this grade is at least so many half dB.
const SINR_GRADES_HALF_DB: [i32; 4] = [51, 32, 22, 6];

#[inline(always)]
fn grade(value: i32, grades: &[i32; 4]) -> usize {
    grades.iter().map(|&least| usize::from(value < least)).sum()
}

impl Grade {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [Self::Excellent, Self::Good, Self::Fair, Self::Poor, Self::VeryPoor];

    /// The grade of a level in dBm.
    pub fn of_level(level_dbm: i16) -> Self {
        Self::ALL[grade(level_dbm.into(), &LEVEL_GRADES_DBM)]
    }

    /// The grade of an SINR in half dB.
    pub fn of_sinr(sinr_half_db: i16) -> Self {
        Self::ALL[grade(sinr_half_db.into(), &SINR_GRADES_HALF_DB)]
    }
}

/// The counts of one technology's samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TechnologyKpis {
    /// All samples.
    pub samples: u64,
    /// Those that coverage is judged by: with a level and, where the technology has one, an SINR.
    pub valid: u64,
    /// Valid ones at or above both thresholds.
    pub covered: u64,
    /// Samples with a level below the weak threshold.
    pub weak: u64,
    /// Samples with a level by [`Grade`], best first.
    pub grades: [u64; 5],
    /// In dBm.
    pub level_dbm: Histogram,
    /// In half dB.
    pub quality_half_db: Histogram,
    /// In half dB.
    pub sinr_half_db: Histogram,
    /// In tenths of a millisecond; a round trip counts with every sample that repeats it as the last measured.
    pub rtt_tenth_ms: Histogram,
    /// In kbit/s.
    pub downlink_kbps: Histogram,
    /// In kbit/s.
    pub uplink_kbps: Histogram,
    /// Where the samples with a position were taken.
    pub grid: Grid,
}

impl TechnologyKpis {
    /// Counts what `other` counted too.
    pub fn merge(&mut self, other: &Self) {
        self.samples += other.samples;
        self.valid += other.valid;
        self.covered += other.covered;
        self.weak += other.weak;
        self.grades.iter_mut().zip(other.grades).for_each(|(sum, count)| *sum += count);
        self.level_dbm.merge(&other.level_dbm);
        self.quality_half_db.merge(&other.quality_half_db);
        self.sinr_half_db.merge(&other.sinr_half_db);
        self.rtt_tenth_ms.merge(&other.rtt_tenth_ms);
        self.downlink_kbps.merge(&other.downlink_kbps);
        self.uplink_kbps.merge(&other.uplink_kbps);
        self.grid.merge(&other.grid);
    }
}

/// The smallest rectangle around positions, in millionths of a degree; it does not know of the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BoundingBox {
    pub south_e6: i32,
    pub west_e6: i32,
    pub north_e6: i32,
    pub east_e6: i32,
}

impl BoundingBox {
    fn around(position: &Position) -> Self {
        let Position { latitude_e6, longitude_e6, .. } = *position;
        Self { south_e6: latitude_e6, west_e6: longitude_e6, north_e6: latitude_e6, east_e6: longitude_e6 }
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            south_e6: self.south_e6.min(other.south_e6),
            west_e6: self.west_e6.min(other.west_e6),
            north_e6: self.north_e6.max(other.north_e6),
            east_e6: self.east_e6.max(other.east_e6),
        }
    }
}

/// Counts by different thresholds cannot be added up: open the blocks again and count by one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the figures were counted by different thresholds")]
pub struct PolicyMismatch;

/// The counts of samples, by technology.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleKpis {
    /// The thresholds that coverage and weakness were judged by.
    pub policy: KpiPolicy,
    /// The earliest and the latest sample, in milliseconds since the Unix epoch by the phone's clock.
    pub captured_ms: Option<(i64, i64)>,
    /// Samples with a position.
    pub located: u64,
    /// Samples whose position came from a mock provider.
    pub mocked: u64,
    /// Around all positions.
    pub bounds: Option<BoundingBox>,
    /// Each technology that there were samples of.
    pub technologies: BTreeMap<Technology, TechnologyKpis>,
}

impl SampleKpis {
    /// No samples, to merge others into.
    pub fn new(policy: KpiPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Counts what `other` counted too. Exact, and the same in any order.
    ///
    /// # Errors
    /// [`PolicyMismatch`] if the two were counted by different thresholds; nothing is changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), PolicyMismatch> {
        if self.policy != other.policy {
            return Err(PolicyMismatch);
        }
        self.captured_ms = match (self.captured_ms, other.captured_ms) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, other) => one.or(other),
        };
        self.located += other.located;
        self.mocked += other.mocked;
        self.bounds = match (self.bounds, other.bounds) {
            (Some(a), Some(b)) => Some(a.union(&b)),
            (one, other) => one.or(other),
        };
        for (technology, kpis) in &other.technologies {
            self.technologies.entry(*technology).or_default().merge(kpis);
        }
        Ok(())
    }

    /// The counts of all technologies together.
    pub fn total(&self) -> TechnologyKpis {
        let mut total = TechnologyKpis::default();
        self.technologies.values().for_each(|kpis| total.merge(kpis));
        total
    }
}

/// Counts the samples of a block.
pub fn kpis_compute(columns: &SampleColumns, policy: &KpiPolicy) -> SampleKpis {
    let mut kpis = SampleKpis::new(*policy);
    kpis.captured_ms = columns.captured_at_ms.iter().copied().min().zip(columns.captured_at_ms.iter().copied().max());
    kpis.bounds = columns.positions.iter().map(BoundingBox::around).reduce(|a, b| a.union(&b));
    let mut counters: [Option<Box<Counters>>; 4] = [const { None }; 4];
    // The square of the position now in use, entered into the grids when another follows.
    let mut position_now = ABSENT_32;
    let mut square = Square::default();
    let mut is_mock = false;
    for index in 0..columns.len() {
        let technology = columns.technology[index];
        let position = columns.position[index];
        if position != position_now {
            position_now = position;
            if let Some(place) = columns.positions.get(position as usize) {
                square = Square::at(place);
                is_mock = place.is_mock;
            }
        }
        let counters = counters[technology as usize]
            .get_or_insert_with(|| Box::new(Counters::new(policy.of(technology), technology)));
        let level = columns.level_dbm[index];
        counters.radio(level, columns.quality_half_db[index], columns.sinr_half_db[index]);
        if position != ABSENT_32 {
            kpis.located += 1;
            kpis.mocked += u64::from(is_mock);
            counters.locate(&square, level);
        }
        let rtt = columns.rtt_tenth_ms[index];
        if rtt != ABSENT_32 {
            counters.round_trip.add(rtt);
        }
        let (downlink, uplink) = (columns.downlink_kbps[index], columns.uplink_kbps[index]);
        if downlink != ABSENT_32 {
            counters.downlink.add(downlink);
        }
        if uplink != ABSENT_32 {
            counters.uplink.add(uplink);
        }
    }
    kpis.technologies = Technology::ALL
        .into_iter()
        .zip(counters)
        .filter_map(|(technology, counters)| Some((technology, counters?.finish())))
        .collect();
    kpis
}

/// Counts one technology's samples of one block.
struct Counters {
    thresholds: CoverageThresholds,
    has_sinr: bool,
    samples: u32,
    valid: u32,
    covered: u32,
    weak: u32,
    grades: [u32; 5],
    level: LinearCounter<256>,
    quality: LinearCounter<256>,
    sinr: LinearCounter<256>,
    round_trip: LogarithmicCounter,
    downlink: LogarithmicCounter,
    uplink: LogarithmicCounter,
    square: Square,
    squares: Vec<Square>,
}

impl Counters {
    fn new(thresholds: &CoverageThresholds, technology: Technology) -> Self {
        let limits = technology.limits();
        Self {
            thresholds: *thresholds,
            has_sinr: limits.sinr_half_db.0 <= limits.sinr_half_db.1,
            samples: 0,
            valid: 0,
            covered: 0,
            weak: 0,
            grades: [0; 5],
            // Each range of `Technology::limits` fits 256 bins from here.
            level: LinearCounter::new(-160),
            quality: LinearCounter::new(-128),
            sinr: LinearCounter::new(-128),
            round_trip: LogarithmicCounter::default(),
            downlink: LogarithmicCounter::default(),
            uplink: LogarithmicCounter::default(),
            square: Square::default(),
            squares: Vec::new(),
        }
    }

    #[inline(always)]
    fn radio(&mut self, level: i16, quality: i16, sinr: i16) {
        self.samples += 1;
        if quality != ABSENT_16 {
            self.quality.add(quality.into());
        }
        if sinr != ABSENT_16 {
            self.sinr.add(sinr.into());
        }
        if level != ABSENT_16 {
            self.level.add(level.into());
            self.weak += u32::from(level < self.thresholds.weak_below_dbm);
            let sinr_grade = if sinr == ABSENT_16 { 0 } else { grade(sinr.into(), &SINR_GRADES_HALF_DB) };
            self.grades[grade(level.into(), &LEVEL_GRADES_DBM).max(sinr_grade)] += 1;
            let is_valid = sinr != ABSENT_16 || !self.has_sinr;
            let is_sinr_enough = sinr >= self.thresholds.sinr_half_db || !self.has_sinr;
            self.valid += u32::from(is_valid);
            self.covered += u32::from(is_valid && level >= self.thresholds.level_dbm && is_sinr_enough);
        }
    }

    #[inline(always)]
    fn locate(&mut self, at: &Square, level: i16) {
        if (self.square.row, self.square.column) != (at.row, at.column) {
            self.leave();
            self.square = *at;
        }
        self.square.samples += 1;
        if level != ABSENT_16 {
            self.square.with_level += 1;
            self.square.level_sum_dbm += i64::from(level);
        }
    }

    fn leave(&mut self) {
        if self.square.samples > 0 {
            self.squares.push(self.square);
        }
    }

    fn finish(mut self: Box<Self>) -> TechnologyKpis {
        self.leave();
        TechnologyKpis {
            samples: self.samples.into(),
            valid: self.valid.into(),
            covered: self.covered.into(),
            weak: self.weak.into(),
            grades: self.grades.map(u64::from),
            level_dbm: self.level.finish(),
            quality_half_db: self.quality.finish(),
            sinr_half_db: self.sinr.finish(),
            rtt_tenth_ms: self.round_trip.finish(),
            downlink_kbps: self.downlink.finish(),
            uplink_kbps: self.uplink.finish(),
            grid: Grid::from_squares(self.squares),
        }
    }
}
