//! One connection to either database, and [`Tx`], the unit of work that runs on it.
//!
//! Most statements run on the enum over both. What the enum cannot express (`on_conflict`, lists of rows, row locks) runs as
//! the same body on each concrete connection, by [`each_backend!`] and [`locked!`]. What does not belong here: which connection
//! is used when (`storage`, `writer`).

use crate::config::StorageConfig;
use crate::error::StorageError;
use crate::figures::Counts;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, R2D2Connection};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use std::sync::Arc;

/// Either database. Never call the derived `establish`: it would make a SQLite file named like an unreachable server's URL.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs the same body on the concrete connection, for statements that the enum cannot express.
macro_rules! each_backend {
    ($connection:expr, |$concrete:ident| $body:expr) => {
        match $connection {
            $crate::connection::AnyConnection::Sqlite($concrete) => $body,
            $crate::connection::AnyConnection::Postgres($concrete) => $body,
        }
    };
}
pub(crate) use each_backend;

/// Loads the one row of a query and locks it until the transaction ends; SQLite's only writer needs no lock.
macro_rules! locked {
    ($connection:expr, $query:expr) => {
        match $connection {
            $crate::connection::AnyConnection::Sqlite(concrete) => $query.first(concrete).optional(),
            $crate::connection::AnyConnection::Postgres(concrete) => $query.for_update().first(concrete).optional(),
        }
    };
}
pub(crate) use locked;

/// Loads the rows of a query and locks them until the transaction ends, in the query's order.
macro_rules! locked_all {
    ($connection:expr, $query:expr) => {
        match $connection {
            $crate::connection::AnyConnection::Sqlite(concrete) => $query.load(concrete),
            $crate::connection::AnyConnection::Postgres(concrete) => $query.for_update().load(concrete),
        }
    };
}
pub(crate) use locked_all;

/// A failure after which the same unit of work may succeed when it runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// The database gave up one of several transactions that were in each other's way.
    Serialization,
    /// Somebody inserted the same key meanwhile; the second run finds it there.
    UniqueRace,
    /// The connection was gone before the unit of work began.
    ConnectionLost,
}

/// A unit of work in progress; its functions are in the modules of the nouns.
pub struct Tx {
    pub(crate) connection: AnyConnection,
    /// Set by the last statement that failed for a reason that another run may not meet.
    pub(crate) retry: Option<Retry>,
    counts: Arc<Counts>,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

type Manager = AnsiTransactionManager;

impl Tx {
    /// Runs a statement, and remembers whether its failure is worth another run.
    pub(crate) fn run<T>(
        &mut self,
        statement: impl FnOnce(&mut AnyConnection) -> QueryResult<T>,
    ) -> Result<T, StorageError> {
        self.counts.statement();
        statement(&mut self.connection).map_err(|error| {
            self.retry = retry_after(&error);
            StorageError::from(error)
        })
    }

    /// Opens a unit of work that will write.
    pub(crate) fn begin_write(&mut self) -> QueryResult<()> {
        self.retry = None;
        match &mut self.connection {
            // Deferred, a transaction that reads and then writes would fail at once when another writer came between.
            AnyConnection::Sqlite(c) => Manager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            AnyConnection::Postgres(c) => Manager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL READ COMMITTED"),
        }
    }

    /// Opens a unit of work that only reads, all of it from one snapshot.
    pub(crate) fn begin_read(&mut self) -> QueryResult<()> {
        self.retry = None;
        match &mut self.connection {
            AnyConnection::Sqlite(c) => Manager::begin_transaction_sql(c, "BEGIN DEFERRED"),
            AnyConnection::Postgres(c) => {
                Manager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            }
        }
    }

    /// Begins a part that can be undone alone.
    pub(crate) fn begin_savepoint(&mut self) -> QueryResult<()> {
        each_backend!(&mut self.connection, |c| Manager::begin_transaction(c))
    }

    /// Ends the innermost open part, or the whole, and keeps it.
    pub(crate) fn commit(&mut self) -> QueryResult<()> {
        each_backend!(&mut self.connection, |c| Manager::commit_transaction(c))
    }

    /// Ends the innermost open part, or the whole, and undoes it.
    pub(crate) fn rollback(&mut self) -> QueryResult<()> {
        each_backend!(&mut self.connection, |c| Manager::rollback_transaction(c))
    }

    /// No transaction is open and none was left in an unknown state.
    pub(crate) fn is_idle(&mut self) -> bool {
        each_backend!(&mut self.connection, |c| {
            matches!(Manager::transaction_manager_status_mut(c).transaction_depth(), Ok(None))
        })
    }
}

/// Whether a failed statement is worth another run of the whole unit of work.
pub(crate) fn retry_after(error: &DieselError) -> Option<Retry> {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Some(Retry::Serialization),
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Some(Retry::UniqueRace),
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _) => {
            Some(Retry::ConnectionLost)
        }
        // Diesel has no kind for a deadlock's victim.
        DieselError::DatabaseError(_, info) if info.message().contains("deadlock detected") => {
            Some(Retry::Serialization)
        }
        _ => None,
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Anything.
    Write,
    /// Reading only.
    Read,
}

/// Makes connections; by scheme, which we matched ourselves.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) config: StorageConfig,
    pub(crate) purpose: Purpose,
    pub(crate) counts: Arc<Counts>,
}

impl Connector {
    pub(crate) fn connect(&self) -> Result<Tx, StorageError> {
        let connection = match &self.config {
            StorageConfig::Sqlite { path } => {
                let path = path.to_str().ok_or_else(|| StorageError::Unstorable {
                    problem: "the database file's path is not UTF-8".to_owned(),
                })?;
                let mut connection = SqliteConnection::establish(path)?;
                // FULL: what was acknowledged survives a power cut. The waiting limit comes first, for the pragmas after it.
                connection.batch_execute(
                    "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 268435456;
                     PRAGMA journal_size_limit = 67108864;",
                )?;
                connection.batch_execute(match self.purpose {
                    // What is deleted or replaced leaves nothing readable in the file (R-PRIVACY-1).
                    Purpose::Write => {
                        "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000; PRAGMA secure_delete = ON;"
                    }
                    Purpose::Read => "PRAGMA cache_size = -16384; PRAGMA query_only = ON;",
                })?;
                AnyConnection::Sqlite(connection)
            }
            StorageConfig::Postgres { url, .. } => {
                let mut connection = PgConnection::establish(url)?;
                // Every query here is short: compiling one costs more than it saves, and one that takes a minute is a fault.
                connection.batch_execute(
                    "SET application_name = 'callout'; SET jit = off; SET statement_timeout = '60s'; SET lock_timeout = '30s';
                     SET idle_in_transaction_session_timeout = '120s'; SET client_min_messages = warning;",
                )?;
                AnyConnection::Postgres(connection)
            }
        };
        Ok(Tx { connection, retry: None, counts: Arc::clone(&self.counts) })
    }
}

impl ManageConnection for Connector {
    type Connection = Tx;
    type Error = StorageError;

    fn connect(&self) -> Result<Tx, StorageError> {
        Self::connect(self)
    }

    fn is_valid(&self, tx: &mut Tx) -> Result<(), StorageError> {
        tx.connection.ping().map_err(StorageError::from)
    }

    fn has_broken(&self, tx: &mut Tx) -> bool {
        // A panic inside a unit of work leaves its transaction open.
        std::thread::panicking() || !tx.is_idle() || tx.connection.is_broken()
    }
}
