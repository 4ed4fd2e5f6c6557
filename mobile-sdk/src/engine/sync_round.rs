//! One round trip: the bounded request, and its answer applied in one transaction.

use super::SyncSummary;
use crate::store::account::Device;
use crate::store::blocks::{block_decide, block_list_sealed};
use crate::store::commands::{CommandStanding, command_decide, command_list_waiting};
use crate::store::orders::{order_checkpoint, order_leave, order_put, order_reset};
use crate::store::photos::photo_want;
use crate::store::sync_state::{sync_state_get, sync_state_put};
use crate::store::{Connection, Store, StoreError};
use callout_sync_protocol::ids::CommandId;
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::sync::{BlockResult, Change, CommandResult, Cursor, Directive, SyncRequest, SyncResponse};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::version::{MAX_BLOCKS, MAX_CHANGES, MAX_COMMANDS};

/// Commands take at most so many bytes of a request beyond the first one; they are small, and this is far below the frame's limit.
const COMMAND_BYTE_BUDGET: usize = 1 << 20;
/// How many changes the phone wants at once. What does not arrive whole must be asked for again, so not all on a weak link.
const CHANGES_WANTED: usize = 200;

/// How much a request may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoundLimits {
    /// Bytes of blocks beyond the first one.
    pub block_bytes: usize,
    /// Commands and blocks together; lowered to find the one that the server cannot read.
    pub items: usize,
}

/// What a request in flight carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SentRound {
    pub commands: Vec<CommandId>,
    pub blocks: Vec<BlockHash>,
    cursor: Option<Cursor>,
}

impl SentRound {
    pub fn item_count(&self) -> usize {
        self.commands.len() + self.blocks.len()
    }
}

/// The next request: waiting commands in their order, then sealed blocks.
pub(super) fn round_request(
    store: &Store,
    device: &Device,
    now: Timestamp,
    limits: RoundLimits,
) -> Result<(SyncRequest, SentRound), StoreError> {
    let connection = store.connection();
    let cursor = sync_state_get(connection)?.cursor;
    let commands = command_list_waiting(connection, now, limits.items.min(MAX_COMMANDS), COMMAND_BYTE_BUDGET)?;
    let block_limit = limits.items.saturating_sub(commands.len()).min(MAX_BLOCKS);
    let blocks = match block_limit {
        0 => Vec::new(),
        limit => block_list_sealed(connection, now, limit, limits.block_bytes)?,
    };
    let (hashes, blocks) = blocks.into_iter().unzip();
    let sent = SentRound { commands: commands.iter().map(|command| command.id).collect(), blocks: hashes, cursor };
    let request = SyncRequest {
        device_id: device.id,
        phone_time: now,
        cursor,
        commands,
        blocks,
        max_changes: CHANGES_WANTED.min(MAX_CHANGES) as u32,
        checkpoint: cursor.map(|_| order_checkpoint(connection)).transpose()?,
    };
    Ok((request, sent))
}

/// What applying an answer came to.
pub(super) struct Applied {
    /// The server has more changes.
    pub has_more: bool,
    /// Something was decided or learned; a round without it must not be repeated at once.
    pub is_progress: bool,
    /// All changes are here, and yet the phone holds something else than the server says: the next round makes that good.
    pub disagrees: bool,
}

/// Applies an answer: all of it or nothing.
pub(super) fn round_apply(
    store: &mut Store,
    sent: &SentRound,
    response: &SyncResponse,
    now: Timestamp,
    summary: &mut SyncSummary,
) -> Result<Applied, StoreError> {
    let mut round = SyncSummary::default();
    let applied = store.write(|connection| apply(connection, sent, response, now, &mut round))?;
    if round.orders_left > 0 || response.reset {
        // Contact data that was erased must not stay in the log either (R-PRIVACY-1).
        store.checkpoint()?;
    }
    summary.add(&round);
    Ok(applied)
}

fn apply(
    connection: &Connection,
    sent: &SentRound,
    response: &SyncResponse,
    now: Timestamp,
    round: &mut SyncSummary,
) -> Result<Applied, StoreError> {
    let mut is_progress = false;
    round.rounds = 1;
    for outcome in response.outcomes.iter().filter(|outcome| sent.commands.contains(&outcome.id)) {
        let standing = match &outcome.result {
            CommandResult::Accepted { version, .. } => CommandStanding::Accepted { order_version: *version },
            CommandResult::Rejected { rejection } => CommandStanding::Rejected { rejection: rejection.clone() },
        };
        if command_decide(connection, outcome.id, &standing, now)? {
            is_progress = true;
            match standing {
                CommandStanding::Rejected { .. } => round.commands_rejected += 1,
                CommandStanding::Waiting | CommandStanding::Accepted { .. } => round.commands_accepted += 1,
            }
        }
    }
    for outcome in response.block_outcomes.iter().filter(|outcome| sent.blocks.contains(&outcome.hash)) {
        if block_decide(connection, outcome.hash, &outcome.result, now)? {
            is_progress = true;
            match outcome.result {
                BlockResult::Stored {} => round.blocks_stored += 1,
                BlockResult::Quarantined { .. } => round.blocks_quarantined += 1,
                BlockResult::Refused { .. } => round.blocks_refused += 1,
            }
        }
    }
    let mut state = sync_state_get(connection)?;
    state.last_sync_at = Some(now);
    state.clock_ahead_ms = now.micros_since(response.server_time) / 1_000;
    state.not_before = None;
    round.clock_ahead_ms = state.clock_ahead_ms;
    // Another process may have synced meanwhile: then these changes are old, and the outcomes above are all there is to learn.
    let is_current = state.cursor == sent.cursor;
    if is_current {
        if response.reset {
            order_reset(connection, now)?;
        }
        for change in &response.changes {
            match change {
                Change::Changed { order } => round.orders_changed += u64::from(order_put(connection, order)?),
                Change::Left { id, reason } => {
                    round.orders_left += u64::from(order_leave(connection, *id, Some(*reason), now)?);
                }
            }
        }
        is_progress |= state.cursor != Some(response.cursor);
        state.cursor = Some(response.cursor);
    }
    for directive in &response.directives {
        match directive {
            Directive::WaitBeforeNextSync { seconds } => {
                state.not_before = Some(now.plus_seconds((*seconds).into()));
            }
            Directive::PhotosWanted { photo_ids } => {
                photo_ids.iter().try_for_each(|id| photo_want(connection, *id))?;
            }
            // The difference of the clocks is in every answer.
            Directive::ClockSkewed { .. } => {}
        }
    }
    sync_state_put(connection, &state)?;
    let disagrees = match response.checkpoint {
        Some(theirs) if is_current && !response.has_more => order_checkpoint(connection)? != theirs,
        _ => false,
    };
    Ok(Applied { has_more: response.has_more && is_current, is_progress, disagrees })
}

/// The server cannot read a request because of the one item in it: the item is set aside with the reason, and stays visible.
pub(super) fn item_set_aside(
    store: &mut Store,
    sent: &SentRound,
    rejection: &Rejection,
    now: Timestamp,
    summary: &mut SyncSummary,
) -> Result<(), StoreError> {
    store.write(|connection| {
        for id in &sent.commands {
            let standing = CommandStanding::Rejected { rejection: rejection.clone() };
            summary.commands_rejected += u64::from(command_decide(connection, *id, &standing, now)?);
        }
        for hash in &sent.blocks {
            let result = BlockResult::Refused { rejection: rejection.clone() };
            summary.blocks_refused += u64::from(block_decide(connection, *hash, &result, now)?);
        }
        Ok(())
    })
}
