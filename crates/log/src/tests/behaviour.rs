//! Appending, reading, following, deduplication and truncation, across restarts and seals.

use std::sync::Arc;
use std::time::Duration;

use headwater_base::time::ManualClock;
use headwater_base::{Event, Timestamp};

use super::{LONG, NOW, clock, event, events, ids, open, small};
use crate::{EmbeddedLog, EventLog, LogError, LogOptions, Outcome, Partition, Position};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn what_is_appended_is_read_back_in_order_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (log, recovery) = open(folder.path(), LogOptions::default());
    assert_eq!((recovery.events(), recovery.torn_bytes), (0, 0));
    let first = log.append(events("a", 3)).wait().unwrap();
    assert_eq!(first.outcomes, [0, 1, 2].map(|offset| Outcome::Stored(Partition(0), offset)));
    assert_eq!(first.position, Position(vec![3]));
    log.append(events("b", 2)).wait().unwrap();
    assert_eq!(log.read(Partition(0), 0, 3).unwrap().events.to_vec(), events("a", 3));
    drop(log);
    let (log, recovery) = open(folder.path(), LogOptions::default());
    assert_eq!((recovery.events(), recovery.torn_bytes), (5, 0));
    assert_eq!(ids(&log, 1), ["a1", "a2", "b0", "b1"]);
    assert_eq!(log.append(events("c", 1)).wait().unwrap().position, Position(vec![6]));
    assert!(log.read(Partition(0), 6, 10).unwrap().events.is_empty());
    assert!(log.read(Partition(0), 600, 10).unwrap().events.is_empty());
}

#[test]
fn an_empty_append_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), LogOptions::default());
    log.append(events("a", 2)).wait().unwrap();
    let appended = log.append(Vec::new()).wait().unwrap();
    assert_eq!((appended.outcomes.len(), appended.position), (0, Position(vec![2])));
}

#[test]
fn an_id_is_stored_once_within_a_batch_across_batches_seals_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    let appended = log.append(vec![event("x", NOW), event("y", NOW), event("x", NOW)]).wait().unwrap();
    assert_eq!(appended.outcomes[2], Outcome::Duplicate);
    for round in 0..20 {
        log.append(events(&format!("r{round}-"), 20)).wait().unwrap();
    }
    let all = ids(&log, 0);
    assert_eq!(all.len(), 402);
    let again = |log: &EmbeddedLog| {
        let mut given: Vec<Event> = (0..20).flat_map(|round| events(&format!("r{round}-"), 20)).collect();
        given.insert(0, event("x", NOW));
        let appended = log.append(given).wait().unwrap();
        assert!(appended.outcomes.iter().all(|outcome| *outcome == Outcome::Duplicate));
        assert_eq!(appended.position, Position(vec![402]));
    };
    again(&log);
    drop(log);
    let (log, recovery) = open(folder.path(), small());
    assert!(recovery.segments > 4 && recovery.rebuilt == 0, "{recovery}");
    again(&log);
    assert_eq!(ids(&log, 0), all);
}

#[test]
fn missing_and_damaged_sidecars_are_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    for round in 0..10 {
        log.append(events(&format!("r{round}-"), 20)).wait().unwrap();
    }
    let all = ids(&log, 0);
    drop(log);
    let sidecars = || {
        let listed = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> =
            listed.filter(|path| path.extension().is_some_and(|it| it == "ids" || it == "index")).collect();
        paths.sort();
        paths
    };
    let paths = sidecars();
    std::fs::remove_file(&paths[0]).unwrap();
    for path in &paths[1..] {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        bytes[12] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let (log, recovery) = open(folder.path(), small());
    assert_eq!(recovery.rebuilt, paths.len());
    assert_eq!(ids(&log, 0), all);
    assert_eq!(log.append(events("r3-", 20)).wait().unwrap().position, Position(vec![200]));
    drop(log);
    assert_eq!(open(folder.path(), small()).1.rebuilt, 0);
    assert_eq!(sidecars(), paths);
}

#[test]
fn a_page_of_ids_damaged_while_running_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    log.append(events("a", 100)).wait().unwrap();
    drop(log);
    let (log, _) = open(folder.path(), small());
    let path = folder.path().join("00000000000000000000.ids");
    let mut bytes = std::fs::read(&path).unwrap();
    let last_page = bytes.len() - 4000;
    bytes[last_page] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(log.append(events("a", 100)).wait().unwrap().position, Position(vec![100]));
}

#[test]
fn an_id_is_forgotten_after_the_window_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let open = |clock: &Arc<ManualClock>| EmbeddedLog::open(folder.path(), small(), clock.clone()).unwrap().0;
    let log = open(&clock);
    log.append(events("a", 100)).wait().unwrap();
    drop(log);
    let later = |days: u32| NOW.plus(DAY * days);
    clock.set(later(7));
    let log = open(&clock);
    assert_eq!(log.append(vec![event("a5", later(7))]).wait().unwrap().outcomes, [Outcome::Duplicate]);
    clock.set(later(8));
    assert_eq!(
        log.append(vec![event("a5", later(8))]).wait().unwrap().outcomes,
        [Outcome::Stored(Partition(0), 100)]
    );
}

#[test]
fn without_memory_for_filters_ids_are_found_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { filter_bytes: 0, ..small() };
    let (log, _) = open(folder.path(), options.clone());
    for round in 0..10 {
        log.append(events(&format!("r{round}-"), 20)).wait().unwrap();
    }
    drop(log);
    let (log, _) = open(folder.path(), options);
    assert_eq!(log.append(events("r2-", 20)).wait().unwrap().position, Position(vec![200]));
    assert_eq!(log.append(events("s", 5)).wait().unwrap().position, Position(vec![205]));
}

#[test]
fn events_without_an_id_are_all_stored_and_named_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    let appended = log.append((0..50).map(|_| event("", NOW)).collect()).wait().unwrap();
    assert!(appended.outcomes.iter().all(|outcome| *outcome != Outcome::Duplicate));
    let mut names = ids(&log, 0);
    let exported = log.read(Partition(0), 0, 50).unwrap().events.to_vec();
    assert!(!exported.is_empty());
    assert_eq!(log.append(exported).wait().unwrap().position, Position(vec![50]), "an import of an export");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 50);
    assert!(names.iter().all(|name| name.starts_with('o') && name.len() <= 24), "{names:?}");
}

#[test]
fn a_subscriber_sees_what_was_and_what_comes_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), LogOptions { recent_events: 10, ..small() });
    for round in 0..10 {
        log.append(events(&format!("r{round}-"), 20)).wait().unwrap();
    }
    let mut subscription = log.subscribe(Position(vec![3])).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 197 {
        let batch = subscription.next(LONG).unwrap().unwrap();
        assert_eq!(batch.first, 3 + seen.len() as u64);
        seen.extend(batch.events.iter().map(|event| event.id.to_string()));
    }
    assert_eq!(seen, ids(&log, 3));
    assert!(subscription.next(Duration::ZERO).unwrap().is_none() && !subscription.closed());
    let waiting = std::thread::spawn(move || {
        let batch = subscription.next(LONG).unwrap().unwrap();
        (batch, subscription)
    });
    log.append(events("late", 2)).wait().unwrap();
    let (batch, mut subscription) = waiting.join().unwrap();
    assert_eq!((batch.first, batch.events.to_vec()), (200, events("late", 2)));
    log.close();
    assert!(subscription.next(LONG).unwrap().is_none() && subscription.closed());
    assert_eq!(subscription.position(), &Position(vec![202]));
    assert!(matches!(log.append(events("z", 1)).wait(), Err(LogError::Closed)));
}

#[test]
fn old_segments_are_deleted_whole_and_the_active_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    for day in 0..10 {
        let received = NOW.plus(DAY * day);
        log.append((0..60).map(|at| event(&format!("d{day}-{at}"), received)).collect()).wait().unwrap();
    }
    let mut early = log.subscribe(Position(vec![0])).unwrap();
    let truncated = log.truncate(NOW.plus(DAY * 4)).unwrap();
    let start = log.start().offset(Partition(0));
    assert_eq!(truncated.events, start);
    assert!(truncated.segments >= 3 && truncated.bytes > 0 && start <= 240, "{truncated:?} {start}");
    assert!(matches!(log.read(Partition(0), 0, 1), Err(LogError::Truncated { asked: 0, .. })));
    assert!(matches!(log.subscribe(Position(vec![start - 1])), Err(LogError::Truncated { .. })));
    assert_eq!(early.next(LONG).unwrap().unwrap().events.len(), 60, "memory still holds the first batch");
    assert_eq!(ids(&log, start).len(), 600 - start as usize);
    log.truncate(Timestamp::from_micros(i64::MAX)).unwrap();
    drop(log);
    let (log, recovery) = open(folder.path(), small());
    assert_eq!((recovery.segments, recovery.end), (1, 600));
    assert_eq!(log.append(events("z", 1)).wait().unwrap().position, Position(vec![601]));
}

#[test]
fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    let second = || EmbeddedLog::open(folder.path(), small(), clock());
    assert!(matches!(second(), Err(LogError::Locked { .. })));
    drop(log);
    assert!(second().is_ok());
}

#[test]
fn an_event_too_large_for_a_record_is_refused_and_nothing_of_its_batch_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), LogOptions::default());
    let mut batch = events("a", 2);
    if let headwater_base::Fact::Interaction(interaction) = &mut batch[1].fact {
        interaction.context.set("text".into(), headwater_base::Value::Text("x".repeat(17 << 20)));
    }
    assert!(matches!(log.append(batch).wait(), Err(LogError::TooLarge { .. })));
    assert_eq!(log.end(), Position(vec![0]));
}
