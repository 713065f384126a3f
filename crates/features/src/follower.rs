//! The thread that folds the log into the views.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use headwater_base::{Clock, Timestamp};
use headwater_log::{EventLog, Partition, Position, Subscription};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::{FeaturesError, Views};

/// When checkpoints are made and where.
#[derive(Clone, Debug)]
pub struct FollowerOptions {
    /// The folder of the checkpoints; `None` makes none.
    pub checkpoints: Option<PathBuf>,
    /// Events after which a checkpoint is made. Default 500,000.
    pub every_events: u64,
    /// Time after which one is made, if anything was folded since. Default 5 minutes.
    pub every: Duration,
}

impl Default for FollowerOptions {
    fn default() -> Self {
        Self { checkpoints: None, every_events: 500_000, every: Duration::from_secs(5 * 60) }
    }
}

/// How long the follower waits for events before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(20);

/// Follows the log and keeps the views up to date, on a thread of its own.
///
/// When folding fails or panics the views can no longer be trusted: the follower stops, and everybody who waits or
/// asks gets the error. It is never restarted by itself, and it makes no checkpoint of what it cannot vouch for.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    folded: watch::Receiver<Position>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    folded: Position,
    /// Why nothing more will be folded, once that is so.
    ended: Option<FeaturesError>,
}

impl Follower {
    /// Starts to follow `log` from where `views` stand.
    ///
    /// Views that are behind the log's first event are [`FeaturesError::LogStartsLater`], unless they are empty:
    /// then they begin with what the log still holds.
    pub fn start(
        log: Arc<dyn EventLog>,
        views: Arc<Views>,
        clock: Arc<dyn Clock>,
        options: FollowerOptions,
    ) -> Result<Self, FeaturesError> {
        catch_up_with_retention(&*log, &views)?;
        let position = views.position();
        let subscription = log.subscribe(position.clone())?;
        let (publish, folded) = watch::channel(position.clone());
        let shared = Arc::new(Shared::default());
        shared.state.lock().folded = position;
        let mut following = Following {
            log,
            checkpoints: Checkpoints::new(options, &views, clock),
            views,
            subscription,
            publish,
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new().name("headwater-views".to_owned()).spawn(move || following.run());
        let thread = thread.map_err(|source| FeaturesError::Io {
            action: "start a thread for",
            path: "the views".into(),
            source: Arc::new(source),
        })?;
        Ok(Self { shared, folded, thread: Mutex::new(Some(thread)) })
    }

    /// Where the views stand, as it moves. The channel closes when the follower ends.
    pub fn folded(&self) -> watch::Receiver<Position> {
        self.folded.clone()
    }

    /// Waits until the views cover `position`.
    pub async fn wait_for(&self, position: &Position) -> Result<(), FeaturesError> {
        let mut folded = self.folded.clone();
        let covered = folded.wait_for(|folded| folded.covers(position)).await.is_ok();
        if covered { Ok(()) } else { Err(self.reason()) }
    }

    /// The same for threads. Must not be called from async code.
    pub fn wait_blocking(&self, position: &Position) -> Result<(), FeaturesError> {
        let mut state = self.shared.state.lock();
        loop {
            if state.folded.covers(position) {
                return Ok(());
            }
            if let Some(ended) = &state.ended {
                return Err(ended.clone());
            }
            self.shared.moved.wait(&mut state);
        }
    }

    /// Why the follower ended, if it did; `None` while the views follow the log.
    pub fn failure(&self) -> Option<FeaturesError> {
        self.shared.state.lock().ended.clone()
    }

    /// Stops following, after folding what is at hand, and makes a last checkpoint. Returns when the thread is gone,
    /// with the error that ended it, if one did.
    pub fn stop(&self) -> Result<(), FeaturesError> {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            return Err(FeaturesError::Panicked("outside the fold".to_owned()));
        }
        match self.failure() {
            None | Some(FeaturesError::Stopped) => Ok(()),
            Some(error) => Err(error),
        }
    }

    fn reason(&self) -> FeaturesError {
        self.failure().unwrap_or(FeaturesError::Stopped)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the views had stopped following the log");
        }
    }
}

fn catch_up_with_retention(log: &dyn EventLog, views: &Views) -> Result<(), FeaturesError> {
    let (position, start) = (views.position(), log.start());
    if position.covers(&start) {
        return Ok(());
    }
    for index in 0..log.partitions() {
        let partition = Partition(index);
        let (position, start) = (position.offset(partition), start.offset(partition));
        if position > 0 && position < start {
            return Err(FeaturesError::LogStartsLater { partition, position, start });
        }
    }
    tracing::warn!(start = ?start.0, "the log's beginning was removed; the views begin with what it still holds");
    views.begin_at(&start);
    Ok(())
}

/// What the thread owns.
struct Following {
    log: Arc<dyn EventLog>,
    views: Arc<Views>,
    subscription: Box<dyn Subscription>,
    publish: watch::Sender<Position>,
    shared: Arc<Shared>,
    checkpoints: Checkpoints,
}

impl Following {
    fn run(&mut self) {
        let ended = match catch_unwind(AssertUnwindSafe(|| self.follow())) {
            Ok(Ok(())) => FeaturesError::Stopped,
            Ok(Err(error)) => error,
            Err(panic) => FeaturesError::Panicked(message(&*panic)),
        };
        if !matches!(ended, FeaturesError::Stopped) {
            tracing::error!(error = %ended, "the views no longer follow the log");
        }
        self.shared.state.lock().ended = Some(ended);
        self.shared.moved.notify_all();
        // Whoever awaits wakes up by the channel closing, after the reason is in place.
        let (closed, _) = watch::channel(Position::default());
        self.publish = closed;
    }

    fn follow(&mut self) -> Result<(), FeaturesError> {
        // Once asked to stop, what the log held at that moment is still folded.
        let mut until: Option<Position> = None;
        loop {
            if until.is_none() && self.shared.stop.load(Ordering::Acquire) {
                until = Some(self.log.end());
            }
            if until.as_ref().is_some_and(|until| self.views.position().covers(until)) {
                break;
            }
            match self.subscription.next(PATIENCE)? {
                Some(batch) => {
                    self.views.apply(&batch)?;
                    self.publish();
                }
                None if self.subscription.closed() => break,
                None => {}
            }
            self.checkpoints.make_if_due(&self.views)?;
        }
        self.checkpoints.make_last(&self.views)
    }

    fn publish(&self) {
        let position = self.views.position();
        self.shared.state.lock().folded.clone_from(&position);
        self.shared.moved.notify_all();
        self.publish.send_replace(position);
    }
}

/// The pace of checkpoints. Only writing the bytes holds up the fold; syncing is another thread's.
struct Checkpoints {
    options: FollowerOptions,
    clock: Arc<dyn Clock>,
    last_events: u64,
    last_time: Timestamp,
    finishing: Option<JoinHandle<Result<PathBuf, FeaturesError>>>,
}

impl Checkpoints {
    fn new(options: FollowerOptions, views: &Views, clock: Arc<dyn Clock>) -> Self {
        let last_time = clock.now();
        Self { options, last_events: events(views), last_time, clock, finishing: None }
    }

    /// A checkpoint that cannot be written is no reason to stop serving: it is reported, and tried again later.
    fn make_if_due(&mut self, views: &Views) -> Result<(), FeaturesError> {
        let folded = events(views).saturating_sub(self.last_events);
        if self.options.checkpoints.is_none() || folded == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        if folded < self.options.every_events && now < self.last_time.plus(self.options.every) {
            return Ok(());
        }
        if let Some(finishing) = self.finishing.take_if(|finishing| finishing.is_finished()) {
            report(finishing);
        }
        if self.finishing.is_none() {
            self.last_events = events(views);
            self.last_time = now;
            if let Err(error) = self.begin(views) {
                tracing::error!(%error, "could not write a checkpoint of the views");
            }
        }
        Ok(())
    }

    fn begin(&mut self, views: &Views) -> Result<(), FeaturesError> {
        let Some(dir) = &self.options.checkpoints else { return Ok(()) };
        let unsynced = views.begin_checkpoint(dir)?;
        let thread = thread::Builder::new().name("headwater-checkpoint".to_owned());
        let thread = thread.spawn(move || unsynced.finish());
        self.finishing = Some(thread.map_err(|source| FeaturesError::Io {
            action: "start a thread for",
            path: dir.clone(),
            source: Arc::new(source),
        })?);
        Ok(())
    }

    fn make_last(&mut self, views: &Views) -> Result<(), FeaturesError> {
        let unsaved = events(views) > self.last_events;
        if let Some(finishing) = self.finishing.take() {
            report(finishing);
        }
        match &self.options.checkpoints {
            Some(dir) if unsaved => views.checkpoint(dir).map(drop),
            _ => Ok(()),
        }
    }
}

fn report(finishing: JoinHandle<Result<PathBuf, FeaturesError>>) {
    match finishing.join() {
        Ok(Ok(path)) => tracing::debug!(path = %path.display(), "checkpoint of the views"),
        Ok(Err(error)) => tracing::error!(%error, "could not finish a checkpoint of the views"),
        Err(panic) => tracing::error!(panic = message(&*panic), "could not finish a checkpoint of the views"),
    }
}

fn events(views: &Views) -> u64 {
    views.position().0.iter().sum()
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
