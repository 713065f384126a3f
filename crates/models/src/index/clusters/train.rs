//! Centres by k-means on a sample, and the nearest centre of every row.

use headwater_base::random::seeded;
use rand::RngExt as _;
use rayon::prelude::*;

use super::ClusterOptions;
use crate::index::QuantisedIndex;
use crate::kernels::lanes::PADDING;
use crate::kernels::nearest::{Centres, nearest};
use crate::model::Row;

/// Rows a centre is the mean of, in the sample.
const SAMPLE: usize = 24;
/// Rows that one task takes.
const BLOCK: usize = 1024;

/// The rows that are sorted.
pub(super) struct Rows<'a> {
    pub(super) index: &'a QuantisedIndex,
    pub(super) live: &'a [Row],
}

impl Rows<'_> {
    pub(super) fn width(&self) -> usize {
        self.index.dimensions().next_multiple_of(PADDING)
    }

    fn copy(&self, row: Row, target: &mut Vec<f32>) {
        match self.index.padded_row(row) {
            Some(padded) => target.extend_from_slice(padded),
            None => target.resize(target.len() + self.width(), 0.0),
        }
    }
}

/// `count` centres, row-major with padding.
pub(super) fn centres(rows: &Rows<'_>, count: usize, options: &ClusterOptions) -> Vec<f32> {
    let width = rows.width();
    let mut random = seeded(options.seed, "index/clusters");
    // A shuffle of which only the start is made.
    let mut sample = rows.live.to_vec();
    let size = sample.len().min(count.saturating_mul(SAMPLE));
    for k in 0..size {
        let other = random.random_range(k..sample.len());
        sample.swap(k, other);
    }
    sample.truncate(size);
    let mut centres = Vec::with_capacity(count * width);
    for &row in sample.iter().take(count) {
        rows.copy(row, &mut centres);
    }
    if centres.is_empty() {
        centres.resize(width, 0.0);
    }
    for _ in 0..options.passes {
        let near = assign(rows, &sample, &Centres::new(&centres, width));
        let mut sums = vec![0f32; centres.len()];
        let mut sizes = vec![0f32; centres.len() / width];
        for (&row, &number) in sample.iter().zip(&near) {
            let Some(vector) = rows.index.padded_row(row) else { continue };
            let sum = &mut sums[number as usize * width..][..width];
            sum.iter_mut().zip(vector).for_each(|(sum, y)| *sum += y);
            sizes[number as usize] += 1.0;
        }
        // A centre that is nearest to nothing stays where it is, as does one whose sum overflows.
        for ((centre, sum), &size) in
            centres.chunks_exact_mut(width).zip(sums.chunks_exact(width)).zip(&sizes)
        {
            if size > 0.0 && sum.iter().all(|x| x.is_finite()) {
                centre.iter_mut().zip(sum).for_each(|(centre, sum)| *centre = sum / size);
            }
        }
    }
    centres
}

/// The nearest centre of each of `which`.
pub(super) fn assign(rows: &Rows<'_>, which: &[Row], centres: &Centres) -> Vec<u32> {
    let mut near = vec![0; which.len()];
    near.par_chunks_mut(BLOCK).zip(which.par_chunks(BLOCK)).for_each(|(near, which)| {
        let mut block = Vec::with_capacity(which.len() * centres.width());
        which.iter().for_each(|&row| rows.copy(row, &mut block));
        nearest(centres, &block, near);
    });
    near
}
