//! How the running process behaves: log, decisions, views, server, limits.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ByteSize, Keep, Period, Settings};

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// A segment file is sealed at this size; whole segments are deleted by age.
    pub segment_size: ByteSize,
    /// How long events are kept, by receive time. Views and models that were built from them stay.
    pub retention: Keep,
    /// How long the first append of a group may wait for others before they are written and fsynced together.
    pub linger: Period,
    /// An event id is recognised as a duplicate at least this long after its first append.
    pub deduplication: Period,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            segment_size: ByteSize::mebibytes(128),
            retention: Keep::Forever,
            linger: Period::millis(2),
            deduplication: Period::days(7),
        }
    }
}

/// `[decisions]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionSettings {
    /// A segment file is sealed at this size; whole segments are deleted by age.
    pub segment_size: ByteSize,
    /// How long decisions are kept and can be explained.
    pub retention: Keep,
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self { segment_size: ByteSize::mebibytes(128), retention: Keep::For(Period::days(30)) }
    }
}

/// `[views]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ViewSettings {
    /// A checkpoint is written after this many events, so that a restart replays no more than these.
    pub checkpoint_events: u64,
    /// Half-life of popularity: after this long an interaction counts half.
    pub popular_half_life: Period,
    /// Half-life of what is trending.
    pub trending_half_life: Period,
    /// Half-life of co-visitation, which makes neighbours.
    pub neighbours_half_life: Period,
    /// Neighbours kept per item.
    pub neighbours: usize,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            checkpoint_events: 1_000_000,
            popular_half_life: Period::days(30),
            trending_half_life: Period::hours(6),
            neighbours_half_life: Period::days(30),
            neighbours: 64,
        }
    }
}

/// `[server]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// A request that takes longer is answered with 503.
    pub request_timeout: Period,
    /// How long requests under way may take to finish once the server is told to stop.
    pub drain: Period,
    /// Requests worked on at once; more wait, then are refused.
    pub connections: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7600".to_owned(),
            request_timeout: Period::seconds(10),
            drain: Period::seconds(10),
            connections: 4096,
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Largest body of a request.
    pub body: ByteSize,
    /// Most events, items or users in one request.
    pub batch: usize,
    /// Most recommendations in one answer.
    pub answer: usize,
    /// Requests a key may make a second, over time. 0 is unlimited.
    pub requests_per_second: u32,
    /// Requests a key may make at once before the rate applies.
    pub burst: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body: ByteSize::mebibytes(10),
            batch: 10_000,
            answer: 500,
            requests_per_second: 0,
            burst: 1_000,
        }
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut need = |holds: bool, path: &str, rule: &str| {
        if !holds {
            found.push((path.to_owned(), format!("`{path}` must be {rule}")));
        }
    };
    need(
        settings.server.listen.parse::<SocketAddr>().is_ok(),
        "server.listen",
        "an address and a port such as \"127.0.0.1:7600\" or \"[::]:7600\"",
    );
    let segment = |size: ByteSize| size >= ByteSize(64 << 10) && size <= ByteSize::mebibytes(4096);
    need(segment(settings.log.segment_size), "log.segment_size", "between 64KiB and 4GiB");
    need(segment(settings.decisions.segment_size), "decisions.segment_size", "between 64KiB and 4GiB");
    need(settings.log.linger <= Period::seconds(1), "log.linger", "at most 1s");
    need(settings.views.checkpoint_events > 0, "views.checkpoint_events", "at least 1");
    need((1..=1_000).contains(&settings.views.neighbours), "views.neighbours", "between 1 and 1000");
    for (path, period) in [
        ("views.popular_half_life", settings.views.popular_half_life),
        ("views.trending_half_life", settings.views.trending_half_life),
        ("views.neighbours_half_life", settings.views.neighbours_half_life),
        ("server.request_timeout", settings.server.request_timeout),
    ] {
        need(period > Period::default(), path, "longer than 0s");
    }
    need(settings.limits.body >= ByteSize(1024), "limits.body", "at least 1KiB");
    need(settings.limits.batch > 0, "limits.batch", "at least 1");
    need(settings.limits.answer > 0, "limits.answer", "at least 1");
    need(settings.limits.burst > 0, "limits.burst", "at least 1");
    need(settings.server.connections > 0, "server.connections", "at least 1");
    found
}
