//! What items and users have in common: fields written one by one or in bulk.

use axum::body::Body;
use axum::response::Response;
use headwater_base::{Event, EventId, Fact, Invalid};
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use super::json;
use crate::app::App;
use crate::body;
use crate::problem::Problem;
use crate::wire::event::malformed;
use crate::wire::reader::Reader;
use crate::wire::reply::{Accepted, Refused};

/// Writes one fact about an entity.
pub(super) async fn write_one(app: &App, fact: Fact) -> Result<Response, Problem> {
    let event = event(app, fact);
    app.parts.schema.validate(&event).map_err(flat)?;
    let outcomes = app.ingest(vec![event]).await?;
    let accepted = Accepted::new(&outcomes, Vec::new());
    app.metrics.ingested(&accepted);
    Ok(json(StatusCode::OK, &accepted))
}

/// Writes one fact for each entry of an array or of lines, refusing the bad ones by index.
pub(super) async fn write_many(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    fact: impl Fn(Reader<'_>) -> Result<Fact, Invalid>,
) -> Result<Response, Problem> {
    let format = body::format(headers, true)?;
    let body = body::read(body, app.limits()).await?;
    let entries = entries(&body, format, app.limits().batch)?;
    let mut events = Vec::with_capacity(entries.len());
    let mut refused = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let read = entry.and_then(|raw| Reader::of("entry", raw)).and_then(&fact);
        let checked = read.map(|fact| event(app, fact)).and_then(|event| {
            app.parts.schema.validate(&event).map_err(flat)?;
            Ok(event)
        });
        match checked {
            Ok(event) => events.push(event),
            Err(invalid) => refused.push(Refused::new(index, invalid)),
        }
    }
    let outcomes = app.ingest(events).await?;
    let accepted = Accepted::new(&outcomes, refused);
    app.metrics.ingested(&accepted);
    Ok(json(StatusCode::OK, &accepted))
}

fn entries(
    body: &[u8],
    format: body::Format,
    most: usize,
) -> Result<Vec<Result<&RawValue, Invalid>>, Problem> {
    let array = body.trim_ascii_start().first() == Some(&b'[');
    let entries: Vec<Result<&RawValue, Invalid>> = if array && format == body::Format::Json {
        let raws: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        raws.into_iter().map(Ok).collect()
    } else {
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let raw = |line| {
            serde_json::from_slice(line).map_err(|error: serde_json::Error| {
                let text = String::from_utf8_lossy(line);
                Invalid::new(
                    "malformed_json",
                    "",
                    text,
                    format!("an array, or one JSON object a line: {error}"),
                )
            })
        };
        lines.take(most + 1).map(raw).collect()
    };
    if entries.len() > most {
        return Err(Problem::new("too_many_events").expected(format!("at most {most} entries")));
    }
    Ok(entries)
}

fn event(app: &App, fact: Fact) -> Event {
    let now = app.parts.clock.now();
    let id: EventId = app.next_event_id();
    Event { id, time: now, received: now, fact }
}

/// In a body the fields stand at the top, not below `fields`.
fn flat(mut invalid: Invalid) -> Invalid {
    if let Some(field) = invalid.field.strip_prefix("fields.") {
        invalid.field = field.into();
    }
    invalid
}
