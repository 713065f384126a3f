//! Pure mathematics: retrieval models, vector search and ranking metrics.
//!
//! No I/O, no async, no clock reads, no string ids: a model numbers its items by dense rows, and its caller keeps the
//! vocabulary. Everything is deterministic under its seed.

pub mod model;

pub use model::{Allow, Embed, Past, Query, Retrieve, Row, Score, Scored};
