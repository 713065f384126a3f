//! The nearest of many centres, for many rows: a tile of 4 rows x 16 centres at a time stays in registers.

use super::lanes::{pairs, scale_add, settled};
use super::vectorised;

/// Centres laid out in panels of sixteen.
#[derive(Clone, Debug)]
pub(crate) struct Centres {
    width: usize,
    panels: Vec<f32>,
    /// Half the squared length of each, infinite where a panel has no further centre.
    halves: Vec<[[f32; 8]; 2]>,
}

impl Centres {
    /// From row-major centres of `width` numbers, a multiple of sixteen.
    pub(crate) fn new(centres: &[f32], width: usize) -> Self {
        let count = (centres.len() / width).div_ceil(16);
        let mut panels = vec![0f32; count * 16 * width];
        let mut halves = vec![[[f32::INFINITY; 8]; 2]; count];
        for (number, centre) in centres.chunks_exact(width).enumerate() {
            let (panel, lane) = (number / 16, number % 16);
            for (k, &value) in centre.iter().enumerate() {
                panels[(panel * width + k) * 16 + lane] = value;
            }
            halves[panel][lane / 8][lane % 8] = centre.iter().map(|x| x * x).sum::<f32>() / 2.0;
        }
        Self { width, panels, halves }
    }

    /// Numbers of a centre.
    pub(crate) fn width(&self) -> usize {
        self.width
    }
}

vectorised! {
    /// Writes the number of the centre nearest to each row of `rows` to `nearest`.
    pub(crate) fn nearest(centres: &Centres, rows: &[f32], nearest: &mut [u32]) {
        let width = centres.width;
        for (four, nearest) in rows.chunks(4 * width).zip(nearest.chunks_mut(4)) {
            // A last block of fewer rows repeats its last one.
            let row = |k: usize| { let k = k.min(nearest.len() - 1); &four[k * width..(k + 1) * width] };
            let rows = [row(0), row(1), row(2), row(3)];
            let mut best = [[[f32::NEG_INFINITY; 8]; 2]; 4];
            let mut which = [[[0u32; 8]; 2]; 4];
            for (number, (panel, half)) in (0u32..).zip(centres.panels.chunks_exact(16 * width).zip(&centres.halves)) {
                let panel = &pairs(panel)[..width];
                let mut sums = [[[0f32; 8]; 2]; 4];
                for k in 0..width {
                    for (sum, row) in sums.iter_mut().zip(rows) {
                        scale_add(&mut sum[0], row[k], &panel[k][0]);
                        scale_add(&mut sum[1], row[k], &panel[k][1]);
                    }
                }
                for ((sum, best), which) in settled(sums).iter().zip(&mut best).zip(&mut which) {
                    for part in 0..2 {
                        for lane in 0..8 {
                            // |y - c|^2 = |y|^2 - 2 (y.c - |c|^2 / 2)
                            let near = sum[part][lane] - half[part][lane];
                            let better = near > best[part][lane];
                            best[part][lane] = if better { near } else { best[part][lane] };
                            which[part][lane] = if better { number } else { which[part][lane] };
                        }
                    }
                }
            }
            for ((nearest, best), which) in nearest.iter_mut().zip(&best).zip(&which) {
                let lanes = (0..16).map(|lane| (best[lane / 8][lane % 8], which[lane / 8][lane % 8] * 16 + lane as u32));
                let first = lanes.reduce(|a, b| if b.0 > a.0 || (b.0 == a.0 && b.1 < a.1) { b } else { a });
                *nearest = first.map_or(0, |(_, number)| number);
            }
        }
    }
}
