//! Revisits of customers: a one-time link, known by its token's hash, or a telephone call (R-RETURN-3, R-REVISIT-1).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::MAX_PAGE;
use crate::schema::revisits;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{RevisitId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One revisit.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Revisit {
    /// Its id.
    pub id: RevisitId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// The tracking ticket, when it is that which is held to be solved.
    pub tracking_ticket_id: Option<TrackingTicketId>,
    /// Where it stands, in the word of the rules (`pending` …).
    pub state: String,
    /// How the customer answered, in the word of the rules (`link`, `phone`).
    pub channel: Option<String>,
    /// Hash of the link's token; unique.
    pub token_hash: Option<[u8; 32]>,
    /// Until when the customer may answer.
    pub expires_at: Timestamp,
    /// The problem is gone.
    pub solved: Option<bool>,
    /// 1 … 10.
    pub score: Option<i16>,
    /// The customer's words.
    pub words: Option<String>,
    /// When the customer answered.
    pub answered_at: Option<Timestamp>,
    /// Who recorded the answer, if a person did.
    pub answered_by: Option<UserId>,
    /// Who asked for it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// What was done about the problem, in the words of who asked.
    pub what_was_done: Option<String>,
}

impl Tx {
    /// Records a revisit to come.
    pub fn revisit_insert(&mut self, revisit: &Revisit) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(revisits::table)
                .values(row_values!(
                    revisits,
                    revisit,
                    id,
                    work_order_id,
                    tracking_ticket_id,
                    state,
                    channel,
                    token_hash,
                    expires_at,
                    solved,
                    score,
                    words,
                    answered_at,
                    answered_by,
                    created_by,
                    created_at,
                    what_was_done
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves what became of a revisit, and lets go of the link's token when the record has none any more. Lock its order first.
    pub fn revisit_update(&mut self, revisit: &Revisit) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(revisits::table.find(bind(&revisit.id)))
                .set(row_values!(
                    revisits,
                    revisit,
                    state,
                    channel,
                    token_hash,
                    solved,
                    score,
                    words,
                    answered_at,
                    answered_by
                ))
                .execute(c)
        })?;
        crate::names::updated(rows, "revisit")
    }

    /// The revisit of an id.
    pub fn revisit_by_id(&mut self, id: RevisitId) -> Result<Option<Revisit>, StorageError> {
        self.run(|c| revisits::table.find(bind(&id)).first(c).optional())
    }

    /// The revisit of an id, locked until the unit of work ends. Lock its order first.
    pub fn revisit_lock(&mut self, id: RevisitId) -> Result<Option<Revisit>, StorageError> {
        self.run(|c| locked!(c, revisits::table.find(bind(&id))))
    }

    /// The revisit whose link has a token of this hash.
    pub fn revisit_by_token_hash(&mut self, token_hash: &[u8; 32]) -> Result<Option<Revisit>, StorageError> {
        self.run(|c| revisits::table.filter(revisits::token_hash.eq(bind(&Some(*token_hash)))).first(c).optional())
    }

    /// The revisits of these orders (at most 500), oldest first.
    pub fn revisit_list_by_work_orders(&mut self, ids: &[WorkOrderId]) -> Result<Vec<Revisit>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = &ids[..ids.len().min(MAX_PAGE as usize)];
        self.run(|c| {
            revisits::table
                .filter(revisits::work_order_id.eq_any(ids.iter().map(bind)))
                .order((revisits::created_at, revisits::id))
                .load(c)
        })
    }

    /// An order's revisits, oldest first, at most 500.
    pub fn revisit_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<Revisit>, StorageError> {
        self.run(|c| {
            revisits::table
                .filter(revisits::work_order_id.eq(bind(&id)))
                .order((revisits::created_at, revisits::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Takes an order's pending revisits back; `pending` and `revoked` are the rules' words. Returns how many there were.
    pub fn revisit_revoke_pending(
        &mut self,
        id: WorkOrderId,
        pending: &str,
        revoked: &str,
    ) -> Result<usize, StorageError> {
        let (pending, revoked) = (pending.to_owned(), revoked.to_owned());
        self.run(|c| {
            diesel::update(
                revisits::table
                    .filter(revisits::work_order_id.eq(bind(&id)))
                    .filter(revisits::state.eq(bind(&pending))),
            )
            .set((revisits::state.eq(bind(&revoked)), revisits::token_hash.eq(bind(&None::<[u8; 32]>))))
            .execute(c)
        })
    }
}
