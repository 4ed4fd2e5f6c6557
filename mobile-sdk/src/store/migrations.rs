//! The device schema's versions, embedded from `migrations/device`. `user_version` says which one a file has.
//!
//! A published file of that folder is never edited; a change is a new file at the end of [`MIGRATIONS`].

use super::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// In order; the first brings an empty file to version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/device/0001_initial.sql"),
    include_str!("../../../migrations/device/0002_phone_core.sql"),
];

/// Marks the file as ours: "Call".
const APPLICATION_ID: i64 = 0x4361_6C6C;

pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Refuses what is newer or not ours, without writing anything.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let not_ours = || StoreError::NotAStore { path: path.to_owned() };
    let is_not_a_database =
        |error: &rusqlite::Error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase);
    let application_id: i64 = match connection.pragma_query_value(None, "application_id", |row| row.get(0)) {
        Err(error) if is_not_a_database(&error) => return Err(not_ours()),
        other => other?,
    };
    let found = version(connection)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = tables == 0 && found == 0;
    if application_id != APPLICATION_ID && !is_empty {
        return Err(not_ours());
    }
    let known = MIGRATIONS.len() as i64;
    if found > known { Err(StoreError::NewerSchema { found, known }) } else { Ok(()) }
}

/// Brings the file to the newest version, in one transaction, so that a kill in between leaves the old version.
pub(super) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    if version(connection)? == known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again under the lock: another process may have migrated meanwhile.
    let found = usize::try_from(version(&transaction)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
