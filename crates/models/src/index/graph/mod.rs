//! Rows joined to a graph, which a search walks from neighbour to neighbour towards the best.
//!
//! The graph is diskann's, an optional library: without the Cargo feature `graph-index` there is none, and building one is refused.
//! What it is worth beside clusters is in `docs/decisions/0014-clusters-before-a-graph.md`.

#[cfg(feature = "graph-index")]
mod tune;
#[cfg(feature = "graph-index")]
mod walk;

#[cfg(feature = "graph-index")]
pub(super) use walk::build;

/// Whether this build has the graph.
pub const GRAPH_BUILT_IN: bool = cfg!(feature = "graph-index");

/// How a graph is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GraphOptions {
    /// Neighbours that a row is meant to have, 2 to 512; while the graph is built it has up to a third more.
    pub degree: usize,
    /// Length of the list with which neighbours are searched, 2 to 4,096; longer makes a better graph, more slowly.
    pub list: usize,
    /// What a comparison on the walk costs, counted in rows that are merely read, above 0: a search that would cost as much
    /// as reading every row reads every row.
    pub step_cost: f32,
    /// Share of the exact 100 best rows that a search should find, 0.5 to 1.
    pub recall: f32,
    /// Threads that build it; 0 takes all. With one the same rows give the same graph, with several it depends on which is
    /// first.
    pub threads: usize,
    /// Seed of what is drawn to tune it.
    pub seed: u64,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self { degree: 64, list: 128, step_cost: 64.0, recall: 0.97, threads: 0, seed: 1 }
    }
}

#[cfg(not(feature = "graph-index"))]
pub(super) fn build(
    _: &super::QuantisedIndex,
    _: &[f32],
    _: &GraphOptions,
) -> Result<super::Coarse, crate::error::ModelError> {
    Err(crate::error::ModelError::NotBuiltIn { what: "the graph index", feature: "graph-index" })
}
