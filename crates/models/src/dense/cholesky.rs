//! Cholesky factorisation of symmetric positive definite systems, in place.

use super::{add_scaled, dot};

/// Solves `A x = b` for a symmetric positive definite `A` of `b.len()` rows, of which only the lower triangle is
/// read. `A` is overwritten by its factor, `b` by the solution.
pub(crate) fn solve(matrix: &mut [f32], b: &mut [f32]) {
    let d = b.len();
    for row in 0..d {
        let (above, current) = matrix.split_at_mut(row * d);
        for column in 0..row {
            let other = &above[column * d..];
            current[column] = (current[column] - dot(&other[..column], &current[..column])) / other[column];
        }
        let pivot = current[row] - dot(&current[..row], &current[..row]);
        // Rounding may push the pivot of a nearly singular matrix below zero; the floor keeps the solution finite.
        current[row] = pivot.max(f32::MIN_POSITIVE).sqrt();
    }
    for row in 0..d {
        let (solved, open) = b.split_at_mut(row);
        open[0] = (open[0] - dot(&matrix[row * d..row * d + row], solved)) / matrix[row * d + row];
    }
    for row in (0..d).rev() {
        let (open, solved) = b.split_at_mut(row);
        solved[0] /= matrix[row * d + row];
        add_scaled(open, -solved[0], &matrix[row * d..row * d + row]);
    }
}
