//! Follow-ups of low scores (R-REVISIT-1).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset, updated};
use crate::schema::follow_ups;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{FollowUpId, RegionId, RevisitId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// Which follow-ups a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUpFilter {
    /// In these regions.
    pub scope: RegionScope,
    /// In this state only, in the word of the rules.
    pub state: Option<String>,
    /// Of this order only.
    pub work_order_id: Option<WorkOrderId>,
}

/// The follow-up of a low score (R-REVISIT-1).
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct FollowUp {
    /// Its id.
    pub id: FollowUpId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// The tracking ticket, when the score was given for that.
    pub tracking_ticket_id: Option<TrackingTicketId>,
    /// The revisit with the low score; each opens one follow-up at most.
    pub revisit_id: RevisitId,
    /// The order's region.
    pub region_id: Option<RegionId>,
    /// The score, 1 … 10.
    pub score: i16,
    /// Where it stands, in the word of the rules (`open`, `closed`).
    pub state: String,
    /// What was done about it.
    pub what_was_done: Option<String>,
    /// Who closed it.
    pub closed_by: Option<UserId>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Opens a follow-up.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the revisit has one.
    pub fn follow_up_insert(&mut self, follow_up: &FollowUp) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(follow_ups::table)
                .values(row_values!(
                    follow_ups,
                    follow_up,
                    id,
                    work_order_id,
                    tracking_ticket_id,
                    revisit_id,
                    region_id,
                    score,
                    state,
                    what_was_done,
                    closed_by,
                    closed_at,
                    opened_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a follow-up that was read before, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn follow_up_update(&mut self, follow_up: &mut FollowUp) -> Result<(), StorageError> {
        let version = follow_up.version + 1;
        let rows = self.run(|c| {
            diesel::update(
                follow_ups::table.find(bind(&follow_up.id)).filter(follow_ups::version.eq(bind(&follow_up.version))),
            )
            .set((
                row_values!(follow_ups, follow_up, state, what_was_done, closed_by, closed_at),
                follow_ups::version.eq(bind(&version)),
            ))
            .execute(c)
        })?;
        updated(rows, "follow-up")?;
        follow_up.version = version;
        Ok(())
    }

    /// The follow-up of an id, locked until the unit of work ends.
    pub fn follow_up_lock(&mut self, id: FollowUpId) -> Result<Option<FollowUp>, StorageError> {
        self.run(|c| locked!(c, follow_ups::table.find(bind(&id))))
    }

    /// Follow-ups, newest first.
    pub fn follow_up_list(
        &mut self,
        filter: &FollowUpFilter,
        page: &Page<FollowUpId>,
    ) -> Result<Vec<FollowUp>, StorageError> {
        self.run(|c| {
            let regions;
            let table = follow_ups::table.into_boxed();
            let mut query = in_scope!(table, follow_ups::region_id, &filter.scope, regions);
            if let Some(state) = &filter.state {
                query = query.filter(follow_ups::state.eq(bind(state)));
            }
            if let Some(order) = &filter.work_order_id {
                query = query.filter(follow_ups::work_order_id.eq(bind(order)));
            }
            keyset!(query, follow_ups, opened_at, id, page).load(c)
        })
    }
}
