//! Opens a data folder and wires what runs on it. Used by `serve`, `demo`, `bench`, `import` and the tests.
//!
//! [`Store`] is the log with its views: what `import` needs. [`Platform`] is everything: the store, the decision stream,
//! the registry, the engine with the champions loaded, and the server's [`App`]. Both hold the folder's writer lock.

mod archiving;
mod erasing;
mod housekeeping;
mod models;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_base::{Clock, ErrorKind, Invalid, Schema};
use headwater_features::{FeaturesError, Follower, FollowerOptions, Plan, Restored, Views, ViewsOptions};
use headwater_log::archive::{Archive, ArchiveError};
use headwater_log::request_id::RequestIds;
use headwater_log::{DecisionLog, EmbeddedLog, EventLog, LogError, Recovery};
use headwater_pipeline::{
    AnswerCache, DecisionRecorder, Engine, EngineParts, NoRecorder, Refresher, RefresherHandle, Snapshot,
};
use headwater_registry::{Registry, RegistryError};
use headwater_server::{App, AppParts};
use thiserror::Error;

use crate::declared;
use crate::erasure::{self, Eraser, ErasureError, Ledger, checkpoints};
use crate::settings::Settings;
use archiving::{Archiving, Archivist};
use erasing::Erasing;
use housekeeping::{Chores, Housekeeping};

/// Why a data folder cannot be opened or closed.
#[derive(Debug, Error)]
pub enum PlatformError {
    /// The folder cannot be made.
    #[error("cannot use the data folder {}: {source}", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log or the decision stream.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The views.
    #[error(transparent)]
    Views(#[from] FeaturesError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A surface cannot be assembled.
    #[error(transparent)]
    Surface(#[from] Invalid),
    /// What is known of erasures, or the checkpoints around them.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

impl PlatformError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Folder { .. } | Self::Surface(_) => ErrorKind::Caller,
            Self::Log(error) => error.kind(),
            Self::Views(error) => error.kind(),
            Self::Registry(error) => error.kind(),
            Self::Archive(error) => error.kind(),
            Self::Erasure(error) => error.kind(),
            Self::Thread(_) => ErrorKind::Report,
        }
    }
}

/// The folders within a data folder.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The event log.
    pub events: PathBuf,
    /// The decision stream.
    pub decisions: PathBuf,
    /// Checkpoints of the views.
    pub views: PathBuf,
    /// What the views do not keep in memory while they run: scratch.
    pub cold: PathBuf,
}

impl Layout {
    /// Of the data folder `data_dir`.
    pub fn of(data_dir: &Path) -> Self {
        Self {
            events: data_dir.join("events"),
            decisions: data_dir.join("decisions"),
            views: data_dir.join("views"),
            cold: data_dir.join("views").join("cold"),
        }
    }
}

/// What opening a store found.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What the log found on the disk.
    pub recovery: Recovery,
    /// Where the views were restored from.
    pub restored: Restored,
    /// Events that the views had to replay.
    pub replayed: u64,
}

/// The log with its views, followed.
pub struct Store {
    /// The event log.
    pub log: Arc<EmbeddedLog>,
    /// The state folded from it.
    pub views: Arc<Views>,
    /// The thread that folds.
    pub follower: Arc<Follower>,
    /// Models, keys and the definitions of features.
    pub registry: Arc<Registry>,
    /// The declared domain.
    pub schema: Arc<Schema>,
    /// The archive of the folder, where there is one.
    pub archive: Option<Arc<Archive>>,
    /// What opening found.
    pub opened: Opened,
    data_dir: PathBuf,
    /// Where the checkpoints of the views go.
    checkpoints: PathBuf,
}

impl Store {
    /// Opens the log in `data_dir`, restores the views and starts to follow; does not wait for the replay.
    ///
    /// # Errors
    /// Another process writes the folder; damage; a disk that refuses.
    pub fn open(settings: &Settings, data_dir: &Path, clock: &Arc<dyn Clock>) -> Result<Self, PlatformError> {
        std::fs::create_dir_all(data_dir)
            .map_err(|source| PlatformError::Folder { path: data_dir.to_owned(), source })?;
        let layout = Layout::of(data_dir);
        let schema = Arc::new(settings.schema());
        let (log, recovery) = EmbeddedLog::open(&layout.events, settings.log_options(), Arc::clone(clock))?;
        let log = Arc::new(log);
        let archive = crate::archiving::open(settings, data_dir)?;
        let registry = Arc::new(Registry::open(data_dir, Arc::clone(clock))?);
        empty(&layout.cold)?;
        let plan = plan(&registry, settings, &schema)?;
        let options = ViewsOptions { plan, ..settings.views_options_in(&layout.cold) };
        let generation = Ledger::read(data_dir)?.generation;
        let start = log.start();
        checkpoints::take_prepared(&layout.views, generation, &schema, &options)?;
        let (views, restored) = checkpoints::open(&layout.views, generation, &schema, &options, &start)?;
        let folder = checkpoints::folder(&layout.views, generation);
        if restored.checkpoint.as_ref().is_none_or(|used| used.starts_with(&folder)) {
            erasure::forget_earlier(&layout.views, &folder)?;
        }
        let views = Arc::new(views);
        let replayed =
            recovery.end.saturating_sub(restored.position.0.iter().sum::<u64>().max(recovery.start));
        let follower = Follower::start(
            Arc::clone(&log) as Arc<dyn EventLog>,
            Arc::clone(&views),
            Arc::clone(clock),
            FollowerOptions {
                checkpoints: Some(folder.clone()),
                every_events: settings.views.checkpoint_events,
                every: settings.views.checkpoint_period.0,
            },
        )?;
        let opened = Opened { recovery, restored, replayed };
        let (follower, data_dir) = (Arc::new(follower), data_dir.to_owned());
        Ok(Self { log, views, follower, registry, schema, archive, opened, data_dir, checkpoints: folder })
    }

    /// What erases deleted users from this store and from the decisions that were made for them.
    pub fn eraser(&self, decisions: &Arc<DecisionLog>, settings: &Settings) -> Eraser {
        let layout = Layout::of(&self.data_dir);
        let plan = Arc::clone(self.views.plan());
        Eraser {
            data_dir: self.data_dir.clone(),
            options: ViewsOptions { plan, ..settings.views_options_in(&layout.cold) },
            views_dir: layout.views,
            live_dir: self.checkpoints.clone(),
            log: Arc::clone(&self.log),
            decisions: Arc::clone(decisions),
            views: Arc::clone(&self.views),
            follower: Arc::clone(&self.follower),
            schema: Arc::clone(&self.schema),
            settings: settings.clone(),
            archive: self.archive.clone(),
        }
    }

    /// Waits until the views have folded everything that is in the log now. Not from async code.
    ///
    /// # Errors
    /// Folding failed.
    pub fn catch_up(&self) -> Result<(), PlatformError> {
        Ok(self.follower.wait_blocking(&self.log.end())?)
    }

    /// Folds what is at hand, writes a checkpoint, closes the log.
    ///
    /// # Errors
    /// Folding or the checkpoint failed; the log is closed all the same.
    pub fn close(&self) -> Result<(), PlatformError> {
        let stopped = self.follower.stop();
        self.log.close();
        Ok(stopped?)
    }
}

/// Removes what views that did not end in order left on the disk.
fn empty(cold: &Path) -> Result<(), PlatformError> {
    match std::fs::remove_dir_all(cold) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(PlatformError::Folder { path: cold.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The declared features, and those older versions of them that champions were trained on ([`declared::active`]), compiled;
/// the control database gives each definition its version.
///
/// # Errors
/// A declared feature that cannot be; the database's.
pub fn plan(registry: &Registry, settings: &Settings, schema: &Schema) -> Result<Arc<Plan>, PlatformError> {
    let current = declared::define(registry, settings)?;
    let specs = declared::active(registry, current, &declared::needed(registry, settings)?, schema)?;
    Ok(Arc::new(Plan::new(&specs, schema)?))
}

/// How a platform is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlatformOptions {
    /// Whether anybody may do anything without a key. Only for `demo` and `bench`.
    pub open: bool,
    /// Seed of request ids and of the ids of events that bring none; two processes on one folder need two.
    pub seed: u64,
}

/// Everything that runs on a data folder.
pub struct Platform {
    /// The log with its views.
    pub store: Store,
    /// What was recommended to whom.
    pub decisions: Arc<DecisionLog>,
    /// Models and keys.
    pub registry: Arc<Registry>,
    /// Answers requests.
    pub engine: Arc<Engine>,
    /// What the HTTP routes reach.
    pub app: Arc<App>,
    refresher: RefresherHandle,
    housekeeping: Housekeeping,
    archiving: Option<Archiving>,
    erasing: Erasing,
}

impl Platform {
    /// Opens `data_dir`, waits until the views know everything in the log, and loads the champions.
    ///
    /// # Errors
    /// As [`Store::open`]. A model that cannot be loaded is logged and left out: worse rungs answer without it.
    pub fn open(
        settings: &Settings,
        data_dir: &Path,
        options: PlatformOptions,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, PlatformError> {
        let store = Store::open(settings, data_dir, clock)?;
        let (decisions, _) = DecisionLog::open(
            &Layout::of(data_dir).decisions,
            settings.decision_options(),
            Arc::clone(clock),
        )?;
        let decisions = Arc::new(decisions);
        let registry = Arc::clone(&store.registry);
        let engine = Arc::new(Engine::new(EngineParts {
            views: Arc::clone(&store.views),
            schema: Arc::clone(&store.schema),
            recorder: if settings.decisions.enabled {
                Arc::new(DecisionRecorder::new(Arc::clone(&decisions)))
            } else {
                Arc::new(NoRecorder)
            },
            clock: Arc::clone(clock),
            request_ids: Arc::new(RequestIds::new(options.seed)),
            cache: (settings.server.cached_answers > 0)
                .then(|| AnswerCache::new(settings.server.cached_answers)),
        }));
        let log = Arc::clone(&store.log) as Arc<dyn EventLog>;
        let app = Arc::new(App::new(AppParts {
            log: Arc::clone(&log),
            decisions: Arc::clone(&decisions),
            views: Arc::clone(&store.views),
            follower: Arc::clone(&store.follower),
            engine: Arc::clone(&engine),
            registry: Arc::clone(&registry),
            schema: Arc::clone(&store.schema),
            clock: Arc::clone(clock),
            event_ids: Arc::new(RequestIds::new(options.seed.wrapping_add(1))),
            limits: settings.server_limits(),
            open: options.open,
        }));
        store.catch_up()?;
        let generation = registry.generation()?;
        let plan = store.views.plan();
        let champions = models::champions(&registry, &settings.models(), plan, &Snapshot::default());
        let surfaces = settings.surfaces(&store.schema, plan)?;
        for (number, labels) in settings.feature_schemas(plan) {
            registry.remember_schema(number, &labels)?;
        }
        engine.publish(Snapshot::new(surfaces, champions, settings.hash()));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let refresher = Refresher::new(Arc::clone(&engine), log, Arc::clone(&store.schema))
            .with_index(settings.index.options(cores))
            .start()
            .map_err(PlatformError::Thread)?;
        let archive = store.archive.as_ref().filter(|_| settings.archive.enabled);
        let archiving = archive.map(|archive| {
            let archivist = Archivist {
                archive: Arc::clone(archive),
                keep: settings.archive.retention,
                log: Arc::clone(&store.log),
                decisions: Arc::clone(&decisions),
                clock: Arc::clone(clock),
            };
            archivist.start().map_err(PlatformError::Thread)
        });
        let chores = Chores {
            archive: archive.map(Arc::clone),
            settings: settings.clone(),
            log: Arc::clone(&store.log),
            decisions: Arc::clone(&decisions),
            registry: Arc::clone(&registry),
            engine: Arc::clone(&engine),
            clock: Arc::clone(clock),
            generation,
        };
        let housekeeping = chores.start().map_err(PlatformError::Thread)?;
        let archiving = archiving.transpose()?;
        let eraser = store.eraser(&decisions, settings);
        let erasing = Erasing::start(eraser, settings.log.erasure.0).map_err(PlatformError::Thread)?;
        Ok(Self { store, decisions, registry, engine, app, refresher, housekeeping, archiving, erasing })
    }

    /// Stops every thread, writes a checkpoint, closes the streams.
    ///
    /// # Errors
    /// Folding or the checkpoint failed; everything is closed all the same.
    pub fn shutdown(self) -> Result<(), PlatformError> {
        if let Some(archiving) = &self.archiving {
            archiving.tell();
        }
        self.erasing.stop();
        self.housekeeping.stop();
        if let Some(archiving) = self.archiving {
            archiving.stop();
        }
        drop(self.refresher);
        let closed = self.store.close();
        self.decisions.close();
        closed
    }
}
