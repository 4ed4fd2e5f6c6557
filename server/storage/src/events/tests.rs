//! The trail's own tests: what is done to it behind the program's back.

use super::*;
use crate::storage::Storage;

fn new_event(number: u8) -> NewEvent {
    NewEvent {
        id: EventId::from_bytes([number; 16]),
        subject_kind: SubjectKind::WorkOrder,
        subject_id: Uuid::from_bytes([1; 16]),
        happened_at: Timestamp::EPOCH,
        captured_at: None,
        actor_id: None,
        actor_roles: String::new(),
        device_id: None,
        action: "located".to_owned(),
        detail: serde_json::json!({"b": 1, "a": 2}),
        reason: None,
        reason_salt: [number; 32],
    }
}

fn new_event_with_reason(number: u8) -> NewEvent {
    NewEvent { reason: Some(format!("because of {number}")), ..new_event(number) }
}

/// R-AUDIT-1: what somebody changes behind the program's back is found.
#[test]
fn tampering_is_found() {
    for (statement, problem) in [
        ("UPDATE events SET detail = '{}' WHERE number = 2", "its content was changed"),
        ("UPDATE events SET actor_roles = 'auditor' WHERE number = 1", "its content was changed"),
        ("DELETE FROM events WHERE number = 2", "the events before it are missing"),
        ("DELETE FROM events WHERE number = 3", "the chain does not end where its head says"),
        ("DELETE FROM events", "the chain does not end where its head says"),
        ("DELETE FROM event_heads", "there are events whose chain's head is missing"),
        (
            "UPDATE events SET previous_hash = (SELECT hash FROM events WHERE number = 2) WHERE number = 2",
            "it does not continue the event before",
        ),
    ] {
        let temporary = Storage::temporary().unwrap();
        let found = temporary.storage.write("test", |tx| {
            for number in 1..=3 {
                tx.event_append(&new_event(number))?;
            }
            assert_eq!(tx.event_verify_all()?.problems, vec![]);
            tx.run(|c| diesel::sql_query(statement).execute(c))?;
            tx.event_verify_all()
        });
        let problems = found.map_err(|error: StorageError| error).unwrap().problems;
        assert!(problems.iter().any(|found| found.problem == problem), "{statement}: {problems:?}");
    }
}

/// R-PRIVACY-1, R-AUDIT-1: a reason may go where an erasure is on record, and only there.
#[test]
fn an_erased_reason_needs_an_erasure_on_record() {
    for (statement, problem) in [
        ("UPDATE events SET reason = NULL, reason_salt = NULL WHERE number = 1", None),
        (
            "UPDATE events SET reason = NULL, reason_salt = NULL WHERE number = 3",
            Some("its reason is gone, and no erasure is on record"),
        ),
        ("UPDATE events SET reason = 'other' WHERE number = 1", Some("its reason was changed")),
        ("UPDATE events SET reason = NULL WHERE number = 1", Some("its reason was changed")),
        ("UPDATE events SET reason_salt = zeroblob(32) WHERE number = 1", Some("its reason was changed")),
        ("UPDATE events SET reason_digest = zeroblob(32) WHERE number = 1", Some("its content was changed")),
        ("UPDATE events SET reason_digest = NULL WHERE number = 1", Some("its content was changed")),
    ] {
        let temporary = Storage::temporary().unwrap();
        let found = temporary.storage.write("test", |tx| {
            tx.event_append(&new_event_with_reason(1))?;
            tx.event_append(&NewEvent { action: CUSTOMER_ERASED.to_owned(), ..new_event_with_reason(2) })?;
            tx.event_append(&new_event_with_reason(3))?;
            assert_eq!(tx.event_verify_all()?.problems, vec![]);
            tx.run(|c| diesel::sql_query(statement).execute(c))?;
            tx.event_verify_all()
        });
        let found = found.map_err(|error: StorageError| error).unwrap();
        match problem {
            None => assert_eq!((found.problems, found.erased_reasons), (vec![], 1)),
            Some(problem) => {
                assert!(found.problems.iter().any(|found| found.problem == problem), "{statement}: {found:?}");
            }
        }
    }
}

/// The canonical encoding is written down; another implementation must come to the same hash.
#[test]
fn the_hash_is_over_the_documented_encoding() {
    let temporary = Storage::temporary().unwrap();
    let event: Event =
        temporary.storage.write("test", |tx| -> Result<_, StorageError> { tx.event_append(&new_event(7)) }).unwrap();
    let absent = [0xff; 4].as_slice();
    let texts = [("located", 7u8), (r#"{"a":2,"b":1}"#, 13)];
    let bytes = [
        b"callout event v1\n".as_slice(),
        absent,
        &[0, 0, 0, 16],
        &[7; 16],
        &[0, 0, 0, 10],
        b"work_order",
        &[0, 0, 0, 16],
        &[1; 16],
        &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
        absent,
        absent,
        &[0, 0, 0, 0],
        absent,
        &[0, 0, 0, texts[0].1],
        texts[0].0.as_bytes(),
        &[0, 0, 0, texts[1].1],
        texts[1].0.as_bytes(),
        absent,
    ]
    .concat();
    assert_eq!(event.hash, *blake3::hash(&bytes).as_bytes());
}
