//! The few writes that durability hangs on, behind a trait so that tests can let them fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::LogError;

/// Where bytes become durable.
pub(crate) trait Disk: Send + Sync {
    /// Appends all of `bytes` to `file`.
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written to `file` durable.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Puts the file `from` in the place of `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Debug)]
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Turns an I/O error into a [`LogError`] that says what was attempted on which file.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::Io { action, path, source: Arc::new(source) }
}

/// The suffix of a file being written; one left behind by a crash is deleted at start.
pub(crate) const TEMPORARY: &str = "tmp";

/// Creates `path` with `contents`, whole or not at all, durable before it returns.
pub(crate) fn publish(disk: &dyn Disk, path: &Path, contents: &[u8]) -> Result<(), LogError> {
    let (temporary, file) = create_temporary(path)?;
    disk.write(&file, contents).map_err(failed("write", &temporary))?;
    disk.sync(&file).map_err(failed("sync", &temporary))?;
    disk.rename(&temporary, path).map_err(failed("rename", &temporary))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    disk.sync_folder(folder).map_err(failed("sync", folder))
}

/// An empty file that is to take the place of `path`.
pub(crate) fn create_temporary(path: &Path) -> Result<(PathBuf, File), LogError> {
    let temporary = temporary_of(path);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)
        .map_err(failed("create", &temporary))?;
    Ok((temporary, file))
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY);
    PathBuf::from(name)
}
