//! How the items of models with vectors are searched.

use headwater_models::index::{ClusterOptions, CoarseOptions, GRAPH_BUILT_IN, GraphOptions};
use headwater_pipeline::IndexOptions;
use headwater_pipeline::index::COARSE_FROM;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;

/// How a search goes about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IndexKind {
    /// Through clusters from 15,000 items on, below that exactly.
    #[default]
    Auto,
    /// Every item is read, and the best are always found.
    Exact,
    /// Only the clusters of items that promise most are read.
    Clusters,
    /// Only the items are read to which a graph of neighbours leads.
    Graph,
}

/// `[index]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IndexSettings {
    /// How the items of factorisations are searched for the best: `auto` goes through clusters from 15,000 items on and is exact
    /// below, `exact` reads every item, `clusters` reads only the clusters of items that promise most, `graph` only the items
    /// to which a graph of neighbours leads. Clusters and graphs are built beside the running server. Graphs need a Headwater
    /// that was built with `--features graph-index`.
    pub kind: IndexKind,
    /// Share of the exact 100 best items that a search through clusters or over a graph should find, from 0.5 to 1; more takes
    /// longer.
    pub recall: f32,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self { kind: IndexKind::default(), recall: ClusterOptions::default().recall }
    }
}

impl IndexSettings {
    /// The same as the pipeline is told, on a machine of `cores` cores: building leaves half of them to those who ask.
    pub fn options(&self, cores: usize) -> IndexOptions {
        let from = match self.kind {
            IndexKind::Auto => Some(COARSE_FROM),
            IndexKind::Exact => None,
            IndexKind::Clusters | IndexKind::Graph => Some(1),
        };
        let threads = (cores / 2).max(1);
        let recall = self.recall;
        let coarse = match self.kind {
            IndexKind::Graph => {
                CoarseOptions::Graph(GraphOptions { recall, threads, ..GraphOptions::default() })
            }
            _ => CoarseOptions::Clusters(ClusterOptions { recall, threads, ..ClusterOptions::default() }),
        };
        IndexOptions { from, coarse }
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let IndexSettings { kind, recall } = settings.index;
    let mut found = Vec::new();
    if !(0.5..=1.0).contains(&recall) {
        let message = format!("`index.recall` must be from 0.5 to 1, and not {recall}");
        found.push(("index.recall".to_owned(), message));
    }
    if kind == IndexKind::Graph && !GRAPH_BUILT_IN {
        let message = "`index.kind` is \"graph\", and this Headwater was built without graphs: build it with `cargo build \
                       --release --features graph-index`, or choose \"auto\", \"exact\" or \"clusters\"";
        found.push(("index.kind".to_owned(), message.to_owned()));
    }
    found
}
