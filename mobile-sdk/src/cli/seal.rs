//! Sealing one log by itself, and reading sealed blocks: for measuring and for looking.

use super::error::CliError;
use super::{Answer, Session};
use crate::capture::seal::{BLOCK_SAMPLES, samples_seal};
use crate::env::uuid_new;
use crate::import::{ImportOptions, import_reader, started_at_from_file_name};
use callout_sync_protocol::ids::{DeviceId, FieldTestId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{
    BlockHeader, MAX_BLOCK_BYTES, Sample, SampleColumns, SealError, SealedBlock, block_open,
};
use ed25519_dalek::SigningKey;
use serde_json::json;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

pub(super) fn seal(
    session: &mut Session<'_>,
    log: &Path,
    operator: Operator,
    utc_offset: Option<i16>,
    output: Option<&Path>,
) -> Result<Answer, CliError> {
    let file = File::open(log).map_err(|cause| CliError::File { path: log.to_owned(), cause })?;
    let name = log.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let options = ImportOptions {
        utc_offset_minutes: utc_offset,
        started_at: started_at_from_file_name(&name),
        ..ImportOptions::default()
    };
    let mut samples: Vec<Sample> = Vec::new();
    import_reader(BufReader::new(file), options, |imported| samples.push(imported.sample))
        .map_err(|cause| CliError::Import { path: log.to_owned(), cause })?;
    let mut secret = [0; 32];
    session.env.random_fill(&mut secret);
    let key = SigningKey::from_bytes(&secret);
    let mut header = BlockHeader {
        field_test_id: FieldTestId(uuid_new(session.env.as_ref())),
        device_id: DeviceId(uuid_new(session.env.as_ref())),
        operator,
        sequence: 0,
        sample_count: 0,
    };
    let mut blocks: Vec<SealedBlock> = Vec::new();
    // As a phone does: blocks of about the same size.
    let pieces = (samples.len() as u64).div_ceil(BLOCK_SAMPLES).max(1);
    for piece in samples.chunks(samples.len().div_ceil(pieces as usize).max(1)) {
        let columns = SampleColumns::from_samples(piece).map_err(|_| SealError::Empty)?;
        header.sequence = blocks.len() as u32;
        blocks.extend(samples_seal(header, &columns, &key)?);
    }
    for (index, block) in blocks.iter().enumerate() {
        if let Some(path) = output.map(|path| numbered(path, index)) {
            fs::write(&path, block.as_bytes()).map_err(|cause| CliError::File { path, cause })?;
        }
    }
    let count = samples.len();
    let bytes: usize = blocks.iter().map(|block| block.as_bytes().len()).sum();
    let per_sample = bytes as f64 / count.max(1) as f64;
    let text = session.say(
        format!("{count} samples in {bytes} bytes ({} blocks): {per_sample:.2} bytes per sample", blocks.len()),
        format!("{count} 个样本，{bytes} 字节（{} 块）：每样本 {per_sample:.2} 字节", blocks.len()),
    );
    Ok(Answer { text, json: json!({ "samples": count, "bytes": bytes, "blocks": blocks.len() }) })
}

/// `FILE`, then `FILE.1`, `FILE.2` …
fn numbered(path: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{index}"));
    name.into()
}

pub(super) fn unseal(files: &[PathBuf]) -> Result<Answer, CliError> {
    let mut csv = String::from(
        "captured_at,operator,technology,level_dbm,quality_db,sinr_db,cell_identity,physical_cell_id,area_code,channel,\
         latitude,longitude,accuracy_m,is_mock,rtt_ms,downlink_kbps,uplink_kbps\n",
    );
    let mut json_samples = Vec::new();
    for path in files {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BLOCK_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|cause| CliError::File { path: path.clone(), cause })?;
        let (header, columns) = block_open(&bytes).map_err(|cause| CliError::Block { path: path.clone(), cause })?;
        for sample in columns.iter() {
            csv_row(&mut csv, header.operator, &sample);
            json_samples.push(json!({ "operator": header.operator, "sample": sample }));
        }
    }
    Ok(Answer { text: csv, json: json!({ "samples": json_samples }) })
}

fn csv_row(csv: &mut String, operator: Operator, sample: &Sample) {
    fn cell<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    /// A number in parts of `10^decimals`, exactly.
    fn decimal(value: i64, decimals: usize) -> String {
        let scale = 10i64.pow(decimals as u32);
        let sign = if value < 0 { "-" } else { "" };
        format!("{sign}{}.{:0decimals$}", value.abs() / scale, value.abs() % scale)
    }
    let half = |value: Option<i16>| value.map_or_else(String::new, |half| decimal(i64::from(half) * 5, 1));
    let position = sample.position;
    // Writing into a string cannot fail.
    let _ = writeln!(
        csv,
        "{},{operator},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
        cell(sample.captured_at()),
        format!("{:?}", sample.technology).to_lowercase(),
        cell(sample.level_dbm),
        half(sample.quality_half_db),
        half(sample.sinr_half_db),
        cell(sample.cell.cell_identity),
        cell(sample.cell.physical_cell_id),
        cell(sample.cell.area_code),
        cell(sample.cell.channel),
        cell(position.map(|p| decimal(p.latitude_e6.into(), 6))),
        cell(position.map(|p| decimal(p.longitude_e6.into(), 6))),
        cell(position.and_then(|p| p.accuracy_m)),
        cell(position.map(|p| p.is_mock)),
        cell(sample.rtt_tenth_ms.map(|tenths| decimal(tenths.into(), 1))),
        cell(sample.downlink_kbps),
        cell(sample.uplink_kbps),
    );
}
