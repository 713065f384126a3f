//! `/health/live`, `/health/ready`, `/metrics`, `/openapi.json`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Route, Shared, json, route};
use crate::app::App;
use crate::openapi::{FieldsBody, Operation, openapi};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(Get get "/health/live", None, live,
            Operation::new("Whether the process lives").reply::<Health>(200, "It does")),
        route!(Get get "/health/ready", None, ready,
            Operation::new("Whether the server should get requests")
                .describe("503 while the views are behind the log, after their thread died, and during shutdown.")
                .reply::<Health>(200, "It should")
                .reply::<Health>(503, "It should not")),
        route!(Get get "/metrics", None, metrics,
            Operation::new("Metrics for Prometheus").text_reply(200, "The text format")),
        route!(Get get "/openapi.json", None, document,
            Operation::new("This document").reply::<FieldsBody>(200, "OpenAPI 3.1")),
    ]
}

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
    /// Events of the log not yet folded into the views.
    lag: u64,
}

async fn live(State(app): Shared) -> Response {
    json(StatusCode::OK, &Health { status: "live", lag: lag(&app) })
}

async fn ready(State(app): Shared) -> Response {
    let lag = lag(&app);
    let status = if app.draining() {
        "draining"
    } else if app.parts.follower.failure().is_some() {
        "views_stopped"
    } else if lag > app.limits().ready_lag {
        "catching_up"
    } else {
        "ready"
    };
    let code = if status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(code, &Health { status, lag })
}

async fn metrics(State(app): Shared) -> Response {
    let end: u64 = app.parts.log.end().0.iter().sum();
    let mut gauges = vec![
        ("headwater_log_events", end as f64),
        ("headwater_log_lag_events", lag(&app) as f64),
        ("headwater_cached_answers", app.parts.engine.cached_answers() as f64),
        ("headwater_catalogue_items", app.parts.views.catalogue().len() as f64),
    ];
    if let Some(spilled) = app.parts.views.spilled() {
        gauges.extend([
            ("headwater_views_memory_bytes", spilled.memory_bytes as f64),
            ("headwater_views_on_disk", spilled.on_disk as f64),
            ("headwater_views_thawed", spilled.thawed as f64),
            ("headwater_views_failed_reads", spilled.failed_reads as f64),
        ]);
    }
    let snapshot = app.parts.engine.snapshot();
    let indexed = snapshot.models.iter().filter_map(|(name, model)| {
        let report = model.index_report()?;
        let gauges = [
            ("headwater_index_recall", report.recall),
            ("headwater_index_read_share", report.share),
            ("headwater_index_items", report.rows as f64),
            ("headwater_index_bytes", report.bytes as f64),
        ];
        Some((name.to_string(), gauges))
    });
    let text = app.metrics.render(&gauges, &indexed.collect::<Vec<_>>());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn document() -> Response {
    json(StatusCode::OK, &openapi())
}

fn lag(app: &App) -> u64 {
    let folded = app.parts.views.position();
    let ends = app.parts.log.end().0;
    let behind = ends.iter().enumerate().map(|(partition, end)| {
        let folded = folded.0.get(partition).copied().unwrap_or(0);
        end.saturating_sub(folded)
    });
    behind.sum()
}
