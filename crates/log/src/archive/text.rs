//! Fields and feature vectors as JSON text that any engine reads, and back without loss.
//!
//! A field is its plain value: `{"brand":"acme","price":12.5,"tags":["a","b"]}`. JSON cannot tell a category from a text
//! or from a time, so that a second text names the types: `{"brand":"categorical","price":"numeric"}`. It is the same
//! for nearly all rows, and costs next to nothing in a dictionary. Numbers are written shortest and parsed as the type
//! they were; what JSON has no number for is a text: `"NaN"`, `"inf"`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use compact_str::CompactString;
use headwater_base::value::FieldType;
use headwater_base::{FeatureValue, Fields, Timestamp, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a text should have been.
pub(super) type Reason = String;

/// The values of `fields`, and their types.
pub(super) fn put_fields(fields: &Fields) -> (String, String) {
    let (mut values, mut types) = ("{".to_owned(), "{".to_owned());
    for (name, value) in fields.iter() {
        for text in [&mut values, &mut types] {
            if text.len() > 1 {
                text.push(',');
            }
            put_json(text, name);
            text.push(':');
        }
        put_value(&mut values, value);
        put_json(&mut types, &value.field_type());
    }
    values.push('}');
    types.push('}');
    (values, types)
}

/// Reads what [`put_fields`] wrote.
pub(super) fn take_fields(values: &str, types: &str) -> Result<Fields, Reason> {
    let values: BTreeMap<Cow<'_, str>, &RawValue> = take_json(values)?;
    let types: BTreeMap<Cow<'_, str>, FieldType> = take_json(types)?;
    let mut fields = Fields::default();
    for (name, value) in values {
        let kind = types.get(&name).ok_or_else(|| format!("the field `{name}` has no type"))?;
        fields.set(CompactString::from(name), take_value(*kind, value)?);
    }
    Ok(fields)
}

fn put_value(out: &mut String, value: &Value) {
    match value {
        Value::Categorical(text) => put_json(out, text.as_str()),
        Value::Numeric(number) => put_double(out, *number),
        Value::Tags(tags) => put_json(out, tags),
        Value::Text(text) => put_json(out, text),
        Value::Time(time) => put_json(out, &time.to_string()),
        Value::Vector(vector) => put_list(out, vector, |out, number| put_float(out, *number)),
    }
}

fn take_value(kind: FieldType, raw: &RawValue) -> Result<Value, Reason> {
    let raw = raw.get();
    Ok(match kind {
        FieldType::Categorical => Value::Categorical(take_json(raw)?),
        FieldType::Numeric => Value::Numeric(number(raw)?),
        FieldType::Tags => Value::Tags(take_json(raw)?),
        FieldType::Text => Value::Text(take_json(raw)?),
        FieldType::Time => Value::Time(moment(&take_json::<Cow<'_, str>>(raw)?)?),
        FieldType::Vector => {
            let numbers: Vec<&RawValue> = take_json(raw)?;
            Value::Vector(numbers.into_iter().map(|raw| number(raw.get())).collect::<Result<_, _>>()?)
        }
    })
}

/// The vector of one item: null, numbers, words and lists of words.
pub(super) fn put_features(values: &[FeatureValue]) -> String {
    let mut out = String::new();
    put_list(&mut out, values, |out, value| match value {
        FeatureValue::Missing => out.push_str("null"),
        // A text within an array stands for a word, so that a number that JSON lacks is wrapped.
        FeatureValue::Number(number) if !number.is_finite() => {
            out.push_str("{\"number\":");
            put_float(out, *number);
            out.push('}');
        }
        FeatureValue::Number(number) => put_float(out, *number),
        FeatureValue::Word(word) => put_json(out, word.as_str()),
        FeatureValue::Words(words) => put_list(out, words, |out, word| put_json(out, word.as_str())),
    });
    out
}

/// Reads what [`put_features`] wrote.
pub(super) fn take_features(text: &str) -> Result<Vec<FeatureValue>, Reason> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        number: &'a RawValue,
    }
    let values: Vec<&RawValue> = take_json(text)?;
    let value = |raw: &RawValue| {
        let raw = raw.get();
        Ok(match raw.as_bytes().first() {
            Some(b'n') => FeatureValue::Missing,
            Some(b'"') => FeatureValue::Word(take_json(raw)?),
            Some(b'[') => FeatureValue::Words(take_json::<Vec<CompactString>>(raw)?.into()),
            Some(b'{') => FeatureValue::Number(number(take_json::<Wrapped<'_>>(raw)?.number.get())?),
            _ => FeatureValue::Number(number(raw)?),
        })
    };
    values.into_iter().map(value).collect()
}

/// Any plain value as JSON.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = String::new();
    put_json(&mut out, value);
    out
}

/// Reads what [`json`] wrote.
pub(super) fn take_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Reason> {
    serde_json::from_str(text).map_err(|error| format!("`{text}` is not what was expected: {error}"))
}

fn put_json<T: Serialize + ?Sized>(out: &mut String, value: &T) {
    // Texts, lists of texts and names of types always have a JSON form.
    out.push_str(&serde_json::to_string(value).unwrap_or_default());
}

fn put_list<T>(out: &mut String, values: &[T], mut put: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put(out, value);
    }
    out.push(']');
}

fn put_double(out: &mut String, number: f64) {
    if number.is_finite() { put_json(out, &number) } else { put_json(out, &number.to_string()) }
}

fn put_float(out: &mut String, number: f32) {
    if number.is_finite() { put_json(out, &number) } else { put_json(out, &number.to_string()) }
}

fn number<T: FromStr>(raw: &str) -> Result<T, Reason> {
    raw.trim_matches('"').parse().map_err(|_| format!("`{raw}` is no number"))
}

/// A time as [`Timestamp`] prints it, with the microseconds of those that no calendar has.
fn moment(text: &str) -> Result<Timestamp, Reason> {
    let micros = text.strip_suffix("us").and_then(|micros| micros.parse().ok());
    match micros {
        Some(micros) => Ok(Timestamp::from_micros(micros)),
        None => text.parse().map_err(|_| format!("`{text}` is no time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_read_like_plain_json() {
        let fields = Fields::new([
            ("brand".into(), Value::Categorical("acme".into())),
            ("price".into(), Value::Numeric(12.5)),
            ("sizes".into(), Value::Tags(vec!["l".into(), "xl".into()])),
            ("since".into(), Value::Time("2026-11-24T05:00:00.123456Z".parse().unwrap())),
            ("taste".into(), Value::Vector(vec![0.1, -2.0])),
        ]);
        let (values, types) = put_fields(&fields);
        assert_eq!(
            values,
            r#"{"brand":"acme","price":12.5,"since":"2026-11-24T05:00:00.123456Z","sizes":["l","xl"],"taste":[0.1,-2.0]}"#
        );
        assert_eq!(
            types,
            r#"{"brand":"categorical","price":"numeric","since":"time","sizes":"tags","taste":"vector"}"#
        );
        assert_eq!(take_fields(&values, &types).unwrap(), fields);
    }

    #[test]
    fn numbers_come_back_to_the_bit() {
        for bits in [0, 1, 0x8000_0000, 0x7f80_0000, 0xff80_0000, 0x0080_0000, 0x3dcc_cccd, 0x7f7f_ffff_u32] {
            let value = FeatureValue::Number(f32::from_bits(bits));
            let text = put_features(std::slice::from_ref(&value));
            assert!(take_features(&text).unwrap()[0].same(&value), "{text}");
        }
        for number in [5e-324, f64::MAX, -0.0, 0.1 + 0.2, f64::NEG_INFINITY] {
            let fields = Fields::new([("n".into(), Value::Numeric(number))]);
            let (values, types) = put_fields(&fields);
            let Some(Value::Numeric(back)) = take_fields(&values, &types).unwrap().get("n").cloned() else {
                panic!("{values} lost its number");
            };
            assert_eq!(back.to_bits(), number.to_bits());
        }
    }

    #[test]
    fn a_word_that_looks_like_a_number_stays_a_word() {
        let values = [
            FeatureValue::Word("inf".into()),
            FeatureValue::Missing,
            FeatureValue::Words(vec!["null".into(), "1".into()].into()),
            FeatureValue::Words(Vec::new().into()),
            FeatureValue::Number(f32::INFINITY),
        ];
        let text = put_features(&values);
        assert_eq!(text, r#"["inf",null,["null","1"],[],{"number":"inf"}]"#);
        assert_eq!(take_features(&text).unwrap(), values);
    }

    #[test]
    fn what_was_not_written_here_is_refused() {
        assert!(take_fields("{\"a\":1}", "{}").unwrap_err().contains("`a` has no type"));
        assert!(take_fields("{\"a\":\"x\"}", "{\"a\":\"numeric\"}").unwrap_err().contains("no number"));
        assert!(take_fields("[1]", "{}").is_err());
        assert!(take_features("[true]").is_err());
    }
}
