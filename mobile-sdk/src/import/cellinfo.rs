//! Android logcat lines with tag `cellinfo`: `08-04 21:16:39.568  5006  5006 D cellinfo: …`.
//!
//! What does not belong here: year and zone (`clock`), ranges (`mod`), counting (`report`).

use super::clock::{LocalClock, LocalTime};
use super::report::{ImportReport, SkipReason, name_count};
use super::scan::{Reading, Scanner, decimal, digits, half_units};
use super::{
    Cell, ImportError, ImportOptions, LastKnown, Outcome, PAUSE_MS, Sample, SampleField, Signal, Technology, bounded,
    cell_of, position_of, sample_of,
};
use callout_sync_protocol::samples::sample::RTT_TENTH_MS_MAX;

/// How many samples wait for a line that tells year and zone; logs tell it within their first dozen lines.
const UNDATED_MAX: usize = 256;
/// `MM-DD HH:MM:SS.mmm`
const TIME_BYTES: usize = 18;

/// Whether a line can only be of a logcat log.
pub(super) fn is_log_line(line: &[u8]) -> bool {
    line.starts_with(b"--------- beginning of") || line_time(line).is_some()
}

#[derive(Debug)]
pub(super) struct CellinfoParser {
    clock: LocalClock,
    known: LastKnown,
    last_line_at_ms: Option<i64>,
    /// `Latitude is …` comes on its own line before `Longitude is …`.
    latitude_e6: Option<i64>,
    undated: Vec<(u64, LocalTime, Sample)>,
}

impl CellinfoParser {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self {
            clock: LocalClock::new(options.utc_offset_minutes, options.started_at),
            known: LastKnown::default(),
            last_line_at_ms: None,
            latitude_e6: None,
            undated: Vec::new(),
        }
    }

    pub(super) fn utc_offset_minutes(&self) -> Option<i32> {
        self.clock.utc_offset_minutes()
    }

    /// The first line whose sample still has no time.
    pub(super) fn undated_line(&self) -> Option<u64> {
        self.undated.first().map(|(line, ..)| *line)
    }

    /// The samples that waited for the clock, once it is known; `None` for one on a day that its year does not have.
    pub(super) fn take_dated(&mut self) -> Vec<(u64, Option<Sample>)> {
        if self.undated.is_empty() || !self.clock.is_known() {
            return Vec::new();
        }
        let undated = std::mem::take(&mut self.undated);
        let dated = undated.into_iter().map(|(line, local, sample)| {
            let at_ms = self.clock.instant_ms(local);
            (line, at_ms.map(|captured_at_ms| Sample { captured_at_ms, ..sample }))
        });
        dated.collect()
    }

    pub(super) fn line(&mut self, line: &[u8], report: &mut ImportReport) -> Result<Outcome, ImportError> {
        let skipped = |reason| Ok(Outcome::Skipped(reason));
        if line.iter().all(|&b| b == b' ') {
            return skipped(SkipReason::Blank);
        }
        if line.starts_with(b"---------") {
            return skipped(SkipReason::LogMarker);
        }
        let Some(local) = line_time(line) else { return skipped(SkipReason::Malformed) };
        let mut scanner = Scanner::new(line.get(TIME_BYTES..).unwrap_or_default());
        let Some(is_ours) = line_head(&mut scanner) else { return skipped(SkipReason::Malformed) };
        if !is_ours {
            return skipped(SkipReason::OtherTag);
        }
        let at_ms = self.clock.instant_ms(local);
        if let Some(at_ms) = at_ms {
            if self.last_line_at_ms.is_some_and(|last| at_ms - last > PAUSE_MS) {
                self.known = LastKnown::default();
                self.latitude_e6 = None;
            }
            self.last_line_at_ms = Some(at_ms);
        }
        // In the order of how often they come.
        if scanner.rest().first().is_some_and(u8::is_ascii_digit) {
            return Ok(self.ping(scanner, report));
        }
        if scanner.eat(b"Latitude is ") {
            return Ok(self.latitude(scanner));
        }
        if scanner.eat(b"Longitude is ") {
            return Ok(self.longitude(scanner, report));
        }
        if scanner.eat(b"getCurrentLocation() result: Location ") {
            return Ok(self.location(scanner, report));
        }
        if scanner.eat(b"onsignalStrengthsChanged: ") {
            return self.signal(scanner, local, at_ms, report);
        }
        if scanner.eat(b"onCellInfoChanged: ") {
            return Ok(self.cell_info(scanner, report));
        }
        if scanner.eat(b"Timestamp: ") {
            return Ok(self.timestamp(scanner, local));
        }
        if scanner.rest() == b"Logging started" {
            report.recordings += 1;
            self.known.recording_start();
            self.latitude_e6 = None;
            return Ok(Outcome::Used);
        }
        skipped(SkipReason::NotAMeasurement)
    }

    /// `onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5`
    fn signal(
        &mut self,
        mut scanner: Scanner<'_>,
        local: LocalTime,
        at_ms: Option<i64>,
        report: &ImportReport,
    ) -> Result<Outcome, ImportError> {
        let (technology, keys) = if scanner.eat(b"LTE Signal Strength info: ") {
            (Technology::Lte, [&b"rsrp"[..], b"rsrq", b"rssnr"])
        } else if scanner.eat(b"5G-NR Signal Strength info: ") {
            (Technology::Nr, [&b"ssrsrp"[..], b"ssrsrq", b"sssinr"])
        } else if scanner.rest().windows(15).any(|window| window == b"Signal Strength") {
            return Ok(Outcome::Skipped(SkipReason::UnknownTechnology));
        } else {
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        };
        let mut level = None;
        let mut quality = None;
        let mut sinr = None;
        while let Some((key, value)) = keyed(&mut scanner) {
            if key == keys[0] {
                level = decimal(value, 0);
            } else if key == keys[1] {
                quality = half_units(value);
            } else if key == keys[2] {
                sinr = half_units(value);
            }
        }
        let (Some(level), Some(quality), Some(sinr)) = (level, quality, sinr) else {
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        };
        let signal = Signal { level_dbm: level.value(), quality_half_db: quality.value(), sinr_half_db: sinr.value() };
        let sample = match sample_of(technology, at_ms.unwrap_or_default(), &signal, &self.known) {
            Ok(sample) => sample,
            Err(error) => return Ok(error.into()),
        };
        if at_ms.is_some() {
            return Ok(Outcome::Sample(sample));
        }
        if self.clock.is_known() {
            // The clock is known, but there is no such day.
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        }
        if self.undated.len() >= UNDATED_MAX {
            return Err(ImportError::ClockUnknown { line: self.undated_line().unwrap_or(report.lines) });
        }
        self.undated.push((report.lines, local, sample));
        Ok(Outcome::Kept)
    }

    /// `onCellInfoChanged: LTE Cell Bands: [66, 2] Bandwidth: 20000 Cell ID: 14374412 Physical Cell ID: 283 …`
    fn cell_info(&mut self, mut scanner: Scanner<'_>, report: &mut ImportReport) -> Outcome {
        if scanner.eat(b"Operator: ") {
            return operator_name(scanner, report);
        }
        let (technology, channel_key) = if scanner.eat(b"LTE Cell ") {
            (Technology::Lte, &b"EARFCN"[..])
        } else if scanner.eat(b"5G-NR Cell ") {
            (Technology::Nr, &b"ARFCN"[..])
        } else {
            return Outcome::Skipped(SkipReason::UnknownTechnology);
        };
        let mut identity = None;
        let mut physical = None;
        let mut area = None;
        let mut channel = None;
        while let Some((key, value)) = keyed(&mut scanner) {
            match key {
                b"Cell ID" => identity = decimal(value, 0),
                b"Physical Cell ID" => physical = decimal(value, 0),
                b"Tracking Area Code" => area = decimal(value, 0),
                key if key == channel_key => channel = decimal(value, 0),
                _ => {}
            }
        }
        let (Some(identity), Some(physical), Some(area), Some(channel)) = (identity, physical, area, channel) else {
            return Outcome::Skipped(SkipReason::Malformed);
        };
        let cell: Result<Cell, _> =
            cell_of(technology, identity.value(), physical.value(), area.value(), channel.value());
        match cell {
            Ok(cell) => {
                self.known.set_cell(technology, cell);
                Outcome::Used
            }
            Err(error) => error.into(),
        }
    }

    /// `46 bytes from 155.146.11.34: icmp_seq=1 ttl=56 time=30.1 ms`, perhaps with `(DUP!)` behind it.
    fn ping(&mut self, mut scanner: Scanner<'_>, report: &mut ImportReport) -> Outcome {
        scanner.skip_digits();
        if !scanner.eat(b" bytes from ") {
            return Outcome::Skipped(SkipReason::NotAMeasurement);
        }
        let reply = scanner.rest();
        let time = reply.iter().rposition(|&b| b == b'=').and_then(|at| {
            let (before, after) = reply.split_at(at);
            before.ends_with(b" time").then(|| Scanner::new(after.get(1..).unwrap_or_default()))
        });
        let Some(mut time) = time else { return Outcome::Skipped(SkipReason::Malformed) };
        let Some(Reading::Value(tenth_ms)) = decimal(time.word(), 1) else {
            return Outcome::Skipped(SkipReason::Malformed);
        };
        if !time.eat(b" ms") {
            return Outcome::Skipped(SkipReason::Malformed);
        }
        if time.rest().starts_with(b" (DUP!)") {
            return Outcome::Skipped(SkipReason::DuplicatePingReply);
        }
        match bounded(SampleField::RoundTripTime, Some(tenth_ms), 0, RTT_TENTH_MS_MAX) {
            Ok(tenth_ms) => {
                self.known.rtt_tenth_ms = tenth_ms.and_then(|tenth_ms| u32::try_from(tenth_ms).ok());
                report.ping_replies += 1;
                Outcome::Used
            }
            Err(error) => error.into(),
        }
    }

    fn latitude(&mut self, scanner: Scanner<'_>) -> Outcome {
        self.latitude_e6 = None;
        let Some(Reading::Value(latitude_e6)) = decimal(scanner.rest(), 6) else {
            return Outcome::Skipped(SkipReason::Malformed);
        };
        match position_of(latitude_e6, 0) {
            Ok(_) => {
                self.latitude_e6 = Some(latitude_e6);
                Outcome::Used
            }
            Err(error) => error.into(),
        }
    }

    fn longitude(&mut self, scanner: Scanner<'_>, report: &mut ImportReport) -> Outcome {
        let (Some(latitude_e6), Some(Reading::Value(longitude_e6))) =
            (self.latitude_e6.take(), decimal(scanner.rest(), 6))
        else {
            return Outcome::Skipped(SkipReason::Malformed);
        };
        self.position(latitude_e6, longitude_e6, report)
    }

    /// `(success): 42.3369604, -71.0866896`. Some builds of the app log only this, without the two lines before.
    fn location(&mut self, mut scanner: Scanner<'_>, report: &mut ImportReport) -> Outcome {
        if !scanner.eat(b"(success): ") {
            return Outcome::Skipped(SkipReason::Unknown);
        }
        let latitude = decimal(scanner.word(), 6);
        let comma = scanner.eat(b", ");
        match (latitude, decimal(scanner.rest(), 6)) {
            (Some(Reading::Value(latitude_e6)), Some(Reading::Value(longitude_e6))) if comma => {
                self.position(latitude_e6, longitude_e6, report)
            }
            _ => Outcome::Skipped(SkipReason::Malformed),
        }
    }

    fn position(&mut self, latitude_e6: i64, longitude_e6: i64, report: &mut ImportReport) -> Outcome {
        match position_of(latitude_e6, longitude_e6) {
            Ok(position) => {
                self.known.position = Some(position);
                report.positions += 1;
                Outcome::Used
            }
            Err(error) => error.into(),
        }
    }

    /// `Timestamp: 1660190342`, Unix seconds, written at a recording's start.
    fn timestamp(&mut self, scanner: Scanner<'_>, local: LocalTime) -> Outcome {
        let Some(Reading::Value(unix_ms)) = decimal(scanner.rest(), 3) else {
            return Outcome::Skipped(SkipReason::Malformed);
        };
        if self.clock.anchor(local, unix_ms) {
            Outcome::Used
        } else {
            Outcome::Skipped(SkipReason::ClockAnchorNotCredible)
        }
    }
}

/// `Verizon Wireless UpdateTimestamp: 1083624556 CellConnectionStatus: 1`
fn operator_name(scanner: Scanner<'_>, report: &mut ImportReport) -> Outcome {
    let rest = scanner.rest();
    let mark = b" UpdateTimestamp:";
    let Some(end) = rest.windows(mark.len()).position(|window| window == mark) else {
        return Outcome::Skipped(SkipReason::Malformed);
    };
    let name = rest.get(..end).unwrap_or_default();
    if name.iter().all(|&b| b == b'0' || b == b' ') {
        return Outcome::Skipped(SkipReason::Unknown);
    }
    name_count(&mut report.operator_names, name);
    Outcome::Used
}

/// The next `key: value`; a value in brackets may hold spaces.
fn keyed<'a>(scanner: &mut Scanner<'a>) -> Option<(&'a [u8], &'a [u8])> {
    scanner.skip_spaces();
    let key = scanner.until(b':')?;
    scanner.skip_spaces();
    let value = if scanner.rest().starts_with(b"[") { scanner.until(b']')? } else { scanner.word() };
    Some((key, value))
}

/// `MM-DD HH:MM:SS.mmm` at the start of a line.
fn line_time(line: &[u8]) -> Option<LocalTime> {
    let head = line.get(..TIME_BYTES)?;
    if (head[2], head[5], head[8], head[11], head[14]) != (b'-', b' ', b':', b':', b'.') {
        return None;
    }
    let month = digits(head, 0, 2)?;
    let day = digits(head, 3, 2)?;
    let (hour, minute, second) = (digits(head, 6, 2)?, digits(head, 9, 2)?, digits(head, 12, 2)?);
    let millis = digits(head, 15, 3)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(LocalTime {
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        ms_of_day: i64::from(((hour * 60 + minute) * 60 + second) * 1000 + millis),
    })
}

/// Steps over `  5006  5093 D cellinfo: `; whether the tag is ours, `None` if it is no log line.
fn line_head(scanner: &mut Scanner<'_>) -> Option<bool> {
    for _process_then_thread in 0..2 {
        scanner.skip_spaces();
        if scanner.skip_digits() == 0 {
            return None;
        }
    }
    scanner.skip_spaces();
    let priority = scanner.word();
    if priority.len() != 1 || !priority.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    scanner.skip_spaces();
    if scanner.eat(b"cellinfo") {
        // logcat pads short tags.
        scanner.skip_spaces();
        if scanner.eat(b":") {
            scanner.eat(b" ");
            return Some(true);
        }
    }
    scanner.rest().contains(&b':').then_some(false)
}
