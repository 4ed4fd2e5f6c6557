//! What can go wrong in the store, in words without SQL; the inner cause is the `source` and belongs into the log only.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a unit of work, or a part of it, did not happen. Nothing of a failed unit of work is kept.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such row.
    #[error("{what} not found")]
    NotFound {
        /// The noun.
        what: &'static str,
    },
    /// Something of that name or key exists.
    #[error("{what} exists already")]
    UniqueViolation {
        /// Which key: `table.column`, or the constraint's name, or empty if the database does not say.
        what: String,
    },
    /// The row was changed by somebody else since it was read.
    #[error("{what} was changed by somebody else meanwhile")]
    Conflict {
        /// The noun.
        what: &'static str,
    },
    /// A row names another row that does not exist.
    #[error("it names something that does not exist")]
    MissingReference {
        /// The inner cause.
        #[source]
        source: Source,
    },
    /// A text holds what no database column can (a zero character), or a number is out of range.
    #[error("a value cannot be stored: {problem}")]
    Unstorable {
        /// What is wrong with it.
        problem: String,
    },
    /// The database cannot be reached, is busy for too long, or has no space left. Trying later may help.
    #[error("the store is temporarily unavailable")]
    Unavailable {
        /// The inner cause.
        #[source]
        source: Source,
    },
    /// What stands in the database is not what this program wrote.
    #[error("the store holds a damaged record: {what}")]
    Corrupt {
        /// Where and what, without personal data.
        what: String,
    },
    /// The database was migrated by a newer program.
    #[error(
        "the database has the schema version {found}, newer than this program knows ({known}); install the newer program"
    )]
    SchemaNewer {
        /// The version that the database has.
        found: String,
        /// The newest version that this program knows.
        known: String,
    },
    /// A fault of this program.
    #[error("something went wrong in the store")]
    Internal {
        /// The inner cause.
        #[source]
        source: Source,
    },
}

impl StorageError {
    /// A transient failure told in words.
    pub(crate) fn unavailable(problem: &str) -> Self {
        Self::Unavailable { source: problem.into() }
    }
}

/// The marker by which a value that cannot be stored is told from other failures of serialisation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UnstorableValue(pub(crate) String);

/// The marker by which a value that this program cannot have written is told from other failures of reading.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CorruptValue(pub(crate) String);

impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound { what: "row" },
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                // PostgreSQL names the constraint; SQLite says "UNIQUE constraint failed: table.column, …".
                let what = info.constraint_name().map(str::to_owned).unwrap_or_else(|| {
                    info.message().split_once(": ").map_or(String::new(), |(_, columns)| columns.to_owned())
                });
                Self::UniqueViolation { what }
            }
            DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, info) => {
                Self::MissingReference { source: info.message().into() }
            }
            DieselError::DatabaseError(
                DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction,
                info,
            ) => Self::Unavailable { source: info.message().into() },
            DieselError::DatabaseError(kind, info) => {
                let message = info.message().to_owned();
                if is_transient(&message) {
                    Self::Unavailable { source: message.into() }
                } else {
                    Self::Internal { source: format!("{kind:?}: {message}").into() }
                }
            }
            DieselError::SerializationError(source) if source.is::<UnstorableValue>() => {
                Self::Unstorable { problem: source.to_string() }
            }
            DieselError::DeserializationError(source) => Self::Corrupt { what: source.to_string() },
            DieselError::BrokenTransactionManager => Self::unavailable("the connection is broken"),
            other => Self::Internal { source: Box::new(other) },
        }
    }
}

/// SQLite's and PostgreSQL's ways to say "later", as far as Diesel gives them no kind of their own.
pub(crate) fn is_transient(message: &str) -> bool {
    [
        "database is locked",
        "database table is locked",
        "database or disk is full",
        "disk I/O error",
        "deadlock detected",
        "terminating connection",
        "the database system is",
        "could not serialize",
        "No space left on device",
        "too many clients",
    ]
    .iter()
    .any(|words| message.contains(words))
}

impl From<diesel::r2d2::PoolError> for StorageError {
    fn from(error: diesel::r2d2::PoolError) -> Self {
        Self::Unavailable { source: Box::new(error) }
    }
}

impl From<diesel::ConnectionError> for StorageError {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Unavailable { source: Box::new(error) }
    }
}
