//! What a reader hands its rows to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use headwater_base::{Clock, Event, Invalid, Schema, Timestamp};

use super::ImportError;

/// Events handed over at once: large enough that a commit of the log is dear only per batch.
const BATCH: usize = 4_096;
/// Longest excerpt of a refused row kept in the side file, in characters.
const EXCERPT: usize = 500;

/// A row that was not taken, and why.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its line or row number, from 1.
    pub line: u64,
    /// A stable word for the reason.
    pub code: &'static str,
    /// What is wrong with it, for people.
    pub reason: String,
    /// The field, its value and what was expected, where it is about one field.
    pub invalid: Option<Invalid>,
    /// The row as it stood in the file, cut to a readable length.
    pub text: String,
}

/// What travels from the reader to the writer.
#[derive(Debug)]
pub enum Parcel {
    /// Sound events, in file order.
    Events(Vec<Event>),
    /// A row that was not taken.
    Refused(Refusal),
    /// A row that is sound but nothing to store by the rules of its preset, and which rule.
    LeftOut(String),
}

/// How far a reader is, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Reached {
    bytes: AtomicU64,
    total: AtomicU64,
}

impl Reached {
    /// Says how many bytes there are in all.
    pub fn total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    /// Bytes read, and bytes in all.
    pub fn get(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Takes the rows of a reader, checks them against the schema and sends them on in batches.
pub struct Feed {
    schema: Arc<Schema>,
    clock: Arc<dyn Clock>,
    received: Timestamp,
    batch: Vec<Event>,
    sender: SyncSender<Parcel>,
    reached: Arc<Reached>,
    stop: Arc<AtomicBool>,
}

impl Feed {
    /// Sends to `sender`; says in `reached` how far the reader is; stops when `stop` is set.
    pub fn new(
        schema: Arc<Schema>,
        clock: Arc<dyn Clock>,
        sender: SyncSender<Parcel>,
        reached: Arc<Reached>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let received = clock.now();
        Self { schema, clock, received, batch: Vec::with_capacity(BATCH), sender, reached, stop }
    }

    /// The declared domain.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The receive time of the next event: the clock is read once a batch.
    pub fn received(&self) -> Timestamp {
        self.received
    }

    /// Says how far the reader is, in bytes of the file.
    pub fn reached(&self, bytes: u64) {
        self.reached.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Says how many bytes there are in all, where the reader knows better than the file system.
    pub fn total(&self, bytes: u64) {
        self.reached.total(bytes);
    }

    /// Takes a row: an event that still has to pass the schema, or the reason why there is none.
    ///
    /// # Errors
    /// The import was stopped, or the writer failed and is gone: the reader ends.
    pub fn take(
        &mut self,
        line: u64,
        event: Result<Event, Invalid>,
        text: impl FnOnce() -> String,
    ) -> Result<(), ImportError> {
        self.go_on()?;
        match event.and_then(|event| self.schema.validate(&event).map(|()| event)) {
            Ok(event) => {
                self.batch.push(event);
                if self.batch.len() == BATCH { self.flush() } else { Ok(()) }
            }
            Err(invalid) => {
                let text: String = text().chars().take(EXCERPT).collect();
                let reason = invalid.to_string();
                self.send(Parcel::Refused(Refusal {
                    line,
                    code: invalid.code,
                    reason,
                    invalid: Some(invalid),
                    text,
                }))
            }
        }
    }

    /// Counts a row that the reader itself could not make sense of.
    ///
    /// # Errors
    /// As [`Feed::take`].
    pub fn refuse(&mut self, line: u64, reason: String, text: String) -> Result<(), ImportError> {
        self.send(Parcel::Refused(Refusal { line, code: "unreadable", reason, invalid: None, text }))
    }

    /// Counts a row that is nothing to store.
    ///
    /// # Errors
    /// As [`Feed::take`].
    pub fn leave_out(&mut self, rule: String) -> Result<(), ImportError> {
        self.send(Parcel::LeftOut(rule))
    }

    /// Sends what is left.
    ///
    /// # Errors
    /// As [`Feed::take`].
    pub fn finish(&mut self) -> Result<(), ImportError> {
        self.flush()
    }

    /// Looks at every row, so that a reader stops soon; what it read before is still sent.
    fn go_on(&self) -> Result<(), ImportError> {
        if self.stop.load(Ordering::Relaxed) { Err(ImportError::Interrupted) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ImportError> {
        self.received = self.clock.now();
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.send(Parcel::Events(batch))
    }

    fn send(&self, parcel: Parcel) -> Result<(), ImportError> {
        // The writer only goes away after an error of its own, which is the one reported.
        self.sender.send(parcel).map_err(|_| ImportError::Interrupted)
    }
}
