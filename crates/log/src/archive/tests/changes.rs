//! Erasure and retention, against doing the same to the records by hand.

use std::time::Duration;

use headwater_base::{Event, EventId, Fact, SessionId, Timestamp, UserId};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{ArchiveError, Blanked, Retained, Stream};
use super::{P, Records, all, at, files, in_memory, names, open, read};
use crate::codec::tests::samples;
use crate::erasure::{Deletion, Erasure, Tie};

const USERS: [&str; 3] = ["erased-user-77", "kept-user-1", "kept-user-2"];
const SESSIONS: [&str; 3] = ["erased-visit-5", "kept-visit-1", "kept-visit-2"];

/// One of the shapes a record has, of a user and a session by number.
fn record(shape: usize, user_number: usize, session: usize, day: u32) -> Event {
    let mut event = samples(1).remove(shape);
    let (user, session) = (UserId::trusted(USERS[user_number]), SessionId::trusted(SESSIONS[session]));
    match &mut event.fact {
        Fact::Interaction(interaction) => {
            interaction.actor.user = (user_number > 0 || day > 1).then_some(user);
            interaction.actor.session = Some(session);
        }
        Fact::Decision(decision) => {
            decision.actor.user = (user_number > 0 || day > 1).then_some(user);
            decision.actor.session = Some(session);
            decision.position = vec![u64::from(day) * 10];
        }
        Fact::UserUpsert { user: id, .. } | Fact::UserDelete { user: id } => *id = user,
        Fact::Merge { user: id, session: visit } => (*id, *visit) = (user, session),
        Fact::ItemUpsert { .. } | Fact::ItemDelete { .. } | Fact::Erased => {}
    }
    event.id = EventId::trusted(format!("{shape}-{:?}", event.fact).chars().take(200).collect::<String>());
    event.received = at("2026-11-20T12:00:00Z").plus(Duration::from_secs(86_400) * day);
    event
}

/// Where the views stood that a decision saw.
fn saw(event: &Event) -> u64 {
    match &event.fact {
        Fact::Decision(decision) => decision.position[0],
        _ => 0,
    }
}

/// What one asks for who was deleted at `offset`, and whose the first session was from the beginning.
fn deletion_at(offset: u64) -> Erasure {
    let (user, session) = (UserId::trusted(USERS[0]), SessionId::trusted(SESSIONS[0]));
    Erasure::new(vec![Deletion { user: user.clone(), offset }], vec![Tie { session, offset: 0, user }])
}

/// The slow reference: whoever is named decides, the user before the session.
fn goes(event: &Event, moment: u64, deleted: u64) -> bool {
    let text = format!("{:?}", event.fact);
    let named = |names: [&'static str; 3]| names.into_iter().find(|name| text.contains(name));
    moment <= deleted
        && match (named(USERS), named(SESSIONS)) {
            (Some(user), _) => user == USERS[0],
            (None, session) => session == Some(SESSIONS[0]),
        }
}

fn blanked(records: Vec<(u64, Event)>, goes: impl Fn(u64, &Event) -> bool) -> Vec<(u64, Event)> {
    let hour = |time: Timestamp| Timestamp::from_seconds(time.as_micros() / 3_600_000_000 * 3600);
    let blank = |offset: u64, event: Event| match goes(offset, &event) {
        true => {
            let received = hour(event.received);
            Event { id: EventId::default(), fact: Fact::Erased, time: received, received }
        }
        false => event,
    };
    records.into_iter().map(|(offset, event)| (offset, blank(offset, event))).collect()
}

fn records(shapes: &'static [usize]) -> impl Strategy<Value = Records> {
    let parts = (prop::sample::select(shapes), 0usize..3, 0usize..3, 0u32..4);
    let event = parts.prop_map(|(shape, user, session, day)| record(shape, user, session, day));
    vec(event, 0..30).prop_map(|mut events| {
        events.sort_by_key(|event| event.received);
        Records::new(events)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn erasure_blanks_what_the_rule_says_and_nothing_else(
        events in records(&[0, 1, 2, 3, 4, 5, 7]),
        decisions in records(&[6, 7]),
        rows in 8usize..20,
        deleted in 0u64..40,
        stop_after in 0usize..4,
    ) {
        let archive = in_memory(rows, 3);
        all(&archive, Stream::Events, &events);
        all(&archive, Stream::Decisions, &decisions);
        let erasure = deletion_at(deleted);
        let expected = [
            blanked(events.with_offsets(), |offset, event| goes(event, offset, deleted)),
            blanked(decisions.with_offsets(), |_, event| goes(event, saw(event), deleted)),
        ];
        let before = [events.with_offsets(), decisions.with_offsets()].concat();
        let after = expected.concat();
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count() as u64;

        let asked = std::cell::Cell::new(0);
        let stopped = archive.erase(&erasure, &|| asked.replace(asked.get() + 1) < stop_after).unwrap();
        let rest = archive.erase(&erasure, &|| true).unwrap();
        prop_assert!(rest.complete);
        prop_assert_eq!(stopped.records + rest.records, changed);
        prop_assert_eq!(stopped.files + rest.files > 0, changed > 0);
        prop_assert_eq!(&read(&archive, Stream::Events, 0), &expected[0]);
        prop_assert_eq!(&read(&archive, Stream::Decisions, 0), &expected[1]);

        let again = archive.erase(&erasure, &|| true).unwrap();
        prop_assert_eq!(again, Blanked { records: 0, files: 0, complete: true });
    }
}

#[test]
fn no_byte_of_an_erased_user_stays_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 4);
    let events = (0..24).map(|n| record([0, 3, 4, 5][n % 4], n % 3, n % 3, n as u32 / 8)).collect();
    let decisions = (0..6).map(|n| record(6, n % 3, n % 3, 0)).collect();
    all(&archive, Stream::Events, &Records::new(events));
    all(&archive, Stream::Decisions, &Records::new(decisions));
    let holds = |name: &str| {
        let name = name.as_bytes();
        files(folder.path())
            .iter()
            .filter(|(_, bytes)| bytes.windows(name.len()).any(|at| at == name))
            .count()
    };
    // Statistics hold the names as they are, so that the search can find what is there.
    assert!(holds(USERS[0]) > 2 && holds(SESSIONS[0]) > 2 && holds(USERS[1]) > 2);
    // One that was being written when its process ended.
    std::fs::write(folder.path().join("events/day=2026-11-20/left.parquet#2"), USERS[0]).unwrap();
    archive.erase(&deletion_at(1000), &|| true).unwrap();
    assert_eq!((holds(USERS[0]), holds(SESSIONS[0])), (0, 0));
    assert!(holds(USERS[1]) > 2, "others stay");
}

#[test]
fn an_erasure_that_dies_between_files_or_within_one_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 4);
    let events = (0..24).map(|n| record([0, 3, 4, 5][n % 4], n % 3, n % 3, n as u32 / 8)).collect();
    let decisions = (0..12).map(|n| record(6, n % 3, n % 3, 0)).collect();
    all(&archive, Stream::Events, &Records::new(events));
    all(&archive, Stream::Decisions, &Records::new(decisions));
    let erasure = deletion_at(1000);
    let before = files(folder.path());
    let whole = archive.erase(&erasure, &|| true).unwrap();
    let after = files(folder.path());
    assert!(whole.files > 4 && after.len() == before.len());

    // Whatever the order: the files up to one are rewritten, of the next there is half in the place where it is staged.
    for done in 0..after.len() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        for (name, bytes) in after[..done].iter().chain(&before[done..]) {
            write(name, bytes);
        }
        let (name, bytes) = &before[done];
        write(&format!("{name}#1"), &bytes[..bytes.len() / 2]);
        let archive = open(folder.path(), 4);
        let rest = archive.erase(&erasure, &|| true).unwrap();
        let left =
            before[done..].iter().zip(&after[done..]).filter(|(before, after)| before != after).count();
        assert_eq!(rest.files, left, "died at {name}");
        assert!(files(folder.path()) == after, "died at {name}");
    }
}

#[test]
fn retention_deletes_whole_days_and_remembers_how_far_the_archive_reached() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 3);
    let source = Records::new((0..12).map(|n| record(0, 1, 1, n / 4)).collect());
    let decisions = Records::new(vec![record(6, 1, 1, 0)]);
    all(&archive, Stream::Events, &source);
    all(&archive, Stream::Decisions, &decisions);
    let nothing = archive.retain(at("2026-11-20T23:59:59Z")).unwrap();
    assert_eq!(nothing, Retained::default());
    let one = archive.retain(at("2026-11-21T00:00:00Z")).unwrap();
    assert_eq!(one, Retained { files: 3, days: 2 });
    assert!(names(folder.path()).iter().all(|name| !name.contains("2026-11-20")));
    assert!(!folder.path().join("events/day=2026-11-20").exists());
    assert_eq!(read(&archive, Stream::Events, 0), source.with_offsets()[4..]);

    archive.retain(at("2030-01-01T00:00:00Z")).unwrap();
    assert_eq!(names(folder.path()), ["decisions/_archived.json", "events/_archived.json"]);
    let archive = open(folder.path(), 3);
    assert_eq!(archive.position(Stream::Events, P).unwrap(), 12);
    assert_eq!(all(&archive, Stream::Events, &source).files, 0, "what was deleted stays deleted");
    assert_eq!(all(&archive, Stream::Decisions, &decisions).files, 0);
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path(), 100);
    all(&archive, Stream::Events, &Records::new(vec![record(0, 1, 1, 0)]));
    let (name, bytes) = files(folder.path()).remove(0);
    let path = folder.path().join(&name);
    for damage in [bytes[..bytes.len() / 2].to_vec(), Vec::new(), b"PAR1 and no more PAR1".to_vec()] {
        std::fs::write(&path, damage).unwrap();
        let error = archive.read(Stream::Events, P, 0).unwrap().next().unwrap().unwrap_err();
        assert!(matches!(&error, ArchiveError::Damaged { path, .. } if *path == name), "{error}");
        assert!(archive.position(Stream::Events, P).is_err());
        assert!(archive.erase(&deletion_at(1000), &|| true).is_err());
    }
}
