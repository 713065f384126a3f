//! Eigenvalues and eigenvectors of a symmetric matrix, in double precision.
//!
//! Householder reduction to tridiagonal form, then QL iterations with implicit shifts (Golub and Van Loan, "Matrix
//! Computations", 4th edition, 8.3). About 8 d^3 operations, all on contiguous rows: eigenvectors are kept as rows.

use crate::kernels::vectorised;

/// More iterations than any eigenvalue has ever needed; the bound only keeps broken input from looping.
const MOST_ITERATIONS: usize = 60;

vectorised! {
    /// Decomposes the symmetric `matrix` (d x d). Returns the eigenvalues in descending order, and the eigenvectors as
    /// rows in the same order.
    pub(crate) fn symmetric(matrix: &[f64], d: usize) -> (Vec<f64>, Vec<f64>) {
        let mut a = matrix.to_vec();
        let (mut diagonal, mut beside, mut vectors) = tridiagonal(&mut a, d);
        diagonalise(&mut diagonal, &mut beside, &mut vectors, d);
        let mut order: Vec<usize> = (0..d).collect();
        order.sort_by(|&p, &q| diagonal[q].total_cmp(&diagonal[p]));
        let values = order.iter().map(|&k| diagonal[k]).collect();
        let mut sorted = Vec::with_capacity(d * d);
        for k in order {
            sorted.extend_from_slice(&vectors[k * d..(k + 1) * d]);
        }
        (values, sorted)
    }
}

/// Reduces `a` to tridiagonal form T = Q' a Q. Returns T's diagonal, the entries beside it (`beside[k]` between k and
/// k + 1, one unused at the end), and Q' as rows.
#[inline(always)]
fn tridiagonal(a: &mut [f64], d: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut beside = vec![0f64; d];
    let mut reflections: Vec<(f64, Vec<f64>)> = Vec::with_capacity(d);
    let mut product = vec![0f64; d];
    for k in 0..d.saturating_sub(1) {
        // The reflection H = 1 - scale v v' sends row k right of the diagonal to a multiple of its first axis.
        let mut v = a[k * d + k + 1..(k + 1) * d].to_vec();
        let norm = dot(&v, &v).sqrt();
        let rest = dot(&v[1..], &v[1..]);
        if rest == 0.0 {
            beside[k] = v[0];
            reflections.push((0.0, v));
            continue;
        }
        let target = if v[0] > 0.0 { -norm } else { norm };
        v[0] -= target;
        beside[k] = target;
        let scale = 2.0 / (v[0] * v[0] + rest);
        // A := H A H for the trailing block, by one symmetric update of rank two.
        let size = v.len();
        let product = &mut product[..size];
        for (row, product) in product.iter_mut().enumerate() {
            *product = scale * dot(&a[(k + 1 + row) * d + k + 1..(k + 2 + row) * d], &v);
        }
        let half = 0.5 * scale * dot(product, &v);
        for (product, v) in product.iter_mut().zip(&v) {
            *product -= half * v;
        }
        for row in 0..size {
            let (x, y) = (v[row], product[row]);
            let target = &mut a[(k + 1 + row) * d + k + 1..(k + 2 + row) * d];
            for ((target, v), product) in target.iter_mut().zip(&v).zip(&*product) {
                *target -= x * product + y * v;
            }
        }
        reflections.push((scale, v));
    }
    let diagonal = (0..d).map(|k| a[k * d + k]).collect();
    // Q = H_0 H_1 ..; its transpose is built from the last reflection to the first, whose rows above are still
    // those of the identity.
    let mut vectors = vec![0f64; d * d];
    for k in 0..d {
        vectors[k * d + k] = 1.0;
    }
    for (k, (scale, v)) in reflections.iter().enumerate().rev() {
        for row in k + 1..d {
            let target = &mut vectors[row * d + k + 1..(row + 1) * d];
            let factor = scale * dot(target, v);
            for (target, v) in target.iter_mut().zip(v) {
                *target -= factor * v;
            }
        }
    }
    (diagonal, beside, vectors)
}

/// Diagonalises a tridiagonal matrix, turning the rows of `vectors` along.
#[inline(always)]
fn diagonalise(diagonal: &mut [f64], beside: &mut [f64], vectors: &mut [f64], d: usize) {
    for first in 0..d {
        for _ in 0..MOST_ITERATIONS {
            let negligible = |k: usize| {
                let size = diagonal[k].abs() + diagonal[k + 1].abs();
                beside[k].abs() <= f64::EPSILON * size
            };
            let last = (first..d - 1).find(|&k| negligible(k)).unwrap_or(d - 1);
            if last == first {
                break;
            }
            // Wilkinson's shift, from the leading 2 x 2 block.
            let slope = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first]);
            let root = slope.hypot(1.0);
            let shift = diagonal[first] - beside[first] / (slope + if slope < 0.0 { -root } else { root });
            chase(diagonal, beside, vectors, d, first, last, shift);
        }
    }
}

/// One implicit QL step on rows `first..=last`: the shifted rotation at the end, and those that chase the bulge up.
#[inline(always)]
fn chase(
    diagonal: &mut [f64],
    beside: &mut [f64],
    vectors: &mut [f64],
    d: usize,
    first: usize,
    last: usize,
    shift: f64,
) {
    let (mut sine, mut cosine, mut correction) = (1.0, 1.0, 0.0);
    let mut bulge = diagonal[last] - shift;
    for k in (first..last).rev() {
        let f = sine * beside[k];
        let b = cosine * beside[k];
        let radius = f.hypot(bulge);
        beside[k + 1] = radius;
        if radius == 0.0 {
            // The matrix splits here: nothing is left to chase.
            diagonal[k + 1] -= correction;
            beside[last] = 0.0;
            return;
        }
        sine = f / radius;
        cosine = bulge / radius;
        let difference = diagonal[k + 1] - correction;
        let turned = (diagonal[k] - difference) * sine + 2.0 * cosine * b;
        correction = sine * turned;
        diagonal[k + 1] = difference + correction;
        bulge = cosine * turned - b;
        let (upper, lower) = vectors[k * d..(k + 2) * d].split_at_mut(d);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let (x, y) = (*upper, *lower);
            *lower = sine * x + cosine * y;
            *upper = cosine * x - sine * y;
        }
    }
    diagonal[first] -= correction;
    beside[first] = bulge;
    beside[last] = 0.0;
}

/// Inner product in eight lanes.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0f64; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            lanes[lane] = x[lane].mul_add(y[lane], lanes[lane]);
        }
    }
    let mut rest = 0.0;
    for (x, y) in a_rest.iter().zip(b_rest) {
        rest += x * y;
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::portable;

    /// The eigenvectors must be orthonormal and rebuild the matrix, to `tolerance` of its largest entry.
    fn check(matrix: &[f64], d: usize) {
        let (values, vectors) = symmetric(matrix, d);
        assert_eq!(portable(|| symmetric(matrix, d)), (values.clone(), vectors.clone()));
        assert!(values.is_sorted_by(|a, b| a >= b));
        let tolerance = 1e-12 * d as f64 * matrix.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        for r in 0..d {
            for c in 0..d {
                let rebuilt: f64 = (0..d).map(|k| values[k] * vectors[k * d + r] * vectors[k * d + c]).sum();
                assert!((rebuilt - matrix[r * d + c]).abs() < tolerance, "d = {d}, entry ({r}, {c})");
                let product: f64 = (0..d).map(|k| vectors[r * d + k] * vectors[c * d + k]).sum();
                assert!((product - f64::from(u8::from(r == c))).abs() < 1e-12 * d as f64);
            }
        }
    }

    #[test]
    fn rebuilds_matrices_of_every_small_size() {
        for d in [1, 2, 3, 5, 8, 17, 40] {
            let entry = |r: usize, c: usize| ((r * c) as f64).sin() + ((r + c) as f64).cos();
            let matrix: Vec<f64> = (0..d * d).map(|k| entry(k / d, k % d)).collect();
            check(&matrix, d);
        }
    }

    #[test]
    fn takes_zero_diagonal_and_repeated_eigenvalues() {
        let d = 12;
        check(&vec![0.0; d * d], d);
        check(&vec![1.0; d * d], d);
        let diagonal: Vec<f64> =
            (0..d * d).map(|k| if k / d == k % d { (k % 3) as f64 * 1e6 } else { 0.0 }).collect();
        check(&diagonal, d);
        // Two blocks that never meet.
        let split: Vec<f64> = (0..d * d).map(|k| f64::from(u8::from(k / d % 2 == k % d % 2))).collect();
        check(&split, d);
    }

    #[test]
    fn two_by_two_worked_by_hand() {
        let (values, vectors) = symmetric(&[2.0, 1.0, 1.0, 2.0], 2);
        assert!((values[0] - 3.0).abs() < 1e-15 && (values[1] - 1.0).abs() < 1e-15);
        assert!((vectors[0] - vectors[1]).abs() < 1e-15, "{vectors:?}");
    }
}
