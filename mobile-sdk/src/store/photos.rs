//! Photos: their manifests in the database, their bytes in files beside it, and how far the upload is.

use super::lock_file::LockFile;
use super::sealing::files::SEALED_SUFFIX;
use super::{Store, StoreError, cbor, durable, file_error, from_cbor, rejection_column, signed, unsigned};
use callout_sync_protocol::ids::{CommandId, FieldTestId, PhotoId, WorkOrderId};
use callout_sync_protocol::photos::{MediaType, PhotoManifest};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};

/// Held by who adds a photo, and by who looks for files that no row names.
const LOCK_FILE: &str = "photos.lock";

/// A photo and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPhoto {
    /// What the phone promised of it.
    pub manifest: PhotoManifest,
    /// Where the upload continues, once the server made one.
    pub upload_path: Option<String>,
    /// How many bytes the server confirmed.
    pub upload_offset: u64,
    file_name: String,
}

/// A photo that the server did not take; its bytes are kept here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedPhoto {
    /// What the phone promised of it.
    pub manifest: PhotoManifest,
    /// Why.
    pub rejection: Rejection,
}

/// How many photos there are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct PhotoCounts {
    /// Not all bytes are with the server yet.
    pub waiting: u64,
    /// The server has them and checked their hash.
    pub stored: u64,
    /// The server did not take them; kept here.
    pub refused: u64,
}

type Raw = (Vec<u8>, Option<String>, i64, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn read((manifest, upload_path, offset, file_name): Raw) -> Result<StoredPhoto, StoreError> {
    Ok(StoredPhoto {
        manifest: from_cbor(&manifest, "a photo")?,
        upload_path,
        upload_offset: unsigned(offset),
        file_name,
    })
}

impl Store {
    /// Writes a photo's bytes durably and returns the file's name. Without a row in `photos` the file is nobody's.
    pub(crate) fn photo_file_write(
        &self,
        id: PhotoId,
        media_type: MediaType,
        bytes: &[u8],
    ) -> Result<String, StoreError> {
        let extension = match media_type {
            MediaType::Jpeg => "jpg",
            MediaType::Png => "png",
        };
        let mut name = format!("{id}.{extension}");
        let path = |name: &str| self.photo_folder().join(name);
        match &self.seals {
            None => durable::write(&path(&name), bytes)?,
            Some(seals) => {
                let sealed = seals.files.seal(&name, bytes).map_err(file_error(&path(&name)))?;
                name.push_str(SEALED_SUFFIX);
                durable::write(&path(&name), &sealed)?;
            }
        }
        Ok(name)
    }

    /// Held while there is a photo's file without its row: shared by those who write photos.
    fn photo_lock(&self) -> Result<LockFile, StoreError> {
        LockFile::open(&self.folder.join(LOCK_FILE))
    }

    /// Until the returned lock is dropped no other process takes a new photo's file for a forgotten one.
    pub(crate) fn photo_files_lock(&self) -> Result<LockFile, StoreError> {
        self.photo_lock()?.lock_shared()
    }

    /// Destroys the files that no row names: those whose photo was not yet there, or no longer, when the power failed. Nobody else would
    /// ever do away with the pictures in them (R-PRIVACY-1). Not while a photo is being added; then the next start does it.
    pub(crate) fn photo_files_sweep(&self) -> Result<(), StoreError> {
        let Some(_lock) = self.photo_lock()?.try_lock()? else { return Ok(()) };
        let folder = self.photo_folder();
        let mut statement =
            self.connection().prepare("SELECT 1 FROM photos WHERE file_name = ?1 AND evicted_at IS NULL")?;
        for entry in fs::read_dir(&folder).map_err(file_error(&folder))? {
            let path = entry.map_err(file_error(&folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let is_named = name.map_or(Ok(true), |name| statement.exists([name]))?;
            if !is_named && path.is_file() {
                durable::destroy(&path)?;
            }
        }
        Ok(())
    }

    /// Removes a file that no row names. If that fails it only takes space.
    pub(crate) fn photo_file_remove(&self, file_name: &str) {
        let _ = std::fs::remove_file(self.photo_folder().join(file_name));
    }

    /// Overwrites and removes a photo's file.
    pub(crate) fn photo_file_destroy(&self, photo: &StoredPhoto) -> Result<(), StoreError> {
        durable::destroy(&self.photo_folder().join(&photo.file_name))
    }

    /// Up to `length` bytes of a photo from `offset`; fewer where the file ends.
    pub(crate) fn photo_file_read(&self, photo: &StoredPhoto, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.photo_folder().join(&photo.file_name);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&path)?;
            if let Some(seals) = &self.seals
                && photo.file_name.ends_with(SEALED_SUFFIX)
            {
                return seals.files.read(&photo.file_name, &mut file, offset, length);
            }
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|cause| StoreError::File { path: path.clone(), cause })
    }
}

/// Adds a photo whose file is written and whose announcing command is in the outbox.
pub fn photo_insert(
    connection: &Connection,
    manifest: &PhotoManifest,
    announced_by: CommandId,
    file_name: &str,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO photos (id, field_test_id, command_id, manifest, file_name, state) VALUES (?1, ?2, ?3, ?4, ?5, 'waiting')",
        params![
            manifest.id.as_bytes(),
            manifest.field_test_id.as_bytes(),
            announced_by.as_bytes(),
            cbor(manifest),
            file_name
        ],
    )?;
    Ok(())
}

const COLUMNS: &str = "manifest, upload_path, upload_offset, file_name";

/// The photos whose bytes are here, oldest first; each with whether the server has confirmed it.
pub fn photo_list_held(connection: &Connection) -> Result<Vec<(StoredPhoto, bool)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, state = 'stored' FROM photos WHERE evicted_at IS NULL ORDER BY position"
    ))?;
    let rows = statement.query_map([], |row| Ok((raw(row)?, row.get(4)?)))?;
    rows.map(|row| {
        let (photo, is_confirmed) = row?;
        Ok((read(photo)?, is_confirmed))
    })
    .collect()
}

/// The photo's bytes are with the server only, from now on.
pub fn photo_mark_evicted(connection: &Connection, id: PhotoId, at: Timestamp) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE photos SET evicted_at = ?2 WHERE id = ?1 AND state = 'stored'",
        params![id.as_bytes(), at.unix_micros()],
    )?;
    Ok(())
}

/// A photo is announced by another command now, and its bytes may go again.
pub fn photo_announce_again(connection: &Connection, id: PhotoId, command: CommandId) -> Result<(), StoreError> {
    connection
        .execute("UPDATE photos SET command_id = ?2 WHERE id = ?1", params![id.as_bytes(), command.as_bytes()])?;
    photo_want(connection, id)
}

/// A photo by its id.
pub fn photo_get(connection: &Connection, id: PhotoId) -> Result<Option<StoredPhoto>, StoreError> {
    let row = connection
        .query_row(&format!("SELECT {COLUMNS} FROM photos WHERE id = ?1"), params![id.as_bytes()], raw)
        .optional()?;
    row.map(read).transpose()
}

/// The photos whose bytes are to be sent, oldest first. One whose announcement still waits in the outbox is not among them:
/// the server would not know it.
pub fn photo_list_waiting(connection: &Connection) -> Result<Vec<StoredPhoto>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM photos p WHERE state = 'waiting'
            AND NOT EXISTS (SELECT 1 FROM commands c WHERE c.id = p.command_id AND c.state = 'waiting') ORDER BY p.position"
    ))?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| read(row?)).collect()
}

/// The photos of a test that a submission cites.
pub fn photo_id_list(connection: &Connection, test: FieldTestId) -> Result<Vec<PhotoId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM photos WHERE field_test_id = ?1 AND state <> 'refused' ORDER BY position")?;
    let rows = statement.query_map(params![test.as_bytes()], |row| super::id_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Where the upload continues, and from which byte.
pub fn photo_upload_put(
    connection: &Connection,
    id: PhotoId,
    path: Option<&str>,
    offset: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE photos SET upload_path = ?2, upload_offset = ?3 WHERE id = ?1",
        params![id.as_bytes(), path, signed(offset)],
    )?;
    Ok(())
}

/// The server has all bytes (`None`), or did not take the photo.
pub fn photo_decide(
    connection: &Connection,
    id: PhotoId,
    rejection: Option<&Rejection>,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE photos SET state = ?2, rejection = ?3, decided_at = ?4 WHERE id = ?1 AND state = 'waiting'",
        params![
            id.as_bytes(),
            if rejection.is_some() { "refused" } else { "stored" },
            rejection.map(cbor),
            at.unix_micros()
        ],
    )?;
    Ok(())
}

/// The server asks for a photo's bytes: one that was answered for goes back into the queue.
pub fn photo_want(connection: &Connection, id: PhotoId) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE photos SET state = 'waiting', rejection = NULL, decided_at = NULL, upload_path = NULL, upload_offset = 0
            WHERE id = ?1 AND state <> 'waiting' AND evicted_at IS NULL",
        params![id.as_bytes()],
    )?;
    Ok(())
}

/// Photos that the server did not take, with the reason.
pub fn photo_list_refused(connection: &Connection) -> Result<Vec<RefusedPhoto>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT manifest, rejection FROM photos WHERE state = 'refused' ORDER BY position")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))?;
    rows.map(|row| {
        let (manifest, rejection) = row?;
        Ok(RefusedPhoto {
            manifest: from_cbor(&manifest, "a photo")?,
            rejection: rejection_column(rejection)?.ok_or(StoreError::Damaged { what: "a photo's rejection" })?,
        })
    })
    .collect()
}

/// Counts photos, of one order or of the whole phone.
pub fn photo_counts(connection: &Connection, order: Option<WorkOrderId>) -> Result<PhotoCounts, StoreError> {
    let order = order.map(|id| id.as_bytes().to_vec());
    Ok(connection.query_row(
        "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'stored'),
            count(*) FILTER (WHERE state = 'refused') FROM photos p JOIN field_tests t ON t.id = p.field_test_id
            WHERE ?1 IS NULL OR t.work_order_id = ?1",
        params![order],
        |row| {
            Ok(PhotoCounts {
                waiting: unsigned(row.get(0)?),
                stored: unsigned(row.get(1)?),
                refused: unsigned(row.get(2)?),
            })
        },
    )?)
}
