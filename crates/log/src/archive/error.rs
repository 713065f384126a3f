//! What can go wrong with the archive, and what to do about it.

use std::path::PathBuf;

use headwater_base::ErrorKind;
use parquet::errors::ParquetError;
use thiserror::Error;

use super::Stream;
use crate::{LogError, Offset};

/// An error of the archive.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The log that is archived.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The folder cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Folder {
        /// What was attempted.
        action: &'static str,
        /// On which folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The object store said no.
    #[error("cannot {action} {path} in the archive: {source}")]
    Store {
        /// What was attempted: `list`, `read`, `write`, `delete`.
        action: &'static str,
        /// On which object.
        path: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// A file is no Parquet, or cannot be made into it.
    #[error("{path}: {source}")]
    Parquet {
        /// Which file.
        path: String,
        /// What the library said.
        source: ParquetError,
    },
    /// A file does not hold what the archive writes.
    #[error("{path} in the archive is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: String,
        /// What does not add up.
        reason: String,
    },
    /// Written by a newer version of Headwater.
    #[error("{path} was written in format {found}; this version reads up to {supported}: upgrade Headwater")]
    NewerFormat {
        /// Which file.
        path: String,
        /// Its format.
        found: String,
        /// The newest format this code reads.
        supported: u32,
    },
    /// A record stands in a stream whose table has no place for it.
    #[error("offset {offset} of the {stream} holds {fact}, which has no place in its archive")]
    Misplaced {
        /// Which stream.
        stream: Stream,
        /// Where.
        offset: Offset,
        /// What kind of fact.
        fact: &'static str,
    },
    /// The archive holds more than the log ever had: it belongs to another log.
    #[error(
        "the archive holds {stream} up to offset {archived}, but the log ends at {end}: they do not belong together"
    )]
    Ahead {
        /// Which stream.
        stream: Stream,
        /// The offset after the last archived record.
        archived: Offset,
        /// The offset after the last record of the log.
        end: Offset,
    },
    /// Somebody else works on the archive.
    #[error("{path} is being written by another process")]
    Busy {
        /// The folder, or the file that the other was faster to write.
        path: String,
    },
}

impl ArchiveError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Log(error) => error.kind(),
            Self::NewerFormat { .. } | Self::Ahead { .. } => ErrorKind::Caller,
            Self::Busy { .. } => ErrorKind::Retry,
            Self::Folder { .. }
            | Self::Store { .. }
            | Self::Parquet { .. }
            | Self::Damaged { .. }
            | Self::Misplaced { .. } => ErrorKind::Report,
        }
    }
}
