//! The graph filter as the matrices it is the product of.

use std::ops::Range;

use crate::dense::spectrum::{Spectrum, leading};
use crate::filter::FilterOptions;
use crate::kernels::lanes::Pair;
use crate::kernels::sparse::{add_products, combine_lanes};
use crate::matrix::Csr;

/// Signals filtered at once: one in each lane of two registers.
pub(super) const LANES: usize = 16;

/// The normalised interactions and their singular vectors. Scores of a history cost a pass over all interactions.
#[derive(Debug)]
pub(super) struct Graph {
    options: FilterOptions,
    /// N, users x items.
    normalised: Csr,
    /// N', items x users.
    turned: Csr,
    spectrum: Option<Spectrum>,
    /// Degrees of the items to the power of `item_power`; 0 for items of no user.
    scales: Vec<f32>,
    /// The same, `low_pass` times as large.
    weighted: Vec<f32>,
}

impl Graph {
    /// Normalises `matrix` and finds its singular vectors; `progress` is told of passes done.
    pub(super) fn new(matrix: &Csr, options: &FilterOptions, progress: &mut dyn FnMut(usize)) -> Self {
        let turned = matrix.transpose();
        let powers = |matrix: &Csr, power: f32| -> Vec<f32> {
            let degrees = matrix.iter().map(|row| row.weights.iter().map(|w| f64::from(*w)).sum::<f64>());
            degrees.map(|degree| if degree > 0.0 { degree.powf(power.into()) as f32 } else { 0.0 }).collect()
        };
        let (users, items) = (powers(matrix, options.user_power), powers(&turned, options.item_power));
        let normalised = matrix.scaled(|user, item, weight| weight / (users[user] * items[item]));
        let turned = normalised.transpose();
        let wanted = options.components > 0 && options.low_pass > 0.0;
        let spectrum = wanted.then(|| {
            leading(&normalised, &turned, options.components, options.passes, options.seed, progress)
        });
        let spectrum = spectrum.filter(|spectrum| spectrum.width > 0);
        let weighted = items.iter().map(|scale| scale * options.low_pass).collect();
        Self { options: *options, normalised, turned, spectrum, scales: items, weighted }
    }

    /// How many items there are.
    pub(super) fn items(&self) -> usize {
        self.normalised.columns()
    }

    fn users(&self) -> usize {
        self.normalised.rows()
    }

    /// The rows of the matrix of at most sixteen items: `block[j]` has in its lane l the weight of item j in the row of
    /// `items.start + l`.
    pub(super) fn block(&self, items: Range<usize>, scratch: &mut Scratch) -> Vec<Pair> {
        let mut signals = vec![[[0f32; 8]; 2]; self.items()];
        for (lane, item) in items.enumerate() {
            signals[item][lane / 8][lane % 8] = 1.0;
        }
        self.filtered(&signals, scratch)
    }

    /// Filters sixteen signals on the items at once.
    fn filtered(&self, signals: &[Pair], scratch: &mut Scratch) -> Vec<Pair> {
        let mut scores = vec![[[0f32; 8]; 2]; self.items()];
        self.smooth(signals, scratch, &mut scores);
        if let Some(spectrum) = &self.spectrum {
            let panel = self.panel(spectrum, signals);
            add_products(&mut scores, &spectrum.vectors, &self.weighted, &panel);
        }
        if self.options.sharpen > 0.0 {
            let mut blurred = vec![[[0f32; 8]; 2]; self.items()];
            self.smooth(&scores, scratch, &mut blurred);
            for (score, blurred) in
                scores.iter_mut().flatten().flatten().zip(blurred.iter().flatten().flatten())
            {
                *score -= self.options.sharpen * blurred;
            }
        }
        scores
    }

    /// Signals times N'N.
    fn smooth(&self, signals: &[Pair], scratch: &mut Scratch, scores: &mut [Pair]) {
        scratch.users.clear();
        scratch.users.resize(self.users(), [[0f32; 8]; 2]);
        combine_lanes(&mut scratch.users, 0, &self.normalised, signals);
        combine_lanes(scores, 0, &self.turned, &scratch.users);
    }

    /// The signals in the space of the singular vectors, one number of each for each vector.
    fn panel(&self, spectrum: &Spectrum, signals: &[Pair]) -> Vec<Pair> {
        let mut panel = vec![[[0f32; 8]; 2]; spectrum.width];
        let rows = spectrum.vectors.chunks_exact(spectrum.width);
        for ((signal, row), scale) in signals.iter().zip(rows).zip(&self.scales) {
            if *scale == 0.0 || signal.iter().flatten().all(|x| *x == 0.0) {
                continue;
            }
            for (sum, x) in panel.iter_mut().zip(row) {
                for (half, signal) in sum.iter_mut().zip(signal) {
                    for (lane, signal) in half.iter_mut().zip(signal) {
                        *lane += x * (signal / scale);
                    }
                }
            }
        }
        panel
    }

    /// The scores of a signal on the items.
    pub(super) fn scores(&self, signal: &[f32]) -> Vec<f32> {
        let signals: Vec<Pair> =
            signal.iter().map(|x| [[*x, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0; 8]]).collect();
        self.filtered(&signals, &mut Scratch::default()).iter().map(|score| score[0][0]).collect()
    }
}

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    users: Vec<Pair>,
}
