//! What desks see of clocks, and the cause that they name for a breach (R-KPI-1).

use super::HeldClock;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::app::events::EventDraft;
use crate::workflow::breaches::{BreachCause, BreachCausePolicy, ClockStage, time_by_stage};
use crate::workflow::clocks::{ClockKind, ClockSpan, ClockStanding};
use callout_storage::Tx;
use callout_storage::clocks::{ClockFilter, ClockRecord};
use callout_storage::{Page, RegionScope};
use callout_sync_protocol::ids::{ClockId, ComplaintId, RegionId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;
use std::collections::BTreeMap;

/// A clock, explained up to now.
#[derive(Clone, Debug)]
pub struct ClockSeen {
    /// The clock.
    pub record: ClockRecord,
    /// Which limit it counts.
    pub kind: ClockKind,
    /// What it does.
    pub standing: ClockStanding,
    /// Its whole life, stretch by stretch.
    pub spans: Vec<ClockSpan>,
    /// Microseconds used.
    pub used_micros: i64,
    /// Microseconds used in each stage.
    pub time_by_stage: BTreeMap<ClockStage, i64>,
    /// Years that it touches and that the calendar does not cover: their public holidays count as worked.
    pub uncovered_years: Vec<i32>,
    /// The cause that the history suggests, if it is late.
    pub suggested_cause: Option<BreachCause>,
    /// The cause that a person named.
    pub named_cause: Option<BreachCause>,
}

/// The cause of a breach, as a person names it.
#[derive(Clone, Debug)]
pub struct ClockCauseNamed {
    /// Its key in the policy's list.
    pub cause: String,
    /// What there is to say of it.
    pub note: Option<String>,
}

impl App {
    fn clock_seen(&self, tx: &mut Tx, record: ClockRecord) -> AppResult<ClockSeen> {
        let held = self.clock_held(tx, record)?;
        let rules = self.clock_rules(tx, held.record.region_id)?;
        let causes: BreachCausePolicy = self.policy(tx, held.record.region_id)?;
        let stages = self.clock_stages(tx, &held.record)?;
        let HeldClock { mut record, clock, kind, .. } = held;
        let (now, offset) = (self.env.now(), record.utc_offset_minutes);
        let spans = clock.explain(now, &rules.calendar, offset);
        // The limit may have been replaced a moment ago, and the job that follows may not have come yet.
        record.due_at = clock.deadline(&rules.calendar, offset).unwrap_or(record.due_at);
        let ends_at = record.stopped_at.unwrap_or(now).max(record.due_at);
        // A key that is no longer in the list is shown as it stands.
        let cause_of = |key: &Option<String>| {
            key.as_ref().map(|key| {
                causes.cause(key).cloned().unwrap_or_else(|| BreachCause {
                    key: key.clone(),
                    name: key.clone(),
                    name_zh: key.clone(),
                    stages: vec![],
                    needs_note: false,
                })
            })
        };
        Ok(ClockSeen {
            kind,
            standing: clock.standing(),
            used_micros: spans.iter().map(ClockSpan::counted_micros).sum(),
            time_by_stage: time_by_stage(&spans, &stages),
            uncovered_years: match clock.measure {
                crate::workflow::clocks::TimeMeasure::WorkingDays => {
                    rules.calendar.uncovered_years(record.started_at, ends_at, offset)
                }
                crate::workflow::clocks::TimeMeasure::AllHours => Vec::new(),
            },
            suggested_cause: cause_of(&record.suggested_cause),
            named_cause: cause_of(&record.breach_cause),
            spans,
            record,
        })
    }

    /// The clocks of an order, explained, oldest first; those of its complaint among them.
    pub fn work_order_clocks(&self, caller: &Caller, id: WorkOrderId) -> AppResult<Vec<ClockSeen>> {
        self.storage.read("work_order_clocks", |tx| {
            let order = self.work_order_visible(tx, caller, id)?;
            let records = tx.clock_list_by_complaint(order.complaint_id)?;
            records.into_iter().map(|record| self.clock_seen(tx, record)).collect()
        })
    }

    /// The clocks of a complaint, explained, oldest first; those of its order among them.
    pub fn complaint_clocks(&self, caller: &Caller, id: ComplaintId) -> AppResult<Vec<ClockSeen>> {
        self.complaint_show(caller, id)?;
        self.storage.read("complaint_clocks", |tx| {
            let records = tx.clock_list_by_complaint(id)?;
            records.into_iter().map(|record| self.clock_seen(tx, record)).collect()
        })
    }

    /// One clock of the caller's regions, explained.
    pub fn clock_show(&self, caller: &Caller, id: ClockId) -> AppResult<ClockSeen> {
        self.storage.read("clock_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let record = tx
                .clock_by_id(id)?
                .filter(|record| scope.contains(record.region_id))
                .ok_or_else(|| AppError::not_found("clock"))?;
            self.clock_seen(tx, record)
        })
    }

    /// Clocks of the caller's regions, what is due first before the rest.
    pub fn clock_list(
        &self,
        caller: &Caller,
        mut filter: ClockFilter,
        page: Page<ClockId>,
    ) -> AppResult<Vec<ClockRecord>> {
        self.storage.read("clock_list", |tx| {
            filter.scope = filter.scope.clone().and(self.caller_scope(tx, caller)?);
            Ok(tx.clock_list(&filter, &page)?)
        })
    }

    /// The causes to choose from in a region.
    pub fn breach_cause_list(&self, caller: &Caller, region_id: Option<RegionId>) -> AppResult<Vec<BreachCause>> {
        self.storage.read("breach_cause_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            if region_id.is_some_and(|id| !matches!(scope, RegionScope::All) && !scope.contains(Some(id))) {
                return Err(AppError::not_found("region"));
            }
            Ok(self.policy::<BreachCausePolicy>(tx, region_id)?.causes)
        })
    }

    /// Names the cause of a breach, for the Pareto chart (R-KPI-1). Naming another one replaces it; the trail keeps both.
    ///
    /// # Errors
    /// `illegal-transition` while the clock is in time; `invalid-field` for a cause that is not in the list.
    pub fn clock_cause_name(&self, caller: &Caller, id: ClockId, named: &ClockCauseNamed) -> AppResult<ClockSeen> {
        let now = self.env.now();
        self.storage.write("clock_cause_name", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let record = tx
                .clock_lock(id)?
                .filter(|record| scope.contains(record.region_id))
                .ok_or_else(|| AppError::not_found("clock"))?;
            let mut held = self.clock_held(tx, record)?;
            let rules = self.clock_rules(tx, held.record.region_id)?;
            self.clock_breach_note(tx, &mut held, &rules)?;
            if held.record.breached_at.is_none() {
                return Err(AppError::new(
                    ProblemType::IllegalTransition,
                    "the clock was not overrun; there is no cause to name",
                ));
            }
            let causes: BreachCausePolicy = self.policy(tx, held.record.region_id)?;
            let note = named.note.as_deref().map(str::trim);
            causes.check_named(&named.cause, note)?;
            held.record.breach_cause = Some(named.cause.clone());
            held.record.breach_note = note.map(str::to_owned);
            held.record.cause_named_by = Some(caller.user_id);
            held.record.cause_named_at = Some(now);
            tx.clock_update(&mut held.record)?;
            self.kpi_touch(tx, held.record.complaint_id)?;
            self.event_append(
                tx,
                EventDraft::new(held.subject(), "clock_breach_cause_named").by(caller).detail(json!({
                    "clock_id": id, "kind": held.kind, "cause": named.cause,
                    "suggested_cause": held.record.suggested_cause,
                })),
            )?;
            self.clock_seen(tx, held.record)
        })
    }
}
