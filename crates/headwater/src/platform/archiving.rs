//! A running server archives: a thread of its own, since a backlog may take minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_base::Clock;
use headwater_log::archive::{Archive, PartitionOf, Stream, Until};
use headwater_log::{DecisionLog, EmbeddedLog, Partition};

use crate::archiving::{Round, round};
use crate::settings::Keep;

/// How often it is looked whether a day is over or a file is full.
const EVERY: Duration = Duration::from_secs(60);

/// What the thread works with.
pub(super) struct Archivist {
    pub(super) archive: Arc<Archive>,
    pub(super) keep: Keep,
    pub(super) log: Arc<EmbeddedLog>,
    pub(super) decisions: Arc<DecisionLog>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The running thread.
pub(super) struct Archiving {
    stop: Sender<()>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Archiving {
    /// Tells the thread to end, and does not wait: an erasure may wait for it.
    pub(super) fn tell(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Ends the thread and waits for it; a file that was being filled is left for the next time.
    pub(super) fn stop(self) {
        self.tell();
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("archiving had panicked");
        }
    }
}

impl Archivist {
    /// Starts the thread.
    pub(super) fn start(self) -> std::io::Result<Archiving> {
        let (stop, stopped) = channel();
        let stopping = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopping);
        let thread = std::thread::Builder::new().name("archive".into()).spawn(move || {
            loop {
                self.archive_once(&told);
                if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Archiving { stop, stopping, thread })
    }

    fn archive_once(&self, stopping: &AtomicBool) {
        let now = self.clock.now();
        let events = PartitionOf(&*self.log, Partition(0));
        let outcome = round(
            &self.archive,
            [(Stream::Events, &events), (Stream::Decisions, &*self.decisions)],
            Until::Closed(now),
            self.keep,
            now,
            &mut |_, _, _| !stopping.load(Ordering::Relaxed),
        );
        match outcome {
            Ok(Round { events, decisions, days_deleted, .. }) => {
                if events.lost + decisions.lost > 0 {
                    tracing::warn!(
                        events = events.lost,
                        decisions = decisions.lost,
                        "the log had deleted these before they were archived"
                    );
                }
                if events.files + decisions.files + days_deleted > 0 {
                    tracing::info!(
                        events = events.records,
                        decisions = decisions.records,
                        bytes = events.bytes + decisions.bytes,
                        days_deleted,
                        "archived"
                    );
                }
            }
            Err(error) => {
                tracing::error!(%error, "the log cannot be archived; it deletes nothing until it is");
            }
        }
    }
}
