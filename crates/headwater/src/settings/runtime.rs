//! How the running process behaves: log, decisions, views, server, limits.

use std::net::SocketAddr;
use std::path::Path;

use headwater_features::{SpillOptions, ViewsOptions};
use headwater_log::{DecisionOptions, LogOptions};
use headwater_server::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ByteSize, Keep, Period, SessionSettings, Settings};

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
    /// Deleted users are out of every answer at once; this often, they are erased from the files as well. Each time
    /// there are any, the whole log is read and the segments that hold them are rewritten.
    pub erasure: Period,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            segment_size: ByteSize::mebibytes(128),
            retention: Keep::Forever,
            linger: Period::millis(2),
            deduplication: Period::days(7),
            erasure: Period::hours(1),
        }
    }
}

/// `[decisions]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionSettings {
    /// Whether decisions are logged. What is not logged cannot be explained, judged or learnt from later.
    pub enabled: bool,
    /// A segment file is sealed at this size; whole segments are deleted by age.
    pub segment_size: ByteSize,
    /// How long decisions are kept and can be explained.
    pub retention: Keep,
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self { enabled: true, segment_size: ByteSize::mebibytes(128), retention: Keep::For(Period::days(30)) }
    }
}

/// `[views]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ViewSettings {
    /// A checkpoint is written after this many events, so that a restart replays no more than these.
    pub checkpoint_events: u64,
    /// A checkpoint is written after this long, where anything happened since the last.
    pub checkpoint_period: Period,
    /// Half-life of popularity: after this long an interaction counts half.
    pub popular_half_life: Period,
    /// Half-life of what is trending.
    pub trending_half_life: Period,
    /// Half-life of co-visitation, which makes neighbours.
    pub neighbours_half_life: Period,
    /// Neighbours kept per item.
    pub neighbours: usize,
    /// Distinct items before an interaction that it counts as touched together with.
    pub neighbours_recent: usize,
    /// Longest time between two interactions of somebody that still count as together.
    pub neighbours_window: Period,
    /// Time between two interactions at which they count half of what two at once do.
    pub neighbours_half_gap: Period,
    /// Weight of evidence below which a similarity is held back: two items that were touched together once are alike by chance.
    pub neighbours_shrinkage: f32,
    /// The latest sessions, for the source `sessions`.
    pub sessions: SessionSettings,
    /// A user, an item or another entity of which nothing was received for this long starts anew: with an empty history and
    /// with features of nothing. Their fields stay.
    pub idle_entities: Period,
    /// The same of sessions.
    pub idle_sessions: Period,
    /// Memory for users and sessions with their features, such as "2GiB"; what the rest of the process needs comes on top.
    /// Beyond it, those of whom nothing was received for longest are on the disk, and slower. Without it, all are in
    /// memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<ByteSize>,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            checkpoint_events: 500_000,
            checkpoint_period: Period::seconds(300),
            popular_half_life: Period::days(30),
            trending_half_life: Period::hours(1),
            neighbours_half_life: Period::days(30),
            neighbours: 64,
            neighbours_recent: 10,
            neighbours_window: Period::days(30),
            neighbours_half_gap: Period::days(1),
            neighbours_shrinkage: 2.0,
            sessions: SessionSettings::default(),
            idle_entities: Period::days(400),
            idle_sessions: Period::days(30),
            memory_limit: None,
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
    /// How long a connection may stand idle, or take to send the head of a request.
    pub idle_timeout: Period,
    /// How long requests under way may take to finish once the server is told to stop.
    pub drain: Period,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Answers kept in memory; an entry is never older than the user's last event. 0 keeps none.
    pub cached_answers: usize,
    /// How many events the views may be behind the log before the server says that it is not ready.
    pub ready_lag: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7600".to_owned(),
            request_timeout: Period::seconds(10),
            idle_timeout: Period::seconds(30),
            drain: Period::seconds(10),
            connections: 4096,
            cached_answers: 50_000,
            ready_lag: 10_000,
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
    /// Events on their way into the log at once; more are refused with 503.
    pub events_in_flight: usize,
    /// Requests a key may make a second, over time. 0 is unlimited.
    pub requests_per_second: u32,
    /// Requests a key may make at once before the rate applies.
    pub burst: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body: ByteSize::mebibytes(16),
            batch: 10_000,
            events_in_flight: 50_000,
            requests_per_second: 0,
            burst: 100,
        }
    }
}

impl Settings {
    /// Options of the event log.
    pub fn log_options(&self) -> LogOptions {
        let defaults = LogOptions::default();
        LogOptions {
            // What the server lets through must fit, or handing a batch to the log would block its threads.
            queue_events: defaults.queue_events.max(self.limits.events_in_flight + self.limits.batch),
            segment_bytes: self.log.segment_size.0,
            linger: self.log.linger.0,
            deduplication: self.log.deduplication.0,
            ..defaults
        }
    }

    /// Options of the decision stream.
    pub fn decision_options(&self) -> DecisionOptions {
        DecisionOptions { segment_bytes: self.decisions.segment_size.0, ..DecisionOptions::default() }
    }

    /// Options of the views.
    pub fn views_options(&self) -> ViewsOptions {
        let views = &self.views;
        ViewsOptions {
            popular_half_life: views.popular_half_life.0,
            trending_half_life: views.trending_half_life.0,
            neighbours: views.neighbour_options(),
            sessions: views.sessions.options(),
            idle_entities: views.idle_entities.0,
            idle_sessions: views.idle_sessions.0,
            ..ViewsOptions::default()
        }
    }

    /// Options of the views of a data folder, where what exceeds their memory has a place in `cold`.
    pub fn views_options_in(&self, cold: &Path) -> ViewsOptions {
        let spill = self.views.memory_limit.map(|limit| SpillOptions {
            limit: usize::try_from(limit.0).unwrap_or(usize::MAX),
            folder: cold.to_owned(),
        });
        ViewsOptions { spill, ..self.views_options() }
    }

    /// Bounds of the server.
    pub fn server_limits(&self) -> Limits {
        Limits {
            body: usize::try_from(self.limits.body.0).unwrap_or(usize::MAX),
            batch: self.limits.batch,
            events_in_flight: self.limits.events_in_flight,
            requests_per_second: self.limits.requests_per_second,
            burst: self.limits.burst,
            request_timeout: self.server.request_timeout.0,
            header_timeout: self.server.idle_timeout.0,
            connections: self.server.connections,
            drain: self.server.drain.0,
            ready_lag: self.server.ready_lag,
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
    for (path, period) in [
        ("views.popular_half_life", settings.views.popular_half_life),
        ("views.trending_half_life", settings.views.trending_half_life),
        ("views.checkpoint_period", settings.views.checkpoint_period),
        ("log.erasure", settings.log.erasure),
        ("server.request_timeout", settings.server.request_timeout),
        ("server.idle_timeout", settings.server.idle_timeout),
    ] {
        need(period > Period::default(), path, "longer than 0s");
    }
    need(settings.limits.body >= ByteSize(1024), "limits.body", "at least 1KiB");
    need(settings.limits.batch > 0, "limits.batch", "at least 1");
    need(settings.limits.events_in_flight > 0, "limits.events_in_flight", "at least 1");
    need(settings.limits.burst > 0, "limits.burst", "at least 1");
    need(settings.server.connections > 0, "server.connections", "at least 1");
    found
}
