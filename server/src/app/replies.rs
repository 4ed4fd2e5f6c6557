//! Replies to customer service: stage and final (R-RETURN-1). A final reply 'unresolved' opens the tracking ticket by itself
//! (R-RETURN-2); a final reply 'resolved' goes by itself when the customer confirms (R-RETURN-3, `revisits`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::replies::{ReplyKind, ReplyText};
use crate::workflow::tracking_tickets::{TrackingTicketCommand, tracking_ticket_transition};
use crate::workflow::work_orders::WorkOrderCommand;
use callout_storage::Tx;
use callout_storage::replies::Reply;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::json;

/// A reply with the ticket that it opened, if it did.
pub type ReplySent = (Reply, Option<TrackingTicketId>);

impl App {
    /// Replies to customer service.
    ///
    /// # Errors
    /// `revisit-missing` for a final reply 'resolved', which only the customer's confirmation sends; `invalid-field` for words that
    /// must not reach a customer (R-CONTACT-2); `illegal-transition`.
    pub fn reply_create(
        &self,
        caller: &Caller,
        order_id: WorkOrderId,
        kind: ReplyKind,
        text: &ReplyText,
    ) -> AppResult<ReplySent> {
        self.storage.write("reply_create", |tx| {
            let mut order = self.work_order_for(tx, caller, order_id)?;
            let command = match kind {
                ReplyKind::Stage => WorkOrderCommand::StageReply(text.clone()),
                ReplyKind::FinalUnresolved => WorkOrderCommand::FinalReplyUnresolved(text.clone()),
                ReplyKind::FinalResolved => {
                    return Err(AppError::new(
                        ProblemType::RevisitMissing,
                        "ask the customer by a revisit; the final reply goes when the customer confirms (R-RETURN-3)",
                    ));
                }
            };
            if order.state == WorkOrderState::Unresolved && kind == ReplyKind::Stage {
                self.tracking_ticket_stage_reply(tx, caller, &order, text)?;
            } else {
                let facts = self.work_order_facts(tx, &order)?;
                self.work_order_command(tx, Some(caller), &mut order, &command, &facts, json!({ "kind": kind }))?;
            }
            let reply = self.reply_insert(tx, &order, kind, text, Some(caller.user_id))?;
            let ticket = match kind {
                ReplyKind::FinalUnresolved => tx.tracking_ticket_by_work_order(order_id)?.map(|ticket| ticket.id),
                ReplyKind::Stage | ReplyKind::FinalResolved => None,
            };
            Ok((reply, ticket))
        })
    }

    fn tracking_ticket_stage_reply(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        order: &WorkOrder,
        text: &ReplyText,
    ) -> AppResult<()> {
        let ticket =
            tx.tracking_ticket_by_work_order(order.id)?.ok_or_else(|| AppError::not_found("tracking ticket"))?;
        let state = ticket.state.parse().map_err(AppError::internal)?;
        let command = TrackingTicketCommand::StageReply(text.clone());
        let policy = self.tracking_ticket_policy(tx, order.region_id)?;
        tracking_ticket_transition(state, &command, &self.tracking_ticket_facts(&ticket), &policy)?;
        self.event_append(
            tx,
            EventDraft::new(Subject::WorkOrder(order.id), "tracking_ticket_stage_reply")
                .by(caller)
                .detail(json!({ "tracking_ticket_id": ticket.id })),
        )
    }

    /// Writes a reply down; whoever calls has judged that it may go.
    pub(crate) fn reply_insert(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        kind: ReplyKind,
        text: &ReplyText,
        created_by: Option<UserId>,
    ) -> AppResult<Reply> {
        let reply = Reply {
            id: self.env.id(),
            complaint_id: order.complaint_id,
            work_order_id: Some(order.id),
            kind: kind.as_str().into(),
            body: text.text.trim().to_owned(),
            next_step: text.next_step.as_deref().map(|next| next.trim().to_owned()),
            created_by,
            created_at: self.env.now(),
        };
        tx.reply_insert(&reply)?;
        self.kpi_touch(tx, order.complaint_id)?;
        Ok(reply)
    }

    /// The replies to an order's complaint, oldest first.
    pub fn reply_list(&self, caller: &Caller, order_id: WorkOrderId) -> AppResult<Vec<Reply>> {
        self.storage.read("reply_list", |tx| {
            let order = self.work_order_visible(tx, caller, order_id)?;
            Ok(tx.reply_list_by_complaint(order.complaint_id)?)
        })
    }
}
