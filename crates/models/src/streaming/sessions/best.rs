//! The best of many scored rows, asking for as few as possible whether they are allowed.

use std::cmp::Reverse;

use crate::{Allow, Row, Scored};

/// How many more than are wanted are put in order at first, for those that are refused.
const SPARE: usize = 8;

/// What it works in, kept for the next request.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    /// The bits of a positive score above those of the row, which are turned so that of equal scores the smaller row is first.
    orders: Vec<u64>,
}

impl Ranking {
    /// The `limit` best allowed rows with a positive, finite score, best first, ties by row.
    pub(super) fn best(
        &mut self,
        scores: impl Iterator<Item = (Row, f32)>,
        limit: usize,
        allow: &dyn Allow,
    ) -> Vec<Scored> {
        self.orders.clear();
        let sound = scores.filter(|(_, score)| *score > 0.0 && score.is_finite());
        self.orders.extend(sound.map(|(row, score)| u64::from(score.to_bits()) << 32 | u64::from(!row)));

        let mut found = Vec::with_capacity(limit.min(self.orders.len()));
        let mut rest = self.orders.as_mut_slice();
        let mut wanted = limit.saturating_add(SPARE);
        while found.len() < limit && !rest.is_empty() {
            if rest.len() > wanted {
                rest.select_nth_unstable_by_key(wanted - 1, |order| Reverse(*order));
            }
            let (next, others) = rest.split_at_mut(wanted.min(rest.len()));
            next.sort_unstable_by_key(|order| Reverse(*order));
            let rows = next
                .iter()
                .map(|order| Scored { row: !(*order as u32), score: f32::from_bits((order >> 32) as u32) });
            found.extend(rows.filter(|scored| allow.allows(scored.row)).take(limit - found.len()));
            rest = others;
            wanted = wanted.saturating_mul(2);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::top::TopK;

    proptest! {
        #[test]
        fn the_best_are_those_of_a_bounded_heap(
            scores in prop::collection::vec(prop_oneof![9 => (-2i8..20).prop_map(f32::from), 1 => Just(f32::NAN)], 0..200),
            limit in 0usize..30,
            refused in 1u32..7,
        ) {
            let allow = |row: Row| !row.is_multiple_of(refused);
            let mut top = TopK::new(limit);
            for (row, score) in (0..).zip(&scores) {
                if *score > 0.0 && allow(row) {
                    top.offer(row, *score);
                }
            }
            let mut ranking = Ranking::default();
            for _ in 0..2 {
                prop_assert_eq!(ranking.best((0..).zip(scores.iter().copied()), limit, &allow), top.clone().into_ranked());
            }
        }
    }

    #[test]
    fn few_are_asked_about() {
        let asked = std::cell::Cell::new(0);
        let allow = |_: Row| {
            asked.set(asked.get() + 1);
            true
        };
        assert_eq!(Ranking::default().best((0..1_000).map(|row| (row, 1.0)), 20, &allow).len(), 20);
        assert_eq!(asked.get(), 20);
    }
}
