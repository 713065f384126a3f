//! Registration, aliases and damage.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use headwater_base::time::ManualClock;
use headwater_base::{ErrorKind, Timestamp};

use super::*;

fn open(folder: &Path) -> Registry {
    Registry::open(folder, Arc::new(ManualClock::at(Timestamp::from_seconds(1_000)))).unwrap()
}

fn bundle(content: &[u8]) -> Bundle {
    let manifest = Manifest { kind: "ials".to_owned(), format: 1, ..Manifest::default() };
    Bundle { manifest, files: vec![("weights.safetensors".to_owned(), content.to_vec())] }
}

#[test]
fn versions_count_per_name_and_load_what_was_registered() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path());
    assert_eq!(registry.register("ials", bundle(b"one")).unwrap().version, 1);
    assert_eq!(registry.register("ials", bundle(b"two")).unwrap().version, 2);
    assert_eq!(registry.register("other", bundle(b"three")).unwrap().version, 1);
    let again = open(folder.path());
    let loaded = again.load("ials", 1).unwrap();
    assert_eq!(loaded.file("weights.safetensors"), Some(&b"one"[..]));
    assert_eq!(loaded.manifest.files[0].bytes, 3);
    let listed: Vec<_> = again.list().unwrap().into_iter().map(|m| (m.name, m.version)).collect();
    assert_eq!(listed, [("ials".to_owned(), 1), ("ials".to_owned(), 2), ("other".to_owned(), 1)]);
    assert_eq!(again.latest("ials").unwrap(), Some(2));
}

#[test]
fn promotion_moves_the_champion_and_keeps_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, server) = (open(folder.path()), open(folder.path()));
    registry.register("ials", bundle(b"one")).unwrap();
    registry.register("ials", bundle(b"two")).unwrap();
    assert_eq!(server.champion("ials").unwrap(), None);
    let before = server.generation().unwrap();
    registry.promote("ials", 2, "cli").unwrap();
    registry.promote("ials", 1, "rollback").unwrap();
    assert_ne!(server.generation().unwrap(), before);
    let champion = server.champion("ials").unwrap().unwrap();
    assert_eq!((champion.version, champion.aliases), (1, vec!["champion".to_owned()]));
    let history: Vec<_> =
        server.history("ials").unwrap().into_iter().map(|c| (c.before, c.after, c.who)).collect();
    assert_eq!(history, [(None, 2, "cli".to_owned()), (Some(2), 1, "rollback".to_owned())]);
}

#[test]
fn unknown_names_and_versions_say_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path());
    registry.register("ials", bundle(b"one")).unwrap();
    let error = registry.show("ails", 1).unwrap_err();
    assert_eq!(error.to_string(), "no model `ails` is registered; registered are: ials");
    let error = registry.promote("ials", 7, "cli").unwrap_err();
    assert_eq!(error.to_string(), "model `ials` has no version 7; the latest is 1");
    assert_eq!(error.kind(), ErrorKind::Caller);
    assert_eq!(registry.history("ials").unwrap(), []);
}

#[test]
fn names_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path());
    for name in ["", "../ials", "a/b", "Ials", ".incoming", &"a".repeat(65)] {
        assert!(matches!(registry.register(name, bundle(b"x")), Err(RegistryError::Invalid(_))), "{name}");
    }
    for file in ["", "..", "a/b", "manifest.json", ".hidden"] {
        let bundle = Bundle { files: vec![(file.to_owned(), Vec::new())], ..Bundle::default() };
        assert!(matches!(registry.register("ials", bundle), Err(RegistryError::Invalid(_))), "{file}");
    }
    assert_eq!(registry.list().unwrap(), []);
}

#[test]
fn a_damaged_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path());
    registry.register("ials", bundle(b"one")).unwrap();
    let file = folder.path().join("models/ials/1/weights.safetensors");
    fs::write(&file, b"onE").unwrap();
    let error = registry.load("ials", 1).unwrap_err();
    assert!(error.to_string().contains("weights.safetensors: its SHA-256"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Report);
    fs::write(&file, b"on").unwrap();
    assert!(registry.load("ials", 1).unwrap_err().to_string().contains("2 bytes, 3 were registered"));
    fs::remove_file(&file).unwrap();
    assert!(registry.load("ials", 1).unwrap_err().to_string().contains("weights.safetensors"));
}

#[test]
fn what_a_dead_process_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path());
    for left in ["models/.incoming", "models/ials/1"] {
        fs::create_dir_all(folder.path().join(left)).unwrap();
        fs::write(folder.path().join(left).join("half"), b"x").unwrap();
    }
    assert_eq!(registry.register("ials", bundle(b"one")).unwrap().version, 1);
    assert!(!folder.path().join("models/ials/1/half").exists());
    assert_eq!(registry.load("ials", 1).unwrap().files.len(), 1);
}

#[test]
fn registering_at_once_gives_distinct_versions() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    let writer = |number: u8| {
        // A handle each, as processes have: they share nothing but the files.
        let registry = open(folder.path());
        (0..8).map(|_| registry.register("ials", bundle(&[number])).unwrap().version).collect::<Vec<_>>()
    };
    let mut versions = std::thread::scope(|scope| {
        let other = scope.spawn(|| writer(1));
        let mut mine = writer(2);
        mine.extend(other.join().unwrap());
        mine
    });
    versions.sort_unstable();
    assert_eq!(versions, (1..=16).collect::<Vec<_>>());
    let registry = open(folder.path());
    assert!((1..=16).all(|version| registry.load("ials", version).is_ok()));
}
