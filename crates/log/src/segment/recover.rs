//! What a writer does at start: finds the segments, cuts a torn tail, refuses damage.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use headwater_base::Timestamp;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::format::{HEADER_BYTES, Header, Mark, segment_path};
use super::index::{SparseIndex, Summary};
use super::segments::{Indexed, SegmentFile, Segments, State, extend, list, load_sealed, sidecar_summary};
use crate::codec::Head;
use crate::disk::{Disk, TEMPORARY, failed, publish};
use crate::recovery::Recovery;
use crate::{LogError, Offset};

/// Opens the segments of `folder` for writing, creating it and the first segment where there are none. Shows the head
/// of every record of the active segment to `visit`.
pub(crate) fn recover(
    folder: &Path,
    disk: &dyn Disk,
    now: Timestamp,
    visit: &mut dyn FnMut(Head<'_>),
) -> Result<(Segments, Recovery), LogError> {
    let mut firsts = list(folder)?;
    sweep(folder, &firsts)?;
    let mut recovery = Recovery::default();
    // Where nothing is left, offsets go on from the last segment there was: they are never used twice.
    let begin = firsts.last().copied().unwrap_or(0);
    while let Some(last) = firsts.last().copied()
        && is_blank(&segment_path(folder, last))?
    {
        let path = segment_path(folder, last);
        recovery.cut(&path, std::fs::metadata(&path).map_err(failed("inspect", &path))?.len());
        std::fs::remove_file(&path).map_err(failed("delete", &path))?;
        firsts.pop();
    }
    let mut sealed: Vec<Summary> = Vec::new();
    for at in 0..firsts.len().saturating_sub(1) {
        let Some(summary) = recover_sealed(folder, disk, &firsts[at..], &mut recovery)? else {
            firsts.truncate(at + 1);
            break;
        };
        if summary.end != firsts[at + 1] {
            return Err(missing(folder, summary.end, firsts[at + 1]));
        }
        sealed.push(summary);
    }
    let active = match firsts.last() {
        Some(first) => recover_active(folder, disk, *first, &mut recovery, visit)?,
        None => create(folder, disk, Mark { first: begin, durable: begin }, now)?,
    };
    disk.sync_folder(folder).map_err(failed("sync", folder))?;
    recovery.segments = sealed.len() + 1;
    recovery.start = sealed.first().map_or(active.index.summary().first, |oldest| oldest.first);
    recovery.end = active.index.summary().end;
    Ok((Segments::new(folder, State { sealed, active: Some(active) }), recovery))
}

/// Creates the segment that starts at `mark.first`, durable before it returns; no segment without a whole header and
/// first mark is ever seen.
pub(crate) fn create(
    folder: &Path,
    disk: &dyn Disk,
    mark: Mark,
    now: Timestamp,
) -> Result<Indexed, LogError> {
    let path = segment_path(folder, mark.first);
    let contents = head(folder, mark, now);
    publish(disk, &path, &contents)?;
    open_created(path, mark.first, contents.len())
}

/// Creates a segment without waiting for the disk: it may be gone after a power failure, or blank.
pub(crate) fn create_lazily(
    folder: &Path,
    disk: &dyn Disk,
    mark: Mark,
    now: Timestamp,
) -> Result<Indexed, LogError> {
    let path = segment_path(folder, mark.first);
    let contents = head(folder, mark, now);
    let file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed("create", &path))?;
    disk.write(&file, &contents).map_err(failed("write", &path))?;
    open_created(path, mark.first, contents.len())
}

fn head(folder: &Path, mark: Mark, now: Timestamp) -> Vec<u8> {
    // Not a secret to be kept, only a number that a client writing a text into an event does not know.
    let mut source = folder.as_os_str().as_encoded_bytes().to_vec();
    source.extend_from_slice(&now.as_micros().to_le_bytes());
    source.extend_from_slice(&std::process::id().to_le_bytes());
    let salt = xxh3_64_with_seed(&source, mark.first);
    let mut contents = Header { first: mark.first, salt }.encode().to_vec();
    mark.put(salt, &mut contents);
    contents
}

fn open_created(path: PathBuf, first: Offset, bytes: usize) -> Result<Indexed, LogError> {
    let file = open_for_append(&path)?;
    let segment = SegmentFile::with_file(path, file, first)?;
    Ok(Indexed { segment, index: SparseIndex::new(first, bytes as u64) })
}

fn open_for_append(path: &Path) -> Result<File, LogError> {
    OpenOptions::new().read(true).append(true).open(path).map_err(failed("open", path))
}

/// The summary of the first of `firsts`, which others follow; `None` if its tail was torn and cut, and what follows it
/// deleted.
fn recover_sealed(
    folder: &Path,
    disk: &dyn Disk,
    firsts: &[Offset],
    recovery: &mut Recovery,
) -> Result<Option<Summary>, LogError> {
    let first = firsts[0];
    if let Some(summary) = sidecar_summary(folder, first)? {
        return Ok(Some(summary));
    }
    let error = match load_sealed(folder, first) {
        Ok(Indexed { segment, index }) => {
            // A sidecar says that its segment is whole and durable.
            disk.sync(&segment.file).map_err(failed("sync", &segment.path))?;
            publish(disk, &segment.path.with_extension("index"), &index.encode())?;
            recovery.rebuilt += 1;
            return Ok(Some(index.summary()));
        }
        Err(error) => error,
    };
    let LogError::Damaged { offset, byte, .. } = &error else {
        return Err(error);
    };
    if *byte < HEADER_BYTES as u64 || vouched(folder, firsts, *offset, *byte)? {
        return Err(error);
    }
    for later in &firsts[1..] {
        let path = segment_path(folder, *later);
        recovery.cut(&path, std::fs::metadata(&path).map_err(failed("inspect", &path))?.len());
        std::fs::remove_file(&path).map_err(failed("delete", &path))?;
    }
    Ok(None)
}

/// Whether a mark after the bad record `offset` at `byte` of the first of `firsts`, in it or in those that follow, says
/// that it was durable.
fn vouched(folder: &Path, firsts: &[Offset], offset: Offset, byte: u64) -> Result<bool, LogError> {
    for (at, first) in firsts.iter().enumerate() {
        let segment = SegmentFile::open(folder, *first)?;
        let from = if at == 0 { byte } else { HEADER_BYTES as u64 };
        if segment.scan(offset, from, segment.length()?).vouched()? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn recover_active(
    folder: &Path,
    disk: &dyn Disk,
    first: Offset,
    recovery: &mut Recovery,
    visit: &mut dyn FnMut(Head<'_>),
) -> Result<Indexed, LogError> {
    let path = segment_path(folder, first);
    let segment = SegmentFile::with_file(path.clone(), open_for_append(&path)?, first)?;
    let length = segment.length()?;
    let mut index = SparseIndex::new(first, HEADER_BYTES as u64);
    if let Some(reason) = extend(&segment, &mut index, length, visit)? {
        let summary = index.summary();
        let scan = segment.scan(summary.end, summary.bytes, length);
        if scan.vouched()? {
            return Err(scan.damaged(reason));
        }
        recovery.cut(&path, length - summary.bytes);
        segment.file.set_len(summary.bytes).map_err(failed("cut", &path))?;
    }
    // What is about to be served must not vanish with the power.
    disk.sync(&segment.file).map_err(failed("sync", &path))?;
    Ok(Indexed { segment, index })
}

/// Whether nothing but zeros was ever written to `path`: a segment created shortly before a power failure.
fn is_blank(path: &Path) -> Result<bool, LogError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mut chunk = [0; 4096];
    let mut at = 0u64;
    loop {
        let read = file.read_at(&mut chunk, at).map_err(failed("read", path))?;
        if read == 0 || chunk[..read].iter().any(|byte| *byte != 0) {
            return Ok(at + (read as u64) < HEADER_BYTES as u64 || read == 0);
        }
        at += read as u64;
    }
}

/// Deletes temporary files, and sidecars whose segment is gone.
fn sweep(folder: &Path, firsts: &[Offset]) -> Result<(), LogError> {
    std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
    for entry in std::fs::read_dir(folder).map_err(failed("list", folder))? {
        let path = entry.map_err(failed("list", folder))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        let orphan = || {
            let stem = path.file_stem().and_then(|stem| stem.to_str()?.parse::<Offset>().ok());
            stem.is_some_and(|first| firsts.binary_search(&first).is_err())
        };
        let stale = match extension {
            TEMPORARY => true,
            "index" | "ids" => orphan(),
            _ => false,
        };
        if stale {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("delete", &path)(error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The refusal of a gap between segments.
pub(crate) fn missing(folder: &Path, end: Offset, next: Offset) -> LogError {
    LogError::Damaged {
        path: segment_path(folder, next),
        offset: end,
        byte: 0,
        reason: format!("the segment before it ends at offset {end}: a segment is missing"),
    }
}
