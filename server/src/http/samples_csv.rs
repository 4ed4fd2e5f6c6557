//! Samples as CSV (RFC 4180): one row a sample, units in the names of the columns, absent values empty.

use callout_storage::sample_blocks::SampleBlock;
use callout_sync_protocol::samples::{Sample, SampleColumns, Technology};
use std::fmt::{Display, Write};

/// The first row.
pub const HEADER: &str = "operator,block,standing,captured_at,technology,level_dbm,quality_db,sinr_db,cell_identity,\
    physical_cell_id,area_code,channel,latitude_deg,longitude_deg,accuracy_m,is_mock,rtt_ms,downlink_kbps,uplink_kbps\r\n";

/// Nearly all rows are shorter.
const ROW_BYTES: usize = 200;

fn technology_name(technology: Technology) -> &'static str {
    match technology {
        Technology::Gsm => "gsm",
        Technology::Umts => "umts",
        Technology::Lte => "lte",
        Technology::Nr => "nr",
    }
}

/// The rows of a block's samples, in the order of capture. None of the values needs quoting.
pub fn rows(block: &SampleBlock, columns: &SampleColumns) -> String {
    let prefix = format!("{},{},{},", block.operator, block.hash, block.standing);
    let mut text = String::with_capacity(columns.len() * ROW_BYTES);
    for sample in columns.iter() {
        text.push_str(&prefix);
        row(&mut text, &sample);
    }
    text
}

/// A value and the comma behind it; nothing and the comma when it is absent.
fn cell(text: &mut String, value: Option<impl Display>) {
    if let Some(value) = value {
        // Writing into a String cannot fail.
        let _ = write!(text, "{value}");
    }
    text.push(',');
}

/// A value in half dB as dB.
fn half_db(value: i16) -> f64 {
    f64::from(value) / 2.0
}

fn row(text: &mut String, sample: &Sample) {
    cell(text, sample.captured_at());
    cell(text, Some(technology_name(sample.technology)));
    cell(text, sample.level_dbm);
    cell(text, sample.quality_half_db.map(half_db));
    cell(text, sample.sinr_half_db.map(half_db));
    cell(text, sample.cell.cell_identity);
    cell(text, sample.cell.physical_cell_id);
    cell(text, sample.cell.area_code);
    cell(text, sample.cell.channel);
    cell(text, sample.position.map(|position| format!("{:.6}", position.latitude())));
    cell(text, sample.position.map(|position| format!("{:.6}", position.longitude())));
    cell(text, sample.position.and_then(|position| position.accuracy_m));
    cell(text, sample.position.map(|position| position.is_mock));
    cell(text, sample.rtt_tenth_ms.map(|tenths| f64::from(tenths) / 10.0));
    cell(text, sample.downlink_kbps);
    cell(text, sample.uplink_kbps);
    text.pop();
    text.push_str("\r\n");
}
