//! The archive of a data folder: opening it, and one round of archiving and retention.

use std::path::Path;
use std::sync::Arc;

use headwater_base::Timestamp;
use headwater_log::Partition;
use headwater_log::archive::{Archive, ArchiveError, Archived, Retained, Source, Stream, Until};
use serde::Serialize;

use crate::settings::{Keep, Settings};

/// What a round did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Round {
    /// Of the events.
    pub events: Added,
    /// Of the decisions.
    pub decisions: Added,
    /// Days deleted by age.
    pub days_deleted: usize,
    /// Files deleted by age.
    pub files_deleted: usize,
    /// Whether it was told to stop before the end.
    pub interrupted: bool,
}

/// What was added to a stream's archive.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Added {
    /// Records.
    pub records: u64,
    /// Files they are in.
    pub files: usize,
    /// Size of these files.
    pub bytes: u64,
    /// The offset after the last archived record.
    pub position: u64,
    /// Records that the log had deleted before.
    pub lost: u64,
    /// Records that are not archived yet: their day is not over.
    pub waiting: u64,
}

impl Added {
    fn new(archived: Archived, source: &dyn Source) -> Self {
        let Archived { files, records, bytes, position, lost } = archived;
        let waiting = source.end().saturating_sub(position.max(source.start()));
        Self { records, files, bytes, position, lost, waiting }
    }
}

/// The archive of `data_dir`, if the settings ask for one or there is one from before.
///
/// # Errors
/// The folder cannot be used.
pub fn open(settings: &Settings, data_dir: &Path) -> Result<Option<Arc<Archive>>, ArchiveError> {
    let folder = settings.archive_folder(data_dir);
    if !settings.archive.enabled && !folder.is_dir() {
        return Ok(None);
    }
    Archive::in_folder(&folder).map(|archive| Some(Arc::new(archive)))
}

/// Archives both streams, then deletes what is older than `keep`. `progress` is told of each stream how far it is and
/// says whether to go on.
///
/// # Errors
/// The log's, the archive's; what was written stays.
pub fn round(
    archive: &Archive,
    sources: [(Stream, &dyn Source); 2],
    until: Until,
    keep: Keep,
    now: Timestamp,
    progress: &mut dyn FnMut(Stream, u64, u64) -> bool,
) -> Result<Round, ArchiveError> {
    let mut round = Round::default();
    for (stream, source) in sources {
        let mut go_on = true;
        let archived = archive.archive(stream, Partition(0), source, until, &mut |done, of| {
            go_on = progress(stream, done, of);
            go_on
        })?;
        let added = Added::new(archived, source);
        match stream {
            Stream::Events => round.events = added,
            Stream::Decisions => round.decisions = added,
        }
        if !go_on {
            round.interrupted = true;
            return Ok(round);
        }
    }
    if let Keep::For(period) = keep {
        let Retained { files, days } = archive.retain(now.minus(period.0))?;
        (round.files_deleted, round.days_deleted) = (files, days);
    }
    Ok(round)
}
