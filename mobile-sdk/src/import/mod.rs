//! Importers: samples out of the logs that measuring apps write: Android `cellinfo` logs (logcat lines) and G-NetTrack
//! CSVs.
//!
//! A sample is one signal report of one technology (each `Signal Strength info` line, each CSV row) with the position,
//! the serving cell of that technology and the round-trip time last known. A line that repeats the one before is a
//! sample again. What the phone did not know is absent. A value outside its standard's range is refused with its line:
//! the whole line changes nothing, and the report tells line, field and value. Damaged lines are skipped and told.
//!
//! "Last known" ends where it would mislead: a new recording (`Logging started`, a repeated CSV header) forgets serving
//! cells and round-trip time, for its ping and its listeners start anew; a pause of more than [`PAUSE_MS`] forgets the
//! position too.
//!
//! Streaming: memory does not grow with the input. **To resume** a capture that was killed, drive a new importer over
//! the same input from its start, with [`ImportOptions::skip_samples`] set to the number of samples that are safely
//! stored: the importer is a pure function of the lines, so the samples after those are the ones that are missing, and
//! none comes twice.
//!
//! What does not belong here: storing samples (`capture`, `store`), knowing which operator a log is of (the caller says
//! so: names in logs such as `AT&T...1`, `000000` or nothing are not reliable), and what is computed of samples.

mod cellinfo;
mod clock;
mod gnettrack;
mod report;
mod scan;
#[cfg(test)]
mod tests;

pub use report::{DETAILS_MAX, FieldCount, ImportReport, Language, RefusedLine, SkipReason, SkippedLine};

use callout_sync_protocol::samples::{Cell, OutOfRange, Position, Sample, SampleField, Technology};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, BufRead, Read as _};

/// A longer line is skipped and told, not read: real ones stay under 300 bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// After so long without a line or row, milliseconds, position, serving cell and round-trip time are no longer known.
pub const PAUSE_MS: i64 = 60_000;
/// How much of the input is looked at to tell the format.
const DETECT_BYTES: u64 = 16 * 1024;
/// Offsets from UTC in use on Earth, minutes.
const UTC_OFFSET_MINUTES: std::ops::RangeInclusive<i16> = -12 * 60..=14 * 60;

/// A format that samples can be imported from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Android logcat lines with tag `cellinfo`.
    Cellinfo,
    /// A G-NetTrack CSV.
    Gnettrack,
}

impl LogFormat {
    /// Tells the format by the first bytes of the input: the first line that belongs to one of them decides.
    pub fn detect(first_bytes: &[u8]) -> Option<Self> {
        first_bytes.split(|&b| b == b'\n').find_map(|line| {
            let line = scan::without_line_ending(line);
            if cellinfo::is_log_line(line) {
                Some(Self::Cellinfo)
            } else if gnettrack::is_header(line) {
                Some(Self::Gnettrack)
            } else {
                None
            }
        })
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cellinfo => "Android cellinfo log",
            Self::Gnettrack => "G-NetTrack CSV",
        })
    }
}

/// What the caller knows about a log. The default asks nothing: the logs of `cellinfo` tell their own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The format; told by the first bytes if absent.
    pub format: Option<LogFormat>,
    /// Minutes that the phone's local time is ahead of UTC, −720 … 840. Overrides what the log says. Without it, a
    /// `cellinfo` log's offset is derived from its `Timestamp:` lines or `started_at`, to a quarter of an hour; a CSV
    /// is taken to be in UTC.
    pub utc_offset_minutes: Option<i16>,
    /// When the recording started, to the minute, for a `cellinfo` log without a `Timestamp:` line: its lines have no
    /// year and no zone. See [`started_at_from_file_name`]. Together with `utc_offset_minutes`, any instant within six
    /// months does.
    pub started_at: Option<Timestamp>,
    /// How many samples from the start an earlier run has stored already: they are counted, but not handed out again.
    pub skip_samples: u64,
}

/// The start that a log's file name tells, as in `R5CRA0E07EF_1659662187.7814636.out`: Unix seconds in UTC after the
/// last `_`.
pub fn started_at_from_file_name(file_name: &str) -> Option<Timestamp> {
    let stem = file_name.rsplit(['/', '\\']).next()?;
    let stem = stem.strip_suffix(".out").unwrap_or(stem);
    let (_, seconds) = stem.rsplit_once('_')?;
    let micros = scan::decimal(seconds.as_bytes(), 6)?.value()?;
    let started_at = Timestamp::from_unix_micros(micros)?;
    // A serial number or a date is no instant of this century.
    (946_684_800_000..4_102_444_800_000).contains(&started_at.unix_millis()).then_some(started_at)
}

/// One imported sample and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedSample {
    /// The how-manieth sample of this input, from 0, held-back ones included.
    pub index: u64,
    /// The line it stood on, from 1.
    pub line: u64,
    /// The sample; every value is within its standard's range.
    pub sample: Sample,
}

/// Why an import could not go on. Samples handed out before stay valid.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input begins like none of the known formats.
    #[error("this is neither an Android cellinfo log nor a G-NetTrack CSV")]
    UnknownFormat,
    /// A log without year and zone.
    #[error(
        "line {line}: the log's clock has no year and no time zone, and no Timestamp line tells them; give the start of the recording"
    )]
    ClockUnknown {
        /// The first line with a sample that has no time.
        line: u64,
    },
    /// The CSV's first row is not its header, or the header lacks a column.
    #[error("line {line}: the header lacks the column {column}")]
    ColumnMissing {
        /// The line that should be the header.
        line: u64,
        /// The column's name.
        column: &'static str,
    },
    /// [`ImportOptions::utc_offset_minutes`] is no offset in use.
    #[error("the offset from UTC is {minutes} minutes, outside -720 to 840")]
    UtcOffset {
        /// As given.
        minutes: i16,
    },
    /// The input could not be read.
    #[error("the log could not be read")]
    Read(#[source] io::Error),
}

impl ImportError {
    /// The error in the reader's language.
    pub fn message(&self, language: Language) -> String {
        match (language, self) {
            (Language::English, _) => self.to_string(),
            (Language::Chinese, Self::UnknownFormat) => {
                "既不是 Android cellinfo 日志，也不是 G-NetTrack CSV".to_owned()
            }
            (Language::Chinese, Self::ClockUnknown { line }) => {
                format!("第 {line} 行：日志时间没有年份和时区，也没有 Timestamp 行；请提供录制开始时间")
            }
            (Language::Chinese, Self::ColumnMissing { line, column }) => format!("第 {line} 行：表头缺少列 {column}"),
            (Language::Chinese, Self::UtcOffset { minutes }) => format!("时区偏移 {minutes} 分钟超出 -720 至 840"),
            (Language::Chinese, Self::Read(_)) => "无法读取日志".to_owned(),
        }
    }
}

/// What a line came to.
enum Outcome {
    Sample(Sample),
    /// A sample whose time is not known yet; the parser keeps it.
    Kept,
    Used,
    Skipped(SkipReason),
    Refused(OutOfRange),
}

impl From<OutOfRange> for Outcome {
    fn from(error: OutOfRange) -> Self {
        Self::Refused(error)
    }
}

/// What the log has told so far that a later sample carries.
#[derive(Debug, Default)]
struct LastKnown {
    cells: [Cell; Technology::ALL.len()],
    position: Option<Position>,
    rtt_tenth_ms: Option<u32>,
}

impl LastKnown {
    fn recording_start(&mut self) {
        self.cells = Default::default();
        self.rtt_tenth_ms = None;
    }

    fn cell(&self, technology: Technology) -> Cell {
        self.cells.get(technology as usize).copied().unwrap_or_default()
    }

    fn set_cell(&mut self, technology: Technology, cell: Cell) {
        if let Some(known) = self.cells.get_mut(technology as usize) {
            *known = cell;
        }
    }
}

#[derive(Debug)]
enum Parser {
    Cellinfo(cellinfo::CellinfoParser),
    Gnettrack(gnettrack::GnettrackParser),
}

/// Reads a log line by line. Push-based, so that a live capture feeds it as lines arrive; see the module on resuming.
#[derive(Debug)]
pub struct LogImporter {
    parser: Parser,
    report: ImportReport,
    skip_samples: u64,
}

impl LogImporter {
    /// An importer at the start of a log. [`ImportOptions::format`] does not matter here.
    pub fn new(format: LogFormat, options: ImportOptions) -> Result<Self, ImportError> {
        if let Some(minutes) = options.utc_offset_minutes.filter(|minutes| !UTC_OFFSET_MINUTES.contains(minutes)) {
            return Err(ImportError::UtcOffset { minutes });
        }
        let parser = match format {
            LogFormat::Cellinfo => Parser::Cellinfo(cellinfo::CellinfoParser::new(&options)),
            LogFormat::Gnettrack => Parser::Gnettrack(gnettrack::GnettrackParser::new(&options)),
        };
        Ok(Self { parser, report: ImportReport::new(format), skip_samples: options.skip_samples })
    }

    /// Reads one line, with or without its line ending, and hands out the samples that it completes: none or one, and
    /// those kept back where the line tells a clock that was unknown so far.
    ///
    /// # Errors
    /// [`ImportError::ClockUnknown`] and [`ImportError::ColumnMissing`]: nothing more can come of this log with these
    /// options.
    pub fn push_line(&mut self, line: &[u8], out: &mut impl FnMut(ImportedSample)) -> Result<(), ImportError> {
        let line = scan::without_line_ending(line);
        if line.len() > LINE_BYTES_MAX {
            self.push_oversized(line.len());
            return Ok(());
        }
        self.report.lines += 1;
        self.report.bytes += line.len() as u64;
        let number = self.report.lines;
        let outcome = match &mut self.parser {
            Parser::Cellinfo(parser) => parser.line(line, &mut self.report)?,
            Parser::Gnettrack(parser) => parser.line(line, &mut self.report)?,
        };
        match outcome {
            Outcome::Sample(sample) => self.deliver(number, sample, out),
            Outcome::Kept => {}
            Outcome::Used => {
                self.report.lines_used += 1;
                // Only a used line can have told the clock.
                if let Parser::Cellinfo(parser) = &mut self.parser {
                    for (line, sample) in parser.take_dated() {
                        match sample {
                            Some(sample) => self.deliver(line, sample, out),
                            None => self.report.skip(line, SkipReason::Malformed),
                        }
                    }
                }
            }
            Outcome::Skipped(reason) => self.report.skip(number, reason),
            Outcome::Refused(error) => self.report.refuse(number, &error),
        }
        Ok(())
    }

    fn push_oversized(&mut self, bytes: usize) {
        self.report.lines += 1;
        self.report.bytes += bytes as u64;
        self.report.skip(self.report.lines, SkipReason::TooLong);
    }

    fn deliver(&mut self, line: u64, sample: Sample, out: &mut impl FnMut(ImportedSample)) {
        if let Err(error) = sample.validate() {
            self.report.refuse(line, &error);
            return;
        }
        let index = self.report.samples;
        self.report.accept(&sample);
        if index < self.skip_samples {
            self.report.samples_held_back += 1;
        } else {
            out(ImportedSample { index, line, sample });
        }
    }

    /// Samples found so far, held-back ones included: what to pass as [`ImportOptions::skip_samples`] once they are
    /// stored.
    pub fn samples_seen(&self) -> u64 {
        self.report.samples
    }

    /// What was done so far.
    pub fn report(&self) -> &ImportReport {
        &self.report
    }

    /// Ends the import.
    ///
    /// # Errors
    /// [`ImportError::ClockUnknown`] if samples are left whose time nothing told.
    pub fn finish(mut self) -> Result<ImportReport, ImportError> {
        if let Parser::Cellinfo(parser) = &self.parser {
            if let Some(line) = parser.undated_line() {
                return Err(ImportError::ClockUnknown { line });
            }
            self.report.utc_offset_minutes = parser.utc_offset_minutes();
        } else if let Parser::Gnettrack(parser) = &self.parser {
            self.report.utc_offset_minutes = Some(parser.utc_offset_minutes());
        }
        self.report.refused.sort_by_key(|count| count.field as u8);
        Ok(self.report)
    }
}

/// Imports a whole log. A last line without a line ending is read like any other; a log that is still being written belongs
/// into [`LogImporter::push_line`], complete lines only, for half a number looks like a number.
///
/// # Errors
/// See [`ImportError`]; samples handed out before the error stay valid.
pub fn import_reader(
    mut reader: impl BufRead,
    options: ImportOptions,
    mut out: impl FnMut(ImportedSample),
) -> Result<ImportReport, ImportError> {
    let mut head = Vec::new();
    reader.by_ref().take(DETECT_BYTES).read_to_end(&mut head).map_err(ImportError::Read)?;
    let format = options.format.or_else(|| LogFormat::detect(&head)).ok_or(ImportError::UnknownFormat)?;
    let mut importer = LogImporter::new(format, options)?;
    let mut reader = head.as_slice().chain(reader);
    // The start of a line that the reader's buffer broke; never more than one byte over the limit is kept.
    let mut broken: Vec<u8> = Vec::new();
    let mut broken_bytes = 0;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ImportError::Read(error)),
        };
        let read = buffer.len();
        let mut rest = buffer;
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if broken_bytes == 0 {
                importer.push_line(line, &mut out)?;
            } else {
                broken_bytes += line.len();
                if broken_bytes > LINE_BYTES_MAX + 1 {
                    importer.push_oversized(broken_bytes);
                } else {
                    broken.extend_from_slice(line);
                    importer.push_line(&broken, &mut out)?;
                }
                broken.clear();
                broken_bytes = 0;
            }
        }
        broken_bytes += rest.len();
        if broken_bytes <= LINE_BYTES_MAX + 1 {
            broken.extend_from_slice(rest);
        }
        if read == 0 {
            break;
        }
        reader.consume(read);
    }
    if broken_bytes > LINE_BYTES_MAX + 1 {
        importer.push_oversized(broken_bytes);
    } else if broken_bytes > 0 {
        importer.push_line(&broken, &mut out)?;
    }
    importer.finish()
}

/// The value, if it lies within the limits.
fn bounded(
    field: SampleField,
    value: Option<i64>,
    minimum: impl Into<i64>,
    maximum: impl Into<i64>,
) -> Result<Option<i64>, OutOfRange> {
    let (minimum, maximum) = (minimum.into(), maximum.into());
    match value {
        Some(value) if !(minimum..=maximum).contains(&value) => Err(OutOfRange { field, value, minimum, maximum }),
        _ => Ok(value),
    }
}

/// A serving cell out of raw numbers, each checked against its technology. All-ones and reserved area codes (TS 23.003
/// §4.1, §19.4.2.3) mean that there is none.
fn cell_of(
    technology: Technology,
    cell_identity: Option<i64>,
    physical_cell_id: Option<i64>,
    area_code: Option<i64>,
    channel: Option<i64>,
) -> Result<Cell, OutOfRange> {
    use SampleField as F;
    let limits = technology.limits();
    let all_ones = i64::from(limits.area_code_max);
    let area_code = area_code.filter(|&code| code != 0 && code != all_ones && code != all_ones - 1);
    let identity_max = i64::try_from(limits.cell_identity_max).unwrap_or(i64::MAX);
    let narrow = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    Ok(Cell {
        cell_identity: bounded(F::CellIdentity, cell_identity, 0, identity_max)?.and_then(|v| u64::try_from(v).ok()),
        physical_cell_id: bounded(F::PhysicalCellId, physical_cell_id, 0, limits.physical_cell_id_max)?
            .and_then(|v| u16::try_from(v).ok()),
        area_code: narrow(bounded(F::AreaCode, area_code, 0, all_ones)?),
        channel: narrow(bounded(F::Channel, channel, 0, limits.channel_max)?),
    })
}

/// A position out of millionths of a degree.
fn position_of(latitude_e6: i64, longitude_e6: i64) -> Result<Position, OutOfRange> {
    bounded(SampleField::Latitude, Some(latitude_e6), -90_000_000, 90_000_000)?;
    bounded(SampleField::Longitude, Some(longitude_e6), -180_000_000, 180_000_000)?;
    // Within 32 bits by the two checks.
    let narrow = |value| i32::try_from(value).unwrap_or_default();
    Ok(Position {
        latitude_e6: narrow(latitude_e6),
        longitude_e6: narrow(longitude_e6),
        accuracy_m: None,
        is_mock: false,
    })
}

/// Level in dBm, quality and SINR in half dB.
struct Signal {
    level_dbm: Option<i64>,
    quality_half_db: Option<i64>,
    sinr_half_db: Option<i64>,
}

/// A sample of `signal` with what is last known.
fn sample_of(
    technology: Technology,
    captured_at_ms: i64,
    signal: &Signal,
    known: &LastKnown,
) -> Result<Sample, OutOfRange> {
    use SampleField as F;
    let limits = technology.limits();
    let narrow = |value: Option<i64>| value.and_then(|value| i16::try_from(value).ok());
    let (level, quality, sinr) = (limits.level_dbm, limits.quality_half_db, limits.sinr_half_db);
    Ok(Sample {
        captured_at_ms,
        technology,
        level_dbm: narrow(bounded(F::Level, signal.level_dbm, level.0, level.1)?),
        quality_half_db: narrow(bounded(F::Quality, signal.quality_half_db, quality.0, quality.1)?),
        sinr_half_db: narrow(bounded(F::Sinr, signal.sinr_half_db, sinr.0, sinr.1)?),
        cell: known.cell(technology),
        position: known.position,
        rtt_tenth_ms: known.rtt_tenth_ms,
        downlink_kbps: None,
        uplink_kbps: None,
    })
}
