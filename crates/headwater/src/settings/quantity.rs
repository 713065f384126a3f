//! Durations and sizes as people write them in settings: `50ms`, `30d`, `128MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration: a whole number and one of `us`, `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes: a whole number and one of `B`, `KiB`, `MiB`, `GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// How long something is kept: a [`Period`], or `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Never deleted by age.
    Forever,
    /// Deleted once older than this.
    For(Period),
}

/// Largest unit first, so that a value prints in the largest unit that divides it.
const PERIOD_UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Period {
    /// `days` days.
    pub const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    /// `hours` hours.
    pub const fn hours(hours: u64) -> Self {
        Self(Duration::from_secs(hours * 3_600))
    }

    /// `seconds` seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// `millis` milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl ByteSize {
    /// `mebibytes` times 1,048,576 bytes.
    pub const fn mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }
}

/// Splits `128MiB` into its number and its unit, and multiplies; `None` for anything else or an overflow.
fn parse_quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn print_quantity(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)], zero: &str) -> fmt::Result {
    match units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)) {
        Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
        None => f.write_str(zero),
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_quantity(text, &PERIOD_UNITS)
            .map(|micros| Self(Duration::from_micros(micros)))
            .ok_or_else(|| format!("`{text}` is not a duration such as \"50ms\", \"2s\", \"6h\" or \"30d\""))
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_quantity(text, &SIZE_UNITS)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a size such as \"512KiB\", \"128MiB\" or \"2GiB\""))
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        text.parse()
            .map(Self::For)
            .map_err(|_| format!("`{text}` is neither a duration such as \"30d\" nor \"forever\""))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_quantity(f, u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX), &PERIOD_UNITS, "0s")
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_quantity(f, self.0, &SIZE_UNITS, "0B")
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::For(period) => period.fmt(f),
        }
    }
}

macro_rules! as_text {
    ($name:ident, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

as_text!(Period, "^[0-9]+ *(us|ms|s|m|h|d)$");
as_text!(ByteSize, "^[0-9]+ *(B|KiB|MiB|GiB)$");
as_text!(Keep, "^([0-9]+ *(us|ms|s|m|h|d)|forever)$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_print_in_the_largest_unit_that_divides_them() {
        for text in ["50ms", "1500ms", "30d", "6h", "90m", "0s", "250us"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("7200s".parse::<Period>().unwrap().to_string(), "2h");
        for text in ["128MiB", "1536MiB", "2GiB", "0B", "10B"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        assert_eq!("forever".parse::<Keep>().unwrap().to_string(), "forever");
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for text in ["", "5", "ms", "-5s", "5 weeks", "1.5h", "99999999999999999999d", "999999999999999d"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        for text in ["12MB", "1e6B", "99999999999GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert!("always".parse::<Keep>().is_err());
    }
}
