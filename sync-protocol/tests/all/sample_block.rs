//! The sealed block from outside: round trips, refusals, and bounds (R-TEST-3, R-TEST-5).

use crate::support::{header, key, samples};
use callout_sync_protocol::samples::sample::CAPTURED_AT_MS_MAX;
use callout_sync_protocol::samples::{
    BLOCK_VERSION, BlockError, BlockHash, BlockHeader, Cell, MAX_BLOCK_BYTES, MAX_SAMPLES_PER_BLOCK, Position, Sample,
    SampleColumns, SampleField, SealError, SegmentError, Technology, block_hash, block_header, block_open,
    block_open_into, block_seal, block_verify, blocks_seal, segment_decode, segment_encode,
};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_valid_samples_come_back_from_a_block(samples in samples(200)) {
        let columns = SampleColumns::from_samples(&samples).unwrap();
        let block = block_seal(&header(), &columns, &key()).unwrap();
        let expected = BlockHeader { sample_count: samples.len() as u32, ..header() };
        prop_assert_eq!(block_header(block.as_bytes()).unwrap(), expected);
        block_verify(block.as_bytes(), &key().verifying_key()).unwrap();
        let (opened, decoded) = block_open(block.as_bytes()).unwrap();
        prop_assert_eq!(opened, expected);
        prop_assert_eq!(decoded.iter().collect::<Vec<_>>(), samples);
        prop_assert_eq!(block_seal(&expected, &decoded, &key()).unwrap(), block);
    }

    #[test]
    fn any_valid_samples_come_back_from_a_segment(samples in samples(60)) {
        let columns = SampleColumns::from_samples(&samples).unwrap();
        let bytes = segment_encode(&columns).unwrap();
        prop_assert_eq!(segment_decode(&bytes).unwrap().iter().collect::<Vec<_>>(), samples);
        for cut in 0..bytes.len() {
            prop_assert!(segment_decode(&bytes[..cut]).is_err());
        }
    }
}

#[test]
fn the_real_logs_come_back() {
    let Some(data) = crate::support::logs::data_dir() else {
        eprintln!("skipped: the real logs are not there (set CALLOUT_SHARED_DATA)");
        return;
    };
    let mut scratch = SampleColumns::new();
    for (name, samples) in crate::support::logs::walks(&data).into_iter().chain(crate::support::logs::drives(&data)) {
        let columns = SampleColumns::from_samples(&samples).unwrap();
        let block = block_seal(&header(), &columns, &key()).unwrap();
        block_open_into(block.as_bytes(), &mut scratch).unwrap();
        assert_eq!(scratch.iter().collect::<Vec<_>>(), samples, "{name}");
    }
}

/// A sample of a technology with nothing known but that it was taken.
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

/// A walk of made-up samples, one a second.
fn walk(count: usize) -> Vec<Sample> {
    (0..count)
        .map(|n| {
            let swing = (n * 37 % 40) as i16;
            Sample {
                level_dbm: Some(-110 + swing),
                quality_half_db: Some(-30 + swing / 4),
                sinr_half_db: Some(swing),
                cell: Cell { cell_identity: Some(1000 + n as u64 / 50), ..Cell::default() },
                position: Some(Position {
                    latitude_e6: 30_600_000 + 7 * n as i32,
                    longitude_e6: 104_000_000 + 9 * n as i32,
                    accuracy_m: Some(5),
                    is_mock: false,
                }),
                rtt_tenth_ms: Some(400 + (n as u32 * 31) % 90),
                ..bare(Technology::Lte, 1_700_000_000_000 + 1000 * n as i64)
            }
        })
        .collect()
}

fn sealed(samples: &[Sample]) -> Vec<u8> {
    block_seal(&header(), &SampleColumns::from_samples(samples).unwrap(), &key()).unwrap().into_bytes()
}

fn opened(bytes: &[u8]) -> Vec<Sample> {
    block_open(bytes).unwrap().1.iter().collect()
}

#[test]
fn the_smallest_samples_come_back_whatever_their_number() {
    for technology in Technology::ALL {
        for count in [1, 2, 3] {
            let samples = vec![bare(technology, CAPTURED_AT_MS_MAX); count];
            assert_eq!(opened(&sealed(&samples)), samples);
        }
    }
}

#[test]
fn samples_come_back_in_the_order_given_even_if_their_clock_ran_backwards() {
    let mut samples = walk(50);
    samples.reverse();
    samples[20].captured_at_ms -= 86_400_000;
    assert_eq!(opened(&sealed(&samples)), samples);
}

#[test]
fn a_block_holds_the_most_samples_and_no_more() {
    let samples = walk(MAX_SAMPLES_PER_BLOCK);
    let bytes = sealed(&samples);
    assert!(bytes.len() < MAX_BLOCK_BYTES / 2, "{}", bytes.len());
    assert_eq!(opened(&bytes), samples);
    let mut columns = SampleColumns::from_samples(&samples).unwrap();
    columns.push(&samples[0]).unwrap();
    let count = MAX_SAMPLES_PER_BLOCK + 1;
    assert_eq!(block_seal(&header(), &columns, &key()), Err(SealError::TooManySamples { count }));
    assert_eq!(segment_encode(&columns), Err(SealError::TooManySamples { count }));
    assert_eq!(block_seal(&header(), &SampleColumns::new(), &key()), Err(SealError::Empty));
}

#[test]
fn a_value_out_of_range_never_enters_columns() {
    let mut columns = SampleColumns::new();
    let error =
        columns.push(&Sample { level_dbm: Some(-141), ..bare(Technology::Lte, CAPTURED_AT_MS_MAX) }).unwrap_err();
    assert_eq!((error.field, error.value, error.minimum, error.maximum), (SampleField::Level, -141, -140, -43));
    // The values that stand for absence inside are no values outside.
    assert!(columns.push(&Sample { level_dbm: Some(i16::MIN), ..bare(Technology::Lte, CAPTURED_AT_MS_MAX) }).is_err());
    assert!(
        columns.push(&Sample { rtt_tenth_ms: Some(u32::MAX), ..bare(Technology::Nr, CAPTURED_AT_MS_MAX) }).is_err()
    );
    assert!(columns.is_empty() && columns.cells().is_empty());
}

#[test]
fn no_damaged_block_verifies_and_none_does_harm() {
    let bytes = sealed(&walk(40));
    let public = key().verifying_key();
    let mut scratch = SampleColumns::new();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(block_verify(&damaged, &public).is_err(), "byte {at}");
        assert_ne!(block_hash(&damaged), block_hash(&bytes));
        let _ = block_open_into(&damaged, &mut scratch);
        assert!(block_verify(&bytes[..at], &public).is_err());
        assert!(block_open_into(&bytes[..at], &mut scratch).is_err() && scratch.is_empty());
    }
    block_verify(&bytes, &public).unwrap();
    assert_eq!(block_verify(&bytes, &SigningKey::from_bytes(&[8; 32]).verifying_key()), Err(BlockError::Signature));
}

#[test]
fn every_part_of_the_header_is_checked() {
    let bytes = sealed(&walk(3));
    let with = |at: usize, value: u8| {
        let mut changed = bytes.clone();
        changed[at] = value;
        block_header(&changed).unwrap_err()
    };
    assert_eq!(with(0, b'X'), BlockError::NotABlock);
    assert_eq!(with(3, BLOCK_VERSION + 1), BlockError::Version { version: BLOCK_VERSION + 1 });
    assert_eq!(with(36, 9), BlockError::Operator { code: 9 });
    assert_eq!(with(38, 0), BlockError::SampleCount { count: 0 });
    // Sequence 0 spelt in two bytes.
    let mut longer = bytes.clone();
    longer.splice(37..38, [0x80, 0x00]);
    assert_eq!(block_header(&longer), Err(BlockError::NotCanonical));
    // A count beyond the limit is refused before anything is allocated for it.
    longer.splice(37..40, [0x00, 0xFF, 0xFF, 0xFF, 0x7F]);
    assert_eq!(block_header(&longer), Err(BlockError::SampleCount { count: 0x0FFF_FFFF }));
    assert_eq!(block_header(&[]), Err(BlockError::Truncated));
    let bytes = MAX_BLOCK_BYTES + 1;
    assert_eq!(block_header(&vec![0; bytes]), Err(BlockError::TooLarge { bytes }));
}

#[test]
fn a_block_of_noise_in_place_of_samples_is_refused() {
    let mut bytes = sealed(&walk(300));
    let end = bytes.len() - 64;
    for (at, byte) in bytes[40..end].iter_mut().enumerate() {
        *byte = (at as u8).wrapping_mul(167) ^ 0x5A;
    }
    assert!(matches!(block_open(&bytes), Err(BlockError::Samples(_))));
}

#[test]
fn segments_join_to_the_block_that_the_whole_would_have_been() {
    let samples = walk(100);
    let mut joined = SampleColumns::new();
    for chunk in samples.chunks(17) {
        let segment = segment_encode(&SampleColumns::from_samples(chunk).unwrap()).unwrap();
        joined.append(&segment_decode(&segment).unwrap()).unwrap();
    }
    let block = block_seal(&header(), &joined, &key()).unwrap();
    assert_eq!(block.as_bytes(), sealed(&samples));
    assert!(segment_decode(&segment_encode(&SampleColumns::new()).unwrap()).unwrap().is_empty());
    let mut torn = segment_encode(&joined).unwrap();
    torn[9] ^= 4;
    assert_eq!(segment_decode(&torn), Err(SegmentError::Damaged));
}

#[test]
fn a_block_hash_is_text_json_and_cbor() {
    let hash = block_hash(b"callout");
    let text = hash.to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(text.parse::<BlockHash>(), Ok(hash));
    assert!(text[1..].parse::<BlockHash>().is_err());
    assert_eq!(serde_json::to_value(hash).unwrap(), serde_json::json!(text));
    assert_eq!(serde_json::from_str::<BlockHash>(&format!("\"{text}\"")).unwrap(), hash);
    let cbor = minicbor::to_vec(hash).unwrap();
    assert_eq!(cbor[..2], [0x58, 32]);
    assert_eq!(minicbor::decode::<BlockHash>(&cbor).unwrap(), hash);
}

#[test]
fn the_real_logs_are_small() {
    let Some(data) = crate::support::logs::data_dir() else {
        eprintln!("skipped: the real logs are not there (set CALLOUT_SHARED_DATA)");
        return;
    };
    let size = |logs: Vec<crate::support::logs::Log>| {
        let bytes: usize = logs.iter().map(|(_, samples)| sealed(samples).len()).sum();
        let count: usize = logs.iter().map(|(_, samples)| samples.len()).sum();
        bytes as f64 / count as f64
    };
    // Bytes per sample, seal included; the product promises 4.5.
    let walks = size(crate::support::logs::walks(&data));
    assert!(walks <= 2.85, "{walks}");
    let drives = size(crate::support::logs::drives(&data));
    assert!(drives <= 3.0, "{drives}");
}

#[test]
fn a_long_test_becomes_several_blocks() {
    let samples = walk(MAX_SAMPLES_PER_BLOCK + 10);
    let blocks = blocks_seal(&header(), &SampleColumns::from_samples(&samples).unwrap(), &key()).unwrap();
    let headers: Vec<_> = blocks.iter().map(|block| block_header(block.as_bytes()).unwrap()).collect();
    assert_eq!(
        headers.iter().map(|header| (header.sequence, header.sample_count)).collect::<Vec<_>>(),
        [(0, 65_536), (1, 10)]
    );
    assert_eq!(blocks.iter().flat_map(|block| opened(block.as_bytes())).collect::<Vec<_>>(), samples);
    assert_eq!(blocks_seal(&header(), &SampleColumns::new(), &key()), Err(SealError::Empty));
}

#[test]
fn samples_too_noisy_for_one_block_become_several() {
    // Every field jumps about at random, as no phone reports: about thirty bytes a sample.
    let mut state = 1u64;
    let mut random = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 20) % bound
    };
    let samples: Vec<_> = (0..45_000)
        .map(|_| Sample {
            cell: Cell {
                cell_identity: Some(random(1 << 36)),
                physical_cell_id: Some(random(1008) as u16),
                area_code: Some(random(1 << 24) as u32),
                channel: Some(random(3_279_166) as u32),
            },
            position: Some(Position {
                latitude_e6: random(90_000_000) as i32,
                longitude_e6: random(180_000_000) as i32,
                accuracy_m: Some(random(65_536) as u16),
                is_mock: random(2) == 1,
            }),
            downlink_kbps: Some(random(1_000_000_001) as u32),
            uplink_kbps: Some(random(1_000_000_001) as u32),
            ..bare(Technology::Nr, 946_684_800_000 + random(3_155_760_000_000) as i64)
        })
        .collect();
    let columns = SampleColumns::from_samples(&samples).unwrap();
    assert!(matches!(block_seal(&header(), &columns, &key()), Err(SealError::TooLarge { .. })));
    let blocks = blocks_seal(&header(), &columns, &key()).unwrap();
    assert!(blocks.len() > 1 && blocks.iter().all(|block| block.as_bytes().len() <= MAX_BLOCK_BYTES));
    assert_eq!(blocks.iter().flat_map(|block| opened(block.as_bytes())).collect::<Vec<_>>(), samples);
}
