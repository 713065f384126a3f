//! Products of a sparse matrix with a dense one of short rows.

use super::lanes::{Pair, pairs, pairs_mut, prefetch, scale_add};
use super::vectorised;
use crate::matrix::SparseRow;

/// How many entries ahead a dense row is asked for: gathering them waits for memory more than for anything else.
const AHEAD: usize = 4;

vectorised! {
    /// Writes to `sum` the rows of `dense`, of `sum`'s length, that `row` names, each times its weight.
    pub(crate) fn combine_rows(sum: &mut [f32], row: SparseRow<'_>, dense: &[f32]) {
        let width = sum.len();
        let at = |column: u32| &dense[column as usize * width..(column as usize + 1) * width];
        sum.fill(0.0);
        for (number, (column, weight)) in row.iter().enumerate() {
            if let Some(&ahead) = row.indices.get(number + AHEAD) {
                prefetch(at(ahead));
            }
            for (sum, block) in pairs_mut(sum).iter_mut().zip(pairs(at(column))) {
                scale_add(&mut sum[0], weight, &block[0]);
                scale_add(&mut sum[1], weight, &block[1]);
            }
        }
    }
}

vectorised! {
    /// For sixteen columns at once: writes to `sums[r]` the combination of the lanes of `columns` that row r of `rows`
    /// names. The sums of one row stay in registers.
    pub(crate) fn combine_lanes(sums: &mut [Pair], first: usize, matrix: &crate::matrix::Csr, columns: &[Pair]) {
        for (offset, sum) in sums.iter_mut().enumerate() {
            let mut lanes = [[0f32; 8]; 2];
            for (column, weight) in matrix.row(first + offset).iter() {
                let block = &columns[column as usize];
                scale_add(&mut lanes[0], weight, &block[0]);
                scale_add(&mut lanes[1], weight, &block[1]);
            }
            *sum = lanes;
        }
    }
}

vectorised! {
    /// For sixteen columns at once: adds to `sums[r]` the products of row r of `rows` with the columns of `panel`, which
    /// holds one number of each column for each number of a row; row r's products are scaled by `scales[r]`.
    pub(crate) fn add_products(sums: &mut [Pair], rows: &[f32], scales: &[f32], panel: &[Pair]) {
        let width = panel.len();
        for ((sums, rows), scales) in sums.chunks_mut(4).zip(rows.chunks(4 * width)).zip(scales.chunks(4)) {
            let last = sums.len() - 1;
            let row = |k: usize| { let k = k.min(last); &rows[k * width..(k + 1) * width] };
            let four = [row(0), row(1), row(2), row(3)];
            let mut products = [[[0f32; 8]; 2]; 4];
            for (k, block) in panel.iter().enumerate() {
                for (product, row) in products.iter_mut().zip(four) {
                    scale_add(&mut product[0], row[k], &block[0]);
                    scale_add(&mut product[1], row[k], &block[1]);
                }
            }
            for ((sum, product), scale) in sums.iter_mut().zip(&products).zip(scales) {
                scale_add(&mut sum[0], *scale, &product[0]);
                scale_add(&mut sum[1], *scale, &product[1]);
            }
        }
    }
}
