//! What a value says of the time it is from, and whether that is the past.

use headwater_base::{Event, Fact, FeatureValue, Timestamp};
use headwater_features::FeatureSpec;
use headwater_features::declared::{Aggregate, Attribute, Definition, FieldRef, TimeFeature};
use headwater_training::examples::Example;

use super::declared::{aggregate_specs, other_specs};
use super::world::{at, seconds};

/// The features under test, and the trace from which on those of the cut count.
pub(crate) struct Features {
    pub(crate) specs: Vec<FeatureSpec>,
    cut: i64,
}

/// What an example may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    /// The latest trace of the log.
    pub(crate) latest: i64,
    /// The trace of the moment itself, which its context carries.
    pub(crate) moment: i64,
    /// What the log held.
    pub(crate) before: &'a [Event],
}

impl Features {
    pub(crate) fn cut_at(cut: i64) -> Self {
        let mut specs = aggregate_specs(None);
        specs.extend(aggregate_specs(Some(cut as f32)));
        specs.extend(other_specs());
        Self { specs, cut }
    }

    /// Each feature of the example that holds what is later than allowed, and what it says.
    pub(crate) fn leaks(&self, example: &Example, limits: Limits<'_>) -> Vec<(&FeatureSpec, String)> {
        assert_eq!(example.features.len(), self.specs.len());
        let leak = |(spec, value)| Some((spec, self.leak(spec, value, example, limits)?));
        self.specs.iter().zip(&example.features).filter_map(leak).collect()
    }

    fn leak(
        &self,
        spec: &FeatureSpec,
        value: &FeatureValue,
        example: &Example,
        limits: Limits<'_>,
    ) -> Option<String> {
        match &spec.definition {
            Definition::Field(field) => {
                let limit = match field {
                    FieldRef::Item(_) | FieldRef::User(_) => limits.latest,
                    FieldRef::Context(_) => limits.moment,
                };
                let said = said_by_field(field, value, example.time);
                said.into_iter().find(|said| *said > limit).map(|said| format!("{value:?} is of {said}"))
            }
            Definition::Time(time) => {
                let wanted = reckoned(*time, example, limits.before);
                (!value.same(&wanted)).then(|| format!("{value:?} instead of {wanted:?}"))
            }
            Definition::Aggregate(aggregated) => {
                let of_future = aggregated.conditions.min_value.is_some() && limits.latest < self.cut;
                if of_future && !is_nothing(&aggregated.aggregate, value) {
                    return Some(format!("{value:?} of what is to come from {} on", self.cut));
                }
                let said = said_by_aggregate(&aggregated.aggregate, value);
                said.into_iter().find(|said| *said > limits.latest as f32).map(|said| format!("of {said}"))
            }
        }
    }

    /// Features of the cut whose value is not what it is when nothing happened.
    pub(crate) fn seen<'a>(&'a self, example: &'a Example) -> impl Iterator<Item = usize> + 'a {
        let pairs = self.specs.iter().zip(&example.features).enumerate();
        pairs.filter_map(|(index, (spec, value))| match &spec.definition {
            Definition::Aggregate(spec) if spec.conditions.min_value.is_some() => {
                (!is_nothing(&spec.aggregate, value)).then_some(index)
            }
            _ => None,
        })
    }
}

/// Whether a value is that of an aggregate over no interaction, or of an entity that is not there.
fn is_nothing(aggregate: &Aggregate, value: &FeatureValue) -> bool {
    let nothing = match aggregate {
        Aggregate::Count | Aggregate::Sum | Aggregate::Distinct(_) => FeatureValue::Number(0.0),
        Aggregate::Rate { prior: (hits, total), .. } => FeatureValue::Number(hits / total),
        Aggregate::TopK { .. } | Aggregate::LastN { .. } => FeatureValue::Words([].into()),
        Aggregate::Mean
        | Aggregate::Min
        | Aggregate::Max
        | Aggregate::Last(_)
        | Aggregate::TimeSince
        | Aggregate::Quantile(_) => FeatureValue::Missing,
    };
    *value == FeatureValue::Missing || value.same(&nothing)
}

/// The traces that words carry.
fn in_words(value: &FeatureValue) -> Vec<i64> {
    let of = |word: &str| word.strip_prefix('t').and_then(|trace| trace.parse().ok());
    match value {
        FeatureValue::Word(word) => of(word).into_iter().collect(),
        FeatureValue::Words(words) => words.iter().filter_map(|word| of(word)).collect(),
        FeatureValue::Number(_) | FeatureValue::Missing => Vec::new(),
    }
}

fn said_by_field(field: &FieldRef, value: &FeatureValue, now: Timestamp) -> Vec<i64> {
    match (field, value) {
        (FieldRef::Item(name), FeatureValue::Number(age)) if name == "since" => {
            vec![seconds(now) - *age as i64]
        }
        (_, FeatureValue::Number(trace)) => vec![*trace as i64],
        (_, value) => in_words(value),
    }
}

/// The traces that an aggregate's value carries openly; those of the cut answer for the others.
fn said_by_aggregate(aggregate: &Aggregate, value: &FeatureValue) -> Vec<f32> {
    match aggregate {
        // The mean and a quantile of traces are no later than the latest.
        Aggregate::Mean
        | Aggregate::Min
        | Aggregate::Max
        | Aggregate::Last(Attribute::Value)
        | Aggregate::Quantile(_) => match value {
            FeatureValue::Number(trace) => vec![*trace],
            _ => Vec::new(),
        },
        Aggregate::Last(_) | Aggregate::TopK { .. } | Aggregate::LastN { .. } => {
            in_words(value).into_iter().map(|trace| trace as f32).collect()
        }
        Aggregate::Count
        | Aggregate::Sum
        | Aggregate::TimeSince
        | Aggregate::Rate { .. }
        | Aggregate::Distinct(_) => Vec::new(),
    }
}

/// A feature of time, from what the log held before.
fn reckoned(time: TimeFeature, example: &Example, before: &[Event]) -> FeatureValue {
    let hours = example.time.as_micros() / 3_600_000_000;
    let in_session = || {
        before.iter().filter(|event| match &event.fact {
            Fact::Interaction(interaction) => interaction.actor.session == example.actor.session,
            _ => false,
        })
    };
    let since = |time: Timestamp| FeatureValue::Number(example.time.seconds_since(time) as f32);
    match time {
        TimeFeature::HourOfDay => FeatureValue::Number((hours % 24) as f32),
        // The first day was a Thursday.
        TimeFeature::DayOfWeek => FeatureValue::Number(((hours / 24 + 3) % 7) as f32),
        TimeFeature::HourOfWeek => FeatureValue::Number(((hours + 3 * 24) % 168) as f32),
        TimeFeature::SessionLength | TimeFeature::SessionSeconds if example.actor.session.is_none() => {
            FeatureValue::Missing
        }
        TimeFeature::SessionLength => FeatureValue::Number(in_session().count() as f32),
        TimeFeature::SessionSeconds => {
            in_session().map(|event| event.time).min().map_or(FeatureValue::Missing, since)
        }
        TimeFeature::ItemAge => {
            let first = before.iter().find(|event| match &event.fact {
                Fact::Interaction(interaction) => interaction.item == example.item,
                Fact::ItemUpsert { item, .. } => *item == example.item,
                _ => false,
            });
            first.map_or(FeatureValue::Missing, |event| since(event.time))
        }
    }
}

/// A moment from which on everything is the past.
pub(crate) fn end() -> Timestamp {
    at(10_000_000)
}
