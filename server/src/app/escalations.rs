//! Escalations: opened by the rules of intake and by people, ended with an outcome by those whose level it is (R-INTAKE-3, R-INTAKE-4,
//! R-INTAKE-8, R-RETURN-5).

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::escalations::{EscalationCause, EscalationLevel, EscalationOutcome, escalation_close_check};
use crate::workflow::required_text;
use crate::workflow::work_orders::WorkOrderCommand;
use callout_storage::clocks::ClockOutcome;
use callout_storage::complaints::{Complaint, ComplaintState};
use callout_storage::escalations::{Escalation, EscalationFilter};
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{ComplaintId, EscalationId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;

/// How somebody ends an escalation.
#[derive(Clone, Debug)]
pub struct EscalationClosing {
    /// The outcome.
    pub outcome: EscalationOutcome,
    /// What was said or done.
    pub words: String,
}

/// Who may end an escalation of a level.
fn closers(level: EscalationLevel) -> &'static [Role] {
    match level {
        EscalationLevel::Senior => &[Role::T1Dispatcher, Role::RegionalLead, Role::QualityControl],
        EscalationLevel::Manager | EscalationLevel::Coordination => &[Role::RegionalLead, Role::QualityControl],
        EscalationLevel::Joint => &[Role::QualityControl],
    }
}

impl App {
    /// Opens an escalation, unless one of the level is open for the complaint already; then that one is given back.
    pub(crate) fn escalation_open(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        complaint_id: ComplaintId,
        (level, cause): (EscalationLevel, EscalationCause),
        reason: &str,
    ) -> AppResult<Escalation> {
        let open = tx.escalation_list_by_complaint(complaint_id)?;
        if let Some(open) = open.into_iter().find(|open| open.closed_at.is_none() && open.level == level.as_str()) {
            return Ok(open);
        }
        let escalation = Escalation {
            id: self.env.id(),
            complaint_id,
            level: level.as_str().into(),
            cause: cause.as_str().into(),
            reason: reason.trim().to_owned(),
            opened_by: caller.map(|caller| caller.user_id),
            opened_at: self.env.now(),
            closed_by: None,
            closed_at: None,
            outcome: None,
            words: None,
            version: 1,
        };
        tx.escalation_insert(&escalation)?;
        let draft = EventDraft::new(Subject::Complaint(complaint_id), "escalation_opened")
            .detail(json!({ "escalation_id": escalation.id, "level": level, "cause": cause }));
        let draft = caller.into_iter().fold(draft, EventDraft::by);
        self.event_append(tx, if reason.is_empty() { draft } else { draft.reason(&escalation.reason) })?;
        Ok(escalation)
    }

    fn complaint_for(&self, tx: &mut Tx, caller: &Caller, id: ComplaintId, noun: &str) -> AppResult<Complaint> {
        let scope = self.caller_scope(tx, caller)?;
        tx.complaint_by_id(id)?
            .filter(|complaint| scope.contains(complaint.region_id))
            .ok_or_else(|| AppError::not_found(noun))
    }

    /// A person gives a complaint to somebody higher.
    ///
    /// # Errors
    /// `illegal-transition` when the complaint has ended; `invalid-field` without a reason.
    pub fn escalation_create(
        &self,
        caller: &Caller,
        id: ComplaintId,
        level: EscalationLevel,
        reason: &str,
    ) -> AppResult<Escalation> {
        required_text("reason", reason)?;
        self.storage.write("escalation_create", |tx| {
            let complaint = self.complaint_for(tx, caller, id, "complaint")?;
            if complaint.state.is_final() {
                return Err(AppError::new(
                    ProblemType::IllegalTransition,
                    format!("the complaint has ended; it is '{}'", complaint.state),
                ));
            }
            self.escalation_open(tx, Some(caller), id, (level, EscalationCause::Raised), reason)
        })
    }

    /// Raises an order to coordination (R-RETURN-5).
    ///
    /// # Errors
    /// `illegal-transition` when the order has ended.
    pub fn work_order_raise(&self, caller: &Caller, id: WorkOrderId, reason: &str) -> AppResult<Escalation> {
        self.storage.write("work_order_raise", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let facts = self.work_order_facts(tx, &order)?;
            let command = WorkOrderCommand::RaiseToCoordination { reason: reason.to_owned() };
            let detail = json!({ "cause": EscalationCause::Raised });
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            // The order's event says that it was raised; this is what somebody has to end.
            let what = (EscalationLevel::Coordination, EscalationCause::Raised);
            self.escalation_open(tx, Some(caller), order.complaint_id, what, reason)
        })
    }

    /// An escalation of the caller's regions.
    pub fn escalation_show(&self, caller: &Caller, id: EscalationId) -> AppResult<Escalation> {
        self.storage.read("escalation_show", |tx| {
            let escalation = tx.escalation_by_id(id)?.ok_or_else(|| AppError::not_found("escalation"))?;
            self.complaint_for(tx, caller, escalation.complaint_id, "escalation")?;
            Ok(escalation)
        })
    }

    /// Escalations of the caller's regions, newest first.
    pub fn escalation_list(
        &self,
        caller: &Caller,
        mut filter: EscalationFilter,
        page: Page<EscalationId>,
    ) -> AppResult<Vec<Escalation>> {
        self.storage.read("escalation_list", |tx| {
            filter.scope = filter.scope.clone().and(self.caller_scope(tx, caller)?);
            Ok(tx.escalation_list(&filter, &page)?)
        })
    }

    /// Ends an escalation with an outcome. `raised` opens the next higher one; of a contested refusal, `taken_up` lets T1 classify the
    /// complaint and `upheld` leaves it refused (R-INTAKE-8).
    ///
    /// # Errors
    /// `illegal-transition` when it is closed already, `forbidden` when the level is not the caller's, `invalid-field`.
    pub fn escalation_close(
        &self,
        caller: &Caller,
        id: EscalationId,
        closing: &EscalationClosing,
    ) -> AppResult<Escalation> {
        let now = self.env.now();
        self.storage.write("escalation_close", |tx| {
            let mut escalation = tx.escalation_lock(id)?.ok_or_else(|| AppError::not_found("escalation"))?;
            let mut complaint = self.complaint_for(tx, caller, escalation.complaint_id, "escalation")?;
            if escalation.closed_at.is_some() {
                return Err(AppError::new(ProblemType::IllegalTransition, "the escalation is closed already"));
            }
            let level: EscalationLevel = escalation.level.parse().map_err(AppError::internal)?;
            let cause: EscalationCause = escalation.cause.parse().map_err(AppError::internal)?;
            if !caller.roles.has_any(closers(level)) {
                return Err(AppError::forbidden(format!("none of your roles ends an escalation to '{level}'")));
            }
            escalation_close_check(level, cause, closing.outcome, &closing.words)?;
            escalation.closed_at = Some(now);
            escalation.closed_by = Some(caller.user_id);
            escalation.outcome = Some(closing.outcome.as_str().into());
            escalation.words = Some(closing.words.trim().to_owned());
            tx.escalation_update(&mut escalation)?;
            self.event_append(
                tx,
                EventDraft::new(Subject::Complaint(complaint.id), "escalation_closed")
                    .by(caller)
                    .reason(closing.words.trim())
                    .detail(json!({ "escalation_id": id, "level": level, "cause": cause, "outcome": closing.outcome })),
            )?;
            let state = match closing.outcome {
                EscalationOutcome::Upheld => Some(ComplaintState::Refused),
                EscalationOutcome::TakenUp => Some(ComplaintState::Received),
                EscalationOutcome::Answered | EscalationOutcome::Raised => None,
            };
            if let Some(state) = state.filter(|_| complaint.state == ComplaintState::Contested) {
                complaint.state = state;
                complaint.updated_at = now;
                if state == ComplaintState::Received {
                    complaint.answer = None;
                } else {
                    self.clock_complaint_end(tx, complaint.id, ClockOutcome::Met, "the refusal was upheld 维持拒绝")?;
                }
                tx.complaint_update(&mut complaint)?;
                self.kpi_touch(tx, complaint.id)?;
            }
            if let (EscalationOutcome::Raised, Some(above)) = (closing.outcome, level.above()) {
                // What was contested stays so until somebody upholds it or takes it up.
                let cause = match cause {
                    EscalationCause::RefusalContested => cause,
                    _ => EscalationCause::RaisedFurther,
                };
                self.escalation_open(tx, Some(caller), complaint.id, (above, cause), &closing.words)?;
            }
            Ok(escalation)
        })
    }
}
