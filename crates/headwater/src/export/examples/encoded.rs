//! Examples as numbers: the columns that a model reads, by encoders fitted on the same examples.

use std::collections::BTreeMap;

use compact_str::ToCompactString as _;
use headwater_base::{FeatureType, FeatureValue, Invalid, Timestamp};
use headwater_features::encode::EncodeError;
use headwater_features::{EncodedSchema, EncoderSpec, EncodingSpec, SchemaFitting};
use headwater_training::examples::Example;

use super::{FeatureColumns, Logged};
use crate::export::ExportError;

/// Up to here every row of a table of embeddings is a number that `f32` has.
const MOST_EMBEDDINGS: u32 = 1 << 24;

/// Encoders fitted on examples, each feature by the encoder that the settings name, or else by that of its form.
pub struct Encoding {
    raw: FeatureColumns,
    schema: EncodedSchema,
    encoded: FeatureColumns,
    fingerprint: u64,
}

impl Encoding {
    /// Fits encoders of the columns `raw` on those of `examples` that were decided before `cut`, by their weights; on all of
    /// them without a cut. `named` has the encoders of features by name; one that does not take the values there are, as
    /// those of an earlier version may be, gives way to the default.
    ///
    /// # Errors
    /// Those of the examples, and of features that do not encode.
    pub fn fit<E: Into<ExportError>>(
        raw: FeatureColumns,
        named: &BTreeMap<&str, EncoderSpec>,
        cut: Option<Timestamp>,
        examples: &mut (dyn Iterator<Item = Result<Example, E>> + '_),
    ) -> Result<Self, ExportError> {
        let spec = |(label, kind): &(String, FeatureType)| {
            let name = label.split_once('@').map_or(label.as_str(), |(name, _)| name);
            let encoder = named.get(name).filter(|encoder| encoder.takes(*kind));
            let encoder = encoder.copied().unwrap_or_else(|| EncoderSpec::default_for(*kind));
            EncodingSpec { name: label.as_str().into(), kind: *kind, encoder }
        };
        let mut fitting = SchemaFitting::new(raw.columns().iter().map(spec).collect())?;
        for example in examples {
            let example = example.map_err(Into::into)?;
            if cut.is_none_or(|cut| example.time < cut) {
                fitting.observe(&row(&raw, &example), example.weight)?;
            }
        }
        let schema = fitting.freeze()?;
        if schema.sparse_size() > MOST_EMBEDDINGS {
            let expected = format!("at most {MOST_EMBEDDINGS} rows of embeddings, all features together");
            let invalid = Invalid::new("too_many_buckets", "encode", schema.sparse_size(), expected);
            return Err(EncodeError::from(invalid).into());
        }
        let fingerprint = schema.fingerprint();
        let numbers = schema.dense_names().into_iter().map(|name| (name, FeatureType::Number));
        let indices = schema.fields().iter().map(|field| {
            let form = if field.bag { FeatureType::Words } else { FeatureType::Number };
            (format!("{} (embedding)", schema.features()[field.feature].name), form)
        });
        let columns: Vec<(String, FeatureType)> = numbers.chain(indices).collect();
        let logged = Logged { places: (0..columns.len()).collect() };
        let encoded = FeatureColumns { columns, schemas: BTreeMap::from([(fingerprint, logged)]) };
        Ok(Self { raw, schema, encoded, fingerprint })
    }

    /// The encoders, as they are saved with a model.
    pub fn schema(&self) -> &EncodedSchema {
        &self.schema
    }

    /// The columns of encoded examples: the dense ones, then for each feature with embeddings the rows of their table, one
    /// number, or a list of them as text where a value has several words.
    pub fn columns(&self) -> &FeatureColumns {
        &self.encoded
    }

    /// The example with its features as numbers.
    ///
    /// # Errors
    /// Never for examples with the columns that were fitted.
    pub fn encode(&self, mut example: Example) -> Result<Example, ExportError> {
        let (mut dense, mut sparse) = (vec![0.0; self.schema.dense_width()], Vec::new());
        self.schema.encode_into(&row(&self.raw, &example), &mut dense, &mut sparse)?;
        example.features = dense.into_iter().map(FeatureValue::Number).collect();
        example.features.extend(self.schema.fields().iter().zip(0..).map(|(place, field)| {
            let mut rows = sparse.iter().filter(|entry| entry.field == field).map(|entry| entry.index);
            if place.bag {
                FeatureValue::Words(rows.map(|row| row.to_compact_string()).collect())
            } else {
                rows.next().map_or(FeatureValue::Missing, |row| FeatureValue::Number(row as f32))
            }
        }));
        example.schema = self.fingerprint;
        Ok(example)
    }
}

/// The values of an example by column, missing where its schema does not have the column.
fn row(columns: &FeatureColumns, example: &Example) -> Vec<FeatureValue> {
    columns.values(example).into_iter().map(|value| value.cloned().unwrap_or_default()).collect()
}
