//! Where this phone stands with the server: cursor, clock difference, when to come again.

use super::{StoreError, cbor, from_cbor, instant};
use callout_sync_protocol::sync::Cursor;
use callout_sync_protocol::time::Timestamp;
use rusqlite::{Connection, params};

/// The phone's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SyncState {
    /// Where the feed ends here; absent before the first sync.
    pub cursor: Option<Cursor>,
    /// When the server last answered a sync, by the phone's clock.
    pub last_sync_at: Option<Timestamp>,
    /// Milliseconds that the phone's clock was ahead of the server's then.
    pub clock_ahead_ms: i64,
    /// The server asked not to be called before, unless a person wants it.
    pub not_before: Option<Timestamp>,
}

/// Reads it.
pub fn sync_state_get(connection: &Connection) -> Result<SyncState, StoreError> {
    let (cursor, last_sync_at, clock_ahead_ms, not_before) =
        connection.query_row("SELECT cursor, last_sync_at, clock_ahead_ms, not_before FROM sync_state", [], |row| {
            Ok((
                row.get::<_, Option<Vec<u8>>>(0)?,
                row.get::<_, Option<i64>>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, Option<i64>>(3)?,
            ))
        })?;
    Ok(SyncState {
        cursor: cursor.map(|bytes| from_cbor(&bytes, "the cursor")).transpose()?,
        last_sync_at: last_sync_at.map(instant).transpose()?,
        clock_ahead_ms,
        not_before: not_before.map(instant).transpose()?,
    })
}

/// Writes it.
pub fn sync_state_put(connection: &Connection, state: &SyncState) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE sync_state SET cursor = ?1, last_sync_at = ?2, clock_ahead_ms = ?3, not_before = ?4",
        params![
            state.cursor.map(|cursor| cbor(&cursor)),
            state.last_sync_at.map(Timestamp::unix_micros),
            state.clock_ahead_ms,
            state.not_before.map(Timestamp::unix_micros),
        ],
    )?;
    Ok(())
}
