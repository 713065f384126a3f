//! Examples as a Parquet table.

use std::io::Write;
use std::sync::Arc;

use headwater_base::{FeatureValue, Schema};
use headwater_training::examples::Example;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::FeatureColumns;
use crate::export::columns::{Cells, Column};

/// Rows of a row group; with a hundred features some 30 MB in memory.
const GROUP: usize = 65_536;

/// Writes examples. Besides what an example is, the columns are `outcome.TYPE.delay` in seconds (null where it did not
/// follow) and `outcome.TYPE.value` for each declared interaction type, then the features.
pub struct ExampleTable<'a, W: Write + Send> {
    writer: SerializedFileWriter<W>,
    fixed: Vec<Column>,
    outcomes: Vec<(&'a str, Column, Column)>,
    features: &'a FeatureColumns,
    values: Vec<Column>,
    rows: usize,
}

const FIXED: [&str; 12] = [
    "request_id",
    "surface",
    "time",
    "user",
    "session",
    "item",
    "place",
    "propensity",
    "label",
    "weight",
    "sampled",
    "schema",
];

fn fixed() -> Vec<Column> {
    let column = |name: &&str| match *name {
        "time" => Column::Times(Cells::default()),
        "place" => Column::Integers(Cells::default()),
        "propensity" | "label" | "weight" | "sampled" => Column::Floats(Cells::default()),
        _ => Column::Texts(Cells::default()),
    };
    FIXED.iter().map(column).collect()
}

impl<'a, W: Write + Send> ExampleTable<'a, W> {
    /// Begins a file with a column for each of `features` and two for each type that `schema` declares.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(out: W, features: &'a FeatureColumns, schema: &'a Schema) -> Result<Self, ParquetError> {
        let fixed = fixed();
        let outcome = |kind: &'a compact_str::CompactString| {
            (kind.as_str(), Column::Doubles(Cells::default()), Column::Floats(Cells::default()))
        };
        let outcomes: Vec<_> = schema.interactions.keys().map(outcome).collect();
        let values: Vec<Column> = features.columns().iter().map(|(_, form)| Column::of(*form)).collect();

        let mut declared = Vec::new();
        for (name, column) in FIXED.iter().zip(&fixed) {
            declared.push(column.declared(name)?);
        }
        for (kind, delay, value) in &outcomes {
            declared.push(delay.declared(&format!("outcome.{kind}.delay"))?);
            declared.push(value.declared(&format!("outcome.{kind}.value"))?);
        }
        for ((name, _), column) in features.columns().iter().zip(&values) {
            declared.push(column.declared(name)?);
        }
        let root = Arc::new(Type::group_type_builder("examples").with_fields(declared).build()?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(out, root, Arc::new(properties))?;
        Ok(Self { writer, fixed, outcomes, features, values, rows: 0 })
    }

    /// Takes an example.
    ///
    /// # Errors
    /// The writer's.
    pub fn add(&mut self, example: &Example) -> Result<(), ParquetError> {
        let schema = format!("{:016x}", example.schema);
        for (name, column) in FIXED.iter().zip(&mut self.fixed) {
            match column {
                Column::Times(cells) => cells.push(Some(example.time.as_micros())),
                Column::Integers(cells) => cells.push(i32::try_from(example.place).ok()),
                Column::Floats(cells) => cells.push(match *name {
                    "propensity" => Some(example.propensity),
                    "label" => Some(example.label),
                    "weight" => Some(example.weight),
                    _ => example.sampled,
                }),
                _ => column.text(match *name {
                    "request_id" => Some(example.request_id.as_str()),
                    "surface" => Some(&example.surface),
                    "user" => example.actor.user.as_ref().map(AsRef::as_ref),
                    "session" => example.actor.session.as_ref().map(AsRef::as_ref),
                    "item" => Some(example.item.as_str()),
                    _ => Some(&schema),
                }),
            }
        }
        for (kind, delay, value) in &mut self.outcomes {
            let outcome = example.outcomes.iter().find(|outcome| outcome.kind == *kind);
            if let (Column::Doubles(delay), Column::Floats(value)) = (delay, value) {
                delay.push(outcome.map(|outcome| outcome.delay.as_secs_f64()));
                value.push(outcome.and_then(|outcome| outcome.value));
            }
        }
        for (column, value) in self.values.iter_mut().zip(self.features.values(example)) {
            column.feature(value.unwrap_or(&FeatureValue::Missing));
        }
        self.rows += 1;
        if self.rows == GROUP { self.flush() } else { Ok(()) }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> Result<(), ParquetError> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.fixed {
            column.write(&mut group)?;
        }
        for (_, delay, value) in &mut self.outcomes {
            delay.write(&mut group)?;
            value.write(&mut group)?;
        }
        for column in &mut self.values {
            column.write(&mut group)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}
