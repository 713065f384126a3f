//! Ranks the catalogue for every case and measures the lists.

use headwater_models::metrics::{Coverage, Judged, auc};
use headwater_models::{Query, Retrieve, Row, Score};
use headwater_stats::bootstrap::{Resampling, mean_intervals, paired_difference};
use rayon::prelude::*;

use super::report::{Estimate, Metrics};
use crate::dataset::{Case, Split};
use crate::fit::Fitted;

/// Name and value of the metrics of one list at one cut.
const PER_CUT: [&str; 6] = ["recall", "precision", "hit_rate", "ndcg", "map", "mrr"];

/// Cases that have an AUC at most, spread evenly: it takes the scores of the whole catalogue, which for every user of
/// a large data set would take longer than training.
const AUC_CASES: usize = 2_000;

/// One value per metric and case, before they are averaged.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    at: Vec<usize>,
    /// `columns[cut * PER_CUT.len() + metric][case]`.
    columns: Vec<Vec<f64>>,
    /// Of at most [`AUC_CASES`] cases; empty where the model cannot score single items.
    auc: Vec<f64>,
    /// Share of the catalogue shown at each cut.
    coverage: Vec<f64>,
}

/// What one case gives.
struct Outcome {
    values: Vec<f64>,
    auc: Option<f64>,
    ranked: Vec<Row>,
}

/// Measures a model on cases of a split, in parallel; the result does not depend on the number of threads.
pub fn measure(fitted: &Fitted, split: &Split, cases: &[Case], at: &[usize]) -> Measured {
    measure_ranking(fitted.retrieve(), fitted.score(), split, cases, at)
}

/// The same of any ranking, with an area under the curve where single items can be scored.
pub(super) fn measure_ranking(
    model: &dyn Retrieve,
    score: Option<&dyn Score>,
    split: &Split,
    cases: &[Case],
    at: &[usize],
) -> Measured {
    let longest = at.iter().copied().max().unwrap_or(0);
    let stride = cases.len().div_ceil(AUC_CASES).max(1);
    let outcomes: Vec<Outcome> = cases
        .par_iter()
        .enumerate()
        .filter_map(|(number, case)| {
            let ranked = rank(model, split, case, longest);
            let judged = Judged::new(&ranked, &case.relevant)?;
            let values = at.iter().flat_map(|&k| at_cut(&judged, k)).collect();
            let auc =
                score.filter(|_| number.is_multiple_of(stride)).and_then(|model| area(model, split, case));
            Some(Outcome { values, auc, ranked })
        })
        .collect();
    let columns = (0..at.len() * PER_CUT.len())
        .map(|column| outcomes.iter().map(|outcome| outcome.values[column]).collect())
        .collect();
    let coverage = |&k: &usize| {
        let mut coverage = Coverage::new(split.catalogue);
        for outcome in &outcomes {
            coverage.add(&outcome.ranked[..k.min(outcome.ranked.len())]);
        }
        coverage.share()
    };
    Measured {
        at: at.to_vec(),
        columns,
        auc: outcomes.iter().filter_map(|outcome| outcome.auc).collect(),
        coverage: at.iter().map(coverage).collect(),
    }
}

fn at_cut(judged: &Judged, k: usize) -> [f64; PER_CUT.len()] {
    [
        judged.recall(k),
        judged.precision(k),
        judged.hit_rate(k),
        judged.ndcg(k),
        judged.average_precision(k),
        judged.reciprocal_rank(k),
    ]
}

/// The rows of the history that are no candidates, ascending.
fn excluded(split: &Split, case: &Case) -> Vec<Row> {
    if split.repeats {
        return Vec::new();
    }
    let mut rows: Vec<Row> = case.history.iter().map(|past| past.row).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// The `limit` best candidates: what the model retrieves, then what it cannot score, by id.
pub(super) fn rank(model: &dyn Retrieve, split: &Split, case: &Case, limit: usize) -> Vec<Row> {
    let excluded = excluded(split, case);
    let allow = |row: Row| excluded.binary_search(&row).is_err();
    let query = Query { history: &case.history, item: None };
    let found = model.retrieve(&query, limit, &allow);
    let mut ranked: Vec<Row> = found.iter().map(|scored| scored.row).collect();
    if ranked.len() < limit {
        let mut retrieved = ranked.clone();
        retrieved.sort_unstable();
        let rest = split.by_id.iter().filter(|row| allow(**row) && retrieved.binary_search(row).is_err());
        let missing = limit - ranked.len();
        ranked.extend(rest.take(missing));
    }
    ranked
}

/// Area under the ROC curve over all candidates.
fn area(model: &dyn Score, split: &Split, case: &Case) -> Option<f64> {
    let mut candidate = vec![true; split.catalogue];
    for row in excluded(split, case) {
        candidate[row as usize] = false;
    }
    let rows: Vec<Row> = (0..split.catalogue as Row).filter(|row| candidate[*row as usize]).collect();
    let mut scores = vec![f32::NEG_INFINITY; rows.len()];
    model.score(&Query { history: &case.history, item: None }, &rows, &mut scores);
    let (mut positives, mut negatives) = (Vec::new(), Vec::with_capacity(rows.len()));
    for (row, score) in rows.iter().zip(scores) {
        let side = if case.relevant.binary_search(row).is_ok() { &mut positives } else { &mut negatives };
        side.push(score);
    }
    auc(&positives, negatives)
}

impl Measured {
    /// How many cases were measured.
    pub fn cases(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The mean of one metric at one of the cuts.
    pub fn mean(&self, metric: &str, k: usize) -> Option<f64> {
        let metric = PER_CUT.iter().position(|name| *name == metric)?;
        let cut = self.at.iter().position(|&cut| cut == k)?;
        let column = &self.columns[cut * PER_CUT.len() + metric];
        (!column.is_empty()).then(|| column.iter().sum::<f64>() / column.len() as f64)
    }

    /// The values of one metric at one of the cuts, case by case.
    pub fn column(&self, metric: &str, k: usize) -> Option<&[f64]> {
        let metric = PER_CUT.iter().position(|name| *name == metric)?;
        let cut = self.at.iter().position(|&cut| cut == k)?;
        Some(&self.columns[cut * PER_CUT.len() + metric])
    }

    /// Mean differences to another model on the same cases, with their 95 % intervals: what both find easy or hard
    /// drops out, so they are narrower than the intervals of the two means.
    ///
    /// # Panics
    /// Where the two were measured on different cases or at different cuts.
    pub fn difference(&self, other: &Self, seed: u64) -> Metrics {
        assert_eq!(self.at, other.at, "differences are between the same cuts");
        let resampling = Resampling { seed, ..Resampling::default() };
        let mut metrics = Metrics::new();
        for ((name, mine), theirs) in self.names().zip(&self.columns).zip(&other.columns) {
            if let Some(interval) = paired_difference(mine, theirs, &resampling) {
                metrics.insert(name, interval.into());
            }
        }
        metrics
    }

    /// The name of each column.
    fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.at.iter().flat_map(|k| PER_CUT.map(|name| format!("{name}@{k}")))
    }

    /// Means with their 95 % intervals. Coverage is a count over the whole run, not a mean over cases: its interval
    /// is the value itself.
    pub fn metrics(&self, seed: u64) -> Metrics {
        let resampling = Resampling { seed, ..Resampling::default() };
        let mut metrics = Metrics::new();
        let columns: Vec<&[f64]> = self.columns.iter().map(Vec::as_slice).collect();
        if let Some(intervals) = mean_intervals(&columns, &resampling) {
            metrics.extend(self.names().zip(intervals.into_iter().map(Estimate::from)));
        }
        if let Some(intervals) = mean_intervals(&[&self.auc], &resampling) {
            metrics.insert("auc".to_owned(), intervals[0].into());
        }
        for (k, &value) in self.at.iter().zip(&self.coverage) {
            metrics.insert(format!("coverage@{k}"), Estimate { value, low: value, high: value });
        }
        metrics
    }
}
