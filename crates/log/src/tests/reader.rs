//! Reading without the lock.

use super::{events, open, small};
use crate::{EventLog, LogReader};

fn read_ids(reader: &LogReader, from: u64) -> Vec<String> {
    reader.events_from(from).map(|read| read.unwrap().1.id.to_string()).collect()
}

#[test]
fn a_folder_without_a_log_is_empty_until_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let reader = LogReader::open(&path).unwrap();
    assert_eq!((reader.start(), reader.end(), reader.read(0, 5).unwrap().events.len()), (0, 0, 0));
    assert!(!path.exists());
    let (log, _) = open(&path, small());
    log.append(events("a", 3)).wait().unwrap();
    assert_eq!(reader.end(), 0);
    reader.refresh().unwrap();
    assert_eq!(read_ids(&reader, 1), ["a1", "a2"]);
}

#[test]
fn a_reader_follows_seals_and_truncation_of_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    log.append(events("first", 10)).wait().unwrap();
    let reader = LogReader::open(folder.path()).unwrap();
    assert_eq!(reader.end(), 10);
    for round in 0..10 {
        log.append(events(&format!("r{round}-"), 20)).wait().unwrap();
    }
    reader.refresh().unwrap();
    assert_eq!(read_ids(&reader, 0), super::ids(&log, 0));
    log.truncate(super::NOW.plus(super::LONG)).unwrap();
    reader.refresh().unwrap();
    let start = log.start().0[0];
    assert!(start > 100);
    assert_eq!((reader.start(), reader.end()), (start, 210));
    assert_eq!(read_ids(&reader, start), super::ids(&log, start));
    assert!(reader.events_from(0).next().unwrap().is_err());
    assert_eq!(LogReader::open(folder.path()).unwrap().end(), 210);
}

#[test]
fn a_reader_left_far_behind_starts_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), small());
    log.append(events("first", 10)).wait().unwrap();
    let reader = LogReader::open(folder.path()).unwrap();
    for round in 0..10 {
        log.append(events(&format!("r{round}-"), 20)).wait().unwrap();
    }
    log.truncate(super::NOW.plus(super::LONG)).unwrap();
    reader.refresh().unwrap();
    assert_eq!((reader.start(), reader.end()), (log.start().0[0], 210));
}
