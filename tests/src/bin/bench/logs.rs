//! The samples that blocks are made of: the real logs where they are, synthetic walks otherwise. And how small they get.

use callout_mobile_sdk::synthetic::{Coverage, OperatorProfile, SyntheticWalk, WalkOptions};
use callout_sync_protocol::ids::{DeviceId, FieldTestId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{BlockHeader, SampleColumns, SealedBlock, block_seal};
use callout_tests::phones::PLACE;
use callout_tests::real_logs;
use callout_tests::world::DeviceKeys;
use serde_json::{Value, json};

/// Each walk's samples, one operator's log each.
pub fn walks() -> Vec<SampleColumns> {
    let real = real_logs::folder("bench: blocks of real samples; synthetic ones instead");
    if let Some(folder) = real {
        let walks = real_logs::files(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "out"));
        return walks.map(|path| real_logs::samples(&path)).collect();
    }
    (0..6).map(|seed| synthetic(seed, 3_000)).collect()
}

fn synthetic(seed: u64, count: u64) -> SampleColumns {
    let options = WalkOptions {
        seed,
        started_at: "2026-11-21T02:00:00Z".parse().unwrap(),
        centre: PLACE,
        profile: OperatorProfile::new(Operator::ChinaMobile, Coverage::Good),
        sample_count: count,
        utc_offset_minutes: 480,
        dirty: false,
    };
    let samples: Vec<_> = SyntheticWalk::new(options).samples().collect();
    SampleColumns::from_samples(&samples).unwrap()
}

/// How long a log's one sealed block is, signature and header included.
pub fn sealed_bytes(columns: &SampleColumns) -> usize {
    sealed(columns, &DeviceKeys::new()).as_bytes().len()
}

/// A log's one sealed block.
pub fn sealed(columns: &SampleColumns, device: &DeviceKeys) -> SealedBlock {
    let header = BlockHeader {
        field_test_id: FieldTestId::NIL,
        device_id: DeviceId(device.device_id),
        operator: Operator::ChinaMobile,
        sequence: 0,
        sample_count: 0,
    };
    block_seal(&header, columns, &device.key).unwrap()
}

/// Samples and sealed bytes of every log, signature and header included.
pub fn bytes_per_sample() -> Value {
    let Some(folder) = real_logs::folder("bench: bytes per sample on the real logs") else { return Value::Null };
    let mut result = serde_json::Map::new();
    for (name, extension) in [("three_operator_walks", "out"), ("gnettrack", "csv")] {
        let (mut samples, mut bytes) = (0, 0);
        let files =
            real_logs::files(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == extension));
        for path in files {
            let columns = real_logs::samples(&path);
            samples += columns.len();
            bytes += sealed_bytes(&columns);
        }
        let per_sample = (1_000.0 * bytes as f64 / samples as f64).round() / 1_000.0;
        result.insert(name.to_owned(), json!({ "samples": samples, "sealed_bytes": bytes, "per_sample": per_sample }));
    }
    Value::Object(result)
}
