//! The schema's history, embedded. Forward only, the same version names on both databases. What does not belong here: rows.

use crate::connection::{AnyConnection, Tx, each_backend};
use crate::error::StorageError;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The number of the advisory lock under which servers migrate one after the other: "callout" in ASCII.
const ADVISORY_LOCK: i64 = 0x0063_616c_6c6f_7574;

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> StorageError {
    StorageError::Internal { source }
}

/// Refuses a database that a newer program migrated.
pub(crate) fn schema_check(tx: &mut Tx) -> Result<(), StorageError> {
    // The table of applied migrations is made here if there is none; two servers that start together must not both do it.
    lock(tx)?;
    let (applied, known) = match &mut tx.connection {
        AnyConnection::Sqlite(c) => {
            (c.applied_migrations().map_err(failed)?, versions::<diesel::sqlite::Sqlite>(&SQLITE)?)
        }
        AnyConnection::Postgres(c) => (c.applied_migrations().map_err(failed)?, versions::<diesel::pg::Pg>(&POSTGRES)?),
    };
    let newest = known.last().cloned().unwrap_or_default();
    match applied.iter().map(ToString::to_string).filter(|version| !known.contains(version)).max() {
        Some(found) => Err(StorageError::SchemaNewer { found, known: newest }),
        None => Ok(()),
    }
}

/// Applies what is missing, all of it or nothing.
pub(crate) fn migrate(tx: &mut Tx) -> Result<Vec<String>, StorageError> {
    schema_check(tx)?;
    let names = migrations_pending(tx)?;
    match &mut tx.connection {
        AnyConnection::Sqlite(c) => c.run_pending_migrations(SQLITE).map(drop).map_err(failed)?,
        AnyConnection::Postgres(c) => c.run_pending_migrations(POSTGRES).map(drop).map_err(failed)?,
    }
    Ok(names)
}

pub(crate) fn migrations_pending(tx: &mut Tx) -> Result<Vec<String>, StorageError> {
    lock(tx)?;
    match &mut tx.connection {
        AnyConnection::Sqlite(c) => {
            Ok(c.pending_migrations(SQLITE).map_err(failed)?.iter().map(|m| m.name().to_string()).collect())
        }
        AnyConnection::Postgres(c) => {
            Ok(c.pending_migrations(POSTGRES).map_err(failed)?.iter().map(|m| m.name().to_string()).collect())
        }
    }
}

/// Held until the transaction ends; SQLite's writer is alone anyway.
fn lock(tx: &mut Tx) -> Result<(), StorageError> {
    tx.run(|c| match c {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(c) => c.batch_execute(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")),
    })
}

fn versions<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>, StorageError>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(failed)?;
    let mut versions: Vec<String> = migrations.iter().map(|m| m.name().version().to_string()).collect();
    versions.sort();
    Ok(versions)
}

/// What SQLite says of a checkpoint.
#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

impl Tx {
    pub(crate) fn journal_empty(&mut self) -> Result<(), StorageError> {
        let found: Vec<Checkpoint> = self.run(|c| match c {
            AnyConnection::Sqlite(c) => diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").load(c),
            AnyConnection::Postgres(_) => Ok(Vec::new()),
        })?;
        match found.iter().all(|checkpoint| checkpoint.busy == 0) {
            true => Ok(()),
            false => Err(StorageError::Unavailable { source: "the journal is being read".into() }),
        }
    }

    pub(crate) fn ping(&mut self) -> Result<(), StorageError> {
        self.run(|c| each_backend!(c, |c| c.batch_execute("SELECT 1")))
    }
}
