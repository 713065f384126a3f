//! The graph itself, and the walk over it.
//!
//! A graph finds what is near, not what has the highest inner product. So rows are scaled until the longest has length
//! 1 and get one more number each that completes them all to that length: then `|q - y|^2 = |q|^2 + 1 - 2 q.y`, and the
//! nearest row is the best (Bachrach et al. 2014, "Speeding Up the Xbox Recommender System").

use std::cell::RefCell;
use std::num::NonZero;
use std::pin::pin;
use std::task::{Context as Waiting, Poll, Waker};

use diskann::graph::config::{Builder, MaxDegree as Degrees};
use diskann::graph::search::Knn;
use diskann::graph::{DiskANNIndex, config::defaults};
use diskann::neighbor::Neighbor;
use diskann_inmem::num::{Capacity, MaxDegree};
use diskann_inmem::repr::Full;
use diskann_inmem::{Context, Provider, Strategy};
use diskann_utils::views::rowmajor::Owned;
use diskann_vector::distance::Metric;
use rayon::prelude::*;

use super::{GraphOptions, tune};
use crate::error::ModelError;
use crate::index::coarse::{Coarse, CoarseKind, CoarseReport, Stage};
use crate::index::codes::QuantisedQuery;
use crate::index::{QuantisedIndex, score};
use crate::model::Row;

/// Rows are padded to so many numbers, which the library compares at once.
const PADDING: usize = 8;
/// Searches that find their scratch made.
const SCRATCH: NonZero<usize> = NonZero::new(16).unwrap();

thread_local! {
    /// What a walk found, kept from search to search.
    static FOUND: RefCell<Vec<Neighbor<Row>>> = const { RefCell::new(Vec::new()) };
}

/// The live rows of an index in a graph.
pub(super) struct Graph {
    index: DiskANNIndex<Provider<Full<f32>, Row>>,
    dimensions: usize,
    rows: usize,
    degree: usize,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("rows", &self.rows).field("degree", &self.degree).finish()
    }
}

/// Joins the live rows of `index` to a graph, tuned on `queries`.
pub(in crate::index) fn build(
    index: &QuantisedIndex,
    queries: &[f32],
    options: &GraphOptions,
) -> Result<Coarse, ModelError> {
    let live: Vec<Row> = index.live_rows().collect();
    let graph = Graph::fill(index, &live, options)?;
    let tuned = tune::tune(&graph, index, queries, options);
    let report = CoarseReport {
        kind: CoarseKind::Graph,
        parts: live.len(),
        width: tuned.width,
        recall: tuned.recall,
        share: tuned.share,
        rows: index.len(),
        bytes: graph.bytes(),
    };
    Ok(Coarse::new(index.dimensions(), tuned.most, report, graph))
}

impl Graph {
    fn fill(index: &QuantisedIndex, live: &[Row], options: &GraphOptions) -> Result<Self, ModelError> {
        let dimensions = index.dimensions();
        let vectors = || live.iter().filter_map(|&row| index.row(row));
        let longest = vectors().map(square).fold(0f64, f64::max).sqrt();
        let scale = if longest > 0.0 { 1.0 / longest } else { 1.0 };
        let mut mean = vec![0f64; dimensions];
        for vector in vectors() {
            mean.iter_mut().zip(vector).for_each(|(mean, y)| *mean += f64::from(*y) * scale);
        }
        let mut start: Vec<f32> = mean.iter().map(|sum| (sum / live.len().max(1) as f64) as f32).collect();
        start.resize(padded(dimensions), 0.0);

        let degree = (options.degree as f32 * defaults::GRAPH_SLACK_FACTOR) as usize;
        let config =
            Builder::new(options.degree, Degrees::new(degree), options.list, Metric::L2.into()).build();
        let start = Owned::row_vector(start.into_boxed_slice());
        let store = Full::config(Capacity::new(live.len().max(1)), MaxDegree::new(degree), Metric::L2, start);
        let provider = Provider::new(store.map_err(refused)?).map_err(refused)?;
        let graph = DiskANNIndex::new(config.map_err(refused)?, provider, Some(SCRATCH));
        live.par_iter().try_for_each_init(Vec::new, |vector, &row| {
            let Some(y) = index.row(row) else { return Ok(()) };
            complete(y, scale, vector);
            at_once(graph.insert(&Strategy, &Context, &row, vector.as_slice()))
        })?;
        Ok(Self { index: graph, dimensions, rows: live.len(), degree })
    }

    /// Of the store, whose nodes hold a row, its neighbours and their number.
    fn bytes(&self) -> usize {
        self.rows * (padded(self.dimensions) + self.degree + 1) * size_of::<f32>()
    }

    /// Walks with a list of `width` towards the best rows for `query`, writes those in the list to `found`, nearest first, and says how
    /// many rows were compared. Finds nothing where the query has no direction.
    pub(super) fn walk(&self, query: &[f32], width: usize, found: &mut Vec<Neighbor<Row>>) -> usize {
        found.clear();
        let length = square(query).sqrt();
        if !length.is_finite() || length == 0.0 {
            return 0;
        }
        let mut vector = Vec::with_capacity(padded(self.dimensions));
        vector.extend(query.iter().map(|q| (f64::from(*q) / length) as f32));
        vector.resize(padded(self.dimensions), 0.0);
        let Ok(search) = Knn::new(width, None) else { return 0 };
        // A walk that fails finds nothing, and then every row is read.
        let walked = at_once(self.index.search(search, &Strategy, &Context, vector.as_slice(), found));
        match walked {
            Ok(stats) => stats.cmps as usize,
            Err(_) => {
                found.clear();
                0
            }
        }
    }
}

impl Stage for Graph {
    /// Names the rows in the list of a walk. They lie scattered, so their scores cost no more than bounds would.
    fn read(
        &self,
        index: &QuantisedIndex,
        query: &QuantisedQuery,
        width: usize,
        rows: &mut Vec<Row>,
        bounds: &mut Vec<f32>,
    ) {
        let mut found = FOUND.take();
        self.walk(&query.exact[..self.dimensions], width, &mut found);
        for &row in found.iter().map(Neighbor::id) {
            let Some(vector) = index.padded_row(row) else { continue };
            rows.push(row);
            bounds.push(score(&query.exact, vector));
        }
        FOUND.set(found);
    }
}

/// Length of rows in the store: the row, the number that completes it, zeros.
fn padded(dimensions: usize) -> usize {
    (dimensions + 1).next_multiple_of(PADDING)
}

fn square(vector: &[f32]) -> f64 {
    vector.iter().map(|y| f64::from(*y).powi(2)).sum()
}

/// The row scaled and completed to length 1.
fn complete(row: &[f32], scale: f64, vector: &mut Vec<f32>) {
    vector.clear();
    vector.extend(row.iter().map(|y| (f64::from(*y) * scale) as f32));
    vector.push((1.0 - square(row) * scale * scale).max(0.0).sqrt() as f32);
    vector.resize(padded(row.len()), 0.0);
}

/// The library speaks of futures for the sake of stores on disk; one in memory never waits.
fn at_once<T, E: std::fmt::Display>(future: impl Future<Output = Result<T, E>>) -> Result<T, ModelError> {
    match pin!(future).poll(&mut Waiting::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.map_err(refused),
        Poll::Pending => Err(refused("it waits")),
    }
}

fn refused(error: impl std::fmt::Display) -> ModelError {
    ModelError::Parts { what: format!("the graph library refuses: {error}") }
}
