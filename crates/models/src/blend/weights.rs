//! The weights that rank held-out items best.
//!
//! The measure, NDCG, moves in steps, so it has no gradient; but there are few members, and the candidates of a case with
//! their scores are computed once. So the weights are found by pattern search: from equal weights, a step up or down of one of
//! them at a time for as long as that helps, then steps half as long.

use rayon::prelude::*;

use crate::metrics::Judged;
use crate::model::{Row, Scored};
use crate::top::TopK;

/// Where the steps begin and below which length they end, as shares of the sum of the weights.
const STEPS: (f32, f32) = (0.25, 0.01);

/// A case with the candidates for it.
#[derive(Clone, Debug)]
pub struct PanelCase {
    /// The candidates, ascending.
    pub rows: Vec<Row>,
    /// `scores[m][k]`: what member m gives candidate k, as [`super::Blend::apart`] tells it.
    pub scores: Vec<Vec<f32>>,
    /// What was held out, ascending.
    pub relevant: Vec<Row>,
}

/// Cases that weights are judged on.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// The cases.
    pub cases: Vec<PanelCase>,
}

impl PanelCase {
    fn ndcg(&self, weights: &[f32], cut: usize) -> f64 {
        let mut sums = vec![0f32; self.rows.len()];
        for (scores, weight) in self.scores.iter().zip(weights) {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += weight * score;
            }
        }
        let mut top = TopK::new(cut);
        for (&row, score) in self.rows.iter().zip(sums) {
            top.offer(row, score);
        }
        let ranked: Vec<Row> = top.into_ranked().iter().map(|Scored { row, .. }| *row).collect();
        Judged::new(&ranked, &self.relevant).map_or(0.0, |judged| judged.ndcg(cut))
    }
}

impl Panel {
    /// Mean NDCG of these weights at a cut.
    pub fn ndcg(&self, weights: &[f32], cut: usize) -> f64 {
        // Collected before they are added, so that the sum does not depend on the threads.
        let values: Vec<f64> = self.cases.par_iter().map(|case| case.ndcg(weights, cut)).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    }

    /// Weights of `members` members, which sum to 1, of the best mean NDCG at `cut` that the search finds; equal ones without a
    /// case.
    pub fn weights(&self, members: usize, cut: usize) -> Vec<f32> {
        let mut best = vec![1.0 / members as f32; members];
        if self.cases.is_empty() {
            return best;
        }
        let mut reached = self.ndcg(&best, cut);
        let mut step = STEPS.0;
        while step >= STEPS.1 {
            let mut moved = false;
            for (member, sign) in (0..members).flat_map(|member| [(member, 1.0), (member, -1.0)]) {
                let Some(weights) = stepped(&best, member, sign * step) else { continue };
                let ndcg = self.ndcg(&weights, cut);
                if ndcg > reached {
                    (best, reached, moved) = (weights, ndcg, true);
                }
            }
            if !moved {
                step /= 2.0;
            }
        }
        best
    }
}

/// The weights with one moved by `step`, at least to 0, scaled to sum to 1 again; `None` where nothing would be left.
fn stepped(weights: &[f32], member: usize, step: f32) -> Option<Vec<f32>> {
    let mut moved = weights.to_vec();
    moved[member] = (moved[member] + step).max(0.0);
    let sum: f32 = moved.iter().sum();
    (sum > 0.0).then(|| moved.iter().map(|weight| weight / sum).collect())
}
