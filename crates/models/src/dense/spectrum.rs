//! The leading right singular vectors of a sparse matrix.
//!
//! Randomised subspace iteration (Halko, Martinsson and Tropp 2011, "Finding Structure with Randomness", algorithms 4.4
//! and 5.1): a random basis is multiplied by A'A a few times, made orthonormal in between, and the small problem that is left
//! within it is solved exactly (Rayleigh and Ritz).

use headwater_base::random::seeded;
use rayon::prelude::*;

use super::eigen;
use super::tall::{gram, normal_rows, padded, rotate};
use crate::kernels::product::Rotation;
use crate::kernels::sparse::combine_rows;
use crate::matrix::Csr;

/// Vectors carried beside those asked for: they take up what the last of those would else be mixed with.
const BESIDE: usize = 32;
/// Rows that one task multiplies.
const BLOCK: usize = 256;
/// Directions with less than this share of the largest one's square are no directions but rounding.
const NOTHING: f64 = 1e-10;

/// Right singular vectors, that of the largest singular value first.
#[derive(Debug)]
pub(crate) struct Spectrum {
    /// Numbers in a row of `vectors`, a multiple of sixteen.
    pub(crate) width: usize,
    /// For each column of the matrix its entries in the vectors, padded with zeros.
    pub(crate) vectors: Vec<f32>,
}

/// The vectors of the `components` largest singular values of `matrix`, or of as many as it has, from `passes` over it and
/// its transpose `turned`. `progress` is told of each pass. Where the matrix has fewer directions, vectors are zero.
pub(crate) fn leading(
    matrix: &Csr,
    turned: &Csr,
    components: usize,
    passes: usize,
    seed: u64,
    progress: &mut dyn FnMut(usize),
) -> Spectrum {
    let most = matrix.rows().min(matrix.columns());
    let components = components.min(most);
    if components == 0 {
        return Spectrum { width: 0, vectors: Vec::new() };
    }
    let carried = (components + BESIDE).min(most);
    let width = padded(carried);
    let mut basis = normal_rows(&mut seeded(seed, "spectrum"), 1.0, matrix.columns(), carried);
    orthonormalise(&mut basis, carried);
    for pass in 0..passes {
        let image = times(matrix, &basis, width);
        basis = times(turned, &image, width);
        orthonormalise(&mut basis, carried);
        progress(pass + 1);
    }
    let image = times(matrix, &basis, width);
    let (_, vectors) = eigen::symmetric(&gram(&image, carried), carried);
    rotate(&Rotation::new(&vectors, carried, width), &mut basis);
    let kept = padded(components);
    let mut shortened = vec![0f32; matrix.columns() * kept];
    for (short, row) in shortened.chunks_exact_mut(kept).zip(basis.chunks_exact(width)) {
        short[..components].copy_from_slice(&row[..components]);
    }
    Spectrum { width: kept, vectors: shortened }
}

/// The product of a sparse matrix with a dense one of `width` columns.
fn times(matrix: &Csr, dense: &[f32], width: usize) -> Vec<f32> {
    let mut product = vec![0f32; matrix.rows() * width];
    product.par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, rows)| {
        for (offset, sum) in rows.chunks_exact_mut(width).enumerate() {
            combine_rows(sum, matrix.row(block * BLOCK + offset), dense);
        }
    });
    product
}

/// Makes the columns orthonormal by the eigenvectors of their Gram matrix, twice, since the first time loses digits where
/// columns are nearly parallel. Directions that are not there become zero.
fn orthonormalise(rows: &mut [f32], columns: usize) {
    for _ in 0..2 {
        let (values, mut vectors) = eigen::symmetric(&gram(rows, columns), columns);
        let largest = values[0];
        for (value, vector) in values.iter().zip(vectors.chunks_exact_mut(columns)) {
            let scale = if *value > largest * NOTHING { 1.0 / value.sqrt() } else { 0.0 };
            vector.iter_mut().for_each(|x| *x *= scale);
        }
        rotate(&Rotation::new(&vectors, columns, padded(columns)), rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(spectrum: &Spectrum, row: usize, k: usize) -> f64 {
        f64::from(spectrum.vectors[row * spectrum.width + k])
    }

    /// `rows` x `columns` with decaying, unequal influence of each row.
    fn matrix(rows: u32, columns: u32) -> Csr {
        let entries = (0..rows).flat_map(|row| {
            (0..columns)
                .filter(move |column| (row * 7 + column * 3) % 5 < 2)
                .map(move |column| (row, column, 1.0 + ((row + column) % 3) as f32))
        });
        Csr::from_pairs(rows as usize, columns as usize, entries).unwrap()
    }

    #[test]
    fn finds_the_singular_vectors_of_a_dense_decomposition() {
        let matrix = matrix(60, 40);
        let spectrum = leading(&matrix, &matrix.transpose(), 6, 12, 1, &mut |_| {});
        // A'A by hand, and its exact eigenvectors.
        let mut square = vec![0f64; 40 * 40];
        for row in matrix.iter() {
            for (a, x) in row.iter() {
                for (b, y) in row.iter() {
                    square[a as usize * 40 + b as usize] += f64::from(x) * f64::from(y);
                }
            }
        }
        let (values, vectors) = eigen::symmetric(&square, 40);
        // Vectors of equal values may be turned among themselves; the projection on their span may not.
        for i in 0..40 {
            for j in 0..40 {
                let ours: f64 = (0..6).map(|k| at(&spectrum, i, k) * values[k] * at(&spectrum, j, k)).sum();
                let exact: f64 = (0..6).map(|k| vectors[k * 40 + i] * values[k] * vectors[k * 40 + j]).sum();
                assert!((ours - exact).abs() < 1e-2 * values[0], "({i}, {j}): {ours} {exact}");
            }
        }
    }

    #[test]
    fn asks_a_matrix_for_no_more_than_it_has() {
        let small = matrix(3, 9);
        let spectrum = leading(&small, &small.transpose(), 20, 4, 1, &mut |_| {});
        assert_eq!(spectrum.width, 16);
        assert!(spectrum.vectors.chunks(16).all(|row| row[3..] == [0.0; 13] && row[0].is_finite()));
        let empty = Csr::from_pairs(0, 0, []).unwrap();
        assert!(leading(&empty, &empty, 5, 2, 1, &mut |_| {}).vectors.is_empty());
        let blank = Csr::from_pairs(4, 5, []).unwrap();
        let spectrum = leading(&blank, &blank.transpose(), 2, 2, 1, &mut |_| {});
        assert!(spectrum.vectors.iter().all(|x| *x == 0.0));
    }
}
