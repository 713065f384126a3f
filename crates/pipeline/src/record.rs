//! The decision's way into the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_base::{Decision, Event, EventId, Fact, Timestamp};
use headwater_log::{DecisionLog, LogError};
use thiserror::Error;

use crate::stage::Recorder;

/// The stage of an answer whose decision was lost.
pub const LOST: &str = "recorder:decisions";

/// Why a decision was not recorded. The answer leaves all the same, and says so.
#[derive(Clone, Debug, Error)]
pub enum RecordError {
    /// The decision stream did not take it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another recorder's own reason.
    #[error("{0}")]
    Other(String),
}

/// Keeps no decisions: what was answered cannot be explained, judged or learnt from later.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRecorder;

impl Recorder for NoRecorder {
    fn keeps(&self) -> bool {
        false
    }

    fn record(&self, _: Decision, _: Timestamp) -> Result<(), RecordError> {
        Ok(())
    }
}

/// Appends decisions to the decision stream: written to the system before the answer leaves, synced by the stream's
/// own pace.
///
/// A decision that cannot be written never costs the one who asks their answer: it is counted here, shown in the
/// answer and in the metrics, and the operator's to mend.
pub struct DecisionRecorder {
    log: Arc<DecisionLog>,
    lost: AtomicU64,
}

impl DecisionRecorder {
    /// Onto this stream.
    pub fn new(log: Arc<DecisionLog>) -> Self {
        Self { log, lost: AtomicU64::new(0) }
    }

    /// How many decisions could not be written since the start.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Recorder for DecisionRecorder {
    fn record(&self, decision: Decision, now: Timestamp) -> Result<(), RecordError> {
        let event = Event {
            id: EventId::trusted(decision.request_id.as_str()),
            time: now,
            received: now,
            fact: Fact::Decision(Box::new(decision)),
        };
        match self.log.append(&event) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                Err(error.into())
            }
        }
    }
}
