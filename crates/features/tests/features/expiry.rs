//! Whoever went idle starts anew, to the microsecond: wherever days end, whoever folds, and whatever ended the rest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_base::{Actor, Event, Fact, FeatureValue, Fields, ItemId, SessionId, UserId};
use headwater_features::declared::{Aggregate, Definition, FieldRef, Part};
use headwater_features::{FeatureRequest, FeatureSpec, Replay, Views, ViewsOptions};
use headwater_log::{Batch, Partition};
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::*;

const USERS: i64 = 400 * DAY;
const SESSIONS: i64 = 30 * DAY;

fn specs() -> Vec<FeatureSpec> {
    let category = Part::Field(FieldRef::Item("category".into()));
    let entities: [&[Part]; 6] = [
        &[Part::User],
        &[Part::User, Part::Item],
        &[Part::Session],
        &[Part::Session, category.clone()],
        &[Part::Item],
        &[category],
    ];
    let count = |(index, entity): (usize, &&[Part])| {
        let spec = aggregate(entity, Aggregate::Count, &[], None, None);
        feature(&format!("count_{index}"), Definition::Aggregate(spec))
    };
    entities.iter().enumerate().map(count).collect()
}

/// The default: 400 days, for sessions 30 days.
fn expiring() -> ViewsOptions {
    let day = |days: u64| Duration::from_secs(24 * 3600 * days);
    let options = ViewsOptions { plan: options(&specs()).plan, threads: 1, ..ViewsOptions::default() };
    assert_eq!((options.idle_entities, options.idle_sessions), (day(400), day(30)));
    options
}

/// The items that an entity touched, or that touched it, since it last started anew.
#[derive(Clone, Debug, Default)]
struct Kept {
    stamp: i64,
    items: Vec<String>,
}

impl Kept {
    fn at(&self, now: i64, idle: i64) -> &[String] {
        if now - self.stamp > idle { &[] } else { &self.items }
    }
}

/// The slow, obvious way.
#[derive(Default)]
struct Reference {
    kept: HashMap<String, Kept>,
    /// Sessions of users, with when they last did something.
    aliases: HashMap<String, (String, i64)>,
}

fn category_of(item: &str) -> String {
    let number: u8 = item[1..].parse().expect("an item's number");
    format!("c{}", number % 2)
}

impl Reference {
    fn person(&self, actor: &Actor, now: i64) -> Option<(String, i64)> {
        if let Some(user) = &actor.user {
            return Some((format!("user {user}"), USERS));
        }
        let session = actor.session.as_ref()?.to_string();
        match self.aliases.get(&session) {
            Some((user, stamp)) if now - stamp <= SESSIONS => Some((user.clone(), USERS)),
            _ => Some((format!("anonymous {session}"), SESSIONS)),
        }
    }

    fn touch(&mut self, entity: String, now: i64, idle: i64, items: &[String]) {
        let kept = self.kept.entry(entity).or_default();
        kept.items = kept.at(now, idle).to_vec();
        kept.items.extend_from_slice(items);
        kept.stamp = now;
    }

    fn fold(&mut self, event: &Event) {
        let now = event.received.as_micros();
        match &event.fact {
            Fact::Interaction(interaction) => {
                let item = [interaction.item.to_string()];
                let actor = &interaction.actor;
                if let Some((person, idle)) = self.person(actor, now) {
                    self.touch(person, now, idle, &item);
                }
                if let Some(session) = &actor.session {
                    self.touch(format!("session {session}"), now, SESSIONS, &item);
                    if let (None, Some((_, stamp))) = (&actor.user, self.aliases.get_mut(session.as_str())) {
                        if now - *stamp <= SESSIONS {
                            *stamp = now;
                        } else {
                            self.aliases.remove(session.as_str());
                        }
                    }
                }
                self.touch(format!("item {}", item[0]), now, USERS, &item);
                self.touch(format!("category {}", category_of(&item[0])), now, USERS, &item);
            }
            Fact::UserUpsert { user, .. } => self.touch(format!("user {user}"), now, USERS, &[]),
            Fact::Merge { session, user } => {
                let own = self.kept.remove(&format!("anonymous {session}")).unwrap_or_default();
                self.touch(format!("user {user}"), now, USERS, own.at(now, SESSIONS));
                self.aliases.insert(session.to_string(), (format!("user {user}"), now));
            }
            _ => {}
        }
    }

    fn count(&self, entity: &str, now: i64, idle: i64, counts: impl Fn(&str) -> bool) -> FeatureValue {
        let items = self.kept.get(entity).map_or(&[][..], |kept| kept.at(now, idle));
        FeatureValue::Number(items.iter().filter(|item| counts(item)).count() as f32)
    }

    /// What [`specs`] are for an actor and an item.
    fn values(&self, actor: &Actor, item: &str, now: i64) -> Vec<FeatureValue> {
        let (person, idle) = self.person(actor, now).expect("a user or a session");
        let session = actor.session.as_ref().map(|session| format!("session {session}"));
        let category = category_of(item);
        let of_session = |counts: &dyn Fn(&str) -> bool| match &session {
            Some(session) => self.count(session, now, SESSIONS, counts),
            None => FeatureValue::Missing,
        };
        vec![
            self.count(&person, now, idle, |_| true),
            self.count(&person, now, idle, |other| other == item),
            of_session(&|_| true),
            of_session(&|other| category_of(other) == category),
            self.count(&format!("item {item}"), now, USERS, |_| true),
            self.count(&format!("category {category}"), now, USERS, |_| true),
        ]
    }
}

/// What happens after the items were set: gaps with facts.
fn steps() -> impl Strategy<Value = Vec<(i64, Fact)>> {
    // Right before, at and after the end of an idle time, which no day ends in between or some do.
    let near = |idle: i64| prop_oneof![Just(idle - 1), Just(idle), Just(idle + 1), idle - DAY..idle + DAY];
    let gap = prop_oneof![
        4 => 0..HOUR,
        3 => 0..2 * DAY,
        2 => near(SESSIONS),
        2 => near(SESSIONS / 2),
        1 => near(USERS),
        1 => near(USERS / 2),
    ];
    let happened =
        (anybody(), 0..3u8).prop_map(|(actor, item)| interaction("click", actor, &format!("i{item}"), None));
    let fields = (0..2u8).prop_map(|id| upsert(&format!("u{id}")));
    let merge =
        (0..2u8, 0..2u8).prop_map(|(session, user)| merge(&format!("s{session}"), &format!("u{user}")));
    vec((gap, prop_oneof![6 => happened, 1 => fields, 1 => merge]), 1..25)
}

fn anybody() -> impl Strategy<Value = Actor> {
    prop_oneof![
        (0..2u8).prop_map(|id| user(&format!("u{id}"))),
        (0..2u8).prop_map(|id| session(&format!("s{id}"))),
        (0..2u8, 0..2u8).prop_map(|(user, session)| within(&format!("u{user}"), &format!("s{session}"))),
    ]
}

fn within(user: &str, session: &str) -> Actor {
    Actor { user: Some(UserId::trusted(user)), session: Some(SessionId::trusted(session)) }
}

fn upsert(user: &str) -> Fact {
    Fact::UserUpsert {
        user: UserId::trusted(user),
        fields: word("country", "AT"),
        removed: Vec::new(),
        patch: true,
    }
}

fn merge(session: &str, user: &str) -> Fact {
    Fact::Merge { session: SessionId::trusted(session), user: UserId::trusted(user) }
}

/// The items, then the steps, each received when it happened.
fn log(steps: Vec<(i64, Fact)>) -> Vec<Event> {
    let items = (0..3).map(|number| (0, item(&format!("i{number}"), &format!("c{}", number % 2))));
    let mut now = 0;
    let stamp = |(gap, fact)| {
        now += gap;
        event(now, now, fact)
    };
    items.chain(steps).map(stamp).collect()
}

fn live(events: &[Event]) -> Views {
    let views = Views::new(Arc::new(schema()), expiring());
    views.apply(&Batch { partition: Partition(0), first: 0, events: events.into() }).expect("no gap");
    views
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn idle_entities_start_anew_online_as_in_replay(
        steps in steps(), waits in vec(prop_oneof![0..DAY, 0..2 * SESSIONS, 0..2 * USERS], 1..4),
    ) {
        let events = log(steps);
        let views = live(&events);
        let mut replay = Replay::new(&schema(), &expiring());
        let mut reference = Reference::default();
        for (offset, event) in events.iter().enumerate() {
            replay.fold(Partition(0), offset as u64, event);
            reference.fold(event);
        }
        let last = events.last().expect("items at least").received;
        let no_context = Fields::default();
        for wait in waits.into_iter().chain([0, SESSIONS, SESSIONS + 1, USERS, USERS + 1]) {
            let now = last.plus(Duration::from_micros(wait as u64));
            for actor in [user("u0"), session("s0"), session("s1"), within("u1", "s0")] {
                let request = FeatureRequest { actor: &actor, context: &no_context, time: now };
                for item in ["i0", "i1"] {
                    let index = replay.catalogue().index(ItemId::trusted(item).as_str());
                    let columns = columns(&specs());
                    let replayed = replay.features(&request, &columns, &[index]);
                    let served = views.hold().features(&request, &columns, &[index]).unwrap();
                    let read: Vec<FeatureValue> = replayed.row(0).cloned().collect();
                    prop_assert_eq!(&read, &served.row(0).cloned().collect::<Vec<_>>());
                    let wanted = reference.values(&actor, item, now.as_micros());
                    prop_assert_eq!(read, wanted, "{:?} and {} {} us later", actor, item, wait);
                }
            }
        }
    }
}

/// How many interactions the views hold of an actor, so long after the last event.
fn counted(views: &Views, events: &[Event], actor: &Actor, wait: i64) -> FeatureValue {
    let last = events.last().expect("items at least").received;
    let (context, time) = (Fields::default(), last.plus(Duration::from_micros(wait as u64)));
    let request = FeatureRequest { actor, context: &context, time };
    views.hold().features(&request, &[0], &[None]).expect("all in memory").value(0, 0).clone()
}

fn click(actor: Actor) -> Fact {
    interaction("click", actor, "i0", None)
}

#[test]
fn new_fields_do_not_bring_back_what_a_user_did_before_they_went_idle() {
    // Noon; the second event ends the day before the user goes idle.
    let steps = [(12 * HOUR, click(user("u0"))), (USERS - HOUR, click(user("u1"))), (2 * HOUR, upsert("u0"))];
    let events = log(steps.into());
    assert_eq!(counted(&live(&events), &events, &user("u0"), 0), FeatureValue::Number(0.0));
}

#[test]
fn a_merge_takes_over_nothing_that_went_idle() {
    let steps = |gap| {
        log(vec![
            (12 * HOUR, click(session("s0"))),
            (gap - HOUR, click(user("u1"))),
            (HOUR, merge("s0", "u0")),
        ])
    };
    let events = steps(SESSIONS);
    assert_eq!(counted(&live(&events), &events, &user("u0"), 0), FeatureValue::Number(1.0));
    let events = steps(SESSIONS + 1);
    assert_eq!(counted(&live(&events), &events, &user("u0"), 0), FeatureValue::Number(0.0));
}

#[test]
fn an_anonymous_visitor_is_forgotten_as_a_session_is() {
    let events = log(vec![(12 * HOUR, click(session("s0")))]);
    let views = live(&events);
    assert_eq!(counted(&views, &events, &session("s0"), SESSIONS), FeatureValue::Number(1.0));
    assert_eq!(counted(&views, &events, &session("s0"), SESSIONS + 1), FeatureValue::Number(0.0));
}

#[test]
fn nothing_is_kept_of_the_idle_but_their_fields() {
    let click = |number: u32| {
        let actor = within(&format!("u{number}"), &format!("s{number}"));
        (0, interaction("click", actor, &format!("i{number}"), None))
    };
    let resident = |steps| live(&log(steps)).hold().resident_bytes();
    let one = resident(vec![(0, click(0).1)]);
    let mut steps: Vec<(i64, Fact)> = (0..500).map(click).collect();
    let many = resident(steps.clone());
    assert!(many > 100 * one, "{many} bytes of 500, {one} of one");
    steps.push((USERS + DAY, click(0).1));
    let left = resident(steps);
    // The items themselves stay in the catalogue, and an empty row has its place.
    assert!(left < many / 6, "{left} bytes are left of {many}");
}
