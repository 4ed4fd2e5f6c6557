//! Replies to customer service, stage or final (R-RETURN-1). Immutable.

use crate::complaints::Channel;
use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::MAX_PAGE;
use crate::schema::replies;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, ReplyId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Reply {
    /// Its id.
    pub id: ReplyId,
    /// The complaint that it answers.
    pub complaint_id: ComplaintId,
    /// The order that it came out of.
    pub work_order_id: Option<WorkOrderId>,
    /// Stage or final, in the word of the rules (`stage`, `final_unresolved`, `final_resolved`).
    pub kind: String,
    /// The words.
    pub body: String,
    /// What happens next.
    pub next_step: Option<String>,
    /// Who replied; nobody where the customer's confirmation did.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// The door by which it goes out (R-INTAKE-9); absent in replies from before doors were kept.
    pub channel: Option<Channel>,
}

impl Tx {
    /// Records a reply.
    pub fn reply_insert(&mut self, reply: &Reply) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(replies::table)
                .values(row_values!(
                    replies,
                    reply,
                    id,
                    complaint_id,
                    work_order_id,
                    kind,
                    body,
                    next_step,
                    created_by,
                    created_at,
                    channel
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// A complaint's replies, oldest first, at most 500.
    pub fn reply_list_by_complaint(&mut self, id: ComplaintId) -> Result<Vec<Reply>, StorageError> {
        self.run(|c| {
            replies::table
                .filter(replies::complaint_id.eq(bind(&id)))
                .order((replies::created_at, replies::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// The replies out of these orders (at most 500), oldest first.
    pub fn reply_list_by_work_orders(&mut self, ids: &[WorkOrderId]) -> Result<Vec<Reply>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Option<WorkOrderId>> = ids.iter().take(MAX_PAGE as usize).copied().map(Some).collect();
        self.run(|c| {
            replies::table
                .filter(replies::work_order_id.eq_any(ids.iter().map(bind)))
                .order((replies::created_at, replies::id))
                .load(c)
        })
    }

    /// An order's replies, oldest first, at most 500.
    pub fn reply_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<Reply>, StorageError> {
        self.run(|c| {
            replies::table
                .filter(replies::work_order_id.eq(bind(&Some(id))))
                .order((replies::created_at, replies::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }
}
