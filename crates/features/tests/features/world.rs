//! A small shop: its schema, and events written briefly.

use std::sync::Arc;
use std::time::Duration;

use headwater_base::schema::InteractionType;
use headwater_base::value::FieldType;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, SessionId, Timestamp, UserId, Value,
};
use headwater_features::declared::{
    Aggregate, AggregateSpec, Attribute, Conditions, Definition, FieldRef, Part, TimeFeature,
};
use headwater_features::{FeatureSpec, Plan, ViewsOptions};

pub(crate) const MINUTE: i64 = 60_000_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// 2026-01-01; events happen after it.
pub(crate) const START: i64 = 1_767_225_600_000_000;

pub(crate) fn schema() -> Schema {
    Schema {
        interactions: ["click", "impression", "purchase"]
            .map(|name| (name.into(), InteractionType { weight: 1.0 }))
            .into(),
        items: [
            ("category".into(), FieldType::Categorical),
            ("price".into(), FieldType::Numeric),
            ("tags".into(), FieldType::Tags),
        ]
        .into(),
        users: [("country".into(), FieldType::Categorical)].into(),
        context: [("device".into(), FieldType::Categorical)].into(),
        repeats: true,
    }
}

pub(crate) fn options(specs: &[FeatureSpec]) -> ViewsOptions {
    ViewsOptions {
        plan: Arc::new(Plan::new(specs, &schema()).expect("features that compile")),
        idle_sessions: Duration::from_secs(400 * 24 * 3600),
        threads: 1,
        ..ViewsOptions::default()
    }
}

pub(crate) fn columns(specs: &[FeatureSpec]) -> Vec<usize> {
    (0..specs.len()).collect()
}

/// A word of a field.
pub(crate) fn word(name: &str, word: &str) -> Fields {
    Fields::new([(name.into(), Value::Categorical(word.into()))])
}

pub(crate) fn user(id: &str) -> Actor {
    Actor::user(UserId::trusted(id))
}

pub(crate) fn session(id: &str) -> Actor {
    Actor::session(SessionId::trusted(id))
}

pub(crate) fn interaction(kind: &str, actor: Actor, item: &str, value: Option<f32>) -> Fact {
    Fact::Interaction(Interaction {
        kind: kind.into(),
        actor,
        item: ItemId::trusted(item),
        value,
        request_id: None,
        context: Fields::default(),
    })
}

pub(crate) fn item(id: &str, category: &str) -> Fact {
    Fact::ItemUpsert {
        item: ItemId::trusted(id),
        fields: word("category", category),
        removed: Vec::new(),
        available: None,
        patch: false,
    }
}

/// A fact that happened, and was received, so many microseconds after [`START`].
pub(crate) fn event(time: i64, received: i64, fact: Fact) -> Event {
    Event {
        id: EventId::trusted(format!("e{time}-{received}")),
        time: at(time),
        received: at(received),
        fact,
    }
}

pub(crate) fn at(time: i64) -> Timestamp {
    Timestamp::from_micros(START + time)
}

pub(crate) fn feature(name: &str, definition: Definition) -> FeatureSpec {
    FeatureSpec { name: name.into(), version: 1, definition }
}

pub(crate) fn aggregate(
    entity: &[Part],
    aggregate: Aggregate,
    types: &[&str],
    window: Option<i64>,
    decay: Option<i64>,
) -> AggregateSpec {
    AggregateSpec {
        entity: entity.to_vec(),
        aggregate,
        types: types.iter().map(|name| (*name).into()).collect(),
        window: window.map(|micros| Duration::from_micros(micros as u64)),
        decay: decay.map(|micros| Duration::from_micros(micros as u64)),
        conditions: Conditions::default(),
    }
}

/// Every kind of feature over several entities and windows.
pub(crate) fn every_kind() -> Vec<FeatureSpec> {
    let category = || Part::Field(FieldRef::Item("category".into()));
    let country = || Part::Field(FieldRef::User("country".into()));
    let device = || Part::Field(FieldRef::Context("device".into()));
    let entities = [
        vec![Part::User],
        vec![Part::Session],
        vec![Part::Item],
        vec![category()],
        vec![country()],
        vec![Part::User, category()],
        vec![Part::Item, Part::User],
        vec![device(), Part::Item],
        vec![country(), category()],
    ];
    let of_category = || Attribute::Field(FieldRef::Item("category".into()));
    let kinds: Vec<(Aggregate, &[&str], Option<i64>)> = vec![
        (Aggregate::Count, &["click"], None),
        (Aggregate::Count, &[], Some(6 * HOUR)),
        (Aggregate::Sum, &["purchase"], None),
        (Aggregate::Sum, &["click"], Some(DAY)),
        (Aggregate::Mean, &["purchase"], None),
        (Aggregate::Mean, &[], Some(DAY)),
        (Aggregate::Min, &["purchase"], None),
        (Aggregate::Max, &["purchase", "click"], None),
        (Aggregate::Last(Attribute::Value), &["purchase"], None),
        (Aggregate::Last(of_category()), &["click"], None),
        (Aggregate::Last(Attribute::Item), &[], None),
        (Aggregate::TimeSince, &["click"], None),
        (Aggregate::Rate { total: vec!["impression".into()], prior: (1.0, 20.0) }, &["click"], None),
        (Aggregate::Rate { total: vec!["impression".into()], prior: (0.0, 0.0) }, &["click"], Some(DAY)),
        (Aggregate::Distinct(Attribute::Item), &[], None),
        (Aggregate::Distinct(Attribute::User), &[], None),
        (Aggregate::Quantile(0.5), &[], None),
        (Aggregate::TopK { of: of_category(), k: 2 }, &[], None),
        (Aggregate::LastN { of: Attribute::Item, n: 3 }, &["click", "purchase"], None),
    ];
    let mut specs = Vec::new();
    for entity in &entities {
        for (kind, types, decay) in &kinds {
            for window in [None, Some(HOUR), Some(DAY), Some(7 * DAY), Some(30 * DAY)] {
                let name = format!("f{}", specs.len());
                let spec = aggregate(entity, kind.clone(), types, window, *decay);
                specs.push(feature(&name, Definition::Aggregate(spec)));
            }
        }
    }
    let mut conditioned = aggregate(&[Part::Item], Aggregate::Count, &[], Some(DAY), None);
    conditioned.conditions = Conditions {
        min_value: Some(2.0),
        max_value: Some(4.0),
        context: vec![("device".into(), vec!["mobile".into()])],
    };
    specs.push(feature("conditioned", Definition::Aggregate(conditioned)));
    for field in ["item.category", "item.price", "user.country", "context.device"] {
        specs.push(feature(field, Definition::Field(FieldRef::parse(field).expect("a field"))));
    }
    for (name, time) in TimeFeature::ALL {
        specs.push(feature(name, Definition::Time(time)));
    }
    specs
}
