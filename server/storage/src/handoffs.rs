//! Handoffs to the branch (T2) or to maintenance, and their answers (R-ROUTE-1, R-ROUTE-2).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, updated};
use crate::schema::handoffs;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{HandoffId, TrackingTicketId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One handoff.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Handoff {
    /// Its id.
    pub id: HandoffId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// The tracking ticket, when it came out of one.
    pub tracking_ticket_id: Option<TrackingTicketId>,
    /// Who takes over, in the word of the rules (`branch` …).
    pub target: String,
    /// What is asked for.
    pub demand: String,
    /// Where it stands, in the word of the rules (`open` …).
    pub state: String,
    /// How it was answered, in the word of the rules (`done` …).
    pub outcome: Option<String>,
    /// The answer.
    pub answer: Option<String>,
    /// Who answered.
    pub answered_by: Option<UserId>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When the answer is due.
    pub due_at: Option<Timestamp>,
    /// Who handed over.
    pub created_by: UserId,
    /// When it was handed over.
    pub created_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Tx {
    /// Records a handoff.
    pub fn handoff_insert(&mut self, handoff: &Handoff) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(handoffs::table)
                .values(row_values!(
                    handoffs,
                    handoff,
                    id,
                    work_order_id,
                    tracking_ticket_id,
                    target,
                    demand,
                    state,
                    outcome,
                    answer,
                    answered_by,
                    answered_at,
                    due_at,
                    created_by,
                    created_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a handoff's answer, and raises its version.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn handoff_update(&mut self, handoff: &mut Handoff) -> Result<(), StorageError> {
        let version = handoff.version + 1;
        let rows = self.run(|c| {
            diesel::update(handoffs::table.find(bind(&handoff.id)).filter(handoffs::version.eq(bind(&handoff.version))))
                .set((
                    row_values!(handoffs, handoff, state, outcome, answer, answered_by, answered_at, due_at),
                    handoffs::version.eq(bind(&version)),
                ))
                .execute(c)
        })?;
        updated(rows, "handoff")?;
        handoff.version = version;
        Ok(())
    }

    /// The handoff of an id.
    pub fn handoff_by_id(&mut self, id: HandoffId) -> Result<Option<Handoff>, StorageError> {
        self.run(|c| handoffs::table.find(bind(&id)).first(c).optional())
    }

    /// The handoff of an id, locked until the unit of work ends. Lock its order first.
    pub fn handoff_lock(&mut self, id: HandoffId) -> Result<Option<Handoff>, StorageError> {
        self.run(|c| locked!(c, handoffs::table.find(bind(&id))))
    }

    /// An order's handoffs, oldest first, at most 500.
    pub fn handoff_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<Handoff>, StorageError> {
        self.run(|c| {
            handoffs::table
                .filter(handoffs::work_order_id.eq(bind(&id)))
                .order((handoffs::created_at, handoffs::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Takes an order's open handoffs back; `open` and `cancelled` are the rules' words. Returns how many there were.
    pub fn handoff_cancel_open(&mut self, id: WorkOrderId, open: &str, cancelled: &str) -> Result<usize, StorageError> {
        let (open, cancelled) = (open.to_owned(), cancelled.to_owned());
        self.run(|c| {
            diesel::update(
                handoffs::table.filter(handoffs::work_order_id.eq(bind(&id))).filter(handoffs::state.eq(bind(&open))),
            )
            .set(handoffs::state.eq(bind(&cancelled)))
            .execute(c)
        })
    }
}
