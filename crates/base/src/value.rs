//! Typed values of item, user and context fields.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{Invalid, Timestamp};

/// The declared type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// One word of a vocabulary: a category, a country, a device.
    Categorical,
    /// A finite number.
    Numeric,
    /// A set of words.
    Tags,
    /// Free text.
    Text,
    /// A moment.
    Time,
    /// A vector of finite numbers, of one length per field.
    Vector,
}

impl FieldType {
    /// What a value of this type looks like, for error messages.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Categorical | Self::Text => "a text",
            Self::Numeric => "a finite number",
            Self::Tags => "a list of texts",
            Self::Time => "an RFC 3339 time",
            Self::Vector => "a list of finite numbers",
        }
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// See [`FieldType::Categorical`].
    Categorical(CompactString),
    /// See [`FieldType::Numeric`].
    Numeric(f64),
    /// See [`FieldType::Tags`]; sorted, without repetition.
    Tags(Vec<CompactString>),
    /// See [`FieldType::Text`].
    Text(String),
    /// See [`FieldType::Time`].
    Time(Timestamp),
    /// See [`FieldType::Vector`].
    Vector(Vec<f32>),
}

impl Value {
    /// The type this value has.
    pub fn field_type(&self) -> FieldType {
        match self {
            Self::Categorical(_) => FieldType::Categorical,
            Self::Numeric(_) => FieldType::Numeric,
            Self::Tags(_) => FieldType::Tags,
            Self::Text(_) => FieldType::Text,
            Self::Time(_) => FieldType::Time,
            Self::Vector(_) => FieldType::Vector,
        }
    }
}

/// Most fields one item, user or context may carry.
pub const MAX_FIELDS: usize = 256;
/// Longest text value, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Longest categorical value or tag, in bytes.
pub const MAX_CATEGORY_BYTES: usize = 256;
/// Most tags or vector components of one value.
pub const MAX_COMPONENTS: usize = 4096;

/// Checks the bounds every value keeps, whatever its field.
pub fn validate_value(field: &str, value: &Value) -> Result<(), Invalid> {
    let category = |text: &str| {
        if text.len() > MAX_CATEGORY_BYTES {
            return Err(Invalid::new(
                "too_long",
                field,
                text,
                format!("a text of at most {MAX_CATEGORY_BYTES} bytes"),
            ));
        }
        Ok(())
    };
    match value {
        Value::Categorical(text) => category(text),
        Value::Numeric(number) if !number.is_finite() => {
            Err(Invalid::new("not_finite", field, number, "a finite number"))
        }
        Value::Tags(tags) if tags.len() > MAX_COMPONENTS => {
            Err(Invalid::new("too_long", field, tags.len(), format!("at most {MAX_COMPONENTS} tags")))
        }
        Value::Tags(tags) => tags.iter().try_for_each(|tag| category(tag)),
        Value::Text(text) if text.len() > MAX_TEXT_BYTES => {
            Err(Invalid::new("too_long", field, text, format!("a text of at most {MAX_TEXT_BYTES} bytes")))
        }
        Value::Vector(vector) if vector.len() > MAX_COMPONENTS => {
            Err(Invalid::new("too_long", field, vector.len(), format!("at most {MAX_COMPONENTS} numbers")))
        }
        Value::Vector(vector) => match vector.iter().find(|x| !x.is_finite()) {
            Some(x) => Err(Invalid::new("not_finite", field, x, "finite numbers")),
            None => Ok(()),
        },
        Value::Numeric(_) | Value::Text(_) | Value::Time(_) => Ok(()),
    }
}

/// Named values, sorted by name, each name once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<(CompactString, Value)>);

impl Fields {
    /// No fields.
    pub const EMPTY: Self = Self(Vec::new());

    /// Sorts `values` by name; of a repeated name the last value stays.
    pub fn new(values: impl IntoIterator<Item = (CompactString, Value)>) -> Self {
        let mut fields = Self::default();
        for (name, value) in values {
            fields.set(name, value);
        }
        fields
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let index = self.0.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        Some(&self.0[index].1)
    }

    /// Sets `name` to `value`.
    pub fn set(&mut self, name: CompactString, value: Value) {
        match self.0.binary_search_by(|(n, _)| n.cmp(&name)) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (name, value)),
        }
    }

    /// Removes `name`.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.0.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        Some(self.0.remove(index).1)
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields have a value.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no field has a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_sorted_and_the_last_value_wins() {
        let fields = Fields::new([
            ("b".into(), Value::Numeric(1.0)),
            ("a".into(), Value::Numeric(2.0)),
            ("b".into(), Value::Numeric(3.0)),
        ]);
        assert_eq!(fields.iter().map(|(n, _)| n).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(fields.get("b"), Some(&Value::Numeric(3.0)));
        assert_eq!(fields.get("c"), None);
    }

    #[test]
    fn non_finite_numbers_are_refused() {
        assert_eq!(validate_value("price", &Value::Numeric(f64::NAN)).unwrap_err().code, "not_finite");
        assert_eq!(
            validate_value("v", &Value::Vector(vec![0.0, f32::INFINITY])).unwrap_err().code,
            "not_finite"
        );
    }
}
