//! Pure mathematics: retrieval models, vector search and ranking metrics.
//!
//! No I/O, no async, no clock reads, no string ids: a model numbers its items by dense rows, and its caller keeps the
//! vocabulary. Everything is deterministic under its seed.

pub mod blend;
pub mod content;
mod dense;
pub mod error;
pub mod filter;
pub mod ials;
pub mod index;
mod kernels;
pub mod matrix;
pub mod metrics;
pub mod model;
pub mod peers;
pub mod popular;
pub mod prefetch;
pub mod streaming;
mod sums;
pub mod top;

pub use error::ModelError;
pub use model::{Allow, Embed, Past, Query, Retrieve, Row, Score, Scored};
