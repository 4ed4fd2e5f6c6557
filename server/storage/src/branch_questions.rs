//! Questions of customer service straight to the branch, and the answers (R-ROUTE-3).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, keyset, updated};
use crate::schema::branch_questions;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{BranchQuestionId, HandoffId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A question of customer service straight to the branch that owns an order, and its answer (R-ROUTE-3).
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct BranchQuestion {
    /// Its id.
    pub id: BranchQuestionId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// The handoff by which the branch owns it.
    pub handoff_id: HandoffId,
    /// The order's region.
    pub region_id: Option<RegionId>,
    /// The question.
    pub question: String,
    /// Who asked.
    pub asked_by: UserId,
    /// When.
    pub asked_at: Timestamp,
    /// The answer.
    pub answer: Option<String>,
    /// Who answered.
    pub answered_by: Option<UserId>,
    /// When.
    pub answered_at: Option<Timestamp>,
}

impl Tx {
    /// Records a question.
    pub fn branch_question_insert(&mut self, question: &BranchQuestion) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(branch_questions::table)
                .values(row_values!(
                    branch_questions,
                    question,
                    id,
                    work_order_id,
                    handoff_id,
                    region_id,
                    question,
                    asked_by,
                    asked_at,
                    answer,
                    answered_by,
                    answered_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves the answer to an open question.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if it has one.
    pub fn branch_question_answer(&mut self, question: &BranchQuestion) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(
                branch_questions::table.find(bind(&question.id)).filter(branch_questions::answered_at.is_null()),
            )
            .set(row_values!(branch_questions, question, answer, answered_by, answered_at))
            .execute(c)
        })?;
        updated(rows, "question to the branch")
    }

    /// The question of an id.
    pub fn branch_question_by_id(&mut self, id: BranchQuestionId) -> Result<Option<BranchQuestion>, StorageError> {
        self.run(|c| branch_questions::table.find(bind(&id)).first(c).optional())
    }

    /// An order's questions, oldest first, at most 500.
    pub fn branch_question_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<BranchQuestion>, StorageError> {
        self.run(|c| {
            branch_questions::table
                .filter(branch_questions::work_order_id.eq(bind(&id)))
                .order((branch_questions::asked_at, branch_questions::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Questions without an answer, newest first.
    pub fn branch_question_list_open(
        &mut self,
        scope: &RegionScope,
        page: &Page<BranchQuestionId>,
    ) -> Result<Vec<BranchQuestion>, StorageError> {
        self.run(|c| {
            let regions;
            let table = branch_questions::table.filter(branch_questions::answered_at.is_null()).into_boxed();
            let query = in_scope!(table, branch_questions::region_id, scope, regions);
            keyset!(query, branch_questions, asked_at, id, page).load(c)
        })
    }
}
