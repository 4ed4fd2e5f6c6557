//! The sealed block from outside: round trips, refusals, and bounds (R-TEST-3, R-TEST-5).
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use callout_sync_protocol::samples::{
    BlockHeader, SampleColumns, block_header, block_open, block_open_into, block_seal, block_verify, segment_decode,
    segment_encode,
};
use proptest::prelude::*;
use support::{header, key, samples};

proptest! {
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
    let Some(data) = support::logs::data_dir() else {
        eprintln!("skipped: the real logs are not there (set CALLOUT_SHARED_DATA)");
        return;
    };
    let mut scratch = SampleColumns::new();
    for (name, samples) in support::logs::walks(&data).into_iter().chain(support::logs::drives(&data)) {
        let columns = SampleColumns::from_samples(&samples).unwrap();
        let block = block_seal(&header(), &columns, &key()).unwrap();
        block_open_into(block.as_bytes(), &mut scratch).unwrap();
        assert_eq!(scratch.iter().collect::<Vec<_>>(), samples, "{name}");
    }
}
