//! Views that keep next to nothing in memory against views that keep everything.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_base::{Actor, Event, Fact, Fields, SessionId, UserId};
use headwater_features::{FeatureRequest, FeatureSpec, FeaturesError, SpillOptions, Views, ViewsOptions};
use headwater_log::{Batch, Partition};
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::*;

const ACTORS: u8 = 6;

fn facts() -> impl Strategy<Value = Vec<(i64, i64, Fact)>> {
    let user_id = || (0..ACTORS).prop_map(|id| UserId::trusted(format!("u{id}")));
    let session_id = || (0..ACTORS).prop_map(|id| SessionId::trusted(format!("s{id}")));
    let actor = prop_oneof![
        user_id().prop_map(Actor::user),
        session_id().prop_map(Actor::session),
        (user_id(), session_id())
            .prop_map(|(user, session)| Actor { user: Some(user), session: Some(session) }),
    ];
    let kind = prop::sample::select(vec!["click", "impression", "purchase"]);
    let value = prop::option::of((0..20u8).prop_map(|value| f32::from(value) / 4.0));
    let happened = (kind, actor, 0..5u8, value)
        .prop_map(|(kind, actor, item, value)| interaction(kind, actor, &format!("i{item}"), value));
    let upsert = (0..5u8, 0..3u8).prop_map(|(id, category)| item(&format!("i{id}"), &format!("c{category}")));
    let country = (user_id(), any::<bool>(), any::<bool>()).prop_map(|(user, at, patch)| Fact::UserUpsert {
        user,
        fields: word("country", if at { "AT" } else { "CH" }),
        removed: if patch { vec!["country".into()] } else { Vec::new() },
        patch,
    });
    let merge = (session_id(), user_id()).prop_map(|(session, user)| Fact::Merge { session, user });
    let fact = prop_oneof![
        14 => happened,
        2 => upsert,
        2 => country,
        3 => merge,
        2 => user_id().prop_map(|user| Fact::UserDelete { user }),
        1 => Just(Fact::Erased),
    ];
    // Received in order, some at once and some days apart; happened at any time before or after.
    let pause = prop_oneof![6 => 0..HOUR, 2 => Just(0), 2 => 0..3 * DAY, 1 => 0..30 * DAY];
    vec((pause, -20 * DAY..DAY, fact), 1..120)
}

/// Clocked: received as the pauses say.
fn log(facts: Vec<(i64, i64, Fact)>) -> Vec<Event> {
    let mut received = 40 * DAY;
    let stamped = facts.into_iter().map(|(pause, late, fact)| {
        received += pause;
        event(received + late, received, fact)
    });
    stamped.collect()
}

fn few_features() -> Vec<FeatureSpec> {
    every_kind().into_iter().step_by(7).collect()
}

fn options(spill: Option<SpillOptions>, specs: &[FeatureSpec]) -> ViewsOptions {
    ViewsOptions {
        idle_sessions: Duration::from_secs(2 * 24 * 3600),
        idle_entities: Duration::from_secs(10 * 24 * 3600),
        spill,
        ..super::world::options(specs)
    }
}

fn limited(limit: usize, folder: &Path) -> Option<SpillOptions> {
    Some(SpillOptions { limit, folder: folder.to_owned() })
}

fn apply(views: &Views, first: usize, events: &[Event]) {
    views
        .apply(&Batch { partition: Partition(0), first: first as u64, events: events.into() })
        .expect("consecutive events");
}

fn bytes(views: &Views) -> Vec<u8> {
    let mut bytes = Vec::new();
    views.write_state(&mut bytes).expect("a write to memory");
    bytes
}

fn actors() -> Vec<Actor> {
    let user = |id| UserId::trusted(format!("u{id}"));
    let session = |id| SessionId::trusted(format!("s{id}"));
    let both = (0..ACTORS).map(|id| Actor { user: Some(user(id)), session: Some(session(ACTORS - 1 - id)) });
    let users = (0..ACTORS).map(|id| Actor::user(user(id)));
    users.chain((0..ACTORS).map(|id| Actor::session(session(id)))).chain(both).collect()
}

fn same(spilled: &Views, whole: &Views, now: i64, specs: &[FeatureSpec]) {
    let items: Vec<_> = (0..5).map(|id| whole.item_index(&format!("i{id}"))).collect();
    for actor in actors() {
        assert_eq!(
            spilled.profile(&actor).expect("a disk that works"),
            whole.profile(&actor).expect("a disk that works"),
            "{actor:?}"
        );
        let request = FeatureRequest { actor: &actor, context: &Fields::default(), time: at(now) };
        let columns = columns(specs);
        let (spilled, whole) = (spilled.hold(), whole.hold());
        assert_eq!(spilled.position(), whole.position());
        let read = spilled.features(&request, &columns, &items).expect("a disk that works");
        assert_eq!(read, whole.features(&request, &columns, &items).expect("a disk that works"), "{actor:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Pieces end anywhere; here and there the views are written and read back.
    #[test]
    fn a_limit_changes_no_answer_and_no_byte(
        facts in facts(),
        pieces in vec((1..40usize, 0..4u8, 0..20 * DAY), 1..10),
        limit in prop::sample::select(vec![0, 1_000, 6_000]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let specs = few_features();
        let log = log(facts);
        let whole = Views::new(Arc::new(schema()), options(None, &specs));
        let tight = || options(limited(limit, folder.path()), &specs);
        let mut spilled = Views::new(Arc::new(schema()), tight());
        let mut next = 0;
        for (size, what, later) in pieces.into_iter().chain([(log.len(), 0, 0)]) {
            let end = (next + size).min(log.len());
            if next == end {
                continue;
            }
            apply(&whole, next, &log[next..end]);
            apply(&spilled, next, &log[next..end]);
            next = end;
            let now = log[end - 1].received.as_micros() - START + later;
            same(&spilled, &whole, now, &specs);
            prop_assert!(spilled.spilled().unwrap().memory_bytes <= limit);
            if what == 1 {
                spilled.rewrite_spilled().unwrap();
            }
            if what == 0 {
                let written = bytes(&whole);
                prop_assert!(bytes(&spilled) == written, "the bytes differ");
                spilled = Views::read_state(Arc::new(schema()), tight(), &mut written.as_slice()).unwrap();
                prop_assert!(bytes(&spilled) == written, "the bytes differ once read");
                same(&spilled, &whole, now, &specs);
            }
        }
        prop_assert!(bytes(&spilled) == bytes(&whole), "the bytes differ");
        prop_assert_eq!(spilled.actors().0, whole.actors().0);
    }
}

fn click(user: usize) -> Fact {
    interaction("click", Actor::user(UserId::trusted(format!("u{user}"))), "i", None)
}

fn clicks(users: impl Iterator<Item = usize>, first: i64) -> Vec<Event> {
    users.zip(first..).map(|(user, time)| event(time, time, click(user))).collect()
}

#[test]
fn who_was_active_last_stays_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let options = ViewsOptions { spill: limited(1 << 20, folder.path()), ..ViewsOptions::default() };
    let views = Views::new(Arc::new(schema()), options);
    let users = 20_000;
    apply(&views, 0, &clicks(0..users, 0));
    let full = views.spilled().unwrap();
    assert!(full.memory_bytes <= 1 << 20 && full.memory_bytes > 1 << 19, "{full:?}");
    assert!(full.on_disk > 10_000 && full.thawed == 0, "{full:?}");
    assert_eq!(views.actors(), (users, 0));
    // The last thousand are all in memory, the first thousand are none of them.
    apply(&views, users, &clicks(users - 1_000..users, users as i64));
    assert_eq!(views.spilled().unwrap().thawed, 0);
    apply(&views, users + 1_000, &clicks(0..1_000, users as i64 + 1_000));
    assert_eq!(views.spilled().unwrap().thawed, 1_000);
    let profile = views.profile(&Actor::user(UserId::trusted("u5"))).unwrap();
    assert_eq!(profile.interactions.len(), 2);
    assert_eq!(views.profile(&Actor::user(UserId::trusted("u5000"))).unwrap().interactions.len(), 1);
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("a folder that can be read").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn holding(folder: &Path, text: &str) -> usize {
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).expect("a folder that can be read");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    files(folder).iter().filter(|path| holds(path)).count()
}

#[test]
fn who_was_deleted_is_in_no_file_after_it_is_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let options = ViewsOptions { spill: limited(0, folder.path()), ..ViewsOptions::default() };
    let views = Views::new(Arc::new(schema()), options);
    let anonymous = || Actor::session(SessionId::trusted("a-session-of-theirs"));
    let gone = || UserId::trusted("somebody-who-left");
    let mut log = clicks(0..3_000, 0);
    log.push(event(3_000, 3_000, interaction("click", Actor::user(gone()), "i", None)));
    log.push(event(3_001, 3_001, interaction("click", anonymous(), "i", None)));
    log.extend(clicks(3_000..6_000, 3_002));
    apply(&views, 0, &log);
    drop(bytes(&views));
    let before = files(folder.path());
    apply(&views, log.len(), &[event(7_000, 7_000, Fact::UserDelete { user: gone() })]);
    views.forget_sessions([&SessionId::trusted("a-session-of-theirs")]).unwrap();
    assert_eq!(views.profile(&Actor::user(gone())).unwrap().last, 0);
    assert_eq!(views.profile(&anonymous()).unwrap().last, 0);
    views.rewrite_spilled().unwrap();
    assert_eq!(views.actors(), (6_000, 0));
    let after = files(folder.path());
    assert!(!after.is_empty() && after.iter().all(|path| !before.contains(path)), "{after:?}");
    assert_eq!(holding(folder.path(), "somebody-who-left"), 0);
    assert_eq!(holding(folder.path(), "a-session-of-theirs"), 0);
    assert!(holding(folder.path(), "u5999") > 0);
    assert_eq!(views.profile(&Actor::user(UserId::trusted("u17"))).unwrap().interactions.len(), 1);
    drop(views);
    assert_eq!(files(folder.path()), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn a_folder_that_cannot_be_used_stops_the_fold_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cold");
    std::fs::write(&file, "in the way").unwrap();
    let options = ViewsOptions { spill: limited(0, &file), ..ViewsOptions::default() };
    let views = Views::new(Arc::new(schema()), options);
    let batch = Batch { partition: Partition(0), first: 0, events: clicks(0..3, 0).into() };
    let error = views.apply(&batch).unwrap_err();
    assert!(matches!(error, FeaturesError::Spill { .. }), "{error}");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert_eq!(views.profile(&Actor::user(UserId::trusted("u0"))).unwrap().interactions.len(), 1);
}

/// Says when it is over, also by a panic.
struct Folding<'a>(&'a AtomicBool);

impl Drop for Folding<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_moves_to_a_new_database_is_folded_and_read_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let options = |spill| ViewsOptions { spill, ..ViewsOptions::default() };
    let whole = Views::new(Arc::new(schema()), options(None));
    let spilled = Views::new(Arc::new(schema()), options(limited(100_000, folder.path())));
    let users = 3_000;
    // Everybody comes again and again, some are deleted, and some of those come back.
    let log: Vec<Event> = (0..20_000)
        .map(|number: usize| {
            let user = number * 7_919 % users;
            let fact = if number % 10 == 9 {
                Fact::UserDelete { user: UserId::trusted(format!("u{user}")) }
            } else {
                click(user)
            };
            event(number as i64, number as i64, fact)
        })
        .collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let folding = Folding(&done);
        let rewriting = scope.spawn(|| {
            let mut times = 0;
            while times < 3 || !done.load(Ordering::Relaxed) {
                spilled.rewrite_spilled().unwrap();
                times += 1;
            }
        });
        for (piece, events) in log.chunks(500).enumerate() {
            apply(&whole, piece * 500, events);
            apply(&spilled, piece * 500, events);
            for user in (0..users).step_by(97) {
                let actor = Actor::user(UserId::trusted(format!("u{user}")));
                assert_eq!(spilled.profile(&actor).unwrap(), whole.profile(&actor).unwrap(), "{user}");
            }
            if piece % 10 == 9 {
                assert!(bytes(&spilled) == bytes(&whole), "the bytes differ after {piece} pieces");
            }
        }
        drop(folding);
        rewriting.join().unwrap();
    });
    assert!(bytes(&spilled) == bytes(&whole));
    assert_eq!(spilled.actors(), whole.actors());
}
