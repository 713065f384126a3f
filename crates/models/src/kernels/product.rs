//! The two matrix products of the factorisation: Gram matrices and rotations of many short rows.
//!
//! Both work in tiles of 4 x 16 sums held in registers. Widths are multiples of sixteen.

use super::lanes::{Pair, add, pairs, pairs_mut, scale_add};
use super::vectorised;

/// Rows whose products are added up in registers before the sums go to memory: 48 rows of 128 numbers fit the first
/// cache.
const DEPTH: usize = 48;

vectorised! {
    /// Adds `rows' rows` to the upper triangle of `gram` (width x width; whole tiles, so some entries below the
    /// diagonal are written too). `rows` holds rows of `width` numbers.
    pub(crate) fn add_gram(gram: &mut [f32], rows: &[f32], width: usize) {
        let columns = width / 16;
        for slab in rows.chunks(DEPTH * width) {
            for right in 0..columns {
                for left in 0..(right + 1) * 4 {
                    let mut sums = [[[0f32; 8]; 2]; 4];
                    for row in slab.chunks_exact(width) {
                        let factors = &row.as_chunks::<4>().0[left];
                        let block = &pairs(row)[right];
                        for (sum, &factor) in sums.iter_mut().zip(factors) {
                            scale_add(&mut sum[0], factor, &block[0]);
                            scale_add(&mut sum[1], factor, &block[1]);
                        }
                    }
                    for (k, sum) in sums.iter().enumerate() {
                        let target = &mut pairs_mut(&mut gram[(left * 4 + k) * width..])[right];
                        *target = [add(&target[0], &sum[0]), add(&target[1], &sum[1])];
                    }
                }
            }
        }
    }
}

/// A square matrix laid out for [`rotate_tile`]: panels of sixteen columns.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    width: usize,
    panels: Vec<f32>,
}

impl Rotation {
    /// From orthonormal `vectors` (each a row of `factors` numbers), padded to `width`: a rotated row holds the inner
    /// products with the vectors.
    pub(crate) fn new(vectors: &[f64], factors: usize, width: usize) -> Self {
        let mut panels = vec![0f32; width * width];
        for (number, vector) in vectors.chunks_exact(factors).enumerate() {
            let (panel, lane) = (number / 16, number % 16);
            for (k, &value) in vector.iter().enumerate() {
                panels[panel * width * 16 + k * 16 + lane] = value as f32;
            }
        }
        Self { width, panels }
    }

    /// Numbers of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }
}

vectorised! {
    /// Rotates all rows of `rows` in place.
    pub(crate) fn rotate_rows(rotation: &Rotation, rows: &mut [f32]) {
        let width = rotation.width;
        let mut turned = vec![0f32; 4 * width];
        for four in rows.chunks_mut(4 * width) {
            let count = four.len() / width;
            // A last block of fewer rows repeats its last one; the copies are thrown away.
            let row = |k: usize| { let k = k.min(count - 1); &four[k * width..(k + 1) * width] };
            rotate_tile(rotation, [row(0), row(1), row(2), row(3)], &mut turned);
            four.copy_from_slice(&turned[..count * width]);
        }
    }
}

/// Rotates four rows of `rotation`'s width into `turned`; for use inside a kernel.
#[inline(always)]
pub(crate) fn rotate_tile(rotation: &Rotation, rows: [&[f32]; 4], turned: &mut [f32]) {
    let width = rotation.width;
    let rows = rows.map(|row| &row[..width]);
    for (number, panel) in rotation.panels.chunks_exact(16 * width).enumerate() {
        let panel = &pairs(panel)[..width];
        let mut sums = [[[0f32; 8]; 2]; 4];
        for k in 0..width {
            for (sum, row) in sums.iter_mut().zip(rows) {
                scale_add(&mut sum[0], row[k], &panel[k][0]);
                scale_add(&mut sum[1], row[k], &panel[k][1]);
            }
        }
        for (k, sum) in sums.iter().enumerate() {
            pairs_mut(&mut turned[k * width..(k + 1) * width])[number] = *sum;
        }
    }
}

vectorised! {
    /// Subtracts products from the sixteen columns of `panel` in rows of `width` numbers: from row r that of row r of `left`
    /// with the columns, of which `columns` has one number each for each number of a row of `left`.
    pub(crate) fn subtract_products(
        target: &mut [f32],
        width: usize,
        panel: usize,
        left: &[f32],
        columns: &[Pair],
    ) {
        let depth = columns.len();
        for (rows, left) in target.chunks_mut(4 * width).zip(left.chunks(4 * depth)) {
            let last = rows.len() / width - 1;
            let row = |k: usize| { let k = k.min(last); &left[k * depth..(k + 1) * depth] };
            let four = [row(0), row(1), row(2), row(3)];
            let mut sums = [[[0f32; 8]; 2]; 4];
            for (k, block) in columns.iter().enumerate() {
                for (sum, row) in sums.iter_mut().zip(four) {
                    scale_add(&mut sum[0], row[k], &block[0]);
                    scale_add(&mut sum[1], row[k], &block[1]);
                }
            }
            for (row, sum) in rows.chunks_exact_mut(width).zip(&sums) {
                let target = &mut pairs_mut(row)[panel];
                scale_add(&mut target[0], -1.0, &sum[0]);
                scale_add(&mut target[1], -1.0, &sum[1]);
            }
        }
    }
}
