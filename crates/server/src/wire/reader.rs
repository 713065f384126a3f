//! Reads one JSON object field by field, so that an error can name the field, its value and what was expected.

use std::fmt;

use headwater_base::Invalid;
use headwater_base::id::validate_id;
use headwater_base::schema::one_of;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::Text;

/// The members of an object, each value still raw.
pub struct Reader<'a> {
    members: Vec<(Text<'a>, &'a RawValue)>,
    taken: Vec<&'static str>,
}

struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'a> Reader<'a> {
    /// Reads an object that is known to be valid JSON; `field` names it in the error.
    pub fn of(field: &str, raw: &'a RawValue) -> Result<Self, Invalid> {
        let Ok(Members(members)) = serde_json::from_str(raw.get()) else {
            return Err(Invalid::new("wrong_type", field, raw.get(), "an object"));
        };
        for (place, (name, raw)) in members.iter().enumerate() {
            if members[..place].iter().any(|(earlier, _)| earlier == name) {
                return Err(Invalid::new("duplicate_field", name.as_str(), raw.get(), "each field once"));
            }
        }
        Ok(Self { members, taken: Vec::new() })
    }

    /// Names and raw values of all members, `null` included.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> + '_ {
        self.members.iter().map(|(name, raw)| (name.as_str(), *raw))
    }

    /// The raw value of a member; `None` where it is absent or `null`.
    pub fn raw(&mut self, field: &'static str) -> Option<&'a RawValue> {
        self.taken.push(field);
        let member = self.members.iter().find(|(name, _)| name.as_str() == field);
        member.map(|(_, raw)| *raw).filter(|raw| raw.get() != "null")
    }

    /// A text.
    pub fn text(&mut self, field: &'static str) -> Result<Option<Text<'a>>, Invalid> {
        self.raw(field).map(|raw| parse(field, raw, "a text")).transpose()
    }

    /// An id within the bounds of ids.
    pub fn id(&mut self, field: &'static str) -> Result<Option<Text<'a>>, Invalid> {
        let id = self.text(field)?;
        if let Some(id) = &id {
            validate_id(field, id.as_str())?;
        }
        Ok(id)
    }

    /// A list of ids.
    pub fn ids(&mut self, field: &'static str, most: usize) -> Result<Vec<Text<'a>>, Invalid> {
        let Some(raw) = self.raw(field) else { return Ok(Vec::new()) };
        let ids: Vec<Text<'a>> = parse(field, raw, "a list of ids")?;
        if ids.len() > most {
            return Err(Invalid::new("too_long", field, ids.len(), format!("at most {most} ids")));
        }
        for id in &ids {
            validate_id(field, id.as_str())?;
        }
        Ok(ids)
    }

    /// A finite number.
    pub fn number(&mut self, field: &'static str) -> Result<Option<f64>, Invalid> {
        self.raw(field).map(|raw| number(field, raw)).transpose()
    }

    /// A whole number, not negative.
    pub fn count(&mut self, field: &'static str) -> Result<Option<usize>, Invalid> {
        self.raw(field).map(|raw| parse(field, raw, "a whole number")).transpose()
    }

    /// True or false.
    pub fn flag(&mut self, field: &'static str) -> Result<Option<bool>, Invalid> {
        self.raw(field).map(|raw| parse(field, raw, "true or false")).transpose()
    }

    /// Refuses members that nobody asked for.
    pub fn finish(self) -> Result<(), Invalid> {
        let unknown = self.members.iter().find(|(name, _)| !self.taken.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some((name, _)) => {
                let expected = one_of(&self.taken, name.as_str());
                Err(Invalid::new("unknown_field", name.as_str(), name.as_str(), expected))
            }
        }
    }
}

/// Parses a raw value, or says what was expected in its place.
pub fn parse<'a, T: Deserialize<'a>>(field: &str, raw: &'a RawValue, expected: &str) -> Result<T, Invalid> {
    serde_json::from_str(raw.get()).map_err(|_| Invalid::new("wrong_type", field, raw.get(), expected))
}

/// Parses a number; one that JSON can write but a double cannot hold is not finite.
pub fn number(field: &str, raw: &RawValue) -> Result<f64, Invalid> {
    let text = raw.get();
    let looks_numeric = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    match serde_json::from_str::<f64>(text) {
        Ok(number) if number.is_finite() => Ok(number),
        _ if looks_numeric => Err(Invalid::new("not_finite", field, text, "a finite number")),
        _ => Err(Invalid::new("wrong_type", field, text, "a finite number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_mistake_names_its_field_value_and_expectation() {
        let mut reader =
            Reader::of("body", raw(r#"{"limit":"ten","user":7,"explain":1,"x":1e999}"#)).unwrap();
        let limit = reader.count("limit").unwrap_err();
        assert_eq!(
            (limit.code, limit.value.as_str(), limit.expected.as_str()),
            ("wrong_type", "\"ten\"", "a whole number")
        );
        assert_eq!(reader.id("user").unwrap_err().expected, "a text");
        assert_eq!(reader.flag("explain").unwrap_err().expected, "true or false");
        assert_eq!(reader.number("x").unwrap_err().code, "not_finite");
    }

    #[test]
    fn unknown_and_repeated_members_are_refused() {
        let mut reader = Reader::of("body", raw(r#"{"sesion":"s"}"#)).unwrap();
        assert_eq!(reader.text("session").unwrap(), None);
        let unknown = reader.finish().unwrap_err();
        assert_eq!(
            (unknown.code, unknown.field.as_str(), unknown.expected.as_str()),
            ("unknown_field", "sesion", "session")
        );
        assert_eq!(Reader::of("body", raw(r#"{"a":1,"a":2}"#)).err().unwrap().code, "duplicate_field");
        assert_eq!(Reader::of("body", raw("[1]")).err().unwrap().code, "wrong_type");
    }
}
