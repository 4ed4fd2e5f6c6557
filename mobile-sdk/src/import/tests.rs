//! Real logs, where they are to be had; damage; and input that nobody would write.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The real measurements, or `None` after saying so: they are not part of this repository.
fn shared_data(below: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CALLOUT_SHARED_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let path = root.join(below);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no {below} under CALLOUT_SHARED_DATA or beside the repository");
    None
}

fn import(bytes: &[u8], options: ImportOptions) -> Result<(Vec<ImportedSample>, ImportReport), ImportError> {
    let mut samples = Vec::new();
    let report = import_reader(bytes, options, |sample| samples.push(sample))?;
    Ok((samples, report))
}

fn import_text(text: &str) -> (Vec<ImportedSample>, ImportReport) {
    import(text.as_bytes(), ImportOptions::default()).expect("importable")
}

fn assert_every_line_counted_once(report: &ImportReport) {
    assert_eq!(
        report.lines,
        report.samples + report.lines_used + report.skipped_total() + report.refused_total(),
        "{report:?}"
    );
}

const HEAD: &str = "--------- beginning of main\n\
    08-04 21:16:36.278 32542  7971 D cellinfo: Timestamp: 1659662196\n\
    08-04 21:16:36.778 32542  7972 D cellinfo: Logging started\n";

fn log(lines: &[&str]) -> String {
    let mut text = HEAD.to_owned();
    for line in lines {
        text.push_str("08-04 21:16:37.000  5006  5006 D cellinfo: ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[test]
fn real_walks_give_each_signal_report_once_with_year_and_zone() {
    let Some(walks) = shared_data("three-operator-walks") else { return };
    let expected: [(&str, u64, i32); 6] = [
        ("rural/12041FDD4002ET_1660190319.0691404.out", 157, -360),
        ("rural/1C081FDEE002AL_1660190319.0056298.out", 174, -360),
        ("rural/R5CRA0E07EF_1660190318.851451.out", 528, -360),
        ("urban/12041FDD4002ET_1659662188.0146034.out", 944, -240),
        ("urban/1C081FDEE002AL_1659662187.9712584.out", 154, -240),
        ("urban/R5CRA0E07EF_1659662187.7814636.out", 1946, -240),
    ];
    for (name, reports, offset) in expected {
        let bytes = std::fs::read(walks.join(name)).expect("readable");
        let (samples, report) = import(&bytes, ImportOptions::default()).expect("importable");
        assert_eq!(report.format, LogFormat::Cellinfo);
        assert_eq!((report.samples, samples.len() as u64), (reports, reports), "{name}");
        assert_eq!(report.refused_total(), 0, "{name}: {:?}", report.refused);
        assert_eq!(report.skipped_first, [], "{name}");
        assert_eq!(report.utc_offset_minutes, Some(offset), "{name}");
        assert_every_line_counted_once(&report);
        let started_at = started_at_from_file_name(name).expect("in the name");
        let first = report.first_captured_at.expect("has samples");
        let delay = first.micros_since(started_at) / 1_000_000;
        assert!((0..60).contains(&delay), "{name} begins {delay} s after the start in its name");
        for imported in &samples {
            assert_eq!(imported.sample.validate(), Ok(()));
        }
        // The same without any Timestamp line, by the start in the file's name.
        let text = String::from_utf8_lossy(&bytes);
        let without: String = text.lines().filter(|l| !l.contains("Timestamp: 1")).flat_map(|l| [l, "\n"]).collect();
        let options = ImportOptions { started_at: Some(started_at), ..ImportOptions::default() };
        let (by_name, _) = import(without.as_bytes(), options).expect("importable");
        assert!(by_name.iter().map(|s| s.sample).eq(samples.iter().map(|s| s.sample)), "{name}");
    }
}

#[test]
fn real_walks_resume_anywhere_without_loss_or_repeat() {
    let Some(walks) = shared_data("three-operator-walks") else { return };
    let bytes = std::fs::read(walks.join("rural/R5CRA0E07EF_1660190318.851451.out")).expect("readable");
    let (all, _) = import(&bytes, ImportOptions::default()).expect("importable");
    for stored in [0, 1, 300, all.len() - 1, all.len(), all.len() + 5] {
        let options = ImportOptions { skip_samples: stored as u64, ..ImportOptions::default() };
        let (rest, report) = import(&bytes, options).expect("importable");
        assert_eq!(rest, all.get(stored..).unwrap_or_default());
        assert_eq!(report.samples_held_back, stored.min(all.len()) as u64);
        assert_eq!(report.samples, all.len() as u64);
    }
}

#[test]
fn real_csvs_give_each_row_once() {
    let Some(folder) = shared_data("gnettrack") else { return };
    type File = (&'static str, u64, &'static [(Technology, u64)]);
    let expected: [File; 5] = [
        ("Amazon_Prime_Driving_Season3-TheExpanse_B_2019.12.01_12.11.21.csv", 673, &[(Technology::Lte, 673)]),
        (
            "Amazon_Prime_Driving_animated-AdventureTime_B_2019.11.29_13.05.25.csv",
            1187,
            &[(Technology::Umts, 327), (Technology::Lte, 860)],
        ),
        ("Download_Driving_B_2020.02.14_07.29.00.csv", 2139, &[(Technology::Umts, 184), (Technology::Lte, 1955)]),
        ("Netflix_Driving_Season3-StrangerThings_B_2019.11.26_13.20.42.csv", 615, &[(Technology::Lte, 615)]),
        ("Netflix_Static_animated-RickandMorty_B_2019.11.26_09.27.10.csv", 1247, &[(Technology::Lte, 1247)]),
    ];
    for (name, rows, technologies) in expected {
        let bytes = std::fs::read(folder.join(name)).expect("readable");
        let (samples, report) = import(&bytes, ImportOptions::default()).expect("importable");
        assert_eq!(report.format, LogFormat::Gnettrack);
        assert_eq!((report.samples, report.refused_total(), report.skipped_total()), (rows, 0, 0), "{name}");
        assert!(report.technologies.iter().map(|(t, c)| (*t, *c)).eq(technologies.iter().copied()), "{name}");
        assert_every_line_counted_once(&report);
        assert!(samples.iter().all(|s| s.sample.validate().is_ok() && s.sample.position.is_some()));
        // The file's name ends in the local time of its first row, to the second.
        let stem: String = report.first_captured_at.expect("has rows").to_string()[..19].replace(['-', ':'], ".");
        let in_name = &name[name.len() - 23..name.len() - 5];
        assert!(stem.replace('T', "_").starts_with(in_name), "{name}: {stem}");
    }
}

#[test]
fn a_sample_carries_what_is_last_known() {
    let (samples, report) = import_text(&log(&[
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5",
        "Latitude is 42.3369604",
        "Longitude is -71.0866896",
        "onCellInfoChanged: Operator: AT&T...1 UpdateTimestamp: 713798252 CellConnectionStatus: 0",
        "onCellInfoChanged: LTE Cell Bands: [66, 2, 13] Bandwidth: 20000 Cell ID: 14374412 Physical Cell ID: 283 Tracking Area Code: 14336 EARFCN: 66536",
        "onCellInfoChanged: 5G-NR Cell Bands: [] ARFCN: 648672 Cell ID: 9223372036854775807 Physical Cell ID: 131 Tracking Area Code: 16777215",
        "46 bytes from 155.146.11.34: icmp_seq=1 ttl=56 time=90.9 ms",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -83 rsrq: -11 rssi: -51 rssnr: 2147483647",
        "onsignalStrengthsChanged: 5G-NR Signal Strength info: ssrsrp: -106 ssrsrq: -17 sssinr: 2147483647",
        "46 bytes from 155.146.11.34: icmp_seq=2 ttl=56 time=127 ms",
        "46 bytes from 155.146.11.34: icmp_seq=2 ttl=56 time=2395 ms (DUP!)",
        "getCurrentLocation() result: Location (success): 42.5, -71.25",
        "onsignalStrengthsChanged: 5G-NR Signal Strength info: ssrsrp: -106 ssrsrq: -17 sssinr: -3",
        "onsignalStrengthsChanged: 5G-NR Signal Strength info: ssrsrp: -106 ssrsrq: -17 sssinr: -3",
    ]));
    let first = Sample {
        captured_at_ms: 1_659_662_197_000,
        technology: Technology::Lte,
        level_dbm: Some(-82),
        quality_half_db: Some(-20),
        sinr_half_db: Some(10),
        cell: Cell::default(),
        position: None,
        rtt_tenth_ms: None,
        downlink_kbps: None,
        uplink_kbps: None,
    };
    let position =
        |latitude_e6, longitude_e6| Some(Position { latitude_e6, longitude_e6, accuracy_m: None, is_mock: false });
    let second = Sample {
        level_dbm: Some(-83),
        quality_half_db: Some(-22),
        sinr_half_db: None,
        cell: Cell {
            cell_identity: Some(14_374_412),
            physical_cell_id: Some(283),
            area_code: Some(14_336),
            channel: Some(66_536),
        },
        position: position(42_336_960, -71_086_690),
        rtt_tenth_ms: Some(909),
        ..first
    };
    let third = Sample {
        technology: Technology::Nr,
        level_dbm: Some(-106),
        quality_half_db: Some(-34),
        cell: Cell { cell_identity: None, physical_cell_id: Some(131), area_code: None, channel: Some(648_672) },
        ..second
    };
    let fourth = Sample {
        sinr_half_db: Some(-6),
        position: position(42_500_000, -71_250_000),
        rtt_tenth_ms: Some(1270),
        ..third
    };
    let found: Vec<_> = samples.iter().map(|s| s.sample).collect();
    assert_eq!(found, [first, second, third, fourth, fourth]);
    assert_eq!(
        samples.iter().map(|s| (s.index, s.line)).collect::<Vec<_>>(),
        [(0, 4), (1, 11), (2, 12), (3, 16), (4, 17)]
    );
    assert_eq!(report.skipped.get(&SkipReason::DuplicatePingReply), Some(&1));
    assert_eq!(report.operator_names.get("AT&T...1"), Some(&1));
    assert_every_line_counted_once(&report);
}

#[test]
fn a_new_recording_forgets_cell_and_round_trip_and_a_pause_forgets_the_position_too() {
    let mut text = log(&[
        "getCurrentLocation() result: Location (success): 42.5, -71.25",
        "onCellInfoChanged: LTE Cell Bands: [] Bandwidth: 2147483647 Cell ID: 1 Physical Cell ID: 2 Tracking Area Code: 3 EARFCN: 4",
        "46 bytes from 155.146.11.34: icmp_seq=1 ttl=56 time=90.9 ms",
        "Logging started",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5",
        "46 bytes from 155.146.11.34: icmp_seq=1 ttl=56 time=90.9 ms",
    ]);
    text.push_str(
        "08-04 21:17:37.001  5006  5006 D cellinfo: onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5\n",
    );
    let (samples, report) = import_text(&text);
    let known: Vec<_> =
        samples.iter().map(|s| (s.sample.cell, s.sample.position.is_some(), s.sample.rtt_tenth_ms)).collect();
    assert_eq!(known, [(Cell::default(), true, None), (Cell::default(), false, None)]);
    assert_eq!(report.recordings, 2);
}

#[test]
fn values_out_of_range_are_refused_with_their_line_and_change_nothing() {
    let (samples, report) = import_text(&log(&[
        "getCurrentLocation() result: Location (success): 42.5, -71.25",
        "getCurrentLocation() result: Location (success): 95.0, -71.25",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -30 rsrq: -10 rssi: -53 rssnr: 5",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -99999999999999999999 rsrq: -10 rssi: -53 rssnr: 5",
        "onsignalStrengthsChanged: 5G-NR Signal Strength info: ssrsrp: -106 ssrsrq: -17 sssinr: 41",
        "onCellInfoChanged: LTE Cell Bands: [] Bandwidth: 0 Cell ID: 1 Physical Cell ID: 504 Tracking Area Code: 3 EARFCN: 4",
        "46 bytes from 155.146.11.34: icmp_seq=1 ttl=56 time=999999 ms",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5",
    ]));
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].sample.cell, Cell::default());
    assert_eq!(samples[0].sample.position.map(|p| p.latitude_e6), Some(42_500_000));
    assert_eq!(samples[0].sample.rtt_tenth_ms, None);
    let told: Vec<_> = report.refused_first.iter().map(|r| (r.line, r.field)).collect();
    assert_eq!(
        told,
        [
            (5, SampleField::Latitude),
            (6, SampleField::Level),
            (7, SampleField::Level),
            (8, SampleField::Sinr),
            (9, SampleField::PhysicalCellId),
            (10, SampleField::RoundTripTime)
        ]
    );
    assert_eq!((report.refused_first[1].value, report.refused_first[3].value), (-30, 82));
    assert!(report.to_text(Language::English).contains("line 6: level (dBm) = -30 (allowed -140 … -43)"));
    assert!(report.to_text(Language::Chinese).contains("行 8：SINR (dB) = 41 (允许 -23 … 40)"));
    assert_every_line_counted_once(&report);
}

#[test]
fn damage_is_skipped_and_told() {
    let mut text = log(&[
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq:",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -1x rssnr: 3",
        "onsignalStrengthsChanged: Laser Signal Strength info: rsrp: -82",
        "Timestamp: 1500000000",
        "Network Operator == ",
        "onCellInfoChanged: Operator: 000000 UpdateTimestamp: 1 CellConnectionStatus: 0",
        "",
    ]);
    text.push_str("half a li\r\n\r\n08-04 21:16:37.000  5006  5006 I chatty  : identical 3 lines\n");
    text.push_str(&"x".repeat(LINE_BYTES_MAX + 1));
    text.push_str(
        "\n08-04 21:16:38.000  5006  5006 D cellinfo: onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5\r\n",
    );
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"\xff\xfe\x00 not text");
    let (samples, report) = import(&bytes, ImportOptions::default()).expect("importable");
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].line, 15);
    let told: Vec<_> = report.skipped_first.iter().map(|s| (s.line, s.reason)).collect();
    use SkipReason as R;
    assert_eq!(
        told,
        [
            (4, R::Malformed),
            (5, R::Malformed),
            (6, R::UnknownTechnology),
            (7, R::ClockAnchorNotCredible),
            (11, R::Malformed),
            (14, R::TooLong),
            (16, R::Malformed)
        ]
    );
    let reasons: BTreeSet<_> = report.skipped.keys().copied().collect();
    assert!(reasons.is_superset(&BTreeSet::from([
        R::Blank,
        R::OtherTag,
        R::LogMarker,
        R::Unknown,
        R::NotAMeasurement
    ])));
    assert_every_line_counted_once(&report);
}

#[test]
fn samples_before_the_clock_wait_for_it_and_without_one_the_error_says_what_is_missing() {
    let signal = "08-04 21:16:36.100  1  1 D cellinfo: onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5\n";
    let (samples, report) = import_text(&format!("{signal}{HEAD}{signal}"));
    assert_eq!(
        samples.iter().map(|s| (s.line, s.sample.captured_at_ms)).collect::<Vec<_>>(),
        [(1, 1_659_662_196_100), (5, 1_659_662_196_100)]
    );
    assert_every_line_counted_once(&report);

    let error = import(signal.as_bytes(), ImportOptions::default()).expect_err("no clock");
    assert!(matches!(error, ImportError::ClockUnknown { line: 1 }));
    assert!(error.message(Language::Chinese).contains("年份"));
    let many = signal.repeat(1000);
    assert!(matches!(import(many.as_bytes(), ImportOptions::default()), Err(ImportError::ClockUnknown { line: 1 })));

    let near = "2021-11-01T00:00:00Z".parse().ok();
    let options = ImportOptions { utc_offset_minutes: Some(480), started_at: near, ..ImportOptions::default() };
    let (samples, _) = import(signal.as_bytes(), options).expect("importable");
    assert_eq!(samples[0].sample.captured_at().map(|t| t.to_string()), Some("2021-08-04T13:16:36.100000Z".to_owned()));
    let options = ImportOptions { utc_offset_minutes: Some(900), ..options };
    assert!(matches!(import(signal.as_bytes(), options), Err(ImportError::UtcOffset { minutes: 900 })));
}

const CSV_HEAD: &str = "Timestamp,Longitude,Latitude,Speed,Operatorname,CellID,NetworkMode,RSRP,RSRQ,SNR,CQI,RSSI,DL_bitrate,UL_bitrate,State,PINGAVG,PINGMIN,PINGMAX,PINGSTDEV,PINGLOSS,CELLHEX,NODEHEX,LACHEX,RAWCELLID,NRxRSRP,NRxRSRQ\n";

#[test]
fn csv_rows_carry_their_values_and_the_zone_is_an_option() {
    let text = format!(
        "\u{feff}{CSV_HEAD}\
        2019.12.01_12.11.21,-8.388167,51.935618,0,B,2,5G,-92,-11.5,2.0,8,-76,29,13,D,65,-,-,-,-,2,A81B,9CBA,11016962,-75.0,-204.0\n\
        2019.12.01_12.11.22,-,-,0,\"B\",52084,HSPA+,-51,-2,9,-,-,0,-,D,-,-,-,-,-,CB74,C,0,838516,-51.0,-24.0\r\n\
        {CSV_HEAD}\
        2019.12.01_12.11.23,-,-,0,B,2,LTE,-92,-11,2147483647,8,-76,29,13,D,-,-,-,-,-,2,A81B,9CBA,11016962,-,-\n"
    );
    let options = ImportOptions { utc_offset_minutes: Some(60), ..ImportOptions::default() };
    let (samples, report) = import(text.as_bytes(), options).expect("importable");
    let first = Sample {
        captured_at_ms: 1_575_198_681_000,
        technology: Technology::Lte,
        level_dbm: Some(-92),
        quality_half_db: Some(-23),
        sinr_half_db: Some(4),
        cell: Cell { cell_identity: Some(11_016_962), physical_cell_id: None, area_code: Some(0x9CBA), channel: None },
        position: Some(Position {
            latitude_e6: 51_935_618,
            longitude_e6: -8_388_167,
            accuracy_m: None,
            is_mock: false,
        }),
        rtt_tenth_ms: Some(650),
        downlink_kbps: Some(29),
        uplink_kbps: Some(13),
    };
    let second = Sample {
        captured_at_ms: first.captured_at_ms + 1000,
        technology: Technology::Umts,
        level_dbm: Some(-51),
        quality_half_db: Some(-4),
        sinr_half_db: None,
        cell: Cell { cell_identity: Some(838_516), ..Cell::default() },
        downlink_kbps: Some(0),
        uplink_kbps: None,
        ..first
    };
    let third = Sample {
        captured_at_ms: first.captured_at_ms + 2000,
        quality_half_db: Some(-22),
        sinr_half_db: None,
        rtt_tenth_ms: None,
        ..first
    };
    assert_eq!(samples.iter().map(|s| s.sample).collect::<Vec<_>>(), [first, second, third]);
    assert_eq!(report.recordings, 2);
    assert_eq!(report.network_modes.get("5G"), Some(&1));
    assert_every_line_counted_once(&report);
}

#[test]
fn csv_damage_is_skipped_or_refused_row_by_row() {
    let row = "2019.12.01_12.11.21,-8.388167,51.935618,0,B,2,LTE,-92,-11,2.0,8,-76,29,13,D,-,-,-,-,-,2,A81B,9CBA,11016962,-,-\n";
    let text = [
        CSV_HEAD.to_owned(),
        row.replace("-92", "-192"),
        row.replace("LTE", "LASER"),
        row.replace("12.11.21", "12.61.21"),
        row.replace("2019.12.01", "2019.02.30"),
        row.replace(",D,", ","),
        row.replace("-92", "-9x2"),
        row.replace("51.93", "151.93"),
        row.replace("11016962", "268435456"),
        "\n".to_owned(),
        row.to_owned(),
    ]
    .concat();
    let (samples, report) = import_text(&text);
    assert_eq!(samples.iter().map(|s| s.line).collect::<Vec<_>>(), [11]);
    let refused: Vec<_> = report.refused_first.iter().map(|r| (r.line, r.field)).collect();
    assert_eq!(refused, [(2, SampleField::Level), (8, SampleField::Latitude), (9, SampleField::CellIdentity)]);
    assert_eq!(report.skipped_first.iter().map(|s| s.line).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    assert_every_line_counted_once(&report);

    // Any number of further columns, in any order, with any of the three delimiters.
    let wide = format!(
        "Timestamp;NetworkMode{};rsrp;\n2019.12.01_12.11.21;LTE{};-92;\n",
        ";x".repeat(200),
        ";\"a;b\"".repeat(200)
    );
    let (samples, _) = import_text(&wide);
    assert_eq!(samples.iter().map(|s| s.sample.level_dbm).collect::<Vec<_>>(), [Some(-92)]);

    let headless = "Timestamp,Level,NetworkMode\n";
    assert!(matches!(
        import(headless.as_bytes(), ImportOptions::default()),
        Err(ImportError::ColumnMissing { line: 1, column: "RSRP" })
    ));
    assert!(matches!(import(b"\x89PNG\r\n\x1a\n", ImportOptions::default()), Err(ImportError::UnknownFormat)));
    assert!(matches!(import(b"", ImportOptions::default()), Err(ImportError::UnknownFormat)));
}

#[test]
fn file_names_tell_the_start() {
    let started_at = started_at_from_file_name("walks/R5CRA0E07EF_1659662187.7814636.out");
    assert_eq!(started_at.map(|t| t.to_string()), Some("2022-08-05T01:16:27.781464Z".to_owned()));
    for name in ["", "x.out", "a_b.out", "Download_B_2020.02.14_07.29.00.csv", "a_12.out", "a_99999999999999999999.out"]
    {
        assert_eq!(started_at_from_file_name(name), None, "{name}");
    }
}

/// Lines as in the real logs, for a fuzzer to damage.
const REAL_LINES: [&str; 9] = [
    "08-04 21:16:36.278 32542  7971 D cellinfo: Timestamp: 1659662196",
    "08-04 21:16:36.778 32542  7972 D cellinfo: Logging started",
    "08-04 21:16:44.044  5006  5006 D cellinfo: Latitude is 42.3369604",
    "08-04 21:16:44.044  5006  5006 D cellinfo: Longitude is -71.0866896",
    "08-04 21:16:44.044  5006  5006 D cellinfo: getCurrentLocation() result: Location (success): 42.3369604, -71.0866896",
    "08-04 21:16:40.086  5006  5006 D cellinfo: onCellInfoChanged: LTE Cell Bands: [66, 2, 13] Bandwidth: 20000 Cell ID: 14374412 Physical Cell ID: 283 Tracking Area Code: 14336 EARFCN: 66536",
    "08-04 21:16:54.105  5006  5006 D cellinfo: onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -86 rsrq: -11 rssi: -55 rssnr: 8",
    "08-04 21:16:54.105  5006  5006 D cellinfo: onsignalStrengthsChanged: 5G-NR Signal Strength info: ssrsrp: -110 ssrsrq: -14 sssinr: 4",
    "2019.12.01_12.11.21,-8.388167,51.935618,0,B,2,LTE,-92,-11,2.0,8,-76,29,13,D,-,-,-,-,-,2,A81B,9CBA,11016962,-,-",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_panic_and_every_line_is_counted(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..20),
        gnettrack in any::<bool>(),
    ) {
        let format = if gnettrack { LogFormat::Gnettrack } else { LogFormat::Cellinfo };
        let options = ImportOptions { format: Some(format), ..ImportOptions::default() };
        let mut text = if gnettrack { CSV_HEAD.as_bytes().to_vec() } else { HEAD.as_bytes().to_vec() };
        text.extend(lines.join(&b'\n'));
        let (_, report) = import(&text, options).expect("the heads are sound");
        assert_every_line_counted_once(&report);
        let _ = LogFormat::detect(&text);
    }

    #[test]
    fn damaged_real_lines_never_give_a_sample_out_of_range(
        edits in prop::collection::vec((0usize..9, any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..60),
    ) {
        for (head, format) in [(HEAD, LogFormat::Cellinfo), (CSV_HEAD, LogFormat::Gnettrack)] {
            let mut text = head.as_bytes().to_vec();
            for (line, at, byte, edit) in &edits {
                let mut line = REAL_LINES[*line].as_bytes().to_vec();
                let at = at.index(line.len());
                match edit {
                    0 => line[at] = *byte,
                    1 => line.truncate(at),
                    2 => line.insert(at, b'0' + byte % 10),
                    _ => { line.remove(at); }
                }
                text.extend(line);
                text.push(b'\n');
            }
            let options = ImportOptions { format: Some(format), ..ImportOptions::default() };
            // A damaged header is the one thing that stops an import.
            if let Ok((samples, report)) = import(&text, options) {
                prop_assert!(samples.iter().all(|s| s.sample.validate().is_ok()));
                assert_every_line_counted_once(&report);
            }
        }
    }

    #[test]
    fn the_reader_s_buffer_does_not_matter(capacity in 1usize..300, lines in prop::collection::vec(0usize..8, 0..30)) {
        let mut text = HEAD.to_owned();
        for line in lines {
            text.push_str(REAL_LINES[line]);
            text.push_str(if line % 2 == 0 { "\n" } else { "\r\n" });
        }
        let mut samples = Vec::new();
        let reader = std::io::BufReader::with_capacity(capacity, text.as_bytes());
        let report = import_reader(reader, ImportOptions::default(), |sample| samples.push(sample)).expect("sound");
        prop_assert_eq!((samples, report), import_text(&text));
    }
}
