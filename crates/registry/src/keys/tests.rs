//! Keys are made, checked and taken away.

use std::path::Path;
use std::sync::Arc;

use headwater_base::time::ManualClock;

use super::*;

fn open(folder: &Path, clock: &Arc<ManualClock>) -> Registry {
    Registry::open(folder, Arc::clone(clock) as _).unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_seconds(1_000)))
}

#[test]
fn a_key_opens_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), &clock());
    let (record, secret) = registry.create_key("shop", &[Scope::Read, Scope::Ingest, Scope::Read]).unwrap();
    assert_eq!(record.scopes, [Scope::Ingest, Scope::Read]);
    assert!(record.allows(Scope::Read) && !record.allows(Scope::Admin));
    assert_eq!(secret.len(), PREFIX.len() + 64);
    assert_eq!(registry.authenticate(&secret).unwrap(), Some(record.clone()));
    assert_eq!(registry.authenticate(&format!("{secret}0")).unwrap(), None);
    assert_eq!(registry.authenticate("").unwrap(), None);
    let revoked = registry.revoke_key(&record.id).unwrap();
    assert_eq!(revoked.revoked, Some(Timestamp::from_seconds(1_000)));
    assert_eq!(registry.authenticate(&secret).unwrap(), None);
    assert_eq!(registry.list_keys().unwrap(), [revoked]);
}

#[test]
fn the_secret_is_not_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), &clock());
    let (_, secret) = registry.create_key("shop", &[Scope::Admin]).unwrap();
    drop(registry);
    let bytes = std::fs::read(folder.path().join("control.db")).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("shop"));
    assert!(!holds(&secret[PREFIX.len()..]));
}

#[test]
fn two_keys_differ() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), &clock());
    let (a, a_secret) = registry.create_key("a", &[Scope::Read]).unwrap();
    let (b, b_secret) = registry.create_key("b", &[Scope::Admin]).unwrap();
    assert_ne!((&a.id, &a_secret), (&b.id, &b_secret));
    assert!(b.allows(Scope::Ingest));
    assert_eq!(registry.authenticate(&a_secret).unwrap().unwrap().label, "a");
}

#[test]
fn another_process_revokes_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let (server, cli) = (open(folder.path(), &clock), open(folder.path(), &clock));
    let (record, secret) = cli.create_key("shop", &[Scope::Read]).unwrap();
    assert!(server.authenticate(&secret).unwrap().is_some());
    cli.revoke_key(&record.id).unwrap();
    clock.set(Timestamp::from_seconds(1_001));
    assert_eq!(server.authenticate(&secret).unwrap(), None);
}

#[test]
fn bad_requests_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), &clock());
    assert!(registry.create_key("", &[Scope::Read]).is_err());
    assert!(registry.create_key("a\nb", &[Scope::Read]).is_err());
    assert!(registry.create_key("shop", &[]).unwrap_err().to_string().contains("at least one of"));
    assert!(matches!(registry.revoke_key("k_0"), Err(RegistryError::UnknownKey { .. })));
    assert_eq!("raed".parse::<Scope>().unwrap_err().expected, "read, ingest or admin");
}

#[test]
fn times_are_written_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let (record, _) = open(folder.path(), &clock()).create_key("shop", &[Scope::Read]).unwrap();
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["created"], "1970-01-01T00:16:40Z");
    assert_eq!(json["scopes"], serde_json::json!(["read"]));
}
