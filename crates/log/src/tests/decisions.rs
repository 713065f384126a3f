//! The decision stream.

use std::path::Path;
use std::time::Duration;

use headwater_base::{Actor, Decision, Event, EventId, Fact, Fields, RequestId, Rung, Timestamp};

use super::{NOW, clock};
use crate::request_id::RequestIds;
use crate::{DecisionLog, DecisionOptions, LogError, LogReader, Recovery};

fn decision(request_id: &RequestId, received: Timestamp) -> Event {
    Event {
        id: EventId::trusted(request_id.as_str()),
        time: received,
        received,
        fact: Fact::Decision(Box::new(Decision {
            request_id: request_id.clone(),
            surface: "home".into(),
            actor: Actor::default(),
            item: None,
            context: Fields::default(),
            position: vec![7],
            model: "ials@3".into(),
            settings: 1,
            arms: Vec::new(),
            seed: 2,
            rung: Rung::Personal,
            items: Vec::new(),
            stages: Vec::new(),
            features: None,
        })),
    }
}

fn open(folder: &Path) -> (DecisionLog, Recovery) {
    let options = DecisionOptions { segment_bytes: 16 * 1024, ..DecisionOptions::default() };
    DecisionLog::open(folder, options, clock()).unwrap()
}

/// One decision a millisecond.
fn fill(log: &DecisionLog, count: u64) -> Vec<Event> {
    let ids = RequestIds::new(1);
    let made = (0..count).map(|at| {
        let now = NOW.plus(Duration::from_millis(at));
        decision(&ids.next(now), now)
    });
    let made: Vec<Event> = made.collect();
    for (at, event) in made.iter().enumerate() {
        assert_eq!(log.append(event).unwrap(), at as u64);
    }
    made
}

fn request_id(event: &Event) -> RequestId {
    RequestId::trusted(event.id.as_str())
}

#[test]
fn decisions_are_found_by_request_id_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path());
    let made = fill(&log, 1_000);
    let check = |log: &DecisionLog| {
        for event in made.iter().step_by(37) {
            assert_eq!(log.find(&request_id(event)).unwrap().as_ref(), Some(event));
        }
        let absent = RequestIds::new(9).next(made[500].received);
        assert_eq!(log.find(&absent).unwrap(), None);
        assert_eq!(log.find(&RequestId::trusted("r7")).unwrap(), None);
    };
    check(&log);
    drop(log);
    let (log, recovery) = open(folder.path());
    assert!(recovery.segments > 3 && recovery.events() == 1_000 && recovery.rebuilt == 0, "{recovery}");
    check(&log);
    assert_eq!(log.read(999, 5).unwrap().events[..], made[999..]);
    assert_eq!((log.start(), log.end(), log.durable()), (0, 1_000, 1_000));
}

#[test]
fn a_decision_recorded_late_is_found_within_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path());
    let id = RequestIds::new(1).next(NOW);
    let late = decision(&id, NOW.plus(Duration::from_millis(1_900)));
    log.append(&late).unwrap();
    assert_eq!(log.find(&id).unwrap(), Some(late));
}

#[test]
fn what_was_appended_is_in_the_file_before_any_fsync() {
    let folder = tempfile::tempdir().unwrap();
    let options = DecisionOptions { sync_interval: Duration::from_secs(3600), ..DecisionOptions::default() };
    let (log, _) = DecisionLog::open(folder.path(), options, clock()).unwrap();
    let made = fill(&log, 20);
    assert_eq!(log.durable(), 0);
    let read: Vec<Event> =
        LogReader::open(folder.path()).unwrap().events_from(0).map(|read| read.unwrap().1).collect();
    assert_eq!(read, made);
    // Closing does not wait for the interval.
    log.close();
    assert_eq!(log.durable(), 20);
    assert!(matches!(log.append(&made[0]), Err(LogError::Closed)));
}

#[test]
fn old_decisions_are_deleted_by_whole_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path());
    let made = fill(&log, 1_000);
    let truncated = log.truncate(NOW.plus(Duration::from_millis(500))).unwrap();
    assert!(truncated.events > 0 && truncated.events <= 500 && truncated.events == log.start());
    assert_eq!(log.find(&request_id(&made[0])).unwrap(), None);
    assert_eq!(log.find(&request_id(&made[700])).unwrap().as_ref(), Some(&made[700]));
    assert!(matches!(log.read(0, 1), Err(LogError::Truncated { .. })));
}

/// As a power failure may leave it: neither the full segment nor the one after it had been synced.
#[test]
fn a_torn_tail_before_an_unsynced_segment_is_cut_with_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let options = DecisionOptions { segment_bytes: 4096, sync_interval: Duration::from_secs(3600) };
    let (log, _) = DecisionLog::open(folder.path(), options.clone(), clock()).unwrap();
    fill(&log, 60);
    let copy = tempfile::tempdir().unwrap();
    let mut firsts = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        firsts.extend(crate::segment::format::first_of(&path));
    }
    firsts.sort_unstable();
    assert!(firsts.len() > 1, "{firsts:?}");
    let first = crate::segment::format::segment_path(copy.path(), 0);
    let mut bytes = std::fs::read(&first).unwrap();
    let end = bytes.len() - 300;
    bytes[end..].fill(0);
    std::fs::write(&first, bytes).unwrap();
    let (recovered, recovery) = DecisionLog::open(copy.path(), options.clone(), clock()).unwrap();
    assert!(
        recovery.torn_bytes > 300 && recovery.end < firsts[1] && recovery.end + 5 > firsts[1],
        "{recovery}"
    );
    assert_eq!(recovered.read(0, 100).unwrap().events.len() as u64, recovery.end);
    drop(recovered);
    // The same hole after everything was synced is damage.
    drop(log);
    let first = crate::segment::format::segment_path(folder.path(), 0);
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[end..].fill(0);
    std::fs::write(&first, bytes).unwrap();
    std::fs::remove_file(first.with_extension("index")).unwrap();
    assert!(matches!(DecisionLog::open(folder.path(), options, clock()), Err(LogError::Damaged { .. })));
}
