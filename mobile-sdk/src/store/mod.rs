//! The device store: one SQLite file and a folder of photos. What was acknowledged to the tester survives a power cut.
//!
//! With a [`StoreKey`] all of it is sealed at rest ([`sealing`]); without one it is plain, for demonstrations and tools.
//! Each noun's rows are in the module of its name; all of them take a connection, so that callers join them in one
//! [`Store::write`]. What does not belong here: the network, and the rules (`sync-protocol`).

pub mod account;
pub mod blocks;
pub mod captures;
pub mod commands;
pub mod eviction;
pub mod findings_drafts;
pub mod orders;
pub mod photos;
pub mod revocation;
pub mod sync_state;

pub mod sealing;
pub mod settings;
pub mod sync_history;

mod change_signal;
pub(crate) mod durable;
pub(crate) mod lock_file;
mod migrations;

use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
pub use change_signal::ChangeSignal;
pub use rusqlite::Connection;
use rusqlite::{OpenFlags, TransactionBehavior};
pub use sealing::StoreKey;
use sealing::convert::seals_open;
use sealing::files::FileSealer;
use sealing::keyring::{keyring_destroy, keyring_exists, keyring_open, keyring_write};
use sealing::vfs::Ticket;
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
    /// SQLite said no: file damaged, locked for too long.
    #[error("the phone's store could not be read or written")]
    Sqlite(#[source] rusqlite::Error),
    /// The medium is full. What was acknowledged before is safe.
    #[error("this phone has no storage left; nothing that was captured is lost, but no more can be kept")]
    Full,
    /// A page of the store is not what was sealed: the medium damaged it, or somebody changed it.
    #[error("the phone's store was changed or damaged: a page does not open with the store's key")]
    Tampered,
    /// The store is sealed, and no key was handed in.
    #[error("this phone's data is sealed; its key is in the platform's keystore and was not handed in")]
    StoreKeyAbsent,
    /// The store is sealed with another key. Nothing was changed.
    #[error("the key is not the one that this phone's data is sealed with; nothing was changed")]
    StoreKeyWrong,
    /// The platform gave no random bytes.
    #[error("the platform gives no random bytes")]
    RandomAbsent,
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

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(told) if told.extended_code == rusqlite::ffi::SQLITE_IOERR_DATA => Self::Tampered,
            // The second is how SQLite tells that its index of the log finds no room.
            Some(told)
                if told.code == rusqlite::ErrorCode::DiskFull
                    || told.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE =>
            {
                Self::Full
            }
            _ => Self::Sqlite(error),
        }
    }
}

/// What opens a sealed store's files.
#[derive(Debug)]
pub(crate) struct Seals {
    ticket: Ticket,
    files: FileSealer,
}

/// The open store.
#[derive(Debug)]
pub struct Store {
    // Before its seals: closing the connection may still need them.
    connection: Connection,
    seals: Option<Seals>,
    folder: PathBuf,
    signal: ChangeSignal,
}

pub(crate) fn file_error(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |cause| match cause.kind() {
        // One word for it, whichever file found no room.
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::File { path: path.clone(), cause },
    }
}

/// What every connection that writes to a store is set to.
fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Nothing of the content in temporary files.
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL: a commit returns after the log is on the medium, not merely with the operating system.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Erased contact data must not stay legible in free pages (R-PRIVACY-1).
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(())
}

impl Store {
    /// Opens the plain store in `folder`, making and migrating it as needed. Files are readable by their owner only.
    ///
    /// # Errors
    /// [`StoreError`]; a newer schema or a foreign file is left untouched. [`StoreError::StoreKeyAbsent`] for a sealed one.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, None)
    }

    /// Opens the store in `folder`, making and migrating it as needed. With a key it is sealed; one that was plain until now is sealed
    /// first, with everything in it.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::StoreKeyWrong`].
    pub fn open_with(folder: &Path, key: Option<&StoreKey>) -> Result<Self, StoreError> {
        Self::open_whole(folder, key).map_err(|error| match &error {
            // SQLite does not say why it could not make a file.
            StoreError::Sqlite(rusqlite::Error::SqliteFailure(told, _))
                if told.code == rusqlite::ErrorCode::CannotOpen && !has_room(folder) =>
            {
                StoreError::Full
            }
            _ => error,
        })
    }

    fn open_whole(folder: &Path, key: Option<&StoreKey>) -> Result<Self, StoreError> {
        let photo_folder = folder.join(PHOTO_FOLDER);
        fs::create_dir_all(&photo_folder).map_err(file_error(&photo_folder))?;
        owner_folder(folder).map_err(file_error(folder))?;
        let path = folder.join(STORE_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let seals = match key {
            Some(key) => Some(seals_open(folder, key)?),
            None if keyring_exists(folder) => return Err(StoreError::StoreKeyAbsent),
            None => None,
        };
        let mut connection = match &seals {
            Some(seals) => Connection::open_with_flags(seals.ticket.uri(&path, "rw")?, flags)?,
            None => {
                owner_file(&path).map_err(file_error(&path))?;
                Connection::open_with_flags(&path, flags & !OpenFlags::SQLITE_OPEN_URI)?
            }
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Reads only, so far: a file that is not ours, or newer, must not be touched.
        migrations::check(&connection, &path)?;
        configure(&connection)?;
        migrations::run(&mut connection)?;
        let store = Self { connection, seals, folder: folder.to_owned(), signal: ChangeSignal::default() };
        // What fails of it, as on a full medium, the next start does.
        let _ = store.photo_files_sweep();
        Ok(store)
    }

    /// Writes through this store raise `signal`, too, from now on.
    pub(crate) fn signal_share(&mut self, signal: ChangeSignal) {
        self.signal = signal;
    }

    /// Its content is sealed at rest.
    pub fn is_sealed(&self) -> bool {
        self.seals.is_some()
    }

    /// From now on the store in `folder` opens with `new` and no longer with `old`, as after the platform's keystore was renewed.
    ///
    /// # Errors
    /// [`StoreError::StoreKeyWrong`]; nothing was changed then.
    pub fn key_change(folder: &Path, old: &StoreKey, new: &StoreKey) -> Result<(), StoreError> {
        let keyring = keyring_open(folder, old)?;
        keyring_write(folder, new, &keyring)
    }

    /// Destroys the store in `folder` and everything in it: first its key, so that whatever of it stays on the medium is noise.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn destroy(folder: &Path) -> Result<(), StoreError> {
        keyring_destroy(folder)?;
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error(folder)(error)),
            _ => Ok(()),
        }
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
        self.signal.raise();
        Ok(result)
    }

    /// Raised after each write through this store.
    pub fn change_signal(&self) -> ChangeSignal {
        self.signal.clone()
    }

    /// Changes whenever anybody writes, another process included.
    pub(crate) fn change_mark(&self) -> Result<(u64, i64), StoreError> {
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        Ok((self.signal.count(), version))
    }

    /// The schema's version, and whether SQLite finds the file sound.
    pub(crate) fn health(&self) -> Result<(i64, bool), StoreError> {
        let found: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((migrations::version(&self.connection)?, found == "ok"))
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

/// Whether a small file finds room.
fn has_room(folder: &Path) -> bool {
    let probe = folder.join("room.probe");
    let found = durable::write(&probe, &[0; 4_096]);
    let _ = fs::remove_file(&probe);
    !matches!(found, Err(StoreError::Full))
}

/// For its owner's eyes only.
fn owner_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    // Other platforms keep an app's folder to the app.
    let _ = folder;
    Ok(())
}

/// Makes the file if it is absent, for its owner's eyes only; SQLite gives its log the same mode.
fn owner_file(path: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
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
