//! The stream of decisions: never waits for the disk, and is found by request id.
//!
//! An append hands its record to the operating system before it returns, so a killed process loses nothing; a thread
//! of its own makes it durable shortly after, so a power failure loses the last moments. There is no deduplication.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_base::{Clock, Event, RequestId, Timestamp};
use parking_lot::{Condvar, Mutex};

use crate::disk::{Disk, SystemDisk, failed, publish};
use crate::recovery::Recovery;
use crate::segment::format::{MAX_RECORD_BYTES, Mark, put_record};
use crate::segment::recover::{create_lazily, recover};
use crate::segment::segments::{Indexed, SegmentFile, Segments};
use crate::{Batch, DecisionOptions, LogError, Offset, Partition, Truncated, codec, lock, request_id};

/// How far a decision's receive time may be from the time in its request id: first where nearly all are, then the
/// most [`DecisionLog::find`] looks for.
const DISTANCES: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(2)];

/// See the module.
pub struct DecisionLog {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    options: DecisionOptions,
    thread: Mutex<Option<JoinHandle<()>>>,
    _lock: lock::Lock,
}

struct Shared {
    segments: Segments,
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    segment: SegmentFile,
    byte: u64,
    end: Offset,
    /// Everything below is on disk.
    durable: Offset,
    /// The last mark written says so of everything below.
    marked: Offset,
    /// Segments that are full and not yet synced.
    full: Vec<Arc<Indexed>>,
    buffer: Vec<u8>,
    failed: Option<LogError>,
    closing: bool,
}

impl DecisionLog {
    /// Opens the stream in `folder`, creating it where there is none, and takes its writer lock.
    pub fn open(
        folder: &Path,
        options: DecisionOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovery), LogError> {
        Self::open_on(folder, options, clock, Arc::new(SystemDisk))
    }

    pub(crate) fn open_on(
        folder: &Path,
        options: DecisionOptions,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Recovery), LogError> {
        let lock = lock::take(folder)?;
        let (segments, recovery) = recover(folder, &*disk, clock.now(), &mut |_| {})?;
        let active = segments.update(|state| {
            state.active.as_ref().map(|active| (active.segment.clone(), active.index.summary()))
        });
        let (segment, summary) = active.ok_or(LogError::Closed)?;
        let state = State {
            segment,
            byte: summary.bytes,
            end: summary.end,
            durable: summary.end,
            marked: summary.first,
            full: Vec::new(),
            buffer: Vec::new(),
            failed: None,
            closing: false,
        };
        let shared = Arc::new(Shared { segments, disk, state: Mutex::new(state), changed: Condvar::new() });
        let (syncing, interval) = (Arc::clone(&shared), options.sync_interval);
        let thread = std::thread::Builder::new()
            .name("decision-sync".to_owned())
            .spawn(move || syncing.keep_durable(interval))
            .map_err(failed("start a thread for", folder))?;
        Ok((Self { shared, clock, options, thread: Mutex::new(Some(thread)), _lock: lock }, recovery))
    }

    /// Stores an event; it survives a killed process when this returns, a power failure within moments.
    ///
    /// Never fsyncs and never waits for one. After a failed write or fsync every append answers that error.
    pub fn append(&self, event: &Event) -> Result<Offset, LogError> {
        let mut payload = Vec::with_capacity(1024);
        codec::encode(event, &mut payload);
        if payload.len() > MAX_RECORD_BYTES {
            return Err(LogError::TooLarge { bytes: payload.len(), limit: MAX_RECORD_BYTES });
        }
        let shared = &*self.shared;
        let mut guard = shared.state.lock();
        let state = &mut *guard;
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        if state.closing {
            return Err(LogError::Closed);
        }
        let offset = state.end;
        let written = shared.write(state, event.received, &payload).and_then(|()| {
            if state.byte < self.options.segment_bytes {
                return Ok(());
            }
            shared.rotate(state, self.clock.now())
        });
        if let Err(error) = written {
            state.failed = Some(error.clone());
            return Err(error);
        }
        // The sync thread sleeps only while nothing waits for it.
        let first_to_wait = state.durable == offset;
        drop(guard);
        if first_to_wait {
            shared.changed.notify_all();
        }
        Ok(offset)
    }

    /// The decision that carries `request_id`, if it is held.
    ///
    /// Looks where the time within the id points: the event's receive time has to be within two seconds of the moment
    /// given to [`crate::request_id::RequestIds::next`]. An id of another shape is not found.
    pub fn find(&self, request_id: &RequestId) -> Result<Option<Event>, LogError> {
        let Some(made) = request_id::time(request_id) else {
            return Ok(None);
        };
        for distance in DISTANCES {
            let (from, to) = (made.minus(distance), made.plus(distance));
            let found = self.shared.segments.search(from, to, |payload| {
                if codec::peek_request_id(payload)? == Some(request_id.as_str()) {
                    return codec::decode(payload).map(Some);
                }
                Ok(None)
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Reads at most `limit` events from `from` on; fewer where a segment ends, none only at or past the end.
    pub fn read(&self, from: Offset, limit: usize) -> Result<Batch, LogError> {
        let events = self.shared.segments.read(from, limit, &mut None)?;
        Ok(Batch { partition: Partition(0), first: from, events: events.into() })
    }

    /// The first offset held.
    pub fn start(&self) -> Offset {
        self.shared.segments.start()
    }

    /// The offset after the last event.
    pub fn end(&self) -> Offset {
        self.shared.segments.end()
    }

    /// The offset below which everything is on disk.
    pub fn durable(&self) -> Offset {
        self.shared.state.lock().durable
    }

    /// Deletes whole sealed segments in which every event was received before `received`.
    pub fn truncate(&self, received: Timestamp) -> Result<Truncated, LogError> {
        self.truncate_below(received, Offset::MAX)
    }

    /// The same, of segments that hold nothing from `limit` on: what was archived, for one.
    pub fn truncate_below(&self, received: Timestamp, limit: Offset) -> Result<Truncated, LogError> {
        let truncated = self.shared.segments.truncate(received, limit)?;
        let folder = self.shared.segments.folder();
        self.shared.disk.sync_folder(folder).map_err(failed("sync", folder))?;
        Ok(truncated)
    }

    /// Goes on in a new segment, unless the active one holds nothing.
    pub(crate) fn rotate(&self) -> Result<(), LogError> {
        let mut guard = self.shared.state.lock();
        let state = &mut *guard;
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        if state.closing {
            return Err(LogError::Closed);
        }
        if state.end == state.segment.header.first {
            return Ok(());
        }
        let rotated = self.shared.rotate(state, self.clock.now());
        if let Err(error) = &rotated {
            state.failed = Some(error.clone());
        }
        rotated
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.shared.segments
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.shared.disk
    }

    /// Makes everything durable. Appends answer [`LogError::Closed`] from then on.
    pub fn close(&self) {
        self.shared.state.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs decisions panicked");
        }
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn write(&self, state: &mut State, received: Timestamp, payload: &[u8]) -> Result<(), LogError> {
        state.buffer.clear();
        let salt = state.segment.header.salt;
        if state.marked < state.durable {
            Mark { first: state.end, durable: state.durable }.put(salt, &mut state.buffer);
            state.marked = state.durable;
        }
        let record = state.byte + state.buffer.len() as u64;
        put_record(salt, state.end, payload, &mut state.buffer);
        let SegmentFile { path, file, .. } = &state.segment;
        self.disk.write(file, &state.buffer).map_err(failed("write", path))?;
        state.byte += state.buffer.len() as u64;
        state.end += 1;
        let end = state.byte;
        self.segments.update(|segments| {
            if let Some(active) = &mut segments.active {
                active.index.add(record, received);
                active.index.set_bytes(end);
            }
        });
        Ok(())
    }

    fn rotate(&self, state: &mut State, now: Timestamp) -> Result<(), LogError> {
        let mark = Mark { first: state.end, durable: state.durable };
        let next = create_lazily(self.segments.folder(), &*self.disk, mark, now)?;
        state.segment = next.segment.clone();
        state.byte = next.index.summary().bytes;
        state.marked = state.durable;
        state.full.extend(self.segments.seal(next));
        Ok(())
    }

    /// The sync thread: once anything waits, lets more gather for `interval`, then syncs.
    fn keep_durable(&self, interval: Duration) {
        let mut state = self.state.lock();
        loop {
            self.changed.wait_while(&mut state, |state| state.durable == state.end && !state.closing);
            self.changed.wait_while_for(&mut state, |state| !state.closing, interval);
            if state.failed.is_some() {
                return;
            }
            let (full, segment, end) = (std::mem::take(&mut state.full), state.segment.clone(), state.end);
            let closing = state.closing;
            drop(state);
            let synced = self.sync(&full, &segment);
            state = self.state.lock();
            match synced {
                Ok(()) => state.durable = end,
                Err(error) => {
                    tracing::error!(%error, "decisions are not stored until the log is opened again");
                    state.failed = Some(error);
                    return;
                }
            }
            if closing {
                if let Err(error) = self.put_last_mark(&mut state) {
                    tracing::error!(%error, "closing the decision log");
                }
                return;
            }
        }
    }

    fn sync(&self, full: &[Arc<Indexed>], active: &SegmentFile) -> Result<(), LogError> {
        for sealed in full {
            let path = &sealed.segment.path;
            self.disk.sync(&sealed.segment.file).map_err(failed("sync", path))?;
            // Also syncs the folder, and with it the name of the segment that follows.
            let _upkeep = self.segments.upkeep.lock();
            let summary = sealed.index.summary();
            // An erasure may have replaced the file, or retention deleted it.
            if self.segments.sealed_at(summary.first) == Some(summary) {
                publish(&*self.disk, &path.with_extension("index"), &sealed.index.encode())?;
            } else {
                let folder = self.segments.folder();
                self.disk.sync_folder(folder).map_err(failed("sync", folder))?;
            }
        }
        self.disk.sync(&active.file).map_err(failed("sync", &active.path))
    }

    /// Says that everything in the file is durable, so that later damage is told from a torn tail.
    fn put_last_mark(&self, state: &mut State) -> Result<(), LogError> {
        let SegmentFile { path, file, header } = &state.segment;
        let mut bytes = Vec::new();
        Mark { first: state.end, durable: state.durable }.put(header.salt, &mut bytes);
        self.disk.write(file, &bytes).map_err(failed("write", path))?;
        self.disk.sync(file).map_err(failed("sync", path))
    }
}
