//! Users who asked to be forgotten: everything of theirs goes, everything else stays, whatever happens in between.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headwater_base::{
    Actor, Decision, Event, EventId, Fact, Fields, Interaction, ItemId, Rung, SessionId, UserId,
};
use proptest::prelude::*;

use super::{LONG, NOW, clock, open, small};
use crate::archive::{Archive, PartitionOf, Stream, Until};
use crate::codec::{self, Whose};
use crate::disk::{Disk, SystemDisk};
use crate::erasure::{self, Rule};
use crate::request_id::RequestIds;
use crate::{
    DecisionLog, DecisionOptions, Deletion, EmbeddedLog, Erased, Erasure, EventLog, LogError, LogOptions,
    LogReader, Offset, Outcome, Partition, Position, Tie,
};

const GONE: &str = "somebody-who-left";
const THEIRS: &str = "a-session-of-theirs";

fn of(id: String, fact: Fact) -> Event {
    Event { id: EventId::trusted(id), time: NOW.minus(Duration::from_millis(120)), received: NOW, fact }
}

fn actor(user: &str, session: &str) -> Actor {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Actor { user: some(user).map(UserId::trusted), session: some(session).map(SessionId::trusted) }
}

fn click(id: String, user: &str, session: &str) -> Event {
    let interaction = Interaction {
        kind: "click".into(),
        actor: actor(user, session),
        item: ItemId::trusted("item-23"),
        value: None,
        request_id: None,
        context: Fields::default(),
    };
    of(id, Fact::Interaction(interaction))
}

fn delete(user: &str) -> Event {
    of(format!("deletion of {user}"), Fact::UserDelete { user: UserId::trusted(user) })
}

fn decision(ids: &RequestIds, user: &str, session: &str, position: Offset) -> Event {
    let request_id = ids.next(NOW);
    let decision = Decision {
        request_id: request_id.clone(),
        surface: "home".into(),
        actor: actor(user, session),
        item: None,
        context: Fields::default(),
        position: vec![position],
        model: "ials@3".into(),
        settings: 1,
        arms: Vec::new(),
        seed: 2,
        rung: Rung::Personal,
        items: Vec::new(),
        stages: Vec::new(),
        features: None,
    };
    of(request_id.to_string(), Fact::Decision(Box::new(decision)))
}

/// Several segments in which one in five events is of the one who leaves, in each of the ways.
fn history(count: usize) -> Vec<Event> {
    let mut events: Vec<Event> = (0..count)
        .map(|at| match at % 10 {
            3 => click(format!("{GONE}-{at}"), GONE, ""),
            7 if at < 40 => click(format!("{THEIRS}-{at}"), "", THEIRS),
            7 => click(format!("{GONE}-{at}"), GONE, THEIRS),
            _ => click(format!("e{at}"), &format!("user-{}", at % 4), &format!("session-{}", at % 3)),
        })
        .collect();
    let merge = Fact::Merge { session: SessionId::trusted(THEIRS), user: UserId::trusted(GONE) };
    events.insert(42, of(format!("merge of {GONE}"), merge));
    let fields = Fields::new([("country".into(), headwater_base::Value::Categorical("nl".into()))]);
    let (user, removed) = (UserId::trusted(GONE), Vec::new());
    events.insert(10, of("upsert".into(), Fact::UserUpsert { user, fields, removed, patch: false }));
    events.push(delete(GONE));
    events
}

struct Logs {
    events: EmbeddedLog,
    decisions: DecisionLog,
}

impl Logs {
    fn open(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self, LogError> {
        let (events, _) = EmbeddedLog::open_on(&folder.join("events"), small(), clock(), Arc::clone(&disk))?;
        let options = DecisionOptions { segment_bytes: 4096, sync_interval: Duration::ZERO };
        let (decisions, _) = DecisionLog::open_on(&folder.join("decisions"), options, clock(), disk)?;
        Ok(Self { events, decisions })
    }

    /// With [`history`] and decisions for the same people.
    fn filled(folder: &Path, count: usize) -> Self {
        let logs = Self::open(folder, Arc::new(SystemDisk)).unwrap();
        for events in history(count).chunks(16) {
            logs.events.append(events.to_vec()).wait().unwrap();
        }
        let ids = RequestIds::new(1);
        for at in 0..count as u64 {
            let (user, session) = [(GONE, ""), ("", THEIRS), ("user-1", "session-1")][at as usize % 3];
            logs.decisions.append(&decision(&ids, user, session, at)).unwrap();
        }
        logs
    }

    fn survey_with(&self, archive: Option<&Archive>) -> Erasure {
        let (deletions, _) = self.events.deletions(0).unwrap();
        erasure::survey(&self.events, &self.decisions, archive, deletions).unwrap()
    }

    fn survey(&self) -> Erasure {
        self.survey_with(None)
    }

    fn erase(&self, erasure: &Erasure) -> Result<Erased, LogError> {
        erasure::erase(&self.events, &self.decisions, erasure, &|| true)
    }

    fn all(&self) -> (Vec<Event>, Vec<Event>) {
        let mut decisions = Vec::new();
        while decisions.len() < self.decisions.end() as usize {
            decisions.extend_from_slice(&self.decisions.read(decisions.len() as u64, 1000).unwrap().events);
        }
        (all(&self.events), decisions)
    }
}

fn all(log: &EmbeddedLog) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    while events.len() < log.end().0[0] as usize {
        events.extend_from_slice(&log.read(Partition(0), events.len() as u64, 1000).unwrap().events);
    }
    events
}

/// Everything of others is as it was, byte for byte, and everything of theirs is gone.
fn assert_erased(before: &[Event], after: &[Event]) {
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(after) {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        codec::encode(before, &mut old);
        codec::encode(after, &mut new);
        let theirs = |text: &str| old.windows(text.len()).any(|window| window == text.as_bytes());
        if theirs(GONE) || theirs(THEIRS) {
            assert_eq!((&after.fact, after.id.as_str()), (&Fact::Erased, ""), "{before:?}");
            assert_eq!(after.received.as_micros() % 3_600_000_000, 0);
        } else {
            assert_eq!(old, new);
        }
    }
}

/// Files of `folder` that hold `text`.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn everything_of_theirs_goes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::filled(folder.path(), 240);
    let (events, decisions) = logs.all();
    assert!(logs.events.segments.sealed().len() > 2 && logs.decisions.segments().sealed().len() > 2);
    let erasure = logs.survey();
    assert_eq!(erasure.sessions().into_iter().map(SessionId::as_str).collect::<Vec<_>>(), [THEIRS]);
    let erased = logs.erase(&erasure).unwrap();
    assert_eq!((erased.records, erased.complete), (24 + 24 + 3 + 160, true));
    let (events_after, decisions_after) = logs.all();
    assert_erased(&events, &events_after);
    assert_erased(&decisions, &decisions_after);
    assert_eq!(holding(folder.path(), GONE), [""; 0]);
    assert_eq!(holding(folder.path(), THEIRS), [""; 0]);
    let again = logs.erase(&erasure).unwrap();
    assert_eq!((again.records, again.segments), (0, 0));
    assert_eq!(logs.events.deletions(0).unwrap(), (Vec::new(), events.len() as u64));

    // A start finds everything in place; an event sent again is still known, one that is new is taken.
    drop(logs);
    let (log, recovery) = open(&folder.path().join("events"), small());
    assert_eq!(recovery.rebuilt, 0, "{recovery}");
    assert_eq!(all(&log), events_after);
    let outcomes = log.append(history(240)).wait().unwrap().outcomes;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Duplicate));
    log.append(vec![click("back".into(), GONE, "")]).wait().unwrap();
    assert_eq!(log.read(Partition(0), events.len() as u64, 9).unwrap().events.len(), 1);
}

#[test]
fn a_user_who_comes_back_is_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::filled(folder.path(), 240);
    let end = logs.events.end().0[0];
    let back = vec![click("b1".into(), GONE, THEIRS), click("b2".into(), "", THEIRS)];
    logs.events.append(back.clone()).wait().unwrap();
    let late = decision(&RequestIds::new(2), GONE, "", end);
    logs.decisions.append(&late).unwrap();
    logs.erase(&logs.survey()).unwrap();
    let (events, decisions) = logs.all();
    assert_eq!(events[end as usize..], back);
    assert_eq!(decisions.last(), Some(&late));
    assert!(!decisions[..240].contains(&late));
    // And gone again with the next deletion.
    logs.events
        .append(vec![of("d2".into(), Fact::UserDelete { user: UserId::trusted(GONE) })])
        .wait()
        .unwrap();
    logs.erase(&logs.survey()).unwrap();
    assert_eq!(holding(folder.path(), GONE), [""; 0]);
}

#[test]
fn readers_go_on_while_segments_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::filled(folder.path(), 240);
    let count = logs.events.end().0[0] as usize;
    let other = LogReader::open(&folder.path().join("events")).unwrap();
    let mut stream = other.events_from(0);
    let mut followed = logs.events.subscribe(Position(vec![0])).unwrap();
    let first: Vec<Event> = stream.by_ref().take(20).map(|read| read.unwrap().1).collect();
    logs.events.tail.forget_before(u64::MAX);
    let head = followed.next(LONG).unwrap().unwrap();
    // Stops within a segment that is replaced beneath it.
    assert!((1..count).contains(&head.events.len()));
    logs.erase(&logs.survey()).unwrap();
    let rest: Vec<Event> = stream.map(|read| read.unwrap().1).collect();
    assert_eq!(first.len() + rest.len(), count);
    let mut seen = head.events.len();
    while seen < count {
        let batch = followed.next(LONG).unwrap().unwrap();
        assert_eq!(batch.first, seen as u64);
        assert_eq!(batch.events[..], all(&logs.events)[seen..seen + batch.events.len()]);
        seen += batch.events.len();
    }
    other.refresh().unwrap();
    assert_eq!(other.end(), count as u64);
    assert_eq!(other.events_from(0).map(|read| read.unwrap().1).collect::<Vec<_>>(), all(&logs.events));
}

/// A disk that fails for good from its n-th call on, the first of these calls half done: the moment of a crash.
struct Crashing {
    calls: AtomicUsize,
    left: usize,
}

impl Crashing {
    fn call(&self) -> io::Result<bool> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call > self.left { Err(io::Error::other("crashed")) } else { Ok(call == self.left) }
    }
}

impl Disk for Crashing {
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let last = self.call()?;
        SystemDisk.write(file, if last { &bytes[..bytes.len() / 2] } else { bytes })?;
        if last { Err(io::Error::other("crashed")) } else { Ok(()) }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.call()? { Err(io::Error::other("crashed")) } else { SystemDisk.sync(file) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // Odd crashes come before the rename, even ones after it.
        let last = self.call()?;
        if !last || self.left.is_multiple_of(2) {
            SystemDisk.rename(from, to)?;
        }
        if last { Err(io::Error::other("crashed")) } else { Ok(()) }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.call()? { Err(io::Error::other("crashed")) } else { SystemDisk.sync_folder(folder) }
    }
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_the_erasure_is_finished_later() {
    let made = tempfile::tempdir().unwrap();
    let logs = Logs::filled(made.path(), 90);
    let (events, decisions) = logs.all();
    let erasure = logs.survey();
    drop(logs);
    let mut interrupted = 0;
    for left in 0.. {
        let folder = tempfile::tempdir().unwrap();
        copy(made.path(), folder.path());
        let disk = Arc::new(Crashing { calls: AtomicUsize::new(0), left });
        let done = Logs::open(folder.path(), disk.clone()).is_ok_and(|logs| logs.erase(&erasure).is_ok());
        let logs = Logs::open(folder.path(), Arc::new(SystemDisk)).unwrap();
        let (events_found, decisions_found) = logs.all();
        assert_eq!((events_found.len(), decisions_found.len()), (events.len(), decisions.len()), "{left}");
        for (found, was) in events_found.iter().zip(&events).chain(decisions_found.iter().zip(&decisions)) {
            assert!(found == was || found.fact == Fact::Erased, "{left}: {found:?} was {was:?}");
        }
        assert!(logs.erase(&erasure).unwrap().complete);
        let (events_after, decisions_after) = logs.all();
        assert_erased(&events, &events_after);
        assert_erased(&decisions, &decisions_after);
        assert_eq!(holding(folder.path(), GONE), [""; 0], "{left}");
        let again = logs.events.append(vec![events[1].clone()]).wait().unwrap();
        assert_eq!(again.outcomes, [Outcome::Duplicate], "{left}");
        if done && disk.calls.load(Ordering::SeqCst) <= left {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted > 40, "{interrupted} crashes are too few to have met every step");
}

fn copy(from: &Path, to: &Path) {
    for name in ["events", "decisions"] {
        std::fs::create_dir_all(to.join(name)).unwrap();
        for entry in std::fs::read_dir(from.join(name)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(name).join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn an_interrupted_erasure_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::filled(folder.path(), 240);
    let erasure = logs.survey();
    let left = AtomicUsize::new(3);
    let go = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let part = erasure::erase(&logs.events, &logs.decisions, &erasure, &go).unwrap();
    assert!(!part.complete && part.records > 0, "{part:?}");
    let rest = logs.erase(&erasure).unwrap();
    assert_eq!((rest.complete, part.records + rest.records), (true, 211));
}

#[test]
fn a_session_that_only_the_archive_ties_to_its_user_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path(), Arc::new(SystemDisk)).unwrap();
    let merge = Fact::Merge { session: SessionId::trusted(THEIRS), user: UserId::trusted(GONE) };
    let visit = |at: u64, user: &str| click(format!("v{at}"), user, THEIRS);
    logs.events.append(vec![visit(0, ""), of("merge".into(), merge)]).wait().unwrap();
    logs.decisions.append(&decision(&RequestIds::new(1), "", THEIRS, 1)).unwrap();
    let archive = Archive::in_folder(&folder.path().join("archive")).unwrap();
    let events = PartitionOf(&logs.events, Partition(0));
    archive.archive(Stream::Events, Partition(0), &events, Until::Now, &mut |_, _| true).unwrap();
    let decisions = &logs.decisions;
    archive.archive(Stream::Decisions, Partition(0), decisions, Until::Now, &mut |_, _| true).unwrap();
    logs.events.rotate().unwrap();
    logs.events.truncate(NOW.plus(Duration::from_secs(1))).unwrap();
    assert_eq!(logs.events.start().0[0], 2);
    // Still theirs, then somebody else's, as only the log says.
    let rest =
        vec![visit(2, ""), visit(3, "user-1"), visit(4, ""), click("e".into(), "user-1", ""), delete(GONE)];
    logs.events.append(rest.clone()).wait().unwrap();

    assert_eq!(logs.survey().ties, [], "the log alone does not know");
    let erasure = logs.survey_with(Some(&archive));
    let ties: Vec<_> = erasure.ties.iter().map(|tie| (tie.offset, tie.user.as_str())).collect();
    assert_eq!(ties, [(1, GONE), (3, "user-1")]);
    logs.erase(&erasure).unwrap();
    archive.erase(&erasure, &|| true).unwrap();
    let left = logs.events.read(Partition(0), 2, 9).unwrap();
    let erased: Vec<_> = left.events.iter().map(|event| event.fact == Fact::Erased).collect();
    assert_eq!(erased, [true, false, false, false, true]);
    assert_eq!(left.events[1..4], rest[1..4]);
    assert_eq!(logs.decisions.read(0, 9).unwrap().events[0].fact, Fact::Erased);
    for stream in Stream::ALL {
        let mut archived = archive.read(stream, Partition(0), 0).unwrap();
        assert!(archived.all(|read| read.unwrap().1.fact == Fact::Erased), "{stream}");
    }
    assert_eq!(holding(folder.path(), GONE), [""; 0]);
}

#[test]
fn who_archives_meanwhile_archives_nothing_of_theirs_after() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::filled(folder.path(), 240);
    let archive = Archive::in_folder(&folder.path().join("archive")).unwrap();
    // Another process has opened what is about to be replaced, and archives it then.
    let events = LogReader::open(&folder.path().join("events")).unwrap();
    let decisions = LogReader::open(&folder.path().join("decisions")).unwrap();
    for reader in [&events, &decisions] {
        assert_eq!(reader.events_from(0).count() as u64, reader.end());
    }
    let erasure = logs.survey_with(Some(&archive));
    logs.erase(&erasure).unwrap();
    archive.erase(&erasure, &|| true).unwrap();
    for (stream, reader) in [(Stream::Events, &events), (Stream::Decisions, &decisions)] {
        let archived = archive.archive(stream, Partition(0), reader, Until::Now, &mut |_, _| true).unwrap();
        assert_eq!(archived.records, reader.end());
    }
    assert_eq!(holding(folder.path(), GONE), [""; 0]);

    // A thread of this process archives all the time; they come back and leave again and again.
    let mut searched = logs.events.end().0[0];
    for round in 0..5 {
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let events = PartitionOf(&logs.events, Partition(0));
                    archive
                        .archive(Stream::Events, Partition(0), &events, Until::Now, &mut |_, _| true)
                        .unwrap();
                }
            });
            for at in 0..20 {
                let back = vec![
                    click(format!("r{round}-{at}"), GONE, THEIRS),
                    click(format!("o{round}-{at}"), "o", ""),
                ];
                logs.events.append(back).wait().unwrap();
            }
            logs.events
                .append(vec![of(format!("d{round}"), Fact::UserDelete { user: UserId::trusted(GONE) })])
                .wait()
                .unwrap();
            let (deletions, end) = logs.events.deletions(searched).unwrap();
            searched = end;
            let erasure = erasure::survey(&logs.events, &logs.decisions, Some(&archive), deletions).unwrap();
            logs.erase(&erasure).unwrap();
            archive.erase(&erasure, &|| true).unwrap();
            done.store(true, Ordering::SeqCst);
        });
        assert_eq!(holding(folder.path(), GONE), [""; 0], "round {round}");
    }
    let others = archive.read(Stream::Events, Partition(0), 242).unwrap();
    assert!(others.filter(|read| read.as_ref().unwrap().1.fact != Fact::Erased).count() > 50);
}

#[test]
fn retention_goes_on_beside_an_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::filled(folder.path(), 240);
    let erasure = logs.survey();
    logs.events.rotate().unwrap();
    logs.events.truncate(NOW.plus(Duration::from_secs(1))).unwrap();
    logs.decisions.truncate(NOW.plus(Duration::from_secs(1))).unwrap();
    assert!(logs.erase(&erasure).unwrap().complete);
    drop(logs);
    let (log, recovery) = open(&folder.path().join("events"), LogOptions::default());
    assert_eq!((recovery.start, log.end().0[0]), (recovery.end, recovery.end));
}

/// Who has what, said slowly: the lives of each user are numbered, and each session record looks for its owner among
/// all records.
fn reference(records: &[(u8, u8, bool)], at: usize) -> bool {
    let life = |user: u8, at: usize| {
        records[..at].iter().filter(|(other, _, deletes)| *deletes && *other == user).count()
    };
    let deleted =
        |user: u8, at: usize| records[at..].iter().any(|(other, _, deletes)| *deletes && *other == user);
    let (user, session, _) = records[at];
    if user > 0 {
        return deleted(user, at);
    }
    let tied = |other: usize| {
        let (user, tied, deletes) = records[other];
        user > 0 && tied == session && session > 0 && !deletes
    };
    let before = (0..at).rev().find(|other| tied(*other));
    let after = (at..records.len()).find(|other| tied(*other));
    let before = before.filter(|other| life(records[*other].0, *other) == life(records[*other].0, at));
    before.or(after).is_some_and(|other| deleted(records[other].0, other))
}

proptest! {
    #[test]
    fn the_rule_agrees_with_a_slow_one(
        records in prop::collection::vec((0u8..4, 0u8..3, prop::bool::weighted(0.2)), 1..40)
    ) {
        let records: Vec<(u8, u8, bool)> =
            records.into_iter().map(|(user, session, deletes)| (user, session, deletes && user > 0)).collect();
        let names: BTreeMap<u8, String> = (0..4).map(|number| (number, format!("n{number}"))).collect();
        let mut deletions = Vec::new();
        let mut ties = Vec::new();
        for (offset, (user, session, deletes)) in records.iter().enumerate() {
            let (offset, name) = (offset as u64, UserId::trusted(names[user].as_str()));
            match (*user, *session, *deletes) {
                (0, ..) | (_, 0, false) => {}
                (_, _, true) => deletions.push(Deletion { user: name, offset }),
                (_, session, false) => {
                    ties.push(Tie { session: SessionId::trusted(names[&session].as_str()), offset, user: name });
                }
            }
        }
        let erasure = Erasure::new(deletions, ties);
        let rule = Rule::new(&erasure);
        for (at, (user, session, deletes)) in records.iter().enumerate() {
            let some = |number: u8| (number > 0).then(|| names[&number].as_str());
            let whose = match deletes {
                true => Whose::Deletion { user: &names[user] },
                false => Whose::Somebody { user: some(*user), session: some(*session) },
            };
            prop_assert_eq!(rule.erases(whose, at as u64), reference(&records, at), "{} of {:?}", at, records);
        }
        // A decision whose views stood at an offset came before the record there.
        for (at, session) in (0..=records.len()).flat_map(|at| [(at, 1), (at, 2)]) {
            let mut with_decision = records.clone();
            with_decision.insert(at, (0, session, false));
            let whose = Whose::Somebody { user: None, session: Some(&names[&session]) };
            let expected = reference(&with_decision, at);
            prop_assert_eq!(rule.erases(whose, at as u64), expected, "of {} at {} in {:?}", session, at, records);
        }
    }
}
