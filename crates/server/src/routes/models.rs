//! `GET /v1/models`.

use axum::extract::State;
use axum::response::Response;
use headwater_registry::Scope;
use http::StatusCode;

use super::{Route, Shared, json, route};
use crate::openapi::{FieldsBody, Operation};
use crate::problem::Problem;

pub(super) fn routes() -> Vec<Route> {
    let operation = Operation::new("List the registered models")
        .reply::<Vec<FieldsBody>>(200, "Each version with its aliases, metrics and lineage");
    vec![route!(Get get "/v1/models", Some(Scope::Read), list, operation)]
}

async fn list(State(app): Shared) -> Result<Response, Problem> {
    let registry = std::sync::Arc::clone(&app.parts.registry);
    let listed = tokio::task::spawn_blocking(move || registry.list()).await;
    let models = listed.map_err(|_| Problem::new("internal"))?.map_err(|error| {
        tracing::error!(%error, "models cannot be listed");
        Problem::new("storage_failed")
    })?;
    Ok(json(StatusCode::OK, &models))
}
