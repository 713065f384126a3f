//! Which event ids were stored: makes appends idempotent, in bounded memory.
//!
//! An id is its 128-bit XXH3 hash. The ids of the active segment are in a table in memory; when a segment is sealed, a
//! thread writes them to the sidecar `<first>.ids` (a filter and the sorted hashes), while the table goes on answering.
//! Filters of the newest sealed segments stay in memory up to a budget; older sidecars are searched on disk. Segments
//! in which everything was received before the window are not asked any more, so an id that comes back later than
//! that is stored again.

mod filter;
mod ids_file;
mod sealer;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headwater_base::Timestamp;
use xxhash_rust::xxh3::xxh3_128;

pub(crate) use ids_file::SealedIds;
pub(crate) use sealer::{SealJob, Sealer};
pub(crate) use table::Table;

use crate::segment::index::Summary;
use crate::segment::scan::Step;
use crate::segment::segments::SegmentFile;
use crate::{LogError, Offset, codec};

/// The hash of an event id.
pub(crate) type IdHash = u128;

/// The hash of `id`.
pub(crate) fn hash(id: &str) -> IdHash {
    xxh3_128(id.as_bytes())
}

/// See the module.
pub(crate) struct Dedup {
    folder: PathBuf,
    window: Duration,
    filter_budget: usize,
    recent: Table,
    /// Oldest first.
    sealed: Vec<Sealed>,
}

struct Sealed {
    summary: Summary,
    ids: Ids,
}

enum Ids {
    /// Sealed a moment ago; the sidecar is being written.
    Memory(Arc<Table>),
    Disk(SealedIds),
    /// Received before the window already at start.
    Expired,
}

impl Dedup {
    /// The ids of the `sealed` segments of `folder`, from their sidecars, and `recent` ones of the active segment.
    /// Answers also how many sidecars it had to rebuild.
    pub(crate) fn open(
        folder: &Path,
        sealed: &[Summary],
        recent: Table,
        options: &crate::LogOptions,
        now: Timestamp,
    ) -> Result<(Self, usize), LogError> {
        let mut dedup = Self {
            folder: folder.to_owned(),
            window: options.deduplication,
            filter_budget: options.filter_bytes,
            recent,
            sealed: Vec::with_capacity(sealed.len()),
        };
        let mut rebuilt = 0;
        for summary in sealed {
            let ids = if summary.latest < now.minus(dedup.window) {
                Ids::Expired
            } else if let Some(ids) = SealedIds::open(folder, *summary) {
                Ids::Disk(ids)
            } else {
                rebuilt += 1;
                Ids::Disk(rebuild(folder, *summary)?)
            };
            dedup.sealed.push(Sealed { summary: *summary, ids });
        }
        dedup.keep_within_budget();
        Ok((dedup, rebuilt))
    }

    /// Notes `hash` as stored, unless it was before; answers whether it is new.
    pub(crate) fn insert(&mut self, hash: IdHash, now: Timestamp) -> Result<bool, LogError> {
        if self.recent.contains(hash) || self.in_sealed(hash, now)? {
            return Ok(false);
        }
        self.recent.insert(hash);
        Ok(true)
    }

    /// Notes the hash of an id that the log made itself and that is new for certain.
    pub(crate) fn insert_new(&mut self, hash: IdHash) {
        self.recent.insert(hash);
    }

    /// Begins a new table; the one so far answers for the segment `summary` until [`Dedup::install`].
    pub(crate) fn seal(&mut self, summary: Summary) -> Arc<Table> {
        let table = Arc::new(std::mem::take(&mut self.recent));
        self.sealed.push(Sealed { summary, ids: Ids::Memory(Arc::clone(&table)) });
        table
    }

    /// Puts the written sidecar in the place of the table.
    pub(crate) fn install(&mut self, ids: SealedIds) {
        if let Some(sealed) = self.sealed.iter_mut().find(|sealed| sealed.summary.first == ids.first()) {
            sealed.ids = Ids::Disk(ids);
        }
        self.keep_within_budget();
    }

    /// The ids of a segment sealed a moment ago, whose sidecar is not written yet.
    pub(crate) fn unwritten(&self, first: Offset) -> Option<Arc<Table>> {
        let sealed = self.sealed.iter().find(|sealed| sealed.summary.first == first)?;
        if let Ids::Memory(table) = &sealed.ids { Some(Arc::clone(table)) } else { None }
    }

    /// Takes note that a segment's file was replaced by one that `summary` describes.
    pub(crate) fn replaced(&mut self, summary: Summary) {
        let Some(sealed) = self.sealed.iter_mut().find(|sealed| sealed.summary.first == summary.first) else {
            return;
        };
        sealed.summary = summary;
        if !matches!(sealed.ids, Ids::Expired) {
            // One that does not open is read, or rebuilt, once an id is looked up.
            sealed.ids = SealedIds::open(&self.folder, summary).map_or(Ids::Expired, Ids::Disk);
        }
        self.keep_within_budget();
    }

    /// Forgets the segments before `start`.
    pub(crate) fn forget_before(&mut self, start: Offset) {
        self.sealed.retain(|sealed| sealed.summary.first >= start);
    }

    fn in_sealed(&mut self, hash: IdHash, now: Timestamp) -> Result<bool, LogError> {
        let oldest = now.minus(self.window);
        for sealed in self.sealed.iter_mut().rev().filter(|sealed| sealed.summary.latest >= oldest) {
            let found = match &sealed.ids {
                Ids::Memory(table) => table.contains(hash),
                Ids::Disk(ids) => match ids.contains(hash) {
                    Ok(found) => found,
                    Err(reason) => {
                        tracing::warn!(segment = sealed.summary.first, %reason, "rebuilding the index of event ids");
                        let ids = rebuild(&self.folder, sealed.summary)?;
                        let found = ids.contains(hash).unwrap_or(true);
                        sealed.ids = Ids::Disk(ids);
                        found
                    }
                },
                // Within the window again after the clock was set back.
                Ids::Expired => {
                    let ids = match SealedIds::open(&self.folder, sealed.summary) {
                        Some(ids) => ids,
                        None => rebuild(&self.folder, sealed.summary)?,
                    };
                    let found = ids.contains(hash).unwrap_or(true);
                    sealed.ids = Ids::Disk(ids);
                    found
                }
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn keep_within_budget(&mut self) {
        let mut left = self.filter_budget;
        for sealed in self.sealed.iter_mut().rev() {
            if let Ids::Disk(ids) = &mut sealed.ids {
                left = left.saturating_sub(ids.filter_bytes());
                if left == 0 {
                    ids.drop_filter();
                }
            }
        }
    }
}

/// Reads the ids of a sealed segment and writes its sidecar again. Of erased events nothing is known from then on.
pub(crate) fn rebuild(folder: &Path, summary: Summary) -> Result<SealedIds, LogError> {
    let segment = SegmentFile::open(folder, summary.first)?;
    // An erasure may have replaced the file a moment ago.
    let summary = Summary { bytes: segment.length()?, ..summary };
    let mut table = Table::default();
    let from = crate::segment::format::HEADER_BYTES as u64;
    let mut scan = segment.scan(summary.first, from, summary.bytes);
    loop {
        match scan.next()? {
            Step::Record { offset, byte, payload } => {
                let head = codec::peek(payload);
                let head = head.map_err(|error| segment.undecodable(offset, byte, &error))?;
                table.insert(hash(head.id));
            }
            Step::End => break,
            Step::Bad(reason) => return Err(scan.damaged(reason)),
        }
    }
    SealedIds::write(&crate::disk::SystemDisk, folder, summary, &table)
}
