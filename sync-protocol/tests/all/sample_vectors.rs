//! Golden blocks under `vectors/`: the format cannot change by accident, and other implementations can test themselves.
//!
//! `CALLOUT_WRITE_VECTORS=1 cargo test -p callout-sync-protocol --test sample_vectors` writes the files anew; that is right
//! only together with a new `BLOCK_VERSION`. All samples in them are made up.

use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::codec::statistics;
use callout_sync_protocol::samples::{
    BlockHash, BlockHeader, Cell, Position, Sample, SampleColumns, Technology, block_hash, block_open, block_seal,
    block_verify,
};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One file of `vectors/`.
#[derive(Serialize, Deserialize)]
struct Vector {
    /// What is special about it.
    about: String,
    header: BlockHeader,
    /// The Ed25519 secret key that signed it, in hexadecimal; for tests only.
    secret_key: String,
    samples: Vec<Sample>,
    block: String,
    block_hash: BlockHash,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("sample-block-{name}.json"))
}

fn bare(technology: Technology, captured_at_ms: i64) -> Sample {
    Sample {
        captured_at_ms,
        technology,
        level_dbm: None,
        quality_half_db: None,
        sinr_half_db: None,
        cell: Cell::default(),
        position: None,
        rtt_tenth_ms: None,
        downlink_kbps: None,
        uplink_kbps: None,
    }
}

/// LTE and NR reports in pairs, as phones give them, with a little of everything that changes on a walk.
fn walk() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut time = 1_700_000_000_813;
    for n in 0..40i32 {
        time += [1000, 1003, 2240, 447, 998, 1000, 6001][n as usize % 7];
        let position = Position {
            latitude_e6: 30_657_401 + n / 3 * 97,
            longitude_e6: 104_065_735 - n / 3 * 41,
            accuracy_m: Some(4 + (n / 9) as u16),
            is_mock: false,
        };
        let lte = Sample {
            level_dbm: Some(-92 + (n * 5 % 11) as i16),
            quality_half_db: Some(-22 + (n % 3) as i16 * 2),
            sinr_half_db: Some(18 - (n * 3 % 7) as i16),
            cell: Cell {
                cell_identity: Some(98_109_201 + u64::from(n % 13 == 0)),
                physical_cell_id: Some(464),
                area_code: Some(38_403),
                channel: Some(if n < 30 { 1825 } else { 3590 }),
            },
            position: Some(position),
            rtt_tenth_ms: Some([423, 398, 512, 1270, 431][n as usize % 5]),
            ..bare(Technology::Lte, time)
        };
        let nr = Sample {
            technology: Technology::Nr,
            captured_at_ms: time + i64::from(n % 4 == 0),
            level_dbm: Some(-101 - (n % 4) as i16),
            quality_half_db: Some(-23),
            sinr_half_db: Some((n % 9) as i16 - 4),
            cell: Cell { physical_cell_id: Some(131), channel: Some(504_990), ..Cell::default() },
            ..lte
        };
        samples.push(lte);
        if n % 6 != 5 {
            samples.push(nr);
        }
    }
    samples
}

/// Every technology at both ends of every range, and with nothing at all.
fn extremes() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (step, technology) in (0..).zip(Technology::ALL) {
        let limits = technology.limits();
        let within = |range: (i16, i16)| (range.0 <= range.1).then_some(range);
        for high in [false, true] {
            let pick = |range: (i16, i16)| within(range).map(|(low, top)| if high { top } else { low });
            let end = |maximum: u64| if high { maximum } else { 0 };
            samples.push(Sample {
                level_dbm: pick(limits.level_dbm),
                quality_half_db: pick(limits.quality_half_db),
                sinr_half_db: pick(limits.sinr_half_db),
                cell: Cell {
                    cell_identity: Some(end(limits.cell_identity_max)),
                    physical_cell_id: Some(end(limits.physical_cell_id_max.into()) as u16),
                    area_code: Some(end(limits.area_code_max.into()) as u32),
                    channel: Some(end(limits.channel_max.into()) as u32),
                },
                position: Some(Position {
                    latitude_e6: if high { 90_000_000 } else { -90_000_000 },
                    longitude_e6: if high { 180_000_000 } else { -180_000_000 },
                    accuracy_m: Some(end(65_535) as u16),
                    is_mock: high,
                }),
                rtt_tenth_ms: Some(end(6_000_000) as u32),
                downlink_kbps: Some(end(1_000_000_000) as u32),
                uplink_kbps: Some(end(1_000_000_000) as u32),
                ..bare(technology, if high { 4_102_444_800_000 } else { 946_684_800_000 + step })
            });
            samples.push(bare(technology, 1_600_000_000_000));
        }
    }
    samples
}

/// A download with a report exactly every 100 ms.
fn download() -> Vec<Sample> {
    (0..60u32)
        .map(|n| Sample {
            level_dbm: Some(-80),
            quality_half_db: Some(-21),
            sinr_half_db: Some(31 + (n % 2) as i16),
            downlink_kbps: (n % 10 != 9).then_some(350_000 + n * 7919 % 90_000),
            uplink_kbps: Some(2_000 + n / 5),
            rtt_tenth_ms: (n > 20).then_some(1_234 + n / 8),
            ..bare(Technology::Nr, 1_710_000_000_000 + 100 * i64::from(n))
        })
        .collect()
}

#[test]
fn golden_blocks_do_not_change() {
    let single = vec![Sample { level_dbm: Some(-97), ..bare(Technology::Gsm, 1_700_000_000_000) }];
    let cases = [
        ("single", "one sample, almost nothing known", Operator::ChinaMobile, 0, single),
        ("walk", "pairs of LTE and NR reports on a walk", Operator::ChinaUnicom, 1, walk()),
        ("extremes", "both ends of every range, absence, clocks that jump", Operator::ChinaTelecom, 300, extremes()),
        ("download", "a regular rate, throughput, fine round trips", Operator::ChinaBroadnet, u32::MAX, download()),
    ];
    for (name, about, operator, sequence, samples) in cases {
        let secret = [0x42; 32];
        let key = SigningKey::from_bytes(&secret);
        let header = BlockHeader { operator, sequence, sample_count: samples.len() as u32, ..crate::support::header() };
        let columns = SampleColumns::from_samples(&samples).unwrap();
        let block = block_seal(&header, &columns, &key).unwrap();
        if std::env::var_os("CALLOUT_WRITE_VECTORS").is_some() {
            let vector = Vector {
                about: about.to_owned(),
                header,
                secret_key: hex(&secret),
                samples: samples.clone(),
                block: hex(block.as_bytes()),
                block_hash: block.hash(),
            };
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), serde_json::to_string_pretty(&vector).unwrap() + "\n").unwrap();
        }
        let vector: Vector = serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap();
        assert_eq!((vector.header, &vector.samples), (header, &samples), "{name}");
        let bytes = unhex(&vector.block);
        assert_eq!(hex(block.as_bytes()), vector.block, "{name}: the format changed");
        assert_eq!(block_hash(&bytes), vector.block_hash);
        block_verify(&bytes, &key.verifying_key()).unwrap();
        let (opened, columns) = block_open(&bytes).unwrap();
        assert_eq!(opened, header);
        assert_eq!(columns.iter().collect::<Vec<_>>(), samples);
    }
}

#[test]
fn the_table_of_priors_is_the_published_one() {
    let lines: Vec<_> = statistics::priors().iter().map(|prior| serde_json::to_string(prior).unwrap()).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    if std::env::var_os("CALLOUT_WRITE_VECTORS").is_some() {
        std::fs::write(path("priors"), &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path("priors")).unwrap(), text, "the format changed");
}
