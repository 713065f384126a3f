//! What views served is what a replay gives, and a check says where it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_base::feature::feature_schema;
use headwater_base::{
    Actor, Decision, Event, Fact, FeatureValue, ItemId, LoggedFeatures, RequestId, Rung, SessionId, Shown,
    UserId,
};
use headwater_features::agreement::{Agreement, AgreementCheck, AgreementOptions, InPositionOrder};
use headwater_features::declared::{Aggregate, Definition, FieldRef, Part, TimeFeature};
use headwater_features::{FeatureRequest, FeatureSpec, FeaturesError, Replay, Views};
use headwater_log::{Batch, LogError, Offset, Partition};
use proptest::prelude::*;

use super::properties::facts;
use super::world::*;

fn labels(specs: &[FeatureSpec]) -> Vec<String> {
    specs.iter().map(|spec| spec.label().to_string()).collect()
}

fn number(specs: &[FeatureSpec]) -> u64 {
    feature_schema(labels(specs).iter().map(String::as_str))
}

/// A decision for `actor` that showed two items, one of which nobody knows, with the vectors that `views` gave.
fn decided(views: &Views, specs: &[FeatureSpec], actor: Actor, time: i64, id: &str) -> Decision {
    let items = ["i1", "nowhere"].map(ItemId::trusted);
    let context = word("device", "mobile");
    let held = views.hold();
    let known: Vec<_> = items.iter().map(|item| held.item_index(item.as_str())).collect();
    let request = FeatureRequest { actor: &actor, context: &context, time: at(time) };
    let read = held.features(&request, &columns(specs), &known).expect("all in memory");
    let rows = (0..read.len()).map(|item| read.row(item).cloned().collect()).collect();
    let position = held.position().0.clone();
    drop(held);
    let shown = |item: ItemId| Shown { item, score: 1.0, source: "popular".into(), propensity: 1.0 };
    let logged = LoggedFeatures { schema: number(specs), time: at(time), share: 1.0, rows };
    Decision {
        request_id: RequestId::trusted(id),
        surface: "home".into(),
        actor,
        item: None,
        context,
        position,
        model: "".into(),
        settings: 0,
        arms: Vec::new(),
        seed: 0,
        rung: Rung::Popular,
        items: items.map(shown).into(),
        stages: Vec::new(),
        features: Some(Box::new(logged)),
    }
}

fn batch(first: Offset, events: &[Event]) -> Batch {
    Batch { partition: Partition(0), first, events: events.into() }
}

type Entry = Result<(Offset, Event), LogError>;

fn entries(events: &[Event]) -> impl Iterator<Item = Entry> {
    events.iter().cloned().enumerate().map(|(offset, event)| Ok((offset as Offset, event)))
}

/// Checks decisions against a replay of `computed`, where `served` were logged.
fn check(
    events: &[Event],
    decisions: Vec<Decision>,
    served: &[FeatureSpec],
    computed: &[FeatureSpec],
) -> Result<Agreement, FeaturesError> {
    let options = options(computed);
    let replay = Replay::new(&schema(), &options);
    let schemas = BTreeMap::from([(number(served), labels(served))]);
    let settings = AgreementOptions { examples: 3, erased: false };
    let mut check = AgreementCheck::new(entries(events), replay, &options.plan, schemas, settings);
    for decision in decisions {
        check.check(&decision)?;
    }
    Ok(check.finish())
}

/// Decayed features over several entities, windows and half-lives.
fn decayed() -> Vec<FeatureSpec> {
    let rate = || Aggregate::Rate { total: vec!["impression".into()], prior: (1.0, 20.0) };
    let kinds = [Aggregate::Count, Aggregate::Sum, Aggregate::Mean, rate()];
    let windows = [None, Some(HOUR), Some(6 * HOUR), Some(DAY), Some(7 * DAY), Some(30 * DAY)];
    let mut specs = Vec::new();
    for part in [Part::Item, Part::User, Part::Field(FieldRef::Item("category".into()))] {
        for kind in &kinds {
            for window in windows {
                for decay in [HOUR, DAY] {
                    let types: &[&str] = if specs.len() % 3 == 0 { &[] } else { &["click", "purchase"] };
                    let spec =
                        aggregate(std::slice::from_ref(&part), kind.clone(), types, window, Some(decay));
                    specs.push(feature(&format!("d{}", specs.len()), Definition::Aggregate(spec)));
                }
            }
        }
    }
    specs
}

/// Serves some of `all` the features while facts come in, and compares with a replay that computes all of them, in another
/// order.
fn some_agree(facts: Vec<(i64, Fact)>, all: Vec<FeatureSpec>, first: usize, step: usize) -> Agreement {
    let specs: Vec<FeatureSpec> = all.iter().skip(first).step_by(step).cloned().collect();
    let events: Vec<Event> =
        facts.into_iter().zip(0..).map(|((time, fact), at)| event(time, 41 * DAY + at, fact)).collect();
    let views = Views::new(Arc::new(schema()), options(&specs));
    let mut decisions = Vec::new();
    for (index, three) in events.chunks(3).enumerate() {
        views.apply(&batch(3 * index as Offset, three)).expect("a batch that follows");
        let actor = match index % 3 {
            0 => session("s0"),
            1 => Actor { user: Some(UserId::trusted("u1")), session: Some(SessionId::trusted("s1")) },
            _ => user("u2"),
        };
        // Windows end among the events.
        let happened =
            events[..(3 * index + three.len())].iter().map(|event| event.time.as_micros() - START).max();
        let time = happened.unwrap_or(0) + 20 * MINUTE * (index as i64 % 5);
        decisions.push(decided(&views, &specs, actor, time, &format!("r{index}")));
    }
    let mut computed = all;
    computed.reverse();
    let count = decisions.len() as u64;
    let found = check(&events, decisions, &specs, &computed).expect("a log that can be read");
    assert_eq!((found.decisions, found.compared), (count, count * 2 * specs.len() as u64));
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_kind_of_feature_agrees_whatever_else_is_computed(facts in facts(), first in 0..12usize, step in 1..12usize) {
        let found = some_agree(facts, every_kind(), first, step);
        prop_assert_eq!(found.different, 0, "{:?}", found.differences);
        prop_assert!(found.features.iter().all(|one| one.symmetric_error.unwrap_or(0.0) == 0.0));
    }

    #[test]
    fn decayed_features_agree_whatever_else_is_computed(facts in facts(), first in 0..12usize, step in 1..12usize) {
        let found = some_agree(facts, decayed(), first, step);
        prop_assert_eq!(found.different, 0, "{:?}", found.differences);
    }
}

/// Clicks of one user, and what is served after each.
fn site(specs: &[FeatureSpec]) -> (Vec<Event>, Vec<Decision>) {
    let views = Views::new(Arc::new(schema()), options(specs));
    let clicks = (0..4).map(|hour| {
        event(hour * HOUR, hour * HOUR, interaction("click", user("u1"), "i1", Some(hour as f32)))
    });
    let events: Vec<Event> = std::iter::once(event(0, 0, item("i1", "shoes"))).chain(clicks).collect();
    let mut decisions = Vec::new();
    for (offset, one) in events.iter().enumerate() {
        views.apply(&batch(offset as Offset, std::slice::from_ref(one))).expect("a batch that follows");
        decisions.push(decided(&views, specs, user("u1"), 4 * HOUR, &format!("r{offset}")));
    }
    (events, decisions)
}

fn clicks(window: i64) -> FeatureSpec {
    let clicks = aggregate(&[Part::Item], Aggregate::Count, &["click"], Some(window), None);
    feature("clicks", Definition::Aggregate(clicks))
}

fn largest(window: i64) -> FeatureSpec {
    let largest = aggregate(&[Part::User], Aggregate::Max, &["click"], Some(window), None);
    feature("largest", Definition::Aggregate(largest))
}

#[test]
fn a_definition_that_was_changed_behind_is_found() {
    let hour = feature("hour", Definition::Time(TimeFeature::HourOfDay));
    let served = [clicks(HOUR), largest(HOUR), hour.clone()];
    let (events, decisions) = site(&served);
    assert_eq!(check(&events, decisions.clone(), &served, &served).unwrap().different, 0);
    let changed = [clicks(DAY), largest(DAY), hour];
    let found = check(&events, decisions, &served, &changed).unwrap();
    // At hour 4 the clicks of hours 0 to 2 are in the day and not in the hour.
    let [clicks, hour, largest] = &found.features[..] else { panic!("{:?}", found.features) };
    assert_eq!((clicks.compared, clicks.different, clicks.missing, clicks.extra), (10, 4, 0, 0));
    // 1, 2 and 3 instead of 0; 4 instead of 1; the unknown item has no row of its own.
    let error = (3.0 * 2.0 + 2.0 * 3.0 / 5.0) / 5.0;
    assert!((clicks.symmetric_error.unwrap() - error).abs() < 1e-9, "{clicks:?}");
    assert_eq!((hour.compared, hour.different, hour.symmetric_error), (10, 0, Some(0.0)));
    assert_eq!((largest.different, largest.missing, largest.extra), (6, 6, 0));
    assert_eq!((found.compared, found.different), (30, 10));
    assert_eq!(found.differences.len(), 3);
    let first = &found.differences[0];
    assert_eq!((first.feature.as_str(), first.position, first.request_id.as_str()), ("clicks@1", 2, "r1"));
    assert!(first.served.same(&FeatureValue::Number(0.0)) && first.replayed.same(&FeatureValue::Number(1.0)));

    let (events, decisions) = site(&changed);
    let found = check(&events, decisions, &changed, &served).unwrap();
    assert_eq!((found.features[2].missing, found.features[2].extra), (0, 6));
}

#[test]
fn one_bit_of_one_value_is_found() {
    let served = [clicks(DAY)];
    let (events, mut decisions) = site(&served);
    let rows = &mut decisions[3].features.as_mut().unwrap().rows;
    assert!(rows[0][0].same(&FeatureValue::Number(3.0)));
    rows[0][0] = FeatureValue::Number(f32::from_bits(3.0f32.to_bits() + 1));
    let found = check(&events, decisions, &served, &served).unwrap();
    assert_eq!((found.compared, found.different), (10, 1));
}

#[test]
fn what_cannot_be_compared_is_counted_by_reason() {
    let gone = feature("price", Definition::Field(FieldRef::Item("price".into())));
    let served = [clicks(DAY), gone];
    let (events, decisions) = site(&served);
    let found = check(&events, decisions.clone(), &served, &served[..1]).unwrap();
    assert_eq!((found.compared, found.not_computed, found.different), (10, 10, 0));
    assert_eq!((found.features[1].compared, found.features[1].not_computed), (0, 10));

    let mut some = decisions.clone();
    some.swap(3, 4);
    some[0].features.as_mut().unwrap().schema ^= 1;
    some[1].features.as_mut().unwrap().rows.pop();
    let mut later = decisions[4].clone();
    later.position = vec![6];
    some.push(later);
    some.push(Decision { features: None, ..decisions[4].clone() });
    let skipped = check(&events, some.clone(), &served, &served).unwrap();
    let counts = skipped.skipped;
    let all = (counts.unknown_schema, counts.unfitting, counts.overtaken, counts.ahead_of_log);
    assert_eq!((all, counts.total(), skipped.decisions), ((1, 1, 1, 1), 4, 2));

    // A replay that goes on from a checkpoint reaches back to it.
    let options = options(&served);
    let views = Views::new(Arc::new(schema()), options.clone());
    views.apply(&batch(0, &events[..3])).unwrap();
    let schemas = BTreeMap::from([(number(&served), labels(&served))]);
    let settings = AgreementOptions { examples: 3, erased: false };
    let (rest, replay) = (entries(&events).skip(3), Replay::continuing(views));
    let mut check = AgreementCheck::new(rest, replay, &options.plan, schemas, settings);
    decisions.iter().for_each(|decision| check.check(decision).unwrap());
    let found = check.finish();
    assert_eq!((found.skipped.before_log, found.decisions, found.different), (2, 3, 0));
}

#[test]
fn erased_records_excuse_what_they_may_have_been_part_of() {
    let price = feature("category", Definition::Field(FieldRef::Item("category".into())));
    let served = [clicks(DAY), price];
    let (mut events, mut decisions) = site(&served);
    events[2].fact = Fact::Erased;
    decisions[4].features.as_mut().unwrap().rows[0][1] = FeatureValue::Missing;
    let found = check(&events, decisions, &served, &served).unwrap();
    // A field is not: its difference is one.
    assert_eq!((found.erased, found.different, found.compared), (3, 1, 17));
    assert_eq!((found.features[0].missing, found.features[1].erased), (1, 3));
}

#[test]
fn decisions_are_put_in_the_order_of_their_positions() {
    let (_, decisions) = site(&[clicks(DAY)]);
    let order = [1, 0, 3, 2, 4].map(|at| Ok::<_, LogError>(Box::new(decisions[at].clone())));
    let sorted = |window| {
        let sorted =
            InPositionOrder::new(order.clone().into_iter(), window).map(|one| one.unwrap().position[0]);
        sorted.collect::<Vec<_>>()
    };
    assert_eq!(sorted(2), [1, 2, 3, 4, 5]);
    assert_eq!(sorted(1), [2, 1, 4, 3, 5]);
}

#[test]
fn what_else_is_counted_does_not_decide_who_went_idle() {
    let count = |entity: Part, types: &[&str], name: &str| {
        feature(name, Definition::Aggregate(aggregate(&[entity], Aggregate::Count, types, None, None)))
    };
    let category = || Part::Field(FieldRef::Item("category".into()));
    let parts = || [("item", Part::Item), ("session", Part::Session), ("category", category())];
    let clicks: Vec<_> = parts().map(|(name, part)| count(part, &["click"], name)).into();
    let all: Vec<_> = parts().map(|(name, part)| count(part, &[], &format!("all_{name}"))).into();
    // A click, and impressions that keep what it counted for from going idle after 400 days.
    let asks =
        |kind: &str, day: i64| event(day * DAY, day * DAY, interaction(kind, session("s1"), "i1", None));
    let shown = (1..6).map(|round| asks("impression", round * 300));
    let events: Vec<Event> =
        [event(0, 0, item("i1", "shoes")), asks("click", 0)].into_iter().chain(shown).collect();
    let views = Views::new(Arc::new(schema()), options(&clicks));
    views.apply(&batch(0, &events)).unwrap();
    let decisions = vec![decided(&views, &clicks, session("s1"), 1501 * DAY, "r1")];
    let rows = &decisions[0].features.as_ref().unwrap().rows;
    assert!(rows[0].iter().all(|value| value.same(&FeatureValue::Number(1.0))), "{rows:?}");
    let found = check(&events, decisions, &clicks, &[clicks.clone(), all].concat()).unwrap();
    assert_eq!((found.compared, found.different), (6, 0), "{:?}", found.differences);
}

#[test]
fn what_else_is_counted_does_not_decide_which_items_of_a_user_are_kept() {
    let count = |types: &[&str], name: &str| {
        let spec = aggregate(&[Part::User, Part::Item], Aggregate::Count, types, None, None);
        feature(name, Definition::Aggregate(spec))
    };
    let (clicks, shown) = ([count(&["click"], "clicks")], count(&["impression"], "shown"));
    let click = event(0, 0, interaction("click", user("u1"), "i1", None));
    let impressions = (1..600).map(|minute| {
        event(
            minute * MINUTE,
            minute * MINUTE,
            interaction("impression", user("u1"), &format!("other{minute}"), None),
        )
    });
    let events: Vec<Event> = std::iter::once(click).chain(impressions).collect();
    let views = Views::new(Arc::new(schema()), options(&clicks));
    views.apply(&batch(0, &events)).unwrap();
    let decisions = vec![decided(&views, &clicks, user("u1"), 600 * MINUTE, "r1")];
    assert!(decisions[0].features.as_ref().unwrap().rows[0][0].same(&FeatureValue::Number(1.0)));
    let found = check(&events, decisions, &clicks, &[clicks[0].clone(), shown]).unwrap();
    assert_eq!((found.compared, found.different), (2, 0), "{:?}", found.differences);
}
