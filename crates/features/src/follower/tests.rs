//! The follower over a log in memory.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use headwater_base::schema::InteractionType;
use headwater_base::time::ManualClock;
use headwater_base::{Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, UserId};
use headwater_log::{Appended, Appending, Batch, LogError, Offset, Outcome, Truncated};
use tokio::sync::oneshot;

use super::*;
use crate::ViewsOptions;

#[derive(Default)]
struct Stored {
    start: Offset,
    events: Vec<Event>,
    closed: bool,
    fault: Option<Fault>,
}

/// What the subscription does instead of answering.
#[derive(Clone, Copy)]
enum Fault {
    Error,
    Panic,
    Gap,
}

#[derive(Default)]
struct MemoryLog {
    stored: Mutex<Stored>,
    changed: Condvar,
}

struct Reader(Arc<MemoryLog>, Position);

impl Stored {
    fn end(&self) -> Position {
        Position(vec![self.start + self.events.len() as u64])
    }
}

impl MemoryLog {
    fn change(&self, change: impl FnOnce(&mut Stored)) {
        change(&mut self.stored.lock());
        self.changed.notify_all();
    }

    fn click(&self, items: std::ops::Range<u32>) -> Position {
        self.change(|stored| stored.events.extend(items.map(click)));
        self.stored.lock().end()
    }
}

/// The handle the follower holds; subscriptions need the log itself.
struct Handle(Arc<MemoryLog>);

impl EventLog for Handle {
    fn partitions(&self) -> u32 {
        1
    }

    fn append(&self, events: Vec<Event>) -> Appending {
        let (sender, receiver) = oneshot::channel();
        let outcomes = vec![Outcome::Duplicate; events.len()];
        self.0.change(|stored| stored.events.extend(events));
        let _receiver_waits = sender.send(Ok(Appended { outcomes, position: self.end() }));
        Appending::new(receiver)
    }

    fn start(&self) -> Position {
        Position(vec![self.0.stored.lock().start])
    }

    fn end(&self) -> Position {
        self.0.stored.lock().end()
    }

    fn read(&self, partition: Partition, from: Offset, limit: usize) -> Result<Batch, LogError> {
        let stored = self.0.stored.lock();
        let events = stored.events.iter().skip((from - stored.start) as usize).take(limit).cloned();
        Ok(Batch { partition, first: from, events: events.collect() })
    }

    fn subscribe(&self, from: Position) -> Result<Box<dyn Subscription>, LogError> {
        Ok(Box::new(Reader(Arc::clone(&self.0), from)))
    }

    fn truncate(&self, _received: Timestamp) -> Result<Truncated, LogError> {
        Ok(Truncated::default())
    }
}

impl Subscription for Reader {
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, LogError> {
        const PIECE: usize = 7;
        let mut stored = self.0.stored.lock();
        let next = self.1.offset(Partition(0));
        if stored.start + stored.events.len() as u64 <= next && stored.fault.is_none() && !stored.closed {
            self.0.changed.wait_for(&mut stored, timeout);
        }
        let skipped = match stored.fault {
            Some(Fault::Error) => return Err(LogError::Closed),
            Some(Fault::Panic) => panic!("planted"),
            Some(Fault::Gap) => 1,
            None => 0,
        };
        let events: Arc<[Event]> = stored
            .events
            .iter()
            .skip((next - stored.start) as usize + skipped)
            .take(PIECE)
            .cloned()
            .collect();
        if events.is_empty() {
            return Ok(None);
        }
        let batch = Batch { partition: Partition(0), first: next + skipped as u64, events };
        self.1.set(Partition(0), batch.next());
        Ok(Some(batch))
    }

    fn closed(&self) -> bool {
        let stored = self.0.stored.lock();
        stored.closed && stored.start + stored.events.len() as u64 <= self.1.offset(Partition(0))
    }

    fn position(&self) -> &Position {
        &self.1
    }
}

fn click(item: u32) -> Event {
    Event {
        id: EventId::trusted(format!("e{item}")),
        time: Timestamp::from_seconds(1_760_000_000 + i64::from(item)),
        received: Timestamp::from_seconds(1_760_000_000 + i64::from(item)),
        fact: Fact::Interaction(Interaction {
            kind: "click".into(),
            actor: Actor::user(UserId::trusted("u")),
            item: ItemId::trusted(format!("i{item}")),
            value: None,
            request_id: None,
            context: Fields::default(),
        }),
    }
}

fn schema() -> Arc<Schema> {
    let types = [("click".into(), InteractionType { weight: 1.0 })];
    Arc::new(Schema { interactions: types.into(), ..Schema::default() })
}

fn empty() -> Arc<Views> {
    Arc::new(Views::new(schema(), ViewsOptions::default()))
}

fn follow(
    log: &Arc<MemoryLog>,
    views: &Arc<Views>,
    options: FollowerOptions,
) -> Result<Follower, FeaturesError> {
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_760_000_000)));
    Follower::start(Arc::new(Handle(Arc::clone(log))), Arc::clone(views), clock, options)
}

/// Polls once: enough for what is already decided.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn state(views: &Views) -> Vec<u8> {
    let mut bytes = Vec::new();
    views.write_state(&mut bytes).unwrap();
    bytes
}

#[test]
fn whoever_waits_sees_what_was_stored() {
    let (log, views) = (Arc::new(MemoryLog::default()), empty());
    let follower = follow(&log, &views, FollowerOptions::default()).unwrap();
    for round in 0..20 {
        let position = log.click(round * 10..round * 10 + 10);
        follower.wait_blocking(&position).unwrap();
        assert_eq!(views.catalogue().len() as u32, round * 10 + 10);
        assert!(matches!(poll(follower.wait_for(&position)), Poll::Ready(Ok(()))));
        assert!(follower.folded().borrow().covers(&position));
    }
    assert!(poll(follower.wait_for(&Position(vec![201]))).is_pending());
    follower.stop().unwrap();
    assert!(matches!(follower.wait_blocking(&Position(vec![201])), Err(FeaturesError::Stopped)));
}

#[test]
fn a_stop_folds_what_is_stored_and_a_restart_continues_from_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (log, views) = (Arc::new(MemoryLog::default()), empty());
    let options = FollowerOptions {
        checkpoints: Some(folder.path().to_owned()),
        every_events: 10,
        ..FollowerOptions::default()
    };
    let follower = follow(&log, &views, options.clone()).unwrap();
    let position = log.click(0..100);
    follower.stop().unwrap();
    assert_eq!(views.position(), position);

    let (again, restored) = Views::open(folder.path(), schema(), ViewsOptions::default()).unwrap();
    assert_eq!(restored.position, position);
    assert!(state(&again) == state(&views));
    let again = Arc::new(again);
    let follower = follow(&log, &again, options).unwrap();
    let position = log.click(100..120);
    follower.wait_blocking(&position).unwrap();
    let replayed = empty();
    let replay = follow(&log, &replayed, FollowerOptions::default()).unwrap();
    replay.wait_blocking(&position).unwrap();
    assert!(state(&again) == state(&replayed));
}

#[test]
fn a_failed_fold_is_told_to_everybody_and_leaves_no_checkpoint() {
    for fault in [Fault::Error, Fault::Panic, Fault::Gap] {
        let folder = tempfile::tempdir().unwrap();
        let (log, views) = (Arc::new(MemoryLog::default()), empty());
        let options =
            FollowerOptions { checkpoints: Some(folder.path().to_owned()), ..FollowerOptions::default() };
        let follower = follow(&log, &views, options).unwrap();
        let position = log.click(0..5);
        follower.wait_blocking(&position).unwrap();
        log.change(|stored| stored.fault = Some(fault));
        let later = log.click(5..9);
        let error = follower.wait_blocking(&later).unwrap_err();
        let expected = match fault {
            Fault::Error => matches!(error, FeaturesError::Log(LogError::Closed)),
            Fault::Panic => matches!(&error, FeaturesError::Panicked(message) if message == "planted"),
            Fault::Gap => matches!(error, FeaturesError::Gap { position: 5, first: 6, .. }),
        };
        assert!(expected, "{error}");
        assert_eq!(follower.failure().map(|error| error.to_string()), Some(error.to_string()));
        assert!(follower.stop().is_err());
        assert!(matches!(poll(follower.wait_for(&later)), Poll::Ready(Err(_))));
        assert!(follower.wait_blocking(&position).is_ok(), "what was folded stays so");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_closed_log_ends_the_follower_in_peace() {
    let (log, views) = (Arc::new(MemoryLog::default()), empty());
    let follower = follow(&log, &views, FollowerOptions::default()).unwrap();
    let position = log.click(0..30);
    log.change(|stored| stored.closed = true);
    let error = follower.wait_blocking(&Position(vec![31])).unwrap_err();
    assert!(matches!(error, FeaturesError::Stopped));
    assert_eq!(views.position(), position);
    follower.stop().unwrap();
}

#[test]
fn views_behind_the_logs_start_are_refused_and_empty_ones_begin_there() {
    let (log, views) = (Arc::new(MemoryLog::default()), empty());
    let follower = follow(&log, &views, FollowerOptions::default()).unwrap();
    follower.wait_blocking(&log.click(0..10)).unwrap();
    drop(follower);

    // Ten more come, and retention removes the first fifteen.
    log.click(10..20);
    log.change(|stored| {
        stored.start = 15;
        stored.events.drain(..15);
    });
    let error = follow(&log, &views, FollowerOptions::default()).unwrap_err();
    assert!(matches!(error, FeaturesError::LogStartsLater { position: 10, start: 15, .. }), "{error}");

    let fresh = empty();
    let follower = follow(&log, &fresh, FollowerOptions::default()).unwrap();
    follower.wait_blocking(&Position(vec![20])).unwrap();
    assert_eq!(fresh.catalogue().len(), 5);
}
