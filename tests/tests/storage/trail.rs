//! The audit trail (R-AUDIT-1) and jobs.

use super::fixtures::*;
use super::on_both_databases;
use callout_storage::events::SubjectKind;
use callout_storage::jobs::Job;
use callout_storage::{Storage, StorageError};
use callout_sync_protocol::ids::{EventId, JobId};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

on_both_databases!(
    a_kind_of_jobs_can_have_a_line_of_its_own,
    events_are_chained_per_subject,
    concurrent_events_make_one_chain,
    events_of_orders_are_found_by_when_they_were_made,
    jobs_are_leased_once,
    jobs_fail_and_come_back,
);

fn events_are_chained_per_subject(storage: &Storage) {
    let (one, other): (Uuid, Uuid) = (id(30), id(31));
    let kind = SubjectKind::WorkOrder;
    let (first, second) = write(storage, |tx| {
        let first = tx.event_append(&event(100, one, "received"))?;
        tx.event_append(&event(101, other, "received"))?;
        Ok((first, tx.event_append(&event(102, one, "located"))?))
    });
    assert_eq!((first.number, first.previous_hash), (1, None));
    assert_eq!((second.number, second.previous_hash), (2, Some(first.hash)));
    let listed = read(storage, |tx| tx.event_list(kind, one, 0, 100));
    assert_eq!(listed, [first.clone(), second]);
    assert_eq!(listed[0].expected_hash(), first.hash, "what is read back is what was hashed");
    assert_eq!(read(storage, |tx| tx.event_list(kind, one, 1, 100)).len(), 1);
    let checked = read(storage, |tx| tx.event_verify_all());
    assert_eq!((checked.subjects, checked.events, checked.problems.len()), (2, 3, 0));
    assert_eq!(read(storage, |tx| tx.event_verify(kind, one)).events, 2);
    assert_eq!(read(storage, |tx| tx.event_verify(kind, id(99))).subjects, 0);

    let undone: Result<(), StorageError> = storage.write("test", |tx| {
        tx.event_append(&event(103, one, "dispatched"))?;
        Err(StorageError::NotFound { what: "reason" })
    });
    assert!(undone.is_err());
    assert_eq!(read(storage, |tx| tx.event_verify(kind, one)).events, 2, "what is undone leaves no trace");
}

fn events_of_orders_are_found_by_when_they_were_made(storage: &Storage) {
    let world = world(storage);
    write(storage, |tx| {
        tx.event_append(&event(100, world.order.id.into(), "received"))?;
        tx.event_append(&event(101, id(77), "of an order that is not there"))?;
        tx.event_append(&event(102, world.order.id.into(), "located"))
    });
    let (first, last): (EventId, EventId) = (id(100), id(102));
    let region = world.order.region_id;
    let find = |floor, at_most| read(storage, |tx| tx.event_list_order_regions(floor, at_most));
    assert_eq!(find(first, 10), [(last, region), (first, region)], "newest first");
    assert_eq!(find(last, 10), [(last, region)]);
    assert_eq!(find(first, 1), [(last, region)]);
    assert_eq!(find(id(103), 10), []);
}

fn concurrent_events_make_one_chain(storage: &Storage) {
    let subject: Uuid = id(30);
    std::thread::scope(|scope| {
        for writer in 0..6 {
            scope.spawn(move || {
                for round in 0..10 {
                    write(storage, |tx| tx.event_append(&event(200 + writer * 10 + round, subject, "chased")));
                }
            });
        }
    });
    let checked = read(storage, |tx| tx.event_verify(SubjectKind::WorkOrder, subject));
    assert_eq!((checked.events, checked.problems), (60, vec![]));
}

fn job(number: u64, run_at: i64) -> Job {
    Job::new(id(number), "warn", id::<Uuid>(30), at(run_at), json!({"limit": "first_response"}), at(0))
}

fn jobs_are_leased_once(storage: &Storage) {
    write(storage, |tx| (0..30).try_for_each(|number| tx.job_insert(&job(100 + number, 10))));
    write(storage, |tx| tx.job_insert(&job(99, 11)));
    assert_eq!(write(storage, |tx| tx.job_claim_due(at(9), at(100), "early", 10)), []);
    let claimed: Vec<Vec<JobId>> = std::thread::scope(|scope| {
        let servers: Vec<_> = (0..4)
            .map(|server| {
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    loop {
                        let owner = format!("server {server}");
                        let jobs = write(storage, |tx| tx.job_claim_due(at(10), at(100), &owner, 3));
                        if jobs.is_empty() {
                            return mine;
                        }
                        mine.extend(jobs.iter().map(|job| job.id));
                    }
                })
            })
            .collect();
        servers.into_iter().map(|server| server.join().unwrap()).collect()
    });
    let all: Vec<JobId> = claimed.into_iter().flatten().collect();
    // Another server may hold the last ones for an instant, so one may see nothing and stop; none gets one twice.
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(all.len(), 30);
    assert_eq!(read(storage, |tx| tx.job_next_run_at()), Some(at(10)));
}

fn jobs_fail_and_come_back(storage: &Storage) {
    let subject: Uuid = id(30);
    write(storage, |tx| tx.job_insert(&job(100, 10)));
    let claim = |now, until, owner: &str| write(storage, |tx| tx.job_claim_due(at(now), at(until), owner, 10));
    let first = claim(10, 20, "a");
    assert_eq!((first[0].attempts, first[0].lease_owner.as_deref()), (1, Some("a")));
    assert_eq!(claim(19, 30, "b"), [], "leased");
    assert_eq!(claim(20, 30, "b")[0].attempts, 2, "the lease ran out");
    assert!(!write(storage, |tx| tx.job_finish(first[0].id, "a", at(21))), "it is not a's any more");
    assert!(write(storage, |tx| tx.job_fail(first[0].id, "b", "no answer", Some(at(40)), at(22))));
    assert_eq!(claim(39, 50, "a"), []);
    let third = claim(40, 50, "a");
    assert_eq!((third[0].attempts, third[0].last_error.as_deref()), (3, Some("no answer")));
    assert!(write(storage, |tx| tx.job_finish(third[0].id, "a", at(41))));
    assert_eq!(claim(999, 9999, "a"), []);
    assert_eq!(read(storage, |tx| tx.job_next_run_at()), None);

    write(storage, |tx| tx.job_insert(&job(101, 60)));
    assert_eq!(write(storage, |tx| tx.job_cancel("other", subject, at(42))), 0);
    assert_eq!(write(storage, |tx| tx.job_cancel("warn", subject, at(42))), 1);
    assert_eq!(claim(999, 9999, "a"), []);
    assert_eq!(read(storage, |tx| tx.job_list_by_subject(subject)).len(), 2);
    write(storage, |tx| tx.job_insert(&job(102, 60)));
    claim(60, 70, "a");
    assert!(write(storage, |tx| tx.job_fail(id(102), "a", "for good", None, at(61))));
    assert_eq!(claim(999, 9999, "a"), [], "given up");
    assert_eq!(write(storage, |tx| tx.job_delete("other", subject)), 0);
    let left = || read(storage, |tx| tx.job_list_by_subject(subject)).iter().map(|job| job.id).collect::<Vec<JobId>>();
    assert_eq!(write(storage, |tx| tx.job_delete_finished(at(42))), 1, "done at 41");
    assert_eq!(left(), [id(101), id(102)]);
    assert_eq!(write(storage, |tx| tx.job_delete_finished(at(999))), 1, "what was given up stays, with its error");
    assert_eq!(left(), [id(102)]);
    write(storage, |tx| tx.job_insert(&job(103, 60)));
    assert_eq!(write(storage, |tx| tx.job_delete("warn", subject)), 2, "done or not");
    assert!(read(storage, |tx| tx.job_list_by_subject(subject)).is_empty());
}

/// Pushes go their own way, and one that is not yet begun stands for further ones.
fn a_kind_of_jobs_can_have_a_line_of_its_own(storage: &Storage) {
    use callout_storage::jobs::JobKinds;
    let subject: uuid::Uuid = id(7);
    let make = |number, kind: &str, due| Job::new(id(number), kind, subject, at(due), serde_json::Value::Null, at(0));
    write(storage, |tx| {
        [make(1, "push", 10), make(2, "warn", 10), make(3, "warn", 5)].iter().try_for_each(|job| tx.job_insert(job))
    });
    let backlog = read(storage, |tx| tx.job_backlog(at(10)));
    let told: Vec<_> = backlog.iter().map(|one| (one.kind.as_str(), one.due, one.oldest_run_at)).collect();
    assert_eq!(told, [("push", 1, at(10)), ("warn", 2, at(5))]);
    assert_eq!(read(storage, |tx| tx.job_backlog(at(4))), []);
    let claim = |kinds| {
        let claimed = write(storage, |tx| tx.job_claim_due_of(kinds, at(20), at(30), "me", 10));
        claimed.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert!(write(storage, |tx| tx.job_lock_unbegun("push", subject)));
    assert!(!write(storage, |tx| tx.job_lock_unbegun("other", subject)));
    assert_eq!(claim(JobKinds::Only("other")), []);
    assert_eq!(claim(JobKinds::AllBut("push")), [id(3), id(2)]);
    assert_eq!(claim(JobKinds::Only("push")), [id(1)]);
    assert_eq!(claim(JobKinds::All), [], "all of them are leased");
    assert!(!write(storage, |tx| tx.job_lock_unbegun("push", subject)), "it is under way");
    assert!(!write(storage, |tx| tx.job_remove(id(1), "somebody else")));
    assert!(write(storage, |tx| tx.job_remove(id(1), "me")));
    assert!(!write(storage, |tx| tx.job_remove(id(1), "me")));
    assert_eq!(write(storage, |tx| tx.job_delete_ended("warn", subject)), 0);
    assert!(write(storage, |tx| tx.job_fail(id(2), "me", "for good", None, at(21))));
    assert!(write(storage, |tx| tx.job_fail(id(3), "me", "not yet", Some(at(40)), at(21))));
    assert_eq!(write(storage, |tx| tx.job_delete_ended("warn", subject)), 1);
    let left = read(storage, |tx| tx.job_list_by_subject(subject));
    assert_eq!(left.iter().map(|job| job.id).collect::<Vec<_>>(), [id(3)]);
    assert!(write(storage, |tx| tx.job_lock_unbegun("warn", subject)), "it failed, and will be begun again");
}
