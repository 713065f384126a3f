//! What the rest of Headwater knows of the log.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use headwater_base::{Event, Timestamp};
use tokio::sync::oneshot;

use crate::LogError;

/// Place of an event within its partition: dense, from 0, never reused.
pub type Offset = u64;

/// A partition of the log. Events of one user are in one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

/// The next offset to read of every partition; what a view's checkpoint carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position(pub Vec<Offset>);

impl Position {
    /// The offset of one partition; 0 for one this position does not know.
    pub fn offset(&self, partition: Partition) -> Offset {
        self.0.get(partition.0 as usize).copied().unwrap_or(0)
    }

    /// Sets the offset of one partition, growing with zeros.
    pub fn set(&mut self, partition: Partition, offset: Offset) {
        let index = partition.0 as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] = offset;
    }

    /// Whether every partition is at least as far as in `other`.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().enumerate().all(|(index, offset)| self.0.get(index).copied().unwrap_or(0) >= *offset)
    }

    /// Moves each partition forward to where `other` is further.
    pub fn advance(&mut self, other: &Self) {
        for (index, offset) in other.0.iter().enumerate() {
            let partition = Partition(u32::try_from(index).unwrap_or(u32::MAX));
            if self.offset(partition) < *offset {
                self.set(partition, *offset);
            }
        }
    }
}

/// Consecutive events of one partition, in log order: `events[i]` is at offset `first + i`.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Their partition.
    pub partition: Partition,
    /// Offset of the first event.
    pub first: Offset,
    /// The events; empty when the reader is at the end.
    pub events: Arc<[Event]>,
}

impl Batch {
    /// The offset after the last event.
    pub fn next(&self) -> Offset {
        self.first + self.events.len() as u64
    }
}

/// What became of one appended event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored at this place.
    Stored(Partition, Offset),
    /// An event with this id was stored before, or stands earlier in the same batch; nothing was written.
    Duplicate,
}

/// The durable result of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// One outcome per event, in the order given.
    pub outcomes: Vec<Outcome>,
    /// A view that covers this position has folded every event of the batch, duplicates included.
    pub position: Position,
}

/// An append on its way to the disk: await it, or block on [`Appending::wait`].
///
/// Dropping it does not undo the append.
#[derive(Debug)]
pub struct Appending(oneshot::Receiver<Result<Appended, LogError>>);

impl Appending {
    /// An append that `receiver` will resolve.
    pub fn new(receiver: oneshot::Receiver<Result<Appended, LogError>>) -> Self {
        Self(receiver)
    }

    /// Blocks until the batch is durable. Must not be called from async code.
    pub fn wait(self) -> Result<Appended, LogError> {
        self.0.blocking_recv().unwrap_or(Err(LogError::Closed))
    }
}

impl Future for Appending {
    type Output = Result<Appended, LogError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|received| received.unwrap_or(Err(LogError::Closed)))
    }
}

/// What a truncation removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truncated {
    /// Segments deleted.
    pub segments: usize,
    /// Bytes freed.
    pub bytes: u64,
    /// Events removed.
    pub events: u64,
}

/// The log. Many threads may append and read at once.
pub trait EventLog: Send + Sync + 'static {
    /// How many partitions there are; fixed for the life of a log.
    fn partitions(&self) -> u32;

    /// Hands a batch to the log. When the returned future resolves to `Ok`, every event of the batch is durable.
    ///
    /// Events whose id was stored within the deduplication window are not stored again. Events are stored in the
    /// order given, contiguously per partition. Blocks while the bounded queue is full.
    fn append(&self, events: Vec<Event>) -> Appending;

    /// The first offset still held, per partition.
    fn start(&self) -> Position;

    /// The offset after the last durable event, per partition.
    fn end(&self) -> Position;

    /// Reads at most `limit` durable events of one partition from `from` on.
    ///
    /// An offset before [`EventLog::start`] is [`LogError::Truncated`]; at or past the end the batch is empty.
    fn read(&self, partition: Partition, from: Offset, limit: usize) -> Result<Batch, LogError>;

    /// Follows the log from `from`: what is stored, then what becomes durable, without a gap.
    fn subscribe(&self, from: Position) -> Result<Box<dyn Subscription>, LogError>;

    /// Deletes whole sealed segments in which every event was received before `received` and is below `limit`: what
    /// was archived, for one.
    fn truncate_below(&self, received: Timestamp, limit: &Position) -> Result<Truncated, LogError>;

    /// Deletes whole sealed segments in which every event was received before `received`.
    fn truncate(&self, received: Timestamp) -> Result<Truncated, LogError> {
        let everything = (0..self.partitions()).map(|_| Offset::MAX).collect();
        self.truncate_below(received, &Position(everything))
    }
}

/// A reader that follows the log.
pub trait Subscription: Send {
    /// The next batch, waiting at most `timeout` for one; `None` when the time is up, or the log is closed and
    /// everything was read (then [`Subscription::closed`] is true).
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, LogError>;

    /// Whether the log was closed and everything was read.
    fn closed(&self) -> bool;

    /// Where this reader stands.
    fn position(&self) -> &Position;
}
