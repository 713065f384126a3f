//! Values of features, and the vectors a decision logs.

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Serialize, Serializer};

use crate::Timestamp;
use crate::random::stable_hash;

/// The value of a feature for one entity at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum FeatureValue {
    /// Nothing is known: no event in the window, an unset field, an unknown entity.
    #[default]
    Missing,
    /// A finite number.
    Number(f32),
    /// One word: a category, a country, an item id.
    Word(CompactString),
    /// Several words, in the order that the feature gives them (most frequent first, newest first, or sorted).
    Words(Arc<[CompactString]>),
}

/// As plain as values are: null where it is missing, a number, a text, a list of texts.
impl Serialize for FeatureValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_f32(*number),
            Self::Word(word) => serializer.serialize_str(word),
            Self::Words(words) => serializer.collect_seq(words.iter()),
        }
    }
}

impl FeatureValue {
    /// A number, or missing where it is not finite, such as a rate over nothing.
    pub fn number(number: f32) -> Self {
        if number.is_finite() { Self::Number(number) } else { Self::Missing }
    }

    /// Whether two values are the same to the bit, so that -0 and 0 differ.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.to_bits() == b.to_bits(),
            _ => self == other,
        }
    }
}

/// What form the values of a feature take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeatureType {
    /// [`FeatureValue::Number`] or missing.
    Number,
    /// [`FeatureValue::Word`] or missing.
    Word,
    /// [`FeatureValue::Words`] or missing.
    Words,
}

impl FeatureType {
    /// The name used in settings, messages and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Word => "word",
            Self::Words => "words",
        }
    }
}

/// The feature vectors of the items that one decision showed, as they were read for it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedFeatures {
    /// Which features the columns are, in their order: see [`feature_schema`]. The control database keeps the names.
    pub schema: u64,
    /// The moment for which they were read; windows end here.
    pub time: Timestamp,
    /// The share of requests whose vectors are logged, in (0, 1]; its inverse weighs the example.
    pub share: f32,
    /// One row for each shown item, in the order shown; one value for each name.
    pub rows: Vec<Vec<FeatureValue>>,
}

/// The number of a list of features by name and version (`item_ctr_1h@2`), in the order of the columns.
pub fn feature_schema<'a>(names: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut text = String::new();
    for name in names {
        text.push_str(name);
        text.push('\n');
    }
    stable_hash(&text)
}
