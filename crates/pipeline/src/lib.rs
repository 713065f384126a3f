//! The request path: sources, hydrators, filters, scorers, selectors, recorder.
//!
//! [`Engine::recommend`] is the page to start from. A request reads one immutable [`Snapshot`] (models, surfaces), one
//! catalogue and one profile; a [`Surface`] is assembled from a plain [`SurfaceSpec`]; the stages are the traits in
//! [`stage`]. Everything here is synchronous and takes microseconds: no HTTP, no settings files, no async.
//!
//! The answer never waits for a better rung than the deadline allows: personal, then neighbours, then trending, then
//! popular, each worse rung only filling what the better ones left open.

pub mod cache;
pub mod candidate;
pub mod engine;
pub mod error;
pub mod filters;
pub mod index;
pub mod model;
pub mod moment;
pub mod rank;
pub mod record;
pub mod refresh;
pub mod request;
pub mod run;
pub mod select;
pub mod snapshot;
pub mod sources;
pub mod spec;
pub mod stage;
pub mod surface;
pub mod vectors;

pub use cache::AnswerCache;
pub use candidate::Candidate;
pub use engine::{Engine, EngineParts};
pub use error::PipelineError;
pub use index::IndexOptions;
pub use model::LoadedModel;
pub use moment::Moment;
pub use record::{DecisionRecorder, NoRecorder, RecordError};
pub use refresh::{Refresher, RefresherHandle};
pub use request::{Answer, AnswerItem, CategoryFilter, Explanation, ItemExplanation, RankRequest, Request};
pub use snapshot::Snapshot;
pub use spec::{FilterSpec, SourceSpec, SurfaceSpec};
pub use stage::{Filter, Hydrator, Keep, Recorder, Scorer, Selector, Source};
pub use surface::Surface;
pub use vectors::SurfaceFeatures;
