//! Files that are there after a power cut, or gone.

use super::{StoreError, file_error};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek as _, Write as _};
use std::path::Path;

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn folder_sync(path: &Path) -> std::io::Result<()> {
    // Only there can a folder be opened like a file; elsewhere names are durable by themselves.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    let _ = path;
    Ok(())
}

fn told<T>(path: &Path, result: std::io::Result<T>) -> Result<T, StoreError> {
    result.map_err(file_error(path))
}

/// Writes a file that nobody reads before this returns, for its owner's eyes only. Nothing is left of it if that fails.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let written = (|| {
        let mut file = options().open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // The name, too, must survive a power cut.
        folder_sync(path)
    })();
    if written.is_err() {
        // A medium that is full needs the room.
        let _ = fs::remove_file(path);
    }
    told(path, written)
}

/// Replaces a file by another in one step.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let beside = path.with_added_extension("new");
    write(&beside, bytes)?;
    rename(&beside, path)
}

/// Gives a file that is on the medium another name, replacing what has it.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    told(to, fs::rename(from, to).and_then(|()| folder_sync(to)))
}

/// What a file's copy on the medium is worth erasing for: overwrites it through `file`, whatever name it has now. Media that write
/// elsewhere keep the old bytes for a while; that is as far as an app gets.
pub(crate) fn overwrite(file: &mut File) -> std::io::Result<()> {
    let mut left = file.metadata()?.len();
    file.rewind()?;
    while left > 0 {
        let piece = usize::try_from(left.min(64 * 1024)).unwrap_or(64 * 1024);
        file.write_all(&vec![0; piece])?;
        left -= piece as u64;
    }
    file.sync_all()
}

/// Overwrites and removes a file; one that is not there is gone already.
pub(crate) fn destroy(path: &Path) -> Result<(), StoreError> {
    let result = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(mut file) => overwrite(&mut file).and_then(|()| fs::remove_file(path)).and_then(|()| folder_sync(path)),
    };
    told(path, result)
}
