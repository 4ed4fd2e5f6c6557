//! The feed never skips, whatever commits when.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::feeds::{FeedEntryKind, FeedState};
use callout_storage::{Storage, StorageError};
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use callout_sync_protocol::work_orders::LeftReason;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

on_both_databases!(
    an_order_is_in_a_feed_once,
    a_checkpoint_is_what_the_feed_told_last,
    compaction_makes_old_cursors_start_over,
    whoever_starts_over_after_a_compaction_gets_beyond_it,
    another_epoch_is_another_life,
    a_slow_transaction_hides_nothing_from_a_cursor,
    many_writers_hide_nothing_from_a_cursor,
);

fn numbers(storage: &Storage, tester: UserId, after: u64) -> Vec<(u64, WorkOrderId, FeedEntryKind)> {
    read(storage, |tx| tx.feed_page(tester, after, 500))
        .into_iter()
        .map(|(entry, order, complaint)| {
            assert_eq!((entry.work_order_id, order.complaint_id), (order.id, complaint.id));
            (entry.number, order.id, entry.kind)
        })
        .collect()
}

fn an_order_is_in_a_feed_once(storage: &Storage) {
    let world = world(storage);
    let other = add_order(storage, &world, 31, None);
    let tester = world.tester.id;
    let nothing = FeedState { epoch: 1, last_number: 0, compacted_through: 0, checkpoint: Checkpoint::EMPTY };
    assert_eq!(read(storage, |tx| tx.feed_state(tester)), nothing);
    let append = |order: WorkOrderId, left| write(storage, |tx| tx.feed_append(tester, order, left, at(1)));
    assert_eq!(append(world.order.id, None), 1);
    assert_eq!(append(other.id, None), 2);
    assert_eq!(append(world.order.id, Some(LeftReason::Reassigned)), 3);
    let (changed, left) = (FeedEntryKind::Changed, FeedEntryKind::Left);
    assert_eq!(numbers(storage, tester, 0), [(2, other.id, changed), (3, world.order.id, left)]);
    assert_eq!(numbers(storage, tester, 2), [(3, world.order.id, left)]);
    assert_eq!(numbers(storage, tester, 3), []);
    assert_eq!(append(world.order.id, None), 4, "it comes back");
    assert_eq!(numbers(storage, tester, 3), [(4, world.order.id, changed)]);
    let page = read(storage, |tx| tx.feed_page(tester, 0, 1));
    assert_eq!((page.len(), page[0].0.number), (1, 2));
    assert_eq!(numbers(storage, world.other_tester.id, 0), []);
    let state = read(storage, |tx| tx.feed_state(tester));
    assert_eq!(state, FeedState { last_number: 4, checkpoint: state.checkpoint, ..nothing });
    let entries = read(storage, |tx| tx.feed_entry_list_by_work_order(world.order.id));
    assert_eq!((entries.len(), entries[0].left_reason), (1, None));
}

/// Entering, changing, leaving, coming back, and the tidying in between: the sum is always that of the orders in scope.
fn a_checkpoint_is_what_the_feed_told_last(storage: &Storage) {
    let world = world(storage);
    let tester = world.tester.id;
    let mut orders =
        vec![world.order.clone(), add_order(storage, &world, 31, None), add_order(storage, &world, 32, None)];
    let checkpoint = || read(storage, |tx| tx.feed_state(tester)).checkpoint;
    for order in &mut orders {
        order.assigned_to = Some(tester);
        write(storage, |tx| tx.work_order_update(&mut order.clone()));
        *order = read(storage, |tx| tx.work_order_by_id(order.id)).unwrap();
    }
    let mut told: BTreeMap<WorkOrderId, u64> = BTreeMap::new();
    let mut random = 1u64;
    for round in 0..60 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = orders[(random >> 33) as usize % orders.len()].id;
        let left = ((random >> 40).is_multiple_of(3)).then_some(LeftReason::Reassigned);
        let version = write(storage, |tx| {
            let mut order = tx.work_order_by_id(id)?.unwrap();
            tx.work_order_update(&mut order)?;
            tx.feed_append(tester, id, left, at(round))?;
            Ok(order.version)
        });
        match left {
            None => told.insert(id, version),
            Some(_) => told.remove(&id),
        };
        if round % 7 == 0 {
            write(storage, |tx| tx.feed_compact(at(round - 3)));
        }
        assert_eq!(checkpoint(), Checkpoint::of(told.clone()), "round {round}");
    }
    assert_eq!(
        read(storage, |tx| tx.feed_list_ends()),
        [(tester, 1, read(storage, |tx| tx.feed_state(tester)).last_number)]
    );
    // An order that is somebody else's is not in the scope, whatever the entry says.
    write(storage, |tx| tx.feed_append(world.other_tester.id, orders[0].id, None, at(99)));
    assert_eq!(read(storage, |tx| tx.feed_state(world.other_tester.id)).checkpoint, Checkpoint::EMPTY);
}

fn compaction_makes_old_cursors_start_over(storage: &Storage) {
    let world = world(storage);
    let orders = [world.order.id, add_order(storage, &world, 31, None).id, add_order(storage, &world, 32, None).id];
    write(storage, |tx| {
        tx.feed_append(world.tester.id, orders[0], Some(LeftReason::Finished), at(1))?;
        tx.feed_append(world.tester.id, orders[1], Some(LeftReason::Finished), at(2))?;
        tx.feed_append(world.tester.id, orders[2], None, at(1))
    });
    assert_eq!(write(storage, |tx| tx.feed_compact(at(1))), 0);
    assert_eq!(write(storage, |tx| tx.feed_compact(at(2))), 1);
    assert_eq!(read(storage, |tx| tx.feed_state(world.tester.id)).compacted_through, 1);
    let kept: Vec<u64> = numbers(storage, world.tester.id, 0).iter().map(|entry| entry.0).collect();
    assert_eq!(kept, [2, 3]);
    assert_eq!(write(storage, |tx| tx.feed_compact(at(9))), 1);
    let state = read(storage, |tx| tx.feed_state(world.tester.id));
    assert_eq!((state.compacted_through, state.last_number), (2, 3));
}

/// Whatever page a phone stops at that starts over, its cursor must lie behind the tombstones that are gone.
fn whoever_starts_over_after_a_compaction_gets_beyond_it(storage: &Storage) {
    let world = world(storage);
    let tester = world.tester.id;
    let gone = add_order(storage, &world, 31, None).id;
    let stays = [world.order.id, add_order(storage, &world, 32, None).id];
    write(storage, |tx| {
        tx.feed_append(tester, stays[0], None, at(1))?;
        tx.feed_append(tester, stays[1], None, at(1))?;
        tx.feed_append(tester, gone, Some(LeftReason::Finished), at(1))
    });
    assert_eq!(write(storage, |tx| tx.feed_compact(at(2))), 1);
    let state = read(storage, |tx| tx.feed_state(tester));
    assert_eq!((state.compacted_through, state.last_number), (3, 5));
    let changed = FeedEntryKind::Changed;
    assert_eq!(numbers(storage, tester, 0), [(4, stays[0], changed), (5, stays[1], changed)]);
}

fn another_epoch_is_another_life(storage: &Storage) {
    let world = world(storage);
    write(storage, |tx| {
        tx.feed_append(world.tester.id, world.order.id, None, at(1))?;
        tx.feed_epoch_set(1_763_700_000)
    });
    assert_eq!(read(storage, |tx| tx.feed_state(world.tester.id)).epoch, 1_763_700_000);
    assert_eq!(read(storage, |tx| tx.feed_state(world.other_tester.id)).epoch, 1_763_700_000);
    write(storage, |tx| tx.feed_append(world.other_tester.id, world.order.id, None, at(1)));
    assert_eq!(read(storage, |tx| tx.feed_state(world.other_tester.id)).epoch, 1_763_700_000);
}

/// Reads by cursor, as a phone does, and remembers what it saw of each order.
fn pull(storage: &Storage, tester: UserId, cursor: &mut u64, seen: &mut BTreeMap<WorkOrderId, u64>) {
    for (number, order, _) in numbers(storage, tester, *cursor) {
        assert!(number > *cursor, "numbers grow");
        *cursor = number;
        seen.insert(order, number);
    }
}

fn a_slow_transaction_hides_nothing_from_a_cursor(storage: &Storage) {
    let world = world(storage);
    let tester = world.tester.id;
    let slow_order = world.order.id;
    let quick_orders: Vec<_> = (31..36).map(|number| add_order(storage, &world, number, None).id).collect();
    let (has_number, number_given) = channel();
    let (may_commit, commit_allowed) = channel::<()>();
    std::thread::scope(|scope| {
        let slow = scope.spawn(move || {
            let first_run = AtomicBool::new(true);
            storage
                .write("slow", |tx| -> Result<u64, StorageError> {
                    let number = tx.feed_append(tester, slow_order, None, at(1))?;
                    if first_run.swap(false, Ordering::Relaxed) {
                        has_number.send(number).unwrap();
                        commit_allowed.recv().unwrap();
                    }
                    Ok(number)
                })
                .unwrap()
        });
        assert_eq!(number_given.recv().unwrap(), 1);
        let quick: Vec<_> = quick_orders
            .iter()
            .map(|&order| scope.spawn(move || write(storage, |tx| tx.feed_append(tester, order, None, at(2)))))
            .collect();
        let (mut cursor, mut seen) = (0, BTreeMap::new());
        // While the slow one is open, nothing with a higher number may be visible: it would carry the cursor past it.
        for _ in 0..20 {
            pull(storage, tester, &mut cursor, &mut seen);
            assert_eq!((cursor, seen.len()), (0, 0));
        }
        may_commit.send(()).unwrap();
        while seen.len() < 6 {
            pull(storage, tester, &mut cursor, &mut seen);
        }
        assert_eq!(slow.join().unwrap(), 1);
        let mut numbers: Vec<u64> = quick.into_iter().map(|handle| handle.join().unwrap()).collect();
        numbers.sort();
        assert_eq!(numbers, [2, 3, 4, 5, 6]);
        assert_eq!(cursor, 6);
    });
}

fn many_writers_hide_nothing_from_a_cursor(storage: &Storage) {
    let world = world(storage);
    let orders: Vec<_> = (31..43).map(|number| add_order(storage, &world, number, None).id).collect();
    let testers = [world.tester.id, world.other_tester.id];
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = testers
            .iter()
            .map(|&tester| {
                let is_done = &is_done;
                scope.spawn(move || {
                    let (mut cursor, mut seen) = (0, BTreeMap::new());
                    loop {
                        let is_last = is_done.load(Ordering::Acquire);
                        pull(storage, tester, &mut cursor, &mut seen);
                        if is_last {
                            return seen;
                        }
                    }
                })
            })
            .collect();
        let writers: Vec<_> = orders
            .chunks(3)
            .map(|chunk| {
                scope.spawn(move || {
                    for round in 0..8 {
                        for &order in chunk {
                            write(storage, |tx| {
                                for tester in testers {
                                    tx.feed_append(tester, order, None, at(round))?;
                                }
                                Ok(())
                            });
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        is_done.store(true, Ordering::Release);
        for (reader, tester) in readers.into_iter().zip(testers) {
            let seen = reader.join().unwrap();
            let entries = numbers(storage, tester, 0);
            let latest: BTreeMap<_, _> = entries.iter().map(|&(number, order, _)| (order, number)).collect();
            assert_eq!(seen, latest, "the phone has the last change of each order");
            assert_eq!(latest.len(), orders.len());
            assert_eq!(read(storage, |tx| tx.feed_state(tester)).last_number, 12 * 8);
        }
    });
}
