//! Fitting against slow references; order, split and weight; and that encoding teaches nothing.

use compact_str::CompactString;
use headwater_base::{FeatureType, FeatureValue};
use proptest::prelude::*;

use super::{encoded, spec, word};
use crate::encode::{EncodeError, EncodingSpec, SchemaFitting};

/// One feature for each encoder.
fn specs() -> Vec<EncodingSpec> {
    use FeatureType::{Number, Word, Words};
    let encoders = [
        (Number, "number(missing)"),
        (Number, "standardise(missing)"),
        (Number, "log1p(standardise)"),
        (Number, "quantile_bins(5)"),
        (Number, "quantile_bins(9, embedding)"),
        (Word, "one_hot(3)"),
        (Word, "one_hot(4, min_count=2, embedding)"),
        (Word, "hashed(16)"),
        (Words, "hashed(16)"),
        (Words, "multi_hot(3)"),
        (Words, "multi_hot(2, embedding)"),
    ];
    let named = encoders.iter().enumerate();
    named.map(|(place, (kind, encoder))| spec(&format!("f{place}@1"), *kind, encoder)).collect()
}

fn text() -> impl Strategy<Value = CompactString> {
    "[a-f]{0,2}".prop_map(CompactString::from)
}

fn number() -> impl Strategy<Value = FeatureValue> {
    // Any bits (infinite and NaN among them), and small numbers that repeat.
    prop_oneof![any::<f32>(), (-9_i8..9).prop_map(f32::from)].prop_map(FeatureValue::Number)
}

/// A value of the type, or now and then a missing one or one of another type.
fn value_of(kind: FeatureType) -> BoxedStrategy<FeatureValue> {
    let word = || text().prop_map(FeatureValue::Word);
    let words = || prop::collection::vec(text(), 0..5).prop_map(|words| FeatureValue::Words(words.into()));
    let own = match kind {
        FeatureType::Number => number().boxed(),
        FeatureType::Word => word().boxed(),
        FeatureType::Words => words().boxed(),
    };
    prop_oneof![16 => own, 1 => Just(FeatureValue::Missing), 1 => number(), 1 => word(), 1 => words()].boxed()
}

type Examples = Vec<(Vec<FeatureValue>, f32)>;

fn examples() -> impl Strategy<Value = Examples> {
    let row: Vec<_> = specs().iter().map(|spec| value_of(spec.kind)).collect();
    prop::collection::vec((row, prop_oneof![Just(1.0_f32), 0.0_f32..9.0]), 0..30)
}

fn fit<'a>(examples: impl IntoIterator<Item = &'a (Vec<FeatureValue>, f32)>) -> SchemaFitting {
    let mut fitting = SchemaFitting::new(specs()).unwrap();
    for (row, weight) in examples {
        fitting.observe(row, *weight).unwrap();
    }
    fitting
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_split_change_no_byte(examples in examples(), cut in 0_usize..30) {
        let all = fit(&examples).freeze().unwrap();
        prop_assert_eq!(all.to_json(), fit(examples.iter().rev()).freeze().unwrap().to_json());
        let (left, right) = examples.split_at(cut.min(examples.len()));
        let mut merged = fit(right);
        merged.merge(&fit(left)).unwrap();
        prop_assert_eq!(all.to_json(), merged.freeze().unwrap().to_json());
    }

    #[test]
    fn a_weight_is_so_many_examples(examples in examples(), times in 1_usize..4) {
        let repeated = examples.iter().flat_map(|(row, _)| std::iter::repeat_n((row.clone(), 1.0), times));
        let weighted: Examples = examples.iter().map(|(row, _)| (row.clone(), times as f32)).collect();
        let repeated: Examples = repeated.collect();
        prop_assert_eq!(fit(&weighted).freeze().unwrap().to_json(), fit(&repeated).freeze().unwrap().to_json());
    }

    #[test]
    fn every_encoding_is_finite_and_within_its_field(examples in examples(), later in examples()) {
        let schema = fit(&examples).freeze().unwrap();
        for (row, _) in &later {
            let (dense, sparse) = encoded(&schema, row);
            prop_assert!(dense.iter().all(|column| column.is_finite()), "{dense:?}");
            for (place, field) in schema.fields().iter().enumerate() {
                let own: Vec<_> = sparse.iter().filter(|entry| entry.field as usize == place).collect();
                prop_assert!(field.bag || own.len() == 1);
                for entry in own {
                    prop_assert!((field.offset..field.offset + field.size).contains(&entry.index));
                    let name = schema.sparse_name(entry.index).unwrap();
                    prop_assert!(name.contains(schema.features()[field.feature].name.as_str()), "{name}");
                }
            }
            prop_assert!(sparse.is_sorted_by_key(|entry| entry.field));
        }
    }

    #[test]
    fn encoding_teaches_nothing(examples in examples(), later in examples()) {
        let schema = fit(&examples).freeze().unwrap();
        let (before, again) = (schema.to_json(), schema.clone());
        let first: Vec<_> = later.iter().map(|(row, _)| encoded(&schema, row)).collect();
        let second: Vec<_> = later.iter().rev().map(|(row, _)| encoded(&again, row)).collect();
        prop_assert_eq!(before, schema.to_json());
        prop_assert!(first.iter().eq(second.iter().rev()));
    }

    #[test]
    fn cuts_are_those_of_sorting(
        numbers in prop::collection::vec((prop_oneof![-3_i8..3, any::<i8>()], 1_u8..4), 1..300),
        // Few cuts are compared with each, many by halving.
        bins in prop_oneof![2_u32..12, 60_u32..200],
    ) {
        let mut fitting = SchemaFitting::new(vec![spec("f", FeatureType::Number, &format!("quantile_bins({bins})"))]).unwrap();
        let mut sorted = Vec::new();
        for (number, weight) in &numbers {
            let number = f32::from(*number) / 4.0;
            fitting.observe(&[FeatureValue::Number(number)], f32::from(*weight)).unwrap();
            sorted.extend(std::iter::repeat_n(number, usize::from(*weight)));
        }
        sorted.sort_by(f32::total_cmp);
        let quantile = |part: u32| sorted[(part as usize * sorted.len()).div_ceil(bins as usize) - 1];
        let mut cuts: Vec<f32> = (1..bins).map(quantile).filter(|cut| cut < sorted.last().unwrap()).collect();
        cuts.dedup();
        let schema = fitting.freeze().unwrap();
        for value in sorted.iter().flat_map(|number| [number - 0.1, *number, number + 0.1]) {
            let bin = cuts.iter().filter(|cut| **cut < value).count();
            let (dense, _) = encoded(&schema, &[FeatureValue::Number(value)]);
            prop_assert_eq!(dense.len(), cuts.len() + 2);
            prop_assert_eq!(dense.iter().position(|column| *column == 1.0), Some(bin));
        }
        let occupied: Vec<usize> = sorted.iter().map(|value| cuts.iter().filter(|cut| *cut < value).count()).collect();
        prop_assert!((0..=cuts.len()).all(|bin| occupied.contains(&bin)), "no bin is empty");
    }

    #[test]
    fn kept_words_are_those_of_sorting(
        observed in prop::collection::vec(("[a-e]{1,2}", 1_u8..4), 0..40),
        max in 1_usize..8,
        least in 1_u32..4,
    ) {
        let encoder = format!("one_hot({max}, min_count={least})");
        let mut fitting = SchemaFitting::new(vec![spec("f", FeatureType::Word, &encoder)]).unwrap();
        let mut counts = std::collections::BTreeMap::new();
        for (text, weight) in &observed {
            fitting.observe(&[word(text)], f32::from(*weight)).unwrap();
            *counts.entry(text.clone()).or_insert(0) += u32::from(*weight);
        }
        let mut kept: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
        kept.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut names: Vec<String> = kept.into_iter().take(max).map(|(word, _)| format!("f={word}")).collect();
        names.extend(["f is other", "f is missing"].map(String::from));
        prop_assert_eq!(fitting.freeze().unwrap().dense_names(), names);
    }
}

#[test]
fn what_a_fitting_cannot_take_is_refused() {
    let refused = |specs: Vec<EncodingSpec>| SchemaFitting::new(specs).unwrap_err().to_string();
    let age = || spec("age@1", FeatureType::Number, "number");
    assert!(refused(vec![age(), age()]).contains("encoder of age@1: `age@1` is not given once"));
    assert!(refused(vec![spec("", FeatureType::Number, "number")]).contains("a name with its version"));
    let error = refused(vec![spec("tags@1", FeatureType::Words, "one_hot(5)")]);
    assert!(
        error.contains("encoder of tags@1: `one_hot(5)` is not an encoder of features of type words"),
        "{error}"
    );
    assert!(error.contains("multi_hot, hashed"), "{error}");
    let by_hand = EncodingSpec {
        encoder: crate::EncoderSpec::Hashed { buckets: 0 },
        ..spec("a@1", FeatureType::Word, "hashed(1)")
    };
    assert!(refused(vec![by_hand]).contains("from 1 to"));

    let mut fitting = fit(&[]);
    assert_eq!(fitting.observe(&[], 1.0), Err(EncodeError::Row { expected: 11, found: 0 }));
    let other = SchemaFitting::new(vec![age()]).unwrap();
    assert_eq!(fitting.merge(&other), Err(EncodeError::Differ));
}

#[test]
fn a_table_of_embeddings_has_an_end() {
    let specs = (0..33).map(|place| spec(&format!("f{place}"), FeatureType::Word, "hashed(134217728)"));
    let error = SchemaFitting::new(specs.collect()).unwrap().freeze().unwrap_err();
    assert!(error.to_string().contains("below 2^32 rows"), "{error}");
}
