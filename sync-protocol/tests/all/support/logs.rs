//! A throw-away reader of the real logs for measuring the codec; the importers that people use are the SDK's.

use callout_sync_protocol::samples::{Cell, Position, Sample, Technology};
use std::path::{Path, PathBuf};

/// Where the real logs are, if they are there at all.
pub fn data_dir() -> Option<PathBuf> {
    let dir = match std::env::var_os("CALLOUT_SHARED_DATA") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    };
    dir.join("three-operator-walks").is_dir().then_some(dir)
}

/// The files under `folder` of the data that end in `extension`, sorted by path.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Each log's name with its samples.
pub type Log = (String, Vec<Sample>);

fn named(path: &Path, samples: Vec<Sample>) -> Log {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    (format!("{folder}/{}", path.file_name().unwrap_or_default().to_string_lossy()), samples)
}

/// The six `cellinfo` logs.
pub fn walks(data: &Path) -> Vec<Log> {
    files(&data.join("three-operator-walks"), "out").iter().map(|path| named(path, walk(path))).collect()
}

/// The G-NetTrack logs.
pub fn drives(data: &Path) -> Vec<Log> {
    files(&data.join("gnettrack"), "csv").iter().map(|path| named(path, drive(path))).collect()
}

fn after<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let rest = &line[line.find(label)? + label.len()..];
    rest.split_whitespace().next()
}

fn number(line: &str, label: &str) -> Option<i64> {
    after(line, label)?.parse().ok().filter(|&v: &i64| v != 2_147_483_647 && v != i64::MAX)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era_year = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + era_year * 365 + era_year / 4 - era_year / 100 + day_of_year - 719_468
}

fn fields(text: &str, separators: &[char]) -> Option<Vec<i64>> {
    text.split(separators).map(|part| part.parse().ok()).collect()
}

fn walk(path: &Path) -> Vec<Sample> {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let (mut latitude, mut position, mut rtt) = (None, None, None);
    let (mut lte, mut nr) = (Cell::default(), Cell::default());
    let mut samples = Vec::new();
    for line in text.lines() {
        let Some(time) = line.get(..18).and_then(|t| fields(t, &['-', ' ', ':', '.'])) else { continue };
        let &[month, day, hour, minute, second, milli] = &time[..] else { continue };
        let captured_at_ms = (((days(2022, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milli;
        let half = |label| number(line, label).map(|v| (v * 2) as i16);
        let mut report = |technology, level, quality, sinr, cell| {
            samples.push(Sample {
                captured_at_ms,
                technology,
                level_dbm: number(line, level).map(|v| v as i16),
                quality_half_db: half(quality),
                sinr_half_db: half(sinr),
                cell,
                position,
                rtt_tenth_ms: rtt,
                downlink_kbps: None,
                uplink_kbps: None,
            });
        };
        if let Some(v) = after(line, "Latitude is ") {
            latitude = v.parse::<f64>().ok();
        } else if let Some(v) = after(line, "Longitude is ") {
            position = latitude.zip(v.parse::<f64>().ok()).map(|(latitude, longitude)| Position {
                latitude_e6: (latitude * 1e6).round() as i32,
                longitude_e6: (longitude * 1e6).round() as i32,
                accuracy_m: None,
                is_mock: false,
            });
        } else if let Some(v) = after(line, "time=") {
            rtt = v.parse::<f64>().ok().map(|v| (v * 10.0).round() as u32);
        } else if line.contains("5G-NR Signal Strength info") {
            report(Technology::Nr, "ssrsrp: ", "ssrsrq: ", "sssinr: ", nr);
        } else if line.contains("LTE Signal Strength info") {
            report(Technology::Lte, "rsrp: ", "rsrq: ", "rssnr: ", lte);
        } else if line.contains("5G-NR Cell") {
            nr = cell(line, " ARFCN: ");
            nr.area_code = nr.area_code.filter(|&v| v != 16_777_215);
        } else if line.contains("LTE Cell") {
            lte = cell(line, "EARFCN: ");
        }
    }
    samples.retain(|sample| sample.validate().is_ok());
    samples
}

fn cell(line: &str, channel: &str) -> Cell {
    let pci = "Physical Cell ID: ";
    // The cell's own id stands before the physical one, whose label ends in the same words.
    let own = line.find(pci).map_or(line, |at| &line[..at]);
    Cell {
        cell_identity: number(own, "Cell ID: ").map(|v| v as u64),
        physical_cell_id: number(line, pci).map(|v| v as u16),
        area_code: number(line, "Tracking Area Code: ").map(|v| v as u32),
        channel: number(line, channel).or_else(|| number(line, "ARFCN: ")).map(|v| v as u32),
    }
}

fn drive(path: &Path) -> Vec<Sample> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut samples = Vec::new();
    for line in text.lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        let Some(time) = f.first().and_then(|t| fields(t, &['.', '_'])) else { continue };
        let &[year, month, day, hour, minute, second] = &time[..] else { continue };
        let float = |at: usize| f.get(at).and_then(|v| v.parse::<f64>().ok());
        let technology = match f.get(6) {
            Some(&("LTE" | "4G")) => Technology::Lte,
            Some(&("5G" | "NR")) => Technology::Nr,
            Some(&("GSM" | "2G" | "EDGE")) => Technology::Gsm,
            Some(_) => Technology::Umts,
            None => continue,
        };
        let limits = technology.limits();
        let whole = |at: usize, (minimum, maximum): (i16, i16), scale: f64| {
            float(at).map(|v| (v * scale) as i16).filter(|v| (minimum..=maximum).contains(v))
        };
        let hex = |at: usize| f.get(at).and_then(|v| u64::from_str_radix(v, 16).ok());
        samples.push(Sample {
            captured_at_ms: (((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000,
            technology,
            level_dbm: whole(7, limits.level_dbm, 1.0),
            quality_half_db: whole(8, limits.quality_half_db, 2.0),
            sinr_half_db: whole(9, limits.sinr_half_db, 2.0),
            cell: Cell {
                cell_identity: f.get(23).and_then(|v| v.parse().ok()).filter(|&v: &u64| v <= limits.cell_identity_max),
                physical_cell_id: None,
                area_code: hex(22).map(|v| v as u32).filter(|&v| v <= limits.area_code_max),
                channel: None,
            },
            position: float(1).zip(float(2)).map(|(longitude, latitude)| Position {
                latitude_e6: (latitude * 1e6).round() as i32,
                longitude_e6: (longitude * 1e6).round() as i32,
                accuracy_m: None,
                is_mock: false,
            }),
            rtt_tenth_ms: float(15).map(|v| (v * 10.0) as u32),
            downlink_kbps: float(12).map(|v| v as u32),
            uplink_kbps: float(13).map(|v| v as u32),
        });
    }
    samples.retain(|sample| sample.validate().is_ok());
    samples
}
