//! Errors as clients see them: `application/problem+json` (RFC 9457) with a stable code.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use headwater_base::{ErrorKind, Invalid};
use headwater_features::FeaturesError;
use headwater_log::LogError;
use headwater_pipeline::PipelineError;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::codes;

/// An error reply.
#[derive(Clone, Debug)]
pub struct Problem(Box<Document>);

/// An error reply's body.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Identifies the kind of problem; the code as a URN.
    #[serde(rename = "type")]
    kind: String,
    /// What is wrong in general; the same for every problem of a code.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Stable, snake_case; match on this.
    code: &'static str,
    /// The field in the sender's words, with a path where it is nested; absent where no single field is at fault.
    #[serde(skip_serializing_if = "str::is_empty")]
    field: Cow<'static, str>,
    /// The offending value, cut to a readable length.
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    /// What would have been accepted.
    #[serde(skip_serializing_if = "str::is_empty")]
    expected: Cow<'static, str>,
    /// Seconds after which the same request may succeed; also the `Retry-After` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// Whether the connection cannot be used again, since the body was not read.
    #[serde(skip)]
    close: bool,
}

impl Problem {
    /// A problem of a documented code.
    pub fn new(code: &'static str) -> Self {
        let known = codes::find(code);
        Self(Box::new(Document {
            kind: format!("urn:headwater:problem:{code}"),
            title: known.meaning,
            status: known.status,
            code,
            field: "".into(),
            value: String::new(),
            expected: "".into(),
            retry_after: None,
            close: false,
        }))
    }

    /// With what would have been accepted.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<Cow<'static, str>>) -> Self {
        self.0.expected = expected.into();
        self
    }

    /// With what was given.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.0.value = value.into();
        self
    }

    /// With the field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = field.into();
        self
    }

    /// With the time after which to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// Closing the connection after the reply.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.0.close = true;
        self
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::new(invalid.code)
            .field(invalid.field.to_string())
            .value(invalid.value)
            .expected(invalid.expected)
    }
}

impl From<PipelineError> for Problem {
    fn from(error: PipelineError) -> Self {
        error.invalid().into()
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error.kind() {
            ErrorKind::Retry => Self::new("unavailable").retry_after(1),
            ErrorKind::Caller => Self::new("event_too_large").expected(error.to_string()),
            ErrorKind::Report => {
                tracing::error!(%error, "the log failed");
                Self::new("storage_failed")
            }
        }
    }
}

impl From<FeaturesError> for Problem {
    fn from(error: FeaturesError) -> Self {
        tracing::error!(%error, "the views could not be read");
        Self::new("storage_failed")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(document) = self;
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(body.into());
        *response.status_mut() =
            StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = document.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if document.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if document.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
