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

pub use exact::Exact;
pub use options::{FilterOptions, Form};
pub use train::{Stage, train};

use crate::error::ModelError;
use crate::model::{Allow, Past, Query, Retrieve, Row, Score, Scored, usable};
use crate::sums::Sums;

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

    /// The scores of a history; `None` where it holds nothing that the filter knows.
    pub(crate) fn sums(&self, history: &[Past]) -> Option<Sums> {
        let mut sums = Sums::new(self.items());
        let known = |past: &&Past| usable(past.weight) && (past.row as usize) < self.items();
        let mut anything = false;
        for past in history.iter().filter(known) {
            anything = true;
            for (row, weight) in self.entries_of(past.row) {
                sums.add(row, past.weight * weight);
            }
        }
        anything.then_some(sums)
    }
}

impl Retrieve for Filter {
    fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Only items that the history speaks for.
    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.sums(query.history).map(|sums| sums.best(limit, allow)).unwrap_or_default()
    }
}

impl Score for Filter {
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        match self.sums(query.history) {
            Some(sums) => sums.scores(self.items(), rows, scores),
            None => scores.fill(f32::NEG_INFINITY),
        }
    }
}

#[cfg(test)]
mod tests;
