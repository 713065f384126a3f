//! What each encoder gives for known, unknown, missing and impossible values.

use headwater_base::{FeatureType, FeatureValue};

use super::{encoded, fitted, number, word, words};
use crate::encode::{EncodedSchema, EncoderSpec, Output};

const MISSING: FeatureValue = FeatureValue::Missing;

fn dense(schema: &EncodedSchema, value: FeatureValue) -> Vec<f32> {
    let (dense, sparse) = encoded(schema, &[value]);
    assert!(sparse.is_empty());
    dense
}

/// Indices with their weights.
fn sparse(schema: &EncodedSchema, value: FeatureValue) -> Vec<(u32, f32)> {
    let (dense, sparse) = encoded(schema, &[value]);
    assert!(dense.is_empty());
    sparse.iter().map(|entry| (entry.index, entry.weight)).collect()
}

/// Encodes a value that is no number to reckon with, or none at all.
fn assert_missing(schema: &EncodedSchema, expected: &[f32]) {
    for value in [
        MISSING,
        FeatureValue::number(f32::NAN),
        number(f32::NAN),
        number(f32::INFINITY),
        number(f32::NEG_INFINITY),
        word("3"),
        words(&["3"]),
    ] {
        assert_eq!(dense(schema, value.clone()), expected, "{value:?}");
    }
}

#[test]
fn number_is_as_it_is() {
    let schema = fitted(FeatureType::Number, "number", &[number(5.0), number(9.0)]);
    assert_eq!(dense(&schema, number(-7.25)), [-7.25]);
    assert_missing(&schema, &[0.0]);
    let schema = fitted(FeatureType::Number, "number(missing)", &[]);
    assert_eq!(dense(&schema, number(-7.25)), [-7.25, 0.0]);
    assert_missing(&schema, &[0.0, 1.0]);
    assert_eq!(schema.dense_names(), ["f", "f is missing"]);
}

#[test]
fn standardise_centres_and_scales_and_ignores_what_is_no_number() {
    let examples = [
        number(2.0),
        MISSING,
        number(f32::INFINITY),
        number(f32::NAN),
        word("2"),
        number(4.0),
        number(6.0),
        number(8.0),
    ];
    let schema = fitted(FeatureType::Number, "standardise(missing)", &examples);
    let scaled = (3.0 / 5.0_f64.sqrt()) as f32;
    assert_eq!(dense(&schema, number(5.0)), [0.0, 0.0]);
    assert_eq!(dense(&schema, number(8.0)), [scaled, 0.0]);
    assert_eq!(dense(&schema, number(2.0)), [-scaled, 0.0]);
    assert_missing(&schema, &[0.0, 1.0]);
    assert_missing(&fitted(FeatureType::Number, "standardise", &examples), &[0.0]);
}

#[test]
fn what_does_not_vary_gives_0() {
    for examples in [vec![], vec![MISSING], vec![number(0.1); 7]] {
        let schema = fitted(FeatureType::Number, "standardise(missing)", &examples);
        for value in [0.1, -3.0, f32::MAX] {
            assert_eq!(dense(&schema, number(value)), [0.0, 0.0]);
        }
    }
}

#[test]
fn a_tiny_deviation_does_not_make_infinity() {
    let schema = fitted(FeatureType::Number, "standardise", &[number(0.0), number(f32::from_bits(1))]);
    assert_eq!(dense(&schema, number(f32::MAX)), [f32::MAX]);
    assert_eq!(dense(&schema, number(f32::MIN)), [f32::MIN]);
}

#[test]
fn log1p_keeps_the_sign() {
    let schema = fitted(FeatureType::Number, "log1p(missing)", &[number(5.0), number(9.0)]);
    assert_eq!(dense(&schema, number(1.0)), [std::f32::consts::LN_2, 0.0]);
    assert_eq!(dense(&schema, number(-1.0)), [-std::f32::consts::LN_2, 0.0]);
    assert_eq!(dense(&schema, number(0.0)), [0.0, 0.0]);
    assert!(dense(&schema, number(f32::MAX))[0] < 89.0);
    assert_missing(&schema, &[0.0, 1.0]);
}

#[test]
fn log1p_is_standardised_after_the_logarithm() {
    let e = std::f32::consts::E;
    // Logarithms 1 and 3: mean 2, deviation 1.
    let examples = [number(e - 1.0), number(e * e * e - 1.0), MISSING];
    let schema = fitted(FeatureType::Number, "log1p(standardise)", &examples);
    let [scaled] = dense(&schema, number(e * e * e * e - 1.0))[..] else { panic!("one column") };
    assert!((scaled - 2.0).abs() < 1e-5, "{scaled}");
    assert_missing(&schema, &[0.0]);
}

#[test]
fn quantile_bins_hold_their_upper_end_and_keep_infinity_outside() {
    let examples: Vec<_> = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0].map(number).into();
    let schema = fitted(FeatureType::Number, "quantile_bins(4)", &examples);
    assert_eq!(schema.dense_names(), ["f <= 2", "2 < f <= 4", "4 < f <= 6", "f > 6", "f is missing"]);
    for (value, bin) in [
        (number(f32::NEG_INFINITY), 0),
        (number(-5.0), 0),
        (number(2.0), 0),
        (number(2.1), 1),
        (number(6.0), 2),
        (number(6.5), 3),
        (number(f32::INFINITY), 3),
        (number(f32::NAN), 4),
        (MISSING, 4),
        (word("2"), 4),
    ] {
        let mut expected = [0.0; 5];
        expected[bin] = 1.0;
        assert_eq!(dense(&schema, value.clone()), expected, "{value:?}");
    }
}

#[test]
fn quantile_bins_as_an_embedding_give_the_bucket() {
    let examples: Vec<_> = [1.0, 2.0, 3.0, 4.0].map(number).into();
    let schema = fitted(FeatureType::Number, "quantile_bins(2, embedding)", &examples);
    assert_eq!(schema.sparse_size(), 3);
    assert_eq!(sparse(&schema, number(2.0)), [(0, 1.0)]);
    assert_eq!(sparse(&schema, number(9.0)), [(1, 1.0)]);
    assert_eq!(sparse(&schema, MISSING), [(2, 1.0)]);
    assert_eq!(schema.sparse_name(1).unwrap(), "f > 2");
}

#[test]
fn frequent_values_merge_bins_and_none_is_empty() {
    let of = |values: &[f32]| {
        let examples: Vec<_> = values.iter().copied().map(number).collect();
        fitted(FeatureType::Number, "quantile_bins(4)", &examples).dense_names()
    };
    assert_eq!(of(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -0.0, 2.0]), ["f <= 0", "f > 0", "f is missing"]);
    assert_eq!(of(&[3.0, 3.0, 3.0]), ["f is known", "f is missing"]);
    assert_eq!(of(&[]), ["f is known", "f is missing"]);
}

#[test]
fn one_hot_keeps_the_most_frequent_and_has_places_for_the_rest() {
    // shoes 3, hats 2, bags 2, belts 1: ties go to the word that comes first.
    let examples = ["hats", "shoes", "bags", "shoes", "belts", "hats", "bags", "shoes"].map(word);
    let schema = fitted(FeatureType::Word, "one_hot(2)", &examples);
    assert_eq!(schema.dense_names(), ["f=shoes", "f=bags", "f is other", "f is missing"]);
    for (value, expected) in [
        (word("shoes"), [1.0, 0.0, 0.0, 0.0]),
        (word("bags"), [0.0, 1.0, 0.0, 0.0]),
        (word("hats"), [0.0, 0.0, 1.0, 0.0]),
        (word("never seen"), [0.0, 0.0, 1.0, 0.0]),
        (word(""), [0.0, 0.0, 1.0, 0.0]),
        (MISSING, [0.0, 0.0, 0.0, 1.0]),
        (number(f32::NAN), [0.0, 0.0, 0.0, 1.0]),
        (number(1.0), [0.0, 0.0, 0.0, 1.0]),
        (words(&["shoes"]), [0.0, 0.0, 0.0, 1.0]),
    ] {
        assert_eq!(dense(&schema, value.clone()), expected, "{value:?}");
    }
    let rare = fitted(FeatureType::Word, "one_hot(50, min_count=3, embedding)", &examples);
    assert_eq!(sparse(&rare, word("shoes")), [(0, 1.0)]);
    assert_eq!(sparse(&rare, word("bags")), [(1, 1.0)]);
    assert_eq!(sparse(&rare, MISSING), [(2, 1.0)]);
}

#[test]
fn one_hot_of_nothing_still_tells_other_from_missing() {
    let schema = fitted(FeatureType::Word, "one_hot(5)", &[MISSING]);
    assert_eq!(dense(&schema, word("shoes")), [1.0, 0.0]);
    assert_eq!(dense(&schema, MISSING), [0.0, 1.0]);
}

#[test]
fn hashed_never_changes_and_keeps_the_missing_apart() {
    let schema = fitted(FeatureType::Word, "hashed(1024)", &[word("ignored")]);
    assert_eq!(schema.sparse_size(), 1025);
    // Artifacts hold weights by these numbers.
    assert_eq!(sparse(&schema, word("user-1")), [(497, 1.0)]);
    assert_eq!(schema.sparse_name(497).unwrap(), "f#497");
    for value in [MISSING, number(f32::NAN), words(&["user-1"])] {
        assert_eq!(sparse(&schema, value), [(1024, 1.0)]);
    }
    assert_eq!(schema.sparse_name(1024).unwrap(), "f is missing");
    assert_eq!(schema.sparse_name(1025), None);
    let buckets: Vec<u32> = (0..10_000).map(|n| sparse(&schema, word(&format!("w{n}")))[0].0).collect();
    let mut counts = [0_i32; 1024];
    buckets.iter().for_each(|bucket| counts[*bucket as usize] += 1);
    // Ten words a bucket, give or take: 32 of a Poisson of mean 10 is one in 10^7.
    assert!(counts.iter().all(|count| *count < 32), "{counts:?}");
}

#[test]
fn hashed_takes_several_words_too() {
    let one = fitted(FeatureType::Word, "hashed(64)", &[]);
    let several = fitted(FeatureType::Words, "hashed(64)", &[]);
    let (red, blue) = (sparse(&one, word("red"))[0].0, sparse(&one, word("blue"))[0].0);
    assert_eq!(sparse(&several, words(&["red", "blue"])), [(red, 0.5), (blue, 0.5)]);
    assert_eq!(sparse(&several, words(&[])), []);
    assert_eq!(sparse(&several, MISSING), [(64, 1.0)]);
    assert_eq!(sparse(&several, word("red")), [(64, 1.0)]);
    assert!(several.fields()[0].bag && !one.fields()[0].bag);
}

#[test]
fn multi_hot_marks_each_word_once_and_the_unknown_as_other() {
    let examples = [words(&["red", "new"]), words(&["red", "red", "old", "old"]), words(&["new"]), MISSING];
    let schema = fitted(FeatureType::Words, "multi_hot(2)", &examples);
    assert_eq!(schema.dense_names(), ["f=new", "f=red", "f is other", "f is missing"]);
    for (value, expected) in [
        (words(&["red", "red"]), [0.0, 1.0, 0.0, 0.0]),
        (words(&["red", "new"]), [1.0, 1.0, 0.0, 0.0]),
        (words(&["red", "old", "never seen"]), [0.0, 1.0, 1.0, 0.0]),
        (words(&[]), [0.0, 0.0, 0.0, 0.0]),
        (MISSING, [0.0, 0.0, 0.0, 1.0]),
        (number(f32::NAN), [0.0, 0.0, 0.0, 1.0]),
        (word("red"), [0.0, 0.0, 0.0, 1.0]),
    ] {
        assert_eq!(dense(&schema, value.clone()), expected, "{value:?}");
    }
}

#[test]
fn multi_hot_as_an_embedding_weighs_each_word_alike() {
    let examples = [words(&["red", "new"]), words(&["red"])];
    let schema = fitted(FeatureType::Words, "multi_hot(9, embedding)", &examples);
    assert_eq!(
        sparse(&schema, words(&["new", "what", "red", "red"])),
        [(1, 0.25), (2, 0.25), (0, 0.25), (0, 0.25)]
    );
    assert_eq!(sparse(&schema, words(&[])), []);
    assert_eq!(sparse(&schema, MISSING), [(3, 1.0)]);
}

#[test]
fn every_type_has_a_default_that_takes_it() {
    for kind in [FeatureType::Number, FeatureType::Word, FeatureType::Words] {
        let spec = crate::EncoderSpec::default_for(kind);
        assert!(spec.takes(kind));
        assert_eq!(spec.to_string().parse(), Ok(spec));
        fitted(kind, &spec.to_string(), &[]);
    }
    assert_eq!(Output::default(), Output::Columns);
}

/// An encoder of each kind and output, with the type that it takes. One that is added does not compile here until it
/// takes its place.
fn encoder_after(before: Option<&EncoderSpec>) -> Option<EncoderSpec> {
    use EncoderSpec as E;
    use Output::{Columns, Embedding};
    Some(match before.copied() {
        None => E::Number { missing: false },
        Some(E::Number { missing: false }) => E::Number { missing: true },
        Some(E::Number { missing: true }) => E::Standardise { missing: false },
        Some(E::Standardise { missing: false }) => E::Standardise { missing: true },
        Some(E::Standardise { missing: true }) => E::Log1p { standardise: false, missing: false },
        Some(E::Log1p { standardise: false, .. }) => E::Log1p { standardise: true, missing: true },
        Some(E::Log1p { standardise: true, .. }) => E::QuantileBins { bins: 4, output: Columns },
        Some(E::QuantileBins { output: Columns, .. }) => E::QuantileBins { bins: 4, output: Embedding },
        Some(E::QuantileBins { output: Embedding, .. }) => {
            E::OneHot { max: 2, min_count: 1, output: Columns }
        }
        Some(E::OneHot { output: Columns, .. }) => E::OneHot { max: 2, min_count: 1, output: Embedding },
        Some(E::OneHot { output: Embedding, .. }) => E::Hashed { buckets: 1000 },
        Some(E::Hashed { .. }) => E::MultiHot { max: 2, min_count: 1, output: Columns },
        Some(E::MultiHot { output: Columns, .. }) => E::MultiHot { max: 2, min_count: 1, output: Embedding },
        Some(E::MultiHot { output: Embedding, .. }) => return None,
    })
}

#[test]
fn every_encoder_takes_a_nan_and_a_foreign_type_for_missing_and_tells_it_from_the_unknown() {
    let mut encoder = encoder_after(None);
    while let Some(spec) = encoder {
        for kind in [FeatureType::Number, FeatureType::Word, FeatureType::Words] {
            if !spec.takes(kind) {
                continue;
            }
            let (known, unknown, foreign) = match kind {
                FeatureType::Number => ([2.0, 3.0, 5.0].map(number), number(1e30), word("2")),
                FeatureType::Word => (["a", "a", "b"].map(word), word("new"), words(&["a"])),
                FeatureType::Words => {
                    ([&["a"], &["a"], &["b"]].map(|one| words(one)), words(&["new"]), word("a"))
                }
            };
            let schema = fitted(kind, &spec.to_string(), &known);
            let missing = encoded(&schema, &[MISSING]);
            for value in [number(f32::NAN), FeatureValue::number(f32::NAN), foreign] {
                assert_eq!(encoded(&schema, std::slice::from_ref(&value)), missing, "{spec} of {value:?}");
            }
            let unknown = encoded(&schema, &[unknown]);
            assert_ne!(unknown, missing, "{spec}");
            for (dense, sparse) in [missing, unknown] {
                assert!(dense.iter().all(|column| column.is_finite()), "{spec}: {dense:?}");
                assert!(sparse.iter().all(|entry| entry.index < schema.sparse_size()), "{spec}: {sparse:?}");
            }
        }
        encoder = encoder_after(Some(&spec));
    }
}
