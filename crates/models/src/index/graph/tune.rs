//! How long a list a walk has to keep.

use rayon::prelude::*;

use super::GraphOptions;
use super::walk::Graph;
use crate::index::QuantisedIndex;
use crate::index::coarse::MEASURED;
use crate::model::Row;

/// What was chosen, and measured with it.
pub(super) struct Tuned {
    pub(super) width: usize,
    /// The longest list with which a walk costs less than reading every row.
    pub(super) most: usize,
    pub(super) recall: f64,
    pub(super) share: f64,
}

/// A sample query and its exact answer, by row.
struct Sampled<'a> {
    query: &'a [f32],
    best: Vec<Row>,
}

/// What walks with one width found.
struct Measured {
    recall: f64,
    /// Rows compared on a walk, in the mean.
    compared: f64,
}

/// Lengthens the list until every other query meets the recall, and measures it on those between. Where that costs as much as
/// reading every row, every row is to be read.
pub(super) fn tune(graph: &Graph, index: &QuantisedIndex, queries: &[f32], options: &GraphOptions) -> Tuned {
    let sampled: Vec<Sampled<'_>> =
        queries.par_chunks_exact(index.dimensions()).map(|query| sample(index, query)).collect();
    let affordable = index.len() as f64 / f64::from(options.step_cost);
    let mut width = MEASURED;
    loop {
        let chosen = measure(graph, &sampled, 0, width);
        if chosen.compared > affordable {
            return Tuned { width: index.len().max(1), most: 0, recall: 1.0, share: 1.0 };
        }
        // A list that holds every row cannot grow.
        if chosen.recall >= f64::from(options.recall) || width >= index.len() {
            let measured = measure(graph, &sampled, 1, width);
            let most = (width as f64 * affordable / chosen.compared.max(1.0)) as usize;
            let share = measured.compared / index.len().max(1) as f64;
            return Tuned { width, most, recall: measured.recall, share };
        }
        width += width / 4;
    }
}

fn sample<'a>(index: &QuantisedIndex, query: &'a [f32]) -> Sampled<'a> {
    let exact = index.search_exact(query, MEASURED, &|_: Row| true);
    let mut best: Vec<Row> = exact.into_iter().map(|scored| scored.row).collect();
    best.sort_unstable();
    Sampled { query, best }
}

/// Walks for every other query from the `first` on.
fn measure(graph: &Graph, sampled: &[Sampled<'_>], first: usize, width: usize) -> Measured {
    let half: Vec<&Sampled<'_>> = sampled.iter().skip(first).step_by(2).collect();
    let walked = half.par_iter().map_init(Vec::new, |found, sampled| {
        let compared = graph.walk(sampled.query, width, found);
        let met = found.iter().filter(|near| sampled.best.binary_search(near.id()).is_ok()).count();
        (met, compared)
    });
    let (met, compared) = walked.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let wanted: usize = half.iter().map(|sampled| sampled.best.len()).sum();
    Measured {
        recall: if wanted == 0 { 1.0 } else { met as f64 / wanted as f64 },
        compared: compared as f64 / half.len().max(1) as f64,
    }
}
