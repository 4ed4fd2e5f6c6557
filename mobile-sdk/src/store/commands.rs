//! The outbox: every command that the tester gave on this phone, and what became of it.

use super::{StoreError, cbor, from_cbor, rejection_column, signed, unsigned};
use callout_sync_protocol::commands::Command;
use callout_sync_protocol::ids::{CommandId, WorkOrderId};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use rusqlite::{Connection, Row, params};
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
}

const COLUMNS: &str = "command, state, order_version, rejection";

type Raw = (Vec<u8>, String, Option<i64>, Option<Vec<u8>>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn read((command, state, order_version, rejection): Raw) -> Result<OutboxCommand, StoreError> {
    let standing = match state.as_str() {
        "waiting" => CommandStanding::Waiting,
        "accepted" => CommandStanding::Accepted { order_version: unsigned(order_version.unwrap_or(0)) },
        _ => CommandStanding::Rejected {
            rejection: rejection_column(rejection)?.ok_or(StoreError::Damaged { what: "a rejected command" })?,
        },
    };
    Ok(OutboxCommand { command: from_cbor(&command, "a command")?, standing })
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

/// Every rejected command, oldest first.
pub fn command_list_rejected(connection: &Connection) -> Result<Vec<OutboxCommand>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM commands WHERE state = 'rejected' ORDER BY position"))?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| read(row?)).collect()
}

/// The waiting commands in the order in which they were given: at most `limit`, and no more than `byte_budget` bytes beyond the
/// first.
pub fn command_list_waiting(
    connection: &Connection,
    limit: usize,
    byte_budget: usize,
) -> Result<Vec<Command>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT command FROM commands WHERE state = 'waiting' ORDER BY position LIMIT ?1")?;
    let mut rows = statement.query(params![signed(limit as u64)])?;
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
