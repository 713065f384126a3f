//! What the routes reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_base::{Clock, Event, EventId, Schema};
use headwater_features::{Follower, Views};
use headwater_log::request_id::RequestIds;
use headwater_log::{DecisionLog, EventLog, Outcome};
use headwater_pipeline::Engine;
use headwater_registry::Registry;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::rate::Rates;

/// Bounds that keep one client from hurting the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Largest body, in bytes.
    pub body: usize,
    /// Most entries of one batch.
    pub batch: usize,
    /// Requests a key may make per second; 0 is unlimited. Open servers have no keys and no rate.
    pub requests_per_second: u32,
    /// Requests a key may make at once before the rate applies.
    pub burst: u32,
    /// Time for one request, its body included.
    pub request_timeout: Duration,
    /// Time for the head of a request, and for which a connection may stand idle.
    pub header_timeout: Duration,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Events on their way into the log at once; a batch beyond that is refused with `overloaded`. Below the log's own
    /// queue, so that handing it a batch never blocks a worker for long.
    pub events_in_flight: usize,
    /// Time for requests under way once the server is told to stop.
    pub drain: Duration,
    /// How many events the views may be behind the log before the server says it is not ready.
    pub ready_lag: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 * 1024 * 1024,
            batch: 10_000,
            requests_per_second: 0,
            burst: 100,
            request_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            connections: 4096,
            events_in_flight: 50_000,
            drain: Duration::from_secs(10),
            ready_lag: 10_000,
        }
    }
}

/// What a server is made of.
pub struct AppParts {
    /// The log events go to.
    pub log: Arc<dyn EventLog>,
    /// The stream decisions are read back from.
    pub decisions: Arc<DecisionLog>,
    /// The state folded from the log.
    pub views: Arc<Views>,
    /// The thread that folds.
    pub follower: Arc<Follower>,
    /// Answers requests.
    pub engine: Arc<Engine>,
    /// Models and keys.
    pub registry: Arc<Registry>,
    /// The declared domain.
    pub schema: Arc<Schema>,
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
    /// Makes ids of events that bring none.
    pub event_ids: Arc<RequestIds>,
    /// Bounds.
    pub limits: Limits,
    /// Whether anybody may do anything without a key.
    pub open: bool,
}

/// The server's state, shared by all connections.
pub struct App {
    pub(crate) parts: AppParts,
    pub(crate) rates: Rates,
    pub(crate) metrics: Metrics,
    in_flight: Semaphore,
    draining: AtomicBool,
}

impl App {
    /// From its parts.
    pub fn new(parts: AppParts) -> Self {
        Self {
            rates: Rates::new(parts.limits.requests_per_second, parts.limits.burst),
            metrics: Metrics::new(),
            in_flight: Semaphore::new(parts.limits.events_in_flight),
            draining: AtomicBool::new(false),
            parts,
        }
    }

    /// The bounds in effect.
    pub fn limits(&self) -> &Limits {
        &self.parts.limits
    }

    /// Stores events and waits until they are durable and folded: the next answer knows them.
    pub(crate) async fn ingest(&self, events: Vec<Event>) -> Result<Vec<Outcome>, Problem> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        // A batch larger than the whole bound passes alone rather than never.
        let count = events.len().min(self.parts.limits.events_in_flight);
        let permits = u32::try_from(count).unwrap_or(u32::MAX);
        let Ok(_permit) = self.in_flight.try_acquire_many(permits) else {
            return Err(Problem::new("overloaded").retry_after(1));
        };
        let appended = self.parts.log.append(events).await?;
        self.parts.follower.wait_for(&appended.position).await.map_err(|error| {
            tracing::error!(%error, "the views stopped following the log");
            Problem::new("unavailable").retry_after(1)
        })?;
        Ok(appended.outcomes)
    }

    pub(crate) fn next_event_id(&self) -> EventId {
        EventId::trusted(self.parts.event_ids.next(self.parts.clock.now()).as_str())
    }

    /// Says so on the readiness route from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
