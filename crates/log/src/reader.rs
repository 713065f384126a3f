//! Reading a log without its lock, while another process may write it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use headwater_base::Event;
use parking_lot::Mutex;

use crate::disk::failed;
use crate::segment::format::HEADER_BYTES;
use crate::segment::index::SparseIndex;
use crate::segment::recover::missing;
use crate::segment::segments::{
    Cursor, Indexed, SegmentFile, Segments, State, extend, list, load_sealed, sidecar_summary,
};
use crate::{Batch, LogError, Offset, Partition};

/// How many events [`LogReader::events_from`] reads at once.
const READ_EVENTS: usize = 4096;

/// Reads the log in a folder, and changes nothing there.
///
/// Sees what the writer has written, also what it has not acknowledged yet, as of the last [`LogReader::refresh`]. The
/// write in progress at the end is not an error; damage is.
pub struct LogReader {
    folder: PathBuf,
    segments: Segments,
    refreshing: Mutex<()>,
}

impl LogReader {
    /// Opens the log in `folder`; a folder that is not there is an empty log.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        let segments = Segments::new(folder, State { sealed: Vec::new(), active: None });
        let reader = Self { folder: folder.to_owned(), segments, refreshing: Mutex::new(()) };
        reader.refresh()?;
        Ok(reader)
    }

    /// The first offset held.
    pub fn start(&self) -> Offset {
        self.segments.start()
    }

    /// The offset after the last event seen.
    pub fn end(&self) -> Offset {
        self.segments.end()
    }

    /// Reads at most `limit` events from `from` on; fewer where a segment ends, none only at or past the end.
    pub fn read(&self, from: Offset, limit: usize) -> Result<Batch, LogError> {
        let events = self.segments.read(from, limit, &mut None)?;
        Ok(Batch { partition: Partition(0), first: from, events: events.into() })
    }

    /// The events from `from` to what is the end now, with their offsets.
    pub fn events_from(&self, from: Offset) -> Events<'_> {
        Events {
            reader: self,
            cursor: None,
            next: from,
            end: self.end(),
            read: VecDeque::new(),
            failed: false,
        }
    }

    /// Makes what was seen from `from` on durable; what the writer has not acknowledged may not be.
    pub fn sync_from(&self, from: Offset) -> Result<(), LogError> {
        let sync = |segment: &SegmentFile| segment.file.sync_data().map_err(failed("sync", &segment.path));
        for summary in self.segments.sealed().iter().filter(|summary| summary.end > from) {
            sync(&self.segments.open_sealed(summary.first)?.segment)?;
        }
        let active = self.segments.update(|state| state.active.as_ref().map(|active| active.segment.clone()));
        active.as_ref().map_or(Ok(()), sync)
    }

    /// Looks for what was written, sealed and deleted since.
    pub fn refresh(&self) -> Result<(), LogError> {
        let _one_at_a_time = self.refreshing.lock();
        let firsts = list(&self.folder)?;
        let Some(oldest) = firsts.first().copied() else {
            return Ok(());
        };
        let active = self.segments.update(|state| {
            state.sealed.retain(|summary| summary.first >= oldest);
            state.active.as_ref().map(|active| active.index.summary().first)
        });
        if active.is_none_or(|first| firsts.binary_search(&first).is_err()) {
            self.reload(&firsts)?;
        }
        self.advance(&firsts)?;
        self.segments.forget_replaced();
        Ok(())
    }

    /// Takes what is there for all that is known.
    fn reload(&self, firsts: &[Offset]) -> Result<(), LogError> {
        let Some((last, before)) = firsts.split_last() else {
            return Ok(());
        };
        let mut sealed = Vec::with_capacity(before.len());
        for (at, first) in before.iter().enumerate() {
            let summary = match sidecar_summary(&self.folder, *first)? {
                Some(summary) => summary,
                None => load_sealed(&self.folder, *first)?.index.summary(),
            };
            if summary.end != firsts[at + 1] {
                return Err(missing(&self.folder, summary.end, firsts[at + 1]));
            }
            sealed.push(summary);
        }
        let active = Some(open_active(&self.folder, *last)?);
        self.segments.forget_open();
        self.segments.update(|state| *state = State { sealed, active });
        Ok(())
    }

    /// Reads on in the active segment, and into those that followed it.
    fn advance(&self, firsts: &[Offset]) -> Result<(), LogError> {
        loop {
            let Some((segment, mut index)) = self.segments.update(|state| {
                state.active.as_ref().map(|active| (active.segment.clone(), active.index.clone()))
            }) else {
                return Ok(());
            };
            // A mark before this length was written when everything it vouches for was there.
            let length = segment.length()?;
            let bad = extend(&segment, &mut index, length, &mut |_| {})?;
            let summary = index.summary();
            let next = firsts.iter().copied().find(|first| *first > summary.first);
            if let Some(reason) = bad {
                let scan = segment.scan(summary.end, summary.bytes, length);
                if next.is_some() || scan.vouched()? {
                    return Err(scan.damaged(reason));
                }
            }
            self.segments.update(|state| state.active = Some(Indexed { segment, index }));
            let Some(next) = next else {
                return Ok(());
            };
            if next != summary.end {
                return Err(missing(&self.folder, summary.end, next));
            }
            self.segments.seal(open_active(&self.folder, next)?);
        }
    }
}

fn open_active(folder: &Path, first: Offset) -> Result<Indexed, LogError> {
    let segment = SegmentFile::open(folder, first)?;
    Ok(Indexed { segment, index: SparseIndex::new(first, HEADER_BYTES as u64) })
}

/// Events in log order with their offsets. See [`LogReader::events_from`].
pub struct Events<'a> {
    reader: &'a LogReader,
    cursor: Option<Cursor>,
    next: Offset,
    end: Offset,
    read: VecDeque<Event>,
    failed: bool,
}

impl Iterator for Events<'_> {
    type Item = Result<(Offset, Event), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty() && !self.failed && self.next < self.end {
            let limit = usize::try_from(self.end - self.next).unwrap_or(usize::MAX).min(READ_EVENTS);
            match self.reader.segments.read(self.next, limit, &mut self.cursor) {
                Ok(events) => self.read = events.into(),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        let event = self.read.pop_front()?;
        self.next += 1;
        Some(Ok((self.next - 1, event)))
    }
}
