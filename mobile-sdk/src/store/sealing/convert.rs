//! From nothing, or from a plain store, to a sealed one: made beside what is there, and put in its place in one step, so that a kill
//! at any moment leaves the old store or the new one, whole.

use super::files::{FileSealer, SEALED_SUFFIX};
use super::keyring::{Keyring, Stage, keyring_create, keyring_exists, keyring_open, keyring_write};
use super::vfs::{Ticket, reserve_seal_bytes};
use super::{StoreKey, pages::PAGE_BYTES};
use crate::store::lock_file::LockFile;
use crate::store::{STORE_FILE, Seals, StoreError, configure, durable, file_error, migrations, owner_file};
use rusqlite::{Connection, OpenFlags, ffi};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// Held by the process that makes or seals a store.
const LOCK_FILE: &str = "store.lock";
/// What every plain SQLite file begins with.
const PLAIN_MAGIC: &[u8; 16] = b"SQLite format 3\0";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Plain,
    /// Sealed, or of some other program: the keyring tells.
    Other,
}

fn look(path: &Path) -> Result<Found, StoreError> {
    let mut begin = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(16).read_to_end(&mut begin).map_err(file_error(path))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(file_error(path)(error)),
    };
    Ok(match begin.as_slice() {
        [] => Found::Nothing,
        bytes if bytes == PLAIN_MAGIC => Found::Plain,
        _ => Found::Other,
    })
}

/// Opens the keyring, or makes it, and the store with it; a plain store is sealed. Afterwards the file is there and sealed.
///
/// # Errors
/// [`StoreError::StoreKeyWrong`]; [`StoreError::NotAStore`] and [`StoreError::NewerSchema`] with everything untouched.
pub(in crate::store) fn seals_open(folder: &Path, key: &StoreKey) -> Result<Seals, StoreError> {
    let _lock = LockFile::open(&folder.join(LOCK_FILE))?.lock()?;
    let path = folder.join(STORE_FILE);
    let found = look(&path)?;
    let not_ours = || StoreError::NotAStore { path: path.clone() };
    let mut keyring = match (keyring_exists(folder), found) {
        (true, _) => keyring_open(folder, key)?,
        (false, Found::Other) => return Err(not_ours()),
        (false, Found::Plain) => {
            // Looked at before anything is written: a newer store stays as it is.
            plain_open(&path)?;
            keyring_create(folder, key)?
        }
        (false, Found::Nothing) => keyring_create(folder, key)?,
    };
    let seals = Seals { ticket: Ticket::new(&keyring.data_key)?, files: FileSealer::new(&keyring.data_key) };
    match (found, keyring.stage) {
        (Found::Other, Stage::Sealed) => return Ok(seals),
        (Found::Other, Stage::Sealing) => {}
        (Found::Plain, Stage::Sealing) => plain_seal(folder, &path, &seals)?,
        // Somebody put it there: what it tells is not what this store held.
        (Found::Plain | Found::Nothing, Stage::Sealed) => return Err(not_ours()),
        (Found::Nothing, Stage::Sealing) => empty_create(&path, &seals)?,
    }
    keyring.stage = Stage::Sealed;
    finish(folder, key, &keyring)?;
    Ok(seals)
}

/// The database is sealed: from here on only a sealed one is accepted, and plain photos that it no longer names are erased.
fn finish(folder: &Path, key: &StoreKey, keyring: &Keyring) -> Result<(), StoreError> {
    let photos = folder.join(crate::store::PHOTO_FOLDER);
    for entry in fs::read_dir(&photos).map_err(file_error(&photos))? {
        let entry = entry.map_err(file_error(&photos))?;
        let is_replaced = |name: &str| photos.join(format!("{name}{SEALED_SUFFIX}")).exists();
        if entry.file_name().to_str().is_some_and(is_replaced) {
            durable::destroy(&entry.path())?;
        }
    }
    // Last: a kill before this does all of the above again.
    keyring_write(folder, key, keyring)
}

fn plain_open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(crate::store::BUSY_TIMEOUT)?;
    migrations::check(&connection, path)?;
    Ok(connection)
}

/// A database that is being made, at a name of its own.
fn beside(path: &Path) -> Result<std::path::PathBuf, StoreError> {
    let new = path.with_added_extension("new");
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = new.clone().into_os_string();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file_error(Path::new(&name))(error));
            }
            _ => {}
        }
    }
    owner_file(&new).map_err(file_error(&new))?;
    Ok(new)
}

fn sealed_open(path: &Path, seals: &Seals) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Ok(Connection::open_with_flags(seals.ticket.uri(path, "rw")?, flags)?)
}

/// Everything is in the one file, on the medium.
fn close(connection: Connection, path: &Path) -> Result<(), StoreError> {
    // Closing would do this, too, but without a word where the medium is full, and the log does not come along when the file gets
    // its name.
    let left: (i64, i64) =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if left != (0, 0) {
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into());
    }
    connection.close().map_err(|(_, error)| error)?;
    File::options().write(true).open(path).and_then(|file| file.sync_all()).map_err(file_error(path))
}

fn empty_create(path: &Path, seals: &Seals) -> Result<(), StoreError> {
    let new = beside(path)?;
    let mut connection = sealed_open(&new, seals)?;
    reserve_seal_bytes(&connection)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    configure(&connection)?;
    migrations::run(&mut connection)?;
    close(connection, &new)?;
    durable::rename(&new, path)
}

fn plain_seal(folder: &Path, path: &Path, seals: &Seals) -> Result<(), StoreError> {
    let plain = plain_open(path)?;
    // Takes everything out of the log and does away with it; nobody else has the store open, or this fails and nothing is changed.
    plain.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get::<_, String>(0))?;
    let photos = folder.join(crate::store::PHOTO_FOLDER);
    let mut sealed_names = Vec::new();
    let mut statement = plain.prepare("SELECT file_name FROM photos")?;
    for name in statement.query_map([], |row| row.get::<_, String>(0))? {
        let name = name?;
        // A photo whose file is gone stays in the list, and is refused when it is its turn.
        let Ok(content) = fs::read(photos.join(&name)) else { continue };
        let sealed_path = photos.join(format!("{name}{SEALED_SUFFIX}"));
        let sealed = seals.files.seal(&name, &content).map_err(file_error(&sealed_path))?;
        durable::write(&sealed_path, &sealed)?;
        sealed_names.push(name);
    }
    drop(statement);
    let new = beside(path)?;
    plain.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    reserve_seal_bytes(&plain)?;
    plain.execute("VACUUM INTO ?1", [seals.ticket.uri(&new, "rw")?])?;
    // The old content is overwritten through this, once the new one has its name.
    let mut old = File::options().write(true).open(path).map_err(file_error(path))?;
    plain.close().map_err(|(_, error)| error)?;
    let connection = sealed_open(&new, seals)?;
    configure(&connection)?;
    for name in sealed_names {
        let sealed_name = format!("{name}{SEALED_SUFFIX}");
        connection.execute("UPDATE photos SET file_name = ?2 WHERE file_name = ?1", [name, sealed_name])?;
    }
    close(connection, &new)?;
    durable::rename(&new, path)?;
    durable::overwrite(&mut old).map_err(file_error(path))
}
