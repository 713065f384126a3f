//! The scratch database of what is not in memory.

use std::fs;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use crate::FeaturesError;

/// Blocks of the database kept in memory.
const CACHE_BYTES: u64 = 16 << 20;
/// What is written is gathered in memory up to this size.
const MEMTABLE_BYTES: u64 = 8 << 20;
/// The smallest that the database takes.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Threads that write what was gathered and merge files.
const WORKERS: usize = 2;

/// A database in a folder of its own, which vanishes with it.
///
/// Nothing is synced: after a crash, a checkpoint and the log make up for it.
pub(super) struct Store {
    keyspace: Keyspace,
    // After the keyspace, so that nobody holds its files when its folder is removed.
    _database: Database,
    folder: PathBuf,
}

impl Store {
    /// An empty database in a new folder within `parent`.
    pub(super) fn create(parent: &Path) -> Result<Self, FeaturesError> {
        let folder = new_folder(parent).map_err(|error| failed(parent, &error))?;
        let opened = Database::builder(&folder)
            .temporary(true)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .manual_journal_persist(true)
            .open()
            .and_then(|database| {
                let options = KeyspaceCreateOptions::default()
                    .max_memtable_size(MEMTABLE_BYTES)
                    .manual_journal_persist(true);
                Ok((database.keyspace("entities", || options)?, database))
            });
        let (keyspace, database) = opened.map_err(|error| failed(&folder, &error))?;
        Ok(Self { keyspace, _database: database, folder })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<fjall::Slice>, FeaturesError> {
        self.keyspace.get(key).map_err(|error| failed(&self.folder, &error))
    }

    pub(super) fn put(&self, key: &[u8], value: &[u8]) -> Result<(), FeaturesError> {
        self.keyspace.insert(key, value).map_err(|error| failed(&self.folder, &error))
    }

    pub(super) fn remove(&self, key: &[u8]) -> Result<(), FeaturesError> {
        self.keyspace.remove(key).map_err(|error| failed(&self.folder, &error))
    }

    /// Everything whose key begins so, in the order of keys, as it is now.
    pub(super) fn with_prefix(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(fjall::Slice, fjall::Slice), FeaturesError>> + '_ {
        self.entries(self.keyspace.prefix(prefix))
    }

    /// Everything whose key comes after this one, in the order of keys, as it is now.
    pub(super) fn after(
        &self,
        key: &[u8],
    ) -> impl Iterator<Item = Result<(fjall::Slice, fjall::Slice), FeaturesError>> + '_ {
        self.entries(self.keyspace.range::<&[u8], _>((Bound::Excluded(key), Bound::Unbounded)))
    }

    fn entries(
        &self,
        found: fjall::Iter,
    ) -> impl Iterator<Item = Result<(fjall::Slice, fjall::Slice), FeaturesError>> + '_ {
        found.map(|entry| entry.into_inner().map_err(|error| failed(&self.folder, &error)))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

fn new_folder(parent: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(parent)?;
    let mut number = 0u64;
    loop {
        let folder = parent.join(number.to_string());
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|()| folder),
        }
    }
}

fn failed(folder: &Path, error: &dyn std::fmt::Display) -> FeaturesError {
    FeaturesError::Spill { folder: folder.to_owned(), reason: error.to_string() }
}
