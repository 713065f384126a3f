//! Where candidates come from.

mod model;
mod neighbours;
mod streaming;

pub use model::{ModelScorer, ModelSource};
pub use neighbours::NeighboursSource;
pub use streaming::{PopularSource, TrendingSource};
