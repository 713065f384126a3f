//! Rows that were taken out.

use crate::model::Row;

/// A set of rows, one bit each up to the highest.
#[derive(Clone, Debug, Default)]
pub(super) struct Removed(Vec<u64>);

impl Removed {
    pub(super) fn contains(&self, row: Row) -> bool {
        self.0.get(row as usize / 64).is_some_and(|bits| bits >> (row % 64) & 1 == 1)
    }

    /// True where the row was not in.
    pub(super) fn insert(&mut self, row: Row) -> bool {
        let new = !self.contains(row);
        let word = row as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (row % 64);
        new
    }
}
