//! Eigenvalues and eigenvectors of a symmetric matrix.

/// Decomposes the symmetric `matrix` (d x d, f64) by cyclic Jacobi rotations. Returns the eigenvalues in descending
/// order, and the eigenvectors as rows in the same order.
pub(crate) fn symmetric(matrix: &[f64], d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut vectors = vec![0f64; d * d];
    for k in 0..d {
        vectors[k * d + k] = 1.0;
    }
    let total: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..60 {
        let off: f64 =
            (0..d).flat_map(|p| (0..p).map(move |q| (p, q))).map(|(p, q)| a[p * d + q].powi(2)).sum();
        if off <= total * 1e-28 {
            break;
        }
        for p in 1..d {
            for q in 0..p {
                rotate(&mut a, &mut vectors, d, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&p, &q| a[q * d + q].total_cmp(&a[p * d + p]));
    let values = order.iter().map(|&k| a[k * d + k]).collect();
    let vectors = order.iter().flat_map(|&k| vectors[k * d..(k + 1) * d].iter().copied()).collect();
    (values, vectors)
}

/// One rotation that makes entry (p, q) zero.
fn rotate(a: &mut [f64], vectors: &mut [f64], d: usize, p: usize, q: usize) {
    let entry = a[p * d + q];
    if entry == 0.0 {
        return;
    }
    let theta = (a[q * d + q] - a[p * d + p]) / (2.0 * entry);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..d {
        let (x, y) = (a[k * d + p], a[k * d + q]);
        a[k * d + p] = c * x - s * y;
        a[k * d + q] = s * x + c * y;
    }
    for k in 0..d {
        let (x, y) = (a[p * d + k], a[q * d + k]);
        a[p * d + k] = c * x - s * y;
        a[q * d + k] = s * x + c * y;
        let (x, y) = (vectors[p * d + k], vectors[q * d + k]);
        vectors[p * d + k] = c * x - s * y;
        vectors[q * d + k] = s * x + c * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconstructs_the_matrix() {
        let d = 9;
        let matrix: Vec<f64> = (0..d * d)
            .map(|k| {
                let (r, c) = (k / d, k % d);
                ((r * c) as f64).sin() + ((r + c) as f64).cos()
            })
            .collect();
        let (values, vectors) = symmetric(&matrix, d);
        assert!(values.is_sorted_by(|a, b| a >= b));
        for r in 0..d {
            for c in 0..d {
                let rebuilt: f64 = (0..d).map(|k| values[k] * vectors[k * d + r] * vectors[k * d + c]).sum();
                assert!((rebuilt - matrix[r * d + c]).abs() < 1e-9);
                let product: f64 = (0..d).map(|k| vectors[r * d + k] * vectors[c * d + k]).sum();
                assert!((product - f64::from(u8::from(r == c))).abs() < 1e-12);
            }
        }
    }
}
