//! Many appenders, many subscribers, and readers without the lock, all at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{LONG, NOW, event, open};
use crate::{EventLog, LogOptions, LogReader, Outcome, Partition, Position};

const APPENDERS: usize = 12;
const ROUNDS: usize = 60;
const BATCH: usize = 7;

#[test]
fn every_subscriber_sees_every_acknowledged_event_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        LogOptions { segment_bytes: 32 * 1024, recent_events: 50, queue_events: 30, ..LogOptions::default() };
    let (log, _) = open(folder.path(), options);
    let log = Arc::new(log);
    let writing = AtomicBool::new(true);
    let (placed, seen, read) = std::thread::scope(|scope| {
        let subscribers: Vec<_> = (0..3)
            .map(|_| {
                let mut subscription = log.subscribe(Position::default()).unwrap();
                scope.spawn(move || {
                    let mut seen = Vec::new();
                    while let Some(batch) = subscription.next(LONG).unwrap() {
                        assert_eq!(batch.first, seen.len() as u64);
                        seen.extend(batch.events.iter().map(|event| event.id.to_string()));
                    }
                    assert!(subscription.closed());
                    seen
                })
            })
            .collect();
        let (path, writing) = (folder.path(), &writing);
        let outside = scope.spawn(move || {
            let reader = LogReader::open(path).unwrap();
            let mut seen: Vec<String> = Vec::new();
            loop {
                let last = !writing.load(Ordering::SeqCst);
                reader.refresh().unwrap();
                for read in reader.events_from(seen.len() as u64) {
                    let (offset, event) = read.unwrap();
                    assert_eq!(offset, seen.len() as u64);
                    seen.push(event.id.to_string());
                }
                if last {
                    return seen;
                }
            }
        });
        let appenders: Vec<_> = (0..APPENDERS)
            .map(|appender| {
                let log = Arc::clone(&log);
                scope.spawn(move || {
                    let mut placed = Vec::new();
                    for round in 0..ROUNDS {
                        let ids: Vec<String> =
                            (0..BATCH).map(|at| format!("{appender}-{}", round * (BATCH - 1) + at)).collect();
                        let batch = ids.iter().map(|id| event(id, NOW)).collect();
                        let appended = log.append(batch).wait().unwrap();
                        // Each batch repeats the last id of the one before.
                        for (at, (id, outcome)) in ids.into_iter().zip(appended.outcomes).enumerate() {
                            match outcome {
                                Outcome::Stored(_, offset) => {
                                    assert!(offset < appended.position.offset(Partition(0)));
                                    placed.push((offset, id));
                                }
                                Outcome::Duplicate => assert!(at == 0 && round > 0),
                            }
                        }
                    }
                    placed
                })
            })
            .collect();
        let placed: Vec<_> = appenders.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        log.close();
        writing.store(false, Ordering::SeqCst);
        let seen: Vec<_> = subscribers.into_iter().map(|thread| thread.join().unwrap()).collect();
        (placed, seen, outside.join().unwrap())
    });
    let mut placed = placed;
    placed.sort();
    let ids: Vec<String> = placed.iter().map(|(_, id)| id.clone()).collect();
    assert!(placed.iter().enumerate().all(|(at, (offset, _))| *offset == at as u64));
    assert_eq!(ids.len(), APPENDERS * (ROUNDS * (BATCH - 1) + 1));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert!(seen.iter().all(|seen| *seen == ids));
    assert_eq!(read, ids);
}
