//! What a declaration must satisfy before it is used: names that exist, types that can be, numbers within bounds.
//!
//! Everything is said in the words of the settings: an [`Invalid`] names the key below `[features.NAME]` that is at
//! fault. What a feature costs or whether anybody reads it is not judged here.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use compact_str::CompactString;
use headwater_base::schema::one_of;
use headwater_base::value::FieldType;
use headwater_base::{Invalid, Schema};

use super::hop::{MAX_WINDOW, MIN_WINDOW};
use super::{Aggregate, AggregateSpec, Attribute, Conditions, Definition, FeatureSpec, FieldRef, Part};

/// Longest name of a feature, in bytes.
const MAX_NAME: usize = 64;
/// Most words of a `top_k` or a `last_n`.
pub const MAX_WORDS: usize = 100;

impl FeatureSpec {
    /// Checks the declaration against the declared domain.
    ///
    /// # Errors
    /// The first thing wrong; its field is the key below `[features.NAME]`, or `name`.
    pub fn check(&self, schema: &Schema) -> Result<(), Invalid> {
        check_name(&self.name)?;
        match &self.definition {
            Definition::Aggregate(spec) => spec.check(schema),
            Definition::Field(field) => {
                check_field("field", field, schema, is_readable, &known_fields(schema))
            }
            Definition::Time(_) => Ok(()),
        }
    }
}

/// What `entity` may name: user, session, item and every categorical field.
pub fn known_parts(schema: &Schema) -> Vec<String> {
    let mut known = ["user", "session", "item"].map(str::to_owned).to_vec();
    known.extend(fields(schema, is_categorical));
    known
}

/// What `of` may name beside an aggregate of this name. Users and sessions can be counted, but nobody's id is given back as
/// a word.
pub fn known_attributes(aggregate: &str, schema: &Schema) -> Vec<String> {
    let plain: &[&str] = match aggregate {
        "distinct" => &["value", "item", "user", "session"],
        "last" => &["value", "item"],
        _ => &["item"],
    };
    let mut known: Vec<String> = plain.iter().map(|word| (*word).to_owned()).collect();
    known.extend(fields(schema, is_categorical));
    known
}

/// What `field` may name: every declared field but texts and vectors.
pub fn known_fields(schema: &Schema) -> Vec<String> {
    fields(schema, is_readable)
}

/// The rejection of a word that names nothing of what is `known`, the closest first.
pub fn unknown(key: &str, given: &str, known: &[String]) -> Invalid {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Invalid::new("unknown_field", key, given, one_of(&known, given))
}

fn fields(schema: &Schema, fits: fn(FieldType) -> bool) -> Vec<String> {
    let of = |kind: &str, declared: &BTreeMap<CompactString, FieldType>| {
        let fitting = declared.iter().filter(|(_, field_type)| fits(**field_type));
        fitting.map(|(name, _)| format!("{kind}.{name}")).collect::<Vec<_>>()
    };
    [of("item", &schema.items), of("user", &schema.users), of("context", &schema.context)].concat()
}

fn is_categorical(field_type: FieldType) -> bool {
    field_type == FieldType::Categorical
}

fn is_readable(field_type: FieldType) -> bool {
    !matches!(field_type, FieldType::Text | FieldType::Vector)
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    if begins && name.len() <= MAX_NAME && name.bytes().all(plain) {
        return Ok(());
    }
    let expected = format!("1 to {MAX_NAME} of a-z, 0-9 and `_`, beginning with a letter");
    Err(Invalid::new("invalid_name", "name", name, expected))
}

fn check_field(
    key: &str,
    field: &FieldRef,
    schema: &Schema,
    fits: fn(FieldType) -> bool,
    known: &[String],
) -> Result<(), Invalid> {
    let text = field.to_string();
    match field.field_type(schema) {
        None => Err(unknown(key, &text, known)),
        Some(field_type) if !fits(field_type) => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let expected = format!("{}; {text} is {}", one_of(&known, &text), type_name(field_type));
            Err(Invalid::new("wrong_type", key, text, expected))
        }
        Some(_) => Ok(()),
    }
}

fn type_name(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Categorical => "categorical",
        FieldType::Numeric => "numeric",
        FieldType::Tags => "tags",
        FieldType::Text => "text",
        FieldType::Time => "a time",
        FieldType::Vector => "a vector",
    }
}

impl AggregateSpec {
    fn check(&self, schema: &Schema) -> Result<(), Invalid> {
        check_entity(&self.entity, schema)?;
        let key = format!("aggregate.{}", self.aggregate.name());
        check_types(&key, &self.types, schema)?;
        self.check_parameters(&key, schema)?;
        check_window(self.window)?;
        check_decay(self.decay, &self.aggregate)?;
        check_conditions(&self.conditions, schema)
    }

    fn check_parameters(&self, key: &str, schema: &Schema) -> Result<(), Invalid> {
        let attribute = |of: &Attribute| check_attribute(of, &self.aggregate, schema);
        let words = |key: &str, words: usize| {
            let expected = || format!("a whole number from 1 to {MAX_WORDS}");
            need((1..=MAX_WORDS).contains(&words), key, words, expected)
        };
        match &self.aggregate {
            Aggregate::Count
            | Aggregate::Sum
            | Aggregate::Mean
            | Aggregate::Min
            | Aggregate::Max
            | Aggregate::TimeSince => Ok(()),
            Aggregate::Last(of) | Aggregate::Distinct(of) => attribute(of),
            Aggregate::Quantile(at) => {
                need((0.0..=1.0).contains(at), "aggregate.at", at, || "a number from 0 to 1".to_owned())
            }
            Aggregate::TopK { of, k } => attribute(of).and_then(|()| words("aggregate.k", *k)),
            Aggregate::LastN { of, n } => attribute(of).and_then(|()| words("aggregate.n", *n)),
            Aggregate::Rate { total, prior: (hits, of) } => {
                check_types(key, total, schema)?;
                let sound = hits.is_finite() && of.is_finite() && *hits >= 0.0 && of >= hits;
                need(sound, "aggregate.prior", format!("[{hits}, {of}]"), || {
                    "[hits, total], two finite numbers with 0 <= hits <= total".to_owned()
                })
            }
        }
    }
}

fn need(
    holds: bool,
    key: &str,
    given: impl Display,
    expected: impl FnOnce() -> String,
) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::new("out_of_range", key, given, expected())) }
}

fn check_entity(entity: &[Part], schema: &Schema) -> Result<(), Invalid> {
    for part in entity {
        if let Part::Field(field) = part {
            check_field("entity", field, schema, is_categorical, &known_parts(schema))?;
        }
    }
    let refuse = |code, expected: String| {
        let given: Vec<String> = entity.iter().map(Part::to_string).collect();
        Err(Invalid::new(code, "entity", given.join(" x "), expected))
    };
    let [first, second] = entity else {
        return match entity {
            [_] => Ok(()),
            [] => Err(Invalid::missing("entity", "one part or a pair, as in [\"user\", \"item.category\"]")),
            _ => refuse("too_many_parts", "one part or a pair".to_owned()),
        };
    };
    match (first, second) {
        (first, second) if first == second => {
            refuse("duplicate", format!("`{first}` once: a pair needs two different parts"))
        }
        (Part::User, Part::Session) | (Part::Session, Part::User) => refuse(
            "impossible_pair",
            "`user` or `session` alone: a session is one user's, so the pair is the session".to_owned(),
        ),
        (whole @ Part::User, Part::Field(field @ FieldRef::User(_)))
        | (Part::Field(field @ FieldRef::User(_)), whole @ Part::User)
        | (whole @ Part::Item, Part::Field(field @ FieldRef::Item(_)))
        | (Part::Field(field @ FieldRef::Item(_)), whole @ Part::Item) => refuse(
            "pointless_pair",
            format!("`{whole}` alone: each {whole} has one {field}, so the pair is the {whole}"),
        ),
        _ => Ok(()),
    }
}

fn check_types(key: &str, types: &[CompactString], schema: &Schema) -> Result<(), Invalid> {
    if let Some(given) = types.iter().find(|given| !schema.interactions.contains_key(*given)) {
        let mut invalid = schema.unknown_type(given);
        invalid.field = key.into();
        return Err(invalid);
    }
    once(key, types)
}

fn once(key: &str, words: &[CompactString]) -> Result<(), Invalid> {
    let again = words.iter().enumerate().find(|(index, word)| words[..*index].contains(word));
    match again {
        Some((_, word)) => Err(Invalid::new("duplicate", key, word, format!("`{word}` once"))),
        None => Ok(()),
    }
}

fn check_attribute(of: &Attribute, aggregate: &Aggregate, schema: &Schema) -> Result<(), Invalid> {
    let name = aggregate.name();
    let known = known_attributes(name, schema);
    let given = of.to_string();
    let reason = match of {
        Attribute::Field(field) => {
            return check_field("aggregate.of", field, schema, is_categorical, &known);
        }
        _ if known.contains(&given) => return Ok(()),
        Attribute::Value => "a value is a number",
        Attribute::Item | Attribute::User | Attribute::Session => "nobody's id is shown",
    };
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let expected = format!("{}; `{name}` gives words, and {reason}", one_of(&known, ""));
    Err(Invalid::new("wrong_type", "aggregate.of", given, expected))
}

fn check_window(window: Option<Duration>) -> Result<(), Invalid> {
    let Some(window) = window else { return Ok(()) };
    need((MIN_WINDOW..=MAX_WINDOW).contains(&window), "window", format!("{window:?}"), || {
        let days = MAX_WINDOW.as_secs() / (24 * 3600);
        format!("between {}m and {days}d: no tiles are kept for other windows", MIN_WINDOW.as_secs() / 60)
    })
}

fn check_decay(decay: Option<Duration>, aggregate: &Aggregate) -> Result<(), Invalid> {
    let Some(decay) = decay else { return Ok(()) };
    if !aggregate.decays() {
        let expected = format!("no decay with `{}`: only count, sum, mean and rate decay", aggregate.name());
        return Err(Invalid::new("impossible_decay", "decay", format!("{decay:?}"), expected));
    }
    need(decay > Duration::ZERO, "decay", format!("{decay:?}"), || "a half-life longer than 0s".to_owned())
}

fn check_conditions(conditions: &Conditions, schema: &Schema) -> Result<(), Invalid> {
    for (key, bound) in [("where.value.min", conditions.min_value), ("where.value.max", conditions.max_value)]
    {
        if let Some(bound) = bound {
            need(bound.is_finite(), key, bound, || "a finite number".to_owned())?;
        }
    }
    if let (Some(min), Some(max)) = (conditions.min_value, conditions.max_value) {
        need(min <= max, "where.value", format!("{min} to {max}"), || "min <= max".to_owned())?;
    }
    for (index, (name, words)) in conditions.context.iter().enumerate() {
        let key = format!("where.context.{name}");
        let known: Vec<String> = fields(schema, is_categorical)
            .into_iter()
            .filter(|field| field.starts_with("context."))
            .collect();
        check_field(&key, &FieldRef::Context(name.clone()), schema, is_categorical, &known)?;
        if conditions.context[..index].iter().any(|(other, _)| other == name) {
            return Err(Invalid::new("duplicate", key, name, format!("`{name}` once")));
        }
        if words.is_empty() {
            return Err(Invalid::missing(key, "at least one word"));
        }
        once(&key, words)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
