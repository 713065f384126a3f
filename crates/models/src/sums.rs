//! Sums by row of which few are touched: cleared in time for those few.

use std::cell::RefCell;

use crate::model::{Allow, Row, Scored};
use crate::top::TopK;

/// Sums by row, in memory that the thread keeps from one use to the next: it is as long as a catalogue.
#[derive(Debug, Default)]
pub(crate) struct Sums(Memory);

#[derive(Debug, Default)]
struct Memory {
    sums: Vec<f32>,
    /// A sum counts where its mark is the current one.
    marks: Vec<u32>,
    mark: u32,
    touched: Vec<Row>,
}

/// The most that a thread keeps: as many as are in use at once.
const KEPT: usize = 4;

thread_local! {
    static MEMORIES: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

impl Sums {
    /// Sums of `rows` rows, all 0.
    pub(crate) fn new(rows: usize) -> Self {
        let mut memory = MEMORIES.with_borrow_mut(Vec::pop).unwrap_or_default();
        if memory.sums.len() < rows {
            memory.sums.resize(rows, 0.0);
            memory.marks.resize(rows, 0);
        }
        memory.touched.clear();
        memory.mark = memory.mark.wrapping_add(1);
        if memory.mark == 0 {
            memory.marks.fill(0);
            memory.mark = 1;
        }
        Self(memory)
    }

    /// Adds to the sum of a row.
    #[inline]
    pub(crate) fn add(&mut self, row: Row, score: f32) {
        let Memory { sums, marks, mark, touched } = &mut self.0;
        let at = row as usize;
        if marks[at] == *mark {
            sums[at] += score;
        } else {
            marks[at] = *mark;
            sums[at] = score;
            touched.push(row);
        }
    }

    /// The sum of a row; 0 for one that nothing was added to.
    #[inline]
    pub(crate) fn of(&self, row: Row) -> f32 {
        let at = row as usize;
        if self.0.marks[at] == self.0.mark { self.0.sums[at] } else { 0.0 }
    }

    /// The rows that something was added to, in the order in which it first was, with their sums.
    pub(crate) fn touched(&self) -> impl ExactSizeIterator<Item = (Row, f32)> + '_ {
        self.0.touched.iter().map(|row| (*row, self.0.sums[*row as usize]))
    }

    /// The `limit` best allowed rows among those with a positive sum.
    pub(crate) fn best(&self, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let mut top = TopK::new(limit);
        for (row, score) in self.touched() {
            offer(&mut top, row, score, allow);
        }
        top.into_ranked()
    }

    /// Writes the sum of `rows[i]` to `scores[i]`; negative infinity for rows from `items` on and sums that are not finite.
    pub(crate) fn scores(&self, items: usize, rows: &[Row], scores: &mut [f32]) {
        for (row, score) in rows.iter().zip(scores) {
            let known = (*row as usize) < items;
            *score = if known { told(self.of(*row)) } else { f32::NEG_INFINITY };
        }
    }
}

impl Drop for Sums {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        MEMORIES.with_borrow_mut(|kept| {
            if kept.len() < KEPT {
                kept.push(memory);
            }
        });
    }
}

/// Offers a row that has a positive score and is allowed, which is asked last.
pub(crate) fn offer(top: &mut TopK, row: Row, score: f32, allow: &dyn Allow) {
    if score > 0.0 && score.is_finite() && top.admits(row, score) && allow.allows(row) {
        top.offer(row, score);
    }
}

/// A score as it is told: what overflowed says nothing.
pub(crate) fn told(score: f32) -> f32 {
    if score.is_finite() { score } else { f32::NEG_INFINITY }
}

/// Standard deviation of the scores of `items` items, of which `scores` are those that are not 0.
pub(crate) fn deviation(scores: impl Iterator<Item = f32>, items: usize) -> f32 {
    let (mut sum, mut squares) = (0f64, 0f64);
    for score in scores {
        sum += f64::from(score);
        squares += f64::from(score) * f64::from(score);
    }
    let items = items as f64;
    (squares / items - (sum / items).powi(2)).max(0.0).sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_start_at_nothing_each_time_and_are_apart() {
        for round in 1..4 {
            let (mut one, mut other) = (Sums::new(5), Sums::new(9));
            one.add(3, 1.0);
            one.add(1, -2.0);
            one.add(3, round as f32);
            other.add(8, 7.0);
            assert_eq!(one.touched().collect::<Vec<_>>(), [(3, 1.0 + round as f32), (1, -2.0)]);
            assert_eq!((one.of(0), one.of(1), other.of(3), other.of(8)), (0.0, -2.0, 0.0, 7.0));
            let mut scores = [0.0; 3];
            other.scores(9, &[8, 2, 9], &mut scores);
            assert_eq!(scores, [7.0, 0.0, f32::NEG_INFINITY]);
            assert_eq!(one.best(5, &|_| true), [Scored { row: 3, score: 1.0 + round as f32 }]);
        }
    }

    #[test]
    fn marks_start_anew_when_they_have_been_through() {
        let memory = Memory { mark: u32::MAX - 1, ..Memory::default() };
        MEMORIES.with_borrow_mut(|kept| kept.push(memory));
        for round in 0..3 {
            let mut sums = Sums::new(4);
            assert_eq!(sums.of(2), 0.0, "{round}");
            sums.add(2, 1.0);
            assert_eq!((sums.of(2), sums.touched().len()), (1.0, 1));
        }
    }

    #[test]
    fn the_deviation_counts_the_items_without_a_score() {
        assert_eq!(deviation([2.0, 2.0].into_iter(), 4), 1.0);
        assert_eq!(deviation([].into_iter(), 4), 0.0);
    }
}
