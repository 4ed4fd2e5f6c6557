//! Dispatches of orders to testers: who sent whom, what the check said, how it ended (R-ROUTE-1, R-ROUTE-5).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{MAX_PAGE, updated};
use crate::schema::dispatches;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{DispatchId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One dispatch of an order to a tester, proposed or in force, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Dispatch {
    /// Its id.
    pub id: DispatchId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// To whom.
    pub tester_id: UserId,
    /// Where it stands, in the word of the rules (`in_force` …).
    pub state: String,
    /// Who made it.
    pub dispatched_by: UserId,
    /// The rank that the tester had among the candidates, from 1.
    pub candidate_rank: Option<i32>,
    /// How many candidates there were.
    pub candidate_count: Option<i32>,
    /// The tester's score.
    pub candidate_score: Option<i32>,
    /// Who checked a junior's dispatch (R-ROUTE-5).
    pub checked_by: Option<UserId>,
    /// When it was checked.
    pub checked_at: Option<Timestamp>,
    /// It was found to be wrong.
    pub is_wrong: bool,
    /// Why it ended, in the words of who ended it.
    pub ended_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Tx {
    /// Records a dispatch. Lock its order first.
    pub fn dispatch_insert(&mut self, dispatch: &Dispatch) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(dispatches::table)
                .values(row_values!(
                    dispatches,
                    dispatch,
                    id,
                    work_order_id,
                    tester_id,
                    state,
                    dispatched_by,
                    candidate_rank,
                    candidate_count,
                    candidate_score,
                    checked_by,
                    checked_at,
                    is_wrong,
                    ended_reason,
                    created_at,
                    ended_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves what became of a dispatch. Lock its order first.
    pub fn dispatch_update(&mut self, dispatch: &Dispatch) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(dispatches::table.find(bind(&dispatch.id)))
                .set(row_values!(dispatches, dispatch, state, checked_by, checked_at, is_wrong, ended_reason, ended_at))
                .execute(c)
        })?;
        updated(rows, "dispatch")
    }

    /// The dispatches of these orders (at most 500 orders), oldest first.
    pub fn dispatch_list_by_work_orders(&mut self, ids: &[WorkOrderId]) -> Result<Vec<Dispatch>, StorageError> {
        self.run(|c| {
            dispatches::table
                .filter(dispatches::work_order_id.eq_any(ids.iter().take(MAX_PAGE as usize).map(bind)))
                .order((dispatches::created_at, dispatches::id))
                .load(c)
        })
    }
}
