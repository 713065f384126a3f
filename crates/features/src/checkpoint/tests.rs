//! Checkpoints on the disk.

use headwater_base::{Event, EventId, Fact, ItemId, Timestamp};
use headwater_log::{Batch, Partition};

use super::*;

fn open(dir: &Path) -> (Views, Restored) {
    Views::open(dir, Arc::default(), ViewsOptions::default()).unwrap()
}

/// Folds one more new item.
fn step(views: &Views) {
    let first = views.position().offset(Partition(0));
    let fact = Fact::ItemUpsert {
        item: ItemId::trusted(format!("i{first}")),
        fields: headwater_base::Fields::default(),
        removed: Vec::new(),
        available: None,
        patch: false,
    };
    let time = Timestamp::from_seconds(1_760_000_000);
    let event = Event { id: EventId::trusted(format!("e{first}")), time, received: time, fact };
    views.apply(&Batch { partition: Partition(0), first, events: Arc::new([event]) }).unwrap();
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn the_last_two_are_kept_and_the_newest_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (views, restored) = open(folder.path());
    assert_eq!(restored, Restored::default());
    for _ in 0..4 {
        step(&views);
        views.checkpoint(folder.path()).unwrap();
    }
    let names = [3, 4].map(|events| format!("checkpoint-{events:020}.views"));
    assert_eq!(files(folder.path()), names);
    let (again, restored) = open(folder.path());
    assert_eq!(restored.checkpoint, Some(folder.path().join(&names[1])));
    assert_eq!(again.catalogue().len(), 4);
}

#[test]
fn a_damaged_checkpoint_is_skipped_for_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (views, _) = open(folder.path());
    step(&views);
    let older = views.checkpoint(folder.path()).unwrap();
    step(&views);
    let newer = views.checkpoint(folder.path()).unwrap();
    let mut bytes = fs::read(&newer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newer, bytes).unwrap();
    let (again, restored) = open(folder.path());
    assert_eq!((again.position().0, restored.checkpoint), (vec![1], Some(older.clone())));
    assert_eq!(restored.skipped[0].path, newer);

    fs::write(&older, b"hw-views\xff\xff").unwrap();
    let (empty, restored) = open(folder.path());
    assert!(empty.catalogue().is_empty());
    assert_eq!(restored.skipped.len(), 2);
    assert!(restored.skipped[1].reason.contains("format 65535"), "{restored}");
}

#[test]
fn a_checkpoint_of_other_settings_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let (views, _) = open(folder.path());
    step(&views);
    views.checkpoint(folder.path()).unwrap();
    let popular_half_life = std::time::Duration::from_secs(5);
    let options = ViewsOptions { popular_half_life, ..ViewsOptions::default() };
    let (_, restored) = Views::open(folder.path(), Arc::default(), options).unwrap();
    assert!(restored.skipped[0].reason.contains("other settings"), "{restored}");
    let options = ViewsOptions { threads: 7, ..ViewsOptions::default() };
    let (_, restored) = Views::open(folder.path(), Arc::default(), options).unwrap();
    assert!(restored.skipped.is_empty(), "threads shape nothing");
}

#[test]
fn an_interrupted_checkpoint_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let (views, _) = open(folder.path());
    step(&views);
    drop(views.begin_checkpoint(folder.path()).unwrap());
    assert_eq!(files(folder.path()).len(), 1);
    let (_, restored) = open(folder.path());
    assert_eq!(restored, Restored::default());
    assert!(files(folder.path()).is_empty());
}
