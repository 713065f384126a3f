//! Archiving: what closed since the last time becomes files.

use std::time::Duration;

use headwater_base::{Event, Timestamp};
use object_store::PutMode;

use super::file::Writer;
use super::layout::{Day, Place};
use super::{Archive, ArchiveError, Source, Stream};
use crate::{Offset, Partition};

/// How many records are read at once.
const READ_RECORDS: usize = 4096;
/// A record received this long before the first of a file still belongs to the file: appends overtake each other.
const OVERTAKEN: Duration = Duration::from_secs(60);
/// How long after a day's end nothing of that day is on its way into the log any more.
const SETTLED: Duration = Duration::from_secs(600);

/// How large a file may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    /// Rows, give or take the last record's.
    pub rows: usize,
    /// Bytes before compression, roughly.
    pub bytes: usize,
    /// Rows of a row group: enough to compress well, few enough to hold in memory.
    pub group_rows: usize,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self { rows: 1 << 20, bytes: 512 << 20, group_rows: 131_072 }
    }
}

/// How far archiving goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Files that are full, and days that are over at this moment.
    Closed(Timestamp),
    /// Everything there is, in a small file where need be.
    Now,
}

/// What archiving added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// Files written.
    pub files: usize,
    /// Records in them.
    pub records: u64,
    /// Their size.
    pub bytes: u64,
    /// The offset after the last archived record.
    pub position: Offset,
    /// Records that the log had deleted before they were archived; counted with the first file after them.
    pub lost: u64,
}

impl Archive {
    /// Archives what `source` holds of a partition beyond what was archived. `progress` is told after each batch how
    /// many records were read and how many there are; what it answers says whether to go on. Where it is not, the file
    /// that was being filled is not written.
    ///
    /// What was written stays when an error ends it early, and the next run goes on from there.
    ///
    /// # Errors
    /// The log's, the store's; [`ArchiveError::Ahead`] where the two do not belong together; [`ArchiveError::Busy`].
    pub fn archive(
        &self,
        stream: Stream,
        partition: Partition,
        source: &dyn Source,
        until: Until,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Archived, ArchiveError> {
        let _change = self.change()?;
        source.refresh()?;
        let position = self.position(stream, partition)?;
        let (start, end) = (source.start(), source.end());
        if position > end {
            return Err(ArchiveError::Ahead { stream, archived: position, end });
        }
        let from = position.max(start);
        let mut run = Run {
            archive: self,
            stream,
            partition,
            source,
            open: None,
            skipped: from - position,
            done: Archived { position, ..Archived::default() },
        };
        if from == end || run.still_open(from, end, until)? {
            return Ok(run.done);
        }
        let mut next = from;
        while next < end {
            let limit = READ_RECORDS.min(usize::try_from(end - next).unwrap_or(usize::MAX));
            let batch = source.read(next, limit)?;
            if batch.events.is_empty() {
                break;
            }
            for (offset, event) in (next..).zip(batch.events.iter()) {
                run.take(offset, event)?;
            }
            next = batch.next();
            if !progress(next - from, end - from) {
                return Ok(run.done);
            }
        }
        run.end(until)?;
        Ok(run.done)
    }
}

/// A file that is being filled.
struct Open {
    place: Place,
    /// When its first record was received.
    from: Timestamp,
    writer: Writer,
}

impl Open {
    /// Whether a record received at `moment` begins another file.
    fn ends_before(&self, moment: Timestamp) -> bool {
        moment >= self.place.day.end()
            || (moment < self.place.day.start() && moment < self.from.minus(OVERTAKEN))
    }
}

struct Run<'a> {
    archive: &'a Archive,
    stream: Stream,
    partition: Partition,
    source: &'a dyn Source,
    open: Option<Open>,
    /// Records before the first that the log had deleted; lost once what follows them is archived.
    skipped: u64,
    done: Archived,
}

impl Run<'_> {
    /// Whether it can be told from the first and the last record that no file is due, so that a busy day is not read
    /// again and again.
    fn still_open(&self, from: Offset, end: Offset, until: Until) -> Result<bool, ArchiveError> {
        let Until::Closed(now) = until else { return Ok(false) };
        if end - from >= self.archive.limits.rows as u64 {
            return Ok(false);
        }
        let (first, last) = (self.source.received(from)?, self.source.received(end - 1)?);
        let day = |received: Option<Timestamp>| received.map(Day::of);
        Ok(day(first) == day(last) && first.is_some_and(|first| !over(Day::of(first), now)))
    }

    fn take(&mut self, offset: Offset, event: &Event) -> Result<(), ArchiveError> {
        let limits = self.archive.limits;
        let due = |open: &Open| {
            open.ends_before(event.received)
                || open.writer.rows >= limits.rows
                || open.writer.bytes >= limits.bytes
        };
        if self.open.as_ref().is_some_and(due) {
            self.close()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(Open {
                place: Place {
                    stream: self.stream,
                    day: Day::of(event.received),
                    partition: self.partition,
                    first: offset,
                },
                from: event.received,
                writer: Writer::new(self.stream, limits)?,
            }),
        };
        open.writer.push(offset, event.clone())
    }

    /// Nothing more is there: closes the last file if it is due.
    fn end(&mut self, until: Until) -> Result<(), ArchiveError> {
        let limits = self.archive.limits;
        let due = self.open.as_ref().is_some_and(|open| match until {
            Until::Now => true,
            Until::Closed(now) => {
                over(open.place.day, now)
                    || open.writer.rows >= limits.rows
                    || open.writer.bytes >= limits.bytes
            }
        });
        if due { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), ArchiveError> {
        let Some(Open { place, writer, .. }) = self.open.take() else {
            return Ok(());
        };
        self.source.settle(place.first)?;
        let records = writer.records;
        let bytes = writer.finish()?;
        let size = bytes.len() as u64;
        self.archive.put(&place.path(), bytes, PutMode::Create)?;
        self.done.lost = self.skipped;
        self.done.files += 1;
        self.done.records += records;
        self.done.bytes += size;
        self.done.position = place.first + records;
        Ok(())
    }
}

/// Whether no record of this day is to come.
fn over(day: Day, now: Timestamp) -> bool {
    now >= day.end().plus(SETTLED)
}
