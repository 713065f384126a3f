//! What is archived from: a log that is open, or one that another process writes.

use headwater_base::Timestamp;

use crate::{Batch, DecisionLog, EventLog, LogError, LogReader, Offset, Partition};

/// One partition of a stream.
pub trait Source {
    /// The first offset held.
    fn start(&self) -> Offset;

    /// The offset after the last record that may be archived.
    fn end(&self) -> Offset;

    /// Called before anything is read, with the right to change the archive held: what an erasure has replaced since this
    /// was opened must not be read any more, since nobody would look for it in the archive again.
    ///
    /// # Errors
    /// As of the log.
    fn refresh(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// Reads at most `limit` records from `from` on; fewer where a segment ends, none only at or past the end.
    ///
    /// # Errors
    /// As of the log.
    fn read(&self, from: Offset, limit: usize) -> Result<Batch, LogError>;

    /// Makes what was read from `from` on durable, so that the archive never holds what a power failure takes from the
    /// log.
    ///
    /// # Errors
    /// As of the log.
    fn settle(&self, from: Offset) -> Result<(), LogError>;

    /// When the record at `offset` was received; `None` at or past the end.
    ///
    /// # Errors
    /// As of the log.
    fn received(&self, offset: Offset) -> Result<Option<Timestamp>, LogError> {
        Ok(self.read(offset, 1)?.events.first().map(|event| event.received))
    }
}

/// One partition of an open event log.
pub struct PartitionOf<'a>(pub &'a dyn EventLog, pub Partition);

impl Source for PartitionOf<'_> {
    fn start(&self) -> Offset {
        self.0.start().offset(self.1)
    }

    fn end(&self) -> Offset {
        self.0.end().offset(self.1)
    }

    fn read(&self, from: Offset, limit: usize) -> Result<Batch, LogError> {
        self.0.read(self.1, from, limit)
    }

    /// Only what is durable can be read.
    fn settle(&self, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}

impl Source for DecisionLog {
    fn start(&self) -> Offset {
        Self::start(self)
    }

    fn end(&self) -> Offset {
        self.durable()
    }

    fn read(&self, from: Offset, limit: usize) -> Result<Batch, LogError> {
        Self::read(self, from, limit)
    }

    /// The end is where durability ends.
    fn settle(&self, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}

impl Source for LogReader {
    fn refresh(&self) -> Result<(), LogError> {
        Self::refresh(self)
    }

    fn start(&self) -> Offset {
        Self::start(self)
    }

    fn end(&self) -> Offset {
        Self::end(self)
    }

    fn read(&self, from: Offset, limit: usize) -> Result<Batch, LogError> {
        Self::read(self, from, limit)
    }

    fn settle(&self, from: Offset) -> Result<(), LogError> {
        self.sync_from(from)
    }
}
