//! The registry: artifacts with their versions, aliases with their whole history, definitions of features, and keys.
//!
//! One SQLite database (`control.db`) and one folder (`models/`). Several processes may use both at once: a command
//! registers a model while a server runs, and the server notices by [`Registry::generation`]. What an artifact's files
//! hold is the business of who wrote them; here they are bytes with a checksum.

pub mod bundle;
mod database;
pub mod error;
pub mod features;
pub mod keys;
pub mod models;
pub mod registry;
mod storage;

pub use bundle::{Bundle, FileEntry, Lineage, Manifest};
pub use error::RegistryError;
pub use features::FeatureVersion;
pub use keys::{KeyRecord, Scope};
pub use models::{AliasChange, ModelVersion};
pub use registry::Registry;
