//! Filters: linear models from a user's own history to every item.
//!
//! # The graph filter
//!
//! The users and items of the interactions R are a graph; a history is a signal on its items, and what suits the user is that
//! signal with its noise filtered away. With `N = Du^-a R Di^-b` (degrees to the powers `a` and `b`), a history `x` has the
//! scores
//!
//! ```text
//! s = x N'N + w x Di^-b V V' Di^b        less  sharpen * s N'N
//! ```
//!
//! The first term is linear: items that occur together, each occurrence counting the less the more its user and the two
//! items have. The second is the ideal low-pass filter on the leading right singular vectors V of N. With `a = b = 1/2` the two
//! are GF-CF (Shen et al. 2021, "How Powerful is Graph Convolution for Recommendation?"). Taking away what another
//! smoothing would spread is the sharpening of BSPM (Choi et al. 2023, "Blurring-Sharpening Process Models for
//! Collaborative Filtering"), in one step of Euler.
//!
//! # EASE
//!
//! The matrix with the least squared error is known in closed form ([`Form::Ease`]).
//!
//! # Serving
//!
//! Either is one items x items matrix, applied to a history that may have changed a moment ago. It is dense, so what
//! serves ([`Filter`]) keeps a bounded number of entries for each item; [`Exact`] is the whole, to see what that loses.

mod ease;
mod exact;
mod graph;
mod options;
mod train;

use std::cell::RefCell;

pub use exact::Exact;
pub use options::{FilterOptions, Form};
pub use train::{Stage, train};

use crate::error::ModelError;
use crate::model::{Allow, Past, Query, Retrieve, Row, Score, Scored};
use crate::top::TopK;

/// A filter as it serves: for each item the items it speaks for and against most, with their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    options: FilterOptions,
    offsets: Vec<u32>,
    rows: Vec<Row>,
    weights: Vec<f32>,
}

/// The plain arrays of a filter, for storage.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterParts {
    /// How it was trained.
    pub options: FilterOptions,
    /// How many entries each item has.
    pub lengths: Vec<u32>,
    /// The items of all entries, item by item, ascending within one.
    pub rows: Vec<Row>,
    /// Their weights.
    pub weights: Vec<f32>,
}

impl Filter {
    /// From stored parts.
    ///
    /// # Errors
    /// Lengths that do not fit together, items that do not ascend or are none, weights that are not finite, options outside
    /// their range.
    pub fn from_parts(parts: FilterParts) -> Result<Self, ModelError> {
        let FilterParts { options, lengths, rows, weights } = parts;
        options.validate()?;
        let check = |ok: bool, what: &str| {
            if ok { Ok(()) } else { Err(ModelError::Parts { what: what.to_owned() }) }
        };
        let total: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        check(
            total == rows.len() as u64 && total <= u64::from(u32::MAX),
            "lengths must add up to the entries",
        )?;
        check(rows.len() == weights.len(), "each entry must have an item and a weight")?;
        check(weights.iter().all(|weight| weight.is_finite()), "weights must be finite")?;
        let mut offsets = Vec::with_capacity(lengths.len() + 1);
        offsets.push(0);
        let mut end = 0;
        for length in &lengths {
            let entries = &rows[end..end + *length as usize];
            check(entries.is_sorted_by(|a, b| a < b), "the items of an item must ascend")?;
            check(
                entries.last().is_none_or(|last| (*last as usize) < lengths.len()),
                "entries must be items",
            )?;
            end += entries.len();
            offsets.push(end as u32);
        }
        Ok(Self { options, offsets, rows, weights })
    }

    /// The parts from which [`Filter::from_parts`] makes the same filter again, bit for bit.
    pub fn to_parts(&self) -> FilterParts {
        FilterParts {
            options: self.options,
            lengths: self.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect(),
            rows: self.rows.clone(),
            weights: self.weights.clone(),
        }
    }

    /// How the filter was trained.
    pub fn options(&self) -> &FilterOptions {
        &self.options
    }

    /// Entries kept, of all items.
    pub fn entries(&self) -> usize {
        self.rows.len()
    }

    /// What an item speaks for and against, with weights.
    pub fn entries_of(&self, item: Row) -> impl ExactSizeIterator<Item = (Row, f32)> + '_ {
        let item = item as usize;
        let range = match self.offsets.get(item + 1) {
            Some(end) => self.offsets[item] as usize..*end as usize,
            None => 0..0,
        };
        self.rows[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// Calls `work` with the scores of a history, or gives `None` where it holds nothing that the filter knows.
    fn with_scores<T>(&self, history: &[Past], work: impl FnOnce(&Scores) -> T) -> Option<T> {
        let known = |past: &&Past| usable(past.weight) && (past.row as usize) < self.items();
        SCORES.with_borrow_mut(|scores| {
            scores.begin(self.items());
            let mut anything = false;
            for past in history.iter().filter(known) {
                anything = true;
                for (row, weight) in self.entries_of(past.row) {
                    scores.add(row, past.weight * weight);
                }
            }
            anything.then(|| work(scores))
        })
    }
}

/// Whether an observation of this weight counts.
fn usable(weight: f32) -> bool {
    weight.is_finite() && weight > 0.0
}

/// Sums by row, of which few are touched; cleared in time for those few.
#[derive(Debug, Default)]
struct Scores {
    sums: Vec<f32>,
    /// A sum counts where its mark is the current one.
    marks: Vec<u32>,
    mark: u32,
    touched: Vec<Row>,
}

thread_local! {
    /// One set of sums a thread: they are as long as the catalogue.
    static SCORES: RefCell<Scores> = RefCell::default();
}

impl Scores {
    fn begin(&mut self, items: usize) {
        if self.sums.len() < items {
            self.sums.resize(items, 0.0);
            self.marks.resize(items, 0);
        }
        self.touched.clear();
        self.mark = self.mark.wrapping_add(1);
        if self.mark == 0 {
            self.marks.fill(0);
            self.mark = 1;
        }
    }

    #[inline]
    fn add(&mut self, row: Row, score: f32) {
        let at = row as usize;
        if self.marks[at] == self.mark {
            self.sums[at] += score;
        } else {
            self.marks[at] = self.mark;
            self.sums[at] = score;
            self.touched.push(row);
        }
    }

    /// The score of a row; 0 for one that nothing speaks for or against.
    fn of(&self, row: Row) -> f32 {
        let at = row as usize;
        if self.marks[at] == self.mark { self.sums[at] } else { 0.0 }
    }
}

impl Retrieve for Filter {
    fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Only items that the history speaks for.
    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let found = self.with_scores(query.history, |scores| {
            let mut top = TopK::new(limit);
            for &row in &scores.touched {
                offer(&mut top, row, scores.of(row), allow);
            }
            top.into_ranked()
        });
        found.unwrap_or_default()
    }
}

/// Offers a row that has a positive score and is allowed, which is asked last.
fn offer(top: &mut TopK, row: Row, score: f32, allow: &dyn Allow) {
    if score > 0.0 && score.is_finite() && top.admits(row, score) && allow.allows(row) {
        top.offer(row, score);
    }
}

/// A score as it is told: what overflowed says nothing.
fn told(score: f32) -> f32 {
    if score.is_finite() { score } else { f32::NEG_INFINITY }
}

impl Score for Filter {
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        let items = self.items();
        let known = self.with_scores(query.history, |sums| {
            for (row, score) in rows.iter().zip(&mut *scores) {
                let known = (*row as usize) < items;
                *score = if known { told(sums.of(*row)) } else { f32::NEG_INFINITY };
            }
        });
        if known.is_none() {
            scores.fill(f32::NEG_INFINITY);
        }
    }
}

#[cfg(test)]
mod tests;
