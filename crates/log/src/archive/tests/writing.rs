//! When files are written, where they stand, and that stopping anywhere loses nothing.

use std::time::Duration;

use super::super::{Archive, ArchiveError, PartitionOf, Stream, Until};
use super::{P, Records, all, at, names, open, read};
use crate::erasure::Erasure;
use crate::tests::event;
use crate::{DecisionLog, DecisionOptions, EmbeddedLog, EventLog, LogOptions, LogReader, Position};

const HOUR: Duration = Duration::from_secs(3600);

/// One event an hour, from the evening of the 23rd on.
fn hourly(count: u32) -> Records {
    let from = at("2026-11-23T20:30:00Z");
    Records::new((0..count).map(|n| event(&format!("e{n}"), from.plus(HOUR * n))).collect())
}

fn closed(archive: &Archive, source: &Records, now: &str) -> (usize, u64) {
    let done = archive.archive(Stream::Events, P, source, Until::Closed(at(now)), &mut |_, _| true).unwrap();
    (done.files, done.position)
}

#[test]
fn a_day_is_archived_once_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 1000);
    let source = hourly(10);
    assert_eq!(closed(&archive, &hourly(4), "2026-11-24T00:09:59Z"), (0, 0), "appends may be on their way");
    assert_eq!(closed(&archive, &hourly(4), "2026-11-24T00:10:00Z"), (1, 4));
    assert_eq!(closed(&archive, &source, "2026-11-24T07:00:00Z"), (0, 4));
    assert_eq!(closed(&archive, &hourly(30), "2026-11-25T02:00:00Z"), (1, 28));
    assert_eq!(all(&archive, Stream::Events, &hourly(30)).records, 2);
    assert_eq!(
        names(folder.path()),
        [
            "events/day=2026-11-23/00000-00000000000000000000.parquet",
            "events/day=2026-11-24/00000-00000000000000000004.parquet",
            "events/day=2026-11-25/00000-00000000000000000028.parquet",
        ]
    );
    assert_eq!(read(&archive, Stream::Events, 0), hourly(30).with_offsets());
}

#[test]
fn a_day_that_a_later_event_ended_needs_no_clock() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 1000);
    assert_eq!(closed(&archive, &hourly(10), "2026-11-24T00:00:01Z"), (1, 4));
}

#[test]
fn a_full_file_is_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 3);
    assert_eq!(closed(&archive, &hourly(3), "2026-11-23T23:00:00Z"), (1, 3));
    assert_eq!(closed(&archive, &hourly(10), "2026-11-24T07:00:00Z"), (3, 10));
    assert_eq!(names(folder.path()).len(), 4);
}

#[test]
fn events_that_overtake_each_other_at_midnight_make_no_small_files() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 1000);
    let received = ["23:59:59.9", "23:59:59.95", "00:00:00.1", "23:59:59.99", "00:00:00.2", "23:59:59.98"];
    let day = |time: &str| if time.starts_with("23") { "2026-11-23" } else { "2026-11-24" };
    let event = |(n, time): (usize, &&str)| event(&format!("e{n}"), at(&format!("{}T{time}Z", day(time))));
    let mut source = Records::new(received.iter().enumerate().map(event).collect());
    assert_eq!(all(&archive, Stream::Events, &source).files, 2);
    source.events.push(crate::tests::event("clock set back", at("2026-11-20T00:00:00Z")));
    assert_eq!(all(&archive, Stream::Events, &source).files, 1);
    assert_eq!(names(folder.path())[0], "events/day=2026-11-20/00000-00000000000000000006.parquet");
    assert_eq!(
        read(&archive, Stream::Events, 0),
        source.with_offsets(),
        "offsets decide the order, not days"
    );
    assert_eq!(archive.position(Stream::Events, P).unwrap(), 7);
}

#[test]
fn a_run_that_was_stopped_goes_on_without_a_trace() {
    let source = hourly(40);
    let whole = tempfile::tempdir().unwrap();
    all(&open(whole.path(), 5), Stream::Events, &source);
    let expected = super::files(whole.path());
    assert!(expected.len() > 8);
    for written in 0..expected.len() {
        // What a crash leaves: some files, and one that was being written.
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &expected[..written] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let (name, bytes) = &expected[written];
        let half = folder.path().join(format!("{name}#1"));
        std::fs::create_dir_all(half.parent().unwrap()).unwrap();
        std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
        let archive = open(folder.path(), 5);
        assert_eq!(all(&archive, Stream::Events, &source).files, expected.len() - written);
        assert!(super::files(folder.path()) == expected, "stopped after {written} files");
        assert_eq!(all(&archive, Stream::Events, &source).files, 0);
    }
}

#[test]
fn a_run_that_is_told_to_stop_keeps_the_files_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 3000);
    let source =
        Records::new((0..10_000).map(|n| event(&format!("e{n}"), at("2026-11-23T12:00:00Z"))).collect());
    let stopped =
        archive.archive(Stream::Events, P, &source, Until::Now, &mut |read, _| read < 8000).unwrap();
    assert_eq!((stopped.files, stopped.position), (2, 6000));
    assert_eq!(all(&archive, Stream::Events, &source).records, 4000);
    assert!(read(&archive, Stream::Events, 0) == source.with_offsets());
}

#[test]
fn what_the_log_had_deleted_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 1000);
    all(&archive, Stream::Events, &hourly(2));
    let mut source = hourly(9);
    source.start = 5;
    source.events.drain(..5);
    let closed = Until::Closed(at("2026-11-20T00:00:00Z"));
    let waits = archive.archive(Stream::Events, P, &source, closed, &mut |_, _| true).unwrap();
    assert_eq!((waits.files, waits.lost), (0, 0), "told once, when what follows is archived");
    let done = all(&archive, Stream::Events, &source);
    assert_eq!((done.lost, done.records, done.position), (3, 4, 9));
    let offsets: Vec<u64> = read(&archive, Stream::Events, 0).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(offsets, [0, 1, 5, 6, 7, 8]);
}

#[test]
fn another_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 1000);
    all(&archive, Stream::Events, &hourly(5));
    let refused = archive.archive(Stream::Events, P, &hourly(4), Until::Now, &mut |_, _| true);
    assert!(matches!(refused, Err(ArchiveError::Ahead { archived: 5, end: 4, .. })), "{refused:?}");
}

#[test]
fn a_second_process_is_refused_and_a_second_thread_waits() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 3);
    let lock = crate::lock::take(folder.path()).unwrap();
    let refused = archive.archive(Stream::Events, P, &hourly(5), Until::Now, &mut |_, _| true);
    assert!(matches!(refused, Err(ArchiveError::Busy { .. })), "{refused:?}");
    assert!(matches!(archive.erase(&Erasure::default(), &|| true), Err(ArchiveError::Busy { .. })));
    drop(lock);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| all(&archive, Stream::Events, &hourly(40)));
        }
    });
    assert_eq!(read(&archive, Stream::Events, 0), hourly(40).with_offsets());
}

#[test]
fn logs_are_archived_open_and_beside_their_writer() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(&folder.path().join("archive"), 50);
    let options = LogOptions { segment_bytes: 4096, ..LogOptions::default() };
    let (log, _) = EmbeddedLog::open(&folder.path().join("events"), options, crate::tests::clock()).unwrap();
    log.append(crate::tests::events("a", 120)).wait().unwrap();
    let reader = LogReader::open(&folder.path().join("events")).unwrap();
    assert_eq!(all(&archive, Stream::Events, &reader).records, 120);
    log.append(crate::tests::events("b", 30)).wait().unwrap();
    assert_eq!(all(&archive, Stream::Events, &PartitionOf(&log, P)).records, 30);
    reader.refresh().unwrap();
    let expected: Vec<_> = reader.events_from(0).map(Result::unwrap).collect();
    assert_eq!(read(&archive, Stream::Events, 0), expected);

    let decided = crate::codec::tests::samples(1).remove(6);
    let (decisions, _) = DecisionLog::open(
        &folder.path().join("decisions"),
        DecisionOptions::default(),
        crate::tests::clock(),
    )
    .unwrap();
    for _ in 0..3 {
        decisions.append(&decided).unwrap();
    }
    let reader = LogReader::open(&folder.path().join("decisions")).unwrap();
    assert_eq!(all(&archive, Stream::Decisions, &reader).records, 3);
    decisions.close();
    assert_eq!(all(&archive, Stream::Decisions, &decisions).records, 0);
    let expected: Vec<_> = (0..3).map(|offset| (offset, decided.clone())).collect();
    assert_eq!(read(&archive, Stream::Decisions, 0), expected);
}

#[test]
fn truncation_keeps_what_was_not_archived() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 4096, ..LogOptions::default() };
    let (log, _) = EmbeddedLog::open(&folder.path().join("events"), options, crate::tests::clock()).unwrap();
    for n in 0..10 {
        log.append(crate::tests::events(&format!("{n}-"), 60)).wait().unwrap();
    }
    let (later, start) = (crate::tests::NOW.plus(HOUR), || log.start().offset(P));
    log.truncate_below(later, &Position(vec![0])).unwrap();
    assert_eq!(start(), 0);
    log.truncate_below(later, &Position(vec![300])).unwrap();
    assert!((200..=300).contains(&start()), "{}", start());
    log.truncate(later).unwrap();
    assert!(start() > 500);
}
