//! A synthetic walk: one phone of one operator, as the samples that it captures and as the `cellinfo` log that it
//! writes.
//!
//! Both come from the same events, by separate code: the samples by keeping what is last known, the log by printing
//! lines. So a log that is imported must give back the samples exactly. Rates are those of the real logs: pings at 5
//! Hz, a position every one or two seconds, the serving cell every three, one to four signal reports a second, LTE and
//! NR in pairs.
//!
//! What does not belong here: how lines are spelled (`log`), reading logs (`import`), what a network is like
//! (`profile`).

use super::profile::{OperatorProfile, RadioLayer};
use super::random::Random;
use crate::import::PAUSE_MS;
use callout_sync_protocol::samples::{Cell, Position, Sample, Technology};
use callout_sync_protocol::time::Timestamp;
use std::collections::VecDeque;
use std::io::{self, Write};

/// What decides a walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WalkOptions {
    /// Decides all that varies.
    pub seed: u64,
    /// When the recording starts, by the phone's clock.
    pub started_at: Timestamp,
    /// Around where the walk goes; it stays within about 400 m.
    pub centre: Position,
    /// The network.
    pub profile: OperatorProfile,
    /// How many samples it captures.
    pub sample_count: u64,
    /// The phone's zone, minutes ahead of UTC; a multiple of 15, as all zones are. 480 in China.
    pub utc_offset_minutes: i16,
    /// With the native dirt of real logs: unknown values, repeated lines, nameless operators, pauses, several
    /// recordings.
    pub dirty: bool,
}

/// A walk that can be had as samples or as a log.
#[derive(Clone, Copy, Debug)]
pub struct SyntheticWalk {
    options: WalkOptions,
}

impl SyntheticWalk {
    /// The walk of these options.
    pub fn new(options: WalkOptions) -> Self {
        Self { options }
    }

    /// Its samples, in order; exactly [`WalkOptions::sample_count`] of them.
    pub fn samples(&self) -> impl Iterator<Item = Sample> + use<> {
        let mut known = Known::default();
        Events::new(self.options).filter_map(move |event| known.learn(&event))
    }

    /// Writes its log in the format of `cellinfo`.
    ///
    /// # Errors
    /// Whatever `out` fails with.
    pub fn write_log(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "--------- beginning of main")?;
        for event in Events::new(self.options) {
            event.write(&self.options, &mut out)?;
        }
        out.flush()
    }

    /// The name that the app gives such a log: the phone, `_`, the start in Unix seconds.
    pub fn log_file_name(&self) -> String {
        let micros = self.options.started_at.unix_micros();
        let phone = self.options.profile.name.replace([' ', '-'], "");
        format!("{phone}_{}.{:06}.out", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
    }
}

/// Something that the phone logs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) at_ms: i64,
    pub(super) kind: EventKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum EventKind {
    /// Settings, `Timestamp:` and, [`START_MS`] later, `Logging started`.
    RecordingStart,
    RecordingStop,
    /// Whole decibels, as Android reports them.
    Signal {
        technology: Technology,
        level_dbm: Option<i16>,
        quality_db: Option<i16>,
        sinr_db: Option<i16>,
    },
    ServingCell {
        technology: Technology,
        cell: Cell,
        name: Option<&'static str>,
    },
    /// `terse`: only the line of the result, as the app does while it moves between screens.
    Place {
        position: Position,
        terse: bool,
    },
    Ping {
        sequence: u64,
        rtt_tenth_ms: u32,
        duplicate: bool,
    },
    ServiceState {
        channel: Option<u32>,
    },
    /// A line of another program.
    Foreign,
}

/// From the settings to `Logging started`.
pub(super) const START_MS: i64 = 501;

impl Event {
    fn last_line_ms(&self) -> i64 {
        self.at_ms + if matches!(self.kind, EventKind::RecordingStart) { START_MS } else { 0 }
    }
}

/// What is last known, as a sample carries it.
#[derive(Default)]
struct Known {
    lte: Cell,
    nr: Cell,
    position: Option<Position>,
    rtt_tenth_ms: Option<u32>,
    last_line_ms: Option<i64>,
}

impl Known {
    fn learn(&mut self, event: &Event) -> Option<Sample> {
        if self.last_line_ms.is_some_and(|last| event.at_ms - last > PAUSE_MS) {
            *self = Self::default();
        }
        self.last_line_ms = Some(event.last_line_ms());
        match event.kind {
            EventKind::RecordingStart => {
                *self = Self { position: self.position, last_line_ms: self.last_line_ms, ..Self::default() };
            }
            EventKind::ServingCell { technology: Technology::Nr, cell, .. } => self.nr = cell,
            EventKind::ServingCell { cell, .. } => self.lte = cell,
            EventKind::Place { position, .. } => self.position = Some(position),
            EventKind::Ping { rtt_tenth_ms, duplicate: false, .. } => self.rtt_tenth_ms = Some(rtt_tenth_ms),
            EventKind::Signal { technology, level_dbm, quality_db, sinr_db } => {
                return Some(Sample {
                    captured_at_ms: event.at_ms,
                    technology,
                    level_dbm,
                    quality_half_db: quality_db.map(|db| db * 2),
                    sinr_half_db: sinr_db.map(|db| db * 2),
                    cell: if technology == Technology::Nr { self.nr } else { self.lte },
                    position: self.position,
                    rtt_tenth_ms: self.rtt_tenth_ms,
                    downlink_kbps: None,
                    uplink_kbps: None,
                });
            }
            EventKind::RecordingStop | EventKind::Ping { .. } | EventKind::ServiceState { .. } | EventKind::Foreign => {
            }
        }
        None
    }
}

/// A level that drifts (shadowing) and flickers (fading) around its mean.
#[derive(Clone, Copy, Default)]
struct Fading {
    shadow_db: f64,
    fast_db: f64,
}

impl Fading {
    fn step(&mut self, random: &mut Random) -> f64 {
        self.shadow_db = 0.985 * self.shadow_db + 0.9 * random.bell();
        self.fast_db = 0.6 * self.fast_db + 1.4 * random.bell();
        self.shadow_db + self.fast_db
    }
}

/// When each kind of event is due next.
struct Due {
    ping: i64,
    place: i64,
    signal: i64,
    cell: i64,
    service: i64,
}

/// The events of a walk, by time.
struct Events {
    options: WalkOptions,
    random: Random,
    due: Due,
    ready: VecDeque<Event>,
    samples_left: u64,
    lte_fading: Fading,
    nr_fading: Fading,
    /// Which sector serves, from 0.
    sector: u32,
    /// Millionths of a degree from the centre, and their change per position.
    offset: (f64, f64),
    pace: (f64, f64),
    ping_sequence: u64,
    until_pause: i64,
}

impl Events {
    fn new(options: WalkOptions) -> Self {
        let mut events = Self {
            options,
            random: Random::new(options.seed),
            due: Due { ping: 0, place: 0, signal: 0, cell: 0, service: 0 },
            ready: VecDeque::new(),
            samples_left: options.sample_count,
            lte_fading: Fading::default(),
            nr_fading: Fading::default(),
            sector: 0,
            offset: (0.0, 0.0),
            pace: (0.0, 0.0),
            ping_sequence: 0,
            until_pause: 0,
        };
        events.until_pause = events.random.between(150, 400);
        events.recording_start(options.started_at.unix_millis());
        events
    }

    fn push(&mut self, at_ms: i64, kind: EventKind) {
        self.ready.push_back(Event { at_ms, kind });
    }

    fn recording_start(&mut self, at_ms: i64) {
        self.push(at_ms, EventKind::RecordingStart);
        let from = at_ms + START_MS + 5;
        self.ping_sequence = 0;
        self.due = Due { ping: from + 700, place: from + 2_500, signal: from, cell: from + 15, service: from + 3 };
    }

    /// Puts the next due events into `ready`.
    fn advance(&mut self) {
        let due = &self.due;
        let at_ms = due.ping.min(due.place).min(due.signal).min(due.cell).min(due.service);
        if at_ms == due.signal {
            self.signal(at_ms);
        } else if at_ms == due.ping {
            self.ping(at_ms);
        } else if at_ms == due.place {
            self.place(at_ms);
        } else if at_ms == due.cell {
            self.serving_cell(at_ms);
        } else {
            let unknown = self.options.dirty && self.random.chance(300);
            let channel = (!unknown).then_some(self.options.profile.lte.channel);
            self.push(at_ms, EventKind::ServiceState { channel });
            if self.options.dirty && self.random.chance(200) {
                self.push(at_ms, EventKind::Foreign);
            }
            self.due.service = at_ms + self.random.between(8_000, 40_000);
        }
    }

    fn signal(&mut self, at_ms: i64) {
        let profile = self.options.profile;
        if self.random.chance(profile.handovers_per_mille) {
            self.sector = (self.sector + 1) % 6;
            self.lte_fading.shadow_db = 4.0 * self.random.bell();
            self.nr_fading.shadow_db = 4.0 * self.random.bell();
            self.due.cell = at_ms + 20;
        }
        let lte = self.report(Technology::Lte, profile.lte);
        self.push(at_ms, lte);
        if self.options.dirty && self.random.chance(25) {
            self.push(at_ms, lte);
        }
        // A phone reports NR less steadily than its LTE anchor.
        if let Some(layer) = profile.nr
            && self.random.chance(850)
        {
            let nr = self.report(Technology::Nr, layer);
            self.push(at_ms, nr);
        }
        let interval = profile.report_interval_ms;
        self.due.signal = at_ms + self.random.between(interval / 2, interval * 3 / 2).max(1);
        self.until_pause -= 1;
        if self.options.dirty && self.until_pause <= 0 {
            self.pause(at_ms);
        }
    }

    fn report(&mut self, technology: Technology, layer: RadioLayer) -> EventKind {
        let fading = if technology == Technology::Nr { &mut self.nr_fading } else { &mut self.lte_fading };
        let fade_db = fading.step(&mut self.random);
        let sinr_db = layer.sinr_db + 0.6 * fade_db + 1.2 * self.random.bell();
        let quality_db = -15.0 + 0.25 * sinr_db.clamp(-8.0, 20.0) + 0.6 * self.random.bell();
        let limits = technology.limits();
        let whole = |value: f64, (low, high): (i16, i16)| (value.round() as i16).clamp(low, high);
        // Ranges in half decibels become whole decibels inside them.
        let halved = |(low, high): (i16, i16)| (-(-low / 2), high.div_euclid(2));
        let level_dbm = whole(layer.level_dbm + fade_db, limits.level_dbm);
        let quality_db = whole(quality_db, halved(limits.quality_half_db));
        let sinr_db = whole(sinr_db, halved(limits.sinr_half_db));
        let unknown_per_mille = if self.options.dirty { self.options.profile.unknown_per_mille } else { 0 };
        let known = |random: &mut Random, per_mille| !random.chance(per_mille);
        EventKind::Signal {
            technology,
            level_dbm: known(&mut self.random, unknown_per_mille / 8).then_some(level_dbm),
            quality_db: known(&mut self.random, unknown_per_mille / 8).then_some(quality_db),
            // SINR is what phones know least.
            sinr_db: known(&mut self.random, unknown_per_mille * 4).then_some(sinr_db),
        }
    }

    /// The app stops and starts anew, or the phone only falls silent, for seconds or minutes.
    fn pause(&mut self, at_ms: i64) {
        let length_ms = match self.random.below(3) {
            0 => self.random.between(7_000, 25_000),
            1 => self.random.between(PAUSE_MS - 2_000, PAUSE_MS + 3_000),
            _ => self.random.between(70_000, 240_000),
        };
        self.until_pause = self.random.between(150, 500);
        if self.random.chance(500) {
            self.push(at_ms, EventKind::RecordingStop);
            self.recording_start(at_ms + length_ms);
        } else {
            for due in [
                &mut self.due.ping,
                &mut self.due.place,
                &mut self.due.signal,
                &mut self.due.cell,
                &mut self.due.service,
            ] {
                *due = (*due).max(at_ms) + length_ms;
            }
        }
    }

    fn ping(&mut self, at_ms: i64) {
        self.ping_sequence += 1;
        let mut rtt_ms = self.options.profile.rtt_ms * (0.85 + 0.25 * self.random.bell().abs());
        if self.random.chance(12) {
            rtt_ms *= 2.0 + 10.0 * self.random.unit();
        }
        let tenth_ms = (rtt_ms.clamp(10.0, 20_000.0) * 10.0).round() as u32;
        // ping prints three digits, but never fewer than whole milliseconds.
        let rtt_tenth_ms = if tenth_ms < 1_000 { tenth_ms } else { tenth_ms / 10 * 10 };
        let sequence = self.ping_sequence;
        self.push(at_ms, EventKind::Ping { sequence, rtt_tenth_ms, duplicate: false });
        if self.options.dirty && self.random.chance(2) {
            self.push(at_ms, EventKind::Ping { sequence, rtt_tenth_ms: rtt_tenth_ms + 50_000, duplicate: true });
        }
        self.due.ping = at_ms + self.random.between(185, 215);
    }

    fn place(&mut self, at_ms: i64) {
        // A step of a metre or two, 9 millionths of a degree each, drawn back towards the centre when far.
        let (mut x, mut y) = self.offset;
        let (mut pace_x, mut pace_y) = self.pace;
        pace_x = 0.9 * pace_x + 5.0 * self.random.bell() - 0.002 * x;
        pace_y = 0.9 * pace_y + 5.0 * self.random.bell() - 0.002 * y;
        x = (x + pace_x).clamp(-3_500.0, 3_500.0);
        y = (y + pace_y).clamp(-3_500.0, 3_500.0);
        (self.offset, self.pace) = ((x, y), (pace_x, pace_y));
        let near =
            |centre: i32, offset: f64, limit: i32| centre.saturating_add(offset.round() as i32).clamp(-limit, limit);
        let position = Position {
            latitude_e6: near(self.options.centre.latitude_e6, y, 89_900_000),
            longitude_e6: near(self.options.centre.longitude_e6, x, 179_900_000),
            accuracy_m: None,
            is_mock: false,
        };
        let terse = self.options.dirty && self.random.chance(30);
        self.push(at_ms, EventKind::Place { position, terse });
        self.due.place = at_ms + self.random.between(900, 2_100);
    }

    fn serving_cell(&mut self, at_ms: i64) {
        let profile = self.options.profile;
        let site = u64::from(self.sector / 3);
        let sector = u64::from(self.sector % 3) + 1;
        let physical = u16::try_from(self.sector).unwrap_or_default();
        let nameless = self.options.dirty && self.random.chance(20);
        let name = (!nameless).then_some(profile.name);
        // The app lists the serving cell of one technology at a time; NR's identity is unknown to a phone whose anchor
        // is LTE.
        let kind = match profile.nr {
            Some(layer) if self.random.chance(150) => EventKind::ServingCell {
                technology: Technology::Nr,
                cell: Cell {
                    cell_identity: None,
                    physical_cell_id: Some(layer.physical_cell_id + 500 + physical),
                    area_code: None,
                    channel: Some(layer.channel),
                },
                name,
            },
            _ => {
                let layer = profile.lte;
                let unknown = self.options.dirty && self.random.chance(profile.unknown_per_mille / 4);
                EventKind::ServingCell {
                    technology: Technology::Lte,
                    cell: Cell {
                        cell_identity: (!unknown).then_some((u64::from(layer.site) + site) << 8 | sector),
                        physical_cell_id: Some(layer.physical_cell_id + physical),
                        area_code: (!unknown).then_some(layer.area_code),
                        channel: Some(layer.channel),
                    },
                    name,
                }
            }
        };
        self.push(at_ms, kind);
        self.due.cell = at_ms + self.random.between(2_960, 3_060);
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.samples_left == 0 {
            return None;
        }
        while self.ready.is_empty() {
            self.advance();
        }
        let event = self.ready.pop_front()?;
        if matches!(event.kind, EventKind::Signal { .. }) {
            self.samples_left -= 1;
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{ImportOptions, import_reader, started_at_from_file_name};
    use crate::synthetic::Coverage;
    use callout_sync_protocol::operators::Operator;

    fn options(seed: u64, coverage: Coverage, sample_count: u64) -> WalkOptions {
        WalkOptions {
            seed,
            started_at: "2025-12-31T15:20:00.250Z".parse().expect("an instant"),
            centre: Position { latitude_e6: -37_300_000, longitude_e6: 103_400_000, accuracy_m: None, is_mock: false },
            profile: OperatorProfile::new(Operator::ChinaMobile, coverage),
            sample_count,
            utc_offset_minutes: 480,
            dirty: true,
        }
    }

    const COVERAGES: [Coverage; 4] =
        [Coverage::Good, Coverage::FifthGeneration, Coverage::WeakIndoors, Coverage::CellEdge];

    #[test]
    fn an_imported_log_gives_back_exactly_the_generated_samples() {
        // The recording crosses a new year, both in UTC and in the phone's zone.
        for (seed, coverage) in (0..).zip(COVERAGES) {
            for (sample_count, utc_offset_minutes, dirty) in [(3_000, 480, true), (500, -570, false), (0, 0, true)] {
                let walk = SyntheticWalk::new(WalkOptions {
                    utc_offset_minutes,
                    dirty,
                    ..options(seed, coverage, sample_count)
                });
                let mut log = Vec::new();
                walk.write_log(&mut log).expect("memory");
                let mut imported = Vec::new();
                let report = import_reader(log.as_slice(), ImportOptions::default(), |s| imported.push(s.sample))
                    .expect("importable");
                let generated: Vec<_> = walk.samples().collect();
                assert_eq!(generated.len() as u64, sample_count);
                assert_eq!(imported, generated, "{coverage:?}");
                assert_eq!(report.refused_total(), 0);
                assert_eq!(report.skipped_first, []);
                let started_at = started_at_from_file_name(&walk.log_file_name());
                assert_eq!(started_at, Some(walk.options.started_at));
            }
        }
    }

    #[test]
    fn a_dirty_walk_has_the_dirt_that_it_promises_and_a_clean_one_has_none() {
        let count = |dirty: bool| {
            let walk = SyntheticWalk::new(WalkOptions { dirty, ..options(3, Coverage::WeakIndoors, 3_000) });
            let mut log = Vec::new();
            walk.write_log(&mut log).expect("memory");
            let log = String::from_utf8(log).expect("text");
            let reports: Vec<_> = log.lines().filter(|line| line.contains("Signal Strength info")).collect();
            let repeated = reports.iter().zip(reports.iter().skip(1)).filter(|(a, b)| a == b).count();
            let unknown = reports.iter().filter(|line| line.contains("2147483647")).count();
            let recordings = log.matches("Logging started").count();
            let nameless = log.matches("Operator: 000000").count() + log.matches("Operator:  Update").count();
            [repeated, unknown, recordings - 1, nameless]
        };
        assert!(count(true).iter().all(|&found| found > 0), "{:?}", count(true));
        assert_eq!(count(false), [0; 4]);
    }

    #[test]
    fn a_walk_is_its_seed_s_and_shaped_like_its_profile() {
        let samples = |seed, coverage| SyntheticWalk::new(options(seed, coverage, 2_000)).samples().collect::<Vec<_>>();
        assert_eq!(samples(1, Coverage::Good), samples(1, Coverage::Good));
        assert_ne!(samples(1, Coverage::Good), samples(2, Coverage::Good));
        for coverage in COVERAGES {
            let profile = OperatorProfile::new(Operator::ChinaMobile, coverage);
            let walk = samples(9, coverage);
            assert!(walk.iter().all(|sample| sample.validate().is_ok()));
            assert_eq!(walk.iter().any(|s| s.technology == Technology::Nr), profile.nr.is_some());
            let levels: Vec<_> =
                walk.iter().filter(|s| s.technology == Technology::Lte).filter_map(|s| s.level_dbm).collect();
            let mean = levels.iter().map(|&level| f64::from(level)).sum::<f64>() / levels.len() as f64;
            assert!((mean - profile.lte.level_dbm).abs() < 5.0, "{coverage:?}: {mean}");
            let spread = levels.iter().max().zip(levels.iter().min()).map(|(max, min)| max - min);
            assert!(spread > Some(12), "{coverage:?}: {spread:?}");
            // One to four reports a second, pauses left out.
            let active_ms: i64 = walk
                .iter()
                .zip(walk.iter().skip(1))
                .map(|(a, b)| b.captured_at_ms - a.captured_at_ms)
                .filter(|&apart| apart < 5_000)
                .sum();
            let per_second = walk.len() as f64 / (active_ms as f64 / 1000.0);
            assert!((1.0..4.0).contains(&per_second), "{coverage:?}: {per_second}");
        }
    }
}
