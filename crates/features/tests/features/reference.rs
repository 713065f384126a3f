//! The slow, obvious way: every interaction is kept, and a feature looks at all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use headwater_base::{Actor, Event, Fact, FeatureValue, Fields, Interaction, Timestamp, Value};
use headwater_features::FeatureSpec;
use headwater_features::declared::hop::Hop;
use headwater_features::declared::{
    Aggregate, AggregateSpec, Attribute, Definition, FieldRef, Part, TimeFeature,
};

/// An interaction with what was true when it was received.
#[derive(Clone, Debug)]
struct Seen {
    interaction: Interaction,
    /// Never later than it was received.
    time: i64,
    /// The user, or the anonymous session that stands for one.
    person: Option<String>,
    country: Option<String>,
    category: Option<String>,
}

/// Everything that happened.
#[derive(Default)]
pub(crate) struct Reference {
    seen: Vec<Seen>,
    categories: HashMap<String, Fields>,
    users: HashMap<String, Fields>,
    aliases: HashMap<String, String>,
    first: HashMap<String, Timestamp>,
}

impl Reference {
    pub(crate) fn fold(&mut self, event: &Event) {
        match &event.fact {
            Fact::Interaction(interaction) => {
                self.first.entry(interaction.item.to_string()).or_insert(event.time);
                let person = self.person(&interaction.actor);
                let fields = person.as_ref().and_then(|person| self.users.get(person));
                let seen = Seen {
                    time: event.time.min(event.received).as_micros(),
                    country: fields.and_then(|fields| text(fields, "country")),
                    category: self
                        .categories
                        .get(interaction.item.as_str())
                        .and_then(|f| text(f, "category")),
                    person,
                    interaction: interaction.clone(),
                };
                self.seen.push(seen);
            }
            Fact::ItemUpsert { item, fields, .. } => {
                self.first.entry(item.to_string()).or_insert(event.time);
                self.categories.insert(item.to_string(), fields.clone());
            }
            Fact::UserUpsert { user, fields, .. } => {
                self.users.insert(format!("u:{user}"), fields.clone());
            }
            Fact::Merge { session, user } => {
                let (anonymous, user) = (format!("s:{session}"), format!("u:{user}"));
                if !self.aliases.contains_key(&anonymous) {
                    for seen in &mut self.seen {
                        if seen.person.as_ref() == Some(&anonymous) {
                            seen.person = Some(user.clone());
                        }
                    }
                }
                self.aliases.insert(anonymous, user);
            }
            _ => {}
        }
    }

    fn person(&self, actor: &Actor) -> Option<String> {
        if let Some(user) = &actor.user {
            return Some(format!("u:{user}"));
        }
        let session = format!("s:{}", actor.session.as_ref()?);
        Some(self.aliases.get(&session).cloned().unwrap_or(session))
    }

    pub(crate) fn value(
        &self,
        spec: &FeatureSpec,
        (actor, context, now): (&Actor, &Fields, Timestamp),
        item: &str,
    ) -> FeatureValue {
        let person = self.person(actor);
        let known = self.first.contains_key(item);
        let user_fields = person.as_ref().and_then(|person| self.users.get(person));
        let of_field = |field: &FieldRef| -> Option<Value> {
            match field {
                FieldRef::Item(name) => self.categories.get(item)?.get(name).cloned(),
                FieldRef::User(name) => user_fields?.get(name).cloned(),
                FieldRef::Context(name) => context.get(name).cloned(),
            }
        };
        match &spec.definition {
            Definition::Field(field) => match of_field(field) {
                Some(Value::Categorical(word)) => FeatureValue::Word(word),
                Some(Value::Numeric(number)) => FeatureValue::Number(number as f32),
                _ => FeatureValue::Missing,
            },
            Definition::Time(time) => self.time(*time, actor, now, item),
            Definition::Aggregate(spec) => {
                let mut seen: Vec<&Seen> = self.seen.iter().collect();
                for part in &spec.entity {
                    let wanted = match part {
                        Part::User => person.clone(),
                        Part::Session => actor.session.as_ref().map(ToString::to_string),
                        Part::Item => known.then(|| item.to_owned()),
                        Part::Field(field) => match of_field(field) {
                            Some(Value::Categorical(word)) => Some(word.to_string()),
                            _ => None,
                        },
                    };
                    let Some(wanted) = wanted else { return FeatureValue::Missing };
                    seen.retain(|seen| part_of(seen, part).as_ref() == Some(&wanted));
                }
                aggregate(spec, seen, now)
            }
        }
    }

    fn time(&self, time: TimeFeature, actor: &Actor, now: Timestamp, item: &str) -> FeatureValue {
        let days = now.as_micros() / 86_400_000_000;
        let hour = now.as_micros() / 3_600_000_000 - 24 * days;
        let session = actor.session.as_ref();
        let of_session =
            || self.seen.iter().filter(|seen| seen.interaction.actor.session.as_ref() == session);
        match time {
            TimeFeature::HourOfDay => FeatureValue::Number(hour as f32),
            TimeFeature::DayOfWeek => FeatureValue::Number(((days + 3) % 7) as f32),
            TimeFeature::HourOfWeek => FeatureValue::Number(((days + 3) % 7 * 24 + hour) as f32),
            TimeFeature::ItemAge => match self.first.get(item) {
                Some(first) => FeatureValue::Number((now.seconds_since(*first) as f32).max(0.0)),
                None => FeatureValue::Missing,
            },
            TimeFeature::SessionLength if session.is_some() => {
                FeatureValue::Number(of_session().count() as f32)
            }
            TimeFeature::SessionSeconds if session.is_some() => {
                let first = of_session().map(|seen| seen.time).min();
                first.map_or(FeatureValue::Missing, |first| seconds(now, first))
            }
            _ => FeatureValue::Missing,
        }
    }
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    match fields.get(name) {
        Some(Value::Categorical(word)) => Some(word.to_string()),
        _ => None,
    }
}

fn part_of(seen: &Seen, part: &Part) -> Option<String> {
    match part {
        Part::User => seen.person.clone(),
        Part::Session => seen.interaction.actor.session.as_ref().map(ToString::to_string),
        Part::Item => Some(seen.interaction.item.to_string()),
        Part::Field(FieldRef::Item(_)) => seen.category.clone(),
        Part::Field(FieldRef::User(_)) => seen.country.clone(),
        Part::Field(FieldRef::Context(name)) => text(&seen.interaction.context, name),
    }
}

fn attribute(seen: &Seen, of: &Attribute) -> Option<String> {
    match of {
        Attribute::Value => seen.interaction.value.map(|value| value.to_string()),
        Attribute::Item => Some(seen.interaction.item.to_string()),
        Attribute::User => seen.interaction.actor.user.as_ref().map(ToString::to_string),
        Attribute::Session => seen.interaction.actor.session.as_ref().map(ToString::to_string),
        Attribute::Field(field) => part_of(seen, &Part::Field(field.clone())),
    }
}

fn seconds(now: Timestamp, then: i64) -> FeatureValue {
    FeatureValue::Number(((now.as_micros() - then).max(0) as f64 / 1e6) as f32)
}

fn in_window(window: Option<Duration>, now: Timestamp, time: i64) -> bool {
    let hop = Hop::of(window);
    let tail = window.map_or(0, |window| hop.tile(now.minus(window)));
    hop.tile(Timestamp::from_micros(time)) >= tail
}

fn aggregate(spec: &AggregateSpec, mut seen: Vec<&Seen>, now: Timestamp) -> FeatureValue {
    seen.retain(|seen| {
        let value = seen.interaction.value;
        let conditions = &spec.conditions;
        in_window(spec.window, now, seen.time)
            && conditions.min_value.is_none_or(|min| value.is_some_and(|value| value >= min))
            && conditions.max_value.is_none_or(|max| value.is_some_and(|value| value <= max))
            && conditions.context.iter().all(|(name, words)| {
                text(&seen.interaction.context, name).is_some_and(|word| words.iter().any(|w| *w == word))
            })
    });
    // Stable: of equal times the one received later stays later.
    seen.sort_by_key(|seen| seen.time);
    let of_types = |types: &[_]| -> Vec<&Seen> {
        let typed = seen.iter().filter(|seen| types.is_empty() || types.contains(&seen.interaction.kind));
        typed.copied().collect()
    };
    let weight = |seen: &Seen| {
        let age = (now.as_micros() - seen.time) as f64;
        spec.decay.map_or(1.0, |half| (-age / half.as_micros() as f64).exp2())
    };
    let hits = of_types(&spec.types);
    let values: Vec<f32> = hits.iter().filter_map(|seen| seen.interaction.value).collect();
    // An empty sum of floats is -0.
    let number = |value: f64| FeatureValue::number(value as f32 + 0.0);
    let of_value = |value: Option<f32>| value.map_or(FeatureValue::Missing, FeatureValue::number);
    match &spec.aggregate {
        Aggregate::Count => number(hits.iter().map(|seen| weight(seen)).sum()),
        Aggregate::Sum => number(
            hits.iter().map(|seen| weight(seen) * f64::from(seen.interaction.value.unwrap_or(1.0))).sum(),
        ),
        Aggregate::Mean => {
            let valued =
                hits.iter().filter_map(|seen| Some((weight(seen), f64::from(seen.interaction.value?))));
            let (sum, count) = valued.fold((0.0, 0.0), |(sum, n), (w, value)| (sum + w * value, n + w));
            number(sum / count)
        }
        Aggregate::Min => of_value(values.iter().copied().reduce(f32::min)),
        Aggregate::Max => of_value(values.iter().copied().reduce(f32::max)),
        Aggregate::Last(Attribute::Value) => of_value(values.last().copied()),
        Aggregate::Last(of) => match hits.last() {
            None => FeatureValue::Missing,
            Some(last) => {
                attribute(last, of).map_or(FeatureValue::Missing, |word| FeatureValue::Word(word.into()))
            }
        },
        Aggregate::TimeSince => hits.last().map_or(FeatureValue::Missing, |last| seconds(now, last.time)),
        Aggregate::Rate { total, prior } => {
            let sum = |seen: &[&Seen]| seen.iter().map(|seen| weight(seen)).sum::<f64>();
            let below = of_types(total);
            number((sum(&hits) + f64::from(prior.0)) / (sum(&below) + f64::from(prior.1)))
        }
        Aggregate::Distinct(of) => {
            let all: BTreeSet<String> = hits.iter().filter_map(|seen| attribute(seen, of)).collect();
            number(all.len() as f64)
        }
        Aggregate::Quantile(rank) => {
            let mut values = values;
            values.sort_by(f32::total_cmp);
            // The smallest value that at least this share of all does not exceed.
            let fits = |value: &&f32| {
                values.iter().filter(|other| other <= value).count() as f64 >= rank * values.len() as f64
            };
            of_value(values.iter().find(fits).copied())
        }
        Aggregate::TopK { of, k } => {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            hits.iter()
                .filter_map(|seen| attribute(seen, of))
                .for_each(|word| *counts.entry(word).or_default() += 1);
            let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            FeatureValue::Words(counts.into_iter().take(*k).map(|(word, _)| word.into()).collect())
        }
        Aggregate::LastN { of, n } => {
            let words = hits.iter().rev().filter_map(|seen| attribute(seen, of)).take(*n);
            FeatureValue::Words(words.map(Into::into).collect())
        }
    }
}
