//! Sparse matrices of interactions: users x items with positive weights, in compressed rows.

use crate::error::ModelError;

/// A sparse matrix in compressed rows. The columns of a row ascend and do not repeat; every weight is positive and
/// finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Csr {
    columns: usize,
    offsets: Vec<usize>,
    indices: Vec<u32>,
    weights: Vec<f32>,
}

/// One row of a [`Csr`]: column `indices[k]` holds `weights[k]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseRow<'a> {
    /// Columns, ascending.
    pub indices: &'a [u32],
    /// Their weights.
    pub weights: &'a [f32],
}

impl SparseRow<'_> {
    /// How many entries the row has.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether the row has no entry.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Whether `column` has an entry.
    pub fn contains(&self, column: u32) -> bool {
        self.indices.binary_search(&column).is_ok()
    }

    /// Sum of the weights, in the order of the columns.
    pub fn weight(&self) -> f32 {
        self.weights.iter().sum()
    }

    /// Columns with their weights.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, f32)> + '_ {
        self.indices.iter().copied().zip(self.weights.iter().copied())
    }
}

impl Csr {
    /// A matrix of `rows` x `columns` from `(row, column, weight)` entries in any order; the weights of a repeated
    /// entry are added in the order given.
    ///
    /// # Errors
    /// An entry outside the shape; a weight that is not positive and finite.
    pub fn from_pairs(
        rows: usize,
        columns: usize,
        pairs: impl IntoIterator<Item = (u32, u32, f32)>,
    ) -> Result<Self, ModelError> {
        let mut entries = Vec::new();
        for (row, column, weight) in pairs {
            if row as usize >= rows || column as usize >= columns {
                return Err(ModelError::OutOfRange { row, column, rows, columns });
            }
            if !(weight.is_finite() && weight > 0.0) {
                return Err(ModelError::Weight { row, column, weight });
            }
            entries.push((row, column, weight));
        }
        // A stable sort keeps repeated entries in the order given, so that their sum has the same bits every time.
        entries.sort_by_key(|&(row, column, _)| (row, column));
        let mut matrix = Self {
            columns,
            offsets: Vec::with_capacity(rows + 1),
            indices: Vec::with_capacity(entries.len()),
            weights: Vec::with_capacity(entries.len()),
        };
        matrix.offsets.push(0);
        let mut previous = None;
        for (row, column, weight) in entries {
            if previous == Some((row, column)) {
                if let Some(last) = matrix.weights.last_mut() {
                    *last = (*last + weight).min(f32::MAX);
                }
                continue;
            }
            matrix.close_rows(row as usize);
            matrix.indices.push(column);
            matrix.weights.push(weight);
            previous = Some((row, column));
        }
        matrix.close_rows(rows);
        Ok(matrix)
    }

    /// Ends every row before `row` that is still open.
    fn close_rows(&mut self, row: usize) {
        let end = self.indices.len();
        while self.offsets.len() <= row {
            self.offsets.push(end);
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of entries.
    pub fn entries(&self) -> usize {
        self.indices.len()
    }

    /// Row `row`.
    ///
    /// # Panics
    /// Where the matrix has no such row.
    pub fn row(&self, row: usize) -> SparseRow<'_> {
        let range = self.offsets[row]..self.offsets[row + 1];
        SparseRow { indices: &self.indices[range.clone()], weights: &self.weights[range] }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SparseRow<'_>> {
        (0..self.rows()).map(|row| self.row(row))
    }

    /// The same matrix with weights as `weight` of row, column and weight gives them.
    #[must_use]
    pub(crate) fn scaled(&self, weight: impl Fn(usize, usize, f32) -> f32) -> Self {
        let rows = self.iter().enumerate().flat_map(|(row, entries)| {
            entries.iter().map(move |(column, weight)| (row, column as usize, weight)).collect::<Vec<_>>()
        });
        let weights = rows.map(|(row, column, old)| weight(row, column, old)).collect();
        Self { weights, ..self.clone() }
    }

    /// The transpose: columns become rows.
    #[must_use]
    pub fn transpose(&self) -> Self {
        let mut offsets = vec![0; self.columns + 1];
        for &column in &self.indices {
            offsets[column as usize + 1] += 1;
        }
        for column in 0..self.columns {
            offsets[column + 1] += offsets[column];
        }
        let mut next = offsets.clone();
        let mut indices = vec![0; self.indices.len()];
        let mut weights = vec![0.0; self.indices.len()];
        for (number, row) in (0u32..).zip(self.iter()) {
            for (column, weight) in row.iter() {
                let place = &mut next[column as usize];
                indices[*place] = number;
                weights[*place] = weight;
                *place += 1;
            }
        }
        Self { columns: self.rows(), offsets, indices, weights }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repeated_entries_add_and_rows_come_sorted() {
        let matrix = Csr::from_pairs(4, 3, [(2, 2, 1.0), (0, 1, 2.0), (2, 0, 3.0), (2, 2, 0.5)]).unwrap();
        assert_eq!((matrix.rows(), matrix.columns(), matrix.entries()), (4, 3, 3));
        assert_eq!(matrix.row(0), SparseRow { indices: &[1], weights: &[2.0] });
        assert!(matrix.row(1).is_empty() && matrix.row(3).is_empty());
        assert_eq!(matrix.row(2), SparseRow { indices: &[0, 2], weights: &[3.0, 1.5] });
        assert!(matrix.row(2).contains(2) && !matrix.row(2).contains(1));
    }

    #[test]
    fn entries_outside_and_bad_weights_are_refused() {
        assert!(matches!(
            Csr::from_pairs(1, 1, [(0, 1, 1.0)]),
            Err(ModelError::OutOfRange { column: 1, .. })
        ));
        for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(matches!(Csr::from_pairs(1, 1, [(0, 0, weight)]), Err(ModelError::Weight { .. })));
        }
    }

    #[test]
    fn nothing_makes_an_empty_matrix() {
        let matrix = Csr::from_pairs(0, 0, []).unwrap();
        assert_eq!((matrix.rows(), matrix.transpose().rows()), (0, 0));
    }

    proptest! {
        #[test]
        fn transposing_moves_every_entry_and_twice_is_the_same(
            pairs in prop::collection::vec((0u32..9, 0u32..7, 0.1f32..3.0), 0..40)
        ) {
            let matrix = Csr::from_pairs(9, 7, pairs).unwrap();
            let turned = matrix.transpose();
            for row in 0..9u32 {
                for column in 0..7u32 {
                    let at = |m: &Csr, r: u32, c: u32| m.row(r as usize).iter().find(|e| e.0 == c).map(|e| e.1);
                    prop_assert_eq!(at(&matrix, row, column), at(&turned, column, row));
                }
            }
            prop_assert_eq!(turned.transpose(), matrix);
        }
    }
}
