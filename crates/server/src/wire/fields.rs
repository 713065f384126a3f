//! Typed field values between JSON and the declared schema.

use std::collections::BTreeMap;

use compact_str::CompactString;
use headwater_base::schema::one_of;
use headwater_base::value::FieldType;
use headwater_base::{Fields, Invalid, Timestamp, Value};
use serde_json::value::RawValue;

use super::reader::{Reader, number, parse};
use super::text::Text;

/// The member of an item that is no field: whether it may be recommended.
pub const AVAILABLE: &str = "available";

type Declared = BTreeMap<CompactString, FieldType>;

/// What an upsert's body says.
#[derive(Debug, Default)]
pub struct Upsert {
    /// Field values.
    pub fields: Fields,
    /// Fields that are `null`: taken away by a patch.
    pub removed: Vec<CompactString>,
    /// `available`, where the entity is an item.
    pub available: Option<bool>,
}

/// Reads an item's or a user's fields. `skip` is a member already read by the caller: the id in a bulk form.
pub fn upsert(
    reader: &Reader<'_>,
    declared: &Declared,
    item: bool,
    skip: Option<&str>,
) -> Result<Upsert, Invalid> {
    let mut upsert = Upsert::default();
    for (name, raw) in reader.members().filter(|(name, _)| Some(*name) != skip) {
        if item && name == AVAILABLE {
            upsert.available = parse(name, raw, "true or false")?;
            continue;
        }
        let field_type = field_type(declared, name, item)?;
        if raw.get() == "null" {
            upsert.removed.push(name.into());
        } else {
            upsert.fields.set(name.into(), value(name, field_type, raw)?);
        }
    }
    Ok(upsert)
}

/// Reads a context: an object of declared fields, `null` meaning absent.
pub fn context(declared: &Declared, raw: &RawValue) -> Result<Fields, Invalid> {
    let reader = Reader::of("context", raw)?;
    let mut fields = Fields::default();
    for (name, raw) in reader.members() {
        let within = |invalid: Invalid| invalid.within("context");
        let field_type = field_type(declared, name, false).map_err(within)?;
        if raw.get() != "null" {
            fields.set(name.into(), value(name, field_type, raw).map_err(within)?);
        }
    }
    Ok(fields)
}

fn field_type(declared: &Declared, name: &str, item: bool) -> Result<FieldType, Invalid> {
    declared.get(name).copied().ok_or_else(|| {
        let names = declared.keys().map(CompactString::as_str).chain(item.then_some(AVAILABLE));
        let names: Vec<&str> = names.collect();
        Invalid::new("unknown_field", name, name, one_of(&names, name))
    })
}

fn value(name: &str, field_type: FieldType, raw: &RawValue) -> Result<Value, Invalid> {
    let expected = field_type.expected();
    Ok(match field_type {
        FieldType::Categorical => Value::Categorical(parse::<Text<'_>>(name, raw, expected)?.as_str().into()),
        FieldType::Text => Value::Text(parse::<Text<'_>>(name, raw, expected)?.as_str().into()),
        FieldType::Numeric => Value::Numeric(number(name, raw)?),
        FieldType::Tags => {
            let tags: Vec<Text<'_>> = parse(name, raw, expected)?;
            let mut tags: Vec<CompactString> = tags.iter().map(|tag| tag.as_str().into()).collect();
            tags.sort_unstable();
            tags.dedup();
            Value::Tags(tags)
        }
        FieldType::Time => {
            let text: Text<'_> = parse(name, raw, expected)?;
            let time: Timestamp = text.as_str().parse().map_err(|mut invalid: Invalid| {
                invalid.field = name.into();
                invalid
            })?;
            Value::Time(time)
        }
        FieldType::Vector => {
            let parts: Vec<&RawValue> = parse(name, raw, expected)?;
            let numbers = parts.into_iter().map(|part| number(name, part).map(|number| number as f32));
            Value::Vector(numbers.collect::<Result<_, _>>()?)
        }
    })
}

/// A value as JSON.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Categorical(text) => text.as_str().into(),
        Value::Text(text) => text.as_str().into(),
        Value::Numeric(number) => (*number).into(),
        Value::Tags(tags) => tags.iter().map(|tag| serde_json::Value::from(tag.as_str())).collect(),
        Value::Time(time) => time.to_string().into(),
        Value::Vector(numbers) => numbers.iter().map(|number| serde_json::Value::from(*number)).collect(),
    }
}

/// Fields as a JSON object.
pub fn object(fields: &Fields) -> serde_json::Map<String, serde_json::Value> {
    fields.iter().map(|(name, value)| (name.to_owned(), to_json(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Declared {
        [
            ("category", FieldType::Categorical),
            ("price", FieldType::Numeric),
            ("tags", FieldType::Tags),
            ("since", FieldType::Time),
            ("vector", FieldType::Vector),
        ]
        .map(|(name, field_type)| (name.into(), field_type))
        .into()
    }

    fn read(text: &str) -> Result<Upsert, Invalid> {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        upsert(&Reader::of("body", raw)?, &declared(), true, None)
    }

    #[test]
    fn an_item_round_trips() {
        let text = r#"{"category":"shoes","price":59.5,"since":"2026-11-24T05:00:00Z","tags":["a","b"],"vector":[1.0,2.5]}"#;
        let upsert = read(text).unwrap();
        assert_eq!(serde_json::to_string(&object(&upsert.fields)).unwrap(), text);
        assert_eq!(upsert.available, None);
        let upsert = read(r#"{"available":false,"price":null}"#).unwrap();
        assert_eq!((upsert.available, upsert.removed.as_slice()), (Some(false), &["price".into()][..]));
    }

    #[test]
    fn wrong_values_name_the_field_and_its_type() {
        for (text, code, field, expected) in [
            (r#"{"price":"59"}"#, "wrong_type", "price", "a finite number"),
            (r#"{"price":1e999}"#, "not_finite", "price", "a finite number"),
            (r#"{"category":3}"#, "wrong_type", "category", "a text"),
            (r#"{"tags":"a"}"#, "wrong_type", "tags", "a list of texts"),
            (r#"{"vector":[1,"x"]}"#, "wrong_type", "vector", "a finite number"),
            (r#"{"available":"yes"}"#, "wrong_type", "available", "true or false"),
        ] {
            let invalid = read(text).unwrap_err();
            assert_eq!(
                (invalid.code, invalid.field.as_str(), invalid.expected.as_str()),
                (code, field, expected)
            );
        }
        assert_eq!(read(r#"{"since":"yesterday"}"#).unwrap_err().field, "since");
        let unknown = read(r#"{"categry":"shoes"}"#).unwrap_err();
        assert!(unknown.expected.starts_with("category, "), "{}", unknown.expected);
    }
}
