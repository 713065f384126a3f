//! The thread that writes: takes what waits, writes it with one call, makes it durable with one fsync, tells everybody.
//!
//! Group commit needs no timer to work: while one fsync runs, appends gather for the next. A commit that follows one of
//! many requests waits a little for as many to come back, since those who were just answered are about to append
//! again; it waits no longer than an fsync takes, nor than the linger. A lone appender never waits.
//!
//! After a failed write or fsync the thread stops: the system may have dropped the pages, and a second fsync would then
//! succeed without them. Appends answer the error from then on; readers go on with what is durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_base::{Clock, Event, Timestamp};
use parking_lot::Mutex;

use crate::dedup::{Dedup, SealJob, Sealer};
use crate::disk::{Disk, failed};
use crate::queue::{Queue, Request};
use crate::segment::format::{Mark, put_record};
use crate::segment::recover::create;
use crate::segment::segments::{SegmentFile, Segments};
use crate::tail::Tail;
use crate::{Appended, LogError, LogOptions, Offset, Outcome, Partition, Position};

/// Most bytes written by one commit, so that one fsync stays short.
const COMMIT_BYTES: usize = 8 << 20;

/// See the module.
pub(crate) struct Writer {
    pub(crate) segments: Arc<Segments>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) dedup: Arc<Mutex<Dedup>>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: LogOptions,
    pub(crate) sealer: Sealer,
    pub(crate) at: Place,
}

/// Where the next commit goes.
pub(crate) struct Place {
    pub(crate) segment: SegmentFile,
    pub(crate) byte: u64,
    pub(crate) offset: Offset,
}

/// A commit being put together.
#[derive(Default)]
struct Commit {
    bytes: Vec<u8>,
    /// Where each record starts in the file, and when it was received.
    records: Vec<(u64, Timestamp)>,
    events: Vec<Event>,
}

impl Writer {
    /// Works until the queue is closed and drained, or a write fails.
    pub(crate) fn run(mut self) {
        let (mut expected, mut sync_time) = (0, Duration::ZERO);
        let mut bytes = Vec::new();
        loop {
            let linger = sync_time.min(self.options.linger);
            let requests = self.queue.take(expected, linger, COMMIT_BYTES);
            if requests.is_empty() {
                break;
            }
            expected = requests.len();
            match self.commit(requests, &mut bytes, &mut sync_time) {
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(%error, "the log takes no more events until it is opened again");
                    self.queue.fail(&error);
                    return;
                }
            }
        }
        if let Err(error) = self.finish() {
            tracing::error!(%error, "closing the log");
        }
    }

    fn commit(
        &mut self,
        requests: Vec<Request>,
        bytes: &mut Vec<u8>,
        sync_time: &mut Duration,
    ) -> Result<(), LogError> {
        bytes.clear();
        let mut commit = Commit { bytes: std::mem::take(bytes), ..Commit::default() };
        let mark = Mark { first: self.at.offset, durable: self.at.offset };
        mark.put(self.at.segment.header.salt, &mut commit.bytes);
        let mut answers = Vec::with_capacity(requests.len());
        let mut replies = Vec::with_capacity(requests.len());
        let rotate = requests.iter().any(|request| request.rotate);
        let mut result = Ok(());
        for request in requests {
            replies.push(request.reply);
            if result.is_ok() {
                result = self
                    .place(request.events, &request.encoded, &request.pieces, &mut commit)
                    .map(|outcomes| answers.push(outcomes));
            }
        }
        let stored = !commit.events.is_empty();
        if result.is_ok() && stored {
            result = self.write(&mut commit, sync_time);
        }
        if let Err(error) = result {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
            return Err(error);
        }
        *bytes = commit.bytes;
        if rotate
            && self.at.offset > self.at.segment.header.first
            && let Err(error) = self.rotate()
        {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
            return Err(error);
        }
        for (reply, outcomes) in replies.into_iter().zip(answers) {
            let position = Position(vec![self.at.offset]);
            // Whoever does not wait for the answer has it stored all the same.
            let _ = reply.send(Ok(Appended { outcomes, position }));
        }
        if self.at.byte >= self.options.segment_bytes {
            self.rotate()?;
        }
        Ok(())
    }

    /// Gives the new events of a request their offsets.
    fn place(
        &self,
        events: Vec<Event>,
        encoded: &[u8],
        pieces: &[crate::queue::Piece],
        commit: &mut Commit,
    ) -> Result<Vec<Outcome>, LogError> {
        let salt = self.at.segment.header.salt;
        let mut dedup = self.dedup.lock();
        let now = self.clock.now();
        let mut outcomes = Vec::with_capacity(events.len());
        let mut start = 0;
        for (event, piece) in events.into_iter().zip(pieces) {
            let payload = &encoded[start..piece.end];
            start = piece.end;
            if piece.named_here {
                dedup.insert_new(piece.id);
            } else if !dedup.insert(piece.id, now)? {
                outcomes.push(Outcome::Duplicate);
                continue;
            }
            let offset = self.at.offset + commit.events.len() as u64;
            commit.records.push((self.at.byte + commit.bytes.len() as u64, event.received));
            put_record(salt, offset, payload, &mut commit.bytes);
            commit.events.push(event);
            outcomes.push(Outcome::Stored(Partition(0), offset));
        }
        Ok(outcomes)
    }

    /// Writes the commit, makes it durable and shows it to readers.
    fn write(&mut self, commit: &mut Commit, sync_time: &mut Duration) -> Result<(), LogError> {
        let SegmentFile { path, file, .. } = &self.at.segment;
        self.disk.write(file, &commit.bytes).map_err(failed("write", path))?;
        #[allow(clippy::disallowed_methods)] // Measures the disk; nothing stored depends on it.
        let started = Instant::now();
        self.disk.sync(file).map_err(failed("sync", path))?;
        *sync_time = started.elapsed();
        self.at.byte += commit.bytes.len() as u64;
        self.at.offset += commit.events.len() as u64;
        let end = self.at.byte;
        self.segments.update(|state| {
            if let Some(active) = &mut state.active {
                for (byte, received) in commit.records.drain(..) {
                    active.index.add(byte, received);
                }
                active.index.set_bytes(end);
            }
        });
        self.tail.push(std::mem::take(&mut commit.events).into());
        Ok(())
    }

    /// Seals the active segment and goes on in a new one.
    fn rotate(&mut self) -> Result<(), LogError> {
        self.put_mark()?;
        let mark = Mark { first: self.at.offset, durable: self.at.offset };
        let next = create(self.segments.folder(), &*self.disk, mark, self.clock.now())?;
        self.at =
            Place { segment: next.segment.clone(), byte: next.index.summary().bytes, offset: self.at.offset };
        if let Some(segment) = self.segments.seal(next) {
            let ids = self.dedup.lock().seal(segment.index.summary());
            self.sealer.seal(SealJob { segment, ids });
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), LogError> {
        self.put_mark()
    }

    /// Ends the file with a mark, which says that all before it was durable: from then on nothing in it passes for torn.
    fn put_mark(&mut self) -> Result<(), LogError> {
        let SegmentFile { path, file, header } = &self.at.segment;
        let mut bytes = Vec::new();
        Mark { first: self.at.offset, durable: self.at.offset }.put(header.salt, &mut bytes);
        self.disk.write(file, &bytes).map_err(failed("write", path))?;
        self.disk.sync(file).map_err(failed("sync", path))?;
        self.at.byte += bytes.len() as u64;
        let end = self.at.byte;
        self.segments.update(|state| {
            if let Some(active) = &mut state.active {
                active.index.set_bytes(end);
            }
        });
        Ok(())
    }
}
