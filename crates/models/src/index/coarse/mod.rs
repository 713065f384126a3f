//! The coarse stage of a search: which rows are worth reading, when not all are read.
//!
//! A coarse stage is built from the rows of an index, never changes, and names candidates for a query: the wider it
//! reads, the more. The index scores them as it scores rows that it reads itself, so nothing that is found is scored
//! approximately; what can happen is that a row is missed.
//!
//! How wide a search has to read is measured when the stage is built: on half of the sample queries the least is chosen with
//! which the exact answer is met to the recall that is asked for, on the other half that recall is measured again
//! and reported.

use super::QuantisedIndex;
use super::clusters::{self, ClusterOptions};
use super::codes::QuantisedQuery;
use super::graph::{self, GraphOptions};
use crate::error::ModelError;
use crate::model::Row;

/// Length of the lists for which the recall is measured.
pub const MEASURED: usize = 100;

/// Which coarse stage, and how it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CoarseOptions {
    /// Rows sorted into clusters.
    Clusters(ClusterOptions),
    /// Rows joined to a graph, where [`super::GRAPH_BUILT_IN`] says so.
    Graph(GraphOptions),
}

impl Default for CoarseOptions {
    fn default() -> Self {
        Self::Clusters(ClusterOptions::default())
    }
}

impl CoarseOptions {
    /// Share of the exact 100 best rows that a search should find.
    pub fn recall(&self) -> f32 {
        match self {
            Self::Clusters(options) => options.recall,
            Self::Graph(options) => options.recall,
        }
    }

    /// Threads that build it; 0 takes all.
    pub fn threads(&self) -> usize {
        match self {
            Self::Clusters(options) => options.threads,
            Self::Graph(options) => options.threads,
        }
    }

    /// Seed of what is drawn when it is built and tuned.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Clusters(options) => options.seed,
            Self::Graph(options) => options.seed,
        }
    }

    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validate(&self) -> Result<(), ModelError> {
        if !(0.5..=1.0).contains(&self.recall()) {
            let value = f64::from(self.recall());
            return Err(ModelError::Option { option: "recall", value, expected: "0.5 to 1" });
        }
        let Self::Graph(options) = self else { return Ok(()) };
        let ranged = [
            ("degree", options.degree, 2..=512, "2 to 512"),
            ("list", options.list, 2..=4_096, "2 to 4,096"),
        ];
        for (option, value, range, expected) in ranged {
            if !range.contains(&value) {
                return Err(ModelError::Option { option, value: value as f64, expected });
            }
        }
        if !options.step_cost.is_finite() || options.step_cost <= 0.0 {
            let value = f64::from(options.step_cost);
            return Err(ModelError::Option { option: "step_cost", value, expected: "a number above 0" });
        }
        Ok(())
    }
}

/// What a coarse stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoarseKind {
    /// Rows sorted into clusters.
    Clusters,
    /// Rows joined to a graph.
    Graph,
}

impl CoarseKind {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clusters => "clusters",
            Self::Graph => "graph",
        }
    }
}

/// What is known of a coarse stage when it is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoarseReport {
    /// What it is.
    pub kind: CoarseKind,
    /// Clusters there are, or rows that the graph joins.
    pub parts: usize,
    /// Clusters that a search reads, or the length of the list with which it walks over the graph.
    pub width: usize,
    /// Share of the exact 100 best rows found, on sample queries that had no part in choosing `width`.
    pub recall: f64,
    /// Share of the rows that a search reads, on the same queries.
    pub share: f64,
    /// Rows of the index it was built from; later ones are all read by every search.
    pub rows: usize,
    /// Bytes of memory beside those of the rows.
    pub bytes: usize,
}

/// Names candidates among the first rows of an index. Never changes: rows that come later are no part of it.
#[derive(Debug)]
pub struct Coarse {
    dimensions: usize,
    /// Wider than this reading everything is as fast.
    most: usize,
    report: CoarseReport,
    stage: Box<dyn Stage>,
}

/// What differs between coarse stages.
pub(super) trait Stage: std::fmt::Debug + Send + Sync {
    /// Appends candidates among the rows of `index` to `rows`, with upper bounds of their exact scores.
    fn read(
        &self,
        index: &QuantisedIndex,
        query: &QuantisedQuery,
        width: usize,
        rows: &mut Vec<Row>,
        bounds: &mut Vec<f32>,
    );
}

impl Coarse {
    /// Builds the stage for the rows of `index`. `queries`, row-major, are those on which recall is measured.
    ///
    /// # Errors
    /// Options outside their range; queries of another length than the rows, or fewer than two; a graph where none is
    /// built in.
    pub fn build(
        index: &QuantisedIndex,
        queries: &[f32],
        options: &CoarseOptions,
    ) -> Result<Self, ModelError> {
        options.validate()?;
        let d = index.dimensions();
        if d == 0 || !queries.len().is_multiple_of(d) || queries.len() < 2 * d {
            let what = "at least two sample queries of the rows' length are needed".into();
            return Err(ModelError::Parts { what });
        }
        on_threads(options.threads(), || match options {
            CoarseOptions::Clusters(options) => Ok(clusters::build(index, queries, options)),
            CoarseOptions::Graph(options) => graph::build(index, queries, options),
        })?
    }

    pub(super) fn new(
        dimensions: usize,
        most: usize,
        report: CoarseReport,
        stage: impl Stage + 'static,
    ) -> Self {
        Self { dimensions, most, report, stage: Box::new(stage) }
    }

    /// What was measured when it was built.
    pub fn report(&self) -> &CoarseReport {
        &self.report
    }

    /// Numbers per row.
    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Wider than this reading everything is as fast.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn stage(&self) -> &dyn Stage {
        self.stage.as_ref()
    }
}

/// Runs `work` on a pool of so many threads; 0 is the one there is.
pub(crate) fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, ModelError> {
    if threads == 0 {
        return Ok(work());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool =
        pool.map_err(|error| ModelError::Parts { what: format!("no threads to build on: {error}") })?;
    Ok(pool.install(work))
}

#[cfg(test)]
mod tests;
