//! The thread that writes the sidecars of sealed segments, so that sorting a million ids does not hold up appends.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::{Dedup, SealedIds, Table};
use crate::LogError;
use crate::disk::{Disk, publish};
use crate::segment::segments::{Indexed, Segments};

/// A segment to make sidecars for.
pub(crate) struct SealJob {
    pub(crate) segment: Arc<Indexed>,
    pub(crate) ids: Arc<Table>,
}

/// Owns the thread; dropping it waits until every job is done.
pub(crate) struct Sealer {
    jobs: Option<Sender<SealJob>>,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    /// Starts the thread, which installs what it wrote into `dedup`.
    pub(crate) fn start(
        segments: Arc<Segments>,
        dedup: Arc<Mutex<Dedup>>,
        disk: Arc<dyn Disk>,
    ) -> std::io::Result<Self> {
        let (jobs, received) = channel();
        let thread = std::thread::Builder::new()
            .name("log-sealer".to_owned())
            .spawn(move || work(&received, &segments, &dedup, &*disk))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands over a sealed segment.
    pub(crate) fn seal(&self, job: SealJob) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only when this sender is dropped; were it gone, the next start rebuilds the sidecars.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Receiver<SealJob>, segments: &Segments, dedup: &Mutex<Dedup>, disk: &dyn Disk) {
    for SealJob { segment, ids } in jobs {
        let _upkeep = segments.upkeep.lock();
        // An erasure that came first has written the sidecars; retention needs none.
        if segments.sealed_at(segment.index.summary().first) != Some(segment.index.summary()) {
            continue;
        }
        let written = write(segments.folder(), &segment, &ids, disk);
        drop(ids);
        match written {
            Ok(ids) => dedup.lock().install(ids),
            // The table in memory goes on answering; the sidecars are rebuilt at the next start.
            Err(error) => tracing::warn!(%error, "could not write the sidecars of a sealed segment"),
        }
    }
}

fn write(folder: &Path, sealed: &Indexed, ids: &Table, disk: &dyn Disk) -> Result<SealedIds, LogError> {
    publish(disk, &sealed.segment.path.with_extension("index"), &sealed.index.encode())?;
    SealedIds::write(disk, folder, sealed.index.summary(), ids)
}
