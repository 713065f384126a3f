//! Popularity: every item by the sum of its weights. The baseline every other model is shown beside.

use crate::matrix::Csr;
use crate::model::{Allow, Query, Retrieve, Row, Score, Scored};
use crate::top::compare;

/// Static popularity counted over a matrix. Needs no history; never recommends an item nobody has touched.
#[derive(Clone, Debug, PartialEq)]
pub struct Popular {
    counts: Vec<f32>,
    ranked: Vec<Row>,
}

impl Popular {
    /// Sums the weights of each column of `matrix` (users x items).
    pub fn from_matrix(matrix: &Csr) -> Self {
        // Sums in f64: a count of many weights must not stall where f32 runs out of digits.
        let mut sums = vec![0f64; matrix.columns()];
        for row in matrix.iter() {
            for (item, weight) in row.iter() {
                sums[item as usize] += f64::from(weight);
            }
        }
        Self::from_counts(sums.iter().map(|&sum| sum.min(f64::from(f32::MAX)) as f32).collect())
    }

    /// From one count per item; counts that are not positive and finite are taken as none.
    pub fn from_counts(mut counts: Vec<f32>) -> Self {
        for count in &mut counts {
            if !(count.is_finite() && *count > 0.0) {
                *count = 0.0;
            }
        }
        let mut scored: Vec<Scored> =
            (0..).zip(&counts).map(|(row, &score)| Scored { row, score }).filter(|s| s.score > 0.0).collect();
        scored.sort_unstable_by(compare);
        let ranked = scored.iter().map(|scored| scored.row).collect();
        Self { counts, ranked }
    }

    /// One count per item: what [`Popular::from_counts`] takes back.
    pub fn counts(&self) -> &[f32] {
        &self.counts
    }
}

impl Retrieve for Popular {
    fn items(&self) -> usize {
        self.counts.len()
    }

    fn retrieve(&self, _query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let allowed = self.ranked.iter().filter(|row| allow.allows(**row));
        allowed.take(limit).map(|&row| Scored { row, score: self.counts[row as usize] }).collect()
    }
}

impl Score for Popular {
    fn score(&self, _query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        for (row, score) in rows.iter().zip(scores) {
            *score = self.counts.get(*row as usize).copied().unwrap_or(f32::NEG_INFINITY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(popular: &Popular, limit: usize, allow: &dyn Allow) -> Vec<Row> {
        popular.retrieve(&Query::default(), limit, allow).iter().map(|s| s.row).collect()
    }

    #[test]
    fn counts_weights_and_leaves_out_what_nobody_touched() {
        let matrix = Csr::from_pairs(3, 4, [(0, 1, 1.0), (1, 1, 1.0), (2, 3, 5.0), (0, 0, 2.0)]).unwrap();
        let popular = Popular::from_matrix(&matrix);
        assert_eq!(popular.counts(), [2.0, 2.0, 0.0, 5.0]);
        assert_eq!(rows(&popular, 9, &|_| true), [3, 0, 1]);
        assert_eq!(rows(&popular, 1, &|row| row != 3), [0]);
        assert_eq!(Popular::from_counts(popular.counts().to_vec()), popular);
    }

    #[test]
    fn broken_counts_are_none() {
        let popular = Popular::from_counts(vec![f32::NAN, 1.0, f32::INFINITY, -2.0]);
        assert_eq!(rows(&popular, 9, &|_| true), [1]);
        let mut scores = [9.0; 3];
        popular.score(&Query::default(), &[0, 1, 77], &mut scores);
        assert_eq!(scores, [0.0, 1.0, f32::NEG_INFINITY]);
    }
}
