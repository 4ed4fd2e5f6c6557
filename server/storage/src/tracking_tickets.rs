//! Tracking tickets (投诉跟踪单), which live until an unresolved problem is solved and returned (R-RETURN-2).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset, updated};
use crate::schema::tracking_tickets;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{RegionId, TrackingTicketId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A tracking ticket.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct TrackingTicket {
    /// Its id.
    pub id: TrackingTicketId,
    /// The order that it carries on; an order has at most one.
    pub work_order_id: WorkOrderId,
    /// The number that people say on the telephone; unique.
    pub number: String,
    /// Where it stands, in the word of the rules (`open` …).
    pub state: String,
    /// The order's region.
    pub region_id: Option<RegionId>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// Grows with every change.
    pub version: u64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Tx {
    /// Opens a ticket.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the order has one, or the number is taken.
    pub fn tracking_ticket_insert(&mut self, ticket: &TrackingTicket) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(tracking_tickets::table)
                .values(row_values!(
                    tracking_tickets,
                    ticket,
                    id,
                    work_order_id,
                    number,
                    state,
                    region_id,
                    opened_at,
                    closed_at,
                    version,
                    updated_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a ticket that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn tracking_ticket_update(&mut self, ticket: &mut TrackingTicket) -> Result<(), StorageError> {
        let version = ticket.version + 1;
        let rows = self.run(|c| {
            diesel::update(
                tracking_tickets::table
                    .find(bind(&ticket.id))
                    .filter(tracking_tickets::version.eq(bind(&ticket.version))),
            )
            .set((
                row_values!(tracking_tickets, ticket, state, region_id, closed_at, updated_at),
                tracking_tickets::version.eq(bind(&version)),
            ))
            .execute(c)
        })?;
        updated(rows, "tracking ticket")?;
        ticket.version = version;
        Ok(())
    }

    /// The ticket of an id.
    pub fn tracking_ticket_by_id(&mut self, id: TrackingTicketId) -> Result<Option<TrackingTicket>, StorageError> {
        self.run(|c| tracking_tickets::table.find(bind(&id)).first(c).optional())
    }

    /// The ticket of an id, locked until the unit of work ends. Lock its order first.
    pub fn tracking_ticket_lock(&mut self, id: TrackingTicketId) -> Result<Option<TrackingTicket>, StorageError> {
        self.run(|c| locked!(c, tracking_tickets::table.find(bind(&id))))
    }

    /// An order's ticket.
    pub fn tracking_ticket_by_work_order(&mut self, id: WorkOrderId) -> Result<Option<TrackingTicket>, StorageError> {
        self.run(|c| tracking_tickets::table.filter(tracking_tickets::work_order_id.eq(bind(&id))).first(c).optional())
    }

    /// The tickets of a list of orders (at most 500).
    pub fn tracking_ticket_ids_by_work_orders(
        &mut self,
        ids: &[WorkOrderId],
    ) -> Result<Vec<(WorkOrderId, TrackingTicketId)>, StorageError> {
        self.run(|c| {
            tracking_tickets::table
                .filter(
                    tracking_tickets::work_order_id.eq_any(ids.iter().take(crate::names::MAX_PAGE as usize).map(bind)),
                )
                .select((tracking_tickets::work_order_id, tracking_tickets::id))
                .load(c)
        })
    }

    /// Tickets, newest first; in one of these states, or in any.
    pub fn tracking_ticket_list(
        &mut self,
        scope: &RegionScope,
        states: &[String],
        page: &Page<TrackingTicketId>,
    ) -> Result<Vec<TrackingTicket>, StorageError> {
        self.run(|c| {
            let regions;
            let table = tracking_tickets::table.into_boxed();
            let mut query = in_scope!(table, tracking_tickets::region_id, scope, regions);
            if !states.is_empty() {
                query = query.filter(tracking_tickets::state.eq_any(states.iter().map(bind)));
            }
            keyset!(query, tracking_tickets, opened_at, id, page).load(c)
        })
    }
}
