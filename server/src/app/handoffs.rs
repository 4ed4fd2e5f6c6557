//! Handing an order to the branch (T2) or to maintenance, and the answer (R-ROUTE-1, R-ROUTE-2).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::workflow::dispatches::AppraisalKind;
use crate::workflow::handoffs::{HandoffCommand, HandoffOutcome, HandoffRecipient, HandoffState, handoff_transition};
use crate::workflow::work_orders::{WorkOrderCommand, WorkOrderEffect};
use callout_storage::handoffs::Handoff;
use callout_sync_protocol::ids::{HandoffId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use serde_json::json;

/// What T1 demands.
#[derive(Clone, Debug)]
pub struct HandoffDemand {
    /// From whom.
    pub recipient: HandoffRecipient,
    /// What.
    pub demand: String,
    /// By when.
    pub due_at: Option<Timestamp>,
}

impl App {
    /// Hands an order over inside the system; it is never returned to customer service for that (R-ROUTE-2).
    pub fn handoff_create(&self, caller: &Caller, order_id: WorkOrderId, new: &HandoffDemand) -> AppResult<Handoff> {
        let now = self.env.now();
        self.storage.write("handoff_create", |tx| {
            let mut order = self.work_order_for(tx, caller, order_id)?;
            let facts = self.work_order_facts(tx, &order)?;
            let handoff = Handoff {
                id: self.env.id(),
                work_order_id: order_id,
                tracking_ticket_id: None,
                target: new.recipient.as_str().into(),
                demand: new.demand.trim().to_owned(),
                state: HandoffState::Open.as_str().into(),
                outcome: None,
                answer: None,
                answered_by: None,
                answered_at: None,
                due_at: new.due_at,
                created_by: caller.user_id,
                created_at: now,
                version: 1,
            };
            let command = WorkOrderCommand::HandOver { recipient: new.recipient, demand: new.demand.clone() };
            let detail = json!({ "handoff_id": handoff.id, "recipient": new.recipient, "due_at": new.due_at });
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            tx.handoff_insert(&handoff)?;
            Ok(handoff)
        })
    }

    /// Answers a handoff for the branch or for maintenance.
    ///
    /// # Errors
    /// `illegal-transition` when it has its answer already.
    pub fn handoff_answer(
        &self,
        caller: &Caller,
        id: HandoffId,
        outcome: HandoffOutcome,
        text: &str,
    ) -> AppResult<Handoff> {
        let now = self.env.now();
        self.storage.write("handoff_answer", |tx| {
            let order_id = tx
                .handoff_by_id(id)?
                .map(|handoff| handoff.work_order_id)
                .ok_or_else(|| AppError::not_found("handoff"))?;
            // The order's lock comes first, then the handoff is read again under it.
            let mut order = self.work_order_for(tx, caller, order_id).map_err(|error| match error.problem {
                callout_sync_protocol::problem::ProblemType::NotFound => AppError::not_found("handoff"),
                _ => error,
            })?;
            let mut handoff = tx.handoff_by_id(id)?.ok_or_else(|| AppError::not_found("handoff"))?;
            let state: HandoffState = handoff.state.parse().map_err(AppError::internal)?;
            let recipient: HandoffRecipient = handoff.target.parse().map_err(AppError::internal)?;
            let command = HandoffCommand::Answer { outcome, text: text.to_owned() };
            handoff.state = handoff_transition(state, recipient, &command)?.state.as_str().into();
            handoff.outcome = Some(outcome.as_str().into());
            handoff.answer = Some(text.trim().to_owned());
            handoff.answered_by = Some(caller.user_id);
            handoff.answered_at = Some(now);
            let facts = self.work_order_facts(tx, &order)?;
            let command = WorkOrderCommand::HandoffAnswer { outcome };
            let detail = json!({ "handoff_id": id, "outcome": outcome });
            let effects = self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            if effects.contains(&WorkOrderEffect::WrongDispatchCounted) {
                let (against, kind) = (handoff.created_by, AppraisalKind::WrongAddressee);
                self.appraisal_mark(tx, Some(caller), against, kind, &order, None, text.trim().to_owned())?;
            }
            tx.handoff_update(&mut handoff)?;
            Ok(handoff)
        })
    }

    /// The handoffs of an order, oldest first.
    pub fn handoff_list(&self, caller: &Caller, order_id: WorkOrderId) -> AppResult<Vec<Handoff>> {
        self.storage.read("handoff_list", |tx| {
            self.work_order_visible(tx, caller, order_id)?;
            Ok(tx.handoff_list_by_work_order(order_id)?)
        })
    }
}
