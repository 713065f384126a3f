//! Every kind of feature there is. A kind that is added does not compile here until it takes its place.

use std::time::Duration;

use headwater_features::FeatureSpec;
use headwater_features::declared::hop::Hop;
use headwater_features::declared::{
    Aggregate, AggregateSpec, Attribute, Conditions, Definition, FieldRef, Part, TimeFeature,
};

use super::world::schema;

const HOUR: Duration = Duration::from_secs(3600);

/// All that `after` leads to, one after the other.
fn all<T>(after: impl Fn(Option<&T>) -> Option<T>) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    while let Some(next) = after(all.last()) {
        all.push(next);
    }
    all
}

fn field(text: &str) -> FieldRef {
    FieldRef::parse(text).expect("a field")
}

/// The aggregates, `of` standing for whatever they may be of.
fn aggregate_after(before: Option<&Aggregate>, of: &Attribute) -> Option<Aggregate> {
    let of = || of.clone();
    Some(match before {
        None => Aggregate::Count,
        Some(Aggregate::Count) => Aggregate::Sum,
        Some(Aggregate::Sum) => Aggregate::Mean,
        Some(Aggregate::Mean) => Aggregate::Min,
        Some(Aggregate::Min) => Aggregate::Max,
        Some(Aggregate::Max) => Aggregate::Last(of()),
        Some(Aggregate::Last(_)) => Aggregate::TimeSince,
        Some(Aggregate::TimeSince) => Aggregate::Rate { total: Vec::new(), prior: (1.0, 4.0) },
        Some(Aggregate::Rate { .. }) => Aggregate::Distinct(of()),
        Some(Aggregate::Distinct(_)) => Aggregate::Quantile(0.5),
        Some(Aggregate::Quantile(_)) => Aggregate::TopK { of: of(), k: 3 },
        Some(Aggregate::TopK { .. }) => Aggregate::LastN { of: of(), n: 3 },
        Some(Aggregate::LastN { .. }) => return None,
    })
}

/// What aggregates are of; fields of each kind that carry a trace.
fn attribute_after(before: Option<&Attribute>) -> Option<Attribute> {
    Some(match before {
        None => Attribute::Value,
        Some(Attribute::Value) => Attribute::Item,
        Some(Attribute::Item) => Attribute::User,
        Some(Attribute::User) => Attribute::Session,
        Some(Attribute::Session) => Attribute::Field(field("item.label")),
        Some(Attribute::Field(FieldRef::Item(_))) => Attribute::Field(field("user.badge")),
        Some(Attribute::Field(FieldRef::User(_))) => Attribute::Field(field("context.screen")),
        Some(Attribute::Field(FieldRef::Context(_))) => return None,
    })
}

/// Parts of entities; fields of few words, so that there is something to aggregate.
fn part_after(before: Option<&Part>) -> Option<Part> {
    Some(match before {
        None => Part::User,
        Some(Part::User) => Part::Session,
        Some(Part::Session) => Part::Item,
        Some(Part::Item) => Part::Field(field("item.category")),
        Some(Part::Field(FieldRef::Item(_))) => Part::Field(field("user.country")),
        Some(Part::Field(FieldRef::User(_))) => Part::Field(field("context.device")),
        Some(Part::Field(FieldRef::Context(_))) => return None,
    })
}

/// A window of each hop.
fn window(hop: Hop) -> (Hop, Option<Duration>) {
    let window = match hop {
        Hop::FiveMinutes => Some(HOUR),
        Hop::Hour => Some(24 * HOUR),
        Hop::Day => Some(14 * 24 * HOUR),
        Hop::Whole => None,
    };
    (hop, window)
}

fn hop_after(before: Option<&Hop>) -> Option<Hop> {
    Some(match before {
        None => Hop::FiveMinutes,
        Some(Hop::FiveMinutes) => Hop::Hour,
        Some(Hop::Hour) => Hop::Day,
        Some(Hop::Day) => Hop::Whole,
        Some(Hop::Whole) => return None,
    })
}

/// Names of all aggregates.
pub(crate) fn aggregate_names() -> Vec<&'static str> {
    let kinds = all(|before: Option<&Aggregate>| aggregate_after(before, &Attribute::Item));
    kinds.iter().map(Aggregate::name).collect()
}

/// Each aggregate of each attribute, the same one once.
fn aggregates() -> Vec<Aggregate> {
    let mut aggregates: Vec<Aggregate> = Vec::new();
    for of in all(attribute_after) {
        for aggregate in all(|before: Option<&Aggregate>| aggregate_after(before, &of)) {
            if !aggregates.contains(&aggregate) {
                aggregates.push(aggregate);
            }
        }
    }
    aggregates
}

/// Each part, and each pair of two.
fn entities() -> Vec<Vec<Part>> {
    let parts = all(part_after);
    let single = parts.iter().map(|part| vec![part.clone()]);
    let pairs = parts.iter().enumerate().flat_map(|(index, first)| {
        parts[index + 1..].iter().map(move |second| vec![first.clone(), second.clone()])
    });
    single.chain(pairs).collect()
}

/// Every aggregate of every attribute, over every entity, window and decay that can be declared, of the interactions
/// whose value is at least `min_value`.
pub(crate) fn aggregate_specs(min_value: Option<f32>) -> Vec<FeatureSpec> {
    let mut specs = Vec::new();
    for entity in entities() {
        for aggregate in aggregates() {
            for (hop, window) in all(hop_after).into_iter().map(window) {
                assert_eq!(Hop::of(window), hop);
                for decay in [None, Some(6 * HOUR)] {
                    let definition = Definition::Aggregate(AggregateSpec {
                        entity: entity.clone(),
                        aggregate: aggregate.clone(),
                        types: vec!["click".into(), "purchase".into()],
                        window,
                        decay,
                        conditions: Conditions { min_value, ..Conditions::default() },
                    });
                    let kind = if min_value.is_some() { "cut" } else { "all" };
                    let name = format!("{kind}_{}", specs.len()).into();
                    let spec = FeatureSpec { name, version: 1, definition };
                    if spec.check(&schema()).is_ok() {
                        specs.push(spec);
                    }
                }
            }
        }
    }
    specs
}

/// Every field and every feature of time.
pub(crate) fn other_specs() -> Vec<FeatureSpec> {
    let schema = schema();
    let names = [("item", &schema.items), ("user", &schema.users), ("context", &schema.context)];
    let fields = names.into_iter().flat_map(|(of, fields)| {
        fields.keys().map(move |name| Definition::Field(field(&format!("{of}.{name}"))))
    });
    let times = TimeFeature::ALL.into_iter().map(|(_, time)| Definition::Time(time));
    let named = fields.chain(times).enumerate();
    named
        .map(|(index, definition)| FeatureSpec {
            name: format!("other_{index}").into(),
            version: 1,
            definition,
        })
        .collect()
}
