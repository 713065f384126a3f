//! One value of a table row, whatever the file format, and its reading as a field of a declared type.

use compact_str::CompactString;
use headwater_base::value::FieldType;
use headwater_base::{Invalid, Timestamp, Value};

use super::times::TimeFormat;

/// Separates the words of a tags field and the numbers of a vector field within one text cell.
pub const LIST_SEPARATOR: char = '|';

/// A value as the file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: an empty text, a null, an absent column.
    #[default]
    Missing,
    /// A text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A moment, already typed by the file.
    Moment(Timestamp),
}

impl<'a> Cell<'a> {
    /// A text cell; empty text is [`Cell::Missing`].
    pub fn text(text: &'a str) -> Self {
        if text.is_empty() { Self::Missing } else { Self::Text(text) }
    }

    /// Whether there is a value.
    pub fn is_present(&self) -> bool {
        *self != Self::Missing
    }

    /// The value as an id or word: numbers are written out.
    pub fn word(&self) -> CompactString {
        match self {
            Self::Missing => CompactString::default(),
            Self::Text(text) => CompactString::from(text.trim()),
            Self::Integer(number) => compact_str::format_compact!("{number}"),
            Self::Number(number) => compact_str::format_compact!("{number}"),
            Self::Boolean(truth) => compact_str::format_compact!("{truth}"),
            Self::Moment(moment) => compact_str::format_compact!("{moment}"),
        }
    }

    /// The value as a finite number.
    pub fn number(&self, field: &str) -> Result<f64, Invalid> {
        let number = match self {
            Self::Integer(number) => *number as f64,
            Self::Number(number) => *number,
            other => other.word().parse().map_err(|_| {
                Invalid::new("wrong_type", field, other.word(), FieldType::Numeric.expected())
            })?,
        };
        if number.is_finite() {
            Ok(number)
        } else {
            Err(Invalid::new("not_finite", field, number, FieldType::Numeric.expected()))
        }
    }

    /// The value as true or false: `true`/`false`, `yes`/`no`, 1/0.
    pub fn truth(&self, field: &str) -> Result<bool, Invalid> {
        match self {
            Self::Boolean(truth) => Ok(*truth),
            other => match other.word().to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Ok(true),
                "false" | "no" | "0" => Ok(false),
                word => Err(Invalid::new("wrong_type", field, word, "true or false")),
            },
        }
    }

    /// The value as a field of the declared type.
    pub fn value(&self, field: &str, declared: FieldType, times: &TimeFormat) -> Result<Value, Invalid> {
        Ok(match declared {
            FieldType::Categorical => Value::Categorical(self.word()),
            FieldType::Text => Value::Text(self.word().to_string()),
            FieldType::Numeric => Value::Numeric(self.number(field)?),
            FieldType::Time => Value::Time(times.read(field, self)?),
            FieldType::Tags => {
                let mut tags: Vec<CompactString> = self
                    .word()
                    .split(LIST_SEPARATOR)
                    .map(str::trim)
                    .filter(|tag| !tag.is_empty())
                    .map(CompactString::from)
                    .collect();
                tags.sort_unstable();
                tags.dedup();
                Value::Tags(tags)
            }
            FieldType::Vector => {
                let numbers = self.word();
                let numbers = numbers.split(LIST_SEPARATOR).map(|part| {
                    let part = part.trim();
                    part.parse::<f32>()
                        .map_err(|_| Invalid::new("wrong_type", field, part, FieldType::Vector.expected()))
                });
                Value::Vector(numbers.collect::<Result<_, _>>()?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, declared: FieldType) -> Result<Value, Invalid> {
        Cell::text(text).value("f", declared, &TimeFormat::Auto)
    }

    #[test]
    fn texts_become_values_of_the_declared_type() {
        assert_eq!(read("b| a |b|", FieldType::Tags), Ok(Value::Tags(vec!["a".into(), "b".into()])));
        assert_eq!(read("1|-2.5", FieldType::Vector), Ok(Value::Vector(vec![1.0, -2.5])));
        assert_eq!(read("59.90", FieldType::Numeric), Ok(Value::Numeric(59.9)));
        assert_eq!(read("NaN", FieldType::Numeric).unwrap_err().code, "not_finite");
        assert_eq!(read("cheap", FieldType::Numeric).unwrap_err().code, "wrong_type");
        assert_eq!(Cell::Integer(7).word(), "7");
        assert_eq!(Cell::text("No").truth("available"), Ok(false));
    }
}
