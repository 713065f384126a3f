//! The views as a whole: what each fact does, and that nothing but the log decides their bytes.

use std::sync::Arc;

use headwater_base::schema::InteractionType;
use headwater_base::value::FieldType;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, SessionId, Timestamp, UserId, Value,
};
use headwater_log::{Batch, Partition};
use headwater_models::Past;
use headwater_models::streaming::SessionOptions;
use proptest::prelude::*;

use super::*;
use crate::Replay;
use crate::declared::{
    Aggregate, AggregateSpec, Attribute, Conditions, Definition, FeatureSpec, FieldRef, Part,
};
use crate::profiles::PROFILE_INTERACTIONS;

fn schema() -> Arc<Schema> {
    let types = [("click", 1.0), ("purchase", 5.0)];
    Arc::new(Schema {
        interactions: types.map(|(name, weight)| (name.into(), InteractionType { weight })).into(),
        items: [
            ("category".into(), FieldType::Categorical),
            ("price".into(), FieldType::Numeric),
            ("topics".into(), FieldType::Tags),
        ]
        .into(),
        users: [("country".into(), FieldType::Categorical)].into(),
        ..Schema::default()
    })
}

/// A count, a distinct count and the latest items of each kind of entity.
fn features() -> Vec<FeatureSpec> {
    let category = Part::Field(FieldRef::Item("category".into()));
    let entities = [
        vec![Part::User],
        vec![Part::Session],
        vec![Part::Item],
        vec![category.clone()],
        vec![Part::User, category],
        vec![Part::Session, Part::Item],
    ];
    let aggregates = [
        Aggregate::Count,
        Aggregate::Distinct(Attribute::Item),
        Aggregate::LastN { of: Attribute::Item, n: 5 },
    ];
    let pairs =
        entities.iter().flat_map(|entity| aggregates.iter().map(move |aggregate| (entity, aggregate)));
    let spec = |(number, (entity, aggregate)): (usize, (&Vec<Part>, &Aggregate))| FeatureSpec {
        name: format!("f{number}").into(),
        version: 1,
        definition: Definition::Aggregate(AggregateSpec {
            entity: entity.clone(),
            aggregate: aggregate.clone(),
            types: Vec::new(),
            window: None,
            decay: None,
            conditions: Conditions::default(),
        }),
    };
    pairs.enumerate().map(spec).collect()
}

fn options() -> ViewsOptions {
    let plan = Plan::new(&features(), &schema()).unwrap();
    // So few that they come and go.
    let sessions = SessionOptions { kept: 8, items: 4, ..SessionOptions::default() };
    ViewsOptions { threads: 2, plan: Arc::new(plan), sessions, ..ViewsOptions::default() }
}

fn views() -> Views {
    Views::new(schema(), options())
}

fn user(id: &str) -> Actor {
    Actor::user(UserId::trusted(id))
}

fn session(id: &str) -> Actor {
    Actor::session(SessionId::trusted(id))
}

fn interact(kind: &str, actor: Actor, item: &str) -> Fact {
    Fact::Interaction(Interaction {
        kind: kind.into(),
        actor,
        item: ItemId::trusted(item),
        value: None,
        request_id: None,
        context: Fields::default(),
    })
}

fn click(actor: Actor, item: &str) -> Fact {
    interact("click", actor, item)
}

fn upsert(item: &str, fields: &[(&str, Value)], available: Option<bool>, patch: bool) -> Fact {
    let fields = Fields::new(fields.iter().map(|(name, value)| ((*name).into(), value.clone())));
    Fact::ItemUpsert { item: ItemId::trusted(item), fields, removed: Vec::new(), available, patch }
}

fn category(value: &str) -> (&'static str, Value) {
    ("category", Value::Categorical(value.into()))
}

/// Stamps facts one minute apart, except where a fact brings its own time.
fn events(facts: impl IntoIterator<Item = Fact>) -> Vec<Event> {
    let stamped = facts.into_iter().enumerate().map(|(index, fact)| Event {
        id: EventId::trusted(format!("e{index}")),
        time: Timestamp::from_seconds(1_760_000_000 + 60 * index as i64),
        received: Timestamp::from_seconds(1_760_000_000 + 60 * index as i64),
        fact,
    });
    stamped.collect()
}

fn batch(first: usize, events: &[Event]) -> Batch {
    Batch { partition: Partition(0), first: first as u64, events: events.into() }
}

fn fold(views: &Views, facts: impl IntoIterator<Item = Fact>) {
    let first = views.position().offset(Partition(0)) as usize;
    views.apply(&batch(first, &events(facts))).unwrap();
}

fn state(views: &Views) -> Vec<u8> {
    let mut bytes = Vec::new();
    views.write_state(&mut bytes).unwrap();
    bytes
}

/// What is folded event by event.
fn folded(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write(&mut Writer::new(&mut bytes)).unwrap();
    bytes
}

fn restored(bytes: &[u8]) -> Views {
    Views::read_state(schema(), options(), &mut &bytes[..]).unwrap()
}

fn items(views: &Views, actor: &Actor) -> Vec<String> {
    let catalogue = views.catalogue();
    let interactions = views.profile(actor).unwrap().interactions;
    interactions.iter().map(|interaction| catalogue.id(interaction.item).to_string()).collect()
}

fn names(views: &Views, found: &[(ItemIndex, f32)]) -> Vec<String> {
    let catalogue = views.catalogue();
    found.iter().map(|(item, _)| catalogue.id(*item).to_string()).collect()
}

#[test]
fn a_profile_keeps_the_last_interactions_with_their_weights() {
    let views = views();
    fold(&views, (0..700).map(|item| click(user("u"), &format!("i{item}"))));
    fold(&views, [interact("purchase", user("u"), "i0"), interact("gone", user("u"), "i1")]);
    let profile = views.profile(&user("u")).unwrap();
    assert_eq!(profile.interactions.len(), PROFILE_INTERACTIONS);
    assert_eq!(profile.last, 702);
    let [.., bought, undeclared] = profile.interactions.as_slice() else { panic!("too short") };
    assert_eq!((bought.weight, undeclared.weight), (5.0, 0.0));
    assert_eq!(views.kind_name(undeclared.kind).as_deref(), Some("gone"));
    assert_eq!(views.catalogue().id(profile.interactions[0].item).as_str(), "i190");
}

#[test]
fn an_event_of_a_user_within_a_session_is_the_users() {
    let views = views();
    let both = Actor { user: Some(UserId::trusted("u")), session: Some(SessionId::trusted("s")) };
    fold(&views, [click(both, "a"), click(session("s"), "b")]);
    assert_eq!(items(&views, &user("u")), ["a"]);
    assert_eq!(items(&views, &session("s")), ["b"]);
    let stranger = Actor { user: Some(UserId::trusted("x")), session: Some(SessionId::trusted("s")) };
    assert_eq!(items(&views, &stranger), ["b"], "an unknown user is read by the session");
}

#[test]
fn a_merged_session_is_its_users() {
    let views = views();
    let merge = Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("u") };
    fold(
        &views,
        [
            click(user("u"), "a"),
            click(session("s"), "b"),
            click(user("u"), "c"),
            merge,
            click(session("s"), "d"),
        ],
    );
    assert_eq!(items(&views, &user("u")), ["a", "b", "c", "d"]);
    assert_eq!(views.profile(&session("s")).unwrap(), views.profile(&user("u")).unwrap());
}

#[test]
fn a_deleted_user_leaves_nothing_and_starts_anew() {
    let views = views();
    let merge = Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("someone") };
    let fields = Fields::new([("country".into(), Value::Categorical("pt".into()))]);
    let upsert =
        Fact::UserUpsert { user: UserId::trusted("someone"), fields, removed: Vec::new(), patch: false };
    fold(&views, [click(user("someone"), "a"), upsert, merge]);
    assert_eq!(views.profile(&user("someone")).unwrap().fields.len(), 1);
    fold(&views, [Fact::UserDelete { user: UserId::trusted("someone") }]);
    assert_eq!(views.profile(&user("someone")).unwrap(), Profile::default());
    assert_eq!(views.profile(&session("s")).unwrap(), Profile::default());
    assert!(!state(&views).windows(7).any(|window| window == b"someone"));
    let again = restored(&state(&views));
    for views in [&views, &again] {
        fold(views, [click(session("s"), "b"), click(user("someone"), "c")]);
        assert_eq!(items(views, &session("s")), ["b"]);
        assert_eq!(items(views, &user("someone")), ["c"]);
    }
    assert_eq!(state(&views), state(&again));
}

#[test]
fn user_fields_are_replaced_or_patched() {
    let views = views();
    let upsert = |value: &str, patch, removed: &[&str]| Fact::UserUpsert {
        user: UserId::trusted("u"),
        fields: Fields::new([(value.into(), Value::Categorical(value.into()))]),
        removed: removed.iter().map(|name| (*name).into()).collect(),
        patch,
    };
    let known = || {
        views.profile(&user("u")).unwrap().fields.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    fold(&views, [upsert("a", false, &[]), upsert("b", true, &[])]);
    assert_eq!(known(), ["a", "b"]);
    fold(&views, [upsert("c", true, &["a"])]);
    assert_eq!(known(), ["b", "c"]);
    fold(&views, [upsert("d", false, &[])]);
    assert_eq!(known(), ["d"]);
    assert_eq!(views.profile(&user("u")).unwrap().last, 4);
}

#[test]
fn items_appear_change_and_disappear() {
    let views = views();
    fold(&views, [click(user("u"), "seen")]);
    let before = views.catalogue();
    fold(
        &views,
        [
            upsert("a", &[category("shoes"), ("price", Value::Numeric(5.0))], None, false),
            upsert("b", &[category("hats")], Some(false), false),
            upsert("c", &[], None, false),
        ],
    );
    let catalogue = views.catalogue();
    assert_eq!((before.len(), catalogue.len()), (1, 4));
    assert!(catalogue.version() > before.version());
    assert_eq!(before.index("a"), None, "a snapshot does not see what came later");
    let at = |id: &str| catalogue.index(id).unwrap();
    let available: Vec<bool> = ["seen", "a", "b", "c"].map(|id| catalogue.available(at(id))).into();
    assert_eq!(available, [true, true, false, true]);
    let field = catalogue.categorical_field("category").unwrap();
    let word = catalogue.categorical(field, at("b")).unwrap();
    assert_eq!(catalogue.value(field, word).as_deref(), Some("hats"));
    assert_eq!(catalogue.categorical(field, at("c")), None);

    let delete = |id: &str| Fact::ItemDelete { item: ItemId::trusted(id) };
    let patch = upsert("a", &[category("boots")], None, true);
    fold(
        &views,
        [patch, delete("c"), delete("unheard"), click(user("u"), "c"), upsert("b", &[], None, true)],
    );
    let catalogue = views.catalogue();
    assert_eq!(catalogue.fields(at("a")).len(), 2);
    assert_eq!(catalogue.len(), 4);
    assert!(catalogue.deleted(at("c")) && !catalogue.available(at("c")));
    assert!(!catalogue.available(at("b")), "a patch keeps what is");
    fold(&views, [upsert("c", &[], None, true), upsert("b", &[], None, false)]);
    assert!(views.catalogue().available(at("c")) && views.catalogue().available(at("b")));
}

#[test]
fn tags_are_words_of_their_field() {
    let views = views();
    let topics = Value::Tags(vec!["jazz".into(), "live".into()]);
    fold(&views, [upsert("a", &[("topics", topics)], None, false), upsert("b", &[], None, false)]);
    let catalogue = views.catalogue();
    let field = catalogue.tags_field("topics").unwrap();
    let live = catalogue.tag(field, "live").unwrap();
    assert!(catalogue.tags(field, 0).any(|word| word == live));
    assert_eq!(catalogue.tags(field, 0).count(), 2);
    assert_eq!(catalogue.tags(field, 1).count(), 0);
}

#[test]
fn popularity_knows_categories_and_availability() {
    let views = views();
    fold(
        &views,
        [
            upsert("boot", &[category("shoes")], None, false),
            upsert("cap", &[category("hats")], None, false),
            click(user("u"), "boot"),
            interact("purchase", user("u"), "cap"),
            interact("purchase", user("v"), "other"),
            click(user("v"), "boot"),
        ],
    );
    let any = |_| true;
    let popular = |category| names(&views, &views.popular(9, &any, category));
    assert_eq!(popular(None), ["other", "cap", "boot"]);
    assert_eq!(popular(Some(("category", "shoes"))), ["boot"]);
    assert_eq!(popular(Some(("category", "unknown"))), [""; 0]);
    let cap = views.item_index("cap").unwrap();
    assert_eq!(names(&views, &views.trending(9, &|item| item != cap, None)), ["other", "boot"]);

    // A category changed after the fact takes the score along; what cannot be had is not popular.
    fold(&views, [upsert("other", &[category("shoes")], None, false), upsert("cap", &[], Some(false), true)]);
    assert_eq!(popular(Some(("category", "shoes"))), ["other", "boot"]);
    assert_eq!(popular(None), ["other", "boot"]);
    let again = restored(&state(&views));
    assert_eq!(
        again.popular(9, &any, Some(("category", "shoes"))),
        views.popular(9, &any, Some(("category", "shoes")))
    );
}

#[test]
fn what_people_touch_together_is_near() {
    let views = views();
    for buyer in ["u", "v", "w"] {
        fold(&views, [click(user(buyer), "tent"), click(user(buyer), "stove")]);
    }
    fold(&views, [click(user("x"), "lamp"), click(user("x"), "tent")]);
    let tent = views.item_index("tent").unwrap();
    assert_eq!(names(&views, &views.neighbours(tent, 9)), ["stove", "lamp"]);
    fold(&views, [Fact::ItemDelete { item: ItemId::trusted("stove") }]);
    assert_eq!(names(&views, &views.neighbours(tent, 9)), ["lamp"]);
}

/// What the latest sessions like those of `actor` hold, in the order of ids.
fn in_sessions_like(views: &Views, actor: &Actor) -> Vec<String> {
    let profile = views.profile(actor).unwrap();
    let history: Vec<Past> =
        profile.interactions.iter().map(|one| Past { row: one.item, weight: one.weight, age: 0.0 }).collect();
    let query = Query { history: &history, item: None };
    let mut found = names(views, &views.sessions_like(&query, profile.owner, 9, &|_| true));
    found.sort_unstable();
    found
}

#[test]
fn an_event_is_in_the_sessions_that_the_next_request_is_compared_with() {
    let views = views();
    fold(&views, [click(session("s"), "tent"), click(user("u"), "tent")]);
    assert_eq!(in_sessions_like(&views, &user("u")), ["tent"]);
    fold(
        &views,
        [click(session("s"), "stove"), click(user("u"), "lamp"), interact("gone", user("u"), "hidden")],
    );
    assert_eq!(in_sessions_like(&views, &user("u")), ["stove", "tent"], "its own session is no neighbour");
    assert_eq!(in_sessions_like(&views, &session("s")), ["lamp", "tent"]);
    fold(&views, [Fact::ItemDelete { item: ItemId::trusted("stove") }]);
    assert_eq!(in_sessions_like(&views, &user("u")), ["tent"]);
}

#[test]
fn sessions_of_a_deleted_user_and_erased_ones_are_gone_at_once() {
    let views = views();
    let merge = Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("someone") };
    let delete = Fact::UserDelete { user: UserId::trusted("someone") };
    fold(&views, [click(user("x"), "tent"), click(session("s"), "tent"), click(session("s"), "a"), merge]);
    fold(&views, [click(session("s"), "b"), click(session("t"), "tent"), click(session("t"), "c")]);
    assert_eq!(in_sessions_like(&views, &user("x")), ["a", "b", "c", "tent"]);
    fold(&views, [delete]);
    assert_eq!(in_sessions_like(&views, &user("x")), ["c", "tent"]);
    views.forget_sessions([&SessionId::trusted("t")]).unwrap();
    for views in [&views, &restored(&state(&views))] {
        assert_eq!(in_sessions_like(views, &user("x")), [""; 0]);
    }
}

#[test]
fn a_batch_that_leaves_a_gap_is_refused() {
    let views = views();
    let error = views.apply(&batch(3, &events([click(user("u"), "a")]))).unwrap_err();
    assert!(matches!(error, FeaturesError::Gap { position: 0, first: 3, .. }));
}

#[test]
fn a_damaged_state_is_refused_wherever_it_is_damaged() {
    let views = views();
    fold(&views, [click(user("u"), "a"), click(user("u"), "b"), upsert("a", &[category("x")], None, false)]);
    let bytes = state(&views);
    for index in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[index] ^= 0x10;
        assert!(Views::read_state(schema(), options(), &mut damaged.as_slice()).is_err(), "byte {index}");
        assert!(Views::read_state(schema(), options(), &mut &bytes[..index]).is_err(), "cut at {index}");
    }
    let other = Arc::new(Schema { interactions: [].into(), ..Schema::default() });
    assert!(Views::read_state(other, options(), &mut bytes.as_slice()).is_err());
}

fn fact() -> impl Strategy<Value = Fact> {
    let actor = prop_oneof![
        (0..6u8).prop_map(|id| user(&format!("u{id}"))),
        (0..6u8).prop_map(|id| session(&format!("s{id}"))),
        (0..6u8, 0..6u8).prop_map(|(a, b)| Actor {
            user: Some(UserId::trusted(format!("u{a}"))),
            session: Some(SessionId::trusted(format!("s{b}"))),
        }),
    ];
    let kind = prop::sample::select(vec!["click", "purchase", "undeclared"]);
    prop_oneof![
        12 => (kind, actor, 0..30u8).prop_map(|(kind, actor, item)| interact(kind, actor, &format!("i{item}"))),
        3 => (0..40u8, 0..4u8, prop::option::of(any::<bool>()), any::<bool>()).prop_map(
            |(item, value, available, patch)| {
                upsert(&format!("i{item}"), &[category(&format!("c{value}"))], available, patch)
            }
        ),
        1 => (0..40u8).prop_map(|item| Fact::ItemDelete { item: ItemId::trusted(format!("i{item}")) }),
        1 => (0..6u8, any::<bool>()).prop_map(|(id, patch)| Fact::UserUpsert {
            user: UserId::trusted(format!("u{id}")),
            fields: Fields::new([("country".into(), Value::Categorical("pt".into()))]),
            removed: Vec::new(),
            patch,
        }),
        2 => (0..6u8).prop_map(|id| Fact::UserDelete { user: UserId::trusted(format!("u{id}")) }),
        2 => (0..6u8, 0..6u8).prop_map(|(a, b)| Fact::Merge {
            session: SessionId::trusted(format!("s{a}")),
            user: UserId::trusted(format!("u{b}")),
        }),
        1 => Just(Fact::Erased),
    ]
}

/// A log whose event times jump back and forth by up to two months.
fn log() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((fact(), 0..5_000_000i64), 1..400).prop_map(|facts| {
        let (facts, times): (Vec<Fact>, Vec<i64>) = facts.into_iter().unzip();
        let mut events = events(facts);
        for (event, time) in events.iter_mut().zip(times) {
            event.time = Timestamp::from_seconds(1_755_000_000 + time);
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The reference applies event by event on one thread; the other cuts at random, overlaps its batches, and
    /// restarts from its own bytes in between.
    #[test]
    fn the_same_log_gives_the_same_bytes(
        log in log(),
        cuts in prop::collection::vec((1..60usize, 0..5usize, any::<bool>()), 1..40),
    ) {
        let reference = Views::new(schema(), ViewsOptions { threads: 1, ..options() });
        for (offset, event) in log.iter().enumerate() {
            reference.apply(&batch(offset, std::slice::from_ref(event))).unwrap();
        }
        let mut views = views();
        let mut next = 0;
        for (size, overlap, restart) in cuts.into_iter().chain([(log.len(), 0, false)]) {
            let first = next - overlap.min(next);
            next = (next + size).min(log.len());
            views.apply(&batch(first, &log[first..next])).unwrap();
            if restart {
                views = restored(&state(&views));
            }
        }
        prop_assert_eq!(views.position(), reference.position());
        prop_assert!(state(&views) == state(&reference), "the bytes differ");
        let mut replay = Replay::new(&schema(), &options());
        for (offset, event) in log.iter().enumerate() {
            replay.fold(Partition(0), offset as u64, event);
        }
        // Which remembers all but what each actor did last.
        let forgetful = restored(&state(&views));
        forgetful.state.write().profiles.forget_histories();
        prop_assert!(folded(&replay.state) == folded(&forgetful.state.read()), "a replay's bytes differ");
        for id in 0..6 {
            let actor = user(&format!("u{id}"));
            prop_assert_eq!(views.profile(&actor).unwrap(), reference.profile(&actor).unwrap());
        }
        let any = |_| true;
        for value in ["c0", "c1", "c2", "c3"] {
            let category = Some(("category", value));
            prop_assert_eq!(views.popular(50, &any, category), reference.popular(50, &any, category));
        }
    }
}
