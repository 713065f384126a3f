//! Clusters of a served model's items, and when a model has them.

use std::sync::Arc;

use headwater_models::ials::Ials;
use headwater_models::index::{ClusterOptions, Clusters, QuantisedIndex};
use headwater_models::{ModelError, Row};

/// Below this many items reading all of them is as fast, and exact.
pub const CLUSTERS_FROM: usize = 15_000;
/// Items whose likes are searched to measure recall.
const SAMPLES: usize = 400;

/// How the items of models with vectors are searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexOptions {
    /// In clusters from so many items on; `None` always reads every item.
    pub from: Option<usize>,
    /// How clusters are made.
    pub clusters: ClusterOptions,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { from: Some(CLUSTERS_FROM), clusters: ClusterOptions::default() }
    }
}

/// The clusters of a factorisation: by product for users, by cosine for likeness.
#[derive(Clone)]
pub(crate) struct IndexClusters {
    items: Arc<Clusters>,
    directions: Arc<Clusters>,
}

impl IndexClusters {
    /// Builds both, while the model serves as it is.
    pub(crate) fn build(
        ials: &Ials,
        directions: &QuantisedIndex,
        options: &IndexOptions,
    ) -> Result<Self, ModelError> {
        let items = ials.clusters(&options.clusters)?;
        let step = directions.len().div_ceil(SAMPLES).max(1);
        let samples = (0..directions.len() as Row).step_by(step).filter_map(|row| directions.row(row));
        let queries: Vec<f32> = samples.flatten().copied().collect();
        let directions = Clusters::build(directions, &queries, &options.clusters)?;
        Ok(Self { items: Arc::new(items), directions: Arc::new(directions) })
    }

    /// Those that are attached to a factorisation, if they are.
    pub(crate) fn of(ials: &Ials, directions: &QuantisedIndex) -> Option<Self> {
        let items = Arc::clone(ials.index().clusters()?);
        Some(Self { items, directions: Arc::clone(directions.clusters()?) })
    }

    /// Attaches both.
    pub(crate) fn attach(&self, ials: &mut Ials, directions: &mut QuantisedIndex) -> Result<(), ModelError> {
        ials.attach(Arc::clone(&self.items))?;
        directions.attach(Arc::clone(&self.directions))
    }
}
