//! EASE: the linear model from items to items with the least squared error, an item never speaking for itself.
//!
//! Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data": with the Gram matrix `G = X'X` of the interactions and
//! `P = (G + lambda)^-1`, the weight of item i for item j is `-P_ij / P_jj`, and 0 for itself.

use rayon::prelude::*;

use crate::dense::inverse::invert;
use crate::dense::tall::padded;
use crate::matrix::Csr;

/// The weights, items x items.
#[derive(Debug)]
pub(super) struct Ease {
    items: usize,
    width: usize,
    /// Row i: what item i speaks for.
    weights: Vec<f32>,
}

/// Bytes that training needs at its largest.
pub(super) fn memory_bytes(items: usize) -> u64 {
    // The matrix, and the rows of a block of it with their products, thrice.
    let (items, width) = (items as u64, padded(items) as u64);
    4 * items * width + 3 * 4 * 256 * width
}

impl Ease {
    /// Solves for the weights of `matrix` (users x items); `progress` is told how many items are done.
    pub(super) fn new(matrix: &Csr, lambda: f32, progress: &mut dyn FnMut(usize)) -> Self {
        let items = matrix.columns();
        let width = padded(items);
        let by_item = matrix.transpose();
        let mut weights = vec![0f32; items * width];
        if items == 0 {
            return Self { items, width, weights };
        }
        weights.par_chunks_exact_mut(width).enumerate().for_each(|(item, row)| {
            for (user, weight) in by_item.row(item).iter() {
                for (other, times) in matrix.row(user as usize).iter() {
                    row[other as usize] += weight * times;
                }
            }
            row[item] += lambda;
        });
        invert(&mut weights, items, progress);
        let scales: Vec<f32> = (0..items).map(|item| -1.0 / weights[item * width + item]).collect();
        weights.par_chunks_exact_mut(width).enumerate().for_each(|(item, row)| {
            for (weight, scale) in row.iter_mut().zip(&scales) {
                *weight *= scale;
            }
            row[item] = 0.0;
        });
        Self { items, width, weights }
    }

    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// What an item speaks for and against.
    pub(super) fn row(&self, item: usize) -> &[f32] {
        &self.weights[item * self.width..item * self.width + self.items]
    }

    /// The scores of a signal on the items.
    pub(super) fn scores(&self, signal: &[f32]) -> Vec<f32> {
        let mut scores = vec![0f32; self.items];
        for (item, x) in signal.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            for (score, weight) in scores.iter_mut().zip(self.row(item)) {
                *score += x * weight;
            }
        }
        scores
    }
}
