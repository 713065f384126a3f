//! The declared domain: interaction types and the typed fields of items, users and contexts.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;

use crate::event::{Event, Fact};
use crate::value::{FieldType, MAX_FIELDS, validate_value};
use crate::{Fields, Invalid, Timestamp};

/// How far ahead of the receive time an event time may be.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);
/// The earliest event time taken: 1970-01-01. Before it, a time is a mistake of units or sign.
pub const EARLIEST: Timestamp = Timestamp::EPOCH;
/// Names that an interaction type may not take, since events of these types mean something else.
pub const RESERVED_TYPES: [&str; 1] = ["merge"];

/// A declared interaction type.
#[derive(Clone, Debug, PartialEq)]
pub struct InteractionType {
    /// How much one interaction of this type counts for the objective; 0 counts nothing.
    pub weight: f32,
}

/// What the settings declare about the domain. Pure data; validates events against itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Interaction types by name.
    pub interactions: BTreeMap<CompactString, InteractionType>,
    /// Item fields by name.
    pub items: BTreeMap<CompactString, FieldType>,
    /// User fields by name.
    pub users: BTreeMap<CompactString, FieldType>,
    /// Context fields by name.
    pub context: BTreeMap<CompactString, FieldType>,
    /// Whether people come back to items they already had (a shop) or not (films): with `false`, items already
    /// interacted with are no candidates.
    pub repeats: bool,
}

impl Schema {
    /// The weight of an interaction type; 0 for an undeclared one (an event written under older settings).
    pub fn weight(&self, interaction_type: &str) -> f32 {
        self.interactions.get(interaction_type).map_or(0.0, |declared| declared.weight)
    }

    /// Checks an event against the declared domain and the bounds every event keeps.
    ///
    /// `event.received` must be set: the event time may be at most [`MAX_AHEAD`] later.
    pub fn validate(&self, event: &Event) -> Result<(), Invalid> {
        validate_time(event.time, event.received)?;
        match &event.fact {
            Fact::Interaction(interaction) => {
                if !self.interactions.contains_key(&interaction.kind) {
                    return Err(self.unknown_type(&interaction.kind));
                }
                if let Some(value) = interaction.value
                    && !value.is_finite()
                {
                    return Err(Invalid::new("not_finite", "value", value, "a finite number"));
                }
                validate_fields("context", &self.context, &interaction.context)
            }
            Fact::ItemUpsert { fields, .. } => validate_fields("fields", &self.items, fields),
            Fact::UserUpsert { fields, .. } => validate_fields("fields", &self.users, fields),
            Fact::ItemDelete { .. }
            | Fact::UserDelete { .. }
            | Fact::Merge { .. }
            | Fact::Decision(_)
            | Fact::Erased => Ok(()),
        }
    }

    /// The rejection of an undeclared interaction type; names the declared ones.
    pub fn unknown_type(&self, given: &str) -> Invalid {
        let names: Vec<&str> = self.interactions.keys().map(CompactString::as_str).collect();
        Invalid::new("unknown_type", "type", given, one_of(&names, given))
    }
}

/// Checks that `time` is neither absurdly early nor more than [`MAX_AHEAD`] after `received`.
pub fn validate_time(time: Timestamp, received: Timestamp) -> Result<(), Invalid> {
    if time < EARLIEST {
        return Err(Invalid::new("time_out_of_range", "time", time, "a time after 1970-01-01T00:00:00Z"));
    }
    if time > received.plus(MAX_AHEAD) {
        return Err(Invalid::new(
            "time_in_future",
            "time",
            time,
            format!("a time at most 5 minutes after the server's {received}"),
        ));
    }
    Ok(())
}

fn validate_fields(
    prefix: &str,
    declared: &BTreeMap<CompactString, FieldType>,
    given: &Fields,
) -> Result<(), Invalid> {
    if given.len() > MAX_FIELDS {
        return Err(Invalid::new(
            "too_many_fields",
            prefix,
            given.len(),
            format!("at most {MAX_FIELDS} fields"),
        ));
    }
    for (name, value) in given.iter() {
        let Some(expected) = declared.get(name) else {
            let names: Vec<&str> = declared.keys().map(CompactString::as_str).collect();
            return Err(Invalid::new("unknown_field", name, name, one_of(&names, name)).within(prefix));
        };
        if value.field_type() != *expected {
            return Err(
                Invalid::new("wrong_type", name, format!("{value:?}"), expected.expected()).within(prefix)
            );
        }
        validate_value(name, value).map_err(|invalid| invalid.within(prefix))?;
    }
    Ok(())
}

/// "click or purchase", with the closest name first where one is close to what was given.
pub fn one_of(names: &[&str], given: &str) -> String {
    let mut ordered: Vec<&str> = names.to_vec();
    if let Some(best) = closest(names, given) {
        ordered.retain(|name| *name != best);
        ordered.insert(0, best);
    }
    match ordered.as_slice() {
        [] => "nothing: none is declared in the settings".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The name most like `given`, if any is close enough to be a slip of the keyboard.
pub fn closest<'a>(names: &[&'a str], given: &str) -> Option<&'a str> {
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(name, given), *name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Interaction};
    use crate::{EventId, ItemId, UserId, Value};

    fn schema() -> Schema {
        Schema {
            interactions: [("click", 1.0), ("purchase", 5.0)]
                .map(|(name, weight)| (name.into(), InteractionType { weight }))
                .into(),
            context: [("device".into(), FieldType::Categorical)].into(),
            ..Schema::default()
        }
    }

    fn click(kind: &str) -> Event {
        Event {
            id: EventId::trusted("e1"),
            time: Timestamp::from_seconds(100),
            received: Timestamp::from_seconds(100),
            fact: Fact::Interaction(Interaction {
                kind: kind.into(),
                actor: Actor::user(UserId::trusted("u1")),
                item: ItemId::trusted("i1"),
                value: None,
                request_id: None,
                context: Fields::default(),
            }),
        }
    }

    #[test]
    fn an_unknown_type_names_the_closest_first() {
        let invalid = schema().validate(&click("purchas")).unwrap_err();
        assert_eq!((invalid.code, invalid.field.as_str()), ("unknown_type", "type"));
        assert_eq!(invalid.expected, "purchase or click");
    }

    #[test]
    fn times_too_far_ahead_or_before_the_epoch_are_refused() {
        let mut event = click("click");
        event.time = event.received.plus(MAX_AHEAD);
        assert!(schema().validate(&event).is_ok());
        event.time = event.time.plus(Duration::from_micros(1));
        assert_eq!(schema().validate(&event).unwrap_err().code, "time_in_future");
        event.time = Timestamp::from_micros(-1);
        assert_eq!(schema().validate(&event).unwrap_err().code, "time_out_of_range");
    }

    #[test]
    fn context_is_checked_by_name_and_type() {
        let mut event = click("click");
        let mut with = |name: &str, value| {
            if let Fact::Interaction(interaction) = &mut event.fact {
                interaction.context = Fields::new([(name.into(), value)]);
            }
            schema().validate(&event)
        };
        assert!(with("device", Value::Categorical("tv".into())).is_ok());
        assert_eq!(with("device", Value::Numeric(1.0)).unwrap_err().field, "context.device");
        assert_eq!(with("devise", Value::Numeric(1.0)).unwrap_err().expected, "device");
    }
}
