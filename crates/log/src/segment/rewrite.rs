//! Replaces a sealed segment by one in which some records are erased.
//!
//! The new file is written beside the old one, synced, and renamed into its place, so that a crash leaves the one or
//! the other. Sidecars name the size of the file they belong to and are published before the rename: a crash in between
//! leaves sidecars that fit no file, which are rebuilt. That works because a rewritten file is always smaller: an erased
//! record is shorter than any other, and marks are left out. Readers that hold the old file go on in it; the new one
//! has another salt, so that nobody takes a place in the one for a place in the other.

use std::fs::File;
use std::path::Path;

use headwater_base::{Event, EventId, Fact, Timestamp};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::format::{HEADER_BYTES, Header, MARK_BYTES, Mark, put_record};
use super::index::{SparseIndex, Summary};
use super::scan::Step;
use super::segments::{Indexed, Segments, load_sealed};
use crate::codec::{self, CodecError};
use crate::disk::{Disk, create_temporary, failed, publish};
use crate::{LogError, Offset};

/// Written at once.
const CHUNK_BYTES: usize = 1 << 20;
/// What is left of the times of an erased record, in microseconds: the hour.
const COARSE_MICROS: i64 = 3_600_000_000;

/// Says of each record, by offset and encoded event, whether it goes.
pub(crate) type Goes<'a> = dyn FnMut(Offset, &[u8]) -> Result<bool, CodecError> + 'a;

/// A segment before and after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rewritten {
    pub(crate) old: Summary,
    pub(crate) new: Summary,
    /// Records erased now.
    pub(crate) records: u64,
}

impl Segments {
    /// Erases the records of the sealed segment `first` for which `goes` says so; `None` where there is none, or the
    /// segment is gone. `sidecars` publishes what other files say of the segment, before the file itself changes.
    pub(crate) fn rewrite(
        &self,
        disk: &dyn Disk,
        first: Offset,
        goes: &mut Goes<'_>,
        sidecars: &mut dyn FnMut(&Rewritten) -> Result<(), LogError>,
    ) -> Result<Option<Rewritten>, LogError> {
        let Some(old) = self.sealed_at(first) else { return Ok(None) };
        let opened = match load_sealed(self.folder(), first) {
            Ok(opened) => opened,
            Err(_) if first < self.start() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut any = false;
        opened.segment.visit(old, first, &mut |offset, payload| {
            any = any || goes(offset, payload)?;
            Ok(())
        })?;
        if !any {
            return Ok(None);
        }
        let path = &*opened.segment.path;
        let (temporary, file) = create_temporary(path)?;
        let (index, records) = copy(&opened, disk, &temporary, &file, goes)?;
        let rewritten = Rewritten { old, new: index.summary(), records };
        let _upkeep = self.upkeep.lock();
        if self.sealed_at(first) != Some(old) {
            std::fs::remove_file(&temporary).map_err(failed("delete", &temporary))?;
            return Ok(None);
        }
        sidecars(&rewritten)?;
        publish(disk, &path.with_extension("index"), &index.encode())?;
        disk.rename(&temporary, path).map_err(failed("rename", &temporary))?;
        self.replaced(rewritten.new);
        disk.sync_folder(self.folder()).map_err(failed("sync", self.folder()))?;
        Ok(Some(rewritten))
    }
}

/// Writes the new file and makes it durable. Answers its index and how many records it erased.
fn copy(
    from: &Indexed,
    disk: &dyn Disk,
    path: &Path,
    file: &File,
    goes: &mut Goes<'_>,
) -> Result<(SparseIndex, u64), LogError> {
    let old = from.index.summary();
    let salt = xxh3_64_with_seed(&from.segment.header.salt.to_le_bytes(), old.first);
    let mut index = SparseIndex::new(old.first, HEADER_BYTES as u64);
    let mut buffer = Header { first: old.first, salt }.encode().to_vec();
    Mark { first: old.first, durable: old.first }.put(salt, &mut buffer);
    let (mut written, mut records) = (0u64, 0);
    let mut erased = Vec::new();
    let mut scan = from.segment.scan(old.first, HEADER_BYTES as u64, old.bytes);
    loop {
        match scan.next()? {
            Step::Record { offset, byte, payload } => {
                let undecodable = |error| from.segment.undecodable(offset, byte, &error);
                let head = codec::peek(payload).map_err(undecodable)?;
                let mut received = head.received;
                let at = written + buffer.len() as u64;
                if goes(offset, payload).map_err(undecodable)? {
                    records += 1;
                    let remains = what_remains(received);
                    received = remains.received;
                    erased.clear();
                    codec::encode(&remains, &mut erased);
                    put_record(salt, offset, &erased, &mut buffer);
                } else {
                    put_record(salt, offset, payload, &mut buffer);
                }
                index.add(at, received);
                if buffer.len() >= CHUNK_BYTES {
                    disk.write(file, &buffer).map_err(failed("write", path))?;
                    written += buffer.len() as u64;
                    buffer.clear();
                }
            }
            Step::End => break,
            Step::Bad(reason) => return Err(scan.damaged(reason)),
        }
    }
    // Everything before it was durable, so damage is told from a torn tail; but never at the price of the size.
    if written + ((buffer.len() + MARK_BYTES) as u64) < old.bytes {
        Mark { first: old.end, durable: old.end }.put(salt, &mut buffer);
    }
    disk.write(file, &buffer).map_err(failed("write", path))?;
    disk.sync(file).map_err(failed("sync", path))?;
    index.set_bytes(written + buffer.len() as u64);
    Ok((index, records))
}

fn coarse(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.as_micros().div_euclid(COARSE_MICROS).saturating_mul(COARSE_MICROS))
}

/// The erased record in the place of one received at `received`.
pub(crate) fn what_remains(received: Timestamp) -> Event {
    let received = coarse(received);
    Event { id: EventId::default(), time: received, received, fact: Fact::Erased }
}
