//! The bounded list of what one item was touched together with.

use super::decay::power_of_two;
use crate::Row;

/// Half-lives a new weight may run ahead of a list's landmark before the landmark follows; well within `f32`.
const RANGE: i32 = 40;
/// Weights below this have faded to nothing.
const FADED: f32 = 1e-18;
/// Ids compared at once; the compiler makes one vector comparison of them.
const LANES: usize = 8;

/// The neighbours of one item with their decayed weights, relative to the list's own landmark.
///
/// A full list makes room by the rule of Misra and Gries ("Finding repeated elements", 1982), applied to its weakest
/// entry: a newcomer at least as heavy as the weakest replaces it; a lighter one is turned away and its weight taken
/// off the weakest. So weights are never overstated, whoever keeps coming gets in, and noise pays for itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeighbourList {
    /// Rows of the neighbours.
    rows: Vec<Row>,
    /// Their weights, side by side with `rows`.
    weights: Vec<f32>,
    /// All weight this item ever took part in, decayed, evicted neighbours included.
    mass: f64,
    /// Whole half-lives at which a weight of 1 counts 1.
    landmark: i32,
}

impl NeighbourList {
    /// Rebuilds a list from what its accessors gave; `None` where rows and weights do not pair up.
    pub fn from_parts(rows: Vec<Row>, weights: Vec<f32>, mass: f64, landmark: i32) -> Option<Self> {
        (rows.len() == weights.len()).then_some(Self { rows, weights, mass, landmark })
    }

    /// Rows of the neighbours, in no meaningful order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Weights of the neighbours, in the order of [`Self::rows`].
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// All weight of the item, relative to the landmark.
    pub fn mass(&self) -> f64 {
        self.mass
    }

    /// The landmark, in whole half-lives since the epoch.
    pub fn landmark(&self) -> i32 {
        self.landmark
    }

    /// The factor by which to multiply a weight given relative to `whole`, after moving the landmark if it lags.
    pub(super) fn factor(&mut self, whole: i32) -> f32 {
        if self.rows.is_empty() {
            self.landmark = whole;
            return 1.0;
        }
        let ahead = whole.saturating_sub(self.landmark);
        if ahead == 0 {
            return 1.0;
        }
        if ahead > RANGE {
            self.move_landmark(whole);
            return 1.0;
        }
        power_of_two(i64::from(ahead)) as f32
    }

    fn move_landmark(&mut self, whole: i32) {
        let factor = power_of_two(i64::from(self.landmark) - i64::from(whole));
        for weight in &mut self.weights {
            *weight *= factor as f32;
            if *weight < FADED {
                *weight = 0.0;
            }
        }
        self.mass *= factor;
        self.landmark = whole;
    }

    /// Adds `weight`, relative to the landmark, to neighbour `row`.
    pub(super) fn add(&mut self, row: Row, weight: f32, limit: usize) {
        self.mass += f64::from(weight);
        if let Some(index) = self.find(row) {
            self.weights[index] += weight;
        } else if self.rows.len() < limit {
            self.push(row, weight, limit);
        } else {
            let weakest = self.weakest();
            if weight >= self.weights[weakest] {
                self.rows[weakest] = row;
                self.weights[weakest] = weight;
            } else {
                self.weights[weakest] -= weight;
            }
        }
    }

    fn push(&mut self, row: Row, weight: f32, limit: usize) {
        if self.rows.len() == self.rows.capacity() {
            let more = self.rows.len().max(2).min(limit - self.rows.len());
            self.rows.reserve_exact(more);
            self.weights.reserve_exact(more);
        }
        self.rows.push(row);
        self.weights.push(weight);
    }

    fn find(&self, row: Row) -> Option<usize> {
        let (chunks, rest) = self.rows.as_chunks::<LANES>();
        for (index, chunk) in chunks.iter().enumerate() {
            if chunk.iter().fold(false, |hit, candidate| hit | (*candidate == row)) {
                let within = chunk.iter().position(|candidate| *candidate == row)?;
                return Some(index * LANES + within);
            }
        }
        let within = rest.iter().position(|candidate| *candidate == row)?;
        Some(chunks.len() * LANES + within)
    }

    /// Index of the smallest weight, the first of equals.
    fn weakest(&self) -> usize {
        let least = self.weights.iter().fold(f32::INFINITY, |least, weight| least.min(*weight));
        self.weights.iter().position(|weight| *weight == least).unwrap_or(0)
    }

    /// Adds all of `other`, whose rows `row_of` translates, and keeps the `limit` heaviest.
    pub(super) fn merge(&mut self, other: &Self, row_of: impl Fn(Row) -> Row, limit: usize) {
        if other.rows.is_empty() {
            return;
        }
        if self.rows.is_empty() {
            self.landmark = other.landmark;
        } else if self.landmark < other.landmark {
            self.move_landmark(other.landmark);
        }
        let factor = power_of_two(i64::from(other.landmark) - i64::from(self.landmark));
        self.mass += other.mass * factor;
        for (row, weight) in other.rows.iter().zip(&other.weights) {
            let (row, weight) = (row_of(*row), weight * factor as f32);
            match self.find(row) {
                Some(index) => self.weights[index] += weight,
                None => {
                    self.rows.push(row);
                    self.weights.push(weight);
                }
            }
        }
        self.keep_heaviest(limit);
    }

    fn keep_heaviest(&mut self, limit: usize) {
        if self.rows.len() <= limit {
            return;
        }
        let mut entries: Vec<(f32, Row)> =
            self.weights.iter().copied().zip(self.rows.iter().copied()).collect();
        entries.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        entries.truncate(limit);
        self.weights = entries.iter().map(|entry| entry.0).collect();
        self.rows = entries.iter().map(|entry| entry.1).collect();
    }
}
