//! Examples as numbers: the columns that a model reads, by encoders fitted on the same examples.

use std::collections::BTreeMap;

use headwater_base::{FeatureType, FeatureValue};
use headwater_features::{EncodedSchema, EncoderSpec, EncodingSpec, SchemaFitting};
use headwater_training::examples::Example;

use super::{FeatureColumns, Logged};
use crate::export::ExportError;

/// Encoders fitted on examples, each feature by the encoder that its form gets where none is named.
pub struct Encoding {
    raw: FeatureColumns,
    schema: EncodedSchema,
    dense: FeatureColumns,
    fingerprint: u64,
}

impl Encoding {
    /// Fits encoders of the columns `raw` on all of `examples`, by their weights.
    ///
    /// # Errors
    /// Those of the examples, and of features that do not encode.
    pub fn fit<E: Into<ExportError>>(
        raw: FeatureColumns,
        examples: &mut (dyn Iterator<Item = Result<Example, E>> + '_),
    ) -> Result<Self, ExportError> {
        let spec = |(name, kind): &(String, FeatureType)| EncodingSpec {
            name: name.as_str().into(),
            kind: *kind,
            encoder: EncoderSpec::default_for(*kind),
        };
        let mut fitting = SchemaFitting::new(raw.columns().iter().map(spec).collect())?;
        for example in examples {
            let example = example.map_err(Into::into)?;
            fitting.observe(&row(&raw, &example), example.weight)?;
        }
        let schema = fitting.freeze()?;
        let (names, fingerprint) = (schema.dense_names(), schema.fingerprint());
        let logged = Logged { places: (0..names.len()).collect() };
        let dense = FeatureColumns {
            columns: names.into_iter().map(|name| (name, FeatureType::Number)).collect(),
            schemas: BTreeMap::from([(fingerprint, logged)]),
        };
        Ok(Self { raw, schema, dense, fingerprint })
    }

    /// The encoders, as they are saved with a model.
    pub fn schema(&self) -> &EncodedSchema {
        &self.schema
    }

    /// The columns of encoded examples.
    pub fn columns(&self) -> &FeatureColumns {
        &self.dense
    }

    /// The example with its features as numbers.
    ///
    /// # Errors
    /// Never for examples with the columns that were fitted.
    pub fn encode(&self, mut example: Example) -> Result<Example, ExportError> {
        let mut dense = vec![0.0; self.schema.dense_width()];
        // The encoders named above write dense columns alone.
        self.schema.encode_into(&row(&self.raw, &example), &mut dense, &mut Vec::new())?;
        example.features = dense.into_iter().map(FeatureValue::Number).collect();
        example.schema = self.fingerprint;
        Ok(example)
    }
}

/// The values of an example by column, missing where its schema does not have the column.
fn row(columns: &FeatureColumns, example: &Example) -> Vec<FeatureValue> {
    columns.values(example).into_iter().map(|value| value.cloned().unwrap_or_default()).collect()
}
