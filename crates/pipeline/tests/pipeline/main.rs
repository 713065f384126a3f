//! The request path at its boundary: what is asked, what is answered, what is recorded.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod filters;
mod freshness;
mod growth;
mod ladder;
mod world;
