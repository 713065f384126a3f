//! Fields: names with typed values.

use compact_str::CompactString;
use headwater_base::{Fields, Timestamp, Value};

use super::CodecError;
use super::wire::{Input, put_signed, put_text, put_unsigned};

const CATEGORICAL: u8 = 0;
const NUMERIC: u8 = 1;
const TAGS: u8 = 2;
const TEXT: u8 = 3;
const TIME: u8 = 4;
const VECTOR: u8 = 5;

/// Appends a count, then name, type tag and value of each field.
pub(super) fn put(out: &mut Vec<u8>, fields: &Fields) {
    put_unsigned(out, fields.len() as u64);
    for (name, value) in fields.iter() {
        put_text(out, name);
        put_value(out, value);
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Categorical(text) => {
            out.push(CATEGORICAL);
            put_text(out, text);
        }
        Value::Numeric(number) => {
            out.push(NUMERIC);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Tags(tags) => {
            out.push(TAGS);
            put_names(out, tags);
        }
        Value::Text(text) => {
            out.push(TEXT);
            put_text(out, text);
        }
        Value::Time(time) => {
            out.push(TIME);
            put_signed(out, time.as_micros());
        }
        Value::Vector(vector) => {
            out.push(VECTOR);
            put_unsigned(out, vector.len() as u64);
            for component in vector {
                out.extend_from_slice(&component.to_le_bytes());
            }
        }
    }
}

/// Reads what [`put`] wrote.
pub(super) fn take(input: &mut Input<'_>) -> Result<Fields, CodecError> {
    let count = input.count(3)?;
    let mut fields = Fields::default();
    for _ in 0..count {
        let name = input.compact()?;
        let value = take_value(input)?;
        fields.set(name, value);
    }
    if fields.len() != count {
        return Err(input.malformed("a field named twice"));
    }
    Ok(fields)
}

fn take_value(input: &mut Input<'_>) -> Result<Value, CodecError> {
    Ok(match input.byte()? {
        CATEGORICAL => Value::Categorical(input.compact()?),
        NUMERIC => Value::Numeric(input.double()?),
        TAGS => Value::Tags(take_names(input)?),
        TEXT => Value::Text(input.text()?.to_owned()),
        TIME => Value::Time(Timestamp::from_micros(input.signed()?)),
        VECTOR => {
            let count = input.count(4)?;
            Value::Vector((0..count).map(|_| input.float()).collect::<Result<_, _>>()?)
        }
        _ => return Err(input.malformed("an unknown type of value")),
    })
}

/// Appends a list of names.
pub(super) fn put_names(out: &mut Vec<u8>, names: &[CompactString]) {
    put_unsigned(out, names.len() as u64);
    for name in names {
        put_text(out, name);
    }
}

/// Reads what [`put_names`] wrote.
pub(super) fn take_names(input: &mut Input<'_>) -> Result<Vec<CompactString>, CodecError> {
    let count = input.count(1)?;
    (0..count).map(|_| input.compact()).collect()
}
