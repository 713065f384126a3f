//! Tests of the parts together: what the log promises, across restarts, damage and failing disks.

mod behaviour;
mod concurrency;
mod damage;
mod decisions;
mod erasure;
mod failing;
mod reader;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater_base::time::ManualClock;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, ItemId, SessionId, Timestamp, UserId, Value,
};

use crate::{EmbeddedLog, EventLog, LogOptions, Offset, Partition, Recovery};

/// When tests begin.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_764_000_000);
/// Far longer than any wait in a test that passes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// An interaction with the id `id`, received at `received`.
pub(crate) fn event(id: &str, received: Timestamp) -> Event {
    Event {
        id: EventId::trusted(id),
        time: received.minus(Duration::from_millis(120)),
        received,
        fact: Fact::Interaction(Interaction {
            kind: "click".into(),
            actor: Actor {
                user: Some(UserId::trusted("user-17")),
                session: Some(SessionId::trusted("session-4")),
            },
            item: ItemId::trusted("item-23"),
            value: Some(1.5),
            request_id: None,
            context: Fields::new([("device".into(), Value::Categorical("mobile".into()))]),
        }),
    }
}

/// `count` events with the ids `<prefix>0`, `<prefix>1`, ...
pub(crate) fn events(prefix: &str, count: usize) -> Vec<Event> {
    (0..count).map(|at| event(&format!("{prefix}{at}"), NOW)).collect()
}

/// Segments of a few dozen events.
pub(crate) fn small() -> LogOptions {
    LogOptions { segment_bytes: 4096, ..LogOptions::default() }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

pub(crate) fn open(folder: &Path, options: LogOptions) -> (EmbeddedLog, Recovery) {
    EmbeddedLog::open(folder, options, clock()).unwrap()
}

/// The ids from `from` to the end.
pub(crate) fn ids(log: &dyn EventLog, from: Offset) -> Vec<String> {
    let mut at = from;
    let mut ids = Vec::new();
    loop {
        let batch = log.read(Partition(0), at, 7).unwrap();
        if batch.events.is_empty() {
            return ids;
        }
        at = batch.next();
        ids.extend(batch.events.iter().map(|event| event.id.to_string()));
    }
}
