//! The device store: one SQLite file and a folder of photos. What was acknowledged to the tester survives a power cut.
//!
//! Each noun's rows are in the module of its name; all of them take a connection, so that callers join them in one
//! [`Store::write`]. What does not belong here: the network, and the rules (`sync-protocol`).

pub mod account;
pub mod blocks;
pub mod captures;
pub mod commands;
pub mod findings_drafts;
pub mod orders;
pub mod photos;
pub mod sync_state;

mod migrations;

use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
pub use rusqlite::Connection;
use rusqlite::{OpenFlags, TransactionBehavior};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The SQLite file's name inside the data directory.
const STORE_FILE: &str = "phone.sqlite";
/// The photos' folder inside the data directory.
const PHOTO_FOLDER: &str = "photos";
/// Another process (a capture beside a sync) holds the write lock for milliseconds; this is for slow storage.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the store cannot do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no: disk full, file damaged, locked for too long.
    #[error("the phone's store could not be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system said no.
    #[error("{path}: could not be read or written")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// Written by a newer version of this software; untouched.
    #[error(
        "this phone's data was written by a newer version (schema {found}, this version knows {known}); update the app, nothing was changed"
    )]
    NewerSchema {
        /// The file's schema.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// A SQLite file of some other program.
    #[error("{path} is not a store of this software")]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A row that this software cannot have written.
    #[error("the phone's store is damaged: {what}")]
    Damaged {
        /// Where.
        what: &'static str,
    },
    /// The platform's keystore handed in another key than the one this store was made with.
    #[error("the device key is not the one that this store belongs to")]
    KeyMismatch,
    /// The store was made with a key from the platform's keystore, and none was handed in.
    #[error("the device key of this store is in the platform's keystore and was not handed in")]
    KeyAbsent,
}

/// The open store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    folder: PathBuf,
}

impl Store {
    /// Opens the store in `folder`, making and migrating it as needed. Files are readable by their owner only.
    ///
    /// # Errors
    /// [`StoreError`]; a newer schema or a foreign file is left untouched.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let file_error = |path: &Path| {
            let path = path.to_owned();
            move |cause| StoreError::File { path, cause }
        };
        let photo_folder = folder.join(PHOTO_FOLDER);
        fs::create_dir_all(&photo_folder).map_err(file_error(&photo_folder))?;
        let path = folder.join(STORE_FILE);
        restrict(folder, &path).map_err(file_error(&path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Reads only, so far: a file that is not ours, or newer, must not be touched.
        migrations::check(&connection, &path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // FULL: a commit returns after the log is on the medium, not merely with the operating system.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // Erased contact data must not stay legible in free pages (R-PRIVACY-1).
        connection.pragma_update(None, "secure_delete", true)?;
        migrations::run(&mut connection)?;
        Ok(Self { connection, folder: folder.to_owned() })
    }

    /// For reading. Single statements only: joined writes go through [`Store::write`].
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// One transaction: all of `work` or nothing, on the medium when this returns.
    ///
    /// # Errors
    /// What `work` returns; nothing was changed then.
    pub fn write<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(result)
    }

    /// Moves everything from the write-ahead log into the file and empties the log, so that erased data is gone from both.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        // The pragma answers with a row; another process that reads may keep the log from being emptied, which is no error.
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Where the bytes of photos lie.
    pub(crate) fn photo_folder(&self) -> PathBuf {
        self.folder.join(PHOTO_FOLDER)
    }
}

/// Makes the file if it is absent, for its owner's eyes only; SQLite gives its log the same mode.
#[cfg(unix)]
fn restrict(folder: &Path, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

/// Makes the file if it is absent. Other platforms keep an app's folder to the app.
#[cfg(not(unix))]
fn restrict(_: &Path, path: &Path) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).map(|_| ())
}

/// A column of 16 bytes that is an id.
pub(crate) fn id_column<T: From<uuid::Uuid>>(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<T> {
    let bytes: [u8; 16] = row.get(index)?;
    Ok(T::from(uuid::Uuid::from_bytes(bytes)))
}

/// A column of microseconds that is an instant.
pub(crate) fn instant(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_unix_micros(micros).ok_or(StoreError::Damaged { what: "an instant out of range" })
}

/// A message in the form in which it is kept.
pub(crate) fn cbor<T: minicbor::Encode<()>>(message: &T) -> Vec<u8> {
    // Writing into a Vec is infallible, and no derived encoding fails by itself.
    #[allow(clippy::expect_used)]
    minicbor::to_vec(message).expect("encoding into memory cannot fail")
}

/// A message as it was kept.
pub(crate) fn from_cbor<T: for<'b> minicbor::Decode<'b, ()>>(
    bytes: &[u8],
    what: &'static str,
) -> Result<T, StoreError> {
    minicbor::decode(bytes).map_err(|_| StoreError::Damaged { what })
}

/// A rejection as it was kept.
pub(crate) fn rejection_column(bytes: Option<Vec<u8>>) -> Result<Option<Rejection>, StoreError> {
    bytes.map(|bytes| from_cbor(&bytes, "a rejection")).transpose()
}

/// A number that SQLite holds as a signed one; counts here never come near the limit.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A number on its way into SQLite.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
