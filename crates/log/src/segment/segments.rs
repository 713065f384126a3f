//! The segments of one folder: which there are, and reading events from them.
//!
//! Readers take a short lock to find their place and then read the file by position, so neither writers nor other
//! readers wait for them.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_base::{Event, Timestamp};
use parking_lot::{Mutex, RwLock};

use super::format::{HEADER_BYTES, Header, first_of, segment_path};
use super::index::{HEAD_BYTES, SparseIndex, Summary, decode_head};
use super::scan::{Scan, Step};
use crate::codec::{self, CodecError};
use crate::disk::failed;
use crate::{LogError, Offset, Truncated};

/// How many sealed segments are kept open at once.
const OPEN_SEGMENTS: usize = 16;

/// Is shown encoded events with their offsets.
pub(crate) type Visit<'a> = dyn FnMut(Offset, &[u8]) -> Result<(), CodecError> + 'a;

/// The open file of a segment.
#[derive(Clone)]
pub(crate) struct SegmentFile {
    pub(crate) path: Arc<Path>,
    pub(crate) file: Arc<File>,
    pub(crate) header: Header,
}

impl SegmentFile {
    /// Opens the segment that starts at `first` for reading.
    pub(crate) fn open(folder: &Path, first: Offset) -> Result<Self, LogError> {
        let path = segment_path(folder, first);
        let file = File::open(&path).map_err(failed("open", &path))?;
        Self::with_file(path, file, first)
    }

    /// Takes an open file, reading its header.
    pub(crate) fn with_file(path: PathBuf, file: File, first: Offset) -> Result<Self, LogError> {
        let mut header = [0; HEADER_BYTES];
        let length = file.metadata().map_err(failed("inspect", &path))?.len();
        if length >= HEADER_BYTES as u64 {
            file.read_exact_at(&mut header, 0).map_err(failed("read", &path))?;
        }
        let header = Header::decode(&header, &path, first)?;
        Ok(Self { path: path.into(), file: Arc::new(file), header })
    }

    /// How long the file is now.
    pub(crate) fn length(&self) -> Result<u64, LogError> {
        Ok(self.file.metadata().map_err(failed("inspect", &self.path))?.len())
    }

    /// Reads from the record `offset`, which starts at `byte` or after a mark there, up to byte `limit`.
    pub(crate) fn scan(&self, offset: Offset, byte: u64, limit: u64) -> Scan<'_> {
        Scan::new(&self.file, &self.path, self.header.salt, byte, offset, limit)
    }

    /// Shows the records of the file that `summary` describes to `visit`, from `from` on.
    pub(crate) fn visit(
        &self,
        summary: Summary,
        from: Offset,
        visit: &mut Visit<'_>,
    ) -> Result<(), LogError> {
        let mut scan = self.scan(summary.first, HEADER_BYTES as u64, summary.bytes);
        loop {
            match scan.next()? {
                Step::Record { offset, byte, payload } if offset >= from => {
                    visit(offset, payload).map_err(|error| self.undecodable(offset, byte, &error))?;
                }
                Step::Record { .. } => {}
                Step::End => return Ok(()),
                Step::Bad(reason) => return Err(scan.damaged(reason)),
            }
        }
    }

    /// What a record that passed its checksum but does not decode means.
    pub(crate) fn undecodable(&self, offset: Offset, byte: u64, error: &CodecError) -> LogError {
        match error {
            CodecError::Newer { found } => LogError::NewerFormat {
                path: self.path.to_path_buf(),
                found: *found,
                supported: codec::VERSION,
            },
            CodecError::Malformed { .. } => {
                LogError::Damaged { path: self.path.to_path_buf(), offset, byte, reason: error.to_string() }
            }
        }
    }
}

/// A segment and its index.
pub(crate) struct Indexed {
    pub(crate) segment: SegmentFile,
    pub(crate) index: SparseIndex,
}

/// Where a reader stopped, so that it goes on without searching.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// Of the file's header: one that was rewritten has another.
    salt: u64,
    offset: Offset,
    byte: u64,
}

/// See the module.
pub(crate) struct Segments {
    folder: PathBuf,
    state: RwLock<State>,
    opened: Mutex<VecDeque<Arc<Indexed>>>,
    /// Held by whoever replaces or deletes files of sealed segments.
    pub(crate) upkeep: Mutex<()>,
}

/// Sealed segments in order, then the active one; without a gap.
pub(crate) struct State {
    pub(crate) sealed: Vec<Summary>,
    /// `None` only in a reader of a folder that holds nothing yet.
    pub(crate) active: Option<Indexed>,
}

struct Place {
    segment: SegmentFile,
    offset: Offset,
    byte: u64,
    limit: u64,
}

impl Segments {
    pub(crate) fn new(folder: &Path, state: State) -> Self {
        Self {
            folder: folder.to_owned(),
            state: RwLock::new(state),
            opened: Mutex::default(),
            upkeep: Mutex::default(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The first offset held.
    pub(crate) fn start(&self) -> Offset {
        let state = self.state.read();
        let active = || state.active.as_ref().map_or(0, |active| active.index.summary().first);
        state.sealed.first().map_or_else(active, |oldest| oldest.first)
    }

    /// The offset after the last readable record.
    pub(crate) fn end(&self) -> Offset {
        self.state.read().active.as_ref().map_or(0, |active| active.index.summary().end)
    }

    /// The first offset of the active segment.
    pub(crate) fn active_first(&self) -> Offset {
        self.state.read().active.as_ref().map_or(0, |active| active.index.summary().first)
    }

    /// The sealed segments, oldest first.
    pub(crate) fn sealed(&self) -> Vec<Summary> {
        self.state.read().sealed.clone()
    }

    /// Changes the active segment: adds records to its index, or puts another in its place.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write())
    }

    /// Declares the active segment sealed and goes on in `next`. Answers the sealed one.
    pub(crate) fn seal(&self, next: Indexed) -> Option<Arc<Indexed>> {
        let mut state = self.state.write();
        let sealed = Arc::new(state.active.replace(next)?);
        state.sealed.push(sealed.index.summary());
        drop(state);
        self.keep_open(Arc::clone(&sealed));
        Some(sealed)
    }

    /// Forgets what is open of files that were rewritten since; for a reader beside a writer.
    pub(crate) fn forget_replaced(&self) {
        self.opened.lock().retain(|opened| {
            let now = std::fs::metadata(&opened.segment.path);
            now.is_ok_and(|now| now.len() == opened.index.summary().bytes)
        });
    }

    /// Forgets what is open; for a reader whose files were replaced beneath it.
    pub(crate) fn forget_open(&self) {
        self.opened.lock().clear();
    }

    /// At most `limit` events from `from` on, all of one segment; none at or past the end. `cursor` is where the
    /// caller stopped, and is moved.
    pub(crate) fn read(
        &self,
        from: Offset,
        limit: usize,
        cursor: &mut Option<Cursor>,
    ) -> Result<Vec<Event>, LogError> {
        let Some(place) = self.place(from, *cursor)? else {
            return Ok(Vec::new());
        };
        let mut scan = place.segment.scan(place.offset, place.byte, place.limit);
        let mut events = Vec::new();
        while events.len() < limit {
            match scan.next()? {
                Step::Record { offset, .. } if offset < from => {}
                Step::Record { offset, byte, payload } => {
                    let event = codec::decode(payload);
                    events.push(event.map_err(|error| place.segment.undecodable(offset, byte, &error))?);
                }
                Step::End => break,
                Step::Bad(reason) => return Err(scan.damaged(reason)),
            }
        }
        *cursor = Some(Cursor { salt: place.segment.header.salt, offset: scan.offset(), byte: scan.byte() });
        Ok(events)
    }

    /// The first event for which `pick` answers one, among records of segments and blocks that may have been received
    /// between `from` and `to`; newest segments first.
    pub(crate) fn search<T>(
        &self,
        from: Timestamp,
        to: Timestamp,
        mut pick: impl FnMut(&[u8]) -> Result<Option<T>, CodecError>,
    ) -> Result<Option<T>, LogError> {
        for (segment, limit, runs) in self.runs(from, to)? {
            for (offset, byte, end) in runs {
                let mut scan = segment.scan(offset, byte, limit);
                while scan.offset() < end {
                    match scan.next()? {
                        Step::Record { offset, byte, payload } => {
                            let picked = pick(payload);
                            let picked = picked.map_err(|error| segment.undecodable(offset, byte, &error))?;
                            if picked.is_some() {
                                return Ok(picked);
                            }
                        }
                        Step::End => break,
                        Step::Bad(reason) => return Err(scan.damaged(reason)),
                    }
                }
            }
        }
        Ok(None)
    }

    /// The sealed segment that starts at `first`, if it is still held.
    pub(crate) fn sealed_at(&self, first: Offset) -> Option<Summary> {
        let state = self.state.read();
        let at = state.sealed.binary_search_by_key(&first, |sealed| sealed.first).ok()?;
        Some(state.sealed[at])
    }

    /// Takes note that the file of a sealed segment was replaced by one that `summary` describes.
    pub(crate) fn replaced(&self, summary: Summary) {
        let mut state = self.state.write();
        if let Ok(at) = state.sealed.binary_search_by_key(&summary.first, |sealed| sealed.first) {
            state.sealed[at] = summary;
        }
        drop(state);
        self.opened.lock().retain(|opened| opened.index.summary().first != summary.first);
    }

    /// Shows every record from `from` to the end to `visit`, in order, with its offset.
    pub(crate) fn visit(&self, from: Offset, visit: &mut Visit<'_>) -> Result<(), LogError> {
        let (sealed, active) = {
            let state = self.state.read();
            let active = state.active.as_ref();
            let active = active.map(|active| (active.segment.clone(), active.index.summary()));
            (state.sealed.clone(), active)
        };
        for summary in sealed.iter().filter(|summary| summary.end > from) {
            match self.open_sealed(summary.first) {
                Ok(opened) => opened.segment.visit(opened.index.summary(), from, visit)?,
                // Retention may have deleted the file since.
                Err(_) if summary.first < self.start() => {}
                Err(error) => return Err(error),
            }
        }
        active.map_or(Ok(()), |(segment, summary)| segment.visit(summary, from, visit))
    }

    /// Deletes the oldest sealed segments in which everything was received before `received` and is below `limit`.
    pub(crate) fn truncate(&self, received: Timestamp, limit: Offset) -> Result<Truncated, LogError> {
        let _upkeep = self.upkeep.lock();
        let removed: Vec<Summary> = self.update(|state| {
            let old = |summary: &&Summary| summary.latest < received && summary.end <= limit;
            let old = state.sealed.iter().take_while(old).count();
            state.sealed.drain(..old).collect()
        });
        let mut truncated = Truncated::default();
        for summary in &removed {
            self.opened.lock().retain(|opened| opened.index.summary().first != summary.first);
            let path = segment_path(&self.folder, summary.first);
            std::fs::remove_file(&path).map_err(failed("delete", &path))?;
            for sidecar in [path.with_extension("index"), path.with_extension("ids")] {
                // A sidecar without its segment is deleted at the next start in any case.
                let _ = std::fs::remove_file(sidecar);
            }
            truncated.segments += 1;
            truncated.bytes += summary.bytes;
            truncated.events += summary.end - summary.first;
        }
        Ok(truncated)
    }

    /// The file and index of a sealed segment.
    pub(crate) fn open_sealed(&self, first: Offset) -> Result<Arc<Indexed>, LogError> {
        let known = |opened: &&Arc<Indexed>| opened.index.summary().first == first;
        if let Some(opened) = self.opened.lock().iter().find(known) {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(load_sealed(&self.folder, first)?);
        self.keep_open(Arc::clone(&opened));
        Ok(opened)
    }

    fn keep_open(&self, segment: Arc<Indexed>) {
        let mut opened = self.opened.lock();
        let summary = segment.index.summary();
        if self.sealed_at(summary.first) != Some(summary) {
            // Replaced or deleted since it was opened.
            return;
        }
        if opened.len() == OPEN_SEGMENTS {
            opened.pop_front();
        }
        opened.push_back(segment);
    }

    fn place(&self, from: Offset, cursor: Option<Cursor>) -> Result<Option<Place>, LogError> {
        let start = self.start();
        if from < start {
            return Err(LogError::Truncated { asked: from, start });
        }
        let first = {
            let state = self.state.read();
            let Some(active) = &state.active else {
                return Ok(None);
            };
            let summary = active.index.summary();
            if from >= summary.end {
                return Ok(None);
            }
            if from >= summary.first {
                return Ok(Some(place_in(active, from, cursor)));
            }
            let after = state.sealed.partition_point(|sealed| sealed.first <= from);
            match after.checked_sub(1) {
                Some(at) => state.sealed[at].first,
                None => return Err(LogError::Truncated { asked: from, start: summary.first }),
            }
        };
        match self.open_sealed(first) {
            Ok(sealed) => Ok(Some(place_in(&sealed, from, cursor))),
            // Retention may have deleted the file since it was looked up.
            Err(_) if from < self.start() => Err(LogError::Truncated { asked: from, start: self.start() }),
            Err(error) => Err(error),
        }
    }

    #[allow(clippy::type_complexity)] // One use, and the parts are named where they are taken apart.
    fn runs(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(SegmentFile, u64, Vec<(Offset, u64, Offset)>)>, LogError> {
        let mut found = Vec::new();
        let sealed = {
            let state = self.state.read();
            if let Some(active) = &state.active {
                let runs = active.index.between(from, to);
                found.push((active.segment.clone(), active.index.summary().bytes, runs));
            }
            state.sealed.clone()
        };
        for summary in sealed.iter().rev().filter(|summary| summary.earliest <= to && summary.latest >= from)
        {
            let opened = self.open_sealed(summary.first)?;
            let bytes = opened.index.summary().bytes;
            found.push((opened.segment.clone(), bytes, opened.index.between(from, to)));
        }
        Ok(found)
    }
}

fn place_in(indexed: &Indexed, from: Offset, cursor: Option<Cursor>) -> Place {
    let summary = indexed.index.summary();
    let salt = indexed.segment.header.salt;
    let resumed = cursor.filter(|cursor| cursor.salt == salt && cursor.offset == from);
    let (offset, byte) = match resumed {
        Some(cursor) => (cursor.offset, cursor.byte),
        None => indexed.index.locate(from).unwrap_or((summary.first, HEADER_BYTES as u64)),
    };
    Place { segment: indexed.segment.clone(), offset, byte, limit: summary.bytes }
}

/// The first offsets of the segments in `folder`, in order; none if there is no such folder.
pub(crate) fn list(folder: &Path) -> Result<Vec<Offset>, LogError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    let mut firsts = Vec::new();
    for entry in entries {
        firsts.extend(first_of(&entry.map_err(failed("list", folder))?.path()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// What the sidecar of the segment `first` says of it, if there is one that belongs to the file as it is.
pub(crate) fn sidecar_summary(folder: &Path, first: Offset) -> Result<Option<Summary>, LogError> {
    let path = segment_path(folder, first);
    let length = std::fs::metadata(&path).map_err(failed("inspect", &path))?.len();
    let mut head = [0; HEAD_BYTES];
    let read = File::open(path.with_extension("index")).and_then(|file| file.read_exact_at(&mut head, 0));
    if read.is_err() {
        return Ok(None);
    }
    Ok(decode_head(&head).map(|(summary, _)| summary).filter(|it| it.first == first && it.bytes == length))
}

/// Opens a sealed segment with its index: from the sidecar, else by reading the segment.
pub(crate) fn load_sealed(folder: &Path, first: Offset) -> Result<Indexed, LogError> {
    let segment = SegmentFile::open(folder, first)?;
    let length = segment.length()?;
    let sidecar = std::fs::read(segment.path.with_extension("index")).ok();
    if let Some(index) = sidecar.and_then(|bytes| SparseIndex::decode(&bytes)) {
        let summary = index.summary();
        if summary.first == first && summary.bytes == length {
            return Ok(Indexed { segment, index });
        }
    }
    let mut index = SparseIndex::new(first, HEADER_BYTES as u64);
    match extend(&segment, &mut index, length, &mut |_| {})? {
        None => Ok(Indexed { segment, index }),
        Some(reason) => {
            let summary = index.summary();
            Err(segment.scan(summary.end, summary.bytes, length).damaged(reason))
        }
    }
}

/// Reads on from where `index` ends, up to byte `limit`, adding to it and showing each record's head to `visit`.
/// Answers why it stopped before `limit`, if it did; the index then ends with the last good record.
pub(crate) fn extend(
    segment: &SegmentFile,
    index: &mut SparseIndex,
    limit: u64,
    visit: &mut dyn FnMut(codec::Head<'_>),
) -> Result<Option<&'static str>, LogError> {
    let summary = index.summary();
    let mut scan = segment.scan(summary.end, summary.bytes, limit);
    loop {
        match scan.next()? {
            Step::Record { offset, byte, payload } => {
                let head = codec::peek(payload).map_err(|error| segment.undecodable(offset, byte, &error))?;
                visit(head);
                index.add(byte, head.received);
            }
            Step::End => {
                index.set_bytes(scan.byte());
                return Ok(None);
            }
            Step::Bad(reason) => {
                index.set_bytes(scan.byte());
                return Ok(Some(reason));
            }
        }
    }
}
