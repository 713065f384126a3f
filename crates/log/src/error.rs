//! What can go wrong with the log, and what to do about it.

use std::path::PathBuf;
use std::sync::Arc;

use headwater_base::ErrorKind;
use thiserror::Error;

use crate::Offset;

/// An error of the log. Cloneable, since one failed commit answers every append in it.
#[derive(Clone, Debug, Error)]
pub enum LogError {
    /// The disk said no.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted: `write`, `sync`, `open`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// A record that was once complete no longer reads back: the file was damaged.
    #[error("damaged record at offset {offset} in {} (byte {byte}): {reason}", path.display())]
    Damaged {
        /// The segment file.
        path: PathBuf,
        /// The offset the record should have.
        offset: Offset,
        /// Where in the file.
        byte: u64,
        /// What does not add up.
        reason: String,
    },
    /// Written by a newer version of Headwater.
    #[error("{} was written in format {found}; this version reads up to {supported}: upgrade Headwater", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version byte.
        found: u8,
        /// The newest version this code reads.
        supported: u8,
    },
    /// Another process writes this log.
    #[error("{} is in use by another process: stop it, or send events to it over HTTP", path.display())]
    Locked {
        /// The log's folder.
        path: PathBuf,
    },
    /// The offset was deleted by retention.
    #[error("offset {asked} is no longer held; the log starts at {start}")]
    Truncated {
        /// What was asked for.
        asked: Offset,
        /// The first offset still held.
        start: Offset,
    },
    /// A record larger than the format allows.
    #[error("an event of {bytes} bytes is larger than the {limit} bytes a record may have")]
    TooLarge {
        /// Its encoded size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The log was shut down, or its writer stopped after a failed write.
    #[error("the log is closed")]
    Closed,
}

impl LogError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } | Self::Truncated { .. } | Self::NewerFormat { .. } => ErrorKind::Caller,
            Self::Locked { .. } | Self::Closed => ErrorKind::Retry,
            Self::Io { .. } | Self::Damaged { .. } => ErrorKind::Report,
        }
    }
}
