//! The coarse stages of a served model's items, and when a model has them.

use std::sync::Arc;

use headwater_models::ials::Ials;
use headwater_models::index::{Coarse, CoarseOptions, QuantisedIndex};
use headwater_models::{ModelError, Row};

/// Below this many items reading all of them is as fast, and exact.
pub const COARSE_FROM: usize = 15_000;
/// Items whose likes are searched to measure recall.
const SAMPLES: usize = 400;

/// How the items of models with vectors are searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexOptions {
    /// Through a coarse stage from so many items on; `None` always reads every item.
    pub from: Option<usize>,
    /// Which stage, and how it is made.
    pub coarse: CoarseOptions,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { from: Some(COARSE_FROM), coarse: CoarseOptions::default() }
    }
}

/// The coarse stages of a factorisation: by product for users, by cosine for likeness.
#[derive(Clone)]
pub(crate) struct CoarseStages {
    items: Arc<Coarse>,
    directions: Arc<Coarse>,
}

impl CoarseStages {
    /// Builds both, while the model serves as it is.
    pub(crate) fn build(
        ials: &Ials,
        directions: &QuantisedIndex,
        options: &IndexOptions,
    ) -> Result<Self, ModelError> {
        let items = ials.coarse(&options.coarse)?;
        let step = directions.len().div_ceil(SAMPLES).max(1);
        let samples = (0..directions.len() as Row).step_by(step).filter_map(|row| directions.row(row));
        let queries: Vec<f32> = samples.flatten().copied().collect();
        let directions = Coarse::build(directions, &queries, &options.coarse)?;
        Ok(Self { items: Arc::new(items), directions: Arc::new(directions) })
    }

    /// Those that are attached to a factorisation, if they are.
    pub(crate) fn of(ials: &Ials, directions: &QuantisedIndex) -> Option<Self> {
        let items = Arc::clone(ials.index().coarse()?);
        Some(Self { items, directions: Arc::clone(directions.coarse()?) })
    }

    /// Attaches both.
    pub(crate) fn attach(&self, ials: &mut Ials, directions: &mut QuantisedIndex) -> Result<(), ModelError> {
        ials.attach(Arc::clone(&self.items))?;
        directions.attach(Arc::clone(&self.directions))
    }
}
