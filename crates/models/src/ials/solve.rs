//! The least-squares problem of one row.

use crate::dense::{add_scaled, cholesky};

/// Solves `(diag(diagonal) + sum w y y') x = sum w y` exactly; `x` is zero where there is no `y`.
pub(super) fn exact<'a>(
    diagonal: &[f32],
    observed: impl IntoIterator<Item = (&'a [f32], f32)>,
    x: &mut [f32],
) {
    let d = diagonal.len();
    let mut matrix = vec![0f32; d * d];
    for (k, value) in diagonal.iter().enumerate() {
        matrix[k * d + k] = *value;
    }
    x.fill(0.0);
    for (y, weight) in observed {
        add_scaled(x, weight, y);
        for (row, target) in matrix.chunks_exact_mut(d).enumerate() {
            add_scaled(&mut target[..=row], weight * y[row], y);
        }
    }
    cholesky::solve(&mut matrix, x);
}
