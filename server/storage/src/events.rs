//! The audit trail (R-AUDIT-1): append-only, one hash chain per subject. What does not belong here: what is worth an event.
//!
//! An event's hash is BLAKE3 over `"callout event v1\n"` and then, in this order, each field as its length in bytes (32 bits,
//! big-endian) and its bytes, an absent one as the length 0xFFFFFFFF alone: previous hash; id (16 bytes); subject kind; subject
//! id; number (64 bits, big-endian); happened at, captured at (microseconds since the Unix epoch, 64 bits, big-endian); actor
//! id; actor roles; device id; action; detail; reason. Texts are UTF-8 as they stand in the row. Numbers begin at 1.

use crate::connection::{Tx, each_backend, locked};
use crate::error::StorageError;
use crate::names::{limit, text_enum};
use crate::schema::{event_heads, events};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{DeviceId, EventId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use uuid::Uuid;

text_enum! {
    /// What an event is about.
    SubjectKind {
        /// A complaint.
        Complaint = "complaint" / "投诉",
        /// A work order, with its tests, reviews, handoffs, replies and revisits.
        WorkOrder = "work_order" / "工单",
        /// A tracking ticket.
        TrackingTicket = "tracking_ticket" / "投诉跟踪单",
        /// A user, with sign-ins.
        User = "user" / "用户",
        /// A device.
        Device = "device" / "设备",
        /// A region.
        Region = "region" / "区域",
        /// A policy, with all of its versions.
        Policy = "policy" / "策略",
        /// A site of the network, with its outages.
        Site = "site" / "基站",
        /// An entry of the supervision list.
        SupervisionEntry = "supervision_entry" / "督办条目",
        /// An early warning.
        Warning = "warning" / "投诉预警",
        /// The server itself; its id is all zeros.
        Server = "server" / "服务器",
    }
}

/// An event to be appended.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// What kind of thing it is about.
    pub subject_kind: SubjectKind,
    /// Which one.
    pub subject_id: Uuid,
    /// When, by the server's clock.
    pub happened_at: Timestamp,
    /// When, by the phone's clock.
    pub captured_at: Option<Timestamp>,
    /// Who; absent when the server acted by itself or the customer did.
    pub actor_id: Option<UserId>,
    /// The actor's roles then, separated by commas.
    pub actor_roles: String,
    /// From where.
    pub device_id: Option<DeviceId>,
    /// What was done.
    pub action: String,
    /// What exactly. Never personal data in clear text.
    pub detail: serde_json::Value,
    /// Why.
    pub reason: Option<String>,
}

/// An event of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What kind of thing it is about.
    pub subject_kind: SubjectKind,
    /// Which one.
    pub subject_id: Uuid,
    /// Its place in the subject's chain, from 1.
    pub number: u64,
    /// When, by the server's clock.
    pub happened_at: Timestamp,
    /// When, by the phone's clock.
    pub captured_at: Option<Timestamp>,
    /// Who.
    pub actor_id: Option<UserId>,
    /// The actor's roles then, separated by commas.
    pub actor_roles: String,
    /// From where.
    pub device_id: Option<DeviceId>,
    /// What was done.
    pub action: String,
    /// What exactly: JSON, the very text that is hashed.
    pub detail: String,
    /// Why.
    pub reason: Option<String>,
    /// The hash of the event before.
    pub previous_hash: Option<[u8; 32]>,
    /// The hash of this event.
    pub hash: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
struct EventHead {
    subject_kind: SubjectKind,
    subject_id: Uuid,
    number: u64,
    hash: [u8; 32],
}

/// What a check of the trail found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventVerification {
    /// How many chains were walked.
    pub subjects: u64,
    /// How many events they have.
    pub events: u64,
    /// What does not fit; the first hundred.
    pub problems: Vec<EventProblem>,
}

/// A place where a chain does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject_kind} {subject_id}, event {number}: {problem}")]
pub struct EventProblem {
    /// What kind of thing the chain is about.
    pub subject_kind: SubjectKind,
    /// Which one.
    pub subject_id: Uuid,
    /// Where in the chain.
    pub number: u64,
    /// What does not fit.
    pub problem: &'static str,
}

const MAX_PROBLEMS: usize = 100;
const NO_HASH: [u8; 32] = [0; 32];
const VERIFY_PAGE: u32 = 500;
/// Far below both databases' limits of values in one statement.
const MAX_ROWS_PER_INSERT: usize = 500;

impl Event {
    /// The hash that this event must have.
    pub fn expected_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"callout event v1\n");
        let mut field = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                // No field is near 4 GiB: databases hold no text as long.
                hasher.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX - 1).to_be_bytes());
                hasher.update(bytes);
            }
            None => {
                hasher.update(&u32::MAX.to_be_bytes());
            }
        };
        field(self.previous_hash.as_ref().map(<[u8; 32]>::as_slice));
        field(Some(self.id.as_bytes()));
        field(Some(self.subject_kind.as_str().as_bytes()));
        field(Some(self.subject_id.as_bytes()));
        field(Some(&self.number.to_be_bytes()));
        field(Some(&self.happened_at.unix_micros().to_be_bytes()));
        field(self.captured_at.map(|at| at.unix_micros().to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        field(self.actor_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(Some(self.actor_roles.as_bytes()));
        field(self.device_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(Some(self.action.as_bytes()));
        field(Some(self.detail.as_bytes()));
        field(self.reason.as_ref().map(|reason| reason.as_bytes()));
        *hasher.finalize().as_bytes()
    }
}

/// The next event of a chain; the head is then at it.
fn event_chain(head: &mut EventHead, event: &NewEvent) -> Event {
    let mut row = Event {
        id: event.id,
        subject_kind: event.subject_kind,
        subject_id: event.subject_id,
        number: head.number + 1,
        happened_at: event.happened_at,
        captured_at: event.captured_at,
        actor_id: event.actor_id,
        actor_roles: event.actor_roles.clone(),
        device_id: event.device_id,
        action: event.action.clone(),
        detail: event.detail.to_string(),
        reason: event.reason.clone(),
        previous_hash: (head.number > 0).then_some(head.hash),
        hash: NO_HASH,
    };
    row.hash = row.expected_hash();
    head.number = row.number;
    head.hash = row.hash;
    row
}

macro_rules! event_values {
    ($row:expr) => {
        row_values!(
            events,
            $row,
            id,
            subject_kind,
            subject_id,
            number,
            happened_at,
            captured_at,
            actor_id,
            actor_roles,
            device_id,
            action,
            detail,
            reason,
            previous_hash,
            hash
        )
    };
}

impl Tx {
    /// Appends an event to its subject's chain, whose head is locked until the unit of work ends.
    pub fn event_append(&mut self, event: &NewEvent) -> Result<Event, StorageError> {
        let mut head = self.event_head_take(event.subject_kind, event.subject_id)?;
        let row = event_chain(&mut head, event);
        self.run(|c| diesel::insert_into(events::table).values(event_values!(row)).execute(c))?;
        self.event_head_save(&head)?;
        Ok(row)
    }

    /// Appends several events in their order, the head of each subject's chain locked and saved once for those that follow each
    /// other.
    pub fn event_append_all(&mut self, new_events: &[NewEvent]) -> Result<(), StorageError> {
        for of_subject in new_events.chunk_by(|a, b| (a.subject_kind, a.subject_id) == (b.subject_kind, b.subject_id)) {
            for part in of_subject.chunks(MAX_ROWS_PER_INSERT) {
                let [first, ..] = part else { continue };
                let mut head = self.event_head_take(first.subject_kind, first.subject_id)?;
                let rows: Vec<Event> = part.iter().map(|event| event_chain(&mut head, event)).collect();
                self.run(|c| {
                    let values: Vec<_> = rows.iter().map(|row| event_values!(row)).collect();
                    each_backend!(c, |c| diesel::insert_into(events::table).values(values).execute(c))
                })?;
                self.event_head_save(&head)?;
            }
        }
        Ok(())
    }

    /// Locks the head of a chain; begins the chain if there is none.
    fn event_head_take(&mut self, subject_kind: SubjectKind, subject_id: Uuid) -> Result<EventHead, StorageError> {
        if let Some(head) = self.event_head_lock(subject_kind, subject_id)? {
            return Ok(head);
        }
        let first = EventHead { subject_kind, subject_id, number: 0, hash: NO_HASH };
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(event_heads::table)
                .values(row_values!(event_heads, first, subject_kind, subject_id, number, hash))
                .on_conflict_do_nothing()
                .execute(c))
        })?;
        self.event_head_lock(subject_kind, subject_id)?.ok_or(StorageError::NotFound { what: "event head" })
    }

    fn event_head_save(&mut self, head: &EventHead) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::update(event_heads::table.find((bind(&head.subject_kind), bind(&head.subject_id))))
                .set(row_values!(event_heads, head, number, hash))
                .execute(c)
        })?;
        Ok(())
    }

    fn event_head_lock(&mut self, kind: SubjectKind, id: Uuid) -> Result<Option<EventHead>, StorageError> {
        self.run(|c| locked!(c, event_heads::table.find((bind(&kind), bind(&id)))))
    }

    /// A subject's events after a number, oldest first, at most 500.
    pub fn event_list(
        &mut self,
        kind: SubjectKind,
        id: Uuid,
        after: u64,
        at_most: u32,
    ) -> Result<Vec<Event>, StorageError> {
        self.run(|c| {
            events::table
                .filter(events::subject_kind.eq(bind(&kind)))
                .filter(events::subject_id.eq(bind(&id)))
                .filter(events::number.gt(bind(&after)))
                .order(events::number)
                .limit(limit(at_most))
                .load(c)
        })
    }

    /// Checks one subject's chain.
    pub fn event_verify(&mut self, kind: SubjectKind, id: Uuid) -> Result<EventVerification, StorageError> {
        let mut found = EventVerification::default();
        let head: Option<EventHead> =
            self.run(|c| event_heads::table.find((bind(&kind), bind(&id))).first(c).optional())?;
        match head {
            Some(head) => self.event_verify_chain(&head, &mut found)?,
            None if !self.event_list(kind, id, 0, 1)?.is_empty() => {
                found.report(kind, id, 0, "the chain's head is missing");
            }
            None => {}
        }
        Ok(found)
    }

    /// Checks every chain, in constant memory.
    pub fn event_verify_all(&mut self) -> Result<EventVerification, StorageError> {
        let mut found = EventVerification::default();
        for kind in SubjectKind::ALL {
            let mut after = Uuid::nil();
            let mut is_first = true;
            loop {
                let heads: Vec<EventHead> = self.run(|c| {
                    let mut query = event_heads::table.filter(event_heads::subject_kind.eq(bind(kind))).into_boxed();
                    if !is_first {
                        query = query.filter(event_heads::subject_id.gt(bind(&after)));
                    }
                    query.order(event_heads::subject_id).limit(limit(VERIFY_PAGE)).load(c)
                })?;
                let Some(last) = heads.last() else { break };
                after = last.subject_id;
                is_first = false;
                for head in &heads {
                    self.event_verify_chain(head, &mut found)?;
                }
            }
        }
        let total: i64 = self.run(|c| events::table.count().get_result(c))?;
        if total.unsigned_abs() > found.events {
            found.report(SubjectKind::Server, Uuid::nil(), 0, "there are events whose chain's head is missing");
        }
        Ok(found)
    }

    fn event_verify_chain(&mut self, head: &EventHead, found: &mut EventVerification) -> Result<(), StorageError> {
        let (kind, id) = (head.subject_kind, head.subject_id);
        let (mut number, mut hash) = (0, None);
        loop {
            let page = self.event_list(kind, id, number, VERIFY_PAGE)?;
            if page.is_empty() {
                break;
            }
            for event in &page {
                found.events += 1;
                if event.number != number + 1 {
                    found.report(kind, id, event.number, "the events before it are missing");
                }
                if event.previous_hash != hash {
                    found.report(kind, id, event.number, "it does not continue the event before");
                }
                if event.expected_hash() != event.hash {
                    found.report(kind, id, event.number, "its content was changed");
                }
                (number, hash) = (event.number, Some(event.hash));
            }
        }
        if number != head.number || hash.unwrap_or(NO_HASH) != head.hash {
            found.report(kind, id, head.number, "the chain does not end where its head says");
        }
        found.subjects += 1;
        Ok(())
    }
}

impl EventVerification {
    fn report(&mut self, subject_kind: SubjectKind, subject_id: Uuid, number: u64, problem: &'static str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(EventProblem { subject_kind, subject_id, number, problem });
        }
    }
}

#[cfg(test)]
mod tests {
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
        }
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

    /// The canonical encoding is written down; another implementation must come to the same hash.
    #[test]
    fn the_hash_is_over_the_documented_encoding() {
        let temporary = Storage::temporary().unwrap();
        let event: Event = temporary
            .storage
            .write("test", |tx| -> Result<_, StorageError> { tx.event_append(&new_event(7)) })
            .unwrap();
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
}
