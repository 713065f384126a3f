//! The encoders of a model: fitted on what lies before the cut, kept in the artifact, bound to a store when it is loaded.
//!
//! Artifacts of models that read features hold one more file, `features.json`: the canonical text of the
//! [`EncodedSchema`], which names each feature with its version. Models that read none have no such file.

use headwater_base::feature::feature_schema;
use headwater_base::{FeatureType, Invalid, Timestamp};
use headwater_features::encode::{Binding, EncodedSchema, EncodingSpec, SchemaFitting};
use headwater_registry::Bundle;

use crate::TrainingError;
use crate::examples::Example;

/// The file within the artifact.
pub const FILE: &str = "features.json";

/// Fits encoders on the examples decided before `cut`; what comes later changes nothing. An example counts for as many as
/// it stands for ([`Example::weight`]); how sampled negatives were drawn is not made up for, lest the rarest of them decide
/// the scale of every feature.
///
/// # Errors
/// Specs that cannot be, and an example whose features are not those of the specs, in their order.
pub fn fit<'a>(
    specs: Vec<EncodingSpec>,
    examples: impl IntoIterator<Item = &'a Example>,
    cut: Timestamp,
) -> Result<EncodedSchema, TrainingError> {
    let schema = feature_schema(specs.iter().map(|spec| spec.name.as_str()));
    let mut fitting = SchemaFitting::new(specs)?;
    for example in examples.into_iter().filter(|example| example.time < cut) {
        if example.schema != schema {
            let names: Vec<&str> = fitting.specs().iter().map(|spec| spec.name.as_str()).collect();
            let expected = format!("the number of the features to encode, {}", names.join(", "));
            let field = compact_str::format_compact!("schema of request {}", example.request_id);
            return Err(Invalid::new("other_features", field, example.schema, expected).into());
        }
        fitting.observe(&example.features, example.weight)?;
    }
    Ok(fitting.freeze()?)
}

/// Puts encoders into an artifact, in the place of those it may hold; the manifest says which features they read, so that
/// a store computes them for as long as the model is the champion.
pub fn attach(bundle: &mut Bundle, schema: &EncodedSchema) {
    bundle.manifest.features = schema.features().iter().map(|feature| feature.name.to_string()).collect();
    bundle.files.retain(|(name, _)| name != FILE);
    bundle.files.push((FILE.to_owned(), schema.to_json().into_bytes()));
}

/// The encoders of an artifact; none if its model reads no features.
///
/// # Errors
/// A file that is no such schema, or of a newer layout.
pub fn read(bundle: &Bundle) -> Result<Option<EncodedSchema>, TrainingError> {
    let Some(content) = bundle.file(FILE) else { return Ok(None) };
    let broken = |error: &dyn std::fmt::Display| TrainingError::Artifact(format!("{FILE}: {error}"));
    let text = std::str::from_utf8(content).map_err(|error| broken(&error))?;
    EncodedSchema::from_json(text).map(Some).map_err(|error| broken(&error))
}

/// The encoders of an artifact and where the store keeps what they read. `provided` are the store's features, by name with
/// version, in the order of its rows' columns.
///
/// # Errors
/// Those of [`read`], and a feature that the store does not provide, by name.
pub fn load<N: AsRef<str>>(
    bundle: &Bundle,
    provided: &[(N, FeatureType)],
) -> Result<Option<(EncodedSchema, Binding)>, TrainingError> {
    let Some(schema) = read(bundle)? else { return Ok(None) };
    let binding = schema.bind(provided)?;
    Ok(Some((schema, binding)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_base::{Actor, ErrorKind, FeatureValue, ItemId, RequestId, UserId};

    use super::*;

    fn specs() -> Vec<EncodingSpec> {
        let spec = |name: &str, kind, encoder: &str| EncodingSpec {
            name: name.into(),
            kind,
            encoder: encoder.parse().unwrap(),
        };
        vec![
            spec("item_ctr_1h@2", FeatureType::Number, "standardise(missing)"),
            spec("item.category@1", FeatureType::Word, "one_hot(3)"),
        ]
    }

    fn start() -> Timestamp {
        Timestamp::from_seconds(1_000)
    }

    fn example(second: u64, ctr: f32, category: &str) -> Example {
        Example {
            request_id: RequestId::trusted(format!("r{second}")),
            surface: "home".into(),
            time: start().plus(Duration::from_secs(second)),
            actor: Actor::user(UserId::trusted("u1")),
            item: ItemId::trusted("i1"),
            place: 0,
            propensity: 1.0,
            schema: feature_schema(["item_ctr_1h@2", "item.category@1"]),
            features: vec![FeatureValue::Number(ctr), FeatureValue::Word(category.into())],
            outcomes: Vec::new(),
            label: 0.0,
            weight: 1.0,
            sampled: None,
        }
    }

    fn fitted() -> EncodedSchema {
        let examples = [example(0, 0.25, "shoes"), example(1, 0.75, "hats"), example(2, 0.25, "shoes")];
        fit(specs(), &examples, start().plus(Duration::from_secs(3))).unwrap()
    }

    #[test]
    fn nothing_after_the_cut_reaches_the_encoders() {
        let cut = start().plus(Duration::from_secs(3));
        let mut examples = vec![example(3, 1e9, "later"), example(0, 0.25, "shoes")];
        examples.extend([example(2, 0.25, "shoes"), example(9, -1e9, "later"), example(1, 0.75, "hats")]);
        let schema = fit(specs(), &examples, cut).unwrap();
        assert_eq!(schema.to_json(), fitted().to_json());
        assert!(!schema.to_json().contains("later"));
        let later = fit(specs(), &examples, cut.plus(Duration::from_secs(1))).unwrap();
        assert!(later.to_json().contains("later"), "the cut is what kept it out");
    }

    #[test]
    fn an_example_counts_for_as_many_as_it_stands_for() {
        let cut = start().plus(Duration::from_secs(9));
        let twice = Example { weight: 2.0, ..example(0, 0.25, "shoes") };
        let schema = fit(specs(), &[twice, example(1, 0.75, "hats")], cut).unwrap();
        assert_eq!(schema, fitted());
    }

    #[test]
    fn examples_of_other_features_are_refused() {
        let other = Example {
            schema: feature_schema(["item_ctr_1h@1", "item.category@1"]),
            ..example(0, 0.1, "hats")
        };
        let error = fit(specs(), &[other], start().plus(Duration::from_secs(9))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Caller);
        assert!(error.to_string().contains("schema of request r0"), "{error}");
        assert!(error.to_string().contains("item_ctr_1h@2, item.category@1"), "{error}");
    }

    #[test]
    fn an_artifact_keeps_its_encoders_and_binds_them() {
        let mut bundle = Bundle::default();
        assert_eq!(read(&bundle).unwrap(), None);
        let empty = fit(Vec::new(), &[], start()).unwrap();
        attach(&mut bundle, &empty);
        attach(&mut bundle, &fitted());
        assert_eq!(bundle.files.len(), 1);
        assert_eq!(bundle.manifest.features, ["item_ctr_1h@2", "item.category@1"]);
        assert_eq!(read(&bundle).unwrap(), Some(fitted()));

        let provided = [("item.category@1", FeatureType::Word), ("item_ctr_1h@2", FeatureType::Number)];
        let (schema, binding) = load(&bundle, &provided).unwrap().unwrap();
        assert_eq!(schema.fingerprint(), fitted().fingerprint());
        let row = [FeatureValue::Word("hats".into()), FeatureValue::Missing];
        let mut dense = vec![0.0; schema.dense_width()];
        schema.encode_bound(&binding, &row, &mut dense, &mut Vec::new()).unwrap();
        let names = schema.dense_names();
        let set: Vec<&str> =
            names.iter().zip(&dense).filter(|(_, x)| **x == 1.0).map(|(n, _)| n.as_str()).collect();
        assert_eq!(set, ["item_ctr_1h@2 is missing", "item.category@1=hats"]);
    }

    #[test]
    fn a_store_that_lacks_a_feature_is_told_which() {
        let mut bundle = Bundle::default();
        attach(&mut bundle, &fitted());
        let error = load(&bundle, &[("item_ctr_1h@3", FeatureType::Number)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Caller);
        let text = error.to_string();
        assert!(text.contains("`item_ctr_1h@2` of type number"), "{text}");
        assert!(
            text.contains("it has `item_ctr_1h@3`, another version; another feature is missing too"),
            "{text}"
        );
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let refusal = |content: &[u8]| {
            let bundle = Bundle { files: vec![(FILE.to_owned(), content.to_vec())], ..Bundle::default() };
            read(&bundle).unwrap_err().to_string()
        };
        assert!(refusal(b"\xff").contains("features.json: invalid utf-8"));
        assert!(refusal(b"{}").contains("format"));
        assert!(refusal(br#"{"format":9,"features":[]}"#).contains("upgrade"));
    }
}
