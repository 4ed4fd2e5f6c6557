//! How the last syncs ended, for diagnosis: no names, no texts, nothing of what they carried.

use super::{StoreError, instant, signed, unsigned};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;

/// So many are kept.
const KEPT: i64 = 100;

/// How a sync ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncRecord {
    /// By the phone's clock.
    pub ended_at: Timestamp,
    /// `finished`, `gave_up`, `stopped`, `sign_in_needed`, `revoked`.
    pub ended: String,
    /// What the server told, where it did.
    pub problem: Option<String>,
    /// Round trips.
    pub rounds: u64,
    /// Commands that the server did not apply.
    pub commands_rejected: u64,
    /// Photos that it got.
    pub photos_stored: u64,
}

/// Adds one, and forgets the oldest.
pub fn sync_record_add(
    connection: &Connection,
    at: Timestamp,
    ended: &str,
    problem: Option<ProblemType>,
    (rounds, commands_rejected, photos_stored): (u64, u64, u64),
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO sync_history (ended_at, ended, problem, rounds, commands_rejected, photos_stored) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            at.unix_micros(),
            ended,
            problem.map(ProblemType::slug),
            signed(rounds),
            signed(commands_rejected),
            signed(photos_stored)
        ],
    )?;
    connection.execute("DELETE FROM sync_history WHERE id <= (SELECT max(id) FROM sync_history) - ?1", [KEPT])?;
    Ok(())
}

/// Those that are kept, the latest first.
pub fn sync_record_list(connection: &Connection) -> Result<Vec<SyncRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT ended_at, ended, problem, rounds, commands_rejected, photos_stored FROM sync_history ORDER BY id DESC",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            SyncRecord {
                ended_at: Timestamp::EPOCH,
                ended: row.get(1)?,
                problem: row.get(2)?,
                rounds: unsigned(row.get(3)?),
                commands_rejected: unsigned(row.get(4)?),
                photos_stored: unsigned(row.get(5)?),
            },
        ))
    })?;
    rows.map(|row| {
        let (at, record) = row?;
        Ok(SyncRecord { ended_at: instant(at)?, ..record })
    })
    .collect()
}
