//! Where candidates come from.

mod history;
mod model;
mod neighbours;
mod sessions;
mod streaming;

pub use model::{ModelScorer, ModelSource};
pub use neighbours::NeighboursSource;
pub use sessions::SessionsSource;
pub use streaming::{PopularSource, TrendingSource};
