//! Feature vectors keep every bit, take few bytes, and unfold to no more than a record may.

use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{FeatureValue, LoggedFeatures, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::features::{put, take};
use super::super::wire::{Input, put_signed, put_unsigned};
use super::CodecError;

fn encoded(features: &LoggedFeatures) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, features);
    bytes
}

fn decoded(bytes: &[u8]) -> Result<LoggedFeatures, CodecError> {
    let mut input = Input::new(bytes);
    let features = take(&mut input)?;
    input.finish()?;
    Ok(features)
}

fn word() -> impl Strategy<Value = CompactString> {
    prop_oneof!["[a-c]", "\\PC{0,40}"].prop_map(CompactString::from)
}

/// Any bits but those of NaN, and many that repeat.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        (0u8..9).prop_map(f32::from),
        any::<u32>().prop_map(f32::from_bits),
        prop::sample::select(vec![-0.0, f32::MIN_POSITIVE / 4.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX]),
    ]
    .prop_filter("not NaN", |number| !number.is_nan())
}

fn of(shape: u8) -> BoxedStrategy<FeatureValue> {
    let missing = Just(FeatureValue::Missing);
    let number = number().prop_map(FeatureValue::Number);
    let word_value = word().prop_map(FeatureValue::Word);
    let words = vec(word(), 0..4).prop_map(|words| FeatureValue::Words(words.into()));
    match shape {
        0 => number.boxed(),
        1 => prop_oneof![1 => missing, 2 => number].boxed(),
        2 => prop_oneof![1 => missing, 2 => word_value].boxed(),
        3 => words.boxed(),
        _ => prop_oneof![missing, number, word_value, words].boxed(),
    }
}

/// One column: constant, or of one of the shapes that columns have.
fn column(rows: usize) -> impl Strategy<Value = Vec<FeatureValue>> {
    (0u8..5, any::<bool>()).prop_flat_map(move |(shape, constant)| {
        if constant {
            of(shape).prop_map(move |value| vec![value; rows]).boxed()
        } else {
            vec(of(shape), rows).boxed()
        }
    })
}

pub(super) fn logged() -> impl Strategy<Value = LoggedFeatures> {
    let even = (0usize..12, 0usize..10).prop_flat_map(|(rows, width)| {
        vec(column(rows), width).prop_map(move |columns| {
            (0..rows).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
        })
    });
    let uneven = vec(vec(of(9), 0..4), 0..6);
    let rows = prop_oneof![4 => even, 1 => uneven];
    (any::<u64>(), any::<i64>(), 0.001f32..=1.0, rows).prop_map(|(schema, time, share, rows)| {
        LoggedFeatures { schema, time: Timestamp::from_micros(time), share, rows }
    })
}

/// A value of each kind in a column of each kind.
pub(super) fn sample() -> LoggedFeatures {
    let word = |word: &str| FeatureValue::Word(word.into());
    let words = |words: &[&str]| FeatureValue::Words(words.iter().map(|word| (*word).into()).collect());
    let number = FeatureValue::Number;
    let row = |changing: [FeatureValue; 5]| {
        let constant = [FeatureValue::Missing, number(-0.5), word("se"), words(&["red", "se"])];
        constant.into_iter().chain(changing).collect()
    };
    LoggedFeatures {
        schema: 0xfeed_beef,
        time: Timestamp::from_micros(1_764_000_000_123_456),
        share: 0.25,
        rows: vec![
            row([
                number(3.0),
                FeatureValue::Missing,
                number(0.1),
                word("se"),
                number(f32::MIN_POSITIVE / 2.0),
            ]),
            row([number(4.0), number(-0.0), number(0.7), word("shoes"), words(&["red", "blue"])]),
            row([number(4.0), number(0.0), number(-9.3e-8), FeatureValue::Missing, word("red")]),
        ],
    }
}

fn same(a: &LoggedFeatures, b: &LoggedFeatures) -> bool {
    (a.schema, a.time, a.share.to_bits()) == (b.schema, b.time, b.share.to_bits())
        && a.rows.len() == b.rows.len()
        && a.rows
            .iter()
            .zip(&b.rows)
            .all(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)))
}

proptest! {
    #[test]
    fn every_bit_round_trips(features in logged()) {
        let bytes = encoded(&features);
        prop_assert!(same(&decoded(&bytes).unwrap(), &features));
    }

    #[test]
    fn no_flipped_byte_panics(features in logged(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = encoded(&features);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let _ = decoded(&bytes);
    }

    #[test]
    fn no_bytes_panic(tail in vec(any::<u8>(), 0..200), layout in 0u8..3) {
        let mut bytes = head(layout);
        bytes.extend(tail);
        let _ = decoded(&bytes);
    }
}

/// A record up to its layout.
fn head(layout: u8) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    put_signed(&mut bytes, 0);
    bytes.extend(1f32.to_le_bytes());
    bytes.push(layout);
    bytes
}

fn too_large(bytes: &[u8]) -> bool {
    matches!(
        decoded(bytes),
        Err(CodecError::Malformed {
            reason: "more features than a record may unfold to" | "a count larger than the record",
            ..
        })
    )
}

#[test]
fn what_would_unfold_too_far_is_refused() {
    for (rows, width) in [(1u64 << 62, 0), (0, u64::MAX), (1 << 20, 1 << 20), (1 << 32, 1 << 32)] {
        let mut columns = head(0);
        put_unsigned(&mut columns, rows);
        put_unsigned(&mut columns, width);
        // All of them missing, in every row.
        columns.extend([0; 4096]);
        if rows > 0 {
            assert!(too_large(&columns), "{rows} rows of {width}");
        } else {
            assert!(decoded(&columns).is_err());
        }
    }
    let mut rows = head(1);
    put_unsigned(&mut rows, 1 << 40);
    assert!(too_large(&rows));
}

#[test]
fn a_word_that_unfolds_too_far_is_refused_and_still_round_trips() {
    let word = FeatureValue::Word("w".repeat(10_000).into());
    let features = LoggedFeatures { rows: vec![vec![word; 2]; 1000], ..sample() };
    let bytes = encoded(&features);
    assert!(bytes.len() > 20_000_000, "written in full");
    assert!(same(&decoded(&bytes).unwrap(), &features));

    // The same, claimed by a record of 10 KB.
    let mut columns = head(0);
    put_unsigned(&mut columns, 1000);
    put_unsigned(&mut columns, 2);
    columns.extend([2, 0]);
    super::super::wire::put_text(&mut columns, &"w".repeat(10_000));
    columns.extend([2, 1]);
    assert!(too_large(&columns));
}

#[test]
fn many_empty_rows_round_trip() {
    let features = LoggedFeatures { rows: vec![Vec::new(); 200_000], ..sample() };
    let bytes = encoded(&features);
    assert!(same(&decoded(&bytes).unwrap(), &features));
}

/// What one decision adds: 20 items, 25 features of the user or the moment, 10 counts, 10 means and 5 words of the item.
#[test]
fn twenty_rows_of_fifty_features_are_small() {
    let shared = |at: u16| match at % 5 {
        0 => FeatureValue::Missing,
        1 => FeatureValue::Word(["se", "mobile"][usize::from(at / 5) % 2].into()),
        2 => FeatureValue::Number(f32::from(at)),
        _ => FeatureValue::Number(f32::from(at) / 7.0),
    };
    let row = |row: u16| {
        let counts = (0..10).map(|at| FeatureValue::Number(f32::from((row * 7 + at * 3) % 40)));
        let means = (0u16..10).map(|at| FeatureValue::Number(f32::from(row + 1) / f32::from(at + 3)));
        let words = (0..5).map(|at| FeatureValue::Word(format!("word-{}", (row + at) % 12).into()));
        (0..25).map(shared).chain(counts).chain(means).chain(words).collect()
    };
    let features = LoggedFeatures { rows: (0..20).map(row).collect(), ..sample() };
    let bytes = encoded(&features).len();
    assert_eq!(bytes, 1_447, "of 4,000 as plain 32-bit numbers");
    assert_eq!(decoded(&encoded(&features)).unwrap().rows[3][3], FeatureValue::Number(3.0 / 7.0));

    let alike: Arc<[_]> = (0..50).map(shared).collect();
    let alike = LoggedFeatures { rows: vec![alike.to_vec(); 20], ..sample() };
    assert!(encoded(&alike).len() < 250, "all columns the user's: {} bytes", encoded(&alike).len());
}
