//! What every request passes before its route: key, rate, time limit, and the counting of what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headwater_registry::Scope;

use crate::app::App;
use crate::auth::authorise;
use crate::metrics::RouteMetrics;
use crate::problem::Problem;
use crate::trace::{TRACEPARENT, parent};

/// The gate of one route.
pub(crate) struct Gate {
    pub(crate) app: Arc<App>,
    pub(crate) scope: Option<Scope>,
    pub(crate) path: &'static str,
    pub(crate) metrics: RouteMetrics,
}

/// Lets a request through to its route.
pub(crate) async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let started = gate.app.parts.clock.now();
    let trace = parent(request.headers()).cloned();
    let mut response = match gate.admit(&request) {
        Ok(()) => gate.run(request, next).await,
        Err(problem) => refuse(problem, &request),
    };
    let took = gate.app.parts.clock.now().seconds_since(started).max(0.0);
    let status = response.status();
    gate.metrics.count(status.as_u16(), Duration::from_secs_f64(took));
    if status.is_server_error() {
        tracing::warn!(route = gate.path, %status, took, trace = ?trace, "a request failed");
    } else {
        tracing::debug!(route = gate.path, %status, took, trace = ?trace, "request");
    }
    if let Some(trace) = trace {
        response.headers_mut().insert(TRACEPARENT, trace);
    }
    response
}

impl Gate {
    fn admit(&self, request: &Request) -> Result<(), Problem> {
        let Some(scope) = self.scope.filter(|_| !self.app.parts.open) else { return Ok(()) };
        let key = authorise(&self.app.parts.registry, request.headers(), scope)?;
        self.app.rates.take(&key.id).map_err(|seconds| Problem::new("rate_limited").retry_after(seconds))
    }

    async fn run(&self, request: Request, next: Next) -> Response {
        match tokio::time::timeout(self.app.limits().request_timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new("timeout").retry_after(1).closing().into_response(),
        }
    }
}

/// Refuses before the body is read; a body that is still to come makes the connection useless.
fn refuse(problem: Problem, request: &Request<Body>) -> Response {
    let unread = !http_body::Body::is_end_stream(request.body());
    if unread { problem.closing() } else { problem }.into_response()
}
