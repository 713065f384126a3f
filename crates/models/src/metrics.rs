//! Ranking metrics of one case, over a ranked list of rows and the set of relevant ones.
//!
//! With `h(i)` = 1 where the item at rank `i` (from 1) is relevant, `n` relevant items and a cut `k`:
//! - recall = hits in the first `k` / `n` (not min(`k`, `n`)); precision = those hits / `k`; hit rate = whether any;
//! - NDCG = sum h(i)/log2(i+1) over the first `k`, divided by the same sum of an ideal list of min(`k`, `n`) hits
//!   (binary gain; Järvelin and Kekäläinen 2002);
//! - average precision = sum h(i) x precision@i over the first `k`, divided by min(`k`, `n`);
//! - reciprocal rank = 1 / rank of the first hit, 0 where it is not in the first `k`.
//!
//! A case without relevant items has no value for any of them and is left out by the caller: see [`Judged::new`].

use crate::model::Row;

/// A ranked list judged against the relevant items of its case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    hits: Vec<bool>,
    relevant: usize,
}

impl Judged {
    /// Judges `ranked` (best first, no repetition) against `relevant` (any order; repetitions count once).
    ///
    /// `None` where nothing is relevant: no metric is defined then.
    pub fn new(ranked: &[Row], relevant: &[Row]) -> Option<Self> {
        let mut relevant = relevant.to_vec();
        relevant.sort_unstable();
        relevant.dedup();
        if relevant.is_empty() {
            return None;
        }
        let hits = ranked.iter().map(|row| relevant.binary_search(row).is_ok()).collect();
        Some(Self { hits, relevant: relevant.len() })
    }

    /// Ranks (from 1) of the hits within the first `k`.
    fn ranks(&self, k: usize) -> impl Iterator<Item = usize> + '_ {
        self.hits.iter().take(k).enumerate().filter(|(_, hit)| **hit).map(|(index, _)| index + 1)
    }

    /// Share of the relevant items found in the first `k`.
    pub fn recall(&self, k: usize) -> f64 {
        self.ranks(k).count() as f64 / self.relevant as f64
    }

    /// Share of the first `k` places that are hits; a shorter list leaves its missing places empty.
    pub fn precision(&self, k: usize) -> f64 {
        self.ranks(k).count() as f64 / k.max(1) as f64
    }

    /// 1 where any of the first `k` is relevant, else 0.
    pub fn hit_rate(&self, k: usize) -> f64 {
        if self.ranks(k).next().is_some() { 1.0 } else { 0.0 }
    }

    /// Normalised discounted cumulative gain of the first `k`.
    pub fn ndcg(&self, k: usize) -> f64 {
        let discount = |rank: usize| 1.0 / ((rank + 1) as f64).log2();
        let ideal: f64 = (1..=k.min(self.relevant)).map(discount).sum();
        if ideal == 0.0 { 0.0 } else { self.ranks(k).map(discount).sum::<f64>() / ideal }
    }

    /// Average precision of the first `k`; its mean over cases is MAP.
    pub fn average_precision(&self, k: usize) -> f64 {
        let sum: f64 = (1usize..).zip(self.ranks(k)).map(|(found, rank)| found as f64 / rank as f64).sum();
        sum / k.min(self.relevant).max(1) as f64
    }

    /// Reciprocal of the first hit's rank, 0 beyond `k`; its mean over cases is MRR.
    pub fn reciprocal_rank(&self, k: usize) -> f64 {
        self.ranks(k).next().map_or(0.0, |rank| 1.0 / rank as f64)
    }
}

/// Area under the ROC curve of one case over its full ranking: the share of (relevant, irrelevant) pairs in the right
/// order, ties counting half (Mann and Whitney 1947). Non-finite scores stand below every finite one and tie.
///
/// `positives` are the scores of the relevant candidates, `negatives` of all others; `None` where either is empty.
/// Takes O((p + n) log p) for p positives, so it suits a few relevant items in a large catalogue.
pub fn auc(positives: &[f32], negatives: impl IntoIterator<Item = f32>) -> Option<f64> {
    let sunk = |score: f32| if score.is_finite() { score } else { f32::NEG_INFINITY };
    let mut sorted: Vec<f32> = positives.iter().copied().map(sunk).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let (mut doubled, mut count) = (0u64, 0u64);
    for score in negatives {
        let score = sunk(score);
        // `<` and `<=` rather than total order, so that -0.0 ties with 0.0.
        let below = sorted.partition_point(|positive| *positive < score);
        let not_above = below + sorted[below..].partition_point(|positive| *positive <= score);
        doubled += 2 * (sorted.len() - not_above) as u64 + (not_above - below) as u64;
        count += 1;
    }
    let pairs = count * sorted.len() as u64;
    (pairs > 0).then(|| doubled as f64 / (2 * pairs) as f64)
}

/// Share of a catalogue that was shown at least once.
#[derive(Clone, Debug)]
pub struct Coverage {
    seen: Vec<bool>,
}

impl Coverage {
    /// Of a catalogue of `items` rows.
    pub fn new(items: usize) -> Self {
        Self { seen: vec![false; items] }
    }

    /// Counts a list that was shown; rows outside the catalogue do not count.
    pub fn add(&mut self, shown: &[Row]) {
        for &row in shown {
            if let Some(seen) = self.seen.get_mut(row as usize) {
                *seen = true;
            }
        }
    }

    /// Counts what another has counted, over the same catalogue.
    pub fn merge(&mut self, other: &Self) {
        for (seen, also) in self.seen.iter_mut().zip(&other.seen) {
            *seen |= also;
        }
    }

    /// Shown items / items of the catalogue; 0 for an empty catalogue.
    pub fn share(&self) -> f64 {
        self.seen.iter().filter(|seen| **seen).count() as f64 / self.seen.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests;
