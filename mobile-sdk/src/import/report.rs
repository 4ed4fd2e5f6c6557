//! What an import did: what was read, what was skipped and why, what was refused and where.
//!
//! What does not belong here: how lines are read (`cellinfo`, `gnettrack`).

use super::LogFormat;
use callout_sync_protocol::samples::{OutOfRange, Sample, SampleField, Technology};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many refused and how many skipped lines a report tells one by one; the rest is only counted.
pub const DETAILS_MAX: usize = 100;
/// How many different names (operators, network modes) a report keeps, and how many bytes of each.
const NAMES_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 64;

/// A language that reports are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    English,
    /// 简体中文.
    Chinese,
}

/// Why a line gave no sample and changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Nothing on it.
    Blank,
    /// `--------- beginning of main`: the log buffer's own mark.
    LogMarker,
    /// A log line of another program.
    OtherTag,
    /// Well-formed, but holds nothing that a sample carries (place names, settings, statistics).
    NotAMeasurement,
    /// A ping reply marked `(DUP!)`: it answers a request already answered.
    DuplicatePingReply,
    /// The phone knew neither place nor operator (`Location (failure)`, operator `000000` or empty).
    Unknown,
    /// A signal report of a technology that this version does not know.
    UnknownTechnology,
    /// A `Timestamp:` that no time zone can bring together with the line's own clock.
    ClockAnchorNotCredible,
    /// Cut off or damaged: it is not what its beginning promises.
    Malformed,
    /// Longer than [`super::LINE_BYTES_MAX`].
    TooLong,
}

impl SkipReason {
    /// Worth telling one by one: something may have been lost here.
    fn is_damage(self) -> bool {
        matches!(self, Self::UnknownTechnology | Self::ClockAnchorNotCredible | Self::Malformed | Self::TooLong)
    }

    /// The reason in words.
    pub fn text(self, language: Language) -> &'static str {
        let (english, chinese) = match self {
            Self::Blank => ("blank", "空行"),
            Self::LogMarker => ("log buffer mark", "日志缓冲区标记"),
            Self::OtherTag => ("another program's line", "其他程序的日志"),
            Self::NotAMeasurement => ("not a measurement", "非测量内容"),
            Self::DuplicatePingReply => ("duplicate ping reply", "重复的 ping 应答"),
            Self::Unknown => ("place or operator unknown to the phone", "手机未知位置或运营商"),
            Self::UnknownTechnology => ("unknown radio technology", "未知的无线制式"),
            Self::ClockAnchorNotCredible => ("timestamp contradicts the line's clock", "时间戳与行内时钟矛盾"),
            Self::Malformed => ("damaged or cut off", "损坏或被截断"),
            Self::TooLong => ("line too long", "行过长"),
        };
        match language {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }
}

/// A line that held a value outside its standard's range; the line changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    /// Counted from 1.
    pub line: u64,
    /// The field.
    pub field: SampleField,
    /// The value in the field's own unit (decibels are in halves, degrees in millionths, times in tenths of a
    /// millisecond).
    pub value: i64,
    /// The smallest allowed value, in the same unit.
    pub minimum: i64,
    /// The largest allowed value, in the same unit; below `minimum` where the technology has no such field.
    pub maximum: i64,
}

/// A line that looks damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedLine {
    /// Counted from 1.
    pub line: u64,
    /// Why.
    pub reason: SkipReason,
}

/// How many lines were refused for one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCount {
    /// The field.
    pub field: SampleField,
    /// Lines.
    pub lines: u64,
}

/// What an import did. Every line is counted once: `lines` = `samples` + `lines_used` + all `skipped` + all `refused`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// The format that was read.
    pub format: LogFormat,
    /// Lines read.
    pub lines: u64,
    /// Bytes read, line endings not counted.
    pub bytes: u64,
    /// Samples found, whether handed out or held back by [`super::ImportOptions::skip_samples`].
    pub samples: u64,
    /// Samples not handed out, because an earlier run had them already.
    pub samples_held_back: u64,
    /// Lines that gave no sample but told of position, cell, round trip, clock or recording.
    pub lines_used: u64,
    /// Skipped lines by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// The first [`DETAILS_MAX`] lines that were skipped as damaged.
    pub skipped_first: Vec<SkippedLine>,
    /// Refused lines by field.
    pub refused: Vec<FieldCount>,
    /// The first [`DETAILS_MAX`] refused lines.
    pub refused_first: Vec<RefusedLine>,
    /// Samples by technology.
    pub technologies: BTreeMap<Technology, u64>,
    /// Rows by the network mode that G-NetTrack names (`5G` there is LTE with an NR secondary cell).
    pub network_modes: BTreeMap<String, u64>,
    /// Lines by the operator name on them; at most 16 names.
    pub operator_names: BTreeMap<String, u64>,
    /// Recordings in this file.
    pub recordings: u64,
    /// How often a position was told.
    pub positions: u64,
    /// Ping replies used.
    pub ping_replies: u64,
    /// Samples that carry a position.
    pub samples_with_position: u64,
    /// Samples that carry a round-trip time.
    pub samples_with_round_trip: u64,
    /// The phone's offset from UTC, as derived or given.
    pub utc_offset_minutes: Option<i32>,
    /// Capture time of the first sample.
    pub first_captured_at: Option<Timestamp>,
    /// Capture time of the last sample.
    pub last_captured_at: Option<Timestamp>,
}

impl ImportReport {
    pub(super) fn new(format: LogFormat) -> Self {
        Self {
            format,
            lines: 0,
            bytes: 0,
            samples: 0,
            samples_held_back: 0,
            lines_used: 0,
            skipped: BTreeMap::new(),
            skipped_first: Vec::new(),
            refused: Vec::new(),
            refused_first: Vec::new(),
            technologies: BTreeMap::new(),
            network_modes: BTreeMap::new(),
            operator_names: BTreeMap::new(),
            recordings: 0,
            positions: 0,
            ping_replies: 0,
            samples_with_position: 0,
            samples_with_round_trip: 0,
            utc_offset_minutes: None,
            first_captured_at: None,
            last_captured_at: None,
        }
    }

    pub(super) fn skip(&mut self, line: u64, reason: SkipReason) {
        *self.skipped.entry(reason).or_default() += 1;
        if reason.is_damage() && self.skipped_first.len() < DETAILS_MAX {
            self.skipped_first.push(SkippedLine { line, reason });
        }
    }

    pub(super) fn refuse(&mut self, line: u64, error: &OutOfRange) {
        match self.refused.iter_mut().find(|count| count.field == error.field) {
            Some(count) => count.lines += 1,
            None => self.refused.push(FieldCount { field: error.field, lines: 1 }),
        }
        if self.refused_first.len() < DETAILS_MAX {
            let OutOfRange { field, value, minimum, maximum } = *error;
            self.refused_first.push(RefusedLine { line, field, value, minimum, maximum });
        }
    }

    pub(super) fn accept(&mut self, sample: &Sample) {
        self.samples += 1;
        *self.technologies.entry(sample.technology).or_default() += 1;
        self.samples_with_position += u64::from(sample.position.is_some());
        self.samples_with_round_trip += u64::from(sample.rtt_tenth_ms.is_some());
        let captured_at = sample.captured_at();
        self.first_captured_at = self.first_captured_at.or(captured_at);
        self.last_captured_at = captured_at;
    }

    /// Lines refused in all.
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().map(|count| count.lines).sum()
    }

    /// Lines skipped in all.
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// The report for a reader, several lines long.
    pub fn to_text(&self, language: Language) -> String {
        let zh = language == Language::Chinese;
        let pick = |english: &'static str, chinese: &'static str| if zh { chinese } else { english };
        let mut text = String::new();
        let mut row = |label: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{label}{}{value}", pick(": ", "："));
        };
        row(pick("Format", "格式"), self.format.to_string());
        row(pick("Lines", "行数"), self.lines.to_string());
        let technologies: Vec<_> =
            self.technologies.iter().map(|(technology, count)| format!("{technology:?} {count}")).collect();
        row(pick("Samples", "采样点"), format!("{} ({})", self.samples, technologies.join(", ")));
        if self.samples_held_back > 0 {
            row(pick("Already captured before", "此前已采集"), self.samples_held_back.to_string());
        }
        if let (Some(first), Some(last)) = (self.first_captured_at, self.last_captured_at) {
            row(pick("Captured from", "采集开始"), first.to_string());
            row(pick("Captured until", "采集结束"), last.to_string());
        }
        if let Some(minutes) = self.utc_offset_minutes {
            let sign = if minutes < 0 { '-' } else { '+' };
            row(
                pick("Phone's offset from UTC", "手机时区 (UTC)"),
                format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60),
            );
        }
        row(pick("Recordings", "录制段数"), self.recordings.to_string());
        row(pick("With position", "带位置"), self.samples_with_position.to_string());
        row(pick("With round-trip time", "带往返时延"), self.samples_with_round_trip.to_string());
        row(pick("Ping replies", "ping 应答"), self.ping_replies.to_string());
        for (name, count) in &self.operator_names {
            row(pick("Operator named", "运营商名称"), format!("{name} × {count}"));
        }
        for (name, count) in &self.network_modes {
            row(pick("Network mode", "网络模式"), format!("{name} × {count}"));
        }
        row(pick("Refused as out of range", "超出范围被拒"), self.refused_total().to_string());
        for refused in &self.refused_first {
            let RefusedLine { line, field, value, minimum, maximum } = *refused;
            let name = field_name(field, language);
            let shown = |value| in_readers_unit(field, value);
            let reason = if minimum > maximum {
                pick("not defined for this technology", "该制式无此指标").to_owned()
            } else {
                format!("{} {} … {}", pick("allowed", "允许"), shown(minimum), shown(maximum))
            };
            row(&format!("  {} {line}", pick("line", "行")), format!("{name} = {} ({reason})", shown(value)));
        }
        row(pick("Skipped", "跳过"), self.skipped_total().to_string());
        for (reason, count) in &self.skipped {
            row(&format!("  {}", reason.text(language)), count.to_string());
        }
        for skipped in &self.skipped_first {
            row(&format!("  {} {}", pick("line", "行"), skipped.line), skipped.reason.text(language).to_owned());
        }
        text
    }
}

/// Counts `name`, shortened, unless there are too many different ones already.
pub(super) fn name_count(names: &mut BTreeMap<String, u64>, name: &[u8]) {
    let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
    let found = std::str::from_utf8(name).ok().and_then(|name| names.get_mut(name));
    if let Some(count) = found {
        *count += 1;
    } else {
        let name = String::from_utf8_lossy(name).into_owned();
        if names.len() < NAMES_MAX || names.contains_key(&name) {
            *names.entry(name).or_default() += 1;
        }
    }
}

fn field_name(field: SampleField, language: Language) -> &'static str {
    let (english, chinese) = match field {
        SampleField::CapturedAt => ("capture time", "采集时间"),
        SampleField::Level => ("level (dBm)", "电平 (dBm)"),
        SampleField::Quality => ("quality (dB)", "质量 (dB)"),
        SampleField::Sinr => ("SINR (dB)", "SINR (dB)"),
        SampleField::CellIdentity => ("cell identity", "小区标识"),
        SampleField::PhysicalCellId => ("physical cell id", "物理小区标识"),
        SampleField::AreaCode => ("area code", "区域码"),
        SampleField::Channel => ("channel number", "频点号"),
        SampleField::Latitude => ("latitude (degrees)", "纬度 (度)"),
        SampleField::Longitude => ("longitude (degrees)", "经度 (度)"),
        SampleField::Accuracy => ("accuracy (m)", "精度 (米)"),
        SampleField::RoundTripTime => ("round-trip time (ms)", "往返时延 (毫秒)"),
        SampleField::Downlink => ("downlink (kbit/s)", "下行 (kbit/s)"),
        SampleField::Uplink => ("uplink (kbit/s)", "上行 (kbit/s)"),
    };
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// The value in the unit that [`field_name`] names.
fn in_readers_unit(field: SampleField, value: i64) -> String {
    // For reading only; the exact value stands in the report's own field.
    let scaled = |divisor: f64| format!("{}", value as f64 / divisor);
    match field {
        SampleField::Quality | SampleField::Sinr => scaled(2.0),
        SampleField::RoundTripTime => scaled(10.0),
        SampleField::Latitude | SampleField::Longitude => scaled(1e6),
        _ => value.to_string(),
    }
}
