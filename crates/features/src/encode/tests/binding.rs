//! A schema against what a store provides.

use headwater_base::{FeatureType, FeatureValue};

use super::{encoded, number, spec, word};
use crate::encode::{EncodeError, EncodedSchema, Found, SchemaFitting};

fn schema() -> EncodedSchema {
    let specs = vec![
        spec("item_ctr_1h@2", FeatureType::Number, "number(missing)"),
        spec("item.category@1", FeatureType::Word, "hashed(100)"),
        spec("user_clicks_1d@1", FeatureType::Number, "log1p"),
    ];
    SchemaFitting::new(specs).unwrap().freeze().unwrap()
}

const PROVIDED: [(&str, FeatureType); 4] = [
    ("user_clicks_1d@1", FeatureType::Number),
    ("item.category@1", FeatureType::Word),
    ("unread@1", FeatureType::Words),
    ("item_ctr_1h@2", FeatureType::Number),
];

#[test]
fn a_row_of_the_store_encodes_as_its_own_features_would() {
    let schema = schema();
    let binding = schema.bind(&PROVIDED).unwrap();
    assert_eq!(binding.positions(), [3, 1, 0]);
    let row = [number(7.0), word("shoes"), FeatureValue::Missing, number(0.25)];
    let (mut dense, mut sparse) = (vec![0.0; schema.dense_width()], Vec::new());
    schema.encode_bound(&binding, &row, &mut dense, &mut sparse).unwrap();
    assert_eq!((dense, sparse), encoded(&schema, &[number(0.25), word("shoes"), number(7.0)]));
}

#[test]
fn entries_are_appended_and_columns_overwritten() {
    let schema = schema();
    let (mut dense, mut sparse) = (vec![9.0; schema.dense_width()], Vec::new());
    let row = [FeatureValue::Missing, word("shoes"), number(0.0)];
    schema.encode_into(&row, &mut dense, &mut sparse).unwrap();
    schema.encode_into(&row, &mut dense, &mut sparse).unwrap();
    assert_eq!(dense, [0.0, 1.0, 0.0]);
    assert_eq!(sparse.len(), 2);
    assert_eq!(sparse[0], sparse[1]);
}

#[test]
fn rows_and_room_that_do_not_fit_are_refused() {
    let schema = schema();
    let binding = schema.bind(&PROVIDED).unwrap();
    let (mut dense, mut sparse) = (vec![9.0; 3], Vec::new());
    let row = vec![FeatureValue::Missing; 4];
    let short = schema.encode_bound(&binding, &row[..3], &mut dense, &mut sparse);
    assert_eq!(short, Err(EncodeError::Row { expected: 4, found: 3 }));
    let narrow = schema.encode_bound(&binding, &row, &mut dense[..2], &mut sparse);
    assert_eq!(narrow, Err(EncodeError::Width { expected: 3, found: 2 }));
    let long = schema.encode_into(&row, &mut dense, &mut sparse);
    assert_eq!(long, Err(EncodeError::Row { expected: 3, found: 4 }));
    let single =
        SchemaFitting::new(vec![spec("a@1", FeatureType::Number, "number")]).unwrap().freeze().unwrap();
    let foreign = single.encode_bound(&binding, &row, &mut dense[..1], &mut sparse);
    assert_eq!(foreign, Err(EncodeError::Row { expected: 1, found: 3 }));
    assert_eq!((dense, sparse), (vec![9.0; 3], vec![]));
}

#[test]
fn another_version_is_not_the_feature() {
    let provided = [
        ("item_ctr_1h@1", FeatureType::Number),
        ("item_ctr_1h@10", FeatureType::Number),
        PROVIDED[0],
        PROVIDED[1],
    ];
    let missing = schema().bind(&provided).unwrap_err();
    assert_eq!(
        (missing.name.as_str(), missing.expected, missing.found),
        ("item_ctr_1h@2", FeatureType::Number, Found::Nothing)
    );
    assert_eq!(missing.closest.as_deref(), Some("item_ctr_1h@10"), "the newest");
    assert_eq!(
        missing.to_string(),
        "the model reads feature `item_ctr_1h@2` of type number, which the store does not provide; \
         it has `item_ctr_1h@10`, another version"
    );
}

#[test]
fn another_type_is_not_the_feature() {
    let mut provided = PROVIDED;
    provided[1].1 = FeatureType::Words;
    let missing = schema().bind(&provided).unwrap_err();
    assert_eq!(missing.found, Found::Type(FeatureType::Words));
    assert_eq!(
        missing.to_string(),
        "the model reads feature `item.category@1` of type word, which the store provides as words"
    );
}

#[test]
fn a_slip_is_named_and_all_missing_are_counted() {
    let provided = [("item_ctr_1hr@2", FeatureType::Number), ("unlike", FeatureType::Word)];
    let missing = schema().bind(&provided).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the model reads feature `item_ctr_1h@2` of type number, which the store does not provide; \
         it has `item_ctr_1hr@2`, a similar name; 2 other features are missing too"
    );
    let missing = schema().bind::<&str>(&[]).unwrap_err();
    assert_eq!((missing.closest, missing.others), (None, 2));
}
