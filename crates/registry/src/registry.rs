//! One process's handle on the registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_base::Clock;
use parking_lot::Mutex;
use rusqlite::Connection;

use crate::keys::KeyCache;
use crate::{RegistryError, database};

/// The registry of a data folder. Cheap to share behind an `Arc`; every method may be called from any thread and
/// blocks for a short disk access.
pub struct Registry {
    pub(crate) connection: Mutex<Connection>,
    pub(crate) models: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Mutex<KeyCache>,
}

impl Registry {
    /// Opens `control.db` and `models/` within `folder`, creating what is missing.
    ///
    /// # Errors
    /// A disk that refuses; a database written by a newer version.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, RegistryError> {
        let models = folder.join("models");
        fs::create_dir_all(&models).map_err(RegistryError::io("create", &models))?;
        let connection = database::open(&folder.join("control.db"))?;
        Ok(Self { connection: Mutex::new(connection), models, clock, keys: Mutex::new(KeyCache::default()) })
    }

    /// A number that changes when an alias changed, also from another process. Whoever serves polls it.
    ///
    /// # Errors
    /// The database's.
    pub fn generation(&self) -> Result<u64, RegistryError> {
        database::generation(&self.connection.lock(), "aliases")
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("models", &self.models).finish_non_exhaustive()
    }
}
