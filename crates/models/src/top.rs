//! Bounded selection of the best rows.
//!
//! One order everywhere: higher scores first, equal scores by row, non-finite scores after every finite one (by row
//! among themselves), so that a broken score can never push a real candidate out.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::model::{Row, Scored};

/// The order of a ranked list: `Less` where `a` stands before `b`.
pub fn compare(a: &Scored, b: &Scored) -> Ordering {
    let by_score = match (a.score.is_finite(), b.score.is_finite()) {
        // Finite numbers always compare; -0.0 and 0.0 are one score.
        (true, true) => b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => Ordering::Equal,
    };
    by_score.then(a.row.cmp(&b.row))
}

/// The best `limit` of what is offered, in memory bounded by what was offered and by `limit`.
#[derive(Clone, Debug)]
pub struct TopK {
    limit: usize,
    heap: BinaryHeap<Kept>,
}

/// Ordered so that the worst kept row is the heap's greatest.
#[derive(Clone, Copy, Debug)]
struct Kept(Scored);

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Kept {}
impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl TopK {
    /// Keeps at most `limit` rows; a limit far above what is offered costs nothing.
    pub fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new() }
    }

    /// Whether the row would be kept if it were offered now. Ask this before anything dear.
    pub fn admits(&self, row: Row, score: f32) -> bool {
        if self.heap.len() < self.limit {
            return true;
        }
        self.heap.peek().is_some_and(|worst| compare(&Scored { row, score }, &worst.0) == Ordering::Less)
    }

    /// Offers a row; true where it was kept, for now. Rows offered twice are kept twice.
    pub fn offer(&mut self, row: Row, score: f32) -> bool {
        if !self.admits(row, score) {
            return false;
        }
        let kept = Kept(Scored { row, score });
        if self.heap.len() < self.limit {
            self.heap.push(kept);
        } else if let Some(mut worst) = self.heap.peek_mut() {
            *worst = kept;
        }
        true
    }

    /// How many rows are kept.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The worst kept row once `limit` rows are kept: a score below it cannot make the list.
    pub fn worst(&self) -> Option<Scored> {
        if self.heap.len() < self.limit { None } else { self.heap.peek().map(|kept| kept.0) }
    }

    /// What was kept, best first.
    pub fn into_ranked(self) -> Vec<Scored> {
        self.heap.into_sorted_vec().into_iter().map(|kept| kept.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranked(limit: usize, scores: &[f32]) -> Vec<Row> {
        let mut top = TopK::new(limit);
        for (row, &score) in (0..).zip(scores) {
            top.offer(row, score);
        }
        top.into_ranked().iter().map(|scored| scored.row).collect()
    }

    #[test]
    fn ties_go_by_row_and_non_finite_scores_last() {
        let scores = [f32::NAN, 1.0, f32::INFINITY, 2.0, 1.0, f32::NEG_INFINITY, -5.0];
        assert_eq!(ranked(9, &scores), [3, 1, 4, 6, 0, 2, 5]);
        assert_eq!(ranked(3, &scores), [3, 1, 4]);
        assert_eq!(ranked(0, &scores), [] as [Row; 0]);
        assert_eq!(ranked(2, &[0.0, -0.0, -0.0]), [0, 1]);
    }

    #[test]
    fn an_endless_limit_reserves_nothing() {
        assert_eq!(ranked(usize::MAX, &[1.0, 3.0]), [1, 0]);
    }

    proptest! {
        #[test]
        fn equals_a_full_sort(
            scores in prop::collection::vec(prop_oneof![8 => (-3i8..3).prop_map(f32::from), 1 => Just(f32::NAN)], 0..60),
            limit in 0usize..70,
        ) {
            let mut all: Vec<Scored> = (0..).zip(&scores).map(|(row, &score)| Scored { row, score }).collect();
            all.sort_by(compare);
            let expected: Vec<Row> = all.iter().take(limit).map(|s| s.row).collect();
            prop_assert_eq!(ranked(limit, &scores), expected);
        }
    }
}
