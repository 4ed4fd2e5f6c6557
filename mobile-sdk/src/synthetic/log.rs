//! How the `cellinfo` app spells the events of a walk.
//!
//! What does not belong here: which events there are (`walk`).

use super::walk::{Event, EventKind, START_MS, WalkOptions};
use callout_sync_protocol::samples::Technology;
use callout_sync_protocol::time::Timestamp;
use std::io::{self, Write};

/// Android's "unknown".
const UNKNOWN: i64 = 2_147_483_647;

impl Event {
    pub(super) fn write(&self, options: &WalkOptions, out: &mut impl Write) -> io::Result<()> {
        let ours = line_start(self.at_ms, options.utc_offset_minutes);
        let main = format!("{ours} 30393 30393 D cellinfo:");
        let worker = format!("{ours} 30393 30493 D cellinfo:");
        let or_unknown = |value: Option<i16>| value.map_or(UNKNOWN, i64::from);
        match self.kind {
            EventKind::RecordingStart => {
                let seconds = self.at_ms.div_euclid(1000);
                writeln!(out, "{main} Country == China")?;
                writeln!(out, "{main} City == Chengwan")?;
                writeln!(out, "{main} GPS Info == 18 Chengjiang Rd, Chengwan (fictional), China")?;
                writeln!(out, "{main} Network Operator == {}", options.profile.name)?;
                writeln!(out, "{main} User movement == Walking")?;
                writeln!(out, "{main} All GPS info fetched. Saving city and country info")?;
                writeln!(out, "{worker} Timestamp: {seconds}")?;
                let later = line_start(self.at_ms + START_MS, options.utc_offset_minutes);
                writeln!(out, "{later} 30393 30494 D cellinfo: Logging started")
            }
            EventKind::RecordingStop => {
                writeln!(out, "{worker} Ping logging stopped")?;
                writeln!(out, "{worker} Average latency is INF")?;
                writeln!(out, "{worker} All Process Stopped")?;
                writeln!(out, "{worker} All Process Stopped")
            }
            EventKind::Signal { technology, level_dbm, quality_db, sinr_db } => {
                let (level, quality, sinr) = (or_unknown(level_dbm), or_unknown(quality_db), or_unknown(sinr_db));
                let said = if technology == Technology::Nr {
                    format!("5G-NR Signal Strength info: ssrsrp: {level} ssrsrq: {quality} sssinr: {sinr}")
                } else {
                    format!("LTE Signal Strength info: rsrp: {level} rsrq: {quality} rssi: -63 rssnr: {sinr}")
                };
                writeln!(out, "{main} onsignalStrengthsChanged: {said}")
            }
            EventKind::ServingCell { technology, cell, name } => {
                let name = name.unwrap_or(if self.at_ms % 2 == 0 { "000000" } else { "" });
                writeln!(
                    out,
                    "{main} onCellInfoChanged: Operator: {name} UpdateTimestamp: {} CellConnectionStatus: 1",
                    self.at_ms % 1_000_000_000
                )?;
                let physical = cell.physical_cell_id.unwrap_or_default();
                let channel = cell.channel.unwrap_or_default();
                let is_nr = technology == Technology::Nr;
                let identity = cell
                    .cell_identity
                    .map_or(if is_nr { i64::MAX.to_string() } else { UNKNOWN.to_string() }, |ci| ci.to_string());
                let area = cell.area_code.unwrap_or(if is_nr { 0xFF_FFFF } else { 0xFFFF });
                if is_nr {
                    writeln!(
                        out,
                        "{main} onCellInfoChanged: 5G-NR Cell Bands: [] ARFCN: {channel} Cell ID: {identity} Physical Cell ID: {physical} Tracking Area Code: {area}"
                    )
                } else {
                    writeln!(
                        out,
                        "{main} onCellInfoChanged: LTE Cell Bands: [3, 8] Bandwidth: {UNKNOWN} Cell ID: {identity} Physical Cell ID: {physical} Tracking Area Code: {area} EARFCN: {channel}"
                    )
                }
            }
            EventKind::Place { position, terse } => {
                let (latitude, longitude) = (degrees(position.latitude_e6), degrees(position.longitude_e6));
                if !terse {
                    writeln!(out, "{main} Latitude is {latitude}")?;
                    writeln!(out, "{main} Longitude is {longitude}")?;
                    writeln!(
                        out,
                        "{main} Instantaneous GPS information: China, 18 Chengjiang Rd, Chengwan (fictional)"
                    )?;
                }
                writeln!(out, "{main} getCurrentLocation() result: Location (success): {latitude}, {longitude}")
            }
            EventKind::Ping { sequence, rtt_tenth_ms, duplicate } => {
                let time = if rtt_tenth_ms < 1_000 {
                    format!("{}.{}", rtt_tenth_ms / 10, rtt_tenth_ms % 10)
                } else {
                    (rtt_tenth_ms / 10).to_string()
                };
                let mark = if duplicate { " (DUP!)" } else { "" };
                writeln!(out, "{worker} 46 bytes from 192.0.2.34: icmp_seq={sequence} ttl=52 time={time} ms{mark}")
            }
            EventKind::ServiceState { channel } => {
                let channel = channel.map_or(UNKNOWN, i64::from);
                writeln!(out, "{main} onServiceStateChanged: Channel Number: {channel} Cell Bandwidths: []")
            }
            EventKind::Foreign => writeln!(out, "{ours}  1201  1344 I chatty  : uid=1000(system) identical 2 lines"),
        }
    }
}

/// `MM-DD HH:MM:SS.mmm` in local time.
fn line_start(at_ms: i64, utc_offset_minutes: i16) -> String {
    let local_ms = at_ms + i64::from(utc_offset_minutes) * 60_000;
    let local = Timestamp::from_unix_millis(local_ms).unwrap_or_default().to_offset_date_time();
    format!(
        "{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        u8::from(local.month()),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        local.millisecond()
    )
}

/// Degrees with seven decimals, as Android prints them; the last one never rounds into the sixth.
fn degrees(millionths: i32) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let magnitude = millionths.unsigned_abs();
    format!("{sign}{}.{:06}{}", magnitude / 1_000_000, magnitude % 1_000_000, magnitude % 5)
}
