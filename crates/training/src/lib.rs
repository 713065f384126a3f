//! From events to models that have earned their place: presets, data sets, training, evaluation.

pub mod artifact;
pub mod blend;
pub mod content;
pub mod dataset;
pub mod encoded;
pub mod error;
pub mod evaluate;
pub mod examples;
pub mod fit;
pub mod memory;
pub mod mixture;
pub mod options;
pub mod presets;
pub mod train;
pub mod tune;

pub use artifact::{Artifact, BlendArtifact, FilterArtifact, IalsArtifact, PeersArtifact};
pub use dataset::Dataset;
pub use error::TrainingError;
pub use evaluate::{EvaluateOptions, Evaluation, evaluate};
pub use fit::ModelKind;
pub use mixture::Mixture;
pub use options::TrainingOptions;
pub use train::train;
