//! Following the embedded log.

use std::sync::Arc;
use std::time::Duration;

use crate::segment::segments::{Cursor, Segments};
use crate::tail::{Found, Tail};
use crate::{Batch, LogError, Offset, Partition, Position, Subscription};

/// Most events read from disk at once.
const READ_EVENTS: usize = 4096;

/// Takes recent batches from memory as they were committed, older ones from disk.
pub(crate) struct TailSubscription {
    segments: Arc<Segments>,
    tail: Arc<Tail>,
    position: Position,
    cursor: Option<Cursor>,
}

impl TailSubscription {
    pub(crate) fn new(segments: Arc<Segments>, tail: Arc<Tail>, from: Offset) -> Self {
        Self { segments, tail, position: Position(vec![from]), cursor: None }
    }
}

impl Subscription for TailSubscription {
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, LogError> {
        let partition = Partition(0);
        let first = self.position.offset(partition);
        let events = match self.tail.wait(first, timeout) {
            Found::Events(events) => events,
            Found::Older => self.segments.read(first, READ_EVENTS, &mut self.cursor)?.into(),
            Found::Nothing | Found::Closed => return Ok(None),
        };
        let batch = Batch { partition, first, events };
        self.position.set(partition, batch.next());
        Ok(Some(batch))
    }

    fn closed(&self) -> bool {
        self.tail.closed_at(self.position.offset(Partition(0)))
    }

    fn position(&self) -> &Position {
        &self.position
    }
}
