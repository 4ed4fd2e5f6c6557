//! The outbox: every command that the tester gave on this phone, and what became of it.

use super::{StoreError, cbor, from_cbor, instant, rejection_column, signed, unsigned};
use callout_sync_protocol::commands::Command;
use callout_sync_protocol::ids::{CommandId, WorkOrderId};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CommandStanding {
    /// The server has not answered for it yet.
    Waiting,
    /// The server applied it.
    Accepted {
        /// The order's version right afterwards.
        order_version: u64,
    },
    /// The server did not apply it; the content stays here and there.
    Rejected {
        /// Why.
        rejection: Rejection,
    },
}

/// A command with its standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboxCommand {
    /// The command as it travels.
    pub command: Command,
    /// What became of it.
    pub standing: CommandStanding,
    /// Rejected, and the tester has dealt with it: mended, sent again, or let be.
    pub is_settled: bool,
    /// The server fails at it; it is tried again then, and those about other orders go on meanwhile.
    pub deferred_until: Option<Timestamp>,
}

const COLUMNS: &str = "command, state, order_version, rejection, settled_at IS NOT NULL, deferred_until";

type Raw = (Vec<u8>, String, Option<i64>, Option<Vec<u8>>, bool, Option<i64>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn read(
    (command, state, order_version, rejection, is_settled, deferred_until): Raw,
) -> Result<OutboxCommand, StoreError> {
    let standing = match state.as_str() {
        "waiting" => CommandStanding::Waiting,
        "accepted" => CommandStanding::Accepted { order_version: unsigned(order_version.unwrap_or(0)) },
        _ => CommandStanding::Rejected {
            rejection: rejection_column(rejection)?.ok_or(StoreError::Damaged { what: "a rejected command" })?,
        },
    };
    let deferred_until = deferred_until.map(instant).transpose()?.filter(|_| standing == CommandStanding::Waiting);
    Ok(OutboxCommand { command: from_cbor(&command, "a command")?, standing, is_settled, deferred_until })
}

/// Waits, and nothing about its order is left aside before it; `?1` is now.
const DUE: &str = "c.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM commands d WHERE d.state = 'waiting'
    AND d.work_order_id = c.work_order_id AND d.position <= c.position AND d.deferred_until > ?1)";

/// A command by its id.
pub fn command_get(connection: &Connection, id: CommandId) -> Result<Option<OutboxCommand>, StoreError> {
    let row = connection
        .query_row(&format!("SELECT {COLUMNS} FROM commands WHERE id = ?1"), params![id.as_bytes()], raw)
        .optional()?;
    row.map(read).transpose()
}

/// Some command may be sent now.
pub fn command_is_due(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    Ok(connection.query_row(
        &format!("SELECT EXISTS (SELECT 1 FROM commands c WHERE {DUE})"),
        params![now.unix_micros()],
        |row| row.get(0),
    )?)
}

/// The commands that are left aside, oldest first.
pub fn command_list_deferred(connection: &Connection, now: Timestamp) -> Result<Vec<OutboxCommand>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM commands WHERE state = 'waiting' AND deferred_until > ?1 ORDER BY position"
    ))?;
    let rows = statement.query_map(params![now.unix_micros()], raw)?;
    rows.map(|row| read(row?)).collect()
}

/// Counts a failure of the server at a request that began with this command; says how many there were.
pub fn command_fail(connection: &Connection, id: CommandId) -> Result<u64, StoreError> {
    let failures = connection
        .query_row(
            "UPDATE commands SET failures = failures + 1 WHERE id = ?1 RETURNING failures",
            params![id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(unsigned(failures.unwrap_or(0)))
}

/// Leaves a command aside until then.
pub fn command_defer(connection: &Connection, id: CommandId, until: Timestamp) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE commands SET deferred_until = ?2 WHERE id = ?1",
        params![id.as_bytes(), until.unix_micros()],
    )?;
    Ok(())
}

/// A person wants everything tried now.
pub fn deferral_clear(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE commands SET deferred_until = NULL WHERE deferred_until IS NOT NULL", [])?;
    connection.execute("UPDATE blocks SET deferred_until = NULL WHERE deferred_until IS NOT NULL", [])?;
    Ok(())
}

/// The tester has dealt with a rejected command, by `mended_by` where that is another one. Says whether it was waiting for that.
pub fn command_settle(
    connection: &Connection,
    id: CommandId,
    mended_by: Option<CommandId>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = connection.execute(
        "UPDATE commands SET settled_at = ?3, mended_by = ?2 WHERE id = ?1 AND state = 'rejected' AND settled_at IS NULL",
        params![id.as_bytes(), mended_by.as_ref().map(|id| id.as_bytes()), at.unix_micros()],
    )?;
    Ok(changed == 1)
}

/// Puts a command at the end of the outbox.
pub fn command_insert(connection: &Connection, command: &Command) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO commands (id, work_order_id, kind, command, state) VALUES (?1, ?2, ?3, ?4, 'waiting')",
        params![command.id.as_bytes(), command.work_order_id.as_bytes(), command.body.kind(), cbor(command)],
    )?;
    Ok(())
}

/// Every command about an order, in the order in which they were given.
pub fn command_list_of_order(connection: &Connection, order: WorkOrderId) -> Result<Vec<OutboxCommand>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM commands WHERE work_order_id = ?1 ORDER BY position"))?;
    let rows = statement.query_map(params![order.as_bytes()], raw)?;
    rows.map(|row| read(row?)).collect()
}

/// Every rejected command that the tester has not dealt with, oldest first.
pub fn command_list_rejected(connection: &Connection) -> Result<Vec<OutboxCommand>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM commands WHERE state = 'rejected' AND settled_at IS NULL ORDER BY position"
    ))?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| read(row?)).collect()
}

/// The waiting commands in the order in which they were given: at most `limit`, and no more than `byte_budget` bytes beyond the
/// first. One that the server failed at is left aside until its time, with those behind it about the same order.
pub fn command_list_waiting(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
    byte_budget: usize,
) -> Result<Vec<Command>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT command FROM commands c WHERE {DUE} ORDER BY position LIMIT ?2"))?;
    let mut rows = statement.query(params![now.unix_micros(), signed(limit as u64)])?;
    let mut commands = Vec::new();
    let mut bytes_taken = 0;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        bytes_taken += bytes.len();
        if bytes_taken > byte_budget && !commands.is_empty() {
            break;
        }
        commands.push(from_cbor(&bytes, "a command")?);
    }
    Ok(commands)
}

/// Records the server's answer. A command that was decided before keeps its first answer; says whether this one was new.
pub fn command_decide(
    connection: &Connection,
    id: CommandId,
    standing: &CommandStanding,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let (state, version, rejection) = match standing {
        CommandStanding::Waiting => return Ok(false),
        CommandStanding::Accepted { order_version } => ("accepted", Some(signed(*order_version)), None),
        CommandStanding::Rejected { rejection } => ("rejected", None, Some(cbor(rejection))),
    };
    let changed = connection.execute(
        "UPDATE commands SET state = ?2, order_version = ?3, rejection = ?4, decided_at = ?5 WHERE id = ?1 AND state = 'waiting'",
        params![id.as_bytes(), state, version, rejection, at.unix_micros()],
    )?;
    Ok(changed == 1)
}

/// How many commands wait, were accepted, were rejected.
pub fn command_counts(connection: &Connection) -> Result<(u64, u64, u64), StoreError> {
    Ok(connection.query_row(
        "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'accepted'),
            count(*) FILTER (WHERE state = 'rejected') FROM commands",
        [],
        |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?), unsigned(row.get(2)?))),
    )?)
}
