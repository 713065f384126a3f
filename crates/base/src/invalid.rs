//! One rejected value, said so that its sender can mend it.

use std::fmt;

use compact_str::CompactString;

/// A value that cannot be taken: which field, what it was, and what was expected.
///
/// `code` is stable and documented; clients may match on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Stable, snake_case: `unknown_type`, `missing_field`, `wrong_type`, `too_long`, `time_in_future`, ...
    pub code: &'static str,
    /// The field in the sender's words, with a path where it is nested: `context.device`.
    pub field: CompactString,
    /// The offending value as text, cut to a readable length; empty when the field is missing.
    pub value: String,
    /// What would have been accepted.
    pub expected: String,
}

/// Longest excerpt of an offending value, in characters.
const EXCERPT_CHARACTERS: usize = 80;

impl Invalid {
    /// Builds a rejection, shortening `value` to an excerpt.
    pub fn new(
        code: &'static str,
        field: impl Into<CompactString>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self { code, field: field.into(), value: excerpt(&value.to_string()), expected: expected.into() }
    }

    /// A required field that is absent.
    pub fn missing(field: impl Into<CompactString>, expected: impl Into<String>) -> Self {
        Self { code: "missing_field", field: field.into(), value: String::new(), expected: expected.into() }
    }

    /// The same rejection, its field placed below `prefix`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.field = compact_str::format_compact!("{prefix}.{}", self.field);
        self
    }
}

fn excerpt(value: &str) -> String {
    if value.chars().nth(EXCERPT_CHARACTERS).is_none() {
        return value.to_owned();
    }
    value.chars().take(EXCERPT_CHARACTERS).chain(std::iter::once('…')).collect()
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(f, "{}: expected {} ({})", self.field, self.expected, self.code)
        } else {
            write!(f, "{}: `{}` is not {} ({})", self.field, self.value, self.expected, self.code)
        }
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shortened_on_a_character_boundary() {
        let invalid = Invalid::new("too_long", "item", "é".repeat(500), "at most 256 bytes");
        assert_eq!(invalid.value.chars().count(), EXCERPT_CHARACTERS + 1);
        assert!(invalid.value.ends_with('…'));
    }

    #[test]
    fn a_nested_field_reads_as_a_path() {
        assert_eq!(Invalid::missing("device", "a text").within("context").field, "context.device");
    }
}
