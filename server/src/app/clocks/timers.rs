//! The clocks' timers: one job a running clock, for its warning and then for its breach; and what goes over all clocks when the
//! calendar changes, or when a server first meets complaints from before there were clocks.
//!
//! A timer proves nothing: when it goes off, the clock is looked at under its lock, and only what that says is done. So a job that
//! runs twice, late, early or on two servers at once warns once and breaks once.

use super::HeldClock;
use crate::app::App;
use crate::app::error::AppResult;
use crate::app::events::EventDraft;
use crate::workflow::calendar::plus_micros;
use crate::workflow::clocks::ClockStanding;
use callout_storage::Tx;
use callout_sync_protocol::ids::{ClockId, ComplaintId};
use serde_json::{Value, json};
use uuid::Uuid;

/// A clock is to warn, or to break.
pub const CLOCK_CHECK: &str = "clock_check";
/// The calendar or the limits changed: deadlines of all running clocks are reckoned anew.
pub const CLOCK_RECKON: &str = "clock_reckon";
/// Complaints from before there were clocks get theirs.
pub const CLOCK_BACK_FILL: &str = "clock_back_fill";

/// How many clocks or complaints one job goes over; the rest is the next job's.
const AT_ONCE: u32 = 200;

/// The key under which the server remembers that every complaint has its clocks.
const BACK_FILLED: &str = "clocks_back_filled";

impl App {
    /// Takes the clock's old timer away and sets the next one, if there is something to wait for.
    pub(super) fn clock_timer_set(&self, tx: &mut Tx, held: &HeldClock) -> AppResult<()> {
        let record = &held.record;
        tx.job_delete(CLOCK_CHECK, record.id.into())?;
        if held.clock.standing() != ClockStanding::Running || record.breached_at.is_some() {
            return Ok(());
        }
        // A limit that ends at an instant is broken after it.
        let run_at = if record.warned_at.is_none() { record.warn_at } else { plus_micros(record.due_at, 1) };
        self.job_enqueue(tx, CLOCK_CHECK, record.id, run_at, Value::Null)
    }

    /// A clock's timer went off: warns before the breach, writes the breach down after it, and sets the next timer. The same
    /// transaction takes this job away, so that a server that dies leaves either all of it or nothing.
    pub(crate) fn clock_check(&self, id: ClockId) -> AppResult<()> {
        let now = self.env.now();
        self.storage.write("clock_check", |tx| {
            let Some(record) = tx.clock_lock(id)? else { return Ok(()) };
            let mut held = self.clock_held(tx, record)?;
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_reckon(&mut held, &rules);
            let is_broken = self.clock_breach_note(tx, &mut held, &rules)?;
            let is_running = held.clock.standing() == ClockStanding::Running;
            let is_due_to_warn = is_running && held.record.breached_at.is_none() && now >= held.record.warn_at;
            if !is_broken && is_due_to_warn && held.record.warned_at.is_none() {
                held.record.warned_at = Some(now);
                let draft = EventDraft::new(held.subject(), "clock_warned").detail(json!({
                    "clock_id": id, "kind": held.kind, "due_at": held.record.due_at,
                    "is_major": held.record.is_major,
                }));
                self.event_append(tx, draft)?;
            }
            tx.clock_update(&mut held.record)?;
            self.clock_timer_set(tx, &held)
        })
    }

    /// Lets a job reckon all running clocks anew; `subject` is the policy that changed.
    pub(crate) fn clocks_reckon_later(&self, tx: &mut Tx, subject: Uuid) -> AppResult<()> {
        tx.job_cancel(CLOCK_RECKON, subject, self.env.now())?;
        self.job_enqueue(tx, CLOCK_RECKON, subject, self.env.now(), json!({ "after": ClockId::NIL }))
    }

    /// Reckons the deadlines of the clocks after `payload.after`. Each in a transaction of its own, for the order's trail to be
    /// locked no longer than by anybody else.
    pub(crate) fn clocks_reckon(&self, subject: Uuid, payload: &Value) -> AppResult<()> {
        let after = after_of(payload);
        let ids = self
            .storage
            .read("clocks_live", |tx| Ok::<_, crate::app::error::AppError>(tx.clock_ids_live(after, AT_ONCE)?))?;
        for id in &ids {
            self.clock_reckon_one(*id)?;
        }
        match ids.last() {
            Some(last) if ids.len() == AT_ONCE as usize => self.storage.write("clocks_reckon_next", |tx| {
                self.job_enqueue(tx, CLOCK_RECKON, subject, self.env.now(), json!({ "after": last }))
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn clock_reckon_one(&self, id: ClockId) -> AppResult<()> {
        self.storage.write("clock_reckon", |tx| {
            let Some(record) = tx.clock_lock(id)? else { return Ok(()) };
            let before = (record.due_at, record.warn_at);
            let mut held = self.clock_held(tx, record)?;
            if !held.is_live() {
                return Ok(());
            }
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_reckon(&mut held, &rules);
            if (held.record.due_at, held.record.warn_at) == before {
                return Ok(());
            }
            if held.record.due_at != before.0 {
                let draft = EventDraft::new(held.subject(), "clock_due_moved").detail(json!({
                    "clock_id": id, "kind": held.kind, "from": before.0, "to": held.record.due_at,
                }));
                self.event_append(tx, draft)?;
            }
            tx.clock_update(&mut held.record)?;
            self.clock_timer_set(tx, &held)
        })
    }

    /// Makes sure that complaints from before there were clocks get theirs, once.
    pub(crate) fn clocks_prepare(&self, tx: &mut Tx) -> AppResult<()> {
        if tx.server_meta_by_key(BACK_FILLED)?.is_some() {
            return Ok(());
        }
        let is_waiting = tx.job_is_waiting(CLOCK_BACK_FILL, BACK_FILL_SUBJECT)?;
        if is_waiting {
            return Ok(());
        }
        let payload = json!({ "after": ComplaintId::NIL });
        self.job_enqueue(tx, CLOCK_BACK_FILL, BACK_FILL_SUBJECT, self.env.now(), payload)
    }

    /// Gives the complaints after `payload.after` their clocks.
    pub(crate) fn clocks_back_fill(&self, payload: &Value) -> AppResult<()> {
        let after = after_of(payload);
        let ids = self.storage.read("clocks_missing", |tx| {
            Ok::<_, crate::app::error::AppError>(tx.complaint_ids_without_clock(after, AT_ONCE)?)
        })?;
        for id in &ids {
            self.storage.write("clock_back_fill", |tx| {
                // Whoever moves the order meanwhile waits, and finds the clocks there.
                if let Some(order) = tx.work_order_by_complaint(*id)? {
                    tx.work_order_lock(order.id)?;
                }
                if tx.clock_list_by_complaint(*id)?.is_empty() {
                    self.clock_back_fill(tx, *id)?;
                }
                Ok::<_, crate::app::error::AppError>(())
            })?;
        }
        self.storage.write("clocks_back_fill_next", |tx| match ids.last() {
            Some(last) if ids.len() == AT_ONCE as usize => {
                self.job_enqueue(tx, CLOCK_BACK_FILL, BACK_FILL_SUBJECT, self.env.now(), json!({ "after": last }))
            }
            Some(_) | None => Ok(tx.server_meta_put(BACK_FILLED, &self.env.now().to_string())?),
        })
    }
}

/// What the jobs of the back-fill are about: nothing that has an id.
const BACK_FILL_SUBJECT: Uuid = Uuid::from_u128(0x636c_6f63_6b73);

fn after_of<Id: From<Uuid>>(payload: &Value) -> Id {
    let text = payload.get("after").and_then(Value::as_str);
    Id::from(text.and_then(|text| text.parse().ok()).unwrap_or_default())
}
