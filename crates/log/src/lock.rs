//! One writer per folder, across processes: a lock on the file `lock`, released by the system when its holder ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::LogError;
use crate::disk::failed;

/// Takes the writer lock of `folder`, creating the folder where needed. Held until the file is dropped.
pub(crate) fn take(folder: &Path) -> Result<File, LogError> {
    std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}
