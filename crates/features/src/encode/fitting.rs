//! Encoders while they are fitted: states that observe examples and merge.

use compact_str::CompactString;
use headwater_base::schema::closest;
use headwater_base::{FeatureType, FeatureValue, Invalid};
use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::encoder::{Encoder, Kind};
use super::error::EncodeError;
use super::histogram::Histogram;
use super::moments::Moments;
use super::scale::{Scale, finite, log1p};
use super::schema::EncodedSchema;
use super::spec::EncoderSpec;
use super::vocabulary::WordCounts;
use super::weight::units;

/// A feature to be encoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodingSpec {
    /// Name with version: `item_ctr_1h@2`.
    pub name: CompactString,
    /// What form its values take.
    #[serde(rename = "type", with = "super::stored::feature_type")]
    pub kind: FeatureType,
    /// How it is encoded.
    pub encoder: EncoderSpec,
}

/// The encoders of a list of features, still learning from training examples.
#[derive(Clone, Debug)]
pub struct SchemaFitting {
    specs: Vec<EncodingSpec>,
    fittings: Vec<Fitting>,
}

impl SchemaFitting {
    /// Starts with no examples.
    ///
    /// # Errors
    /// No name or one given twice, an encoder whose numbers are out of range or that does not take the feature's type.
    pub fn new(specs: Vec<EncodingSpec>) -> Result<Self, EncodeError> {
        let mut names = hashbrown::HashSet::new();
        for spec in &specs {
            let EncodingSpec { name, kind, encoder } = spec;
            let field = || compact_str::format_compact!("encoder of {name}");
            if name.is_empty() {
                return Err(
                    Invalid::missing("feature", "a name with its version, such as item_ctr_1h@2").into()
                );
            }
            if !names.insert(name) {
                return Err(Invalid::new("repeated_feature", field(), name, "given once").into());
            }
            // A spec made by hand has not been through the checks of its text.
            encoder.to_string().parse::<EncoderSpec>().map_err(|invalid| invalid.within(name))?;
            if !encoder.takes(*kind) {
                let fitting: Vec<&str> = suitable(*kind);
                let near = closest(&fitting, encoder.name()).unwrap_or(fitting[0]);
                let expected = format!(
                    "an encoder of features of type {}: {} (say `{near}`)",
                    kind.as_str(),
                    fitting.join(", ")
                );
                return Err(Invalid::new("wrong_encoder", field(), encoder, expected).into());
            }
        }
        drop(names);
        let fittings = specs.iter().map(|spec| Fitting::of(&spec.encoder)).collect();
        Ok(Self { specs, fittings })
    }

    /// The features, in order.
    pub fn specs(&self) -> &[EncodingSpec] {
        &self.specs
    }

    /// Observes one training example: a value for each feature. Weights are rounded to 2^-20 and count for at most 2^24.
    ///
    /// # Errors
    /// A row of another length.
    pub fn observe(&mut self, row: &[FeatureValue], weight: f32) -> Result<(), EncodeError> {
        if row.len() != self.fittings.len() {
            return Err(EncodeError::Row { expected: self.fittings.len(), found: row.len() });
        }
        let units = units(weight);
        for (fitting, value) in self.fittings.iter_mut().zip(row) {
            fitting.observe(value, units);
        }
        Ok(())
    }

    /// Adds what was observed of another part of the data; the result is that of one fitting over all.
    ///
    /// # Errors
    /// A fitting of other features or encoders.
    pub fn merge(&mut self, other: &Self) -> Result<(), EncodeError> {
        if self.specs != other.specs {
            return Err(EncodeError::Differ);
        }
        for (own, others) in self.fittings.iter_mut().zip(&other.fittings) {
            own.merge(others);
        }
        Ok(())
    }

    /// The encoders as they are now.
    ///
    /// # Errors
    /// More rows of embeddings in all than 2^32.
    pub fn freeze(&self) -> Result<EncodedSchema, EncodeError> {
        let frozen = self
            .specs
            .iter()
            .zip(&self.fittings)
            .map(|(spec, fitting)| (spec.name.clone(), spec.kind, fitting.freeze(spec)));
        Ok(EncodedSchema::of(frozen)?)
    }
}

fn suitable(kind: FeatureType) -> Vec<&'static str> {
    match kind {
        FeatureType::Number => vec!["number", "standardise", "log1p", "quantile_bins"],
        FeatureType::Word => vec!["one_hot", "hashed"],
        FeatureType::Words => vec!["multi_hot", "hashed"],
    }
}

/// What one encoder has observed. Non-finite numbers, missing values and values of another type change nothing.
#[derive(Clone, Debug)]
enum Fitting {
    Nothing,
    Moments { log: bool, moments: Box<Moments> },
    Quantiles(Histogram),
    Words(WordCounts),
}

impl Fitting {
    fn of(spec: &EncoderSpec) -> Self {
        match spec {
            EncoderSpec::Number { .. }
            | EncoderSpec::Log1p { standardise: false, .. }
            | EncoderSpec::Hashed { .. } => Self::Nothing,
            EncoderSpec::Standardise { .. } => Self::Moments { log: false, moments: Box::default() },
            EncoderSpec::Log1p { .. } => Self::Moments { log: true, moments: Box::default() },
            EncoderSpec::QuantileBins { .. } => Self::Quantiles(Histogram::default()),
            EncoderSpec::OneHot { .. } | EncoderSpec::MultiHot { .. } => Self::Words(WordCounts::default()),
        }
    }

    fn observe(&mut self, value: &FeatureValue, units: u64) {
        match (self, value) {
            (Self::Moments { log, moments }, value) => {
                if let Some(number) = finite(value) {
                    moments.observe(if *log { log1p(number) } else { number }, units);
                }
            }
            (Self::Quantiles(histogram), value) => {
                if let Some(number) = finite(value) {
                    histogram.observe(number, units);
                }
            }
            (Self::Words(counts), FeatureValue::Word(word)) => counts.observe(word, units),
            (Self::Words(counts), FeatureValue::Words(words)) => {
                for (place, word) in words.iter().enumerate() {
                    // A word counts once an example.
                    if !words[..place].contains(word) {
                        counts.observe(word, units);
                    }
                }
            }
            (Self::Words(_) | Self::Nothing, _) => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Moments { moments, .. }, Self::Moments { moments: others, .. }) => moments.merge(others),
            (Self::Quantiles(histogram), Self::Quantiles(others)) => histogram.merge(others),
            (Self::Words(counts), Self::Words(others)) => counts.merge(others),
            // Of equal specs, which the caller has compared, only those that keep nothing are left.
            _ => {}
        }
    }

    fn freeze(&self, spec: &EncodingSpec) -> Encoder {
        let moments = match self {
            Self::Moments { moments, .. } => Some(moments.mean_and_deviation()),
            _ => None,
        };
        let vocabulary = |max, min_count| match self {
            Self::Words(counts) => counts.freeze(max, min_count),
            _ => WordCounts::default().freeze(max, min_count),
        };
        Encoder(match spec.encoder {
            EncoderSpec::Number { missing } | EncoderSpec::Standardise { missing } => {
                Kind::Scale(Scale { log: false, moments, missing })
            }
            EncoderSpec::Log1p { missing, .. } => Kind::Scale(Scale { log: true, moments, missing }),
            EncoderSpec::QuantileBins { bins, output } => {
                let cuts = match self {
                    Self::Quantiles(histogram) => histogram.cuts(bins),
                    _ => Vec::new(),
                };
                Kind::Bins(Bins { cuts }, output)
            }
            EncoderSpec::OneHot { max, min_count, output } => {
                Kind::OneHot(vocabulary(max, min_count), output)
            }
            EncoderSpec::Hashed { buckets } => Kind::Hashed(buckets, spec.kind == FeatureType::Words),
            EncoderSpec::MultiHot { max, min_count, output } => {
                Kind::MultiHot(vocabulary(max, min_count), output)
            }
        })
    }
}
