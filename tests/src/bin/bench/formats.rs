//! How small samples get: our sealed blocks against what else one would take, each by its own real encoder over all real logs. Ours carry
//! header, hash and signature; the others carry the samples and nothing else.

use crate::logs;
use callout_sync_protocol::samples::{Sample, SampleColumns, SealedBlock, block_hash, block_open_into, block_verify};
use callout_tests::real_logs;
use callout_tests::world::DeviceKeys;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use serde_json::{Value, json};
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// How long opening is measured.
const OPENING: Duration = Duration::from_secs(1);
/// zstd's level for the others: slow and small, as for something written once.
const ZSTD_LEVEL: i32 = 19;

/// A sample as one would write it down in protobuf: optional scalars, zigzag where a value may be negative.
#[derive(Clone, PartialEq, prost::Message)]
struct SampleMessage {
    /// Milliseconds since the sample before, the first one since the epoch: what a careful author would do.
    #[prost(sint64, tag = "1")]
    captured_after_ms: i64,
    #[prost(uint32, tag = "2")]
    technology: u32,
    #[prost(sint32, optional, tag = "3")]
    level_dbm: Option<i32>,
    #[prost(sint32, optional, tag = "4")]
    quality_half_db: Option<i32>,
    #[prost(sint32, optional, tag = "5")]
    sinr_half_db: Option<i32>,
    #[prost(uint64, optional, tag = "6")]
    cell_identity: Option<u64>,
    #[prost(uint32, optional, tag = "7")]
    physical_cell_id: Option<u32>,
    #[prost(uint32, optional, tag = "8")]
    area_code: Option<u32>,
    #[prost(uint32, optional, tag = "9")]
    channel: Option<u32>,
    #[prost(sint32, optional, tag = "10")]
    latitude_e6: Option<i32>,
    #[prost(sint32, optional, tag = "11")]
    longitude_e6: Option<i32>,
    #[prost(uint32, optional, tag = "12")]
    accuracy_m: Option<u32>,
    #[prost(bool, tag = "13")]
    is_mock: bool,
    #[prost(uint32, optional, tag = "14")]
    rtt_tenth_ms: Option<u32>,
    #[prost(uint32, optional, tag = "15")]
    downlink_kbps: Option<u32>,
    #[prost(uint32, optional, tag = "16")]
    uplink_kbps: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LogMessage {
    #[prost(message, repeated, tag = "1")]
    samples: Vec<SampleMessage>,
}

fn json_gzip(samples: &[Sample]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&serde_json::to_vec(samples).unwrap()).unwrap();
    encoder.finish().unwrap().len()
}

fn protobuf_zstd(samples: &[Sample]) -> usize {
    let mut before = 0;
    let message = |sample: &Sample| {
        let after = sample.captured_at_ms - before;
        before = sample.captured_at_ms;
        SampleMessage {
            captured_after_ms: after,
            technology: sample.technology as u32,
            level_dbm: sample.level_dbm.map(i32::from),
            quality_half_db: sample.quality_half_db.map(i32::from),
            sinr_half_db: sample.sinr_half_db.map(i32::from),
            cell_identity: sample.cell.cell_identity,
            physical_cell_id: sample.cell.physical_cell_id.map(u32::from),
            area_code: sample.cell.area_code,
            channel: sample.cell.channel,
            latitude_e6: sample.position.map(|position| position.latitude_e6),
            longitude_e6: sample.position.map(|position| position.longitude_e6),
            accuracy_m: sample.position.and_then(|position| position.accuracy_m).map(u32::from),
            is_mock: sample.position.is_some_and(|position| position.is_mock),
            rtt_tenth_ms: sample.rtt_tenth_ms,
            downlink_kbps: sample.downlink_kbps,
            uplink_kbps: sample.uplink_kbps,
        }
    };
    let log = LogMessage { samples: samples.iter().map(message).collect() };
    zstd::bulk::compress(&log.encode_to_vec(), ZSTD_LEVEL).unwrap().len()
}

#[cfg(feature = "parquet")]
mod parquet_file {
    use super::ZSTD_LEVEL;
    use callout_sync_protocol::samples::Sample;
    use parquet::basic::{Compression, Encoding, ZstdLevel};
    use parquet::data_type::{Int32Type, Int64Type};
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    const SCHEMA: &str = "message samples {
        required int64 captured_at_ms; required int32 technology; optional int32 level_dbm; optional int32 quality_half_db;
        optional int32 sinr_half_db; optional int64 cell_identity; optional int32 physical_cell_id; optional int32 area_code;
        optional int32 channel; optional int32 latitude_e6; optional int32 longitude_e6; optional int32 accuracy_m;
        optional int32 is_mock; optional int32 rtt_tenth_ms; optional int32 downlink_kbps; optional int32 uplink_kbps; }";

    /// The values of a column, in the schema's order.
    enum Column {
        Long(Vec<Option<i64>>),
        Short(Vec<Option<i32>>),
    }

    fn columns(samples: &[Sample]) -> Vec<Column> {
        let long = |of: fn(&Sample) -> Option<i64>| Column::Long(samples.iter().map(of).collect());
        let short = |of: fn(&Sample) -> Option<i32>| Column::Short(samples.iter().map(of).collect());
        vec![
            long(|s| Some(s.captured_at_ms)),
            short(|s| Some(s.technology as i32)),
            short(|s| s.level_dbm.map(i32::from)),
            short(|s| s.quality_half_db.map(i32::from)),
            short(|s| s.sinr_half_db.map(i32::from)),
            long(|s| s.cell.cell_identity.map(|id| id as i64)),
            short(|s| s.cell.physical_cell_id.map(i32::from)),
            short(|s| s.cell.area_code.map(|code| code as i32)),
            short(|s| s.cell.channel.map(|channel| channel as i32)),
            short(|s| s.position.map(|position| position.latitude_e6)),
            short(|s| s.position.map(|position| position.longitude_e6)),
            short(|s| s.position.and_then(|position| position.accuracy_m).map(i32::from)),
            short(|s| s.position.map(|position| position.is_mock.into())),
            short(|s| s.rtt_tenth_ms.map(|rtt| rtt as i32)),
            short(|s| s.downlink_kbps.map(|rate| rate as i32)),
            short(|s| s.uplink_kbps.map(|rate| rate as i32)),
        ]
    }

    /// Required columns have no levels; of optional ones, absent values are left out.
    fn split<T: Copy>(values: &[Option<T>], is_required: bool) -> (Vec<T>, Option<Vec<i16>>) {
        let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
        (values.iter().filter_map(|value| *value).collect(), (!is_required).then_some(levels))
    }

    fn write(samples: &[Sample], is_delta: bool) -> usize {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let mut properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap()));
        if is_delta {
            properties = properties.set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BINARY_PACKED);
        }
        let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).unwrap();
        let mut group = file.next_row_group().unwrap();
        for (place, column) in columns(samples).into_iter().enumerate() {
            let mut writer = group.next_column().unwrap().unwrap();
            match column {
                Column::Long(values) => {
                    let (values, levels) = split(&values, place < 2);
                    writer.typed::<Int64Type>().write_batch(&values, levels.as_deref(), None).unwrap();
                }
                Column::Short(values) => {
                    let (values, levels) = split(&values, place < 2);
                    writer.typed::<Int32Type>().write_batch(&values, levels.as_deref(), None).unwrap();
                }
            }
            writer.close().unwrap();
        }
        group.close().unwrap();
        file.into_inner().unwrap().len()
    }

    /// The smaller of the two usual ways: dictionaries, or deltas.
    pub fn parquet_zstd(samples: &[Sample]) -> usize {
        write(samples, false).min(write(samples, true))
    }
}

/// How fast one core opens the logs' blocks, every value checked; and with what the server does before: hash and signature.
fn opened(walks: &[SampleColumns]) -> Value {
    let device = DeviceKeys::new();
    let public = device.key.verifying_key();
    let blocks: Vec<SealedBlock> = walks.iter().map(|walk| logs::sealed(walk, &device)).collect();
    let mut columns = SampleColumns::new();
    let mut per_second = |is_verified: bool| {
        let (began, mut samples) = (Instant::now(), 0);
        while began.elapsed() < OPENING {
            for block in &blocks {
                if is_verified {
                    black_box(block_hash(block.as_bytes()));
                    block_verify(block.as_bytes(), &public).unwrap();
                }
                block_open_into(black_box(block.as_bytes()), &mut columns).unwrap();
                samples += black_box(&columns).len();
            }
        }
        (samples as f64 / began.elapsed().as_secs_f64()).round()
    };
    json!({ "samples_per_second": per_second(false), "with_hash_and_signature": per_second(true) })
}

/// All real logs in all formats.
pub fn measure() -> Value {
    let Some(folder) = real_logs::folder("bench: formats on the real logs") else { return Value::Null };
    type Encoder = fn(&[Sample]) -> usize;
    let encoders: &[(&str, Encoder)] = &[
        ("json_gzip", json_gzip),
        ("protobuf_zstd", protobuf_zstd),
        #[cfg(feature = "parquet")]
        ("parquet_zstd", parquet_file::parquet_zstd),
    ];
    let walks = real_logs::files(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "out"));
    let walks: Vec<SampleColumns> = walks.map(|path| real_logs::samples(&path)).collect();
    let count: usize = walks.iter().map(SampleColumns::len).sum();
    let per_sample = |bytes: usize| (1e3 * bytes as f64 / count as f64).round() / 1e3;
    let ours: usize = walks.iter().map(logs::sealed_bytes).sum();
    let mut figures = json!({
        "logs": walks.len(),
        "samples": count,
        "sealed_block": { "per_sample": per_sample(ours), "to_ours": 1.0, "opened_on_one_core": opened(&walks) },
    });
    let all: Vec<Sample> = walks.iter().flat_map(SampleColumns::iter).collect();
    for (name, encoder) in encoders {
        let bytes: usize = walks.iter().map(|walk| encoder(&walk.iter().collect::<Vec<_>>())).sum();
        // What a format's own frame costs is spread over more samples so; no visit is that long.
        let together = per_sample(encoder(&all));
        let ratio = (1e2 * bytes as f64 / ours as f64).round() / 1e2;
        figures[*name] =
            json!({ "per_sample": per_sample(bytes), "to_ours": ratio, "per_sample_all_logs_in_one": together });
    }
    if cfg!(not(feature = "parquet")) {
        eprintln!("skipped: Parquet: build with --features parquet");
        figures["parquet_zstd"] = json!("skipped: build with --features parquet");
    }
    figures
}
