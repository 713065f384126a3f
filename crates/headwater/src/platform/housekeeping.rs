//! What happens beside the requests: promoted models are taken over, old segments deleted.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_base::{Clock, Timestamp};
use headwater_log::archive::{Archive, Stream};
use headwater_log::{DecisionLog, EmbeddedLog, EventLog, LogError, Offset, Partition, Position, Truncated};
use headwater_pipeline::{Engine, Snapshot};
use headwater_registry::Registry;

use super::models;
use crate::settings::{Keep, Settings};

/// How often the registry is asked whether another model was promoted.
const POLL: Duration = Duration::from_secs(1);
/// How often old segments are looked for.
const RETENTION: Duration = Duration::from_secs(600);

/// What the housekeeping thread works with.
pub(super) struct Chores {
    pub(super) settings: Settings,
    pub(super) log: Arc<EmbeddedLog>,
    pub(super) decisions: Arc<DecisionLog>,
    pub(super) registry: Arc<Registry>,
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Arc<dyn Clock>,
    /// What the log is archived to, where it is: nothing is deleted that is not in there.
    pub(super) archive: Option<Arc<Archive>>,
    /// The registry's generation that was loaded at the start.
    pub(super) generation: u64,
}

/// The running thread.
pub(super) struct Housekeeping {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeping {
    /// Ends the thread and waits for it.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("housekeeping had panicked");
        }
    }
}

impl Chores {
    /// Starts the thread.
    pub(super) fn start(mut self) -> std::io::Result<Housekeeping> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("housekeeping".into()).spawn(move || {
            let mut truncated: Option<Timestamp> = None;
            loop {
                let now = self.clock.now();
                if truncated.is_none_or(|last| now >= last.plus(RETENTION)) {
                    self.truncate(now);
                    truncated = Some(now);
                }
                if stopped.recv_timeout(POLL) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                self.follow_registry();
            }
        })?;
        Ok(Housekeeping { stop, thread })
    }

    fn follow_registry(&mut self) {
        let generation = match self.registry.generation() {
            Ok(generation) => generation,
            Err(error) => {
                tracing::warn!(%error, "the registry cannot be read; the models stay as they are");
                return;
            }
        };
        if generation == self.generation {
            return;
        }
        let surfaces = match self.settings.surfaces(&self.settings.schema(), self.engine.views().plan()) {
            Ok(surfaces) => surfaces,
            Err(error) => {
                tracing::error!(%error, "a surface cannot be assembled; the models stay as they are");
                return;
            }
        };
        let (plan, now) = (self.engine.views().plan(), self.engine.snapshot());
        let champions = models::champions(&self.registry, &self.settings.models(), plan, &now);
        let labels: Vec<String> = champions.iter().map(|model| model.label().to_string()).collect();
        self.engine.publish(Snapshot::new(surfaces, champions, self.settings.hash()));
        self.generation = generation;
        tracing::info!(models = %labels.join(", "), "serving");
    }

    fn truncate(&self, now: Timestamp) {
        if let Keep::For(period) = self.settings.log.retention
            && let Some(limit) = self.deletable(Stream::Events)
        {
            let limit = Position(vec![limit]);
            report("events", self.log.truncate_below(now.minus(period.0), &limit));
        }
        if let Keep::For(period) = self.settings.decisions.retention
            && let Some(limit) = self.deletable(Stream::Decisions)
        {
            report("decisions", self.decisions.truncate_below(now.minus(period.0), limit));
        }
    }

    /// The offset below which a stream may be deleted by age; `None` where it cannot be told.
    fn deletable(&self, stream: Stream) -> Option<Offset> {
        let Some(archive) = &self.archive else {
            return Some(Offset::MAX);
        };
        let position = archive.position(stream, Partition(0));
        position
            .inspect_err(
                |error| tracing::error!(%stream, %error, "the archive cannot be read; nothing is deleted"),
            )
            .ok()
    }
}

fn report(stream: &str, truncated: Result<Truncated, LogError>) {
    match truncated {
        Ok(truncated) if truncated.segments > 0 => {
            tracing::info!(
                stream,
                segments = truncated.segments,
                events = truncated.events,
                "deleted by age"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::error!(stream, %error, "old segments cannot be deleted"),
    }
}
