//! What can go wrong between data and a trained model, and what to do about it.

use std::path::{Path, PathBuf};

use headwater_base::{ErrorKind, Invalid};
use headwater_features::encode::{EncodeError, MissingFeature};
use headwater_log::LogError;
use headwater_models::ModelError;

/// An error of reading data, training or evaluation.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The disk said no.
    #[error("read {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data is not where, or not what, the preset expects.
    #[error("{} is not what the preset expects: {expected}", path.display())]
    Missing {
        /// The path given.
        path: PathBuf,
        /// What should be there.
        expected: String,
    },
    /// A name or value that cannot be taken: an option, a preset, a model kind.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// There is too little data for what was asked.
    #[error("{0}")]
    TooLittle(String),
    /// A kind of model that has no training.
    #[error("`{kind}` is not trained: the server folds it from the log as events arrive")]
    NotTrained {
        /// The kind.
        kind: &'static str,
    },
    /// The numbers do not make a model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A training that would need more memory than there is.
    #[error(
        "training {items} items needs about {} MB of memory, and {} MB are free",
        needed / 1_000_000,
        memory / 1_000_000
    )]
    Memory {
        /// Bytes it would need.
        needed: u64,
        /// Bytes there are.
        memory: u64,
        /// How many items it has.
        items: usize,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Features cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A model reads a feature that the store does not provide.
    #[error(transparent)]
    MissingFeature(#[from] MissingFeature),
    /// An artifact that does not read back.
    #[error("the artifact cannot be loaded: {0}")]
    Artifact(String),
}

impl TrainingError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. }
            | Self::Invalid(_)
            | Self::TooLittle(_)
            | Self::NotTrained { .. }
            | Self::Memory { .. } => ErrorKind::Caller,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => ErrorKind::Caller,
            Self::Io { .. } | Self::Artifact(_) => ErrorKind::Report,
            Self::Model(error) => error.kind(),
            Self::Encode(error) => error.kind(),
            Self::MissingFeature(missing) => missing.kind(),
            Self::Log(error) => error.kind(),
        }
    }

    /// For `map_err`: the disk refused to read `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
