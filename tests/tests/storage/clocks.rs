//! Clocks with their history, and questions to customers.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::clocks::{ClockEntryRecord, ClockFilter, ClockOutcome, ClockRecord};
use callout_storage::complaints::ComplaintState;
use callout_storage::customer_questions::CustomerQuestion;
use callout_storage::{Page, RegionScope, Storage, StorageError};
use callout_sync_protocol::ids::{ClockId, ComplaintId};
use serde_json::json;

on_both_databases!(
    a_clock_round_trips_with_its_history,
    clocks_are_listed_by_deadline,
    complaints_without_a_clock_are_found,
    questions_wait_for_their_answer,
);

fn clock(number: u64, world: &World) -> ClockRecord {
    ClockRecord {
        id: id(number),
        kind: "handling".to_owned(),
        complaint_id: world.complaint.id,
        work_order_id: None,
        region_id: Some(world.region.id),
        utc_offset_minutes: -210,
        measure: "working_days".to_owned(),
        budget_micros: 259_200_000_001,
        limit_key: "quality".to_owned(),
        is_major: false,
        standing: "running".to_owned(),
        started_at: at(1),
        due_at: at(number as i64),
        warn_at: at(2),
        warned_at: None,
        breached_at: None,
        breach_recorded_at: None,
        suggested_cause: None,
        breach_cause: None,
        breach_note: None,
        cause_named_by: None,
        cause_named_at: None,
        stopped_at: None,
        outcome: None,
        used_micros: -1,
        time_by_stage: json!({}),
        version: 1,
    }
}

fn entry(clock: &ClockRecord, number: u64, event: &str) -> ClockEntryRecord {
    ClockEntryRecord {
        clock_id: clock.id,
        number,
        happened_at: at(number as i64),
        event: event.to_owned(),
        reason: "受理投诉".to_owned(),
        budget_micros: clock.budget_micros,
    }
}

fn a_clock_round_trips_with_its_history(storage: &Storage) {
    let world = world(storage);
    let mut held = clock(100, &world);
    let started = entry(&held, 1, "started");
    write(storage, |tx| tx.clock_insert(&held, std::slice::from_ref(&started)));
    assert_eq!(read(storage, |tx| tx.clock_by_id(held.id)).as_ref(), Some(&held));
    let stale = held.clone();
    held.work_order_id = Some(world.order.id);
    held.standing = "stopped".to_owned();
    held.is_major = true;
    held.budget_micros = 1;
    held.warned_at = Some(at(3));
    held.breached_at = Some(at(4));
    held.breach_recorded_at = Some(at(5));
    held.suggested_cause = Some("late_review".to_owned());
    held.breach_cause = Some("other".to_owned());
    held.breach_note = Some("台风".to_owned());
    held.cause_named_by = Some(world.tester.id);
    held.cause_named_at = Some(at(6));
    held.stopped_at = Some(at(7));
    held.outcome = Some(ClockOutcome::Moot);
    held.time_by_stage = json!({"review": 12});
    let stopped = entry(&held, 2, "stopped");
    let saved = storage.write::<_, StorageError>("test", |tx| {
        let mut saved = held.clone();
        tx.clock_entry_insert(&stopped)?;
        tx.clock_update(&mut saved)?;
        Ok(saved)
    });
    held.version = 2;
    assert_eq!(saved.unwrap(), held);
    assert_eq!(write(storage, |tx| tx.clock_lock(held.id)).as_ref(), Some(&held));
    assert_eq!(read(storage, |tx| tx.clock_entry_list(held.id)), [started, stopped.clone()]);
    assert_eq!(read(storage, |tx| tx.clock_list_by_complaint(world.complaint.id)), [held.clone()]);
    assert_eq!(write(storage, |tx| tx.clock_list_lock_by_complaint(world.complaint.id)), [held]);
    assert!(matches!(
        storage.write("test", |tx| tx.clock_update(&mut stale.clone())),
        Err(StorageError::Conflict { what: "clock" })
    ));
    assert!(matches!(
        storage.write("test", |tx| tx.clock_entry_insert(&stopped)),
        Err(StorageError::UniqueViolation { .. })
    ));
}

fn clocks_are_listed_by_deadline(storage: &Storage) {
    let world = world(storage);
    let mut clocks: Vec<ClockRecord> = (100..106).map(|number| clock(number, &world)).collect();
    clocks[1].standing = "paused".to_owned();
    clocks[2].kind = "review".to_owned();
    clocks[3].breached_at = Some(at(103));
    clocks[4].region_id = None;
    // The same deadline twice: the id decides.
    clocks[5].due_at = clocks[4].due_at;
    write(storage, |tx| clocks.iter().rev().try_for_each(|clock| tx.clock_insert(clock, &[])));
    let ids = |filter: &ClockFilter, page: Page<ClockId>| -> Vec<u64> {
        let found = read(storage, |tx| tx.clock_list(filter, &page));
        found.iter().map(|c| 100 + clocks.iter().position(|known| known.id == c.id).unwrap() as u64).collect()
    };
    let all = ClockFilter::of(RegionScope::All);
    assert_eq!(ids(&all, Page::first(500)), [100, 101, 102, 103, 104, 105]);
    let second = Page { after: Some((clocks[3].due_at, clocks[3].id)), limit: 1 };
    assert_eq!(ids(&all, second), [104]);
    let third = Page { after: Some((clocks[4].due_at, clocks[4].id)), limit: 5 };
    assert_eq!(ids(&all, third), [105]);
    let first = Page::first(500);
    assert_eq!(ids(&ClockFilter { standing: Some("paused".to_owned()), ..all.clone() }, first), [101]);
    assert_eq!(ids(&ClockFilter { kind: Some("review".to_owned()), ..all.clone() }, first), [102]);
    assert_eq!(ids(&ClockFilter { is_breached: Some(true), ..all.clone() }, first), [103]);
    assert_eq!(ids(&ClockFilter { is_breached: Some(false), ..all.clone() }, first), [100, 101, 102, 104, 105]);
    assert_eq!(ids(&ClockFilter { due_before: Some(at(102)), ..all }, first), [100, 101]);
    let here = RegionScope::Only { region_ids: vec![world.region.id], and_unlocated: false };
    assert_eq!(ids(&ClockFilter::of(here), first), [100, 101, 102, 103, 105]);
    let elsewhere = RegionScope::Only { region_ids: vec![id(11)], and_unlocated: true };
    assert_eq!(ids(&ClockFilter::of(elsewhere), first), [104]);
    assert_eq!(read(storage, |tx| tx.clock_ids_live(clocks[1].id, 2)), [clocks[2].id, clocks[3].id]);
}

fn complaints_without_a_clock_are_found(storage: &Storage) {
    let world = world(storage);
    let other = complaint(21, world.tester.id, None);
    write(storage, |tx| tx.complaint_insert(&other));
    let without = |after| read(storage, |tx| tx.complaint_ids_without_clock(after, 10));
    assert_eq!(without(ComplaintId::NIL), [world.complaint.id, other.id]);
    assert_eq!(without(world.complaint.id), [other.id]);
    let unwatched = |states: &[ComplaintState]| read(storage, |tx| tx.complaint_ids_unwatched(states, 10));
    assert_eq!(unwatched(&[ComplaintState::Resolved]), [world.complaint.id, other.id]);
    let mut clock = clock(100, &world);
    write(storage, |tx| tx.clock_insert(&clock, &[]));
    assert_eq!(without(ComplaintId::NIL), [other.id]);
    assert_eq!(unwatched(&[ComplaintState::Resolved]), [other.id], "a clock that runs or waits watches it");
    assert!(unwatched(&[ComplaintState::Received]).is_empty(), "an ended one needs none");
    clock.stopped_at = Some(at(9));
    storage.write::<_, StorageError>("test", |tx| tx.clock_update(&mut clock)).unwrap();
    assert_eq!(unwatched(&[]), [world.complaint.id, other.id], "an ended clock watches nothing");
    assert!(read(storage, |tx| tx.clock_ids_live(ClockId::NIL, 10)).is_empty());
}

fn questions_wait_for_their_answer(storage: &Storage) {
    let world = world(storage);
    let question = |number: u64| CustomerQuestion {
        id: id(number),
        work_order_id: world.order.id,
        question: "几号楼？".to_owned(),
        asked_by: world.tester.id,
        asked_at: at(number as i64),
        answer: None,
        answered_by: None,
        answered_at: None,
    };
    let answer = |text: &str| {
        write(storage, |tx| tx.customer_question_answer(world.order.id, text, world.other_tester.id, at(50)))
    };
    assert_eq!(answer("没有问题"), 0);
    write(storage, |tx| {
        tx.customer_question_insert(&question(40))?;
        tx.customer_question_insert(&question(41))
    });
    assert_eq!(answer("3号楼"), 2);
    assert_eq!(answer("again"), 0, "an answer stays as it is");
    let answered = |number| CustomerQuestion {
        answer: Some("3号楼".to_owned()),
        answered_by: Some(world.other_tester.id),
        answered_at: Some(at(50)),
        ..question(number)
    };
    assert_eq!(read(storage, |tx| tx.customer_question_list(world.order.id)), [answered(40), answered(41)]);
}
