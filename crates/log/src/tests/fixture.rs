//! A segment of every format version ever written stays readable.

use std::path::PathBuf;

use super::{events, open};
use crate::segment::format::VERSION;
use crate::{EventLog, LogOptions, LogReader};

fn fixture(version: u8) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/log-{version}"))
}

#[test]
fn segments_of_every_version_stay_readable() {
    for version in 1..=VERSION {
        let reader = LogReader::open(&fixture(version)).unwrap();
        let read: Vec<_> = reader.events_from(0).map(|read| read.unwrap().1).collect();
        assert_eq!(read, [events("a", 2), events("b", 3)].concat(), "version {version}");
    }
}

#[test]
fn a_segment_of_a_newer_version_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let name = "00000000000000000000.log";
    let mut bytes = std::fs::read(fixture(VERSION).join(name)).unwrap();
    bytes[7] = VERSION + 1;
    std::fs::write(folder.path().join(name), bytes).unwrap();
    let error = LogReader::open(folder.path()).err().unwrap();
    assert!(error.to_string().contains("upgrade Headwater"), "{error}");
}

#[test]
#[ignore = "writes the fixture of a new version; refuses to touch an old one"]
fn write_the_fixture_of_this_version() {
    let path = fixture(VERSION);
    assert!(!path.exists(), "{} is written already", path.display());
    let (log, _) = open(&path, LogOptions::default());
    log.append(events("a", 2)).wait().unwrap();
    log.append(events("b", 3)).wait().unwrap();
    drop(log);
    std::fs::remove_file(path.join("lock")).unwrap();
}
