//! Tracking tickets (投诉跟踪单): what lives on after a final reply 'unresolved' (R-RETURN-2). They open in `work_orders` and close in
//! `revisits`; this is what is common to both, and what the desks see.

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::workflow::tracking_tickets::{TrackingTicketFacts, TrackingTicketPolicy, TrackingTicketState};
use callout_storage::Page;
use callout_storage::tracking_tickets::TrackingTicket;
use callout_sync_protocol::ids::TrackingTicketId;

impl App {
    pub(crate) fn tracking_ticket_facts(&self, ticket: &TrackingTicket) -> TrackingTicketFacts {
        TrackingTicketFacts { now: self.env.now(), closed_at: ticket.closed_at }
    }

    pub(crate) fn tracking_ticket_policy(&self) -> TrackingTicketPolicy {
        let policy = &self.config.work_order_policy;
        TrackingTicketPolicy {
            false_return: policy.false_return.clone(),
            revisit: policy.revisit.clone(),
            forbidden_expressions: policy.forbidden_expressions.clone(),
        }
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
