//! The filter, the sidecar and its search.

use headwater_base::Timestamp;

use super::filter::Filter;
use super::{IdHash, SealedIds, Table, hash};
use crate::disk::SystemDisk;
use crate::segment::index::Summary;

fn summary(end: u64) -> Summary {
    let time = Timestamp::from_seconds(1);
    Summary { first: 0, end, bytes: 1_000, earliest: time, latest: time }
}

fn write(hashes: &[IdHash]) -> (tempfile::TempDir, SealedIds) {
    let folder = tempfile::tempdir().unwrap();
    let mut table = Table::default();
    hashes.iter().for_each(|hash| table.insert(*hash));
    let ids = SealedIds::write(&SystemDisk, folder.path(), summary(hashes.len() as u64), &table).unwrap();
    (folder, ids)
}

fn hashes(prefix: &str, count: usize) -> Vec<IdHash> {
    (0..count).map(|at| hash(&format!("{prefix}{at}"))).collect()
}

#[test]
fn the_filter_passes_all_it_holds_and_few_others() {
    let held = hashes("a", 20_000);
    let filter = Filter::of(&held);
    assert!(held.iter().all(|hash| filter.may_contain(*hash)));
    let passed = hashes("b", 20_000).iter().filter(|hash| filter.may_contain(**hash)).count();
    assert!(passed > 0 && passed < 400, "{passed} of 20,000");
    assert_eq!(filter.bytes(), 20_000 * 10 / 8 / 64 * 64 + 64);
    let again = Filter::decode(&filter.encode()).unwrap();
    assert!(held.iter().all(|hash| again.may_contain(*hash)));
}

#[test]
fn a_sidecar_finds_exactly_what_it_holds_with_and_without_its_filter() {
    for count in [0, 1, 254, 255, 256, 510, 511, 2_000] {
        let held = hashes("a", count);
        let (folder, mut ids) = write(&held);
        let reopened = SealedIds::open(folder.path(), summary(count as u64)).unwrap();
        for round in 0..2 {
            assert!(held.iter().all(|hash| ids.contains(*hash).unwrap()), "{count}");
            assert!(hashes("b", 300).iter().all(|hash| !ids.contains(*hash).unwrap()), "{count}");
            assert!(held.iter().all(|hash| reopened.contains(*hash).unwrap()), "{count} {round}");
            ids.drop_filter();
            assert_eq!(ids.filter_bytes(), 0);
        }
    }
}

#[test]
fn hashes_that_are_not_spread_evenly_are_found_too() {
    let held: Vec<IdHash> = (0..9_000u128).map(|at| at * at * 3 + 1).chain([u128::MAX - 2]).collect();
    let (_folder, mut ids) = write(&held);
    ids.drop_filter();
    for hash in held.iter().step_by(7) {
        assert!(ids.contains(*hash).unwrap());
        // Neighbours are three apart or more.
        assert!(!ids.contains(hash + 1).unwrap());
    }
    assert!(!ids.contains(0).unwrap() && !ids.contains(u128::MAX).unwrap());
}

#[test]
fn a_sidecar_of_another_segment_or_with_a_changed_byte_does_not_pass() {
    let held = hashes("a", 300);
    let (folder, _) = write(&held);
    assert!(SealedIds::open(folder.path(), Summary { bytes: 1_001, ..summary(300) }).is_none());
    assert!(SealedIds::open(folder.path(), summary(301)).is_none());
    let path = crate::segment::format::segment_path(folder.path(), 0).with_extension("ids");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(SealedIds::open(folder.path(), summary(300)).is_none());
    for at in (0..bytes.len()).step_by(41) {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        std::fs::write(&path, &changed).unwrap();
        // Whatever opens either answers rightly or says that the page is damaged.
        if let Some(mut ids) = SealedIds::open(folder.path(), summary(300)) {
            ids.drop_filter();
            assert!(held.iter().all(|hash| ids.contains(*hash) != Ok(false)), "byte {at}");
        }
    }
}
