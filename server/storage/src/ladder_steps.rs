//! The escalation ladder's steps as recorded for an order (R-LADDER-1, R-LADDER-2). What does not belong here: which steps there
//! are and when one opens (`workflow`). What a step was before is in the order's events.

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::schema::ladder_steps;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One step, as recorded last.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct LadderStep {
    /// The order.
    pub work_order_id: WorkOrderId,
    /// The step's number, 1 … 12.
    pub step: i16,
    /// How it came out, in the word of the rules (`not_enough` …).
    pub outcome: String,
    /// What shows it, as the rules have it.
    pub evidence: serde_json::Value,
    /// What was done, or why it was ruled out or passed over.
    pub reason: String,
    /// Who recorded it.
    pub recorded_by: UserId,
    /// When.
    pub recorded_at: Timestamp,
}

impl Tx {
    /// Records a step, in place of what was recorded for it before.
    pub fn ladder_step_upsert(&mut self, step: &LadderStep) -> Result<(), StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(ladder_steps::table)
                .values(row_values!(
                    ladder_steps,
                    step,
                    work_order_id,
                    step,
                    outcome,
                    evidence,
                    reason,
                    recorded_by,
                    recorded_at
                ))
                .on_conflict((ladder_steps::work_order_id, ladder_steps::step))
                .do_update()
                .set(row_values!(ladder_steps, step, outcome, evidence, reason, recorded_by, recorded_at))
                .execute(c))
        })?;
        Ok(())
    }

    /// An order's recorded steps, lowest first.
    pub fn ladder_step_list(&mut self, id: WorkOrderId) -> Result<Vec<LadderStep>, StorageError> {
        self.run(|c| {
            ladder_steps::table.filter(ladder_steps::work_order_id.eq(bind(&id))).order(ladder_steps::step).load(c)
        })
    }
}
