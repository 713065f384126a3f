//! The canonical text of an encoded schema: compact JSON, keys in one order, numbers as digits in strings.
//!
//! Digits stand in strings because a JSON number does not have to come back as the same `f32` or `f64`; these do.

use std::fmt::Debug;
use std::str::FromStr;

use compact_str::CompactString;
use headwater_base::FeatureType;
use headwater_base::random::stable_hash;
use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::encoder::{Encoder, Kind};
use super::error::EncodeError;
use super::scale::Scale;
use super::schema::EncodedSchema;
use super::spec::{MOST_BUCKETS, Output};
use super::vocabulary::Vocabulary;

/// The layout this code writes, and the newest it reads.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    format: u32,
    features: Vec<StoredFeature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFeature {
    name: CompactString,
    #[serde(rename = "type", with = "feature_type")]
    kind: FeatureType,
    encoder: StoredEncoder,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum StoredEncoder {
    Number { log: bool, missing: bool },
    Standardise { log: bool, missing: bool, mean: String, deviation: String },
    QuantileBins { output: Output, cuts: Vec<String> },
    OneHot { output: Output, words: Vec<CompactString> },
    Hashed { buckets: u32 },
    MultiHot { output: Output, words: Vec<CompactString> },
}

/// The name of a type, for serde.
pub(super) mod feature_type {
    use headwater_base::FeatureType;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(in super::super) fn serialize<S: Serializer>(kind: &FeatureType, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind.as_str())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<FeatureType, D::Error> {
        let name = String::deserialize(from)?;
        let all = [FeatureType::Number, FeatureType::Word, FeatureType::Words];
        let found = all.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| de::Error::custom(format!("type `{name}` is not number, word or words")))
    }
}

impl EncodedSchema {
    /// The canonical text: the same bytes for equal schemas.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain structs with string keys always serialise")
    }

    /// Reads [`Self::to_json`] back.
    ///
    /// # Errors
    /// Text that is not such a schema, of a newer layout, or with numbers, words or sizes that no fitting gives.
    pub fn from_json(text: &str) -> Result<Self, EncodeError> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| EncodeError::Stored(error.to_string());
        // Before all else, since a newer layout would fail for a reason that does not help.
        let Header { format } = serde_json::from_str(text).map_err(unreadable)?;
        if format > FORMAT {
            return Err(EncodeError::Stored(format!(
                "its layout is version {format}, this version reads up to {FORMAT}: upgrade Headwater"
            )));
        }
        serde_json::from_str(text).map_err(unreadable)
    }

    /// A number for the whole: encoders, their order, and all they learned.
    pub fn fingerprint(&self) -> u64 {
        stable_hash(&self.to_json())
    }
}

impl From<EncodedSchema> for Stored {
    fn from(schema: EncodedSchema) -> Self {
        let features = schema.features().iter().map(|feature| StoredFeature {
            name: feature.name.clone(),
            kind: feature.kind,
            encoder: store(&feature.encoder),
        });
        Self { format: FORMAT, features: features.collect() }
    }
}

fn store(encoder: &Encoder) -> StoredEncoder {
    match &encoder.0 {
        Kind::Scale(Scale { log, moments: None, missing }) => {
            StoredEncoder::Number { log: *log, missing: *missing }
        }
        Kind::Scale(Scale { log, moments: Some((mean, deviation)), missing }) => StoredEncoder::Standardise {
            log: *log,
            missing: *missing,
            mean: digits(mean),
            deviation: digits(deviation),
        },
        Kind::Bins(bins, output) => {
            StoredEncoder::QuantileBins { output: *output, cuts: bins.cuts.iter().map(digits).collect() }
        }
        Kind::OneHot(vocabulary, output) => {
            StoredEncoder::OneHot { output: *output, words: vocabulary.words().to_vec() }
        }
        Kind::Hashed(buckets, _) => StoredEncoder::Hashed { buckets: *buckets },
        Kind::MultiHot(vocabulary, output) => {
            StoredEncoder::MultiHot { output: *output, words: vocabulary.words().to_vec() }
        }
    }
}

/// The shortest digits that read back as the same number.
fn digits(number: &impl Debug) -> String {
    format!("{number:?}")
}

impl TryFrom<Stored> for EncodedSchema {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let mut names = hashbrown::HashSet::new();
        let mut encoders = Vec::with_capacity(stored.features.len());
        for StoredFeature { name, kind, encoder } in stored.features {
            if !names.insert(name.clone()) {
                return Err(format!("feature {name} stands there twice"));
            }
            let encoder = restore(encoder, kind).map_err(|why| format!("feature {name}: {why}"))?;
            encoders.push((name, kind, encoder));
        }
        Self::of(encoders).map_err(|invalid| invalid.to_string())
    }
}

fn restore(stored: StoredEncoder, kind: FeatureType) -> Result<Encoder, String> {
    let (encoder, takes): (Kind, &[FeatureType]) = match stored {
        StoredEncoder::Number { log, missing } => {
            (Kind::Scale(Scale { log, moments: None, missing }), &[FeatureType::Number])
        }
        StoredEncoder::Standardise { log, missing, mean, deviation } => {
            let (mean, deviation): (f64, f64) = (number(&mean)?, number(&deviation)?);
            if !mean.is_finite() || !deviation.is_finite() || deviation < 0.0 {
                return Err(format!("mean {mean} and deviation {deviation} do not standardise"));
            }
            (Kind::Scale(Scale { log, moments: Some((mean, deviation)), missing }), &[FeatureType::Number])
        }
        StoredEncoder::QuantileBins { output, cuts } => {
            let cuts = cuts.iter().map(|cut| number(cut)).collect::<Result<Vec<f32>, _>>()?;
            if cuts.iter().any(|cut| !cut.is_finite()) || !cuts.is_sorted_by(|a, b| a < b) {
                return Err(format!("cuts {cuts:?} do not ascend"));
            }
            (Kind::Bins(Bins { cuts }, output), &[FeatureType::Number])
        }
        StoredEncoder::OneHot { output, words } => {
            (Kind::OneHot(vocabulary(words)?, output), &[FeatureType::Word])
        }
        StoredEncoder::Hashed { buckets } => {
            if !(1..=MOST_BUCKETS).contains(&buckets) {
                return Err(format!("{buckets} buckets, expected 1 to {MOST_BUCKETS}"));
            }
            (Kind::Hashed(buckets, kind == FeatureType::Words), &[FeatureType::Word, FeatureType::Words])
        }
        StoredEncoder::MultiHot { output, words } => {
            (Kind::MultiHot(vocabulary(words)?, output), &[FeatureType::Words])
        }
    };
    if !takes.contains(&kind) {
        return Err(format!("its encoder does not take type {}", kind.as_str()));
    }
    Ok(Encoder(encoder))
}

fn number<N: FromStr>(digits: &str) -> Result<N, String> {
    digits.parse().map_err(|_| format!("`{digits}` is not a number"))
}

fn vocabulary(words: Vec<CompactString>) -> Result<Vocabulary, String> {
    let vocabulary = Vocabulary::of(words);
    match vocabulary.repeated() {
        Some(word) => Err(format!("the word `{word}` stands there twice")),
        None => Ok(vocabulary),
    }
}
