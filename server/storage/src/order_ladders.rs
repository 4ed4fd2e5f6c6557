//! The ladder with which an order began. It keeps it, whatever an administrator sets later (R-LADDER-1). What does not belong
//! here: what was recorded of the steps (`ladder_steps`).

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::schema::order_ladders;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// An order's ladder.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct OrderLadder {
    /// The order.
    pub work_order_id: WorkOrderId,
    /// The steps, as the rules have them.
    pub ladder: serde_json::Value,
    /// When the climb began.
    pub begun_at: Timestamp,
}

impl Tx {
    /// Keeps an order's ladder, unless it has one: that stays.
    pub fn order_ladder_insert(&mut self, ladder: &OrderLadder) -> Result<(), StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(order_ladders::table)
                .values(row_values!(order_ladders, ladder, work_order_id, ladder, begun_at))
                .on_conflict_do_nothing()
                .execute(c))
        })?;
        Ok(())
    }

    /// An order's ladder, once its climb began.
    pub fn order_ladder_by_work_order(&mut self, id: WorkOrderId) -> Result<Option<OrderLadder>, StorageError> {
        self.run(|c| order_ladders::table.find(bind(&id)).first(c).optional())
    }
}
