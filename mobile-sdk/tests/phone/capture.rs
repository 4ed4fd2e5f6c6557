//! Capture and sealing: nothing acknowledged is lost, nothing comes twice, wherever the phone dies (R-TEST-5).

use super::support::{MORNING, World, findings, missing, order_id, sample};
use callout_mobile_sdk::capture::FLUSH_SAMPLES;
use callout_mobile_sdk::capture::seal::field_test_seal;
use callout_mobile_sdk::store::account::device_load_or_create;
use callout_mobile_sdk::store::blocks::{block_citation_list, block_list_sealed};
use callout_mobile_sdk::store::{Store, StoreError};
use callout_mobile_sdk::{CaptureError, DeviceKey, Source};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::samples::{Sample, block_open, block_verify};
use callout_sync_protocol::time::Timestamp;

const LOG: &[u8] = b"first line of a log that is long enough to be known again";

fn log() -> Source {
    Source::log("walk.out", LOG).unwrap()
}

/// Every sample of one operator that the server holds, in the order of blocks.
fn samples_on_server(world: &World, operator: Operator) -> Vec<Sample> {
    let mut blocks: Vec<_> = world
        .server
        .blocks
        .values()
        .map(|bytes| {
            block_verify(bytes, &world.server.key.unwrap()).unwrap();
            block_open(bytes).unwrap()
        })
        .filter(|(header, _)| header.operator == operator)
        .collect();
    blocks.sort_by_key(|(header, _)| header.sequence);
    blocks.iter().flat_map(|(_, columns)| columns.iter().collect::<Vec<_>>()).collect()
}

#[test]
fn a_kill_at_any_sample_loses_and_repeats_none_of_a_log() {
    const SAMPLES: u64 = 1_050;
    let kills: Vec<u64> = (0..=5).flat_map(|n| [199, 200, 201].map(|at| n * FLUSH_SAMPLES as u64 + at)).collect();
    for kill_at in kills.into_iter().filter(|&at| at <= SAMPLES) {
        let mut world = World::synced(&[1]);
        world.go_on_site(1);
        let mut session = world.phone.capture_begin(order_id(1), Operator::ChinaUnicom, &log()).unwrap();
        for index in 0..kill_at {
            world.phone.capture_push(&mut session, &sample(index)).unwrap();
        }
        let acknowledged = session.source_samples_safe();
        // No flush, no goodbye.
        drop(session);
        world.restart();
        let mut session = world.phone.capture_begin(order_id(1), Operator::ChinaUnicom, &log()).unwrap();
        let resumed_at = session.source_samples_safe();
        assert_eq!(resumed_at, acknowledged, "what was acknowledged is there");
        assert!(kill_at - resumed_at < FLUSH_SAMPLES as u64, "killed at {kill_at}, resumed at {resumed_at}");
        for index in resumed_at..SAMPLES {
            world.phone.capture_push(&mut session, &sample(index)).unwrap();
        }
        world.phone.capture_flush(&mut session).unwrap();
        world.phone.findings_record(order_id(1), findings()).unwrap();
        let others = missing(&[Operator::ChinaMobile, Operator::ChinaTelecom]);
        world.phone.submit(order_id(1), others).unwrap();
        world.restart();
        world.sync();
        let expected: Vec<_> = (0..SAMPLES).map(sample).collect();
        assert_eq!(samples_on_server(&world, Operator::ChinaUnicom), expected, "killed at {kill_at}");
    }
}

#[test]
fn a_slow_trickle_is_safe_after_a_second() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let mut session = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &Source::Live).unwrap();
    assert!(!world.phone.capture_push(&mut session, &sample(0)).unwrap());
    world.env.advance_ms(999);
    assert!(!world.phone.capture_push(&mut session, &sample(1)).unwrap());
    world.env.advance_ms(1);
    assert!(world.phone.capture_push(&mut session, &sample(2)).unwrap());
    assert_eq!(session.source_samples_safe(), 3);
    // A clock that is set back must not keep samples in memory.
    world.phone.capture_push(&mut session, &sample(3)).unwrap();
    world.env.advance_ms(-3_600_000);
    assert!(world.phone.capture_push(&mut session, &sample(4)).unwrap());
}

#[test]
fn a_log_that_grew_since_is_the_same_log() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let begin = |world: &mut World, bytes: &[u8]| {
        let source = Source::log("walk.out", bytes).unwrap();
        world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &source).unwrap()
    };
    let mut session = begin(&mut world, b"short");
    world.phone.capture_push(&mut session, &sample(0)).unwrap();
    world.phone.capture_flush(&mut session).unwrap();
    assert_eq!(begin(&mut world, b"short and then longer").source_samples_safe(), 1);
    assert_eq!(begin(&mut world, b"another log").source_samples_safe(), 0);
}

#[test]
fn two_captures_of_one_log_make_no_duplicates() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let mut first = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &log()).unwrap();
    let mut second = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &log()).unwrap();
    for index in 0..10 {
        world.phone.capture_push(&mut first, &sample(index)).unwrap();
        world.phone.capture_push(&mut second, &sample(index)).unwrap();
    }
    world.phone.capture_flush(&mut first).unwrap();
    assert!(matches!(world.phone.capture_flush(&mut second), Err(CaptureError::Elsewhere)));
    assert_eq!(world.phone.status().unwrap().captures.samples, 10);
}

#[test]
fn a_sample_out_of_range_is_counted_and_does_not_stop_the_rest() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let mut session = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &log()).unwrap();
    let impossible = Sample { level_dbm: Some(12), ..sample(1) };
    world.phone.capture_push(&mut session, &sample(0)).unwrap();
    assert!(matches!(world.phone.capture_push(&mut session, &impossible), Err(CaptureError::Refused(_))));
    world.phone.capture_push(&mut session, &sample(2)).unwrap();
    world.phone.capture_flush(&mut session).unwrap();
    let captures = world.phone.status().unwrap().captures;
    assert_eq!((captures.samples, captures.refused_samples), (2, 1));
    assert_eq!(session.source_samples_safe(), 3, "the source goes on behind the refused one");
}

/// A kill between sealing and the end of its transaction leaves the segments; sealing again gives the same bytes.
#[test]
fn sealing_again_gives_the_same_blocks() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..1_000);
    let test = world.phone.order(order_id(1)).unwrap().view.field_test_id.unwrap();
    let mut store = Store::open_with(world.folder.path(), super::support::store_key().as_ref()).unwrap();
    let env = world.env.clone();
    let device =
        store.write(|connection| device_load_or_create(connection, env.as_ref(), &DeviceKey::KeptInStore)).unwrap();
    let now = callout_sync_protocol::time::Timestamp::from_unix_micros(MORNING * 1_000_000).unwrap();
    let mut first = None;
    let killed: Result<(), StoreError> = store.write(|connection| {
        field_test_seal(connection, &device, test, now)?;
        first = Some(block_list_sealed(connection, Timestamp::EPOCH, 10, usize::MAX)?);
        Err(StoreError::Damaged { what: "the battery is empty" })
    });
    killed.unwrap_err();
    assert!(block_list_sealed(store.connection(), Timestamp::EPOCH, 10, usize::MAX).unwrap().is_empty());
    assert_eq!(world.phone.status().unwrap().captures.unsealed_samples, 1_000);
    let blocks = store.write(|connection| field_test_seal(connection, &device, test, now)).unwrap();
    assert_eq!(blocks, 1);
    assert_eq!(first.unwrap(), block_list_sealed(store.connection(), Timestamp::EPOCH, 10, usize::MAX).unwrap());
    let again = store.write(|connection| field_test_seal(connection, &device, test, now)).unwrap();
    assert_eq!(again, 0, "nothing is left to seal");
    assert_eq!(block_citation_list(store.connection(), test).unwrap().len(), 1);
}

#[test]
fn a_long_test_is_sealed_into_blocks_of_like_size() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..45_000);
    assert_eq!(world.phone.capture_seal(order_id(1)).unwrap(), 3);
    world.sync();
    let sizes: Vec<_> = world.server.blocks.values().map(|bytes| block_open(bytes).unwrap().1.len()).collect();
    assert!(sizes.iter().all(|size| (14_600..=15_400).contains(size)), "{sizes:?}");
    assert!(world.server.blocks.values().all(|bytes| bytes.len() <= 100 * 1024));
    assert_eq!(samples_on_server(&world, Operator::ChinaMobile), (0..45_000).map(sample).collect::<Vec<_>>());
}

#[test]
fn a_segment_that_the_medium_damaged_stands_in_nobodys_way() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..600);
    world
        .phone
        .store()
        .connection()
        .execute("UPDATE segments SET bytes = CAST(substr(bytes, 1, length(bytes) - 2) || x'0000' AS BLOB) WHERE position = 2", [])
        .unwrap();
    assert_eq!(world.phone.capture_seal(order_id(1)).unwrap(), 1);
    world.sync();
    assert_eq!(world.server.samples_received(), 400);
    let captures = world.phone.status().unwrap().captures;
    assert_eq!((captures.samples, captures.damaged_samples), (600, 200), "told, and kept");
}
