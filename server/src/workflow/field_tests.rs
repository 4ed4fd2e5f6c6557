//! Field tests: what the server finds by itself in a submitted one, and the operators side by side (R-TEST-1, R-REVIEW-1).
//!
//! Findings are told to the reviewer; they refuse nothing. What does not belong here: decoding samples and computing KPIs
//! (`callout_sync_protocol::samples`), the tester's own findings (`commands::Findings`).

use crate::workflow::places::distance_m;
use crate::workflow::policies::Policy;
use crate::workflow::{HOUR_MICROS, MINUTE_MICROS, refuse};
use callout_sync_protocol::ids::{PhotoId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::kpi::TechnologyKpis;
use callout_sync_protocol::samples::{Position, Sample, SampleKpis};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What counts as remarkable. All of these are choices; one policy per region where they differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FindingPolicy {
    /// Metres from the complaint's place within which samples and photos belong.
    pub area_radius_m: u32,
    /// Percent of an operator's positioned samples that must lie within that radius.
    pub inside_percent: u8,
    /// Fewest samples of an operator.
    pub min_samples: u64,
    /// Fastest believable movement, in km/h: a high-speed train.
    pub max_speed_kmh: u32,
    /// Shortest jump, in metres beyond both fixes' accuracy, that is judged at all.
    pub min_jump_m: u32,
    /// Minutes before arrival and after submission within which a photo belongs.
    pub photo_slack_minutes: u32,
    /// Highest number of differing bits at which two perceptual hashes are of the same picture.
    pub same_photo_bits: u32,
}

/// The most differing bits for which the index finds every lookalike (storage says the same; a test compares).
pub const MAX_SAME_PHOTO_BITS: u32 = 7;

impl Policy for FindingPolicy {
    const KIND: &'static str = "finding_thresholds";

    fn check(&self) -> Result<(), Rejection> {
        for (field, value, minimum, maximum) in [
            ("area_radius_m", u64::from(self.area_radius_m), 1, 100_000),
            ("inside_percent", u64::from(self.inside_percent), 0, 100),
            ("min_samples", self.min_samples, 1, 1_000_000),
            ("max_speed_kmh", u64::from(self.max_speed_kmh), 1, 2_000),
            ("min_jump_m", u64::from(self.min_jump_m), 1, 100_000),
            ("photo_slack_minutes", u64::from(self.photo_slack_minutes), 0, 7 * 24 * 60),
            ("same_photo_bits", u64::from(self.same_photo_bits), 0, u64::from(MAX_SAME_PHOTO_BITS)),
        ] {
            if !(minimum..=maximum).contains(&value) {
                return refuse(ProblemType::InvalidField, format!("{field}: must be {minimum} to {maximum}"));
            }
        }
        Ok(())
    }
}

impl Default for FindingPolicy {
    fn default() -> Self {
        Self {
            area_radius_m: 1_000,
            inside_percent: 50,
            min_samples: 60,
            max_speed_kmh: 350,
            min_jump_m: 500,
            photo_slack_minutes: 60,
            same_photo_bits: 4,
        }
    }
}

/// What is known of one operator's samples. Built sample by sample, in the order of capture, in constant memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorTrack {
    /// Whose network.
    pub operator: Operator,
    /// All samples.
    pub samples: u64,
    /// Samples with a position.
    pub positioned: u64,
    /// Samples with a position within the complaint's area.
    pub inside_area: u64,
    /// Samples whose position the platform called mocked.
    pub mocked: u64,
    /// The greatest distance from the complaint's place, in metres.
    pub farthest_m: Option<f64>,
    /// The fastest movement between two positions, in km/h, jumps within the fixes' accuracy left out.
    pub fastest_kmh: f64,
    last_fix: Option<(i64, Position)>,
}

impl OperatorTrack {
    /// No samples yet.
    pub fn new(operator: Operator) -> Self {
        Self {
            operator,
            samples: 0,
            positioned: 0,
            inside_area: 0,
            mocked: 0,
            farthest_m: None,
            fastest_kmh: 0.0,
            last_fix: None,
        }
    }

    /// What the kept figures of an operator's blocks tell, without opening the blocks: places as exact as the figures' squares,
    /// and nothing of movement.
    pub fn from_kpis(
        operator: Operator,
        kpis: &SampleKpis,
        complaint_position: Option<Position>,
        policy: &FindingPolicy,
    ) -> Self {
        let total = kpis.total();
        let mut track =
            Self { samples: total.samples, positioned: kpis.located, mocked: kpis.mocked, ..Self::new(operator) };
        let Some(place) = complaint_position else { return track };
        for square in &total.grid.squares {
            let [south_west, north_east] = square.corners(total.grid.doublings).map(|(latitude, longitude)| Position {
                latitude_e6: (latitude * 1e6).round() as i32,
                longitude_e6: (longitude * 1e6).round() as i32,
                accuracy_m: None,
                is_mock: false,
            });
            let centre = Position {
                latitude_e6: south_west.latitude_e6.midpoint(north_east.latitude_e6),
                longitude_e6: south_west.longitude_e6.midpoint(north_east.longitude_e6),
                ..south_west
            };
            // Half a diagonal is how far from its square's centre a sample may have been.
            let slack = distance_m(south_west, north_east) / 2.0;
            let distance = distance_m(place, centre);
            if distance <= f64::from(policy.area_radius_m) + slack {
                track.inside_area += square.samples;
            }
            track.farthest_m = Some(track.farthest_m.map_or(distance, |farthest| farthest.max(distance)));
        }
        track
    }

    /// Adds the next sample.
    pub fn add(&mut self, sample: &Sample, complaint_position: Option<Position>, policy: &FindingPolicy) {
        self.samples += 1;
        let Some(position) = sample.position else { return };
        self.positioned += 1;
        self.mocked += u64::from(position.is_mock);
        if let Some(place) = complaint_position {
            let distance = distance_m(place, position);
            self.inside_area += u64::from(distance <= f64::from(policy.area_radius_m) + accuracy_m(position));
            self.farthest_m = Some(self.farthest_m.map_or(distance, |farthest| farthest.max(distance)));
        }
        match self.last_fix {
            // A position is repeated in every sample until the next fix; only a new one tells of movement.
            Some((_, last)) if last == position => {}
            Some((last_ms, last)) => {
                let jump_m = distance_m(last, position) - accuracy_m(last) - accuracy_m(position);
                if jump_m >= f64::from(policy.min_jump_m) {
                    // Fixes come once a second at best; a shorter step would divide by noise.
                    let seconds = ((sample.captured_at_ms - last_ms) as f64 / 1_000.0).max(1.0);
                    self.fastest_kmh = self.fastest_kmh.max(jump_m / seconds * 3.6);
                }
                self.last_fix = Some((sample.captured_at_ms, position));
            }
            None => self.last_fix = Some((sample.captured_at_ms, position)),
        }
    }
}

fn accuracy_m(position: Position) -> f64 {
    f64::from(position.accuracy_m.unwrap_or(0))
}

/// Whether a perceptual hash tells pictures apart at all: a wall, a dark cellar or an even sky has hardly an outline, and its hash
/// is nearly all zeros or all ones.
pub fn picture_is_telling(perceptual_hash: u64) -> bool {
    (8..=56).contains(&perceptual_hash.count_ones())
}

/// What is known of a photo.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotoEvidence {
    /// Which.
    pub id: PhotoId,
    /// When it was taken, by the manifest or the picture's own data.
    pub captured_at: Timestamp,
    /// Where, if known.
    pub position: Option<Position>,
    /// When, by what the camera wrote into the file.
    pub camera_taken_at: Option<Timestamp>,
    /// Where, by what the camera wrote into the file.
    pub camera_position: Option<Position>,
    /// Photos of other orders that may be the same picture: the order, and how many bits of the perceptual hash differ.
    pub lookalikes: Vec<(WorkOrderId, u32)>,
}

/// A submitted test, as far as it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct TestEvidence {
    /// The complaint's place.
    pub complaint_position: Option<Position>,
    /// One for each operator that was measured.
    pub tracks: Vec<OperatorTrack>,
    /// Operators whose absence was explained.
    pub excused: Vec<Operator>,
    /// The photos.
    pub photos: Vec<PhotoEvidence>,
    /// When the tester arrived.
    pub arrived_at: Option<Timestamp>,
    /// When the test was handed in, by the phone's clock.
    pub submitted_at: Timestamp,
}

/// Something remarkable about a submitted test.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TestFinding {
    /// A required operator was not measured (R-TEST-1).
    OperatorMissing {
        /// Whose network.
        operator: Operator,
        /// The tester said why.
        is_excused: bool,
    },
    /// Too few samples to judge a network by.
    TooFewSamples {
        /// Whose network.
        operator: Operator,
        /// How many.
        samples: u64,
        /// How many there should be.
        minimum: u64,
    },
    /// None of the samples has a position.
    NoPositions {
        /// Whose network.
        operator: Operator,
    },
    /// Most samples lie away from the complaint's place.
    OutOfArea {
        /// Whose network.
        operator: Operator,
        /// Percent of the positioned samples within the radius.
        inside_percent: u8,
        /// The greatest distance, in whole metres.
        farthest_m: u64,
    },
    /// The platform called positions mocked.
    MockedPositions {
        /// Whose network.
        operator: Operator,
        /// How many samples.
        samples: u64,
    },
    /// Faster than anything on the ground.
    ImpossibleMovement {
        /// Whose network.
        operator: Operator,
        /// How fast, in whole km/h.
        speed_kmh: u64,
    },
    /// A photo was taken before the visit, or after the test was handed in.
    PhotoTimeOff {
        /// Which.
        photo_id: PhotoId,
        /// Minutes outside the visit.
        minutes: i64,
    },
    /// A photo was taken elsewhere.
    PhotoPlaceOff {
        /// Which.
        photo_id: PhotoId,
        /// Whole metres from the complaint's place.
        distance_m: u64,
    },
    /// A photo's position is mocked.
    PhotoMocked {
        /// Which.
        photo_id: PhotoId,
    },
    /// The camera's own time (EXIF) lies outside the visit.
    CameraTimeOff {
        /// Which.
        photo_id: PhotoId,
        /// Minutes outside the visit.
        minutes: i64,
    },
    /// The camera's own position (EXIF) lies elsewhere.
    CameraPlaceOff {
        /// Which.
        photo_id: PhotoId,
        /// Whole metres from the complaint's place.
        distance_m: u64,
    },
    /// The same picture belongs to another order.
    PhotoUsedElsewhere {
        /// Which.
        photo_id: PhotoId,
        /// The other order.
        work_order_id: WorkOrderId,
        /// How many bits of the perceptual hashes differ, of 64.
        differing_bits: u32,
    },
}

/// Everything remarkable about a submitted test, operators first, in a stable order.
pub fn test_findings(evidence: &TestEvidence, policy: &FindingPolicy) -> Vec<TestFinding> {
    let mut findings = Vec::new();
    for operator in Operator::ALL {
        let track = evidence.tracks.iter().find(|track| track.operator == operator && track.samples > 0);
        match track {
            Some(track) => track_findings(track, evidence, policy, &mut findings),
            None if Operator::REQUIRED.contains(&operator) => findings
                .push(TestFinding::OperatorMissing { operator, is_excused: evidence.excused.contains(&operator) }),
            None => {}
        }
    }
    for photo in &evidence.photos {
        photo_findings(photo, evidence, policy, &mut findings);
    }
    findings
}

fn track_findings(
    track: &OperatorTrack,
    evidence: &TestEvidence,
    policy: &FindingPolicy,
    findings: &mut Vec<TestFinding>,
) {
    let operator = track.operator;
    if track.samples < policy.min_samples {
        let (samples, minimum) = (track.samples, policy.min_samples);
        findings.push(TestFinding::TooFewSamples { operator, samples, minimum });
    }
    if track.positioned == 0 {
        findings.push(TestFinding::NoPositions { operator });
    } else if evidence.complaint_position.is_some() {
        let inside_percent = (u128::from(track.inside_area) * 100 / u128::from(track.positioned)) as u8;
        if inside_percent < policy.inside_percent {
            let farthest_m = track.farthest_m.unwrap_or_default() as u64;
            findings.push(TestFinding::OutOfArea { operator, inside_percent, farthest_m });
        }
    }
    if track.mocked > 0 {
        findings.push(TestFinding::MockedPositions { operator, samples: track.mocked });
    }
    if track.fastest_kmh > f64::from(policy.max_speed_kmh) {
        findings.push(TestFinding::ImpossibleMovement { operator, speed_kmh: track.fastest_kmh as u64 });
    }
}

fn photo_findings(
    photo: &PhotoEvidence,
    evidence: &TestEvidence,
    policy: &FindingPolicy,
    findings: &mut Vec<TestFinding>,
) {
    let photo_id = photo.id;
    if let Some(minutes) = minutes_outside(photo.captured_at, evidence, policy) {
        findings.push(TestFinding::PhotoTimeOff { photo_id, minutes });
    }
    if photo.position.is_some_and(|position| position.is_mock) {
        findings.push(TestFinding::PhotoMocked { photo_id });
    }
    if let Some(distance_m) = metres_outside(photo.position, evidence, policy) {
        findings.push(TestFinding::PhotoPlaceOff { photo_id, distance_m });
    }
    if let Some(minutes) = photo.camera_taken_at.and_then(|at| minutes_outside(at, evidence, policy)) {
        findings.push(TestFinding::CameraTimeOff { photo_id, minutes });
    }
    if let Some(distance_m) = metres_outside(photo.camera_position, evidence, policy) {
        findings.push(TestFinding::CameraPlaceOff { photo_id, distance_m });
    }
    for (work_order_id, bits) in &photo.lookalikes {
        if *bits <= policy.same_photo_bits {
            let (work_order_id, differing_bits) = (*work_order_id, *bits);
            findings.push(TestFinding::PhotoUsedElsewhere { photo_id, work_order_id, differing_bits });
        }
    }
}

/// Minutes by which an instant lies outside the visit and its slack; `None` inside.
fn minutes_outside(at: Timestamp, evidence: &TestEvidence, policy: &FindingPolicy) -> Option<i64> {
    let slack = i64::from(policy.photo_slack_minutes) * MINUTE_MICROS;
    // Without an arrival, a day before the submission is the earliest that makes sense.
    let earliest = evidence.arrived_at.map_or(-24 * HOUR_MICROS, |at| at.micros_since(evidence.submitted_at) - slack);
    let offset = at.micros_since(evidence.submitted_at);
    let outside = if offset < earliest { earliest - offset } else { offset - slack };
    (outside > 0).then_some(outside / MINUTE_MICROS + 1)
}

/// Whole metres from the complaint's place, for what lies outside its area; `None` inside, and where a place is not known.
fn metres_outside(position: Option<Position>, evidence: &TestEvidence, policy: &FindingPolicy) -> Option<u64> {
    let (place, position) = evidence.complaint_position.zip(position)?;
    let distance = distance_m(place, position);
    (distance > f64::from(policy.area_radius_m) + accuracy_m(position)).then_some(distance as u64)
}

/// One operator's figures, whoever computed them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OperatorFigures {
    /// Whose network.
    pub operator: Operator,
    /// Share of valid samples that are covered, in percent.
    pub coverage_percent: Option<f64>,
    /// Mean level, in dBm.
    pub level_dbm: Option<f64>,
    /// Mean signal-to-interference ratio, in dB.
    pub sinr_db: Option<f64>,
    /// Median round-trip time, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Mean downlink throughput, in kbit/s.
    pub downlink_kbps: Option<f64>,
}

impl OperatorFigures {
    /// The figures of one technology's counts. Operators are compared by the same technology.
    pub fn of(operator: Operator, kpis: &TechnologyKpis) -> Self {
        Self {
            operator,
            coverage_percent: (kpis.valid > 0).then(|| kpis.covered as f64 * 100.0 / kpis.valid as f64),
            level_dbm: kpis.level_dbm.mean(),
            sinr_db: kpis.sinr_half_db.mean().map(|half_db| half_db / 2.0),
            rtt_ms: kpis.rtt_tenth_ms.quantile(500).map(|tenths| f64::from(tenths) / 10.0),
            downlink_kbps: kpis.downlink_kbps.mean(),
        }
    }
}

named_enum! {
    /// A figure by which operators are compared.
    ComparedFigure {
        /// Covered samples; more is better.
        Coverage = "coverage_percent" / "覆盖率",
        /// Level; more is better.
        Level = "level_dbm" / "平均电平",
        /// Signal to interference; more is better.
        Sinr = "sinr_db" / "平均 SINR",
        /// Round-trip time; less is better.
        RoundTrip = "rtt_ms" / "往返时延",
        /// Downlink; more is better.
        Downlink = "downlink_kbps" / "下行速率",
    }
}

impl ComparedFigure {
    fn of(self, figures: &OperatorFigures) -> Option<f64> {
        let value = match self {
            Self::Coverage => figures.coverage_percent,
            Self::Level => figures.level_dbm,
            Self::Sinr => figures.sinr_db,
            Self::RoundTrip => figures.rtt_ms,
            Self::Downlink => figures.downlink_kbps,
        };
        value.filter(|value| value.is_finite())
    }

    fn less_is_better(self) -> bool {
        match self {
            Self::RoundTrip => true,
            Self::Coverage | Self::Level | Self::Sinr | Self::Downlink => false,
        }
    }
}

/// One figure of all operators.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// Which figure.
    pub figure: ComparedFigure,
    /// Each operator's value, in the order given; absent where it was not measured.
    pub values: Vec<(Operator, Option<f64>)>,
    /// Those with the best value; empty where fewer than two have one.
    pub best: Vec<Operator>,
    /// How much worse one's own network is than the best of the others, in the figure's unit; negative where it is better.
    pub own_deficit: Option<f64>,
}

/// The operators side by side, one's own against the others.
pub fn side_by_side(figures: &[OperatorFigures], own: Operator) -> Vec<ComparisonRow> {
    ComparedFigure::ALL
        .iter()
        .map(|&figure| {
            let values: Vec<(Operator, Option<f64>)> = figures.iter().map(|f| (f.operator, figure.of(f))).collect();
            // A rank in which more is always better.
            let rank = |value: f64| if figure.less_is_better() { -value } else { value };
            let known: Vec<(Operator, f64)> =
                values.iter().filter_map(|(operator, value)| value.map(|v| (*operator, rank(v)))).collect();
            let top = known.iter().map(|(_, value)| *value).max_by(f64::total_cmp);
            let best = match top {
                Some(top) if known.len() > 1 => {
                    known.iter().filter(|(_, value)| *value == top).map(|(operator, _)| *operator).collect()
                }
                Some(_) | None => Vec::new(),
            };
            let own_value = known.iter().find(|(operator, _)| *operator == own).map(|(_, value)| *value);
            let rival = known.iter().filter(|(operator, _)| *operator != own).map(|(_, v)| *v).max_by(f64::total_cmp);
            let own_deficit = own_value.zip(rival).map(|(own, rival)| rival - own);
            ComparisonRow { figure, values, best, own_deficit }
        })
        .collect()
}
