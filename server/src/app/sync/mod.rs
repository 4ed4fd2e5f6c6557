//! Sync: what a tester's phone sends is judged, kept and answered, and what changed for it is told; all in one round trip.
//!
//! Blocks are verified and decoded first, outside any transaction (`blocks`). Then one write transaction judges the commands and
//! files the blocks (`unit`, `commands`, `filing`); it is left out when there is nothing to write. Last, one read transaction
//! collects the changes (`changes`), so that what the commands did is among them. Locks are taken in this order: orders by id,
//! tests by id, heads of the audit trail, the tester's feed. What does not belong here: frames (`http`), the tester's rules
//! (`field_workflow`), photos' bytes (`photos`).

mod blocks;
mod changes;
mod commands;
mod events;
mod filing;
mod unit;

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use crate::metrics::SyncSaid;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::{BlockResult, CommandResult, SyncRequest, SyncResponse};

/// A phone's clock that is further from the server's is told so; in milliseconds.
const CLOCK_TOLERANCE_MS: i64 = 120_000;

impl App {
    /// Serves one round trip of a phone. Everything in the request may come again, in part or in another order, without further
    /// effect.
    ///
    /// # Errors
    /// `forbidden` when the request names another device than the token, `too-large` when a list is too long, `session-revoked`;
    /// nothing has changed then. What a single command or block lacks is no error but its outcome.
    pub fn sync(&self, caller: &Caller, request: &SyncRequest) -> AppResult<SyncResponse> {
        if request.device_id != caller.device_id {
            return Err(AppError::forbidden("device_id: must be the device that signed in"));
        }
        request.validate().map_err(|too_many| AppError::new(ProblemType::TooLarge, too_many.to_string()))?;
        let now = self.env.now();
        let ahead_ms = request.phone_time.micros_since(now) / 1_000;
        let clock_ahead_ms = (ahead_ms.abs() > CLOCK_TOLERANCE_MS).then_some(ahead_ms);

        let examined = self.blocks_examine(caller, &request.blocks)?;
        let (outcomes, block_outcomes) = if request.commands.is_empty() && examined.iter().all(|block| !block.is_new())
        {
            (Vec::new(), self.blocks_answer(&examined)?)
        } else {
            self.storage.write("sync", |tx| {
                let mut unit = unit::SyncUnit::begin(self, caller, clock_ahead_ms, tx, &request.commands, &examined)?;
                let outcomes = unit.commands_judge(tx, &request.commands)?;
                let block_outcomes = unit.blocks_file(tx, &examined)?;
                unit.finish(tx)?;
                Ok::<_, AppError>((outcomes, block_outcomes))
            })?
        };
        let page = self.storage.read("sync_changes", |tx| self.changes_read(tx, caller, request))?;
        let mut said = SyncSaid { changes: page.changes.len(), ..SyncSaid::default() };
        for outcome in &outcomes {
            match outcome.result {
                CommandResult::Accepted { .. } => said.commands_accepted += 1,
                CommandResult::Rejected { .. } => said.commands_rejected += 1,
            }
        }
        for outcome in &block_outcomes {
            match outcome.result {
                BlockResult::Stored {} => said.blocks_stored += 1,
                BlockResult::Quarantined { .. } => said.blocks_quarantined += 1,
                BlockResult::Refused { .. } => said.blocks_refused += 1,
            }
        }
        self.metrics().sync(said);
        Ok(SyncResponse {
            server_time: self.env.now(),
            outcomes,
            block_outcomes,
            reset: page.reset,
            changes: page.changes,
            cursor: page.cursor,
            has_more: page.has_more,
            directives: changes::directives(page.photos_wanted, clock_ahead_ms),
            checkpoint: page.checkpoint,
        })
    }
}
