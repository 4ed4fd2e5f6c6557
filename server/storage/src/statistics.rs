//! What the databases know of how their rows are spread, by which they choose an index.

use crate::connection::{AnyConnection, Tx};
use crate::error::StorageError;
use diesel::connection::SimpleConnection;

impl Tx {
    /// Counts anew what has changed much since it was counted last. SQLite never does so by itself; it reads about a thousand rows of
    /// each index, however large the table is. PostgreSQL's own autovacuum does it.
    pub fn statistics_refresh(&mut self) -> Result<(), StorageError> {
        self.run(|c| match c {
            AnyConnection::Sqlite(c) => c.batch_execute("pragma analysis_limit = 1000; pragma optimize(0x10002);"),
            AnyConnection::Postgres(_) => Ok(()),
        })
    }

    /// Counts everything anew, after rows were made in bulk.
    pub fn statistics_make(&mut self) -> Result<(), StorageError> {
        self.run(|c| match c {
            AnyConnection::Sqlite(c) => c.batch_execute("analyze"),
            AnyConnection::Postgres(c) => c.batch_execute("analyze"),
        })
    }
}
