//! A feature as plain data: what the settings declare and the control database keeps.

use std::fmt;
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use headwater_base::FeatureType;
use serde::{Deserialize, Serialize};

/// A declared feature: a name, the version of its definition, and the definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// The name in the settings: `item_ctr_1h`.
    pub name: CompactString,
    /// Counts the definitions this name has had, from 1. A definition never changes once it was used.
    pub version: u32,
    /// What the feature is.
    pub definition: Definition,
}

impl FeatureSpec {
    /// Name and version, the way logged vectors and artifacts name a feature: `item_ctr_1h@2`.
    pub fn label(&self) -> CompactString {
        format_compact!("{}@{}", self.name, self.version)
    }
}

/// What a feature is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Definition {
    /// Interactions, aggregated.
    Aggregate(AggregateSpec),
    /// A field as it is at the moment.
    Field(FieldRef),
    /// Something about the moment itself.
    Time(TimeFeature),
}

/// A declared field: `item.category`, `user.country`, `context.device`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldRef {
    /// A field of the item.
    Item(CompactString),
    /// A field of the user.
    User(CompactString),
    /// A field of the request or, in the past, of the interaction.
    Context(CompactString),
}

/// Features of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFeature {
    /// 0 to 23, UTC.
    HourOfDay,
    /// 0 (Monday) to 6, UTC.
    DayOfWeek,
    /// 0 (Monday 00:00) to 167, UTC.
    HourOfWeek,
    /// Interactions of the session so far.
    SessionLength,
    /// Seconds since the first interaction of the session.
    SessionSeconds,
    /// Seconds since the log first named the item.
    ItemAge,
}

impl TimeFeature {
    /// All of them with their names in the settings.
    pub const ALL: [(&str, Self); 6] = [
        ("hour_of_day", Self::HourOfDay),
        ("day_of_week", Self::DayOfWeek),
        ("hour_of_week", Self::HourOfWeek),
        ("session_length", Self::SessionLength),
        ("session_seconds", Self::SessionSeconds),
        ("item_age", Self::ItemAge),
    ];
}

/// An aggregate over interactions of an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggregateSpec {
    /// Whose interactions: one part, or a pair such as user x item.category.
    pub entity: Vec<Part>,
    /// What becomes of them.
    pub aggregate: Aggregate,
    /// Which interaction types; empty means every type.
    pub types: Vec<CompactString>,
    /// How far back. The head slides with the moment, the tail hops: see [`super::hop`]. `None` counts everything.
    pub window: Option<Duration>,
    /// Half-life after which an interaction counts half.
    pub decay: Option<Duration>,
    /// What the interactions must satisfy besides.
    pub conditions: Conditions,
}

/// A part of the key of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The user; an anonymous session stands for one until it is merged.
    User,
    /// The visit.
    Session,
    /// The item.
    Item,
    /// A categorical field of the user, the item or the moment.
    Field(FieldRef),
}

/// How interactions become a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// How many. None is 0.
    Count,
    /// Sum of their values, one without a value counting 1; kept in steps of 2^-20, values beyond 2^60 counting as
    /// that. None is 0.
    Sum,
    /// Mean of the values there are.
    Mean,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// What the latest one (by event time) had.
    Last(Attribute),
    /// Seconds since the latest one.
    TimeSince,
    /// Of the interactions of types `total`, the share of those of the feature's types, as
    /// `(hits + prior.0) / (total + prior.1)`.
    Rate {
        /// The types that are counted below the line.
        total: Vec<CompactString>,
        /// Hits and total before anything was seen.
        prior: (f32, f32),
    },
    /// How many different ones: exact up to 208 in a tile, beyond that by HyperLogLog with a standard error of 2.3 %.
    Distinct(Attribute),
    /// A quantile of the values, 0 to 1: exact up to 128 values in a tile, beyond that by t-digest, whose ranks are off by
    /// less than 0.02.
    Quantile(f64),
    /// The most frequent ones, most frequent first. Exact up to 128 different ones in a tile; beyond that a count may be
    /// too low by a 128th of all (Misra and Gries, 1982).
    TopK {
        /// Of what.
        of: Attribute,
        /// How many.
        k: usize,
    },
    /// The latest ones, newest first, repeats included.
    LastN {
        /// Of what.
        of: Attribute,
        /// How many.
        n: usize,
    },
}

impl Aggregate {
    /// The name in the settings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Last(_) => "last",
            Self::TimeSince => "time_since",
            Self::Rate { .. } => "rate",
            Self::Distinct(_) => "distinct",
            Self::Quantile(_) => "quantile",
            Self::TopK { .. } => "top_k",
            Self::LastN { .. } => "last_n",
        }
    }

    /// Whether a window is the difference of two running totals, so that reading it costs the same for any length. The
    /// others are merged over the tiles of the window.
    pub fn subtractable(&self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Mean | Self::Rate { .. })
    }

    /// Whether a half-life may be given.
    pub fn decays(&self) -> bool {
        self.subtractable()
    }
}

/// What of an interaction an aggregate looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// Its value.
    Value,
    /// The item's id.
    Item,
    /// The user's id.
    User,
    /// The session's id.
    Session,
    /// A categorical field.
    Field(FieldRef),
}

/// What interactions must satisfy to count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Smallest value that counts; one without a value does not.
    pub min_value: Option<f32>,
    /// Largest value that counts; one without a value does not.
    pub max_value: Option<f32>,
    /// Categorical context fields and the words they may have, each once, sorted.
    pub context: Vec<(CompactString, Vec<CompactString>)>,
}

impl Definition {
    /// What form its values take, where fields are of these types.
    pub fn feature_type(&self, schema: &headwater_base::Schema) -> FeatureType {
        match self {
            Self::Field(field) => field.field_type(schema).map_or(FeatureType::Word, field_value_type),
            Self::Time(_) => FeatureType::Number,
            Self::Aggregate(spec) => match &spec.aggregate {
                Aggregate::Last(Attribute::Value) => FeatureType::Number,
                Aggregate::Last(_) => FeatureType::Word,
                Aggregate::TopK { .. } | Aggregate::LastN { .. } => FeatureType::Words,
                _ => FeatureType::Number,
            },
        }
    }
}

fn field_value_type(field: headwater_base::value::FieldType) -> FeatureType {
    use headwater_base::value::FieldType;
    match field {
        FieldType::Numeric | FieldType::Time => FeatureType::Number,
        FieldType::Tags => FeatureType::Words,
        FieldType::Categorical | FieldType::Text | FieldType::Vector => FeatureType::Word,
    }
}

impl FieldRef {
    /// Parses `item.NAME`, `user.NAME` or `context.NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let (of, name) = text.split_once('.')?;
        let name = CompactString::from(name);
        match of {
            "item" => Some(Self::Item(name)),
            "user" => Some(Self::User(name)),
            "context" => Some(Self::Context(name)),
            _ => None,
        }
    }

    /// The declared type of the field.
    pub fn field_type(&self, schema: &headwater_base::Schema) -> Option<headwater_base::value::FieldType> {
        match self {
            Self::Item(name) => schema.items.get(name),
            Self::User(name) => schema.users.get(name),
            Self::Context(name) => schema.context.get(name),
        }
        .copied()
    }
}

impl fmt::Display for FieldRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(name) => write!(f, "item.{name}"),
            Self::User(name) => write!(f, "user.{name}"),
            Self::Context(name) => write!(f, "context.{name}"),
        }
    }
}

impl Part {
    /// Parses `user`, `session`, `item` or a field.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "user" => Some(Self::User),
            "session" => Some(Self::Session),
            "item" => Some(Self::Item),
            field => FieldRef::parse(field).map(Self::Field),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::Session => f.write_str("session"),
            Self::Item => f.write_str("item"),
            Self::Field(field) => field.fmt(f),
        }
    }
}

impl Attribute {
    /// Parses `value`, `item`, `user`, `session` or a field.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "value" => Some(Self::Value),
            "item" => Some(Self::Item),
            "user" => Some(Self::User),
            "session" => Some(Self::Session),
            field => FieldRef::parse(field).map(Self::Field),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Item => f.write_str("item"),
            Self::User => f.write_str("user"),
            Self::Session => f.write_str("session"),
            Self::Field(field) => field.fmt(f),
        }
    }
}
