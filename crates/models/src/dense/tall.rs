//! Tall matrices: many short rows, each padded with zeros to a multiple of sixteen numbers.

use headwater_base::random::Random;
use rand::Rng as _;
use rayon::prelude::*;

use crate::kernels::lanes::PADDING;
use crate::kernels::product::{Rotation, add_gram, rotate_rows};

/// Rows that one task turns: enough to be worth handing out, few enough to balance.
const BLOCK: usize = 64;
/// Most parts of a parallel sum, and least rows of a part.
const MOST_PARTS: usize = 64;
const LEAST_PART: usize = 1024;

/// The Gram matrix `F'F` of the rows of `factors`, d x d. The parts are cut by the number of rows alone, and added up
/// in order, so that the sum has the same bits whatever the number of threads.
pub(crate) fn gram(factors: &[f32], d: usize) -> Vec<f64> {
    let width = padded(d);
    let part_rows = (factors.len() / width).div_ceil(MOST_PARTS).max(LEAST_PART);
    let parts: Vec<Vec<f32>> = factors
        .par_chunks(part_rows * width)
        .map(|rows| {
            let mut part = vec![0f32; width * width];
            add_gram(&mut part, rows, width);
            part
        })
        .collect();
    let mut sum = vec![0f64; d * d];
    for part in parts {
        for row in 0..d {
            for column in row..d {
                sum[row * d + column] += f64::from(part[row * width + column]);
            }
        }
    }
    for row in 0..d {
        for column in 0..row {
            sum[row * d + column] = sum[column * d + row];
        }
    }
    sum
}

/// Turns every row.
pub(crate) fn rotate(rotation: &Rotation, rows: &mut [f32]) {
    rows.par_chunks_mut(BLOCK * rotation.width()).for_each(|rows| rotate_rows(rotation, rows));
}

/// Length of a vector of `factors` numbers in memory.
pub(crate) fn padded(factors: usize) -> usize {
    factors.next_multiple_of(PADDING)
}

/// Rows of independent normal numbers, by the transform of Box and Muller (1958), padded with zeros.
pub(crate) fn normal_rows(random: &mut Random, deviation: f32, rows: usize, factors: usize) -> Vec<f32> {
    let width = padded(factors);
    // 24 bits make every f32 below 1 of that spacing; 1 - u is never 0.
    let mut uniform = || (random.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
    let mut numbers = vec![0f32; rows * width];
    for row in numbers.chunks_exact_mut(width) {
        for pair in row[..factors].chunks_mut(2) {
            let radius = deviation * (-2.0 * (1.0 - uniform()).ln()).sqrt();
            let (sine, cosine) = (std::f32::consts::TAU * uniform()).sin_cos();
            for (number, value) in pair.iter_mut().zip([radius * cosine, radius * sine]) {
                *number = value;
            }
        }
    }
    numbers
}
