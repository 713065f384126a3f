//! The exact best rows of scores that only grow, kept in constant amortised time per growth.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use hashbrown::HashSet;

use crate::top::compare;
use crate::{Allow, Row, Scored};

/// Holds at least the `capacity` best rows among those offered, and at most twice as many.
///
/// Whatever is not a member is no better than `floor`, and every member is at least as good. A row is offered each
/// time its score grows, so the invariant costs one comparison for most rows; the list is cut back to `capacity`, and
/// the floor raised, once it has doubled.
#[derive(Clone, Debug)]
pub(super) struct TopList {
    capacity: usize,
    members: Vec<Row>,
    present: HashSet<Row>,
    floor: Option<Ranked>,
}

/// A row with its score, ordered by score, then the smaller row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ranked {
    pub(super) score: f64,
    pub(super) row: Row,
}

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.row.cmp(&self.row))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TopList {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, members: Vec::new(), present: HashSet::new(), floor: None }
    }

    /// Takes note that the score of `row` grew.
    pub(super) fn offer(&mut self, row: Row, scores: &[f64]) {
        let ranked = Ranked { score: scores[row as usize], row };
        if self.floor.is_some_and(|floor| ranked < floor) || !self.present.insert(row) {
            return;
        }
        self.members.push(row);
        if self.members.len() >= 2 * self.capacity {
            self.cut(scores);
        }
    }

    /// Multiplies the floor as the scores were multiplied.
    pub(super) fn rescale(&mut self, rescale: impl Fn(f64) -> f64) {
        if let Some(floor) = &mut self.floor {
            floor.score = rescale(floor.score);
        }
    }

    /// Whether rows may exist that were offered and are no members.
    pub(super) fn is_cut(&self) -> bool {
        self.floor.is_some()
    }

    /// The members as a heap, best first.
    pub(super) fn ranked(&self, scores: &[f64]) -> BinaryHeap<Ranked> {
        self.members.iter().map(|&row| Ranked { score: scores[row as usize], row }).collect()
    }

    fn cut(&mut self, scores: &[f64]) {
        let ranked = |row: Row| Ranked { score: scores[row as usize], row };
        self.members.select_nth_unstable_by(self.capacity - 1, |a, b| ranked(*b).cmp(&ranked(*a)));
        for row in self.members.drain(self.capacity..) {
            self.present.remove(&row);
        }
        self.floor = Some(ranked(self.members[self.capacity - 1]));
    }
}

/// Takes the best `limit` allowed rows with a positive score off `heap`.
///
/// Ranked by the full precision, ties by row; callers that round order again with [`order_rounded`].
pub(super) fn take_best(mut heap: BinaryHeap<Ranked>, limit: usize, allow: &dyn Allow) -> Vec<Ranked> {
    let mut best = Vec::new();
    while best.len() < limit
        && let Some(ranked) = heap.pop()
        && ranked.score > 0.0
    {
        if allow.allows(ranked.row) {
            best.push(ranked);
        }
    }
    best
}

/// Puts rows whose scores became equal by rounding in the order of rows.
pub(super) fn order_rounded(mut scored: Vec<Scored>) -> Vec<Scored> {
    scored.sort_by(compare);
    scored
}
