//! The embedded log: one partition in one folder, one writer, many readers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use compact_str::format_compact;
use headwater_base::{Clock, Event, EventId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::dedup::{self, Dedup, Sealer, Table};
use crate::disk::{Disk, SystemDisk, failed};
use crate::queue::{Piece, Queue, Request};
use crate::recovery::Recovery;
use crate::segment::format::MAX_RECORD_BYTES;
use crate::segment::recover::recover;
use crate::segment::segments::Segments;
use crate::subscription::TailSubscription;
use crate::tail::Tail;
use crate::writer::{Place, Writer};
use crate::{
    Appending, Batch, EventLog, LogError, LogOptions, Offset, Partition, Position, Subscription, Truncated,
    codec, lock,
};

/// The durable log of events in a folder of its own.
///
/// An append resolves when its events are on disk. Events are stored once per id within the deduplication window. An
/// event whose id is empty is given one that no other event has: the log's start time, in microseconds, and a count.
/// Ids from outside are never empty ([`headwater_base::id::validate_id`]) and are always looked up, so nobody can pass
/// the deduplication or take another's id by imitating that shape; and since such ids are remembered like all others,
/// importing an export is idempotent.
pub struct EmbeddedLog {
    pub(crate) segments: Arc<Segments>,
    pub(crate) tail: Arc<Tail>,
    queue: Arc<Queue>,
    pub(crate) dedup: Arc<Mutex<Dedup>>,
    pub(crate) disk: Arc<dyn Disk>,
    writer: Mutex<Option<JoinHandle<()>>>,
    opened: Timestamp,
    named: AtomicU64,
    _lock: lock::Lock,
}

impl EmbeddedLog {
    /// Opens the log in `folder`, creating it where there is none, and takes its writer lock.
    ///
    /// Cuts a torn tail and says so in [`Recovery`]; refuses damage, a newer format, and a folder another process
    /// writes.
    pub fn open(
        folder: &Path,
        options: LogOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovery), LogError> {
        Self::open_on(folder, options, clock, Arc::new(SystemDisk))
    }

    pub(crate) fn open_on(
        folder: &Path,
        options: LogOptions,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Recovery), LogError> {
        let lock = lock::take(folder)?;
        let opened = clock.now();
        let mut recent = Table::default();
        let mut note = |head: codec::Head<'_>| recent.insert(dedup::hash(head.id));
        let (segments, mut recovery) = recover(folder, &*disk, opened, &mut note)?;
        let (dedup, rebuilt) = Dedup::open(folder, &segments.sealed(), recent, &options, opened)?;
        recovery.rebuilt += rebuilt;
        let dedup = Arc::new(Mutex::new(dedup));
        let segments = Arc::new(segments);
        let tail = Arc::new(Tail::new(recovery.end, options.recent_events));
        let queue = Arc::new(Queue::new(options.queue_events, options.queue_bytes));
        let sealer = Sealer::start(Arc::clone(&segments), Arc::clone(&dedup), Arc::clone(&disk));
        let place = segments.update(|state| {
            state.active.as_ref().map(|active| Place {
                segment: active.segment.clone(),
                byte: active.index.summary().bytes,
                offset: active.index.summary().end,
            })
        });
        let writer = Writer {
            segments: Arc::clone(&segments),
            tail: Arc::clone(&tail),
            queue: Arc::clone(&queue),
            dedup: Arc::clone(&dedup),
            disk: Arc::clone(&disk),
            clock,
            options,
            sealer: sealer.map_err(failed("start a thread for", folder))?,
            at: place.ok_or(LogError::Closed)?,
        };
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(failed("start a thread for", folder))?;
        let log = Self {
            segments,
            tail,
            queue,
            dedup,
            disk,
            writer: Mutex::new(Some(thread)),
            opened,
            named: AtomicU64::new(0),
            _lock: lock,
        };
        Ok((log, recovery))
    }

    /// Commits what waits, ends the file so that later damage to it is told from a torn tail, and ends all
    /// subscriptions once they have read everything. Appends answer [`LogError::Closed`] from then on.
    pub fn close(&self) {
        self.queue.close();
        if let Some(thread) = self.writer.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the log's writer panicked");
        }
        self.tail.close();
    }

    /// Seals the active segment, unless it holds nothing, and goes on in a new one.
    pub(crate) fn rotate(&self) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        let (events, encoded, pieces) = (Vec::new(), Vec::new(), Vec::new());
        self.queue.push(Request { events, encoded, pieces, reply, rotate: true });
        Appending::new(answer).wait().map(drop)
    }

    fn encode(
        &self,
        mut events: Vec<Event>,
        reply: oneshot::Sender<Result<crate::Appended, LogError>>,
    ) -> Option<Request> {
        let mut encoded = Vec::with_capacity(events.len() * 96);
        let mut pieces = Vec::with_capacity(events.len());
        for event in &mut events {
            let named_here = event.id.as_str().is_empty();
            if named_here {
                event.id = self.name();
            }
            let start = encoded.len();
            codec::encode(event, &mut encoded);
            let bytes = encoded.len() - start;
            if bytes > MAX_RECORD_BYTES {
                let _ = reply.send(Err(LogError::TooLarge { bytes, limit: MAX_RECORD_BYTES }));
                return None;
            }
            pieces.push(Piece { end: encoded.len(), id: dedup::hash(event.id.as_str()), named_here });
        }
        Some(Request { events, encoded, pieces, reply, rotate: false })
    }

    fn name(&self) -> EventId {
        let count = self.named.fetch_add(1, Ordering::Relaxed);
        EventId::trusted(format_compact!("o{:x}-{count:x}", self.opened.as_micros()))
    }
}

impl EventLog for EmbeddedLog {
    fn partitions(&self) -> u32 {
        1
    }

    fn append(&self, events: Vec<Event>) -> Appending {
        let (reply, answer) = oneshot::channel();
        if let Some(request) = self.encode(events, reply) {
            self.queue.push(request);
        }
        Appending::new(answer)
    }

    fn start(&self) -> Position {
        Position(vec![self.segments.start()])
    }

    fn end(&self) -> Position {
        Position(vec![self.segments.end()])
    }

    fn read(&self, partition: Partition, from: Offset, limit: usize) -> Result<Batch, LogError> {
        let events = match partition {
            Partition(0) => self.segments.read(from, limit, &mut None)?,
            Partition(_) => Vec::new(),
        };
        Ok(Batch { partition, first: from, events: events.into() })
    }

    fn subscribe(&self, from: Position) -> Result<Box<dyn Subscription>, LogError> {
        let (from, start) = (from.offset(Partition(0)), self.segments.start());
        if from < start {
            return Err(LogError::Truncated { asked: from, start });
        }
        Ok(Box::new(TailSubscription::new(Arc::clone(&self.segments), Arc::clone(&self.tail), from)))
    }

    fn truncate_below(&self, received: Timestamp, limit: &Position) -> Result<Truncated, LogError> {
        let truncated = self.segments.truncate(received, limit.offset(Partition(0)))?;
        if truncated.segments > 0 {
            self.dedup.lock().forget_before(self.segments.start());
            let folder = self.segments.folder();
            self.disk.sync_folder(folder).map_err(failed("sync", folder))?;
        }
        Ok(truncated)
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.close();
    }
}
