//! The codec from inside: symbols that no honest encoder writes, and values that no standard allows.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::rans::{Encoder, Sink};
use super::*;
use crate::samples::columns::ABSENT_32;
use crate::samples::sample::{
    CAPTURED_AT_MS_MAX, Cell, Position, RTT_TENTH_MS_MAX, Sample, SampleField, THROUGHPUT_KBPS_MAX, Technology,
};
use proptest::prelude::*;

/// A small generator of pseudo-random numbers (xorshift64*), so that a failing case can be named by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// A walk with everything in it: pairs, pauses, moves, cells that come back, pings, downloads, gaps in all of them.
fn walk(count: usize, seed: u64) -> SampleColumns {
    let mut random = Random(seed | 1);
    let mut columns = SampleColumns::new();
    let mut sample = Sample {
        captured_at_ms: 1_700_000_000_000,
        technology: Technology::Lte,
        level_dbm: Some(-95),
        quality_half_db: Some(-20),
        sinr_half_db: Some(10),
        cell: Cell::default(),
        position: None,
        rtt_tenth_ms: None,
        downlink_kbps: None,
        uplink_kbps: None,
    };
    while columns.len() < count {
        sample.captured_at_ms += [0, 1, 1000, 2240, 997, 40_000, 137][random.below(7) as usize];
        sample.technology = Technology::ALL[random.below(4) as usize];
        let limits = sample.technology.limits();
        let mut within = |(minimum, maximum): (i16, i16), last: Option<i16>| {
            if minimum > maximum || random.below(30) == 0 {
                return None;
            }
            let step = random.below(9) as i16 - 4;
            Some((last.unwrap_or(minimum / 2 + maximum / 2) + step).clamp(minimum, maximum))
        };
        sample.level_dbm = within(limits.level_dbm, sample.level_dbm);
        sample.quality_half_db = within(limits.quality_half_db, sample.quality_half_db);
        sample.sinr_half_db = within(limits.sinr_half_db, sample.sinr_half_db);
        if random.below(4) == 0 {
            let mut some = |bound: u64| Some(random.below(bound)).filter(|value| value % 7 != 0);
            sample.cell = Cell {
                cell_identity: some(600),
                physical_cell_id: some(64).map(|value| value as u16),
                area_code: some(3).map(|value| value as u32),
                channel: some(1000).map(|value| value as u32),
            };
        }
        if random.below(3) == 0 {
            sample.position = Some(Position {
                latitude_e6: 30_600_000 + random.below(900) as i32,
                longitude_e6: 104_000_000 + random.below(900) as i32,
                accuracy_m: Some(random.below(30) as u16).filter(|metres| *metres > 3),
                is_mock: random.below(9) == 0,
            })
            .filter(|position| position.latitude_e6 % 11 != 0);
        }
        if random.below(2) == 0 {
            sample.rtt_tenth_ms = Some(400 + random.below(800) as u32).filter(|rtt| rtt % 13 != 0);
            sample.downlink_kbps = Some(random.below(90_000) as u32).filter(|rate| rate % 3 != 0);
            sample.uplink_kbps = Some(random.below(50) as u32).filter(|rate| rate % 5 != 0);
        }
        // Each technology has its own limits; what they do not allow is not measured.
        let ok = columns.push(&sample).is_ok();
        if !ok {
            sample.cell = Cell::default();
        }
    }
    columns
}

/// Passes symbols on to the encoder, and now and then other ones.
struct Mutator {
    encoder: Encoder,
    random: Random,
    one_in: u64,
}

impl Sink for Mutator {
    fn symbol(&mut self, context: usize, symbol: usize) {
        let symbol = if self.random.below(self.one_in) == 0 { self.random.below(16) as usize } else { symbol };
        self.encoder.symbol(context, symbol);
    }

    fn bits(&mut self, count: u32, value: u32) {
        let mask = ((1u64 << count) - 1) as u32;
        let value = if self.random.below(self.one_in) == 0 { self.random.below(1 << 16) as u32 & mask } else { value };
        self.encoder.bits(count, value);
    }
}

/// What decodes at all is what the encoder would have written for it: one content, one encoding.
fn assert_canonical(bytes: &[u8], count: usize) -> bool {
    let mut columns = SampleColumns::new();
    let result = decode(bytes, count, &mut columns);
    if result.is_ok() {
        columns.validate().unwrap();
        let mut again = Vec::new();
        super::encode(&columns, &mut again);
        assert!(again == bytes, "decoded, but the encoder writes it otherwise");
    }
    result.is_ok()
}

#[test]
fn wrong_symbols_are_refused_or_are_the_only_way_to_say_what_they_say() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 1..1_000u64 {
        let count = 1 + seed as usize % 40;
        let columns = walk(count, seed);
        let mut mutator = Mutator { encoder: Encoder::new(0), random: Random(seed * 7919), one_in: 20 + seed % 400 };
        encode::encode(&columns, &mut mutator);
        let mut bytes = Vec::new();
        mutator.encoder.finish(&mut bytes);
        // A wrong symbol changes what the following ones mean, so the end rarely fits; the first samples may all the same.
        if assert_canonical(&bytes, count) {
            accepted += 1;
        } else {
            refused += 1;
        }
    }
    assert!(accepted > 30 && refused > 100, "{accepted} accepted, {refused} refused: the test has lost its edge");
}

#[test]
fn random_bytes_are_refused_without_harm() {
    let mut random = Random(42);
    for round in 0..1_000 {
        let length = random.below(if round % 10 == 0 { 3_000 } else { 90 }) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        // Half of them with states that the decoder lets pass.
        if length >= 8 && round % 2 == 0 {
            bytes[3] |= 1;
            bytes[7] |= 1;
        }
        assert_canonical(&bytes, 1 + random.below(500) as usize);
    }
}

#[test]
fn damaged_bytes_are_refused_or_canonical() {
    let columns = walk(40, 5);
    let mut bytes = Vec::new();
    super::encode(&columns, &mut bytes);
    assert!(assert_canonical(&bytes, 40));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert_canonical(&damaged, 40);
        }
        let mut scratch = SampleColumns::new();
        assert!(decode(&bytes[..at], 40, &mut scratch).is_err());
    }
    let mut scratch = SampleColumns::new();
    let mut longer = bytes.clone();
    longer.extend([0, 0]);
    assert_eq!(decode(&longer, 40, &mut scratch), Err(CodecError::TrailingBytes));
    scratch.clear();
    assert!(decode(&bytes, 39, &mut scratch).is_err());
    scratch.clear();
    assert!(decode(&bytes, 41, &mut scratch).is_err());
}

/// The field that a decoder complains of when the encoder was made to pack what columns should never hold.
fn refused_field(spoil: impl Fn(&mut SampleColumns)) -> (u32, SampleField, i64) {
    let mut columns = SampleColumns::new();
    for step in 0..3 {
        let sample = Sample {
            captured_at_ms: 1_700_000_000_000 + step * 1000,
            technology: Technology::Lte,
            level_dbm: Some(-95),
            quality_half_db: Some(-20),
            sinr_half_db: Some(10),
            cell: Cell::default(),
            position: Some(Position {
                latitude_e6: 30_600_000 + step as i32,
                longitude_e6: 104_000_000,
                accuracy_m: None,
                is_mock: false,
            }),
            rtt_tenth_ms: None,
            downlink_kbps: None,
            uplink_kbps: None,
        };
        columns.push(&sample).unwrap();
    }
    spoil(&mut columns);
    let mut bytes = Vec::new();
    super::encode(&columns, &mut bytes);
    match decode(&bytes, 3, &mut SampleColumns::new()) {
        Err(CodecError::OutOfRange { index, error }) => (index, error.field, error.value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_out_of_range_is_refused_with_its_sample_and_field() {
    use SampleField as F;
    let too_late = CAPTURED_AT_MS_MAX + 1;
    assert_eq!(refused_field(|c| c.captured_at_ms[2] = too_late), (2, F::CapturedAt, too_late));
    assert_eq!(refused_field(|c| c.level_dbm[1] = -141), (1, F::Level, -141));
    assert_eq!(refused_field(|c| c.level_dbm[1] = -42), (1, F::Level, -42));
    assert_eq!(refused_field(|c| c.quality_half_db[2] = 6), (2, F::Quality, 6));
    assert_eq!(refused_field(|c| c.sinr_half_db[0] = -47), (0, F::Sinr, -47));
    assert_eq!(refused_field(|c| c.positions[0].latitude_e6 = 90_000_001), (0, F::Latitude, 90_000_001));
    assert_eq!(refused_field(|c| c.positions[2].longitude_e6 = -180_000_001), (2, F::Longitude, -180_000_001));
    let too_long = RTT_TENTH_MS_MAX + 10;
    assert_eq!(refused_field(|c| c.rtt_tenth_ms[1] = too_long), (1, F::RoundTripTime, too_long.into()));
    let too_fast = THROUGHPUT_KBPS_MAX + 1;
    assert_eq!(refused_field(|c| c.downlink_kbps[1] = too_fast), (1, F::Downlink, too_fast.into()));
    assert_eq!(refused_field(|c| c.uplink_kbps[1] = too_fast), (1, F::Uplink, too_fast.into()));
    assert_eq!(refused_field(|c| c.cells[0].1.physical_cell_id = Some(504)), (0, F::PhysicalCellId, 504));
}

#[test]
fn a_technology_without_a_value_must_not_have_one() {
    let mut columns = SampleColumns::new();
    columns
        .push(&Sample {
            captured_at_ms: 1_700_000_000_000,
            technology: Technology::Gsm,
            level_dbm: None,
            quality_half_db: None,
            sinr_half_db: None,
            cell: Cell::default(),
            position: None,
            rtt_tenth_ms: None,
            downlink_kbps: None,
            uplink_kbps: None,
        })
        .unwrap();
    columns.sinr_half_db[0] = 0;
    let mut bytes = Vec::new();
    super::encode(&columns, &mut bytes);
    let result = decode(&bytes, 1, &mut SampleColumns::new());
    assert!(matches!(result, Err(CodecError::OutOfRange { error, .. }) if error.field == SampleField::Sinr));
}

#[test]
fn decoded_columns_can_be_added_to() {
    let columns = walk(200, 9);
    let mut bytes = Vec::new();
    super::encode(&columns, &mut bytes);
    let mut decoded = SampleColumns::new();
    decode(&bytes, 200, &mut decoded).unwrap();
    decoded.append(&columns).unwrap();
    assert_eq!(decoded.len(), 400);
    assert!(decoded.iter().eq(columns.iter().chain(columns.iter())));
    assert!(decoded.position.iter().all(|&at| at == ABSENT_32 || (at as usize) < decoded.positions.len()));
}

proptest! {
    #[test]
    fn header_numbers_come_back(value in any::<u64>(), shift in 0u32..64) {
        let value = value >> shift;
        let mut bytes = Vec::new();
        write_varint(&mut bytes, value);
        let mut rest = &bytes[..];
        prop_assert_eq!(read_varint(&mut rest), Ok(value));
        prop_assert!(rest.is_empty());
        // A longer spelling of the same number is refused.
        let last = bytes.len() - 1;
        bytes[last] |= 0x80;
        bytes.push(0);
        prop_assert!(read_varint(&mut &bytes[..]).is_err());
    }
}
