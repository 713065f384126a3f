//! A run of rows of the index, shared between snapshots.

use super::codes::Codes;
use crate::kernels::lanes::{PADDING, dot};
use crate::kernels::vectorised;

/// Rows per chunk: small enough that an append copies little, large enough that a scan does not notice.
pub(super) const CHUNK_ROWS: usize = 256;

/// Up to [`CHUNK_ROWS`] rows, exact and quantised.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    exact: Vec<f32>,
    pub(super) codes: Codes,
}

impl Chunk {
    pub(super) fn rows(&self) -> usize {
        self.codes.rows()
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows() == CHUNK_ROWS
    }

    /// Bytes of its rows.
    pub(super) fn bytes(&self) -> usize {
        self.codes.bytes() + size_of_val(self.exact.as_slice())
    }

    /// Appends a row of finite numbers.
    pub(super) fn push(&mut self, row: &[f32]) {
        self.codes.push(row);
        self.exact.extend_from_slice(row);
        self.exact.resize(self.rows() * row.len().next_multiple_of(PADDING), 0.0);
    }

    /// The row in f32, with its padding.
    pub(super) fn exact(&self, row: usize) -> &[f32] {
        let width = self.exact.len() / self.rows();
        &self.exact[row * width..(row + 1) * width]
    }
}

vectorised! {
    /// The exact score of a row, the same bits wherever it is computed.
    pub(crate) fn score(query: &[f32], row: &[f32]) -> f32 {
        dot(query, row)
    }
}
