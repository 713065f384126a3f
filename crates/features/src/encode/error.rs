//! What can go wrong between values and columns.

use headwater_base::{ErrorKind, Invalid};
use thiserror::Error;

/// An error of fitting, encoding or reading back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A setting that cannot be taken.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A row of another length than the schema's features, or than the binding's columns.
    #[error("a row of {found} values, expected {expected}")]
    Row {
        /// Values expected.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// Room for another number of dense columns than the schema has.
    #[error("room for {found} dense columns, expected {expected}")]
    Width {
        /// Columns of the schema.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// Fittings of different features or encoders do not merge.
    #[error("the fittings are of different features or encoders")]
    Differ,
    /// A saved schema that does not read back.
    #[error("the encoded schema cannot be read: {0}")]
    Stored(String),
}

impl EncodeError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::Row { .. } | Self::Width { .. } | Self::Differ => ErrorKind::Caller,
            Self::Stored(_) => ErrorKind::Report,
        }
    }
}
