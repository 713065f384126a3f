//! `POST /v1/events`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use headwater_base::Event;
use headwater_registry::Scope;
use http::{HeaderMap, StatusCode};

use super::{Route, Shared, json, route};
use crate::app::App;
use crate::body;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::wire::event::{Entries, Reading, read};
use crate::wire::reply::{Accepted, Refused};

pub(super) fn routes() -> Vec<Route> {
    let operation = Operation::new("Send events")
        .describe(
            "One event, an array, or NDJSON. Good events are stored even where others are refused. The reply comes when \
             the stored ones are durable and the next answer knows them. Sending an event again is harmless: its id \
             is stored once. `type: \"merge\"` with a session and a user makes the session's past the user's.",
        )
        .body::<EventBody>("An event, an array of events, or lines of them (application/x-ndjson)")
        .reply::<Accepted>(200, "What became of each");
    vec![route!(Post post "/v1/events", Some(Scope::Ingest), ingest, operation)]
}

/// An event, for the OpenAPI document.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "documents what `wire::event` reads")]
struct EventBody {
    /// Makes sending again harmless; made by the server where absent.
    id: Option<String>,
    /// A declared interaction type, or `merge`.
    r#type: String,
    /// The user; a user or a session is required.
    user: Option<String>,
    /// The session.
    session: Option<String>,
    /// The item; required unless the type is `merge`.
    item: Option<String>,
    /// When it happened, RFC 3339; now where absent.
    time: Option<String>,
    /// How much: a rating, an amount, seconds watched.
    value: Option<f64>,
    /// The answer that showed the item.
    request_id: Option<String>,
    /// Declared context fields.
    #[schema(value_type = Option<Object>)]
    context: Option<serde_json::Value>,
}

async fn ingest(State(app): Shared, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let format = body::format(&headers, true)?;
    let body = body::read(body, app.limits()).await?;
    let (events, refused) = entries(&app, &body, format == body::Format::Lines)?;
    let outcomes = app.ingest(events).await?;
    let accepted = Accepted::new(&outcomes, refused);
    app.metrics.ingested(&accepted);
    Ok(json(StatusCode::OK, &accepted))
}

/// The events to store, and the refusals by index.
fn entries(app: &App, body: &[u8], lines: bool) -> Result<(Vec<Event>, Vec<Refused>), Problem> {
    let next_id = || app.next_event_id();
    let reading = Reading { schema: &app.parts.schema, now: app.parts.clock.now(), next_id: &next_id };
    let entries = match read(body, lines, app.limits().batch, &reading)? {
        Entries::One(entry) => return Ok((vec![(*entry)?], Vec::new())),
        Entries::Many(entries) => entries,
    };
    let mut events = Vec::with_capacity(entries.len());
    let mut refused = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        match entry {
            Ok(event) => events.push(event),
            Err(invalid) => refused.push(Refused::new(index, invalid)),
        }
    }
    Ok((events, refused))
}
