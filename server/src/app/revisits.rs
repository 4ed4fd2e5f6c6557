//! Revisits: the customer confirms, or denies, that the problem is gone, by a one-time link or by telephone (R-RETURN-3, R-REVISIT-1).
//!
//! Asking holds the order (or its open tracking ticket) to be solved. The link's token is random, only its hash is kept, and it
//! says nothing of the customer.

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::jobs::REVISIT_EXPIRE;
use crate::workflow::replies::{ReplyKind, ReplyText};
use crate::workflow::revisits::{
    RevisitAnswer, RevisitChannel, RevisitCommand, RevisitFacts, RevisitPolicy, RevisitState, revisit_link_expires_at,
    revisit_transition,
};
use crate::workflow::tracking_tickets::{
    TrackingTicketCommand, TrackingTicketEffect, TrackingTicketState, tracking_ticket_transition,
};
use crate::workflow::work_orders::{WorkOrderCommand, WorkOrderEffect};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callout_storage::Tx;
use callout_storage::revisits::Revisit;
use callout_storage::tracking_tickets::TrackingTicket;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{RevisitId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::{Value, json};

/// A revisit that was just asked for, with the link that is shown once.
#[derive(Debug)]
pub struct RevisitAsked {
    /// The revisit.
    pub revisit: Revisit,
    /// The path of the customer's page, with the token.
    pub url: String,
}

/// What the customer's page tells: no personal data, only enough to know what is asked about.
#[derive(Clone, Debug)]
pub struct RevisitQuestion {
    /// The order's number.
    pub number: String,
    /// When the complaint arrived.
    pub received_at: Timestamp,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
}

fn token_hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

fn link_expired() -> AppError {
    AppError::new(ProblemType::LinkExpired, "the link was used, taken back or is too old")
}

impl App {
    /// Holds an order, or its open tracking ticket, to be solved and asks the customer; where the customer was asked already, a new
    /// link takes the place of the old one.
    ///
    /// # Errors
    /// `illegal-transition` when there is nothing to be held solved.
    pub fn revisit_create(
        &self,
        caller: &Caller,
        order_id: WorkOrderId,
        what_was_done: &str,
    ) -> AppResult<RevisitAsked> {
        let now = self.env.now();
        let token = URL_SAFE_NO_PAD.encode(self.env.random::<24>());
        self.storage.write("revisit_create", |tx| {
            let mut order = self.work_order_for(tx, caller, order_id)?;
            let ticket = self.open_ticket_of(tx, &order)?;
            let policy: RevisitPolicy = self.policy(tx, order.region_id)?;
            let revisit = Revisit {
                id: self.env.id(),
                work_order_id: order_id,
                tracking_ticket_id: ticket.as_ref().map(|ticket| ticket.id),
                state: RevisitState::Pending.as_str().into(),
                channel: None,
                token_hash: Some(token_hash(&token)),
                expires_at: revisit_link_expires_at(now, &policy),
                solved: None,
                score: None,
                words: None,
                answered_at: None,
                answered_by: None,
                created_by: caller.user_id,
                created_at: now,
            };
            match ticket {
                Some(ticket) => {
                    let is_asked = ticket.state == TrackingTicketState::AwaitingRevisit.as_str();
                    let command = if is_asked {
                        TrackingTicketCommand::RevisitAgain
                    } else {
                        TrackingTicketCommand::HoldSolved { what_was_done: what_was_done.to_owned() }
                    };
                    let effects = self.tracking_ticket_command(tx, Some(caller), &order, ticket, &command)?;
                    if effects.contains(&TrackingTicketEffect::RevisitsRevoked) {
                        self.revisits_revoke(tx, order_id)?;
                    }
                }
                None => {
                    let facts = self.work_order_facts(tx, &order)?;
                    let command = if order.state == WorkOrderState::AwaitingRevisit {
                        WorkOrderCommand::RevisitAgain
                    } else {
                        WorkOrderCommand::HoldSolved { what_was_done: what_was_done.to_owned() }
                    };
                    let detail = json!({ "revisit_id": revisit.id });
                    self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
                }
            }
            tx.revisit_insert(&revisit)?;
            self.job_enqueue(tx, REVISIT_EXPIRE, revisit.id, revisit.expires_at, Value::Null)?;
            Ok(RevisitAsked { revisit, url: format!("{}/r/{token}", self.config.public_url) })
        })
    }

    /// Takes the pending links of an order back.
    pub(crate) fn revisits_revoke(&self, tx: &mut Tx, order_id: WorkOrderId) -> AppResult<()> {
        tx.revisit_revoke_pending(order_id, RevisitState::Pending.as_str(), RevisitState::Revoked.as_str())?;
        Ok(())
    }

    fn open_ticket_of(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<Option<TrackingTicket>> {
        match order.state {
            WorkOrderState::Unresolved => Ok(tx.tracking_ticket_by_work_order(order.id)?),
            _ => Ok(None),
        }
    }

    fn tracking_ticket_command(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        order: &WorkOrder,
        mut ticket: TrackingTicket,
        command: &TrackingTicketCommand,
    ) -> AppResult<Vec<TrackingTicketEffect>> {
        let now = self.env.now();
        let before: TrackingTicketState = ticket.state.parse().map_err(AppError::internal)?;
        let facts = self.tracking_ticket_facts(&ticket);
        let policy = self.tracking_ticket_policy(tx, order.region_id)?;
        let transition = tracking_ticket_transition(before, command, &facts, &policy)?;
        ticket.state = transition.state.as_str().into();
        ticket.closed_at = (transition.state == TrackingTicketState::Closed).then_some(now);
        ticket.updated_at = now;
        tx.tracking_ticket_update(&mut ticket)?;
        // What follows for people, as for an order (R-RETURN-4, R-REVISIT-1).
        if transition.effects.contains(&TrackingTicketEffect::FalseReturnCounted) {
            let has_answered = matches!(command, TrackingTicketCommand::RevisitAnswered(_));
            self.appraisal_false_return(tx, caller, order, Some(ticket.id), has_answered)?;
        }
        if transition.effects.contains(&TrackingTicketEffect::FollowUpOpened) {
            self.follow_up_open(tx, order, Some(ticket.id))?;
        }
        let effects: Vec<String> = transition.effects.iter().map(|effect| format!("{effect:?}")).collect();
        let draft = EventDraft::new(Subject::WorkOrder(order.id), format!("tracking_ticket_{}", command.kind()))
            .detail(
                json!({ "tracking_ticket_id": ticket.id, "from": before, "to": transition.state, "effects": effects }),
            );
        self.event_append(tx, caller.into_iter().fold(draft, EventDraft::by))?;
        Ok(transition.effects)
    }

    /// What the page behind a link asks about.
    ///
    /// # Errors
    /// `link-expired`, in the same words for a token that never was.
    pub fn revisit_question(&self, token: &str) -> AppResult<RevisitQuestion> {
        let now = self.env.now();
        self.storage.read("revisit_question", |tx| {
            let revisit = tx.revisit_by_token_hash(&token_hash(token))?.ok_or_else(link_expired)?;
            if revisit.state != RevisitState::Pending.as_str() || now >= revisit.expires_at {
                return Err(link_expired());
            }
            let order = tx.work_order_by_id(revisit.work_order_id)?.ok_or_else(link_expired)?;
            let complaint = tx.complaint_by_id(order.complaint_id)?.ok_or_else(link_expired)?;
            Ok(RevisitQuestion {
                number: order.number,
                received_at: complaint.received_at,
                utc_offset_minutes: order.utc_offset_minutes,
            })
        })
    }

    /// Takes the customer's answer from the page; a link works once.
    pub fn revisit_answer_by_link(&self, token: &str, answer: &RevisitAnswer) -> AppResult<()> {
        self.storage.write("revisit_answer_by_link", |tx| {
            let revisit = tx.revisit_by_token_hash(&token_hash(token))?.ok_or_else(link_expired)?;
            let order = tx.work_order_lock(revisit.work_order_id)?.ok_or_else(link_expired)?;
            self.revisit_answered(tx, None, revisit.id, order, RevisitChannel::Link, answer)?;
            Ok(())
        })
    }

    /// Records the customer's answer by telephone.
    ///
    /// # Errors
    /// `customer-rest-hours` in the hours of rest without an emergency's reason (R-CONTACT-1).
    pub fn revisit_answer_by_phone(
        &self,
        caller: &Caller,
        id: RevisitId,
        answer: &RevisitAnswer,
        emergency_reason: Option<&str>,
    ) -> AppResult<Revisit> {
        self.storage.write("revisit_answer_by_phone", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let revisit = tx.revisit_by_id(id)?.ok_or_else(|| AppError::not_found("revisit"))?;
            let order = tx
                .work_order_lock(revisit.work_order_id)?
                .filter(|order| scope.contains(order.region_id))
                .ok_or_else(|| AppError::not_found("revisit"))?;
            let is_emergency = self.contact_allowed(tx, &order, emergency_reason)?;
            let order_id = order.id;
            let revisit = self.revisit_answered(tx, Some(caller), id, order, RevisitChannel::Phone, answer)?;
            if let (true, Some(reason)) = (is_emergency, emergency_reason) {
                let draft = EventDraft::new(Subject::WorkOrder(order_id), "emergency_contact").by(caller);
                self.event_append(tx, draft.detail(json!({ "revisit_id": id })).reason(reason.trim()))?;
            }
            Ok(revisit)
        })
    }

    fn revisit_answered(
        &self,
        tx: &mut Tx,
        caller: Option<&Caller>,
        id: RevisitId,
        mut order: WorkOrder,
        channel: RevisitChannel,
        answer: &RevisitAnswer,
    ) -> AppResult<Revisit> {
        let now = self.env.now();
        // Read under the order's lock, so that a link pressed twice at once answers once.
        let mut revisit = tx.revisit_by_id(id)?.ok_or_else(link_expired)?;
        let state: RevisitState = revisit.state.parse().map_err(AppError::internal)?;
        let command = RevisitCommand::Answer { channel, answer: answer.clone() };
        let facts = RevisitFacts { now, created_at: revisit.created_at };
        let policy: RevisitPolicy = self.policy(tx, order.region_id)?;
        revisit.state = revisit_transition(state, &command, &facts, &policy)?.state.as_str().into();
        revisit.channel = Some(channel.as_str().into());
        revisit.token_hash = None;
        revisit.solved = Some(answer.solved);
        revisit.score = Some(i16::from(answer.score));
        revisit.words = answer.words.clone().filter(|words| !words.trim().is_empty());
        revisit.answered_at = Some(now);
        revisit.answered_by = caller.map(|caller| caller.user_id);
        tx.revisit_update(&revisit)?;
        self.kpi_touch(tx, order.complaint_id)?;
        // The customer's words may hold anything; the trail has the score only (R-PRIVACY-1).
        let detail = json!({ "revisit_id": id, "channel": channel, "solved": answer.solved, "score": answer.score });
        let sends_final_reply = match revisit.tracking_ticket_id {
            Some(ticket_id) => {
                let ticket =
                    tx.tracking_ticket_by_id(ticket_id)?.ok_or_else(|| AppError::not_found("tracking ticket"))?;
                self.event_append(
                    tx,
                    caller.into_iter().fold(
                        EventDraft::new(Subject::WorkOrder(order.id), "revisit_answered").detail(detail),
                        EventDraft::by,
                    ),
                )?;
                let command = TrackingTicketCommand::RevisitAnswered(answer.clone());
                let effects = self.tracking_ticket_command(tx, caller, &order, ticket, &command)?;
                effects.contains(&TrackingTicketEffect::ReplySent(ReplyKind::FinalResolved))
            }
            None => {
                let facts = self.work_order_facts(tx, &order)?;
                let command = WorkOrderCommand::RevisitAnswered(answer.clone());
                let effects = self.work_order_command(tx, caller, &mut order, &command, &facts, detail)?;
                effects.contains(&WorkOrderEffect::ReplySent(ReplyKind::FinalResolved))
            }
        };
        if sends_final_reply {
            let text = ReplyText {
                text: format!(
                    "The customer confirmed on a revisit that service is back, score {} of 10. 客户回访确认恢复正常，评分 {} 分。",
                    answer.score, answer.score
                ),
                next_step: None,
            };
            self.reply_insert(tx, &order, ReplyKind::FinalResolved, &text, caller.map(|caller| caller.user_id))?;
        }
        Ok(revisit)
    }

    /// The revisits of an order, oldest first.
    pub fn revisit_list(&self, caller: &Caller, order_id: WorkOrderId) -> AppResult<Vec<Revisit>> {
        self.storage.read("revisit_list", |tx| {
            self.work_order_visible(tx, caller, order_id)?;
            Ok(tx.revisit_list_by_work_order(order_id)?)
        })
    }
}
