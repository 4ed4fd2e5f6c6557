//! Reviews of field tests by the regional lead (R-REVIEW-1). Immutable.

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::{MAX_PAGE, text_enum};
use crate::schema::reviews;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{FieldTestId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use uuid::Uuid;

text_enum! {
    /// What a review decided.
    ReviewDecision {
        /// The test is good; a plan is named.
        Approve = "approve" / "通过",
        /// The test is not; the reasons say why.
        SendBack = "send_back" / "退回",
    }
}

/// One review.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Review {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// The test.
    pub field_test_id: FieldTestId,
    /// The test's order.
    pub work_order_id: WorkOrderId,
    /// Who reviewed.
    pub reviewer_id: UserId,
    /// What was decided.
    pub decision: ReviewDecision,
    /// Why it was sent back; empty when approved.
    pub reasons: Vec<String>,
    /// What is done now.
    pub quick_relief: Option<String>,
    /// What is done for good.
    pub cure: Option<String>,
    /// What kind of work the cure is, in the word of the rules (`optimise` …).
    pub rung: Option<String>,
    /// Which hand-in it judged, from 1.
    pub submission_number: u32,
    /// When.
    pub created_at: Timestamp,
    /// The template's codes of the reasons.
    pub reason_codes: Vec<String>,
    /// The template's sections, as the rules have them.
    pub sections: serde_json::Value,
    /// The checklist as it stood.
    pub evidence: serde_json::Value,
    /// Why a test that lacks evidence was good enough.
    pub evidence_accepted_because: Option<String>,
    /// The step of the ladder that comes next, by its key.
    pub ladder_step: Option<String>,
}

impl Tx {
    /// Records a review.
    pub fn review_insert(&mut self, review: &Review) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(reviews::table)
                .values(row_values!(
                    reviews,
                    review,
                    id,
                    field_test_id,
                    work_order_id,
                    reviewer_id,
                    decision,
                    reasons,
                    quick_relief,
                    cure,
                    rung,
                    submission_number,
                    created_at,
                    reason_codes,
                    sections,
                    evidence,
                    evidence_accepted_because,
                    ladder_step
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// A test's reviews, oldest first, at most 500.
    pub fn review_list_by_test(&mut self, id: FieldTestId) -> Result<Vec<Review>, StorageError> {
        self.run(|c| {
            reviews::table
                .filter(reviews::field_test_id.eq(bind(&id)))
                .order((reviews::created_at, reviews::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// The reviews of these orders (at most 500), oldest first.
    pub fn review_list_by_work_orders(&mut self, ids: &[WorkOrderId]) -> Result<Vec<Review>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = &ids[..ids.len().min(MAX_PAGE as usize)];
        self.run(|c| {
            reviews::table
                .filter(reviews::work_order_id.eq_any(ids.iter().map(bind)))
                .order((reviews::created_at, reviews::id))
                .load(c)
        })
    }

    /// An order's reviews, oldest first, at most 500.
    pub fn review_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<Review>, StorageError> {
        self.run(|c| {
            reviews::table
                .filter(reviews::work_order_id.eq(bind(&id)))
                .order((reviews::created_at, reviews::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }
}
