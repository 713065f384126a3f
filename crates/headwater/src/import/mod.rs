//! Bringing data in: files of several formats become events, and events go into the log.
//!
//! A format is a function that reads a file and hands each row to a [`Feed`](feed::Feed), as an event or as a refusal
//! with its reason. [`pipeline`] runs it on a thread of its own, appends batches with several in flight, and counts.

pub mod cell;
pub mod csv;
pub mod feed;
pub mod jsonl;
pub mod mapping;
pub mod parquet;
pub mod pipeline;
pub mod preset;
pub mod refused;
pub mod times;

use std::path::PathBuf;

use headwater_base::ErrorKind;
use headwater_log::LogError;
use headwater_training::TrainingError;
use thiserror::Error;

/// Why an import stopped. A row that cannot be taken does not stop it: it is a refusal.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not of the format it was said to be.
    #[error("{} is not readable as {format}: {reason}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What it was read as.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The data set is not what its preset expects.
    #[error(transparent)]
    Preset(#[from] TrainingError),
    /// The columns do not say what an event needs.
    #[error("{0}")]
    Columns(String),
    /// The log did not take an event.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The side file for refused rows cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody asked to stop.
    #[error("interrupted: what was read so far is stored; run the same import again to go on")]
    Interrupted,
}

impl ImportError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { .. } | Self::Format { .. } | Self::Columns(_) => ErrorKind::Caller,
            Self::Interrupted => ErrorKind::Retry,
            Self::Preset(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::Write { .. } => ErrorKind::Report,
        }
    }
}
