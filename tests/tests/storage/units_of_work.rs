//! Units of work: all or nothing, run again after conflicts, one snapshot for reading.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::{Storage, StorageError};
use callout_tests::postgres as cluster;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

on_both_databases!(
    what_fails_leaves_nothing,
    a_panic_leaves_nothing_and_the_store_works_on,
    a_reader_sees_one_snapshot,
    a_race_for_a_key_is_run_again,
    migrating_again_changes_nothing,
    reading_cannot_write,
);

fn what_fails_leaves_nothing(storage: &Storage) {
    let failed: Result<(), StorageError> = storage.write("test", |tx| {
        tx.user_insert(&user(1))?;
        tx.user_insert(&user(1))
    });
    assert!(matches!(failed, Err(StorageError::UniqueViolation { .. })), "{failed:?}");
    assert_eq!(read(storage, |tx| tx.user_count()), 0);
}

fn a_panic_leaves_nothing_and_the_store_works_on(storage: &Storage) {
    for _ in 0..12 {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            storage.write("test", |tx| -> Result<(), StorageError> {
                tx.user_insert(&user(1))?;
                std::panic::resume_unwind(Box::new("on purpose"))
            })
        }));
        assert!(panicked.is_err());
    }
    assert_eq!(read(storage, |tx| tx.user_count()), 0);
    write(storage, |tx| tx.user_insert(&user(1)));
    assert_eq!(read(storage, |tx| tx.user_count()), 1);
}

fn a_reader_sees_one_snapshot(storage: &Storage) {
    let counts = read(storage, |tx| {
        let before = tx.user_count()?;
        std::thread::scope(|scope| scope.spawn(|| write(storage, |tx| tx.user_insert(&user(1)))).join().unwrap());
        Ok((before, tx.user_count()?))
    });
    assert_eq!(counts, (0, 0));
    assert_eq!(read(storage, |tx| tx.user_count()), 1);
}

fn a_race_for_a_key_is_run_again(storage: &Storage) {
    let world = world(storage);
    let barrier = Barrier::new(4);
    let runs = AtomicU32::new(0);
    // Four requests push the same complaint at once: one makes it, all get it.
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (world, barrier, runs) = (&world, &barrier, &runs);
            scope.spawn(move || {
                barrier.wait();
                let found = write(storage, |tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    if let Some(found) = tx.complaint_by_reference(world.tester.id, "race")? {
                        return Ok(found);
                    }
                    let mut made = complaint(300 + number, world.tester.id, None);
                    made.reference = "race".to_owned();
                    tx.complaint_insert(&made)?;
                    Ok(made)
                });
                assert_eq!(found.reference, "race");
            });
        }
    });
    assert!(runs.load(Ordering::Relaxed) >= 4);
}

fn migrating_again_changes_nothing(storage: &Storage) {
    assert_eq!(storage.migrations_pending().unwrap(), Vec::<String>::new());
    assert_eq!(storage.migrate().unwrap(), Vec::<String>::new());
    storage.ping().unwrap();
}

fn reading_cannot_write(storage: &Storage) {
    let refused = storage.read("test", |tx| tx.user_insert(&user(1)));
    assert!(refused.is_err());
    assert_eq!(read(storage, |tx| tx.user_count()), 0);
}

/// Two units of work that lock the same rows in opposite order: PostgreSQL stops one, which runs again.
#[test]
fn a_deadlock_is_run_again_on_postgres() {
    let Some(storage) = cluster::fresh_storage("the deadlock test").unwrap() else { return };
    let world = world(&storage);
    let other = add_order(&storage, &world, 31, None).id;
    let ids = [world.order.id, other];
    let (first_ready, first_is_ready) = channel();
    let (second_ready, second_is_ready) = channel();
    let runs = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let storage = &storage;
        let runs = &runs;
        let work = move |order: [usize; 2], say: std::sync::mpsc::Sender<()>, hear: std::sync::mpsc::Receiver<()>| {
            let mut is_first_run = true;
            storage
                .write("crossing", |tx| -> Result<(), StorageError> {
                    runs.fetch_add(1, Ordering::Relaxed);
                    let mut first = tx.work_order_lock(ids[order[0]])?.unwrap();
                    if std::mem::replace(&mut is_first_run, false) {
                        say.send(()).unwrap();
                        hear.recv().unwrap();
                    }
                    let mut second = tx.work_order_lock(ids[order[1]])?.unwrap();
                    tx.work_order_update(&mut first)?;
                    tx.work_order_update(&mut second)
                })
                .unwrap();
        };
        scope.spawn(move || work([0, 1], first_ready, second_is_ready));
        scope.spawn(move || work([1, 0], second_ready, first_is_ready));
    });
    assert!(runs.load(Ordering::Relaxed) >= 3, "one of the two ran again");
    for id in ids {
        assert_eq!(read(&storage, |tx| tx.work_order_by_id(id)).unwrap().version, 3);
    }
}

/// Servers that start together on an empty database wait for each other.
#[test]
fn servers_that_start_together_migrate_once_on_postgres() {
    let Some(url) = cluster::empty_database_url("the test of servers that start together").unwrap() else { return };
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let servers: Vec<_> = (0..4)
            .map(|_| {
                let config = callout_storage::StorageConfig::Postgres { url: url.clone(), pool_size: 2 };
                scope.spawn(move || Storage::open(&config).unwrap().migrate().unwrap().len())
            })
            .collect();
        servers.into_iter().map(|server| server.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().filter(|&&count| count > 0).count(), 1, "{applied:?}");
}
