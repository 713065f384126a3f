//! Ridge regression over sparse inputs, for all outputs at once.
//!
//! With A (examples x buckets) and C the diagonal of what examples count, B solves `(A'CA + lambda) B = A'CY`, by conjugate gradient
//! on all columns of B side by side, each with steps of its own length. A'CA is never formed.

use rayon::prelude::*;

use super::{ContentOptions, Example};

/// A as rows and as columns.
struct Sparse<'a> {
    rows: &'a [&'a Example<'a>],
    /// Of each bucket the examples that have it, with the values.
    columns: Vec<Vec<(u32, f32)>>,
}

impl Sparse<'_> {
    /// `A'C (A x) + lambda x`, buckets x width.
    fn apply(&self, x: &[f32], width: usize, lambda: f32) -> Vec<f32> {
        let mut images = vec![0f32; self.rows.len() * width];
        images.par_chunks_exact_mut(width).zip(self.rows).for_each(|(image, example)| {
            for (bucket, value) in example.attributes.iter() {
                let row = &x[bucket as usize * width..(bucket as usize + 1) * width];
                add(image, value, row);
            }
        });
        let mut result = self.turn(&images, width);
        for (sum, x) in result.iter_mut().zip(x) {
            *sum += lambda * x;
        }
        result
    }

    /// `A'C y`, buckets x width.
    fn turn(&self, y: &[f32], width: usize) -> Vec<f32> {
        let mut result = vec![0f32; self.columns.len() * width];
        result.par_chunks_exact_mut(width).zip(&self.columns).for_each(|(sums, column)| {
            for (example, value) in column {
                let weight = self.rows[*example as usize].weight;
                add(sums, weight * value, &y[*example as usize * width..(*example as usize + 1) * width]);
            }
        });
        result
    }
}

fn add(sums: &mut [f32], scale: f32, row: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(row) {
        *sum += scale * x;
    }
}

/// Inner products of the columns of two matrices.
fn products(a: &[f32], b: &[f32], width: usize) -> Vec<f64> {
    let mut sums = vec![0f64; width];
    for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
    sums
}

/// B, buckets x dimensions; zeros without an example.
pub(super) fn solve(examples: &[&Example<'_>], dimensions: usize, options: &ContentOptions) -> Vec<f32> {
    let width = dimensions.max(1);
    let mut columns = vec![Vec::new(); options.buckets];
    for (number, example) in (0u32..).zip(examples) {
        for (bucket, value) in example.attributes.iter() {
            columns[bucket as usize].push((number, value));
        }
    }
    let sparse = Sparse { rows: examples, columns };
    let targets: Vec<f32> = examples.iter().flat_map(|example| example.vector).copied().collect();
    let mut map = vec![0f32; options.buckets * dimensions];
    if dimensions == 0 {
        return map;
    }
    let mut residual = sparse.turn(&targets, width);
    let mut direction = residual.clone();
    let mut norms = products(&residual, &residual, width);
    for _ in 0..options.steps {
        let image = sparse.apply(&direction, width, options.lambda);
        let curvature = products(&direction, &image, width);
        let step =
            |(norm, curvature): (&f64, &f64)| if *curvature > 0.0 { (norm / curvature) as f32 } else { 0.0 };
        let steps: Vec<f32> = norms.iter().zip(&curvature).map(step).collect();
        scale_add(&mut map, &steps, &direction, 1.0);
        scale_add(&mut residual, &steps, &image, -1.0);
        let next = products(&residual, &residual, width);
        let turns: Vec<f32> = next
            .iter()
            .zip(&norms)
            .map(|(next, norm)| if *norm > 0.0 { (next / norm) as f32 } else { 0.0 })
            .collect();
        for (row, residual) in direction.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
            for ((x, turn), r) in row.iter_mut().zip(&turns).zip(residual) {
                *x = r + turn * *x;
            }
        }
        norms = next;
    }
    map
}

/// Adds `sign` times the columns of `b`, each times its scale, to those of `a`.
fn scale_add(a: &mut [f32], scales: &[f32], b: &[f32], sign: f32) {
    for (a, b) in a.chunks_exact_mut(scales.len()).zip(b.chunks_exact(scales.len())) {
        for ((a, b), scale) in a.iter_mut().zip(b).zip(scales) {
            *a += sign * scale * b;
        }
    }
}
