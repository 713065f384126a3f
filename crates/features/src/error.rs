//! What can go wrong with views.

use std::path::PathBuf;
use std::sync::Arc;

use headwater_base::ErrorKind;
use headwater_log::{LogError, Offset, Partition};
use thiserror::Error;

/// An error of the views. Cloneable, since one failed fold answers everybody who waits for it.
#[derive(Clone, Debug, Error)]
pub enum FeaturesError {
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
    /// A checkpoint that does not read back, or not under these settings.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// Events between the views and the log's start are gone, so the views cannot be brought up to date.
    #[error(
        "the views stand at offset {position} of partition {}, but the log now starts at {start}: the events between \
         were removed before the views had folded them. Delete the views folder to start from what the log still holds",
        partition.0
    )]
    LogStartsLater {
        /// Which partition.
        partition: Partition,
        /// Where the views stand.
        position: Offset,
        /// Where the log starts.
        start: Offset,
    },
    /// A batch that does not continue where the views stand.
    #[error("a batch of partition {} starts at offset {first}, but the views stand at {position}", partition.0)]
    Gap {
        /// Which partition.
        partition: Partition,
        /// Where the views stand.
        position: Offset,
        /// Where the batch starts.
        first: Offset,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Folding panicked; the views cannot be trusted any more.
    #[error("folding the log panicked: {0}")]
    Panicked(String),
    /// Profiles that are not in memory cannot be read or written.
    #[error("profiles in {}: {reason}", folder.display())]
    Spill {
        /// The folder they are in.
        folder: PathBuf,
        /// What the store said.
        reason: String,
    },
    /// The follower was stopped before it came that far.
    #[error("the views are no longer followed")]
    Stopped,
}

impl FeaturesError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::LogStartsLater { .. } => ErrorKind::Caller,
            Self::Stopped => ErrorKind::Retry,
            Self::Log(error) => error.kind(),
            Self::Io { .. }
            | Self::Checkpoint(_)
            | Self::Gap { .. }
            | Self::Panicked(_)
            | Self::Spill { .. } => ErrorKind::Report,
        }
    }
}
