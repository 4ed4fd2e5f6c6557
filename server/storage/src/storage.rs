//! [`Storage`]: opens either database and runs units of work on it. What does not belong here: what a unit of work does (nouns).

use crate::config::{DEFAULT_POOL_SIZE, StorageConfig};
use crate::connection::{Connector, Purpose, Retry, Tx, retry_after};
use crate::error::StorageError;
use crate::figures::Counts;
use crate::migrations;
use crate::writer::Writer;
use diesel::r2d2::{Pool, PooledConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a unit of work runs before its conflict with others is given up.
const MAX_ATTEMPTS: u32 = 10;

/// How long to wait for a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Which database system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Embedded, one file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Backend {
    /// The name in settings, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// An open database. Cheap to clone; all clones share the connections. Every function blocks: call it where blocking is allowed.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

struct Inner {
    config: StorageConfig,
    counts: Arc<Counts>,
    /// SQLite only.
    writer: Option<Writer>,
    /// SQLite: readers. PostgreSQL: everything.
    pool: Pool<Connector>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Storage({})", self.inner.config)
    }
}

impl Storage {
    /// Opens the database; SQLite's file is made when it does not exist. Call [`Self::migrate`] before anything else.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if it cannot be reached, [`StorageError::SchemaNewer`] if a newer program migrated it.
    pub fn open(config: &StorageConfig) -> Result<Self, StorageError> {
        let counts = Arc::new(Counts::default());
        let connector = |purpose| Connector { config: config.clone(), purpose, counts: Arc::clone(&counts) };
        let (writer, purpose, size) = match config {
            StorageConfig::Sqlite { .. } => {
                (Some(Writer::new(connector(Purpose::Write))?), Purpose::Read, DEFAULT_POOL_SIZE)
            }
            StorageConfig::Postgres { pool_size, .. } => {
                // The pool would try again and again; whoever starts a server wants to be told at once.
                drop(connector(Purpose::Write).connect()?);
                (None, Purpose::Write, (*pool_size).max(1))
            }
        };
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(CONNECTION_TIMEOUT)
            // A round trip saved each time: a connection that turns out dead is replaced and its unit of work runs again.
            .test_on_check_out(false)
            .build(connector(purpose))?;
        let storage =
            Self { inner: Arc::new(Inner { config: config.clone(), counts: Arc::clone(&counts), writer, pool }) };
        storage.write("schema_check", migrations::schema_check)?;
        Ok(storage)
    }

    /// Which database system this is.
    pub fn backend(&self) -> Backend {
        match self.inner.config {
            StorageConfig::Sqlite { .. } => Backend::Sqlite,
            StorageConfig::Postgres { .. } => Backend::Postgres,
        }
    }

    /// What was opened.
    pub fn config(&self) -> &StorageConfig {
        &self.inner.config
    }

    /// Applies what the schema lacks, and names it. Servers that start together wait for each other.
    pub fn migrate(&self) -> Result<Vec<String>, StorageError> {
        self.write("migrate", migrations::migrate)
    }

    /// The migrations that [`Self::migrate`] would apply.
    pub fn migrations_pending(&self) -> Result<Vec<String>, StorageError> {
        self.write("migrations_pending", migrations::migrations_pending)
    }

    /// Whether the database answers.
    pub fn ping(&self) -> Result<(), StorageError> {
        self.read("ping", |tx| tx.ping())
    }

    /// Empties SQLite's journal, in which the pages of before an erasure may still stand; nothing on PostgreSQL.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] while somebody reads an old snapshot; later it works.
    pub fn journal_empty(&self) -> Result<(), StorageError> {
        if self.inner.writer.is_none() {
            return Ok(());
        }
        // Not the writer's connection: it is never outside a transaction for us.
        let mut tx = Connector {
            config: self.inner.config.clone(),
            purpose: Purpose::Write,
            counts: Arc::clone(&self.inner.counts),
        }
        .connect()?;
        tx.journal_empty()
    }

    /// Runs a unit of work: all of it is durably kept, or nothing. It may run more than once, so it must have no other effects.
    ///
    /// # Errors
    /// What the closure returns; or [`StorageError::Unavailable`], when the unit of work was not kept although it succeeded.
    pub fn write<T, E: From<StorageError>>(
        &self,
        name: &'static str,
        mut work: impl FnMut(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.inner.counts.unit_of_work();
        match &self.inner.writer {
            Some(writer) => writer.write(work),
            None => self.retrying(name, |tx| {
                tx.begin_write().map_err(Ended::Begin)?;
                let value = work(tx).map_err(Ended::Work)?;
                tx.commit().map_err(Ended::Commit)?;
                Ok(value)
            }),
        }
    }

    /// Reads from one snapshot. The closure must not write.
    ///
    /// # Errors
    /// What the closure returns; or [`StorageError::Unavailable`].
    pub fn read<T, E: From<StorageError>>(
        &self,
        name: &'static str,
        mut work: impl FnMut(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.inner.counts.unit_of_work();
        self.retrying(name, |tx| {
            tx.begin_read().map_err(Ended::Begin)?;
            let value = work(tx).map_err(Ended::Work)?;
            tx.commit().map_err(Ended::Commit)?;
            Ok(value)
        })
    }

    fn pooled(&self) -> Result<PooledConnection<Connector>, StorageError> {
        let since = Instant::now();
        let pooled = self.inner.pool.get();
        match &pooled {
            Ok(_) => self.inner.counts.waited(since),
            Err(_) => self.inner.counts.timeout(),
        }
        Ok(pooled?)
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    /// Open connections of the pool, and how many of them nobody uses.
    pub(crate) fn pool_state(&self) -> (u32, u32) {
        let state = self.inner.pool.state();
        (state.connections, state.idle_connections)
    }

    fn retrying<T, E: From<StorageError>>(
        &self,
        name: &'static str,
        mut attempt: impl FnMut(&mut Tx) -> Result<T, Ended<E>>,
    ) -> Result<T, E> {
        let mut attempts = 0;
        let mut has_met_unique_race = false;
        loop {
            attempts += 1;
            let mut tx = self.pooled()?;
            let ended = match attempt(&mut tx) {
                Ok(value) => return Ok(value),
                Err(ended) => ended,
            };
            if !tx.is_idle() {
                // If this fails, the connection is broken and the pool drops it.
                let _ = tx.rollback();
            }
            let retry = match &ended {
                Ended::Begin(error) | Ended::Commit(error) => retry_after(error),
                Ended::Work(_) => tx.retry.take(),
            };
            let is_worth_it = match (retry, &ended) {
                (Some(Retry::Serialization), _) => true,
                (Some(Retry::UniqueRace), _) => !std::mem::replace(&mut has_met_unique_race, true),
                // Nothing was done yet, or nothing of it can have been kept.
                (Some(Retry::ConnectionLost), Ended::Begin(_) | Ended::Work(_)) => true,
                // It may have been kept: only the caller knows whether to do it again.
                (Some(Retry::ConnectionLost), Ended::Commit(_)) | (None, _) => false,
            };
            drop(tx);
            if !is_worth_it || attempts >= MAX_ATTEMPTS {
                return Err(match ended {
                    Ended::Work(error) => error,
                    Ended::Begin(error) | Ended::Commit(error) => StorageError::from(error).into(),
                });
            }
            self.inner.counts.rerun();
            tracing::debug!(name, attempts, ?retry, "the unit of work runs again");
            // 0, 1, 2, 4 … 256 ms.
            if attempts > 1 {
                std::thread::sleep(Duration::from_millis(1 << (attempts - 2)));
            }
        }
    }
}

/// Where a unit of work ended.
enum Ended<E> {
    Begin(diesel::result::Error),
    Work(E),
    Commit(diesel::result::Error),
}

/// A database in a temporary folder that goes when this does.
#[derive(Debug)]
pub struct TemporaryStorage {
    /// The open, migrated database.
    pub storage: Storage,
    _folder: tempfile::TempDir,
}

impl Storage {
    /// An empty, migrated SQLite database in a temporary folder, for tests and demonstrations.
    pub fn temporary() -> Result<TemporaryStorage, StorageError> {
        let folder = tempfile::tempdir().map_err(|error| StorageError::Unavailable { source: Box::new(error) })?;
        let storage = Self::open(&StorageConfig::Sqlite { path: folder.path().join("callout.db") })?;
        storage.migrate()?;
        Ok(TemporaryStorage { storage, _folder: folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::AnyConnection;
    use diesel::connection::SimpleConnection;

    #[test]
    fn a_new_file_is_migrated_once() {
        let temporary = Storage::temporary().unwrap();
        assert_eq!(temporary.storage.migrate().unwrap(), Vec::<String>::new());
        temporary.storage.ping().unwrap();
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let temporary = Storage::temporary().unwrap();
        let config = temporary.storage.config().clone();
        temporary
            .storage
            .write("newer", |tx| {
                tx.run(|c| c.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99999')"))
            })
            .unwrap();
        match Storage::open(&config) {
            Err(StorageError::SchemaNewer { found, known }) => {
                assert_eq!(found, "99999");
                assert!(known.len() == 5 && known < found, "{known}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_unit_of_work_is_undone_alone_and_a_panic_harms_nobody() {
        let temporary = Storage::temporary().unwrap();
        let storage = &temporary.storage;
        std::thread::scope(|scope| {
            for writer in 0..16 {
                scope.spawn(move || {
                    for round in 0..25 {
                        let key = format!("{writer}-{round}");
                        let kept = storage.write("kept", |tx| tx.server_meta_put(&key, "kept"));
                        kept.unwrap();
                        let undone: Result<(), StorageError> = storage.write("undone", |tx| {
                            tx.server_meta_put(&key, "undone")?;
                            Err(StorageError::NotFound { what: "row" })
                        });
                        assert!(matches!(undone, Err(StorageError::NotFound { .. })));
                        if round == 7 {
                            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                                storage.write("panics", |tx| -> Result<(), StorageError> {
                                    tx.server_meta_put(&key, "panicked")?;
                                    std::panic::resume_unwind(Box::new("on purpose"))
                                })
                            }));
                            assert!(panicked.is_err());
                        }
                        let read = storage.read("check", |tx| tx.server_meta_by_key(&key)).unwrap();
                        assert_eq!(read.as_deref(), Some("kept"));
                    }
                });
            }
        });
    }

    #[test]
    fn a_lost_transaction_is_told_and_the_next_one_works() {
        let temporary = Storage::temporary().unwrap();
        let storage = &temporary.storage;
        // What SQLite does by itself when the disk is full: the whole transaction is gone, savepoints and all.
        let lost = storage.write("lost", |tx| {
            tx.server_meta_put("key", "lost")?;
            tx.run(|c| match c {
                AnyConnection::Sqlite(c) => c.batch_execute("ROLLBACK"),
                AnyConnection::Postgres(_) => Ok(()),
            })
        });
        assert!(matches!(lost, Err(StorageError::Unavailable { .. })), "{lost:?}");
        assert_eq!(storage.read("check", |tx| tx.server_meta_by_key("key")).unwrap(), None);
        storage.write("after", |tx| tx.server_meta_put("key", "after")).unwrap();
        assert_eq!(storage.read("check", |tx| tx.server_meta_by_key("key")).unwrap().as_deref(), Some("after"));
    }

    #[test]
    fn a_text_with_a_zero_character_is_refused() {
        let temporary = Storage::temporary().unwrap();
        let refused = temporary.storage.write("zero", |tx| tx.server_meta_put("a\0b", "value"));
        assert!(matches!(refused, Err(StorageError::Unstorable { .. })), "{refused:?}");
    }

    #[test]
    fn an_unreachable_server_is_told_and_makes_no_file() {
        let config = "postgres://nobody:secret@127.0.0.1:1/none".parse().unwrap();
        let error = Storage::open(&config).unwrap_err();
        assert!(matches!(error, StorageError::Unavailable { .. }));
        assert!(!error.to_string().contains("secret"));
        assert!(!std::path::Path::new("postgres:").exists());
    }
}
