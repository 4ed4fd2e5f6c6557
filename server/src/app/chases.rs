//! Chases (追单): customer service adds urgency or facts to an open order, or to its open tracking ticket (R-ROUTE-4). The same
//! reference again is the same chase; the tester's phone gets urgency and facts with its next sync.

use super::App;
use super::access::{Caller, Role};
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::tracking_tickets::{TrackingTicketCommand, tracking_ticket_transition};
use crate::workflow::work_orders::{WorkOrderCommand, WorkOrderFacts};
use callout_storage::chases::Chase;
use callout_storage::work_orders::WorkOrder;
use callout_storage::{StorageError, Tx};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::{Urgency, WorkOrderState};
use serde::Serialize;
use serde_json::json;

/// What customer service adds. Its serialised form is what "the same content" means.
#[derive(Clone, Debug, Serialize)]
pub struct ChaseNew {
    /// The caller's own number for it; unique for the caller.
    pub reference: String,
    /// The urgency asked for.
    pub urgency: Option<Urgency>,
    /// The new facts.
    pub note: Option<String>,
}

impl App {
    /// Chases an order; the second value says whether it is new.
    ///
    /// # Errors
    /// `idempotency-conflict` when the reference was used for another order or content; `illegal-transition` when the order ended;
    /// `invalid-field`.
    pub fn chase_create(&self, caller: &Caller, order_id: WorkOrderId, new: &ChaseNew) -> AppResult<(Chase, bool)> {
        let reference = new.reference.trim();
        if reference.is_empty() || reference.chars().count() > 128 || reference.contains('\0') {
            return Err(AppError::invalid("reference", "must have 1 to 128 characters"));
        }
        let digest = *blake3::hash(&serde_json::to_vec(&(order_id, new)).map_err(AppError::internal)?).as_bytes();
        self.storage.write("chase_create", |tx| {
            let mut order = self.chased_order(tx, caller, order_id)?;
            if let Some(known) = tx.chase_by_reference(caller.user_id, reference)? {
                if known.content_digest != digest {
                    return Err(AppError::new(
                        ProblemType::IdempotencyConflict,
                        "reference: this reference was used for a chase of other content",
                    ));
                }
                return Ok((known, false));
            }
            let mut chase = Chase {
                id: self.env.id(),
                work_order_id: order_id,
                tracking_ticket_id: None,
                source_id: caller.user_id,
                reference: reference.to_owned(),
                content_digest: digest,
                urgency: new.urgency,
                note: new.note.as_deref().map(|note| note.trim().to_owned()),
                created_at: self.env.now(),
            };
            // The facts may hold anything; the trail has only that there are some (R-PRIVACY-1).
            let detail = json!({ "chase_id": chase.id, "urgency": new.urgency, "has_note": new.note.is_some() });
            if order.state == WorkOrderState::Unresolved {
                let ticket = tx
                    .tracking_ticket_by_work_order(order_id)?
                    .ok_or_else(|| AppError::not_found("tracking ticket"))?;
                let note = new.note.clone().unwrap_or_default();
                let command = TrackingTicketCommand::Chase { note };
                let state = ticket.state.parse().map_err(AppError::internal)?;
                let policy = self.tracking_ticket_policy(tx, order.region_id)?;
                tracking_ticket_transition(state, &command, &self.tracking_ticket_facts(&ticket), &policy)?;
                chase.tracking_ticket_id = Some(ticket.id);
                if new.urgency.is_some_and(|urgency| urgency > order.urgency) {
                    order.urgency = new.urgency.unwrap_or(order.urgency);
                    order.updated_at = chase.created_at;
                    tx.work_order_update(&mut order)?;
                }
                let draft = EventDraft::new(Subject::WorkOrder(order_id), "tracking_ticket_chase").by(caller);
                self.event_append(tx, draft.detail(detail))?;
            } else {
                let command = WorkOrderCommand::Chase { urgency: new.urgency, note: new.note.clone() };
                let facts = WorkOrderFacts { is_known_chase: false, ..self.work_order_facts(tx, &order)? };
                self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            }
            tx.chase_insert(&chase).map_err(|error| match error {
                StorageError::UniqueViolation { .. } => AppError::new(
                    ProblemType::IdempotencyConflict,
                    "reference: was used for another order at the same time",
                ),
                other => other.into(),
            })?;
            Ok((chase, true))
        })
    }

    /// The order, locked: one of the caller's regions, or, for another system, one that it pushed in itself.
    fn chased_order(&self, tx: &mut Tx, caller: &Caller, id: WorkOrderId) -> AppResult<WorkOrder> {
        if caller.roles.iter().any(|role| role != Role::IntegrationClient) {
            return self.work_order_for(tx, caller, id);
        }
        self.caller_scope(tx, caller)?;
        let order = tx.work_order_lock(id)?.ok_or_else(|| AppError::not_found("work order"))?;
        let complaint = tx.complaint_by_id(order.complaint_id)?;
        if complaint.is_some_and(|complaint| complaint.source_id == caller.user_id) {
            Ok(order)
        } else {
            Err(AppError::not_found("work order"))
        }
    }

    /// An order's chases, oldest first.
    pub fn chase_list(&self, caller: &Caller, order_id: WorkOrderId) -> AppResult<Vec<Chase>> {
        self.storage.read("chase_list", |tx| {
            self.work_order_visible(tx, caller, order_id)?;
            Ok(tx.chase_list_by_work_orders(&[order_id])?)
        })
    }
}
