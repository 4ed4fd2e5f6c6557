//! G-NetTrack CSVs: a header row, then a row per report, local time such as `2019.12.01_12.11.21`, `-` for no value.
//!
//! Columns are found by name, in any order. Used: `Timestamp`, `Longitude`, `Latitude`, `Operatorname`, `NetworkMode`,
//! `RSRP`, `RSRQ`, `SNR`, `DL_bitrate` and `UL_bitrate` (kbit/s), `PINGAVG` (ms), `LACHEX` (area code), `RAWCELLID`
//! (LTE: eNB × 256 + cell; UMTS: RNC × 65 536 + cell; the app's own split into `NODEHEX` and `CELLHEX` is off where the
//! mode had just changed).
//!
//! A row is one sample of the technology that its values are of. Mode `5G` is non-standalone there: its `RAWCELLID` is
//! that of an LTE cell of the same eNB, its RSRP and RSRQ are the LTE anchor's, so the sample is an LTE one; the report
//! counts the modes. `NRxRSRP` and `NRxRSRQ` are a *neighbour's* (they stand in HSPA rows too, and hold −204), not
//! NR's, and are left out. In 3G rows RSRP is the app's level and RSRQ its Ec/No.
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

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Whether a line can only be the header of such a CSV.
pub(super) fn is_header(line: &[u8]) -> bool {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    line.strip_prefix(b"Timestamp").and_then(<[u8]>::first).is_some_and(|b| b",;\t".contains(b))
        && line.windows(11).any(|window| window == b"NetworkMode")
}

/// A column that is used; its number is its place in [`Fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Timestamp,
    NetworkMode,
    Level,
    Longitude,
    Latitude,
    OperatorName,
    Quality,
    Sinr,
    Downlink,
    Uplink,
    PingAverage,
    AreaCode,
    CellIdentity,
}

/// The used columns by their numbers, with their names in the header, and whether nothing can be read without them.
const COLUMNS: [(Column, &str, bool); 13] = [
    (Column::Timestamp, "Timestamp", true),
    (Column::NetworkMode, "NetworkMode", true),
    (Column::Level, "RSRP", true),
    (Column::Longitude, "Longitude", false),
    (Column::Latitude, "Latitude", false),
    (Column::OperatorName, "Operatorname", false),
    (Column::Quality, "RSRQ", false),
    (Column::Sinr, "SNR", false),
    (Column::Downlink, "DL_bitrate", false),
    (Column::Uplink, "UL_bitrate", false),
    (Column::PingAverage, "PINGAVG", false),
    (Column::AreaCode, "LACHEX", false),
    (Column::CellIdentity, "RAWCELLID", false),
];

/// The used fields of a row; a column that the header lacks is empty.
#[derive(Default)]
struct Fields<'a>([&'a [u8]; COLUMNS.len()]);

impl<'a> Fields<'a> {
    fn of(&self, column: Column) -> &'a [u8] {
        self.0.get(column as usize).copied().unwrap_or_default()
    }

    /// The field, unless it holds nothing or `-`.
    fn known(&self, column: Column) -> Option<&'a [u8]> {
        Some(self.of(column)).filter(|field| !field.is_empty() && *field != b"-")
    }
}

/// What the header says.
#[derive(Debug)]
struct Header {
    delimiter: u8,
    /// For each column of the file, which used one it is.
    columns: Vec<Option<Column>>,
}

impl Header {
    fn of(line: &[u8], number: u64) -> Result<Self, ImportError> {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        let delimiter = line.iter().copied().find(|b| b",;\t".contains(b)).unwrap_or(b',');
        let used = |name: &[u8]| COLUMNS.iter().find(|(_, known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        let columns: Vec<_> =
            line.split(|&b| b == delimiter).map(|name| used(name.trim_ascii()).map(|(column, ..)| *column)).collect();
        match COLUMNS.iter().find(|(column, _, needed)| *needed && !columns.contains(&Some(*column))) {
            Some((_, column, _)) => Err(ImportError::ColumnMissing { line: number, column }),
            None => Ok(Self { delimiter, columns }),
        }
    }

    /// The used fields of a row. `None` unless it has as many fields as the header: its values are not in their columns
    /// then. A delimiter behind the last field is harmless. Quotes around a field are taken off; the app writes no
    /// quote inside one.
    fn split<'a>(&self, line: &'a [u8]) -> Option<Fields<'a>> {
        let mut fields = Fields::default();
        let mut columns = self.columns.iter();
        let mut take = |field: &'a [u8]| match columns.next() {
            Some(None) => true,
            Some(Some(column)) => {
                let unquoted = field.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\""));
                if let Some(slot) = fields.0.get_mut(*column as usize) {
                    *slot = unquoted.unwrap_or(field);
                }
                true
            }
            None => field.is_empty(),
        };
        let mut start = 0;
        let mut in_quotes = false;
        for (at, &byte) in line.iter().enumerate() {
            if byte == self.delimiter && !in_quotes {
                if !take(line.get(start..at)?) {
                    return None;
                }
                start = at + 1;
            } else if byte == b'"' {
                in_quotes = !in_quotes;
            }
        }
        (take(line.get(start..)?) && columns.next().is_none()).then_some(fields)
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
    header: Option<Header>,
    known: LastKnown,
    last_row_at_ms: Option<i64>,
    /// The last date spelled, and its midnight.
    today: Option<([u8; 10], i64)>,
}

impl GnettrackParser {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self {
            utc_offset_minutes: options.utc_offset_minutes.unwrap_or(0),
            header: None,
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
        let header = match &self.header {
            Some(header) if !is_header(line) => header,
            _ => {
                self.header = Some(Header::of(line, report.lines)?);
                self.known.recording_start();
                report.recordings += 1;
                return Ok(Outcome::Used);
            }
        };
        let Some(fields) = header.split(line) else {
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        };
        let Some(at_ms) = instant_ms(fields.of(Column::Timestamp), &mut self.today, self.utc_offset_minutes) else {
            return Ok(Outcome::Skipped(SkipReason::Malformed));
        };
        let mode = fields.of(Column::NetworkMode);
        let Some(technology) = technology_of(mode) else {
            return Ok(Outcome::Skipped(SkipReason::UnknownTechnology));
        };
        let Some(row) = row_of(&fields, technology) else {
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
                if let Some(name) = fields.known(Column::OperatorName) {
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

fn row_of(fields: &Fields<'_>, technology: Technology) -> Option<Row> {
    let number = |column: Column, read: fn(&[u8]) -> Option<Reading>| match fields.known(column) {
        None => Some(None),
        Some(field) => read(field).map(Reading::value),
    };
    let whole: fn(&[u8]) -> Option<Reading> = |field| decimal(field, 0);
    let degrees: fn(&[u8]) -> Option<Reading> = |field| decimal(field, 6);
    Some(Row {
        longitude_e6: number(Column::Longitude, degrees)?,
        latitude_e6: number(Column::Latitude, degrees)?,
        signal: Signal {
            level_dbm: number(Column::Level, whole)?,
            // GSM reports neither, UMTS no SINR; what the app leaves in those columns then is of another technology.
            quality_half_db: if technology == Technology::Gsm { None } else { number(Column::Quality, half_units)? },
            sinr_half_db: if technology < Technology::Lte { None } else { number(Column::Sinr, half_units)? },
        },
        downlink_kbps: number(Column::Downlink, whole)?,
        uplink_kbps: number(Column::Uplink, whole)?,
        ping_tenth_ms: number(Column::PingAverage, |field| decimal(field, 1))?,
        area_code: match fields.known(Column::AreaCode) {
            None => None,
            Some(field) => Some(hexadecimal(field)?),
        },
        cell_identity: number(Column::CellIdentity, whole)?,
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
