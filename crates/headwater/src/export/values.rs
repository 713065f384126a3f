//! Values of features as a table: a row for each entity and moment.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use headwater_base::{FeatureType, FeatureValue, Timestamp};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::columns::{Cells, Column};
use super::examples::lines::Pairs;
use super::{ExportError, output};

/// Rows of a row group; with a hundred features some 30 MB in memory.
const GROUP: usize = 65_536;
const TIME: &str = "time";

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Numbers as floats, words as texts, several words as lists of texts; what is missing is null.
    Parquet,
    /// What is missing is empty, several words are a JSON array.
    Csv,
    /// One JSON object a line; what is missing is null.
    Jsonl,
}

impl Format {
    /// By the end of a file's name: `.parquet`, `.csv` or `.jsonl`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "parquet" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// Which columns a table has: ids, the moment, values.
#[derive(Clone, Debug)]
pub struct ValueColumns {
    /// Columns that say whose the values are: `user`, `item`.
    pub ids: Vec<String>,
    /// The features, by name and version, with the form of their values.
    pub features: Vec<(String, FeatureType)>,
}

/// Writes values of features.
pub struct ValueTable<W: Write + Send> {
    columns: ValueColumns,
    out: Out<W>,
}

enum Out<W: Write + Send> {
    Parquet(Box<ParquetRows<W>>),
    Csv(Box<csv::Writer<W>>),
    Jsonl(W),
}

impl<W: Write + Send> ValueTable<W> {
    /// Begins a table.
    ///
    /// # Errors
    /// The output's.
    pub fn new(out: W, format: Format, columns: ValueColumns) -> Result<Self, ExportError> {
        let out = match format {
            Format::Parquet => Out::Parquet(Box::new(ParquetRows::new(out, &columns)?)),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                let features = columns.features.iter().map(|(name, _)| name.as_str());
                let ids = columns.ids.iter().map(String::as_str);
                writer.write_record(ids.chain([TIME]).chain(features))?;
                Out::Csv(Box::new(writer))
            }
            Format::Jsonl => Out::Jsonl(out),
        };
        Ok(Self { columns, out })
    }

    /// Adds a row: an id for each column of ids, and a value for each feature.
    ///
    /// # Errors
    /// The output's.
    pub fn add(
        &mut self,
        ids: &[Option<&str>],
        time: Timestamp,
        values: &[FeatureValue],
    ) -> Result<(), ExportError> {
        match &mut self.out {
            Out::Parquet(rows) => rows.add(ids, time, values)?,
            Out::Csv(writer) => {
                for id in ids {
                    writer.write_field(id.unwrap_or_default())?;
                }
                writer.write_field(time.to_string())?;
                for value in values {
                    writer.write_field(csv_cell(value))?;
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Out::Jsonl(out) => {
                let time = time.to_string();
                let keys =
                    self.columns.ids.iter().zip(ids).map(|(name, id)| (name.as_str(), Cell::Text(*id)));
                let features = self.columns.features.iter().zip(values);
                let features = features.map(|((name, _), value)| (name.as_str(), Cell::Value(value)));
                let line = Pairs(keys.chain([(TIME, Cell::Text(Some(&time)))]).chain(features).collect());
                serde_json::to_writer(&mut *out, &line).map_err(|error| output(error.into()))?;
                out.write_all(b"\n").map_err(output)?;
            }
        }
        Ok(())
    }

    /// Ends the table.
    ///
    /// # Errors
    /// The output's.
    pub fn finish(self) -> Result<(), ExportError> {
        match self.out {
            Out::Parquet(rows) => Ok(rows.finish()?),
            Out::Csv(mut writer) => writer.flush().map_err(output),
            Out::Jsonl(mut out) => out.flush().map_err(output),
        }
    }
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Cell<'a> {
    Text(Option<&'a str>),
    Value(&'a FeatureValue),
}

fn csv_cell(value: &FeatureValue) -> String {
    match value {
        FeatureValue::Missing => String::new(),
        FeatureValue::Number(number) => number.to_string(),
        FeatureValue::Word(word) => word.to_string(),
        FeatureValue::Words(words) => {
            let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
            serde_json::to_string(&words).unwrap_or_default()
        }
    }
}

struct ParquetRows<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    ids: Vec<Column>,
    times: Column,
    values: Vec<Column>,
    rows: usize,
}

impl<W: Write + Send> ParquetRows<W> {
    fn new(out: W, columns: &ValueColumns) -> Result<Self, ParquetError> {
        let ids: Vec<Column> = columns.ids.iter().map(|_| Column::Texts(Cells::default())).collect();
        let times = Column::Times(Cells::default());
        let values: Vec<Column> = columns.features.iter().map(|(_, form)| Column::of(*form)).collect();
        let mut declared = Vec::new();
        for (name, column) in columns.ids.iter().zip(&ids) {
            declared.push(column.declared(name)?);
        }
        declared.push(times.declared(TIME)?);
        for ((name, _), column) in columns.features.iter().zip(&values) {
            declared.push(column.declared(name)?);
        }
        let root = Arc::new(Type::group_type_builder("features").with_fields(declared).build()?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(out, root, Arc::new(properties))?;
        Ok(Self { writer, ids, times, values, rows: 0 })
    }

    fn add(
        &mut self,
        ids: &[Option<&str>],
        time: Timestamp,
        values: &[FeatureValue],
    ) -> Result<(), ParquetError> {
        for (column, id) in self.ids.iter_mut().zip(ids) {
            column.text(*id);
        }
        if let Column::Times(cells) = &mut self.times {
            cells.push(Some(time.as_micros()));
        }
        for (column, value) in self.values.iter_mut().zip(values) {
            column.feature(value);
        }
        self.rows += 1;
        if self.rows == GROUP { self.flush() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<(), ParquetError> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in self.ids.iter_mut().chain([&mut self.times]).chain(&mut self.values) {
            column.write(&mut group)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}
