//! HTTP: routes, keys, limits and wire types.
//!
//! [`App`] holds what the routes reach; [`serve()`] runs it on a listener until told to stop. One table ([`routes::table`])
//! makes the router and the OpenAPI document, so that they cannot disagree. Only this crate knows JSON shapes and status
//! codes; it decides nothing about recommendations.

pub mod app;
mod auth;
mod body;
pub mod codes;
mod gate;
pub mod metrics;
pub mod openapi;
pub mod problem;
mod rate;
pub mod routes;
pub mod serve;
mod trace;
pub mod wire;

pub use app::{App, AppParts, Limits};
pub use openapi::openapi;
pub use problem::Problem;
pub use serve::{ServeError, serve};
