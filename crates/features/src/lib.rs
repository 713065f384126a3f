//! Views: state folded from the log.
//!
//! [`Views`] holds what a request reads: profiles of users and sessions, the catalogue, decayed popularity,
//! co-visitation and the latest sessions. It is moved only by [`Views::apply`], in log order; [`Follower`] is the thread that does so, and
//! that writes checkpoints. The same log gives the same bytes ([`Views::write_state`]), however it was cut into
//! batches, on how many threads it was folded and how often the process restarted in between.
//!
//! What this crate does not do: choose what to recommend, speak HTTP, or read a clock of its own.

pub mod agreement;
mod backfill;
mod bytes;
pub mod catalogue;
mod checkpoint;
pub mod declared;
pub mod encode;
pub mod entity;
pub mod error;
pub mod follower;
pub mod interner;
mod kinds;
mod neighbours;
pub mod options;
mod popularity;
pub mod profiles;
mod read;
mod replay;
mod sessions;
pub mod spill;
mod state;
mod tables;
mod tiles;
pub mod view;
mod views;

pub use backfill::FeatureTable;
pub use catalogue::{Catalogue, CategoricalField, TagsField};
pub use checkpoint::{Restored, Skipped};
pub use declared::{FeatureSpec, Plan};
pub use encode::{EncodedSchema, EncoderSpec, EncodingSpec, MissingFeature, SchemaFitting};
pub use error::FeaturesError;
pub use follower::{Follower, FollowerOptions};
pub use interner::Interner;
pub use options::ViewsOptions;
pub use profiles::{Profile, ProfileInteraction};
pub use read::{FeatureRequest, FeatureRows};
pub use replay::Replay;
pub use spill::{SpillFigures, SpillOptions};
pub use view::{Keying, View};
pub use views::{Held, Views};

/// Dense number of an item, given in the order in which the log first names it.
pub type ItemIndex = u32;
