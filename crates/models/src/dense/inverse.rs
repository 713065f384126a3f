//! Inversion of large symmetric positive definite matrices in place, in `f32`.
//!
//! The symmetric sweep operator (Goodnight 1979, "A Tutorial on the SWEEP Operator") by blocks: with the rows of a block
//! called P and the inverse of its diagonal block D, sweeping the block replaces P by `D P`, the rest A by `A - P' D P`, and the
//! diagonal block by `-D`. Every sweep keeps the matrix symmetric, so only its upper triangle is worked on, and once all blocks
//! are swept it is the negative of the inverse. Nearly all work is the update of the rest, a product of two tall matrices.

use rayon::prelude::*;

use super::tall::{padded, rotate};
use crate::kernels::lanes::{Pair, pairs};
use crate::kernels::product::{Rotation, subtract_products};

/// Rows of a block: few enough that a panel of sixteen columns fits the first cache, enough that the matrix is not read
/// too often.
const BLOCK: usize = 256;
/// Rows that one task updates.
const ROWS: usize = 64;

/// Inverts `matrix`, `size` rows of [`padded`]`(size)` numbers, of which the upper triangle is read. `progress` is told how
/// many rows are swept.
pub(crate) fn invert(matrix: &mut [f32], size: usize, progress: &mut dyn FnMut(usize)) {
    let width = padded(size);
    let mut start = 0;
    while start < size {
        let block = BLOCK.min(size - start);
        sweep(matrix, size, width, start, block);
        start += block;
        progress(start);
    }
    // The lower triangle is the mirror of the upper one.
    for row in 0..size {
        for column in row..size {
            let value = -matrix[row * width + column];
            matrix[row * width + column] = value;
            matrix[column * width + row] = value;
        }
    }
}

fn sweep(matrix: &mut [f32], size: usize, width: usize, start: usize, block: usize) {
    let depth = padded(block);
    let end = start + block;
    // P', row by row: what lies right of the block stands in its rows, what lies left of it in the columns above.
    let mut rows = vec![0f32; size * depth];
    rows.par_chunks_mut(depth).enumerate().for_each(|(row, target)| {
        for (k, target) in target[..block].iter_mut().enumerate() {
            let (upper, right) = (row.min(start + k), row.max(start + k));
            *target = matrix[upper * width + right];
        }
    });
    let mut inverse: Vec<f64> = rows[start * depth..end * depth]
        .chunks_exact(depth)
        .flat_map(|row| row[..block].iter().map(|x| f64::from(*x)))
        .collect();
    invert_small(&mut inverse, block);
    let mut turned = rows.clone();
    rotate(&Rotation::new(&inverse, block, depth), &mut turned);
    let panels: Vec<Vec<Pair>> =
        (0..width / 16).into_par_iter().map(|panel| lanes(&turned, panel, depth)).collect();
    matrix.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, target)| {
        let first = chunk * ROWS;
        let count = target.len() / width;
        for (panel, columns) in panels.iter().enumerate().skip(first / 16) {
            subtract_products(target, width, panel, &rows[first * depth..(first + count) * depth], columns);
        }
    });
    // The rows and columns of the block are not the rest.
    for row in 0..size {
        for k in 0..block {
            let (upper, right) = (row.min(start + k), row.max(start + k));
            matrix[upper * width + right] = turned[row * depth + k];
        }
    }
    for i in 0..block {
        for j in i..block {
            matrix[(start + i) * width + start + j] = -inverse[i * block + j] as f32;
        }
    }
}

/// Sixteen rows of `rows` side by side, from row `16 panel` on; rows beyond the last are zero.
fn lanes(rows: &[f32], panel: usize, depth: usize) -> Vec<Pair> {
    let mut panel_rows = vec![0f32; 16 * depth];
    for (lane, row) in rows.chunks_exact(depth).skip(16 * panel).take(16).enumerate() {
        for (k, value) in row.iter().enumerate() {
            panel_rows[k * 16 + lane] = *value;
        }
    }
    pairs(&panel_rows).to_vec()
}

/// The same by one row at a time.
fn invert_small(matrix: &mut [f64], size: usize) {
    for k in 0..size {
        // Rounding may push the pivot of a nearly singular matrix to zero; the floor keeps the inverse finite.
        let pivot = matrix[k * size + k].max(f64::from(f32::MIN_POSITIVE));
        let row: Vec<f64> = matrix[k * size..(k + 1) * size].to_vec();
        for i in (0..size).filter(|i| *i != k) {
            let factor = matrix[i * size + k] / pivot;
            for (target, x) in matrix[i * size..(i + 1) * size].iter_mut().zip(&row) {
                *target -= factor * x;
            }
            matrix[i * size + k] = factor;
        }
        for x in &mut matrix[k * size..(k + 1) * size] {
            *x /= pivot;
        }
        matrix[k * size + k] = -1.0 / pivot;
    }
    matrix.iter_mut().for_each(|x| *x = -*x);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(size: usize) {
        let width = padded(size);
        let value = |i: usize, j: usize| ((i * j + i + j) % 7) as f32 / 7.0;
        let mut matrix = vec![0f32; size * width];
        for i in 0..size {
            for j in 0..size {
                matrix[i * width + j] = value(i, j) + if i == j { size as f32 } else { 0.0 };
            }
        }
        let original = matrix.clone();
        let mut told = Vec::new();
        invert(&mut matrix, size, &mut |rows| told.push(rows));
        assert_eq!(told.last(), Some(&size));
        for i in 0..size {
            for j in 0..size {
                let product: f64 = (0..size)
                    .map(|k| f64::from(original[i * width + k]) * f64::from(matrix[k * width + j]))
                    .sum();
                let expected = f64::from(u8::from(i == j));
                assert!((product - expected).abs() < 1e-4, "{size}: ({i}, {j}) is {product}");
            }
        }
    }

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        for size in [1, 2, 15, 16, 17, 100, 255, 256, 257, 600] {
            check(size);
        }
    }

    #[test]
    fn two_by_two_worked_by_hand() {
        let mut matrix = vec![0f32; 32];
        (matrix[0], matrix[1], matrix[17]) = (2.0, 1.0, 2.0);
        invert(&mut matrix, 2, &mut |_| {});
        for (place, expected) in [(0, 2.0 / 3.0), (1, -1.0 / 3.0), (16, -1.0 / 3.0), (17, 2.0 / 3.0)] {
            assert!((matrix[place] - expected).abs() < 1e-6, "{place}");
        }
    }
}
