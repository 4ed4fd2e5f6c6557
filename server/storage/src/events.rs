//! The audit trail (R-AUDIT-1): append-only, one hash chain per subject. What does not belong here: what is worth an event.
//!
//! An event's hash is BLAKE3 over `"callout event v1\n"` and then, in this order, each field as its length in bytes (32 bits,
//! big-endian) and its bytes, an absent one as the length 0xFFFFFFFF alone: previous hash; id (16 bytes); subject kind; subject
//! id; number (64 bits, big-endian); happened at, captured at (microseconds since the Unix epoch, 64 bits, big-endian); actor
//! id; actor roles; device id; action; detail; reason. Texts are UTF-8 as they stand in the row. Numbers begin at 1.
//!
//! An event with a reason is hashed over `"callout event v2\n"`, and its last field is not the reason but the reason's digest:
//! BLAKE3 keyed with the event's salt, over the reason. So the reason, which is a person's words, can be erased with its salt and
//! the chain still holds (R-PRIVACY-1); a reason that is gone counts as tampering unless a later event of the chain is
//! [`CUSTOMER_ERASED`]. Events from before this was so have no digest, and their reason stays.

use crate::connection::{Tx, each_backend, locked};
use crate::error::StorageError;
use crate::names::{limit, text_enum};
use crate::schema::{event_heads, events, work_orders};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{DeviceId, EventId, RegionId, UserId};
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
        /// A key account.
        KeyAccount = "key_account" / "大用户",
        /// A case of the case library.
        Case = "case" / "案例",
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
    /// Random; keys the digest of the reason.
    pub reason_salt: [u8; 32],
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
    /// What the reason's digest is keyed with, while the reason is there.
    pub reason_salt: Option<[u8; 32]>,
    /// What the hash is over instead of the reason; stays when the reason is erased.
    pub reason_digest: Option<[u8; 32]>,
}

/// The action of the event that allows reasons before it to be gone.
pub const CUSTOMER_ERASED: &str = "customer_erased";

/// What an event is hashed over instead of its reason.
fn reason_digest(salt: &[u8; 32], reason: &str) -> [u8; 32] {
    *blake3::keyed_hash(salt, reason.as_bytes()).as_bytes()
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
    /// How many reasons are gone by an erasure on record.
    pub erased_reasons: u64,
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
        hasher.update(match self.reason_digest {
            Some(_) => b"callout event v2\n",
            None => b"callout event v1\n",
        });
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
        match &self.reason_digest {
            Some(digest) => field(Some(digest)),
            None => field(self.reason.as_ref().map(|reason| reason.as_bytes())),
        }
        *hasher.finalize().as_bytes()
    }
}

/// Whether a reason is what was hashed.
enum ReasonStanding {
    Fits,
    Differs,
    Gone,
}

impl Event {
    fn reason_standing(&self) -> ReasonStanding {
        match (&self.reason_digest, &self.reason, &self.reason_salt) {
            // Without a digest, the hash itself is over the reason.
            (None, _, None) => ReasonStanding::Fits,
            (Some(digest), Some(reason), Some(salt)) if *digest == reason_digest(salt, reason) => ReasonStanding::Fits,
            (Some(_), None, None) => ReasonStanding::Gone,
            (None, _, Some(_)) | (Some(_), _, _) => ReasonStanding::Differs,
        }
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
        reason_salt: event.reason.as_ref().map(|_| event.reason_salt),
        reason_digest: event.reason.as_ref().map(|reason| reason_digest(&event.reason_salt, reason)),
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
            hash,
            reason_salt,
            reason_digest
        )
    };
}

impl Tx {
    /// The events of work orders whose ids are at least `floor`, each with the order's region, newest first: where something
    /// happened lately. Ids begin with the time at which they were made.
    pub fn event_list_order_regions(
        &mut self,
        floor: EventId,
        at_most: u32,
    ) -> Result<Vec<(EventId, Option<RegionId>)>, StorageError> {
        self.run(|c| {
            events::table
                .inner_join(work_orders::table.on(work_orders::id.eq(events::subject_id)))
                .filter(events::id.ge(bind(&floor)))
                .filter(events::subject_kind.eq(bind(&SubjectKind::WorkOrder)))
                .order(events::id.desc())
                .limit(i64::from(at_most))
                .select((events::id, work_orders::region_id))
                .load(c)
        })
    }

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

    /// Erases the reasons of a subject's events that the test is true of; their digests, and so the chain, stay. Events from
    /// before reasons had digests are left as they are. Append a [`CUSTOMER_ERASED`] event in the same unit of work. Returns how
    /// many.
    pub fn event_reasons_erase(
        &mut self,
        kind: SubjectKind,
        id: Uuid,
        is_erased: &dyn Fn(&str) -> bool,
    ) -> Result<u64, StorageError> {
        let (mut after, mut count) = (0, 0);
        loop {
            let page = self.event_list(kind, id, after, VERIFY_PAGE)?;
            let Some(last) = page.last() else { return Ok(count) };
            after = last.number;
            for event in &page {
                if event.reason_digest.is_some() && event.reason.as_deref().is_some_and(is_erased) {
                    self.run(|c| {
                        diesel::update(events::table.find(bind(&event.id)))
                            .set((
                                events::reason.eq(bind(&None::<String>)),
                                events::reason_salt.eq(bind(&None::<[u8; 32]>)),
                            ))
                            .execute(c)
                    })?;
                    count += 1;
                }
            }
        }
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
        // The first reason that is gone, and how many are, since the last erasure on record.
        let mut gone: Option<(u64, u64)> = None;
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
                match event.reason_standing() {
                    ReasonStanding::Fits => {}
                    ReasonStanding::Differs => found.report(kind, id, event.number, "its reason was changed"),
                    ReasonStanding::Gone => {
                        let (first, count) = gone.unwrap_or((event.number, 0));
                        gone = Some((first, count + 1));
                    }
                }
                if event.action == CUSTOMER_ERASED {
                    found.erased_reasons += gone.take().map_or(0, |(_, count)| count);
                }
                (number, hash) = (event.number, Some(event.hash));
            }
        }
        if let Some((first, _)) = gone {
            found.report(kind, id, first, "its reason is gone, and no erasure is on record");
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
mod tests;
