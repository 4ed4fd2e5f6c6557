//! Locks between processes, on files beside the store.

use super::{StoreError, file_error};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// A lock file; what is locked is let go of when this is dropped, or when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
    path: PathBuf,
}

impl LockFile {
    /// Opens or makes the file; nothing is locked yet.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::options().write(true).create(true).truncate(false).open(path).map_err(file_error(path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Waits until nobody else has it.
    pub(crate) fn lock(self) -> Result<Self, StoreError> {
        self.file.lock().map_err(file_error(&self.path))?;
        Ok(self)
    }

    /// Waits until nobody has it alone.
    pub(crate) fn lock_shared(self) -> Result<Self, StoreError> {
        self.file.lock_shared().map_err(file_error(&self.path))?;
        Ok(self)
    }

    /// `None` while somebody else has it.
    pub(crate) fn try_lock(self) -> Result<Option<Self>, StoreError> {
        match self.file.try_lock() {
            Ok(()) => Ok(Some(self)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(file_error(&self.path)(cause)),
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Closing is not enough: a process that the app starts at this moment has the open file too, until it becomes another program,
        // and would keep the lock that long. Unlocking tells all of them; where it fails there is no lock.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Found by a sync that was refused because another test had started a process just then.
    #[test]
    fn a_copy_of_the_open_file_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync.lock");
        let held = LockFile::open(&path).unwrap().try_lock().unwrap().unwrap();
        assert!(LockFile::open(&path).unwrap().try_lock().unwrap().is_none());
        // What a process that was just started has.
        let copy = held.file.try_clone().unwrap();
        drop(held);
        assert!(LockFile::open(&path).unwrap().try_lock().unwrap().is_some());
        drop(copy);
    }
}
