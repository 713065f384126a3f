//! Files cut and changed at every byte: what was never acknowledged is cut, what was is never lost silently.

use std::path::{Path, PathBuf};

use super::{NOW, clock, event, events, ids, open};
use crate::{EmbeddedLog, EventLog, LogError, LogOptions, LogReader, Recovery};

/// A log of three commits (2, 1 and 3 events) as a killed process leaves it, and its only segment.
fn killed(folder: &Path) -> Vec<u8> {
    let (log, _) = open(folder, LogOptions::default());
    log.append(events("a", 2)).wait().unwrap();
    log.append(events("b", 1)).wait().unwrap();
    log.append(events("c", 3)).wait().unwrap();
    let bytes = std::fs::read(segment(folder)).unwrap();
    drop(log);
    bytes
}

fn segment(folder: &Path) -> PathBuf {
    folder.join("00000000000000000000.log")
}

/// Opens the log with `bytes` as its segment.
fn reopen(folder: &Path, bytes: &[u8]) -> Result<(EmbeddedLog, Recovery), LogError> {
    std::fs::write(segment(folder), bytes).unwrap();
    EmbeddedLog::open(folder, LogOptions::default(), clock())
}

const ALL: [&str; 6] = ["a0", "a1", "b0", "c0", "c1", "c2"];
/// How many of them the last commit did not write.
const BEFORE_LAST: usize = 3;

#[test]
fn a_file_cut_anywhere_keeps_the_whole_records_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = killed(folder.path());
    let mut kept = Vec::new();
    for cut in 0..=bytes.len() {
        let (log, recovery) = reopen(folder.path(), &bytes[..cut]).unwrap();
        let held = ids(&log, 0);
        assert_eq!(held, ALL[..held.len()], "cut at {cut}");
        assert_eq!(recovery.end, held.len() as u64);
        assert!(
            recovery.torn_bytes <= cut as u64 && recovery.torn_file.is_some() == (recovery.torn_bytes > 0)
        );
        kept.push(held.len());
        log.append(vec![event("after", NOW)]).wait().unwrap();
        assert_eq!(ids(&log, held.len() as u64), ["after"]);
        drop(log);
        let (log, recovery) = open(folder.path(), LogOptions::default());
        assert_eq!((recovery.torn_bytes, ids(&log, 0).len()), (0, held.len() + 1), "cut at {cut}");
    }
    assert!(kept.is_sorted() && kept.last() == Some(&ALL.len()));
    assert_eq!((0..=6).filter(|count| kept.contains(count)).count(), 7);
}

#[test]
fn a_changed_byte_is_refused_or_cuts_only_what_the_last_commit_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = killed(folder.path());
    let (mut refused, mut cut) = (0, 0);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        match reopen(folder.path(), &changed) {
            Ok((log, recovery)) => {
                let held = ids(&log, 0);
                assert!(held.len() >= BEFORE_LAST && held.len() < ALL.len(), "byte {at}: {held:?}");
                assert_eq!(held, ALL[..held.len()]);
                assert!(recovery.torn_bytes > 0);
                cut += 1;
            }
            Err(LogError::Damaged { path, offset, .. }) => {
                assert_eq!(path, segment(folder.path()));
                assert!(offset < BEFORE_LAST as u64, "byte {at}, offset {offset}");
                refused += 1;
            }
            Err(LogError::NewerFormat { .. }) => assert_eq!(at, 7),
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(refused > cut && cut > 0, "{refused} {cut}");
}

#[test]
fn after_a_clean_shutdown_every_changed_byte_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path());
    let bytes = std::fs::read(segment(folder.path())).unwrap();
    // The closing mark itself vouches for the rest and is not needed by it.
    let vouched = bytes.len() - 24;
    for at in 0..vouched {
        let mut changed = bytes.clone();
        changed[at] ^= 0x80;
        let refused = reopen(folder.path(), &changed).err().unwrap_or_else(|| panic!("byte {at} passed"));
        assert!(
            matches!(refused, LogError::Damaged { .. } | LogError::NewerFormat { .. }),
            "byte {at}: {refused}"
        );
        assert_eq!(std::fs::read(segment(folder.path())).unwrap(), changed, "a refusal changes nothing");
    }
}

#[test]
fn a_tail_of_zeros_or_garbage_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = killed(folder.path());
    let tails: [Vec<u8>; 5] = [
        vec![0; 3],
        vec![0; 100_000],
        (0..5000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect(),
        // A length far past the end, and one that is just impossible.
        [&1_000_000u32.to_le_bytes()[..], &[7; 40]].concat(),
        u32::MAX.to_le_bytes().to_vec(),
    ];
    for tail in tails {
        let (log, recovery) = reopen(folder.path(), &[&bytes[..], &tail].concat()).unwrap();
        assert_eq!((ids(&log, 0).len(), recovery.torn_bytes), (6, tail.len() as u64));
        assert_eq!(recovery.torn_file, Some(segment(folder.path())));
        assert!(recovery.to_string().contains("cut"));
    }
}

#[test]
fn pages_of_the_last_commit_that_reached_the_disk_out_of_order_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = killed(folder.path());
    let position = |id: &str| bytes.windows(id.len()).position(|window| window == id.as_bytes()).unwrap();
    let mut holed = bytes.clone();
    // The first record of the last commit is a hole, the others are whole.
    holed[position("c0") - 9..position("c1") - 9].fill(0);
    let (log, _) = reopen(folder.path(), &holed).unwrap();
    assert_eq!(ids(&log, 0), ALL[..BEFORE_LAST]);
}

#[test]
fn a_text_that_looks_like_a_mark_vouches_for_nothing() {
    use crate::segment::format::Mark;
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = killed(folder.path());
    bytes.extend_from_slice(&[0xff; 10]);
    for salt in [0, 1] {
        Mark { first: 1_000, durable: 1_000 }.put(salt, &mut bytes);
    }
    assert_eq!(ids(&reopen(folder.path(), &bytes).unwrap().0, 0).len(), 6);
}

#[test]
fn damage_to_a_sealed_segment_and_a_missing_one_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path(), super::small());
    for round in 0..10 {
        log.append(events(&format!("r{round}-"), 20)).wait().unwrap();
    }
    drop(log);
    let first = segment(folder.path());
    let bytes = std::fs::read(&first).unwrap();
    let mut changed = bytes.clone();
    let end = changed.len() - 60;
    changed[end] ^= 1;
    std::fs::write(&first, &changed).unwrap();
    // The sidecars are whole, so nothing reads the segment at start; reading the event does.
    let (log, _) = open(folder.path(), super::small());
    let error = (0..).find_map(|from| log.read(crate::Partition(0), from, 1).err()).unwrap();
    assert!(matches!(&error, LogError::Damaged { path, .. } if *path == first), "{error}");
    drop(log);
    std::fs::remove_file(first.with_extension("index")).unwrap();
    let refused = || EmbeddedLog::open(folder.path(), super::small(), clock()).err().unwrap();
    assert!(matches!(refused(), LogError::Damaged { .. }));
    std::fs::write(&first, &bytes[..bytes.len() - 40]).unwrap();
    assert!(matches!(refused(), LogError::Damaged { .. }), "a sealed segment has no torn tail");
    std::fs::write(&first, &bytes).unwrap();
    let (log, recovery) = open(folder.path(), super::small());
    assert_eq!(recovery.rebuilt, 1);
    drop(log);
    let listed = crate::segment::segments::list(folder.path()).unwrap();
    std::fs::remove_file(crate::segment::format::segment_path(folder.path(), listed[1])).unwrap();
    assert!(matches!(refused(), LogError::Damaged { .. }), "a missing segment");
}

#[test]
fn a_reader_stops_before_a_torn_tail_and_refuses_damage() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = killed(folder.path());
    for cut in 32..bytes.len() {
        std::fs::write(segment(folder.path()), &bytes[..cut]).unwrap();
        let reader = LogReader::open(folder.path()).unwrap();
        let held: Vec<_> = reader.events_from(0).map(|read| read.unwrap().1.id.to_string()).collect();
        assert_eq!(held, ALL[..held.len()]);
        assert_eq!(std::fs::read(segment(folder.path())).unwrap().len(), cut, "a reader changes nothing");
    }
    let mut changed = bytes;
    changed[80] ^= 1;
    std::fs::write(segment(folder.path()), &changed).unwrap();
    assert!(matches!(LogReader::open(folder.path()), Err(LogError::Damaged { .. })));
}
