//! Small worlds of the sync protocol, every one of their states; and, for each thought taken out of the protocol, the proof that the checker
//! would have noticed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use callout_model::{Bounds, Mutation, SyncModel};
use stateright::{Checker, Model};

/// Changes by desks, two phones between which orders go to and fro.
const TWO_PHONES: Bounds = Bounds { testers: 2, desk_changes: 2, ..Bounds::QUIET };
/// Commands against changes, every message repeated and late.
const COMMANDS: Bounds = Bounds { testers: 2, orders: 1, desk_changes: 2, commands: 1, attempts: 3, ..Bounds::QUIET };
/// Tombstones go while pages are on their way.
const COMPACTION: Bounds = Bounds { orders: 3, desk_changes: 2, compactions: 2, attempts: 4, ..Bounds::QUIET };
/// A desk's transaction stays open while others commit and phones pull.
const SLOW: Bounds =
    Bounds { orders: 3, desk_changes: 3, commands: 1, attempts: 3, slow_transactions: true, ..Bounds::QUIET };
/// The database is restored from a backup.
const RESTORE: Bounds = Bounds { orders: 2, desk_changes: 3, attempts: 3, restores: true, ..Bounds::QUIET };

/// A copy is spoiled while commands wait and orders change.
const SPOILED: Bounds =
    Bounds { orders: 2, desk_changes: 1, commands: 1, attempts: 3, checkpoints: true, spoils: 1, ..Bounds::QUIET };

/// Checks all states of the world and says how many there were.
fn states(bounds: Bounds) -> usize {
    let checker = SyncModel { bounds, mutation: None }.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.is_done());
    println!("{} states, depth {}", checker.unique_state_count(), checker.max_depth());
    checker.unique_state_count()
}

/// The checker finds a world in which the property does not hold.
#[track_caller]
fn is_noticed(bounds: Bounds, mutation: Mutation, property: &'static str) {
    let checker = SyncModel { bounds, mutation: Some(mutation) }
        .checker()
        .threads(2)
        .finish_when(stateright::HasDiscoveries::AnyOf([property].into()))
        .spawn_bfs()
        .join();
    assert!(checker.discovery(property).is_some(), "{mutation:?} goes unnoticed: {property}");
}

#[test]
fn orders_that_change_hands() {
    assert!(states(TWO_PHONES) > 10_000);
}

#[test]
fn commands_lost_repeated_and_late() {
    assert!(states(COMMANDS) > 10_000);
}

#[test]
fn tombstones_that_go_meanwhile() {
    assert!(states(COMPACTION) > 10_000);
}

#[test]
fn a_transaction_held_open() {
    assert!(states(SLOW) > 10_000);
}

#[test]
fn a_restored_database() {
    assert!(states(RESTORE) > 1_000);
}

#[test]
fn a_spoiled_copy() {
    assert!(states(SPOILED) > 1_000);
}

/// Nobody who has done no wrong is made to start over: not by a compaction, nor by a restored database that says so.
#[test]
fn checkpoints_of_sound_phones() {
    assert!(states(Bounds { checkpoints: true, ..COMPACTION }) > 10_000);
    assert!(states(Bounds { checkpoints: true, ..RESTORE }) > 1_000);
}

#[test]
fn ignored_checkpoints_are_noticed() {
    is_noticed(SPOILED, Mutation::IgnoresCheckpoints, "once nothing fails, every phone converges");
}

#[test]
fn unsent_work_dropped_by_a_reset_is_noticed() {
    is_noticed(SPOILED, Mutation::ResetsDropUnsentWork, "every command waits or is decided");
}

#[test]
fn a_server_that_forgets_receipts_is_noticed() {
    is_noticed(COMMANDS, Mutation::ForgetsReceipts, "nothing is applied twice");
}

#[test]
fn numbers_outside_the_lock_are_noticed() {
    is_noticed(SLOW, Mutation::NumbersFromASequence, "once nothing fails, every phone converges");
}

#[test]
fn silent_compaction_is_noticed() {
    is_noticed(COMPACTION, Mutation::CompactsSilently, "once nothing fails, every phone converges");
}

#[test]
fn compaction_in_place_is_noticed() {
    is_noticed(COMPACTION, Mutation::CompactsInPlace, "once nothing fails, every phone converges");
}

#[test]
fn an_ignored_reset_is_noticed() {
    is_noticed(COMPACTION, Mutation::IgnoresReset, "once nothing fails, every phone converges");
}

#[test]
fn late_answers_are_noticed() {
    is_noticed(TWO_PHONES, Mutation::TakesLateAnswers, "once nothing fails, every phone converges");
}

#[test]
fn a_silent_restore_is_noticed() {
    is_noticed(RESTORE, Mutation::RestoresSilently, "once nothing fails, every phone converges");
}
