//! Users who asked to be forgotten are erased from every file of the data folder.
//!
//! A deletion is an event like any other: with it the views drop the user, and the event is the durable request for the
//! rest, which [`Eraser::run`] does. Each step can be interrupted and is found again through the [`Ledger`]:
//!
//! 1. Search the log for deletions, find the users' sessions in the logs and in the archive, write both to the ledger.
//! 2. Write a checkpoint of the views, which have dropped the users and now drop their sessions, and remove all earlier ones: from then on no start
//!    needs the deletions that are about to be erased. What the views have on the disk is written anew.
//! 3. Rewrite the segments of the decision log and of the event log, then the files of the archive.
//! 4. Build views from the rewritten log ([`checkpoints`]) and make them the next generation.
//! 5. Empty the ledger.
//!
//! Not touched: files that `import` wrote of refused rows, and trained models, whose weights forget with the next
//! training and which hold no user's id.

pub mod checkpoints;
pub mod ledger;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_base::{ErrorKind, Schema};
use headwater_features::{FeaturesError, Follower, Views, ViewsOptions};
use headwater_log::archive::{Archive, ArchiveError};
use headwater_log::erasure::{erase, survey};
use headwater_log::{DecisionLog, EmbeddedLog, Erased, Erasure, EventLog, LogError, Position};
use serde::Serialize;
use thiserror::Error;

use crate::settings::Settings;
pub use ledger::Ledger;

/// Why an erasure stopped. It goes on when it is run again.
#[derive(Debug, Error)]
pub enum ErasureError {
    /// The log or the decision stream.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The views.
    #[error(transparent)]
    Views(#[from] FeaturesError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The disk said no.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The ledger does not read back.
    #[error("{} is not a ledger of erasures: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not add up.
        source: serde_json::Error,
    },
}

impl ErasureError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Views(error) => error.kind(),
            Self::Archive(error) => error.kind(),
            Self::Io { .. } | Self::Damaged { .. } => ErrorKind::Report,
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Users erased.
    pub users: usize,
    /// Sessions that were theirs.
    pub sessions: usize,
    /// Records erased from the logs.
    pub records: u64,
    /// Segments rewritten.
    pub segments: usize,
    /// Size of these segments before.
    pub bytes: u64,
    /// Records erased from the archive.
    pub archived_records: u64,
    /// Files of the archive that were rewritten.
    pub archived_files: usize,
    /// Whether nothing is left; false if it was told to stop.
    pub complete: bool,
}

/// Everything that holds something of a user.
#[derive(Clone)]
pub struct Eraser {
    /// The data folder, for the ledger.
    pub data_dir: PathBuf,
    /// The folder of all checkpoints.
    pub views_dir: PathBuf,
    /// The folder of the checkpoints of the views that serve.
    pub live_dir: PathBuf,
    /// The event log.
    pub log: Arc<EmbeddedLog>,
    /// The decision stream.
    pub decisions: Arc<DecisionLog>,
    /// The views that serve.
    pub views: Arc<Views>,
    /// The thread that folds them.
    pub follower: Arc<Follower>,
    /// What says where an archive is.
    pub settings: Settings,
    /// The archive that was there at the start.
    pub archive: Option<Arc<Archive>>,
    /// The declared domain.
    pub schema: Arc<Schema>,
    /// How views are kept.
    pub options: ViewsOptions,
}

impl Eraser {
    /// Erases all users whose deletion is in the log now, or goes on where an earlier run was interrupted, until
    /// `keep_going` says no.
    ///
    /// # Errors
    /// Damage, a disk that refuses, views that no longer follow the log.
    pub fn run(&self, keep_going: &dyn Fn() -> bool) -> Result<Report, ErasureError> {
        let mut ledger = Ledger::read(&self.data_dir)?;
        let mut report = Report { complete: true, ..Report::default() };
        // What an earlier run left comes first: the survey of the next reads the log as it leaves it.
        if let Some(erasure) = ledger.running() {
            self.carry_out(&mut ledger, &erasure, keep_going, &mut report)?;
        }
        if !report.complete {
            return Ok(report);
        }
        let (deletions, searched) = self.log.deletions(ledger.searched)?;
        if deletions.is_empty() {
            if searched > ledger.searched {
                ledger.searched = searched;
                ledger.write(&self.data_dir)?;
            }
            return Ok(report);
        }
        tracing::info!(users = deletions.len(), "erasing users who were deleted");
        let archive = self.archive()?;
        let erasure = survey(&self.log, &self.decisions, archive.as_deref(), deletions)?;
        ledger.searched = searched;
        ledger.set_running(Some(&erasure));
        ledger.write(&self.data_dir)?;
        self.carry_out(&mut ledger, &erasure, keep_going, &mut report)?;
        Ok(report)
    }

    fn carry_out(
        &self,
        ledger: &mut Ledger,
        erasure: &Erasure,
        keep_going: &dyn Fn() -> bool,
        report: &mut Report,
    ) -> Result<(), ErasureError> {
        self.follower.wait_blocking(&Position(vec![erasure.end()]))?;
        self.views.forget_sessions(erasure.sessions())?;
        self.views.rewrite_spilled()?;
        checkpoints::write_only(&self.views, &self.live_dir)?;
        checkpoints::remove_others(&self.views_dir, &[&self.live_dir])?;
        checkpoints::remove_prepared(&self.views_dir)?;
        let erased = erase(&self.log, &self.decisions, erasure, keep_going)?;
        report.add(erased);
        if !report.complete {
            return Ok(());
        }
        // After the log: what is archived from now on is as the log has it.
        if let Some(archive) = self.archive()? {
            let blanked = archive.erase(erasure, keep_going)?;
            report.archived_records += blanked.records;
            report.archived_files += blanked.files;
            report.complete = blanked.complete;
            if !report.complete {
                return Ok(());
            }
        }
        let next = ledger.generation + 1;
        if self.log.start().0.iter().all(|offset| *offset == 0) {
            let views = checkpoints::rebuild(&*self.log, &self.schema, &self.options, keep_going)?;
            let Some(views) = views else {
                report.complete = false;
                return Ok(());
            };
            let folder = checkpoints::folder(&self.views_dir, next);
            checkpoints::write_only(&views, &folder)?;
            ledger.generation = next;
        }
        ledger.set_running(None);
        ledger.write(&self.data_dir)?;
        report.users += erasure.users().len();
        report.sessions += erasure.sessions().len();
        tracing::info!(
            users = report.users,
            sessions = report.sessions,
            records = report.records,
            segments = report.segments,
            archived_files = report.archived_files,
            "erased"
        );
        Ok(())
    }
}

impl Eraser {
    /// The archive there is by now: `headwater archive` may have made one beside a server that started without.
    fn archive(&self) -> Result<Option<Arc<Archive>>, ArchiveError> {
        match &self.archive {
            Some(archive) => Ok(Some(Arc::clone(archive))),
            None => crate::archiving::open(&self.settings, &self.data_dir),
        }
    }
}

impl Report {
    fn add(&mut self, erased: Erased) {
        self.records += erased.records;
        self.segments += erased.segments;
        self.bytes += erased.bytes;
        self.complete = erased.complete;
    }
}

/// Removes checkpoints of generations before `used`, once views were restored from that one.
///
/// # Errors
/// The disk refuses.
pub fn forget_earlier(views_dir: &Path, used: &Path) -> Result<(), ErasureError> {
    checkpoints::remove_others(views_dir, &[used])
}
