//! One writer per folder, across processes: a lock on the file `lock`, released by the system when its holder ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::LogError;
use crate::disk::failed;

/// The lock, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    /// Closing the file would do, were it not that a process being started shares it until it runs its own program.
    fn drop(&mut self) {
        // An error leaves the lock to the closing of the file.
        let _ = self.0.unlock();
    }
}

/// Takes the writer lock of `folder`, creating the folder where needed.
pub(crate) fn take(folder: &Path) -> Result<Lock, LogError> {
    std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}
