//! G-NetTrack CSVs: a header row, then a row per report, local time such as `2019.12.01_12.11.21`, `-` for no value.
//!
//! Columns are found by name, in any order. Used: `Timestamp`, `Longitude`, `Latitude`, `Operatorname`, `NetworkMode`, `RSRP`, `RSRQ`,
//! `SNR`, `DL_bitrate` and `UL_bitrate` (kbit/s), `PINGAVG` (ms), `LACHEX` (area code), `RAWCELLID` (LTE: eNB × 256 + cell; UMTS:
//! RNC × 65 536 + cell; the app's own split into `NODEHEX` and `CELLHEX` is off where the mode had just changed).
//!
//! A row is one sample of the technology that its values are of. Mode `5G` is non-standalone there: its `RAWCELLID` is that of an
//! LTE cell of the same eNB, its RSRP and RSRQ are the LTE anchor's, so the sample is an LTE one; the report counts the modes.
//! `NRxRSRP` and `NRxRSRQ` are a *neighbour's* (they stand in HSPA rows too, and hold −204), not NR's, and are left out. In 3G rows
//! RSRP is the app's level and RSRQ its Ec/No.
//!
//! What does not belong here: ranges (`mod`), counting (`report`).

use super::clock::day_start_ms;
use super::report::{ImportReport, SkipReason, name_count};
use super::scan::{Reading, decimal, digits, half_units, hexadecimal};
use super::{
    ImportError, ImportOptions, LastKnown, Outcome, PAUSE_MS, Sample, SampleField, Signal, Technology, bounded,
    cell_of, position_of, sample_of,
};
use callout_sync_protocol::samples::OutOfRange;
use callout_sync_protocol::samples::sample::{RTT_TENTH_MS_MAX, THROUGHPUT_KBPS_MAX};

/// More columns than any version of the app writes.
const COLUMNS_MAX: usize = 64;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Whether a line can only be the header of such a CSV.
pub(super) fn is_header(line: &[u8]) -> bool {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    line.strip_prefix(b"Timestamp").and_then(<[u8]>::first).is_some_and(|b| b",;\t".contains(b))
        && line.windows(11).any(|window| window == b"NetworkMode")
}

/// Where each used column stands.
#[derive(Debug)]
struct Columns {
    delimiter: u8,
    count: usize,
    timestamp: usize,
    network_mode: usize,
    level: usize,
    longitude: Option<usize>,
    latitude: Option<usize>,
    operator_name: Option<usize>,
    quality: Option<usize>,
    sinr: Option<usize>,
    downlink: Option<usize>,
    uplink: Option<usize>,
    ping_average: Option<usize>,
    area_code: Option<usize>,
    cell_identity: Option<usize>,
}

impl Columns {
    fn of(header: &[u8], line: u64) -> Result<Self, ImportError> {
        let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(header);
        let delimiter = header.iter().copied().find(|b| b",;\t".contains(b)).unwrap_or(b',');
        let names: Vec<&[u8]> = header.split(|&b| b == delimiter).map(<[u8]>::trim_ascii).collect();
        let find = |name: &str| names.iter().position(|found| found.eq_ignore_ascii_case(name.as_bytes()));
        let need = |column: &'static str| find(column).ok_or(ImportError::ColumnMissing { line, column });
        Ok(Self {
            delimiter,
            count: names.len().min(COLUMNS_MAX),
            timestamp: need("Timestamp")?,
            network_mode: need("NetworkMode")?,
            level: need("RSRP")?,
            longitude: find("Longitude"),
            latitude: find("Latitude"),
            operator_name: find("Operatorname"),
            quality: find("RSRQ"),
            sinr: find("SNR"),
            downlink: find("DL_bitrate"),
            uplink: find("UL_bitrate"),
            ping_average: find("PINGAVG"),
            area_code: find("LACHEX"),
            cell_identity: find("RAWCELLID"),
        })
    }
}

/// What a row holds, before it is judged; `None` outside means damaged, inside means unknown.
struct Row {
    longitude_e6: Option<i64>,
    latitude_e6: Option<i64>,
    signal: Signal,
    downlink_kbps: Option<i64>,
    uplink_kbps: Option<i64>,
    ping_tenth_ms: Option<i64>,
    area_code: Option<i64>,
    cell_identity: Option<i64>,
}

#[derive(Debug)]
pub(super) struct GnettrackParser {
    utc_offset_minutes: i16,
    columns: Option<Columns>,
    known: LastKnown,
    last_row_at_ms: Option<i64>,
    /// The last date spelled, and its midnight.
    today: Option<([u8; 10], i64)>,
}

impl GnettrackParser {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self {
            utc_offset_minutes: options.utc_offset_minutes.unwrap_or(0),
            columns: None,
            known: LastKnown::default(),
            last_row_at_ms: None,
            today: None,
        }
    }

    pub(super) fn utc_offset_minutes(&self) -> i32 {
        self.utc_offset_minutes.into()
    }

    pub(super) fn line(&mut self, line: &[u8], report: &mut ImportReport) -> Result<Outcome, ImportError> {
        if line.trim_ascii().is_empty() {
            return Ok(Outcome::Skipped(SkipReason::Blank));
        }
        let columns = match &self.columns {
            Some(columns) if !is_header(line) => columns,
            _ => {
                self.columns = Some(Columns::of(line, report.lines)?);
                self.known.recording_start();
                report.recordings += 1;
                return Ok(Outcome::Used);
            }
        };
        let mut fields: [&[u8]; COLUMNS_MAX] = [&[]; COLUMNS_MAX];
        let count = split(line, columns.delimiter, &mut fields);
        // A trailing delimiter is harmless; anything else means that the values are not in their columns.
        let excess = count.saturating_sub(columns.count);
        if count < columns.count || excess > 1 || (excess == 1 && !fields.get(count - 1).is_none_or(|f| f.is_empty())) {
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        }
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let Some(at_ms) = instant_ms(field(columns.timestamp), &mut self.today, self.utc_offset_minutes) else {
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        };
        let mode = field(columns.network_mode);
        let Some(technology) = technology_of(mode) else {
            return Ok(Outcome::Skipped(SkipReason::UnknownTechnology));
        };
        let Some(row) = row_of(columns, &fields, technology) else {
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        };
        if self.last_row_at_ms.is_some_and(|last| at_ms - last > PAUSE_MS) {
            self.known = LastKnown::default();
        }
        match self.sample(technology, at_ms, &row) {
            Ok(sample) => {
                self.last_row_at_ms = Some(at_ms);
                report.positions += u64::from(row.latitude_e6.is_some() && row.longitude_e6.is_some());
                report.ping_replies += u64::from(row.ping_tenth_ms.is_some());
                name_count(&mut report.network_modes, mode);
                if let Some(name) = columns_name(self.columns.as_ref(), &fields) {
                    name_count(&mut report.operator_names, name);
                }
                Ok(Outcome::Sample(sample))
            }
            Err(error) => Ok(error.into()),
        }
    }

    /// Judges a row; only if all of it is in range does it become what is last known.
    fn sample(&mut self, technology: Technology, at_ms: i64, row: &Row) -> Result<Sample, OutOfRange> {
        use SampleField as F;
        let unsigned = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        let position = match (row.latitude_e6, row.longitude_e6) {
            (Some(latitude), Some(longitude)) => Some(position_of(latitude, longitude)?),
            _ => self.known.position,
        };
        let ping = unsigned(bounded(F::RoundTripTime, row.ping_tenth_ms, 0, RTT_TENTH_MS_MAX)?);
        let cell = cell_of(technology, row.cell_identity, None, row.area_code, None)?;
        let downlink_kbps = unsigned(bounded(F::Downlink, row.downlink_kbps, 0, THROUGHPUT_KBPS_MAX)?);
        let uplink_kbps = unsigned(bounded(F::Uplink, row.uplink_kbps, 0, THROUGHPUT_KBPS_MAX)?);
        let sample = sample_of(technology, at_ms, &row.signal, &self.known)?;
        self.known.position = position;
        self.known.rtt_tenth_ms = ping.or(self.known.rtt_tenth_ms);
        self.known.set_cell(technology, cell);
        Ok(Sample { cell, position, rtt_tenth_ms: self.known.rtt_tenth_ms, downlink_kbps, uplink_kbps, ..sample })
    }
}

fn columns_name<'a>(columns: Option<&Columns>, fields: &[&'a [u8]]) -> Option<&'a [u8]> {
    let name = fields.get(columns?.operator_name?).copied()?;
    (!name.is_empty() && name != b"-").then_some(name)
}

/// The technology that a row's values are of; see the module on `5G`.
fn technology_of(mode: &[u8]) -> Option<Technology> {
    Some(match mode {
        b"LTE" | b"LTE+" | b"LTE-A" | b"LTE_CA" | b"LTE-CA" | b"4G" | b"5G" | b"5G NSA" => Technology::Lte,
        b"NR" | b"5G SA" => Technology::Nr,
        b"UMTS" | b"HSPA" | b"HSPA+" | b"HSDPA" | b"HSUPA" | b"DC-HSPA+" | b"3G" => Technology::Umts,
        b"GSM" | b"GPRS" | b"EDGE" | b"2G" => Technology::Gsm,
        _ => return None,
    })
}

fn row_of(columns: &Columns, fields: &[&[u8]], technology: Technology) -> Option<Row> {
    let known = |at: Option<usize>| {
        let field = fields.get(at?).copied()?;
        (!field.is_empty() && field != b"-").then_some(field)
    };
    let number = |at: Option<usize>, read: fn(&[u8]) -> Option<Reading>| match known(at) {
        None => Some(None),
        Some(field) => read(field).map(Reading::value),
    };
    let has = |defined: bool, at: Option<usize>| at.filter(|_| defined);
    Some(Row {
        longitude_e6: number(columns.longitude, |field| decimal(field, 6))?,
        latitude_e6: number(columns.latitude, |field| decimal(field, 6))?,
        signal: Signal {
            level_dbm: number(Some(columns.level), |field| decimal(field, 0))?,
            // GSM reports neither, UMTS no SINR; what the app leaves in those columns then is of another technology.
            quality_half_db: number(has(technology != Technology::Gsm, columns.quality), half_units)?,
            sinr_half_db: number(has(technology >= Technology::Lte, columns.sinr), half_units)?,
        },
        downlink_kbps: number(columns.downlink, |field| decimal(field, 0))?,
        uplink_kbps: number(columns.uplink, |field| decimal(field, 0))?,
        ping_tenth_ms: number(columns.ping_average, |field| decimal(field, 1))?,
        area_code: match known(columns.area_code) {
            None => None,
            Some(field) => Some(hexadecimal(field)?),
        },
        cell_identity: number(columns.cell_identity, |field| decimal(field, 0))?,
    })
}

/// `2019.12.01_12.11.21`, milliseconds since the Unix epoch.
fn instant_ms(text: &[u8], today: &mut Option<([u8; 10], i64)>, utc_offset_minutes: i16) -> Option<i64> {
    if text.len() != 19 || (text[4], text[7], text[10], text[13], text[16]) != (b'.', b'.', b'_', b'.', b'.') {
        return None;
    }
    let date: [u8; 10] = text.get(..10)?.try_into().ok()?;
    let day_start = match today {
        Some((known, start)) if *known == date => *start,
        _ => {
            let year = i32::try_from(digits(text, 0, 4)?).ok()?;
            let month = u8::try_from(digits(text, 5, 2)?).ok()?;
            let start = day_start_ms(year, month, u8::try_from(digits(text, 8, 2)?).ok()?)?;
            *today = Some((date, start));
            start
        }
    };
    let (hour, minute, second) = (digits(text, 11, 2)?, digits(text, 14, 2)?, digits(text, 17, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from((hour * 60 + minute) * 60 + second) - i64::from(utc_offset_minutes) * 60;
    Some(day_start + seconds * 1000)
}

/// Splits a row into its fields and says how many there were, those beyond the array included. Quotes around a field are taken off;
/// the app writes no quote inside one.
fn split<'a>(line: &'a [u8], delimiter: u8, fields: &mut [&'a [u8]; COLUMNS_MAX]) -> usize {
    let mut count = 0;
    let mut rest = Some(line);
    while let Some(bytes) = rest {
        let quoted = bytes.strip_prefix(b"\"").and_then(|inner| {
            let end = inner.iter().position(|&b| b == b'"')?;
            let (field, after) = inner.split_at(end);
            match after.get(1) {
                None => Some((field, None)),
                Some(&next) if next == delimiter => Some((field, after.get(2..))),
                Some(_) => None,
            }
        });
        let (field, after) = quoted.unwrap_or_else(|| match bytes.iter().position(|&b| b == delimiter) {
            Some(end) => (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..)),
            None => (bytes, None),
        });
        if let Some(slot) = fields.get_mut(count) {
            *slot = field;
        }
        count += 1;
        rest = after;
    }
    count
}
