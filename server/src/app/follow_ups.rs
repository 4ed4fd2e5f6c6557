//! Follow-ups of low scores: opened by the customer's answer, closed with what was done (R-REVISIT-1).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::dispatches::FollowUpState;
use crate::workflow::{refuse, required_text};
use callout_storage::follow_ups::{FollowUp, FollowUpFilter};
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{FollowUpId, TrackingTicketId};
use callout_sync_protocol::problem::ProblemType;
use serde_json::json;

impl App {
    /// Opens the follow-up of the answer that the customer just gave.
    pub(crate) fn follow_up_open(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        tracking_ticket_id: Option<TrackingTicketId>,
    ) -> AppResult<()> {
        let revisits = tx.revisit_list_by_work_order(order.id)?;
        let answered = revisits.iter().filter(|r| r.tracking_ticket_id == tracking_ticket_id);
        let Some(revisit) = answered.max_by_key(|revisit| revisit.answered_at) else { return Ok(()) };
        tx.follow_up_insert(&FollowUp {
            id: self.env.id(),
            work_order_id: order.id,
            tracking_ticket_id,
            revisit_id: revisit.id,
            region_id: order.region_id,
            score: revisit.score.unwrap_or_default(),
            state: FollowUpState::Open.as_str().into(),
            what_was_done: None,
            closed_by: None,
            closed_at: None,
            opened_at: self.env.now(),
            version: 1,
        })?;
        Ok(())
    }

    /// Follow-ups of the caller's regions, newest first.
    pub fn follow_up_list(
        &self,
        caller: &Caller,
        filter: &FollowUpFilter,
        page: Page<FollowUpId>,
    ) -> AppResult<Vec<FollowUp>> {
        self.storage.read("follow_up_list", |tx| {
            let scope = filter.scope.clone().and(self.caller_scope(tx, caller)?);
            Ok(tx.follow_up_list(&FollowUpFilter { scope, ..filter.clone() }, &page)?)
        })
    }

    /// Closes a follow-up with what was done.
    ///
    /// # Errors
    /// `illegal-transition` when it is closed; `invalid-field` for blank words.
    pub fn follow_up_close(&self, caller: &Caller, id: FollowUpId, what_was_done: &str) -> AppResult<FollowUp> {
        self.storage.write("follow_up_close", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let mut follow_up = tx
                .follow_up_lock(id)?
                .filter(|follow_up| scope.contains(follow_up.region_id))
                .ok_or_else(|| AppError::not_found("follow-up"))?;
            if follow_up.state != FollowUpState::Open.as_str() {
                refuse(ProblemType::IllegalTransition, "the follow-up is closed already")?;
            }
            required_text("what_was_done", what_was_done)?;
            follow_up.state = FollowUpState::Closed.as_str().into();
            follow_up.what_was_done = Some(what_was_done.trim().to_owned());
            follow_up.closed_by = Some(caller.user_id);
            follow_up.closed_at = Some(self.env.now());
            tx.follow_up_update(&mut follow_up)?;
            let draft = EventDraft::new(Subject::WorkOrder(follow_up.work_order_id), "follow_up_closed").by(caller);
            self.event_append(tx, draft.detail(json!({ "follow_up_id": id, "score": follow_up.score })))?;
            Ok(follow_up)
        })
    }
}
