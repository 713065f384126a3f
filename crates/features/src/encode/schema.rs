//! The frozen encoders of a list of features, and where in a row of columns each one goes.

use std::ops::Range;

use compact_str::CompactString;
use headwater_base::{FeatureType, FeatureValue, Invalid};
use serde::{Deserialize, Serialize};

use super::binding::Binding;
use super::encoder::{Encoder, Sink, SparseEntry};
use super::error::EncodeError;
use super::stored::Stored;

/// What turns a row of feature values into the columns a model was trained on. Immutable, part of the artifact.
///
/// serde and [`EncodedSchema::to_json`] write the same canonical text: equal schemas, equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct EncodedSchema {
    features: Vec<EncodedFeature>,
    fields: Vec<SparseField>,
    dense_width: usize,
    sparse_size: u32,
}

/// A feature with its encoder and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedFeature {
    /// Name with version: `item_ctr_1h@2`.
    pub name: CompactString,
    /// What form its values take.
    pub kind: FeatureType,
    /// Its encoder.
    pub encoder: Encoder,
    /// Its dense columns; empty for embeddings.
    pub columns: Range<usize>,
    /// Its place in [`EncodedSchema::fields`], if it gives indices of embeddings.
    pub field: Option<usize>,
}

/// The rows of the table of embeddings that belong to one feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseField {
    /// The feature, by its place in [`EncodedSchema::features`].
    pub feature: usize,
    /// Its first row.
    pub offset: u32,
    /// Its rows.
    pub size: u32,
    /// Whether a row of values may give several entries or none; otherwise it gives exactly one.
    pub bag: bool,
}

impl EncodedSchema {
    /// Places encoders one after the other.
    pub(super) fn of(
        encoders: impl IntoIterator<Item = (CompactString, FeatureType, Encoder)>,
    ) -> Result<Self, Invalid> {
        let mut schema = Self { features: Vec::new(), fields: Vec::new(), dense_width: 0, sparse_size: 0 };
        for (name, kind, encoder) in encoders {
            let columns = schema.dense_width..schema.dense_width + encoder.dense_width();
            schema.dense_width = columns.end;
            let (offset, size) = (schema.sparse_size, encoder.sparse_size());
            let Some(end) = offset.checked_add(size) else {
                let field = compact_str::format_compact!("encoder of {name}");
                let expected = "few enough that all features together stay below 2^32 rows of embeddings";
                return Err(Invalid::new("too_many_buckets", field, size, expected));
            };
            schema.sparse_size = end;
            let field = (size > 0).then_some(schema.fields.len());
            if size > 0 {
                let bag = encoder.is_bag();
                schema.fields.push(SparseField { feature: schema.features.len(), offset, size, bag });
            }
            schema.features.push(EncodedFeature { name, kind, encoder, columns, field });
        }
        Ok(schema)
    }

    /// The features, in the order of a row.
    pub fn features(&self) -> &[EncodedFeature] {
        &self.features
    }

    /// The fields of embeddings, in the order of their rows in the table.
    pub fn fields(&self) -> &[SparseField] {
        &self.fields
    }

    /// Dense columns of a row.
    pub fn dense_width(&self) -> usize {
        self.dense_width
    }

    /// Rows in the table of embeddings, of all fields.
    pub fn sparse_size(&self) -> u32 {
        self.sparse_size
    }

    /// Encodes a row with a value for each feature: overwrites `dense`, which has [`Self::dense_width`] columns, and
    /// appends to `sparse`, in the order of the fields. Allocates nothing unless `sparse` has to grow.
    ///
    /// # Errors
    /// Lengths that do not fit; nothing is written then.
    pub fn encode_into(
        &self,
        row: &[FeatureValue],
        dense: &mut [f32],
        sparse: &mut Vec<SparseEntry>,
    ) -> Result<(), EncodeError> {
        self.check(row, self.features.len(), dense)?;
        self.encode(row.iter(), dense, sparse);
        Ok(())
    }

    /// Encodes a row of the store's columns, as [`Self::encode_into`] does. The binding is one of this schema.
    ///
    /// # Errors
    /// Lengths that do not fit; nothing is written then.
    pub fn encode_bound(
        &self,
        binding: &Binding,
        row: &[FeatureValue],
        dense: &mut [f32],
        sparse: &mut Vec<SparseEntry>,
    ) -> Result<(), EncodeError> {
        self.check(row, binding.provided(), dense)?;
        if binding.positions().len() != self.features.len() {
            let (expected, found) = (self.features.len(), binding.positions().len());
            return Err(EncodeError::Row { expected, found });
        }
        self.encode(binding.positions().iter().map(|position| &row[*position]), dense, sparse);
        Ok(())
    }

    fn check(&self, row: &[FeatureValue], expected: usize, dense: &[f32]) -> Result<(), EncodeError> {
        if row.len() != expected {
            return Err(EncodeError::Row { expected, found: row.len() });
        }
        if dense.len() != self.dense_width {
            return Err(EncodeError::Width { expected: self.dense_width, found: dense.len() });
        }
        Ok(())
    }

    fn encode<'a>(
        &self,
        values: impl Iterator<Item = &'a FeatureValue>,
        dense: &mut [f32],
        sparse: &mut Vec<SparseEntry>,
    ) {
        dense.fill(0.0);
        for (feature, value) in self.features.iter().zip(values) {
            let (field, offset) =
                feature.field.map_or((0, 0), |field| (field as u32, self.fields[field].offset));
            let columns = &mut dense[feature.columns.clone()];
            feature.encoder.encode(value, &mut Sink { columns, sparse, field, offset });
        }
    }

    /// How the dense columns read, for explanations: `price`, `category=shoes`, `3 < age@1 <= 7.5`, `price is missing`.
    pub fn dense_names(&self) -> Vec<String> {
        let of = |feature: &EncodedFeature| {
            let names = (0..feature.columns.len()).map(|place| feature.encoder.column(&feature.name, place));
            names.collect::<Vec<_>>()
        };
        self.features.iter().flat_map(of).collect()
    }

    /// How a row of the table of embeddings reads; none beyond the last.
    pub fn sparse_name(&self, index: u32) -> Option<String> {
        let after = self.fields.partition_point(|field| field.offset <= index);
        let field = self.fields[..after].last().filter(|field| index - field.offset < field.size)?;
        let feature = &self.features[field.feature];
        Some(feature.encoder.column(&feature.name, (index - field.offset) as usize))
    }
}
