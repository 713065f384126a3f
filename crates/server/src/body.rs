//! Bodies, read up to a limit and no further.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde_json::value::RawValue;

use crate::app::Limits;
use crate::problem::Problem;
use crate::wire::event::malformed;

/// What a body claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Lines,
}

/// Reads the content type: JSON, NDJSON, or nothing said, which is taken for JSON.
pub(crate) fn format(headers: &HeaderMap, lines: bool) -> Result<Format, Problem> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Json) };
    let given = given.to_str().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "text/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" if lines => Ok(Format::Lines),
        _ if essence.starts_with("application/") && essence.ends_with("+json") => Ok(Format::Json),
        _ => {
            let expected =
                if lines { "application/json or application/x-ndjson" } else { "application/json" };
            Err(Problem::new("unsupported_media_type").field("content-type").value(given).expected(expected))
        }
    }
}

/// The whole body, or `body_too_large` as soon as that is known: by its declared length before a byte is read.
///
/// A body that is still incomplete after three quarters of the request's time is `request_timeout`.
pub(crate) async fn read(body: Body, limits: &Limits) -> Result<Bytes, Problem> {
    match tokio::time::timeout(limits.request_timeout * 3 / 4, read_whole(body, limits.body)).await {
        Ok(read) => read,
        Err(_) => Err(Problem::new("request_timeout").expected("the whole body in time").closing()),
    }
}

async fn read_whole(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let expected = format!("at most {limit} bytes");
        Problem::new("body_too_large").expected(expected).closing()
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new("malformed_request").expected(format!("a complete body: {error}")).closing()
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + whole.len() + data.len() > limit {
            return Err(too_large());
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&first);
            first = Bytes::new();
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// A body as one JSON value.
pub(crate) fn json(body: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}
