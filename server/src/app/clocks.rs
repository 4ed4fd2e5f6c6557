//! Clocks of complaints and orders: kept, moved on by what happens, timed by jobs, and explained
//! (R-LIMIT-1, R-LIMIT-2, R-INTAKE-5, R-INTAKE-9, R-REVIEW-1, R-CLASS-2).
//!
//! Every change goes through [`App::clock_save`]: it reckons deadline and warning anew, writes down a breach that nobody has
//! noticed yet, and sets the clock's one timer, all in the transaction of what caused it. Locks: the order, its clocks (oldest
//! first), then the trail. What does not belong here: the rules (`workflow::clocks`, `limits`, `breaches`).

mod back_fill;
mod lifecycle;
mod seen;
mod timers;

pub use seen::{ClockCauseNamed, ClockSeen};
pub use timers::{CLOCK_BACK_FILL, CLOCK_CHECK, CLOCK_RECKON};

use super::App;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::app::complaints::DEFAULT_UTC_OFFSET_MINUTES;
use crate::workflow::breaches::{BreachCausePolicy, ClockStage, StageHistory, time_by_stage};
use crate::workflow::calendar::WorkCalendar;
use crate::workflow::clocks::{Clock, ClockEntry, ClockEvent, ClockKind, ClockStanding};
use crate::workflow::limits::{LimitPolicy, clock_budget_change};
use crate::workflow::reviews::PlanKind;
use callout_storage::Tx;
use callout_storage::clocks::{ClockEntryRecord, ClockOutcome, ClockRecord};
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{ComplaintId, RegionId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::{Value, json};

/// What a clock is reckoned by: the limits and the calendar of its region.
#[derive(Clone, Debug)]
pub(crate) struct ClockRules {
    pub limits: LimitPolicy,
    pub calendar: WorkCalendar,
}

/// Whose clock it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockSubject {
    pub complaint_id: ComplaintId,
    pub work_order_id: Option<WorkOrderId>,
    pub region_id: Option<RegionId>,
    pub utc_offset_minutes: i16,
}

impl From<&WorkOrder> for ClockSubject {
    fn from(order: &WorkOrder) -> Self {
        Self {
            complaint_id: order.complaint_id,
            work_order_id: Some(order.id),
            region_id: order.region_id,
            utc_offset_minutes: order.utc_offset_minutes,
        }
    }
}

/// A clock in hand: the row and what the rules make of it.
#[derive(Clone, Debug)]
pub(crate) struct HeldClock {
    pub record: ClockRecord,
    pub clock: Clock,
    pub kind: ClockKind,
    /// How many entries of the history are kept already.
    kept: usize,
}

impl HeldClock {
    pub fn is_live(&self) -> bool {
        self.clock.standing() != ClockStanding::Stopped
    }

    fn subject(&self) -> Subject {
        match self.record.work_order_id {
            Some(id) => Subject::WorkOrder(id),
            None => Subject::Complaint(self.record.complaint_id),
        }
    }
}

impl App {
    /// The limits and the calendar that a region goes by.
    pub(crate) fn clock_rules(&self, tx: &mut Tx, region_id: Option<RegionId>) -> AppResult<ClockRules> {
        Ok(ClockRules { limits: self.policy(tx, region_id)?, calendar: self.policy(tx, region_id)? })
    }

    /// Minutes that local time is ahead of UTC in a region; China's where there is none yet.
    pub(crate) fn utc_offset_of(&self, tx: &mut Tx, region_id: Option<RegionId>) -> AppResult<i16> {
        Ok(match region_id {
            Some(region) => {
                tx.region_by_id(region)?.map_or(DEFAULT_UTC_OFFSET_MINUTES, |region| region.utc_offset_minutes)
            }
            None => DEFAULT_UTC_OFFSET_MINUTES,
        })
    }

    /// Reads a clock's history into the rules' terms.
    pub(crate) fn clock_held(&self, tx: &mut Tx, record: ClockRecord) -> AppResult<HeldClock> {
        let history = tx
            .clock_entry_list(record.id)?
            .into_iter()
            .map(|entry| {
                Ok(ClockEntry {
                    at: entry.happened_at,
                    event: entry.event.parse().map_err(AppError::internal)?,
                    reason: entry.reason,
                    budget_micros: entry.budget_micros,
                })
            })
            .collect::<AppResult<_>>()?;
        let measure = record.measure.parse().map_err(AppError::internal)?;
        let clock = Clock { measure, budget_micros: record.budget_micros, history };
        let kind = record.kind.parse().map_err(AppError::internal)?;
        let kept = clock.history.len();
        Ok(HeldClock { record, clock, kind, kept })
    }

    /// A complaint's clocks, locked, oldest first. One from before there were clocks gets them now.
    pub(crate) fn clocks_hold(&self, tx: &mut Tx, complaint_id: ComplaintId) -> AppResult<Vec<HeldClock>> {
        let mut records = tx.clock_list_lock_by_complaint(complaint_id)?;
        if records.is_empty() {
            self.clock_back_fill(tx, complaint_id)?;
            records = tx.clock_list_lock_by_complaint(complaint_id)?;
        }
        records.into_iter().map(|record| self.clock_held(tx, record)).collect()
    }

    /// Puts a clock in place that was started by the rules.
    pub(crate) fn clock_start(
        &self,
        tx: &mut Tx,
        subject: ClockSubject,
        (kind, limit_key): (ClockKind, &str),
        is_major: bool,
        clock: Clock,
        rules: &ClockRules,
    ) -> AppResult<HeldClock> {
        let started_at = clock.history.first().map_or_else(|| self.env.now(), |entry| entry.at);
        let record = ClockRecord {
            id: self.env.id(),
            kind: kind.as_str().into(),
            complaint_id: subject.complaint_id,
            work_order_id: subject.work_order_id,
            region_id: subject.region_id,
            utc_offset_minutes: subject.utc_offset_minutes,
            measure: clock.measure.as_str().into(),
            budget_micros: clock.budget_micros,
            limit_key: limit_key.into(),
            is_major,
            standing: clock.standing().as_str().into(),
            started_at,
            due_at: started_at,
            warn_at: started_at,
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
            used_micros: 0,
            time_by_stage: json!({}),
            version: 1,
        };
        let kept = clock.history.len();
        let mut held = HeldClock { record, clock, kind, kept };
        self.clock_reckon(&mut held, rules);
        let entries: Vec<ClockEntryRecord> =
            (1..=held.clock.history.len()).filter_map(|number| entry_record(&held, number)).collect();
        tx.clock_insert(&held.record, &entries)?;
        self.clock_timer_set(tx, &held)?;
        Ok(held)
    }

    /// Reckons standing, deadline, warning and use anew; nothing is saved.
    fn clock_reckon(&self, held: &mut HeldClock, rules: &ClockRules) {
        let (clock, record) = (&held.clock, &mut held.record);
        let offset = record.utc_offset_minutes;
        record.standing = clock.standing().as_str().into();
        record.budget_micros = clock.budget_micros;
        record.due_at = clock.deadline(&rules.calendar, offset).unwrap_or(record.started_at);
        let warn_at = clock.warn_deadline(rules.limits.warn_percent, &rules.calendar, offset);
        record.warn_at = warn_at.unwrap_or(record.started_at).min(record.due_at);
        record.used_micros = clock.used_micros(self.env.now(), &rules.calendar, offset);
        record.stopped_at = match clock.standing() {
            ClockStanding::Stopped => clock.history.last().map(|entry| entry.at),
            ClockStanding::Running | ClockStanding::Paused => None,
        };
        if record.stopped_at.is_none() {
            record.outcome = None;
        }
    }

    /// Saves a clock to whose history something was appended since it was held: see the module.
    fn clock_save(&self, tx: &mut Tx, held: &mut HeldClock, rules: &ClockRules) -> AppResult<()> {
        for number in held.kept + 1..=held.clock.history.len() {
            if let Some(entry) = entry_record(held, number) {
                tx.clock_entry_insert(&entry)?;
            }
        }
        held.kept = held.clock.history.len();
        self.clock_reckon(held, rules);
        self.clock_breach_note(tx, held, rules)?;
        tx.clock_update(&mut held.record)?;
        self.clock_timer_set(tx, held)
    }

    /// Appends to a clock's history and saves it. A breach that the clock ran into before is written down with it.
    pub(crate) fn clock_record(
        &self,
        tx: &mut Tx,
        held: &mut HeldClock,
        event: ClockEvent,
        reason: &str,
        rules: &ClockRules,
    ) -> AppResult<()> {
        self.clock_breach_note(tx, held, rules)?;
        held.clock.record(self.env.now(), event, reason)?;
        self.clock_save(tx, held, rules)
    }

    /// Ends a clock that has not ended.
    pub(crate) fn clock_stop(
        &self,
        tx: &mut Tx,
        held: &mut HeldClock,
        outcome: ClockOutcome,
        reason: &str,
        rules: &ClockRules,
    ) -> AppResult<()> {
        if !held.is_live() {
            return Ok(());
        }
        self.clock_breach_note(tx, held, rules)?;
        held.clock.record(self.env.now(), ClockEvent::Stopped, reason)?;
        held.record.outcome = Some(outcome);
        held.record.time_by_stage = self.clock_time_by_stage(tx, held, rules)?;
        self.clock_save(tx, held, rules)
    }

    /// Gives a clock another limit and saves it.
    fn clock_limit_change(
        &self,
        tx: &mut Tx,
        held: &mut HeldClock,
        budget_micros: i64,
        reason: &str,
        rules: &ClockRules,
    ) -> AppResult<()> {
        self.clock_breach_note(tx, held, rules)?;
        let before = held.clock.budget_micros;
        held.clock.limit_change(self.env.now(), budget_micros, reason)?;
        self.clock_save(tx, held, rules)?;
        self.event_append(
            tx,
            EventDraft::new(held.subject(), "clock_limit_changed").reason(reason).detail(json!({
                "clock_id": held.record.id, "kind": held.kind, "from_seconds": before / 1_000_000,
                "to_seconds": held.clock.budget_micros / 1_000_000, "due_at": held.record.due_at,
            })),
        )
    }

    /// Puts a major complaint on the fast track (R-CLASS-2): what is left of its limits shrinks, and later clocks get the shorter
    /// ones. Doing it twice is as good as once. The answers that are owed to the customer and the board's meeting keep their time.
    pub fn clock_fast_track(&self, tx: &mut Tx, complaint_id: ComplaintId, reason: &str) -> AppResult<()> {
        let why = format!("major complaint 重大投诉: {reason}");
        for mut held in self.clocks_hold(tx, complaint_id)? {
            if held.record.is_major {
                continue;
            }
            let rules = self.clock_rules(tx, held.record.region_id)?;
            held.record.is_major = true;
            let is_shortened = match held.kind {
                ClockKind::Handling | ClockKind::Review | ClockKind::Tracking => true,
                ClockKind::Plan => held.record.limit_key != PlanKind::Build.as_str(),
                ClockKind::FirstResponse | ClockKind::HigherDoor => false,
            };
            if is_shortened && held.is_live() {
                let used = held.clock.used_micros(self.env.now(), &rules.calendar, held.record.utc_offset_minutes);
                let budget = clock_budget_change(&rules.limits, held.clock.budget_micros, used);
                self.clock_limit_change(tx, &mut held, budget, &why, &rules)?;
            } else {
                tx.clock_update(&mut held.record)?;
            }
        }
        Ok(())
    }

    /// Writes a breach down, once (R-KPI-1): its true instant, however late it is noticed, and the cause that the time used
    /// suggests. Returns whether there was one that nobody had noticed. The caller saves the clock.
    fn clock_breach_note(&self, tx: &mut Tx, held: &mut HeldClock, rules: &ClockRules) -> AppResult<bool> {
        let now = self.env.now();
        let offset = held.record.utc_offset_minutes;
        if held.record.breached_at.is_some() {
            return Ok(false);
        }
        let Some(breached_at) = held.clock.breached_at(now, &rules.calendar, offset) else { return Ok(false) };
        let times = time_by_stage(
            &held.clock.explain(breached_at, &rules.calendar, offset),
            &self.clock_stages(tx, &held.record)?,
        );
        let causes: BreachCausePolicy = self.policy(tx, held.record.region_id)?;
        held.record.breached_at = Some(breached_at);
        held.record.breach_recorded_at = Some(now);
        held.record.suggested_cause = causes.suggestion(&times).map(|cause| cause.key.clone());
        held.record.time_by_stage = serde_json::to_value(&times).map_err(AppError::internal)?;
        self.kpi_touch(tx, held.record.complaint_id)?;
        self.event_append(
            tx,
            EventDraft::new(held.subject(), "clock_breached").detail(json!({
                "clock_id": held.record.id, "kind": held.kind, "breached_at": breached_at,
                "suggested_cause": held.record.suggested_cause, "is_major": held.record.is_major,
            })),
        )?;
        Ok(true)
    }

    fn clock_time_by_stage(&self, tx: &mut Tx, held: &HeldClock, rules: &ClockRules) -> AppResult<Value> {
        let spans = held.clock.explain(self.env.now(), &rules.calendar, held.record.utc_offset_minutes);
        let times = time_by_stage(&spans, &self.clock_stages(tx, &held.record)?);
        serde_json::to_value(times).map_err(AppError::internal)
    }

    /// Which stage the order was in since when, as its trail tells; empty for a complaint without one.
    fn clock_stages(&self, tx: &mut Tx, record: &ClockRecord) -> AppResult<StageHistory> {
        let Some(order_id) = record.work_order_id else { return Ok(Vec::new()) };
        let subject = Subject::WorkOrder(order_id);
        let mut stages = Vec::new();
        let (mut after, mut recipient) = (0, None);
        loop {
            let events = tx.event_list(subject.kind(), subject.id(), after, EVENTS_AT_ONCE)?;
            let is_last = events.len() < EVENTS_AT_ONCE as usize;
            for event in events {
                after = event.number;
                let detail: Value = serde_json::from_str(&event.detail).unwrap_or(Value::Null);
                let word = |pointer| detail.pointer(pointer).and_then(Value::as_str);
                recipient = word("/facts/recipient").and_then(|text| text.parse().ok()).or(recipient);
                let stage = if stages.is_empty() {
                    Some(ClockStage::of_order(WorkOrderState::Received, None))
                } else if event.action.starts_with("tracking_ticket_") {
                    word("/to").and_then(|text| text.parse().ok()).map(ClockStage::of_ticket)
                } else {
                    word("/to").and_then(|text| text.parse().ok()).map(|state| ClockStage::of_order(state, recipient))
                };
                stages.extend(stage.map(|stage| (event.happened_at, stage)));
            }
            if is_last {
                return Ok(stages);
            }
        }
    }

    /// A complaint is on the fast track: one of its clocks says so.
    fn is_major(clocks: &[HeldClock]) -> bool {
        clocks.iter().any(|held| held.record.is_major)
    }

    /// The order's clock is paused: the customer was asked something, or whether service is back.
    pub(crate) fn clock_waits_for_customer(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<bool> {
        Ok(tx.clock_list_by_complaint(order.complaint_id)?.iter().any(|record| {
            record.kind == ClockKind::Handling.as_str() && record.standing == ClockStanding::Paused.as_str()
        }))
    }

    /// When an order that is resolved now was returned as such (R-RETURN-4).
    pub(crate) fn work_order_resolved_at(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<Option<Timestamp>> {
        if order.state != WorkOrderState::Resolved {
            return Ok(None);
        }
        let word = crate::workflow::replies::ReplyKind::FinalResolved.as_str();
        let replies = tx.reply_list_by_work_order(order.id)?;
        Ok(replies.iter().rev().find(|reply| reply.kind == word).map(|reply| reply.created_at))
    }
}

/// How many events are read at once.
const EVENTS_AT_ONCE: u32 = 500;

/// The row of an entry; entries count from 1.
fn entry_record(held: &HeldClock, number: usize) -> Option<ClockEntryRecord> {
    let entry = held.clock.history.get(number.checked_sub(1)?)?;
    Some(ClockEntryRecord {
        clock_id: held.record.id,
        number: number as u64,
        happened_at: entry.at,
        event: entry.event.as_str().into(),
        reason: entry.reason.clone(),
        budget_micros: entry.budget_micros,
    })
}
