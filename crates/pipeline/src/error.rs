//! What can go wrong with a request, and what to do about it.

use compact_str::CompactString;
use headwater_base::{ErrorKind, Invalid};
use thiserror::Error;

/// A request that could not be answered. A failing stage is not here: it is skipped, and the answer says so.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PipelineError {
    /// No surface of this name is in the settings.
    #[error("no surface is named `{name}`: expected {expected}")]
    UnknownSurface {
        /// What was asked for.
        name: CompactString,
        /// The declared names.
        expected: String,
    },
    /// A value of the request cannot be taken.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl PipelineError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Caller
    }

    /// The same error as field, value and expectation.
    pub fn invalid(&self) -> Invalid {
        match self {
            Self::UnknownSurface { name, expected } => {
                Invalid::new("unknown_surface", "surface", name, expected.clone())
            }
            Self::Invalid(invalid) => invalid.clone(),
        }
    }
}

/// Why one stage gave nothing; the text stands in the answer's stages.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StageError {
    /// The model the stage needs is not loaded.
    #[error("no model `{0}` is loaded")]
    NoModel(CompactString),
    /// The stage broke an invariant of its own.
    #[error("{0}")]
    Broken(String),
}
