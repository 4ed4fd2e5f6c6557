//! Measures the sample codec on the real logs: bytes per sample (overall, per log, per column) and samples per second.
//!
//! `cargo run --release -p callout-sync-protocol --example codec_bench` prints one JSON object. One core; each speed is the
//! best of many rounds over the logs' blocks, one block per log, each opened as it would be by a server.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/all/support/logs.rs"]
#[allow(dead_code)]
mod logs;

use callout_sync_protocol::ids::{DeviceId, FieldTestId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::codec::statistics;
use callout_sync_protocol::samples::{
    BlockHeader, KpiPolicy, Sample, SampleColumns, block_open_into, block_seal, block_verify, kpis_compute,
    segment_encode,
};
use ed25519_dalek::SigningKey;
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::time::Instant;

/// The least seconds that one call of `work` takes: of many calls, the one that other programs disturbed least.
fn seconds(mut work: impl FnMut()) -> f64 {
    let (begin, mut best) = (Instant::now(), f64::MAX);
    while begin.elapsed().as_millis() < 1000 {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn bench(logs: &[(String, Vec<Sample>)], key: &SigningKey) -> Value {
    let header = BlockHeader {
        field_test_id: FieldTestId::from_parts(1_700_000_000_000, [1; 10]),
        device_id: DeviceId::from_parts(1_700_000_000_001, [2; 10]),
        operator: Operator::ChinaUnicom,
        sequence: 0,
        sample_count: 0,
    };
    let columns: Vec<_> = logs.iter().map(|(_, samples)| SampleColumns::from_samples(samples).unwrap()).collect();
    let blocks: Vec<_> = columns.iter().map(|columns| block_seal(&header, columns, key).unwrap()).collect();
    let count: usize = columns.iter().map(SampleColumns::len).sum();
    let bytes: usize = blocks.iter().map(|block| block.as_bytes().len()).sum();
    let per_log: Map<_, _> = logs
        .iter()
        .zip(&blocks)
        .map(|((name, samples), block)| {
            let bytes = block.as_bytes().len();
            let per_sample = bytes as f64 / samples.len() as f64;
            (name.clone(), json!({ "samples": samples.len(), "bytes": bytes, "bytes_per_sample": per_sample }))
        })
        .collect();
    let mut per_column: Map<String, Value> = Map::new();
    for columns in &columns {
        for (name, bits) in statistics::column_bits(columns) {
            let name = name.to_lowercase();
            let so_far = per_column.get(&name).and_then(Value::as_f64).unwrap_or(0.0);
            per_column.insert(name, json!(so_far + bits / 8.0 / count as f64));
        }
    }
    let mut scratch = SampleColumns::new();
    let open = seconds(|| {
        for block in &blocks {
            block_open_into(black_box(block.as_bytes()), &mut scratch).unwrap();
            black_box(&scratch);
        }
    });
    let kpi = seconds(|| {
        for columns in &columns {
            black_box(kpis_compute(black_box(columns), &KpiPolicy::default()));
        }
    });
    let open_kpi = seconds(|| {
        for block in &blocks {
            block_open_into(black_box(block.as_bytes()), &mut scratch).unwrap();
            black_box(kpis_compute(&scratch, &KpiPolicy::default()));
        }
    });
    let encode = seconds(|| {
        for columns in &columns {
            black_box(segment_encode(black_box(columns)).unwrap());
        }
    });
    let verify = seconds(|| block_verify(black_box(blocks[0].as_bytes()), &key.verifying_key()).unwrap());
    json!({
        "samples": count,
        "bytes": bytes,
        "bytes_per_sample": bytes as f64 / count as f64,
        "logs": per_log,
        "columns_bytes_per_sample": per_column,
        "decode_validate_samples_per_second": (count as f64 / open) as u64,
        "kpi_samples_per_second": (count as f64 / kpi) as u64,
        "open_samples_per_second": (count as f64 / open_kpi) as u64,
        "encode_samples_per_second": (count as f64 / encode) as u64,
        "verify_microseconds": verify * 1e6,
    })
}

fn main() {
    let data = logs::data_dir().expect("the real logs (set CALLOUT_SHARED_DATA)");
    let key = SigningKey::from_bytes(&[7; 32]);
    let report = json!({ "walks": bench(&logs::walks(&data), &key), "drives": bench(&logs::drives(&data), &key) });
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
}
