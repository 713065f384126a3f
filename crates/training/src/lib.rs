//! From events to models that have earned their place: presets, data sets, training, evaluation.

pub mod error;
pub mod presets;

pub use error::TrainingError;
