//! What can go wrong with the registry, and what to do about it.

use std::path::{Path, PathBuf};

use headwater_base::{ErrorKind, Invalid};

/// An error of the registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The database said no.
    #[error("the control database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The disk said no.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted: `write`, `sync`, `rename`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operating system gave no random bytes for a key.
    #[error("no randomness for a new key: {0}")]
    Randomness(getrandom::Error),
    /// No model of this name is registered.
    #[error("no model `{name}` is registered; registered are: {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names there are, or `none`.
        known: String,
    },
    /// The model has no such version.
    #[error("model `{name}` has no version {version}; the latest is {latest}")]
    UnknownVersion {
        /// The model.
        name: String,
        /// The version asked for.
        version: u64,
        /// Its newest version.
        latest: u64,
    },
    /// No feature of this name was ever defined.
    #[error("no feature `{name}` was ever defined: {known}")]
    UnknownFeature {
        /// The name asked for.
        name: String,
        /// The closest name, or the names there are.
        known: String,
    },
    /// The feature has no such version.
    #[error("feature `{name}` has no version {version}; the latest is {latest}")]
    UnknownFeatureVersion {
        /// The feature.
        name: String,
        /// The version asked for.
        version: u32,
        /// Its newest version.
        latest: u32,
    },
    /// No key has this id.
    #[error("there is no key `{id}`: `headwater keys list` shows them")]
    UnknownKey {
        /// The id asked for.
        id: String,
    },
    /// A name, label or scope that cannot be taken.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// A file of an artifact is not what was registered.
    #[error("damaged artifact: {}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not add up.
        reason: String,
    },
    /// The database was written by a newer version of Headwater.
    #[error("the control database has schema {found}; this version knows {supported}: upgrade Headwater")]
    NewerSchema {
        /// Its schema version.
        found: i64,
        /// The newest this code knows.
        supported: i64,
    },
}

impl RegistryError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                    ErrorKind::Retry
                }
                _ => ErrorKind::Report,
            },
            Self::UnknownModel { .. }
            | Self::UnknownVersion { .. }
            | Self::UnknownFeature { .. }
            | Self::UnknownFeatureVersion { .. }
            | Self::UnknownKey { .. }
            | Self::Invalid(_)
            | Self::NewerSchema { .. } => ErrorKind::Caller,
            Self::Io { .. } | Self::Damaged { .. } | Self::Randomness(_) => ErrorKind::Report,
        }
    }

    /// For `map_err`: the disk refused `action` on `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
