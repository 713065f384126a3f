//! What can be wrong with the numbers given to a model.

use headwater_base::ErrorKind;

/// Why a matrix, a model or its parts were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// An entry of a matrix lies outside its shape.
    #[error("entry ({row}, {column}) lies outside a matrix of {rows} x {columns}")]
    OutOfRange {
        /// Row of the entry.
        row: u32,
        /// Column of the entry.
        column: u32,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
    },
    /// A weight is not a positive, finite number.
    #[error("the weight {weight} of entry ({row}, {column}) is not positive and finite")]
    Weight {
        /// Row of the entry.
        row: u32,
        /// Column of the entry.
        column: u32,
        /// The weight given.
        weight: f32,
    },
    /// An option is outside its range.
    #[error("{option} is {value}, expected {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// The value given.
        value: f64,
        /// What would have been right.
        expected: &'static str,
    },
    /// Something that an optional library does was asked for, and this build lacks the library.
    #[error("{what} is not part of this build, which lacks the Cargo feature `{feature}`")]
    NotBuiltIn {
        /// What was asked for.
        what: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// The arrays of a stored model do not fit together.
    #[error("the parts of the model do not fit: {what}")]
    Parts {
        /// Which part, and what was expected of it.
        what: String,
    },
}

impl ModelError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OutOfRange { .. } | Self::Weight { .. } | Self::Option { .. } | Self::NotBuiltIn { .. } => {
                ErrorKind::Caller
            }
            Self::Parts { .. } => ErrorKind::Report,
        }
    }
}
