//! Which encoder a feature is to have, as plain data: what the settings say.

use headwater_base::FeatureType;
use serde::{Deserialize, Serialize};

/// Most dense columns that one feature may ask for; above, an embedding is meant.
pub(super) const MOST_COLUMNS: u32 = 4096;
/// Most buckets of one field of embeddings.
pub(super) const MOST_BUCKETS: u32 = 1 << 27;

/// Where the buckets of an encoder go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// A dense column for each bucket, 0 or 1.
    #[default]
    Columns,
    /// Indices into the table of embeddings.
    Embedding,
}

/// An encoder before it is fitted. Its text, which settings hold and serde writes, is the name with arguments where there
/// are any: `standardise(missing)`, `one_hot(50, min_count=5, embedding)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EncoderSpec {
    /// `number`: as it is. For features that are already of the order of one.
    Number {
        /// Whether a second column says 1 where the value is missing.
        missing: bool,
    },
    /// `standardise`: minus the mean, divided by the standard deviation, both over the weighted examples that have a
    /// value; 0 where they do not vary.
    Standardise {
        /// Whether a second column says 1 where the value is missing.
        missing: bool,
    },
    /// `log1p`: `sign(x) ln(1 + |x|)`, for counts and amounts.
    Log1p {
        /// Whether the logarithm is then standardised.
        standardise: bool,
        /// Whether a second column says 1 where the value is missing.
        missing: bool,
    },
    /// `quantile_bins(N)`: which of at most `bins` intervals of equal weight; one more bucket for missing values. An
    /// interval includes its upper end. Values more frequent than a bin's share make fewer bins.
    QuantileBins {
        /// From 2 to 4094.
        bins: u32,
        /// Default: columns.
        output: Output,
    },
    /// `one_hot(N)`: which of the `max` words of most weight, ties by word; one more bucket for all other words and one for
    /// missing values.
    OneHot {
        /// Words kept, at least 1; at most 4094 as columns.
        max: u32,
        /// A word of less weight is not kept. Default 1.
        min_count: u32,
        /// Default: columns.
        output: Output,
    },
    /// `hashed(N)`: an index by a hash that never changes; one more bucket for missing values. Nothing is fitted. Takes one
    /// word or several.
    Hashed {
        /// From 1 to 2^27.
        buckets: u32,
    },
    /// `multi_hot(N)`: as `one_hot`, of several words. As an embedding, `n` words weigh `1 / n` each.
    MultiHot {
        /// Words kept, at least 1; at most 4094 as columns.
        max: u32,
        /// A word of less weight is not kept. Default 1.
        min_count: u32,
        /// Default: columns.
        output: Output,
    },
}

impl EncoderSpec {
    /// What a feature gets that names no encoder: `standardise(missing)`, `one_hot(100)` or `multi_hot(100)`.
    pub fn default_for(kind: FeatureType) -> Self {
        match kind {
            FeatureType::Number => Self::Standardise { missing: true },
            FeatureType::Word => Self::OneHot { max: 100, min_count: 1, output: Output::Columns },
            FeatureType::Words => Self::MultiHot { max: 100, min_count: 1, output: Output::Columns },
        }
    }

    /// Whether it encodes features of a type.
    pub fn takes(&self, kind: FeatureType) -> bool {
        match self {
            Self::Number { .. }
            | Self::Standardise { .. }
            | Self::Log1p { .. }
            | Self::QuantileBins { .. } => kind == FeatureType::Number,
            Self::OneHot { .. } => kind == FeatureType::Word,
            Self::Hashed { .. } => matches!(kind, FeatureType::Word | FeatureType::Words),
            Self::MultiHot { .. } => kind == FeatureType::Words,
        }
    }

    /// The name without arguments.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Number { .. } => "number",
            Self::Standardise { .. } => "standardise",
            Self::Log1p { .. } => "log1p",
            Self::QuantileBins { .. } => "quantile_bins",
            Self::OneHot { .. } => "one_hot",
            Self::Hashed { .. } => "hashed",
            Self::MultiHot { .. } => "multi_hot",
        }
    }
}
