//! What the phone reads of others: the logs of measuring apps, and the server's stream of wake-ups.

use crate::Target;
use callout_mobile_sdk::engine::EventStream;
use callout_mobile_sdk::import::{ImportOptions, LogFormat, import_reader};

pub(crate) const TARGETS: [Target; 3] = [
    Target {
        name: "cellinfo_log",
        run: cellinfo,
        seeds: cellinfo_logs,
        memory_bound: |length| 1024 * 1024 + 16 * length,
    },
    Target {
        name: "gnettrack_log",
        run: gnettrack,
        seeds: gnettrack_logs,
        memory_bound: |length| 1024 * 1024 + 16 * length,
    },
    Target {
        name: "event_stream",
        run: event_stream,
        seeds: event_streams,
        memory_bound: |length| 256 * 1024 + 64 * length,
    },
];

fn import(format: LogFormat, bytes: &[u8]) {
    let options = ImportOptions { format: Some(format), ..ImportOptions::default() };
    let mut next = 0;
    let _ = import_reader(bytes, options, |imported| {
        assert_eq!(imported.index, next, "samples come in order, none twice");
        next += 1;
        assert!(imported.sample.validate().is_ok(), "what is handed out is within its ranges");
    });
    let _ = LogFormat::detect(bytes);
}

fn cellinfo(bytes: &[u8]) {
    import(LogFormat::Cellinfo, bytes);
}

fn gnettrack(bytes: &[u8]) {
    import(LogFormat::Gnettrack, bytes);
}

fn cellinfo_logs() -> Vec<Vec<u8>> {
    let said = [
        "Timestamp: 1659662196",
        "Logging started",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -82 rsrq: -10 rssi: -53 rssnr: 5",
        "Latitude is 42.3369604",
        "Longitude is -71.0866896",
        "onCellInfoChanged: LTE Cell Bands: [66, 2, 13] Bandwidth: 20000 Cell ID: 14374412 Physical Cell ID: 283 Tracking Area Code: 14336 EARFCN: 66536",
        "onCellInfoChanged: 5G-NR Cell Bands: [] ARFCN: 648672 Cell ID: 9223372036854775807 Physical Cell ID: 131 Tracking Area Code: 16777215",
        "46 bytes from 155.146.11.34: icmp_seq=1 ttl=56 time=90.9 ms",
        "onsignalStrengthsChanged: 5G-NR Signal Strength info: ssrsrp: -106 ssrsrq: -17 sssinr: -3",
        "getCurrentLocation() result: Location (success): 42.5, -71.25",
        "onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -83 rsrq: -11 rssi: -51 rssnr: 2147483647",
    ];
    let lines = said.map(|line| format!("08-04 21:16:37.000  5006  5006 D cellinfo: {line}\n"));
    vec![lines.concat().into_bytes()]
}

fn gnettrack_logs() -> Vec<Vec<u8>> {
    let columns = "Timestamp,Longitude,Latitude,Speed,Operatorname,CellID,NetworkMode,RSRP,RSRQ,SNR,CQI,RSSI,DL_bitrate,UL_bitrate,State,PINGAVG,PINGMIN,PINGMAX,PINGSTDEV,PINGLOSS,CELLHEX,NODEHEX,LACHEX,RAWCELLID,NRxRSRP,NRxRSRQ";
    let rows = [
        "2019.12.01_12.11.21,-8.388167,51.935618,0,B,2,5G,-92,-11.5,2.0,8,-76,29,13,D,65,-,-,-,-,2,A81B,9CBA,11016962,-75.0,-204.0",
        "2019.12.01_12.11.22,-,-,0,\"B\",52084,HSPA+,-51,-2,9,-,-,0,-,D,-,-,-,-,-,CB74,C,0,838516,-51.0,-24.0\r",
    ];
    vec![format!("\u{feff}{columns}\n{}\n{}\n", rows[0], rows[1]).into_bytes()]
}

fn event_stream(bytes: &[u8]) {
    let whole = EventStream::default().push(bytes);
    // However the network cuts it, the same comes out.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut stream = EventStream::default();
    let pieces = stream.push(first).and_then(|mut events| {
        events.extend(stream.push(second)?);
        Ok(events)
    });
    assert_eq!(pieces, whole);
}

fn event_streams() -> Vec<Vec<u8>> {
    let text = "retry: 7000\n\nevent: feed\nid: 1.42\ndata: {\"epoch\":1,\"number\":42}\n\n:\r\n\r\nevent: end\rdata: {\"reason\":\"token_expired\"}\r\r";
    vec![text.as_bytes().to_vec(), [b"\xef\xbb\xbfdata: ".as_slice(), &[b'x'; 4_000], b"\ndata:y\n\n"].concat()]
}
