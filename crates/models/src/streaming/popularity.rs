//! Decayed popularity: how much an item was interacted with, what is older counting for less.

use std::collections::BinaryHeap;
use std::time::Duration;

use headwater_base::Timestamp;

use super::decay::{HalfLife, power_of_two};
use super::top_list::{Ranked, TopList, order_rounded, take_best};
use crate::{Allow, Query, Retrieve, Row, Scored};

/// Rows kept ready for all items, and for each segment of them.
const TOP_ROWS: usize = 512;
const TOP_ROWS_OF_SEGMENT: usize = 128;
/// Half-lives the newest event may run ahead of the landmark before the landmark follows. What is this much older
/// than the newest event has faded to 2^-500 and counts as nothing.
const RANGE: i64 = 500;

/// Sum over interactions of weight x 2^(-age / half-life), for all items and for numbered segments of them (the
/// items of one category), best items first at any time.
///
/// Scores in here are relative to a landmark and only grow, so the best rows are kept as they come; a read whose
/// filter exhausts them falls back to ordering everything, so it is exact under any filter. Memory is 8 bytes a row
/// and about 10 KiB a segment at most.
#[derive(Clone, Debug)]
pub struct DecayedPopularity {
    half_life: HalfLife,
    /// Whole half-lives at which a weight of 1 counts 1; `None` before the first interaction.
    landmark: Option<i64>,
    newest: Timestamp,
    scores: Vec<f64>,
    top: TopList,
    segments: Vec<TopList>,
}

impl DecayedPopularity {
    /// Nothing seen yet.
    pub fn new(half_life: Duration) -> Self {
        Self {
            half_life: HalfLife::new(half_life),
            landmark: None,
            newest: Timestamp::EPOCH,
            scores: Vec::new(),
            top: TopList::new(TOP_ROWS),
            segments: Vec::new(),
        }
    }

    /// Rebuilds what [`Self::landmark`], [`Self::newest`] and [`Self::scores`] gave; segments are entered anew.
    pub fn from_parts(
        half_life: Duration,
        landmark: Option<i64>,
        newest: Timestamp,
        scores: Vec<f64>,
    ) -> Self {
        let mut popularity = Self { landmark, newest, scores, ..Self::new(half_life) };
        for row in 0..popularity.scores.len() {
            if popularity.scores[row] > 0.0 {
                popularity.top.offer(row as Row, &popularity.scores);
            }
        }
        popularity
    }

    /// The landmark, in whole half-lives since the epoch; `None` before the first interaction.
    pub fn landmark(&self) -> Option<i64> {
        self.landmark
    }

    /// The time of the newest interaction; scores are told as of then.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }

    /// The scores relative to the landmark, by row.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Counts an interaction with `row`, which is in `segments`. A weight that is not positive counts nothing.
    pub fn observe(
        &mut self,
        row: Row,
        time: Timestamp,
        weight: f32,
        segments: impl IntoIterator<Item = u32>,
    ) {
        self.grow(row as usize + 1);
        if weight.is_nan() || weight <= 0.0 {
            return;
        }
        let growth = self.half_life.growth(time);
        let landmark = self.landmark_for(growth.whole);
        self.newest = self.newest.max(time);
        if growth.whole - landmark < -RANGE {
            return;
        }
        self.scores[row as usize] += f64::from(weight) * growth.relative_to(landmark);
        self.top.offer(row, &self.scores);
        for segment in segments {
            self.enter(row, segment);
        }
    }

    /// Puts `row` into a segment with the score it has.
    ///
    /// Leaving a segment needs no call: the reader's filter knows where a row belongs.
    pub fn enter(&mut self, row: Row, segment: u32) {
        let segment = segment as usize;
        if self.segments.len() <= segment {
            self.segments.resize_with(segment + 1, || TopList::new(TOP_ROWS_OF_SEGMENT));
        }
        self.grow(row as usize + 1);
        if self.scores[row as usize] > 0.0 {
            self.segments[segment].offer(row, &self.scores);
        }
    }

    /// The score of a row as of the newest interaction; 0 for an unknown one.
    pub fn score(&self, row: Row) -> f32 {
        self.present(self.scores.get(row as usize).copied().unwrap_or(0.0))
    }

    /// The `limit` best allowed rows, best first, ties by row, with their scores as of the newest interaction.
    pub fn best(&self, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.best_of(&self.top, limit, allow)
    }

    /// The same among the rows of one segment; `allow` must refuse rows that left it.
    pub fn best_of_segment(&self, segment: u32, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        match self.segments.get(segment as usize) {
            Some(list) => self.best_of(list, limit, allow),
            None => Vec::new(),
        }
    }

    /// Adds what `other` counted, `row_of` translating its rows; segments are entered anew by the caller.
    ///
    /// Equal to having observed both streams, up to the rounding of sums.
    pub fn merge(&mut self, other: &Self, row_of: impl Fn(Row) -> Row) {
        let Some(theirs) = other.landmark else { return };
        let landmark = self.landmark_for(theirs);
        let factor = power_of_two(theirs - landmark);
        self.newest = self.newest.max(other.newest);
        for (row, score) in other.scores.iter().enumerate() {
            let row = row_of(row as Row);
            self.grow(row as usize + 1);
            self.scores[row as usize] += flush(score * factor);
            self.top.offer(row, &self.scores);
        }
    }

    fn best_of(&self, list: &TopList, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let mut best = take_best(list.ranked(&self.scores), limit, allow);
        if best.len() < limit && list.is_cut() {
            let everything: BinaryHeap<Ranked> = self
                .scores
                .iter()
                .enumerate()
                .filter(|(_, score)| **score > 0.0)
                .map(|(row, score)| Ranked { score: *score, row: row as Row })
                .collect();
            best = take_best(everything, limit, allow);
        }
        let present = |ranked: Ranked| Scored { row: ranked.row, score: self.present(ranked.score) };
        order_rounded(best.into_iter().map(present).collect())
    }

    fn present(&self, score: f64) -> f32 {
        let Some(landmark) = self.landmark else { return 0.0 };
        // A score can exceed the range of f32 only if weights do; it stays finite all the same.
        (score / self.half_life.growth(self.newest).relative_to(landmark)).min(f64::from(f32::MAX)) as f32
    }

    /// The landmark to count an event of `whole` half-lives by, moved forward first if it lags too far behind.
    fn landmark_for(&mut self, whole: i64) -> i64 {
        let landmark = *self.landmark.get_or_insert(whole);
        if whole - landmark <= RANGE {
            return landmark;
        }
        let factor = power_of_two(landmark - whole);
        let rescale = |score: f64| flush(score * factor);
        self.scores.iter_mut().for_each(|score| *score = rescale(*score));
        self.top.rescale(rescale);
        self.segments.iter_mut().for_each(|list| list.rescale(rescale));
        self.landmark = Some(whole);
        whole
    }

    fn grow(&mut self, rows: usize) {
        if self.scores.len() < rows {
            self.scores.resize(rows, 0.0);
        }
    }
}

/// Nothing where a score has faded out of range: below it, multiplying would round and could reorder.
fn flush(score: f64) -> f64 {
    if score < power_of_two(-RANGE) { 0.0 } else { score }
}

impl Retrieve for DecayedPopularity {
    fn items(&self) -> usize {
        self.scores.len()
    }

    /// The most popular rows, whatever the query.
    fn retrieve(&self, _query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.best(limit, allow)
    }
}
