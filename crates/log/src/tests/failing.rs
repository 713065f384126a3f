//! Disks that fail.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{LONG, NOW, clock, event, events, ids, open};
use crate::disk::{Disk, SystemDisk};
use crate::{DecisionLog, DecisionOptions, EmbeddedLog, EventLog, LogError, LogOptions, Partition, Position};

/// The system's disk until it is told to fail.
#[derive(Default)]
struct Fragile {
    fail_write: AtomicBool,
    fail_sync: AtomicBool,
    writes: AtomicUsize,
    syncs: AtomicUsize,
}

fn check(fails: &AtomicBool) -> io::Result<()> {
    if fails.load(Ordering::SeqCst) { Err(io::Error::other("the disk is on fire")) } else { Ok(()) }
}

impl Disk for Fragile {
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if let Err(error) = check(&self.fail_write) {
            SystemDisk.write(file, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        SystemDisk.write(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        check(&self.fail_sync)?;
        SystemDisk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        check(&self.fail_sync)?;
        SystemDisk.sync_folder(folder)
    }
}

fn fragile(folder: &Path) -> (EmbeddedLog, Arc<Fragile>) {
    let disk = Arc::new(Fragile::default());
    let (log, _) = EmbeddedLog::open_on(folder, LogOptions::default(), clock(), disk.clone()).unwrap();
    (log, disk)
}

#[test]
fn a_failed_fsync_is_not_tried_again_and_readers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = fragile(folder.path());
    log.append(events("a", 3)).wait().unwrap();
    let mut subscription = log.subscribe(Position(vec![0])).unwrap();
    disk.fail_sync.store(true, Ordering::SeqCst);
    let error = log.append(events("b", 2)).wait().unwrap_err();
    assert!(matches!(error, LogError::Io { action: "sync", .. }), "{error}");
    // The disk says it is well again; what it dropped in between nobody knows.
    disk.fail_sync.store(false, Ordering::SeqCst);
    let (writes, syncs) = (disk.writes.load(Ordering::SeqCst), disk.syncs.load(Ordering::SeqCst));
    for _ in 0..3 {
        assert!(log.append(events("c", 2)).wait().is_err());
    }
    assert_eq!(ids(&log, 0), ["a0", "a1", "a2"]);
    assert_eq!(log.end(), Position(vec![3]));
    assert_eq!(subscription.next(LONG).unwrap().unwrap().events.len(), 3);
    assert!(subscription.next(Duration::ZERO).unwrap().is_none());
    log.close();
    assert!(subscription.closed());
    assert_eq!((disk.writes.load(Ordering::SeqCst), disk.syncs.load(Ordering::SeqCst)), (writes, syncs));
    drop(log);
    // Nobody was told that `b` is stored, and it may be; what was acknowledged is there.
    let (log, _) = open(folder.path(), LogOptions::default());
    assert_eq!(ids(&log, 0)[..3], ["a0", "a1", "a2"]);
    log.append(events("b", 2)).wait().unwrap();
    assert_eq!(ids(&log, 0), ["a0", "a1", "a2", "b0", "b1"]);
}

#[test]
fn half_a_write_is_cut_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = fragile(folder.path());
    log.append(events("a", 3)).wait().unwrap();
    disk.fail_write.store(true, Ordering::SeqCst);
    let waiting: Vec<_> = (0..4).map(|at| log.append(events(&format!("b{at}-"), 50))).collect();
    assert!(waiting.into_iter().all(|appending| appending.wait().is_err()));
    assert_eq!(log.read(Partition(0), 3, 10).unwrap().events.len(), 0);
    drop(log);
    let (log, recovery) = open(folder.path(), LogOptions::default());
    assert!(recovery.torn_bytes > 0 && recovery.end >= 3, "{recovery}");
    assert_eq!(ids(&log, 0)[..3], ["a0", "a1", "a2"]);
}

#[test]
fn a_failed_fsync_of_decisions_stops_them() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Fragile::default());
    let options = DecisionOptions { sync_interval: Duration::ZERO, ..DecisionOptions::default() };
    let (log, _) = DecisionLog::open_on(folder.path(), options, clock(), disk.clone()).unwrap();
    disk.fail_sync.store(true, Ordering::SeqCst);
    // Each append may come before the failure is seen, but one of the next must not.
    let mut stored = 0;
    let error = loop {
        match log.append(&event("d", NOW)) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        std::thread::yield_now();
    };
    assert!(matches!(error, LogError::Io { action: "sync", .. }), "{error}");
    assert_eq!((log.durable(), log.end()), (0, stored));
}
