//! What counts in the appraisal of a person: wrong dispatches and false returns (R-ROUTE-5, R-RETURN-4). Never changed, never deleted.

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{Page, RegionScope, in_scope, keyset};
use crate::schema::appraisal_marks;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{AppraisalMarkId, RegionId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// Which marks a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppraisalMarkFilter {
    /// In these regions.
    pub scope: RegionScope,
    /// Against this user only.
    pub user_id: Option<UserId>,
    /// Of this kind only.
    pub kind: Option<String>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
}

/// Something that counts in a person's appraisal (R-ROUTE-5, R-RETURN-4). Immutable: it can't be hidden.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct AppraisalMark {
    /// Its id.
    pub id: AppraisalMarkId,
    /// Against whom it counts.
    pub user_id: UserId,
    /// What, in the word of the rules (`wrong_dispatch` …).
    pub kind: String,
    /// On which order.
    pub work_order_id: WorkOrderId,
    /// On which tracking ticket, when it was that which was returned.
    pub tracking_ticket_id: Option<TrackingTicketId>,
    /// The order's region.
    pub region_id: Option<RegionId>,
    /// Why.
    pub reason: String,
    /// Who found it; nobody where the customer's answer did.
    pub recorded_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
}

impl Tx {
    /// Records a mark.
    pub fn appraisal_mark_insert(&mut self, mark: &AppraisalMark) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(appraisal_marks::table)
                .values(row_values!(
                    appraisal_marks,
                    mark,
                    id,
                    user_id,
                    kind,
                    work_order_id,
                    tracking_ticket_id,
                    region_id,
                    reason,
                    recorded_by,
                    created_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Marks, newest first.
    pub fn appraisal_mark_list(
        &mut self,
        filter: &AppraisalMarkFilter,
        page: &Page<AppraisalMarkId>,
    ) -> Result<Vec<AppraisalMark>, StorageError> {
        self.run(|c| {
            let regions;
            let table = appraisal_marks::table.into_boxed();
            let mut query = in_scope!(table, appraisal_marks::region_id, &filter.scope, regions);
            if let Some(user_id) = &filter.user_id {
                query = query.filter(appraisal_marks::user_id.eq(bind(user_id)));
            }
            if let Some(kind) = &filter.kind {
                query = query.filter(appraisal_marks::kind.eq(bind(kind)));
            }
            if let Some(since) = &filter.since {
                query = query.filter(appraisal_marks::created_at.ge(bind(since)));
            }
            if let Some(until) = &filter.until {
                query = query.filter(appraisal_marks::created_at.lt(bind(until)));
            }
            keyset!(query, appraisal_marks, created_at, id, page).load(c)
        })
    }
}
