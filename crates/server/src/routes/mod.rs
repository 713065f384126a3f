//! The routes: one table makes the router and the OpenAPI document.

mod decisions;
mod entities;
mod events;
mod health;
mod items;
mod models;
mod recommend;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use headwater_registry::Scope;
use http::{HeaderValue, StatusCode, Uri, header};
use serde::Serialize;
use utoipa::openapi::HttpMethod;

use crate::app::App;
use crate::gate::{Gate, pass};
use crate::openapi::Operation;
use crate::problem::Problem;

/// The handler's view of the application.
pub(crate) type Shared = axum::extract::State<Arc<App>>;

/// One route: what it is called, who may call it, what it does and how it is documented.
pub struct Route {
    /// The method.
    pub method: HttpMethod,
    /// The path, with `{name}` for its parameters.
    pub path: &'static str,
    /// The scope a key must have; `None` for routes that need no key.
    pub scope: Option<Scope>,
    /// Its documentation.
    pub operation: Operation,
    handler: MethodRouter<Arc<App>>,
}

/// Every route of the server.
pub fn table() -> Vec<Route> {
    let parts = [
        events::routes(),
        items::routes(),
        users::routes(),
        recommend::routes(),
        decisions::routes(),
        models::routes(),
        health::routes(),
    ];
    parts.into_iter().flatten().collect()
}

/// The router of the table, each route behind its gate.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router: Router<Arc<App>> = Router::new();
    for route in table() {
        let gate = Gate {
            app: Arc::clone(app),
            scope: route.scope,
            path: route.path,
            metrics: app.metrics.route(method_name(&route.method), route.path),
        };
        router = router.route(route.path, route.handler.layer(from_fn_with_state(Arc::new(gate), pass)));
    }
    router
        .fallback(async |uri: Uri| {
            Problem::new("unknown_route").value(uri.path()).expected("a route of /openapi.json")
        })
        .method_not_allowed_fallback(async || {
            Problem::new("method_not_allowed").expected("a method listed for this path in /openapi.json")
        })
        .with_state(Arc::clone(app))
}

/// The method in capitals.
pub(crate) fn method_name(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Put => "PUT",
        HttpMethod::Post => "POST",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Head => "HEAD",
        _ => "OTHER",
    }
}

/// Room that most replies fit into, in bytes.
const REPLY_BYTES: usize = 2048;

/// A JSON reply.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(REPLY_BYTES);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => {
            let mut response = Response::new(bytes.into());
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(error) => {
            tracing::error!(%error, "a reply could not be written as JSON");
            Problem::new("internal").into_response()
        }
    }
}

/// A part of the path, or the query, whose rejection is a problem document as well.
pub(crate) struct Checked<E>(pub(crate) E);

impl<S: Send + Sync, E: FromRequestParts<S, Rejection: std::fmt::Display>> FromRequestParts<S>
    for Checked<E>
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, Problem> {
        let extracted = E::from_request_parts(parts, state).await;
        extracted.map(Self).map_err(|rejection| {
            let value = parts.uri.path_and_query().map_or("", |path| path.as_str());
            Problem::new("malformed_request").value(value).expected(rejection.to_string())
        })
    }
}

macro_rules! route {
    ($method:ident $axum:ident $path:literal, $scope:expr, $handler:path, $operation:expr) => {
        crate::routes::Route {
            method: utoipa::openapi::HttpMethod::$method,
            path: $path,
            scope: $scope,
            operation: $operation,
            handler: axum::routing::$axum($handler),
        }
    };
}
pub(crate) use route;
