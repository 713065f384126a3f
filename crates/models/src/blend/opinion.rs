//! What a member has to say to one query.

use crate::filter::{Exact, Filter};
use crate::ials::Ials;
use crate::model::{Allow, Query, Retrieve as _, Row, Scored};
use crate::peers::Peers;
use crate::sums::{Sums, deviation, offer};
use crate::top::TopK;

/// A member's answer to one query: the work that all its scores share is done.
pub trait Opinion {
    /// The `limit` best allowed rows, best first, ties by row.
    fn best(&self, limit: usize, allow: &dyn Allow) -> Vec<Scored>;

    /// Writes the score of `rows[i]` to `scores[i]`; what is not known or not finite gets a number that is not finite.
    fn scores(&self, rows: &[Row], scores: &mut [f32]);

    /// Standard deviation of the scores over the items of the training; 0 or not finite where they say nothing.
    fn deviation(&self) -> f32;
}

/// A factorisation's: the user's vector.
pub(super) struct Projected<'a> {
    model: &'a Ials,
    user: Vec<f32>,
}

impl<'a> Projected<'a> {
    pub(super) fn new(model: &'a Ials, query: &Query<'_>) -> Option<Self> {
        Some(Self { user: model.fold_in_user(query.history)?, model })
    }
}

impl Opinion for Projected<'_> {
    fn best(&self, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.model.index().search(&self.user, limit, allow)
    }

    fn scores(&self, rows: &[Row], scores: &mut [f32]) {
        self.model.index().score(&self.user, rows, scores);
    }

    fn deviation(&self) -> f32 {
        self.model.deviation(&self.user)
    }
}

/// A filter's or that of peers: sums of what few rows say.
pub(super) struct Summed {
    items: usize,
    sums: Sums,
}

impl Summed {
    pub(super) fn filter(model: &Filter, query: &Query<'_>) -> Option<Self> {
        Some(Self { items: model.items(), sums: model.sums(query.history)? })
    }

    pub(super) fn peers(model: &Peers, query: &Query<'_>) -> Option<Self> {
        Some(Self { items: model.items(), sums: model.sums(query.history)? })
    }
}

impl Opinion for Summed {
    fn best(&self, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.sums.best(limit, allow)
    }

    fn scores(&self, rows: &[Row], scores: &mut [f32]) {
        self.sums.scores(self.items, rows, scores);
    }

    fn deviation(&self) -> f32 {
        deviation(self.sums.touched().map(|(_, score)| score), self.items)
    }
}

/// A filter's, whole: the scores of all items.
pub(super) struct Listed {
    scores: Vec<f32>,
}

impl Listed {
    pub(super) fn new(model: &Exact, query: &Query<'_>) -> Option<Self> {
        let rows: Vec<Row> = (0..model.items() as Row).collect();
        let mut scores = vec![0.0; rows.len()];
        crate::Score::score(model, query, &rows, &mut scores);
        scores.iter().any(|score| score.is_finite()).then_some(Self { scores })
    }
}

impl Opinion for Listed {
    fn best(&self, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let mut top = TopK::new(limit);
        for (row, &score) in (0..).zip(&self.scores) {
            offer(&mut top, row, score, allow);
        }
        top.into_ranked()
    }

    fn scores(&self, rows: &[Row], scores: &mut [f32]) {
        for (row, score) in rows.iter().zip(scores) {
            *score = self.scores.get(*row as usize).copied().unwrap_or(f32::NEG_INFINITY);
        }
    }

    fn deviation(&self) -> f32 {
        deviation(self.scores.iter().copied(), self.scores.len())
    }
}
