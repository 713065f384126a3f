//! A frozen encoder: one value to its dense columns and sparse entries.

use headwater_base::FeatureValue;
use headwater_base::random::stable_hash;

use super::bins::Bins;
use super::scale::Scale;
use super::spec::Output;
use super::vocabulary::Vocabulary;

/// An index into the table of embeddings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseEntry {
    /// The field, by its place in [`super::EncodedSchema::fields`].
    pub field: u32,
    /// The row of the table, the field's offset included.
    pub index: u32,
    /// What the row counts for: 1, or `1 / n` where the value has `n` words.
    pub weight: f32,
}

/// An encoder that no longer changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder(pub(super) Kind);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Scale(Scale),
    Bins(Bins, Output),
    OneHot(Vocabulary, Output),
    /// Buckets, and whether of several words.
    Hashed(u32, bool),
    MultiHot(Vocabulary, Output),
}

/// Where a feature's entries go.
pub(super) struct Sink<'a> {
    pub(super) columns: &'a mut [f32],
    pub(super) sparse: &'a mut Vec<SparseEntry>,
    pub(super) field: u32,
    pub(super) offset: u32,
}

impl Sink<'_> {
    fn put(&mut self, output: Output, bucket: u32, weight: f32) {
        match output {
            Output::Columns => self.columns[bucket as usize] = 1.0,
            Output::Embedding => {
                self.sparse.push(SparseEntry { field: self.field, index: self.offset + bucket, weight });
            }
        }
    }
}

impl Encoder {
    /// Dense columns.
    pub fn dense_width(&self) -> usize {
        match &self.0 {
            Kind::Scale(scale) => scale.width(),
            _ if self.output() == Output::Columns => self.buckets() as usize,
            _ => 0,
        }
    }

    /// Rows in the table of embeddings; 0 for encoders that give dense columns.
    pub fn sparse_size(&self) -> u32 {
        if self.output() == Output::Embedding { self.buckets() } else { 0 }
    }

    /// Whether one value may give several sparse entries, or none; otherwise it gives one.
    pub fn is_bag(&self) -> bool {
        matches!(self.0, Kind::MultiHot(_, Output::Embedding) | Kind::Hashed(_, true))
    }

    fn output(&self) -> Output {
        match &self.0 {
            Kind::Scale(_) => Output::Columns,
            Kind::Bins(_, output) | Kind::OneHot(_, output) | Kind::MultiHot(_, output) => *output,
            Kind::Hashed(..) => Output::Embedding,
        }
    }

    fn buckets(&self) -> u32 {
        match &self.0 {
            Kind::Scale(_) => 0,
            Kind::Bins(bins, _) => bins.buckets(),
            Kind::OneHot(vocabulary, _) | Kind::MultiHot(vocabulary, _) => vocabulary.buckets(),
            Kind::Hashed(buckets, _) => buckets + 1,
        }
    }

    /// Encodes a value into columns that hold 0.
    pub(super) fn encode(&self, value: &FeatureValue, sink: &mut Sink<'_>) {
        match &self.0 {
            Kind::Scale(scale) => scale.encode(value, sink.columns),
            Kind::Bins(bins, output) => sink.put(*output, bins.bucket(value), 1.0),
            Kind::OneHot(vocabulary, output) => {
                let bucket = match value {
                    FeatureValue::Word(word) => vocabulary.bucket(word),
                    _ => vocabulary.missing(),
                };
                sink.put(*output, bucket, 1.0);
            }
            Kind::Hashed(buckets, false) => {
                let bucket = match value {
                    FeatureValue::Word(word) => hashed(word, *buckets),
                    _ => *buckets,
                };
                sink.put(Output::Embedding, bucket, 1.0);
            }
            Kind::Hashed(buckets, true) => {
                several(value, Output::Embedding, *buckets, |word| hashed(word, *buckets), sink);
            }
            Kind::MultiHot(vocabulary, output) => {
                several(value, *output, vocabulary.missing(), |word| vocabulary.bucket(word), sink);
            }
        }
    }

    /// How a column or a row of the table reads; `place` counts from the feature's first.
    pub(super) fn column(&self, feature: &str, place: usize) -> String {
        match &self.0 {
            Kind::Scale(_) if place == 0 => feature.to_owned(),
            Kind::Scale(_) => format!("{feature} is missing"),
            Kind::Bins(bins, _) => bins.name(feature, place),
            Kind::OneHot(vocabulary, _) | Kind::MultiHot(vocabulary, _) => vocabulary.name(feature, place),
            Kind::Hashed(buckets, _) if place == *buckets as usize => format!("{feature} is missing"),
            Kind::Hashed(..) => format!("{feature}#{place}"),
        }
    }
}

/// Puts each word into its bucket.
fn several(
    value: &FeatureValue,
    output: Output,
    missing: u32,
    bucket: impl Fn(&str) -> u32,
    sink: &mut Sink<'_>,
) {
    let FeatureValue::Words(words) = value else { return sink.put(output, missing, 1.0) };
    let weight = 1.0 / words.len() as f32;
    for word in words.iter() {
        sink.put(output, bucket(word), weight);
    }
}

/// The hash's place among equal parts of all hashes (Lemire, Fast random integer generation in an interval, 2019).
fn hashed(word: &str, buckets: u32) -> u32 {
    ((u128::from(stable_hash(word)) * u128::from(buckets)) >> 64) as u32
}
