//! Tests of the archive as a whole: what goes in comes back, however often it is stopped, erased from and trimmed.

mod changes;
mod tables;
mod writing;

use std::path::Path;
use std::sync::Arc;

use headwater_base::{Event, Timestamp};

use super::{Archive, FileLimits, Source, Stream, Until};
use crate::{Batch, LogError, Offset, Partition};

/// The only partition of these tests.
pub(super) const P: Partition = Partition(0);

/// A log in memory that begins at `start`.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) start: Offset,
    pub(super) events: Vec<Event>,
}

impl Records {
    pub(super) fn new(events: Vec<Event>) -> Self {
        Self { start: 0, events }
    }

    pub(super) fn with_offsets(&self) -> Vec<(Offset, Event)> {
        (self.start..).zip(self.events.iter().cloned()).collect()
    }
}

impl Source for Records {
    fn start(&self) -> Offset {
        self.start
    }

    fn end(&self) -> Offset {
        self.start + self.events.len() as Offset
    }

    fn read(&self, from: Offset, limit: usize) -> Result<Batch, LogError> {
        assert!(from >= self.start, "{from} was deleted");
        let rest = &self.events[(from - self.start) as usize..];
        Ok(Batch { partition: P, first: from, events: rest[..limit.min(rest.len())].into() })
    }

    fn settle(&self, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}

pub(super) fn open(folder: &Path, rows: usize) -> Archive {
    Archive::in_folder(folder).unwrap().with_limits(FileLimits { rows, ..FileLimits::default() })
}

/// An archive in an object store that needs no disk.
pub(super) fn in_memory(rows: usize, group_rows: usize) -> Archive {
    let store = Arc::new(object_store::memory::InMemory::new());
    Archive::over(store).unwrap().with_limits(FileLimits { rows, group_rows, ..FileLimits::default() })
}

/// Archives everything there is.
pub(super) fn all(archive: &Archive, stream: Stream, source: &dyn Source) -> super::Archived {
    archive.archive(stream, P, source, Until::Now, &mut |_, _| true).unwrap()
}

pub(super) fn read(archive: &Archive, stream: Stream, from: Offset) -> Vec<(Offset, Event)> {
    archive.read(stream, P, from).unwrap().map(Result::unwrap).collect()
}

/// The archive's files below `folder`, by path, with what they hold.
pub(super) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn visit(folder: &Path, root: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    visit(folder, folder, &mut found);
    found.retain(|(name, _)| name != "lock");
    found.sort();
    found
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    files(folder).into_iter().map(|(name, _)| name).collect()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
