//! Tracking tickets (投诉跟踪单): what lives on after a final reply 'unresolved' (R-RETURN-2). They open in `work_orders` and close in
//! `revisits`; this is what is common to both, and what the desks see.

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::workflow::tracking_tickets::{TrackingTicketFacts, TrackingTicketPolicy, TrackingTicketState};
use callout_storage::complaints::ComplaintState;
use callout_storage::tracking_tickets::TrackingTicket;
use callout_storage::work_orders::WorkOrder;
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{RegionId, TrackingTicketId};

impl App {
    pub(crate) fn tracking_ticket_facts(&self, ticket: &TrackingTicket) -> TrackingTicketFacts {
        TrackingTicketFacts { now: self.env.now(), closed_at: ticket.closed_at }
    }

    pub(crate) fn tracking_ticket_policy(
        &self,
        tx: &mut Tx,
        region_id: Option<RegionId>,
    ) -> AppResult<TrackingTicketPolicy> {
        Ok(TrackingTicketPolicy {
            false_return: self.policy(tx, region_id)?,
            revisit: self.policy(tx, region_id)?,
            forbidden_expressions: self.policy(tx, region_id)?,
        })
    }

    /// A complaint returned as unresolved ends with its ticket, and is open again with it (R-RETURN-2, R-RETURN-4).
    pub(crate) fn complaint_follow_ticket(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        state: TrackingTicketState,
    ) -> AppResult<()> {
        let state = match state {
            TrackingTicketState::Open | TrackingTicketState::AwaitingRevisit => ComplaintState::Unresolved,
            TrackingTicketState::Closed => ComplaintState::Resolved,
        };
        let Some(mut complaint) = tx.complaint_by_id(order.complaint_id)? else { return Ok(()) };
        if complaint.state != state {
            complaint.state = state;
            complaint.updated_at = self.env.now();
            tx.complaint_update(&mut complaint)?;
        }
        Ok(())
    }

    /// A ticket of the caller's regions.
    pub fn tracking_ticket_show(&self, caller: &Caller, id: TrackingTicketId) -> AppResult<TrackingTicket> {
        self.storage.read("tracking_ticket_show", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            tx.tracking_ticket_by_id(id)?
                .filter(|ticket| scope.contains(ticket.region_id))
                .ok_or_else(|| AppError::not_found("tracking ticket"))
        })
    }

    /// Tickets of the caller's regions, newest first.
    pub fn tracking_ticket_list(
        &self,
        caller: &Caller,
        state: Option<TrackingTicketState>,
        page: Page<TrackingTicketId>,
    ) -> AppResult<Vec<TrackingTicket>> {
        self.storage.read("tracking_ticket_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            let states: Vec<String> = state.iter().map(|state| state.as_str().to_owned()).collect();
            Ok(tx.tracking_ticket_list(&scope, &states, &page)?)
        })
    }
}
