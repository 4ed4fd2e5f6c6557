//! Anchors over the audit trail (R-AUDIT-1): one a slice of time, chained, so that a subject's chain that was dropped whole or
//! written anew is found. What does not belong here: the chains themselves (`events`), and when an anchor is due (`jobs`).
//!
//! An anchor's digest is BLAKE3 over the hashes of all events that happened in its slice, in the order of (instant, id). Its own
//! hash is BLAKE3 over `"callout anchor v1\n"`, its number, the slice's beginning and end (microseconds since the Unix epoch),
//! the number of events (each 64 bits, big-endian), the digest, and the hash of the anchor before (32 zero bytes for the first).
//! Slices follow each other without a gap, from the Unix epoch on.
//!
//! Whoever can write to the database could write the anchors anew, too: keep a copy of the newest one elsewhere.

use crate::connection::{AnyConnection, Tx};
use crate::error::StorageError;
use crate::names::limit;
use crate::schema::{audit_anchors, events};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::EventId;
use callout_sync_protocol::time::Timestamp;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// The number of the advisory lock under which anchors are made: "anchors" in ASCII.
const ADVISORY_LOCK: i64 = 0x0061_6e63_686f_7273;
/// How many events are read at a time.
const PAGE: i64 = 5_000;
/// So many problems are listed; more tell nothing new.
const MAX_PROBLEMS: usize = 100;
const NO_HASH: [u8; 32] = [0; 32];

/// One anchor.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct AuditAnchor {
    /// Its place in the chain of anchors, from 1.
    pub number: u64,
    /// The first instant of its slice.
    pub covers_from: Timestamp,
    /// The first instant after its slice.
    pub covers_until: Timestamp,
    /// How many events happened in it.
    pub event_count: u64,
    /// Over their hashes.
    pub digest: [u8; 32],
    /// The hash of the anchor before.
    pub previous_hash: Option<[u8; 32]>,
    /// The hash of this anchor.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
}

impl AuditAnchor {
    /// The hash that this anchor must have.
    pub fn expected_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"callout anchor v1\n");
        hasher.update(&self.number.to_be_bytes());
        hasher.update(&self.covers_from.unix_micros().to_be_bytes());
        hasher.update(&self.covers_until.unix_micros().to_be_bytes());
        hasher.update(&self.event_count.to_be_bytes());
        hasher.update(&self.digest);
        hasher.update(self.previous_hash.as_ref().unwrap_or(&NO_HASH));
        *hasher.finalize().as_bytes()
    }
}

/// What a check of the anchors found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditAnchorVerification {
    /// How many anchors there are.
    pub anchors: u64,
    /// How many events they cover.
    pub events: u64,
    /// The newest one.
    pub last: Option<AuditAnchor>,
    /// What does not fit; the first hundred.
    pub problems: Vec<AuditAnchorProblem>,
}

/// An anchor that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("anchor {number} ({covers_from} to {covers_until}): {problem}")]
pub struct AuditAnchorProblem {
    /// Which anchor.
    pub number: u64,
    /// The first instant of its slice.
    pub covers_from: Timestamp,
    /// The first instant after its slice.
    pub covers_until: Timestamp,
    /// What does not fit.
    pub problem: &'static str,
}

/// What is in a slice.
struct Slice {
    until: Timestamp,
    count: u64,
    digest: [u8; 32],
}

impl Tx {
    /// Makes the anchor of what happened since the last one and before `until`, of about so many events at most; `None` when
    /// nothing did. Only what is surely committed may be before `until`: an event that comes later finds its slice closed.
    pub fn audit_anchor_append(
        &mut self,
        until: Timestamp,
        at_most: u64,
        now: Timestamp,
    ) -> Result<Option<AuditAnchor>, StorageError> {
        // Two servers at once: the second waits, and then finds the first one's anchor. SQLite's writer is alone anyway.
        self.run(|c| match c {
            AnyConnection::Sqlite(_) => Ok(()),
            AnyConnection::Postgres(c) => c.batch_execute(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")),
        })?;
        let last = self.audit_anchor_last()?;
        let from = last.as_ref().map_or(Timestamp::EPOCH, |last| last.covers_until);
        if until <= from {
            return Ok(None);
        }
        let slice = self.audit_slice(from, until, at_most)?;
        if slice.count == 0 {
            return Ok(None);
        }
        let mut anchor = AuditAnchor {
            number: last.as_ref().map_or(1, |last| last.number + 1),
            covers_from: from,
            covers_until: slice.until,
            event_count: slice.count,
            digest: slice.digest,
            previous_hash: last.map(|last| last.hash),
            hash: NO_HASH,
            created_at: now,
        };
        anchor.hash = anchor.expected_hash();
        self.run(|c| {
            diesel::insert_into(audit_anchors::table)
                .values(row_values!(
                    audit_anchors,
                    anchor,
                    number,
                    covers_from,
                    covers_until,
                    event_count,
                    digest,
                    previous_hash,
                    hash,
                    created_at
                ))
                .execute(c)
        })?;
        Ok(Some(anchor))
    }

    /// The newest anchor.
    pub fn audit_anchor_last(&mut self) -> Result<Option<AuditAnchor>, StorageError> {
        self.run(|c| audit_anchors::table.order(audit_anchors::number.desc()).first(c).optional())
    }

    /// The anchors after a number, oldest first, at most 500.
    pub fn audit_anchor_list(&mut self, after: u64, at_most: u32) -> Result<Vec<AuditAnchor>, StorageError> {
        self.run(|c| {
            audit_anchors::table
                .filter(audit_anchors::number.gt(bind(&after)))
                .order(audit_anchors::number)
                .limit(limit(at_most))
                .load(c)
        })
    }

    /// Checks every anchor against the events that are there, in constant memory.
    pub fn audit_anchor_verify_all(&mut self) -> Result<AuditAnchorVerification, StorageError> {
        let mut found = AuditAnchorVerification::default();
        loop {
            let after = found.last.as_ref().map_or(0, |last| last.number);
            let page = self.audit_anchor_list(after, u32::MAX)?;
            if page.is_empty() {
                return Ok(found);
            }
            for anchor in page {
                self.audit_anchor_verify(&anchor, &mut found)?;
                found.last = Some(anchor);
            }
        }
    }

    fn audit_anchor_verify(
        &mut self,
        anchor: &AuditAnchor,
        found: &mut AuditAnchorVerification,
    ) -> Result<(), StorageError> {
        let before = found.last.clone();
        let expected_from = before.as_ref().map_or(Timestamp::EPOCH, |last| last.covers_until);
        if anchor.number != before.as_ref().map_or(1, |last| last.number + 1) {
            found.report(anchor, "the anchors before it are missing");
        }
        if anchor.previous_hash != before.map(|last| last.hash) || anchor.covers_from != expected_from {
            found.report(anchor, "it does not continue the anchor before");
        }
        if anchor.expected_hash() != anchor.hash {
            found.report(anchor, "it was changed");
        }
        let slice = self.audit_slice(anchor.covers_from, anchor.covers_until, u64::MAX)?;
        match slice.count.cmp(&anchor.event_count) {
            std::cmp::Ordering::Less => found.report(anchor, "events of its slice are missing"),
            std::cmp::Ordering::Greater => found.report(anchor, "its slice has events that were not there"),
            std::cmp::Ordering::Equal if slice.digest != anchor.digest => {
                found.report(anchor, "events of its slice are not those that were there");
            }
            std::cmp::Ordering::Equal => {}
        }
        found.anchors += 1;
        found.events += slice.count;
        Ok(())
    }

    /// Digests what happened from an instant to another one, or to where about so many events are reached: never between two
    /// events of the same instant, which have no order that everybody must agree on.
    fn audit_slice(&mut self, from: Timestamp, until: Timestamp, at_most: u64) -> Result<Slice, StorageError> {
        let mut hasher = blake3::Hasher::new();
        let mut count = 0;
        let mut last: Option<(Timestamp, EventId)> = None;
        loop {
            let page_from = last.map_or(from, |(at, _)| at);
            let page: Vec<(Timestamp, EventId, [u8; 32])> = self.run(|c| {
                let mut query = events::table
                    .filter(events::happened_at.ge(bind(&page_from)))
                    .filter(events::happened_at.lt(bind(&until)))
                    .into_boxed();
                if let Some((at, id)) = &last {
                    query = query.filter(events::happened_at.gt(bind(at)).or(events::id.gt(bind(id))));
                }
                query
                    .order((events::happened_at, events::id))
                    .limit(PAGE)
                    .select((events::happened_at, events::id, events::hash))
                    .load(c)
            })?;
            let is_last = (page.len() as i64) < PAGE;
            for (at, id, hash) in page {
                if count >= at_most && last.is_some_and(|(before, _)| before < at) {
                    return Ok(Slice { until: at, count, digest: *hasher.finalize().as_bytes() });
                }
                hasher.update(&hash);
                count += 1;
                last = Some((at, id));
            }
            if is_last {
                return Ok(Slice { until, count, digest: *hasher.finalize().as_bytes() });
            }
        }
    }
}

impl AuditAnchorVerification {
    fn report(&mut self, anchor: &AuditAnchor, problem: &'static str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(AuditAnchorProblem {
                number: anchor.number,
                covers_from: anchor.covers_from,
                covers_until: anchor.covers_until,
                problem,
            });
        }
    }
}
