//! Solution of symmetric positive definite systems.

use crate::kernels::lanes::{Lanes, blocks, blocks_mut, multiply_add, scale_add, total};

/// Solves `A x = b` in place for a symmetric positive definite `A` of `size` rows, of which the upper triangle is
/// read. Rows and `b` are `width` long, a multiple of eight and not below `size`, and zero beyond `size`.
///
/// Factorises `A = U'U` in place, right-looking: every update runs along rows, so nothing waits for a sum across
/// lanes. Blocks start at a multiple of eight, so entries left of the diagonal are overwritten with nonsense. The
/// diagonal of `U` is kept inverted, since it is only ever divided by.
#[inline(always)]
pub(crate) fn solve(matrix: &mut [f32], b: &mut [f32], size: usize, width: usize) {
    for k in 0..size {
        let (above, below) = matrix.split_at_mut((k + 1) * width);
        let row = &mut above[k * width..];
        // Rounding may push the pivot of a nearly singular matrix below zero; the floor keeps the solution finite.
        let inverse = 1.0 / row[k].max(f32::MIN_POSITIVE).sqrt();
        for lanes in &mut blocks_mut(row)[k / 8..] {
            for value in lanes {
                *value *= inverse;
            }
        }
        row[k] = inverse;
        let row = &*row;
        for (column, target) in (k + 1..size).zip(below.chunks_exact_mut(width)) {
            subtract(&mut blocks_mut(target)[column / 8..], row[column], &blocks(row)[column / 8..]);
        }
        // Forward substitution goes along.
        b[k] *= inverse;
        let solved = b[k];
        let b = &mut blocks_mut(b)[k / 8..];
        scale_add(&mut b[0], -solved, &right_of(row, k));
        subtract(&mut b[1..], solved, &blocks(row)[k / 8 + 1..]);
    }
    for k in (0..size).rev() {
        let row = &matrix[k * width..(k + 1) * width];
        let solved = &blocks(b)[k / 8..];
        let mut sum: Lanes = [0.0; 8];
        multiply_add(&mut sum, &right_of(row, k), &solved[0]);
        for (x, y) in blocks(row)[k / 8 + 1..].iter().zip(&solved[1..]) {
            multiply_add(&mut sum, x, y);
        }
        b[k] = (b[k] - total(&sum)) * row[k];
    }
}

/// The block of `row` that holds entry `k`, with zeros up to and including it.
#[inline(always)]
fn right_of(row: &[f32], k: usize) -> Lanes {
    let block = &blocks(row)[k / 8];
    std::array::from_fn(|lane| if lane > k % 8 { block[lane] } else { 0.0 })
}

#[inline(always)]
fn subtract(target: &mut [Lanes], factor: f32, row: &[Lanes]) {
    for (target, row) in target.iter_mut().zip(row) {
        scale_add(target, -factor, row);
    }
}
