//! A filter whole: what serves is cut from it.

use crate::filter::ease::Ease;
use crate::filter::graph::Graph;
use crate::model::{Allow, Past, Query, Retrieve, Row, Score, Scored, usable};
use crate::sums::{offer, told};
use crate::top::TopK;

/// A filter before it is cut to serve, for comparison: its answers take long.
#[derive(Debug)]
pub struct Exact(pub(super) Whole);

#[derive(Debug)]
pub(super) enum Whole {
    Graph(Box<Graph>),
    Ease(Ease),
}

impl Exact {
    /// The scores of a history; `None` where it holds nothing that is known.
    fn scores(&self, history: &[Past]) -> Option<Vec<f32>> {
        let mut signal = vec![0f32; self.items()];
        let mut anything = false;
        for past in history.iter().filter(|past| usable(past.weight)) {
            if let Some(x) = signal.get_mut(past.row as usize) {
                *x += past.weight;
                anything = true;
            }
        }
        anything.then(|| match &self.0 {
            Whole::Graph(graph) => graph.scores(&signal),
            Whole::Ease(ease) => ease.scores(&signal),
        })
    }
}

impl Retrieve for Exact {
    fn items(&self) -> usize {
        match &self.0 {
            Whole::Graph(graph) => graph.items(),
            Whole::Ease(ease) => ease.items(),
        }
    }

    /// Only items that the history speaks for.
    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let mut top = TopK::new(limit);
        for (row, score) in (0..).zip(self.scores(query.history).unwrap_or_default()) {
            offer(&mut top, row, score, allow);
        }
        top.into_ranked()
    }
}

impl Score for Exact {
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        let Some(sums) = self.scores(query.history) else {
            scores.fill(f32::NEG_INFINITY);
            return;
        };
        for (row, score) in rows.iter().zip(scores) {
            *score = sums.get(*row as usize).map_or(f32::NEG_INFINITY, |sum| told(*sum));
        }
    }
}
