//! Behaviour of encoders from spec to columns.

mod binding;
mod fits;
mod frozen;
mod tables;

use compact_str::CompactString;
use headwater_base::{FeatureType, FeatureValue};

use super::{EncodedSchema, EncodingSpec, SchemaFitting, SparseEntry};

fn spec(name: &str, kind: FeatureType, encoder: &str) -> EncodingSpec {
    EncodingSpec { name: name.into(), kind, encoder: encoder.parse().unwrap() }
}

fn number(number: f32) -> FeatureValue {
    FeatureValue::Number(number)
}

fn word(word: &str) -> FeatureValue {
    FeatureValue::Word(word.into())
}

fn words(words: &[&str]) -> FeatureValue {
    FeatureValue::Words(words.iter().map(|word| CompactString::from(*word)).collect())
}

/// The schema of one feature, fitted on values of weight 1.
fn fitted(kind: FeatureType, encoder: &str, values: &[FeatureValue]) -> EncodedSchema {
    let mut fitting = SchemaFitting::new(vec![spec("f", kind, encoder)]).unwrap();
    for value in values {
        fitting.observe(std::slice::from_ref(value), 1.0).unwrap();
    }
    fitting.freeze().unwrap()
}

/// Dense columns and sparse entries of a row.
fn encoded(schema: &EncodedSchema, row: &[FeatureValue]) -> (Vec<f32>, Vec<SparseEntry>) {
    // What was there before must not show.
    let mut dense = vec![f32::NAN; schema.dense_width()];
    let mut sparse = Vec::new();
    schema.encode_into(row, &mut dense, &mut sparse).unwrap();
    (dense, sparse)
}
