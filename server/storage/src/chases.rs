//! Chases (追单): what customer service added to an open order (R-ROUTE-4). Kept once for each source and reference.

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::MAX_PAGE;
use crate::schema::chases;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ChaseId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::Urgency;
use diesel::prelude::*;

/// A chase (追单): urgency or facts that customer service added to an open order (R-ROUTE-4). Immutable.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Chase {
    /// Its id.
    pub id: ChaseId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// The tracking ticket, when it was that which was chased.
    pub tracking_ticket_id: Option<TrackingTicketId>,
    /// Who chased.
    pub source_id: UserId,
    /// The number that the source gave it; unique for the source.
    pub reference: String,
    /// Tells a repetition from another chase under the same reference.
    pub content_digest: [u8; 32],
    /// The urgency asked for.
    pub urgency: Option<Urgency>,
    /// The new facts.
    pub note: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

impl Tx {
    /// Records a chase.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the source used the reference before.
    pub fn chase_insert(&mut self, chase: &Chase) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(chases::table)
                .values(row_values!(
                    chases,
                    chase,
                    id,
                    work_order_id,
                    tracking_ticket_id,
                    source_id,
                    reference,
                    content_digest,
                    urgency,
                    note,
                    created_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// The chase of a source's reference.
    pub fn chase_by_reference(&mut self, source_id: UserId, reference: &str) -> Result<Option<Chase>, StorageError> {
        self.run(|c| {
            chases::table
                .filter(chases::source_id.eq(bind(&source_id)))
                .filter(chases::reference.eq(bind(reference)))
                .first(c)
                .optional()
        })
    }

    /// The chases of these orders (at most 500 orders), oldest first.
    pub fn chase_list_by_work_orders(&mut self, ids: &[WorkOrderId]) -> Result<Vec<Chase>, StorageError> {
        self.run(|c| {
            chases::table
                .filter(chases::work_order_id.eq_any(ids.iter().take(MAX_PAGE as usize).map(bind)))
                .order((chases::created_at, chases::id))
                .load(c)
        })
    }
}
