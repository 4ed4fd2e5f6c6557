//! What desks asked customers while an order could not go on, and the answers (R-LOCATE-1). Personal data may be in the words.

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::MAX_PAGE;
use crate::schema::customer_questions;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{CustomerQuestionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One question.
#[derive(Clone, PartialEq, Eq, Queryable)]
pub struct CustomerQuestion {
    /// Its id.
    pub id: CustomerQuestionId,
    /// The order that waits for the answer.
    pub work_order_id: WorkOrderId,
    /// What was asked.
    pub question: String,
    /// Who asked.
    pub asked_by: UserId,
    /// When.
    pub asked_at: Timestamp,
    /// What the customer said.
    pub answer: Option<String>,
    /// Who wrote the answer down.
    pub answered_by: Option<UserId>,
    /// When.
    pub answered_at: Option<Timestamp>,
}

impl std::fmt::Debug for CustomerQuestion {
    /// Personal data stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomerQuestion").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Tx {
    /// Records a question.
    pub fn customer_question_insert(&mut self, question: &CustomerQuestion) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(customer_questions::table)
                .values(row_values!(
                    customer_questions,
                    question,
                    id,
                    work_order_id,
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

    /// Writes the answer to every open question of an order. Returns how many there were.
    pub fn customer_question_answer(
        &mut self,
        order: WorkOrderId,
        answer: &str,
        answered_by: UserId,
        answered_at: Timestamp,
    ) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::update(
                customer_questions::table
                    .filter(customer_questions::work_order_id.eq(bind(&order)))
                    .filter(customer_questions::answered_at.is_null()),
            )
            .set((
                customer_questions::answer.eq(bind(&Some(answer.to_owned()))),
                customer_questions::answered_by.eq(bind(&Some(answered_by))),
                customer_questions::answered_at.eq(bind(&Some(answered_at))),
            ))
            .execute(c)
        })
    }

    /// An order's questions, oldest first, at most 500.
    pub fn customer_question_list(&mut self, order: WorkOrderId) -> Result<Vec<CustomerQuestion>, StorageError> {
        self.run(|c| {
            customer_questions::table
                .filter(customer_questions::work_order_id.eq(bind(&order)))
                .order((customer_questions::asked_at, customer_questions::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }
}
