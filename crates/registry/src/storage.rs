//! The files of artifacts: written whole or not at all, read only if they are what was written.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::{FileEntry, RegistryError};

/// Where files are gathered before they become an artifact.
const INCOMING: &str = ".incoming";

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Writes `files` to `models/NAME/VERSION` by way of a temporary folder, synced to disk before it gets its name.
///
/// The caller holds the database's write lock, so a folder that is already there was left by a process that died
/// before it could write its row, and is replaced.
pub(crate) fn write(
    models: &Path,
    name: &str,
    version: u64,
    files: &[(String, Vec<u8>)],
) -> Result<(), RegistryError> {
    let incoming = models.join(INCOMING);
    remove(&incoming)?;
    fs::create_dir_all(&incoming).map_err(RegistryError::io("create", &incoming))?;
    for (file, content) in files {
        let path = incoming.join(file);
        let mut handle = File::create(&path).map_err(RegistryError::io("create", &path))?;
        handle.write_all(content).map_err(RegistryError::io("write", &path))?;
        handle.sync_all().map_err(RegistryError::io("sync", &path))?;
    }
    sync_folder(&incoming)?;
    let parent = models.join(name);
    fs::create_dir_all(&parent).map_err(RegistryError::io("create", &parent))?;
    let target = folder(models, name, version);
    remove(&target)?;
    fs::rename(&incoming, &target).map_err(RegistryError::io("rename", &target))?;
    sync_folder(&parent)?;
    sync_folder(models)
}

/// The folder of a version.
pub(crate) fn folder(models: &Path, name: &str, version: u64) -> PathBuf {
    models.join(name).join(version.to_string())
}

/// Reads the files of a version and checks each against its entry.
pub(crate) fn read(folder: &Path, entries: &[FileEntry]) -> Result<Vec<(String, Vec<u8>)>, RegistryError> {
    let mut files = Vec::with_capacity(entries.len());
    for entry in entries {
        let path = folder.join(&entry.name);
        let content = fs::read(&path).map_err(RegistryError::io("read", &path))?;
        if content.len() as u64 != entry.bytes {
            let reason = format!("{} bytes, {} were registered", content.len(), entry.bytes);
            return Err(RegistryError::Damaged { path, reason });
        }
        if sha256(&content) != entry.sha256 {
            let reason = "its SHA-256 is not the registered one".to_owned();
            return Err(RegistryError::Damaged { path, reason });
        }
        files.push((entry.name.clone(), content));
    }
    Ok(files)
}

fn remove(folder: &Path) -> Result<(), RegistryError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RegistryError::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Makes the names within a folder durable.
fn sync_folder(folder: &Path) -> Result<(), RegistryError> {
    File::open(folder).and_then(|handle| handle.sync_all()).map_err(RegistryError::io("sync", folder))
}
