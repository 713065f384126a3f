//! Saved and read back.

use headwater_base::{FeatureType, FeatureValue};
use proptest::prelude::*;

use super::{encoded, fitted, number, spec, word, words};
use crate::encode::{EncodedSchema, SchemaFitting};

fn small() -> EncodedSchema {
    let specs = vec![
        spec("price@1", FeatureType::Number, "standardise(missing)"),
        spec("views@2", FeatureType::Number, "log1p"),
        spec("age@1", FeatureType::Number, "quantile_bins(2, embedding)"),
        spec("item.category@1", FeatureType::Word, "one_hot(2)"),
        spec("user@1", FeatureType::Word, "hashed(8)"),
        spec("item.tags@3", FeatureType::Words, "multi_hot(2, embedding)"),
    ];
    let mut fitting = SchemaFitting::new(specs).unwrap();
    for (price, age, category) in [(0.1, 1.0, "shoes"), (0.2, 2.5, "\"hats\"")] {
        let row =
            [number(price), number(9.0), number(age), word(category), word("u"), words(&["new", category])];
        fitting.observe(&row, 1.0).unwrap();
    }
    fitting.freeze().unwrap()
}

#[test]
fn the_text_never_changes() {
    let text = concat!(
        r#"{"format":1,"features":["#,
        r#"{"name":"price@1","type":"number","encoder":{"standardise":{"log":false,"missing":true,"#,
        r#""mean":"0.15000000223517418","deviation":"0.05000000074505806"}}},"#,
        r#"{"name":"views@2","type":"number","encoder":{"number":{"log":true,"missing":false}}},"#,
        r#"{"name":"age@1","type":"number","encoder":{"quantile_bins":{"output":"embedding","cuts":["1.0"]}}},"#,
        r#"{"name":"item.category@1","type":"word","encoder":{"one_hot":{"output":"columns","words":["\"hats\"","shoes"]}}},"#,
        r#"{"name":"user@1","type":"word","encoder":{"hashed":{"buckets":8}}},"#,
        r#"{"name":"item.tags@3","type":"words","encoder":{"multi_hot":{"output":"embedding","words":["new","\"hats\""]}}}"#,
        "]}"
    );
    assert_eq!(small().to_json(), text);
    assert_eq!(EncodedSchema::from_json(text).unwrap(), small());
    assert_eq!(serde_json::to_string(&small()).unwrap(), text);
}

#[test]
fn the_layout_says_where_everything_goes() {
    let schema = small();
    let names = ["price@1", "price@1 is missing", "views@2"];
    let categories = ["\"hats\"", "shoes"].map(|word| format!("item.category@1={word}"));
    assert_eq!(schema.dense_names()[..3], names);
    assert_eq!(schema.dense_names()[3..5], categories);
    assert_eq!((schema.dense_width(), schema.sparse_size()), (7, 3 + 9 + 4));
    let fields: Vec<_> =
        schema.fields().iter().map(|field| (field.feature, field.offset, field.size, field.bag)).collect();
    assert_eq!(fields, [(2, 0, 3, false), (4, 3, 9, false), (5, 12, 4, true)]);
    assert_eq!(schema.features()[3].columns, 3..7);
    assert_eq!(schema.sparse_name(12).unwrap(), "item.tags@3=new");
    assert_eq!(schema.sparse_name(16), None);
}

#[test]
fn the_fingerprint_is_of_all_that_was_learned() {
    let of =
        |value: f32| fitted(FeatureType::Number, "standardise", &[number(0.0), number(value)]).fingerprint();
    assert_eq!(of(1.0), of(1.0));
    assert_ne!(of(1.0), of(1.000_000_1));
    assert_ne!(of(1.0), fitted(FeatureType::Number, "number", &[]).fingerprint());
}

#[test]
fn what_no_fitting_gives_is_refused() {
    let error = |from: &str, to: &str| {
        let text = small().to_json();
        assert!(text.contains(from), "{from}");
        EncodedSchema::from_json(&text.replacen(from, to, 1)).unwrap_err().to_string()
    };
    assert!(error("\"format\":1", "\"format\":2,\"new\":0").contains("upgrade Headwater"));
    assert!(error("\"format\"", "\"fromat\"").contains("format"));
    assert!(error("views@2", "price@1").contains("feature price@1 stands there twice"));
    assert!(error("0.05000000074505806", "-1").contains("feature price@1: mean"));
    assert!(error("0.05000000074505806", "inf").contains("do not standardise"));
    assert!(error("0.05000000074505806", "much").contains("`much` is not a number"));
    assert!(error("\"1.0\"", "\"1.0\",\"1.0\"").contains("do not ascend"));
    assert!(error("\"1.0\"", "\"NaN\"").contains("do not ascend"));
    assert!(error("\"shoes\"", "\"shoes\",\"shoes\"").contains("the word `shoes` stands there twice"));
    assert!(error("\"buckets\":8", "\"buckets\":0").contains("0 buckets"));
    assert!(error("\"type\":\"word\"", "\"type\":\"words\"").contains("does not take type words"));
    assert!(
        error("\"type\":\"word\"", "\"type\":\"term\"").contains("type `term` is not number, word or words")
    );
    assert!(error("\"log\":true", "\"log\":true,\"lag\":1").contains("lag"));
    assert!(EncodedSchema::from_json("{").is_err());
}

proptest! {
    #[test]
    fn any_numbers_come_back_to_the_bit(
        numbers in prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 0..40),
        later in any::<f32>(),
    ) {
        let values: Vec<FeatureValue> = numbers.iter().copied().map(FeatureValue::number).collect();
        for encoder in ["standardise", "log1p(standardise)", "quantile_bins(20)"] {
            let schema = fitted(FeatureType::Number, encoder, &values);
            let text = schema.to_json();
            let back = EncodedSchema::from_json(&text).unwrap();
            prop_assert_eq!(back.to_json(), text);
            prop_assert_eq!(back.fingerprint(), schema.fingerprint());
            for number in numbers.iter().chain([&later]) {
                let row = [FeatureValue::number(*number)];
                let (before, after) = (encoded(&schema, &row).0, encoded(&back, &row).0);
                prop_assert!(before.iter().zip(&after).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
    }

    #[test]
    fn any_words_come_back(texts in prop::collection::vec(any::<String>(), 0..20)) {
        let values: Vec<FeatureValue> = texts.iter().map(|text| word(text)).collect();
        let schema = fitted(FeatureType::Word, "one_hot(15)", &values);
        let back = EncodedSchema::from_json(&schema.to_json()).unwrap();
        prop_assert_eq!(&back, &schema);
        for value in values {
            prop_assert_eq!(encoded(&schema, std::slice::from_ref(&value)), encoded(&back, &[value]));
        }
    }
}
