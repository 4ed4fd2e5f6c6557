//! Shared by the sample tests: any valid sample as a proptest strategy, and a throw-away reader of the real logs.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use callout_sync_protocol::ids::{DeviceId, FieldTestId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::sample::{
    CAPTURED_AT_MS_MAX, CAPTURED_AT_MS_MIN, RTT_TENTH_MS_MAX, THROUGHPUT_KBPS_MAX,
};
use callout_sync_protocol::samples::{BlockHeader, Cell, Position, Sample, Technology};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

pub mod logs;

/// A key whose secret is told here, for tests only.
pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A header with synthetic ids.
pub fn header() -> BlockHeader {
    BlockHeader {
        field_test_id: FieldTestId::from_parts(1_700_000_000_000, [1; 10]),
        device_id: DeviceId::from_parts(1_700_000_000_001, [2; 10]),
        operator: Operator::ChinaUnicom,
        sequence: 0,
        sample_count: 0,
    }
}

/// A value in the limits, drawn to the extremes more often than chance would; absent if the technology has no such value.
fn in_limits((minimum, maximum): (i16, i16)) -> BoxedStrategy<Option<i16>> {
    if minimum > maximum {
        return Just(None).boxed();
    }
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(minimum)),
        1 => Just(Some(maximum)),
        5 => (minimum..=maximum).prop_map(Some),
    ]
    .boxed()
}

fn up_to(maximum: u64) -> BoxedStrategy<Option<u64>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(0)),
        1 => Just(Some(maximum)),
        2 => (0..=maximum).prop_map(Some),
        2 => (0..=maximum.min(300)).prop_map(Some),
    ]
    .boxed()
}

fn up_to_32(maximum: u32) -> BoxedStrategy<Option<u32>> {
    up_to(maximum.into()).prop_map(|value| value.map(|value| value as u32)).boxed()
}

fn position() -> impl Strategy<Value = Option<Position>> {
    let place = prop_oneof![
        1 => (-90_000_000..=90_000_000i32, -180_000_000..=180_000_000i32),
        3 => (30_600_000..30_600_400i32, 104_000_000..104_000_400i32),
        1 => Just((90_000_000, -180_000_000)),
        1 => Just((-90_000_000, 180_000_000)),
    ];
    let accuracy = prop_oneof![Just(None), any::<u16>().prop_map(Some), (0..30u16).prop_map(Some)];
    proptest::option::weighted(
        0.8,
        (place, accuracy, proptest::bool::weighted(0.1)).prop_map(
            |((latitude_e6, longitude_e6), accuracy_m, is_mock)| Position {
                latitude_e6,
                longitude_e6,
                accuracy_m,
                is_mock,
            },
        ),
    )
}

fn captured_at_ms() -> impl Strategy<Value = i64> {
    prop_oneof![
        1 => CAPTURED_AT_MS_MIN..=CAPTURED_AT_MS_MAX,
        1 => Just(CAPTURED_AT_MS_MIN),
        1 => Just(CAPTURED_AT_MS_MAX),
        8 => 1_700_000_000_000..1_700_000_060_000i64,
    ]
}

/// Any valid sample.
pub fn sample() -> impl Strategy<Value = Sample> {
    prop::sample::select(Technology::ALL.to_vec()).prop_flat_map(|technology| {
        let limits = technology.limits();
        (
            captured_at_ms(),
            (in_limits(limits.level_dbm), in_limits(limits.quality_half_db), in_limits(limits.sinr_half_db)),
            (
                up_to(limits.cell_identity_max),
                up_to_32(limits.physical_cell_id_max.into()),
                up_to_32(limits.area_code_max),
                up_to_32(limits.channel_max),
            ),
            position(),
            (up_to_32(RTT_TENTH_MS_MAX), up_to_32(THROUGHPUT_KBPS_MAX), up_to_32(THROUGHPUT_KBPS_MAX)),
        )
            .prop_map(move |(captured_at_ms, radio, cell, position, rates)| Sample {
                captured_at_ms,
                technology,
                level_dbm: radio.0,
                quality_half_db: radio.1,
                sinr_half_db: radio.2,
                cell: Cell {
                    cell_identity: cell.0,
                    physical_cell_id: cell.1.map(|value| value as u16),
                    area_code: cell.2,
                    channel: cell.3,
                },
                position,
                rtt_tenth_ms: rates.0,
                downlink_kbps: rates.1,
                uplink_kbps: rates.2,
            })
    })
}

/// Samples as a test yields them: many values are those of the sample before.
pub fn samples(most: usize) -> impl Strategy<Value = Vec<Sample>> {
    (proptest::collection::vec((sample(), any::<u8>()), 1..=most)).prop_map(|drawn| {
        let mut samples: Vec<Sample> = Vec::with_capacity(drawn.len());
        for (mut sample, keep) in drawn {
            if let Some(last) = samples.iter().rev().find(|last| last.technology == sample.technology) {
                if keep & 1 != 0 {
                    sample.cell = last.cell;
                }
                if keep & 2 != 0 {
                    sample.position = last.position;
                }
                if keep & 4 != 0 {
                    sample.rtt_tenth_ms = last.rtt_tenth_ms;
                }
                if keep & 8 != 0 {
                    sample.level_dbm = last.level_dbm;
                    sample.quality_half_db = last.quality_half_db;
                }
                if keep & 16 != 0 {
                    (sample.downlink_kbps, sample.uplink_kbps) = (last.downlink_kbps, last.uplink_kbps);
                }
                if keep & 32 != 0 {
                    sample.captured_at_ms = (last.captured_at_ms + i64::from(keep)).min(CAPTURED_AT_MS_MAX);
                }
            }
            samples.push(sample);
        }
        samples
    })
}
