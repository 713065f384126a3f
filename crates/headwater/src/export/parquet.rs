//! Interactions as a Parquet table: one column per word of the API, one per declared context field.

use std::io::Write;
use std::sync::Arc;

use headwater_base::value::FieldType;
use headwater_base::{Event, Fact, Interaction, Schema, Value};
use parquet::basic::{Compression, ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

/// Rows of a row group: large enough to compress well, small enough to hold in memory.
const GROUP: usize = 131_072;

/// Writes interactions; other events have no place in a flat table and are counted.
pub struct ParquetExport<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    context: Vec<(String, FieldType)>,
    rows: Vec<Event>,
    skipped: u64,
}

impl<W: Write + Send> ParquetExport<W> {
    /// Begins a file with the columns that `schema` needs.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(out: W, schema: &Schema) -> Result<Self, ParquetError> {
        let context: Vec<(String, FieldType)> =
            schema.context.iter().map(|(name, kind)| (format!("context.{name}"), *kind)).collect();
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(out, columns(&context)?, Arc::new(properties))?;
        Ok(Self { writer, context, rows: Vec::with_capacity(GROUP), skipped: 0 })
    }

    /// Takes an event.
    ///
    /// # Errors
    /// The writer's.
    pub fn add(&mut self, event: &Event) -> Result<(), ParquetError> {
        if !matches!(event.fact, Fact::Interaction(_)) {
            self.skipped += 1;
            return Ok(());
        }
        self.rows.push(event.clone());
        if self.rows.len() == GROUP { self.flush() } else { Ok(()) }
    }

    /// Ends the file; gives the number of events that were no interactions.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> Result<u64, ParquetError> {
        self.flush()?;
        self.writer.close()?;
        Ok(self.skipped)
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&Event, &Interaction)> = self
            .rows
            .iter()
            .filter_map(|event| match &event.fact {
                Fact::Interaction(interaction) => Some((event, interaction)),
                _ => None,
            })
            .collect();
        let mut group = self.writer.next_row_group()?;
        texts(&mut group, rows.iter().map(|(event, _)| Some(event.id.as_str())))?;
        times(&mut group, rows.iter().map(|(event, _)| event.time.as_micros()))?;
        times(&mut group, rows.iter().map(|(event, _)| event.received.as_micros()))?;
        texts(&mut group, rows.iter().map(|(_, interaction)| Some(interaction.kind.as_str())))?;
        texts(
            &mut group,
            rows.iter().map(|(_, interaction)| interaction.actor.user.as_ref().map(AsRef::as_ref)),
        )?;
        texts(
            &mut group,
            rows.iter().map(|(_, interaction)| interaction.actor.session.as_ref().map(AsRef::as_ref)),
        )?;
        texts(&mut group, rows.iter().map(|(_, interaction)| Some(interaction.item.as_str())))?;
        numbers(&mut group, rows.iter().map(|(_, interaction)| interaction.value.map(f64::from)))?;
        texts(
            &mut group,
            rows.iter().map(|(_, interaction)| interaction.request_id.as_ref().map(AsRef::as_ref)),
        )?;
        for (column, kind) in &self.context {
            let name = &column["context.".len()..];
            let values = rows.iter().map(|(_, interaction)| interaction.context.get(name));
            if *kind == FieldType::Numeric {
                numbers(&mut group, values.map(|value| value.and_then(number)))?;
            } else {
                let words: Vec<Option<String>> = values.map(|value| value.map(word)).collect();
                texts(&mut group, words.iter().map(Option::as_deref))?;
            }
        }
        group.close()?;
        self.rows.clear();
        Ok(())
    }
}

fn columns(context: &[(String, FieldType)]) -> Result<TypePtr, ParquetError> {
    let column = |name: &str, physical, repetition, converted| {
        Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_converted_type(converted)
            .build()
            .map(Arc::new)
    };
    let text =
        |name: &str, repetition| column(name, PhysicalType::BYTE_ARRAY, repetition, ConvertedType::UTF8);
    let time =
        |name: &str| column(name, PhysicalType::INT64, Repetition::REQUIRED, ConvertedType::TIMESTAMP_MICROS);
    let number = |name: &str| column(name, PhysicalType::DOUBLE, Repetition::OPTIONAL, ConvertedType::NONE);
    let mut columns = vec![
        text("id", Repetition::OPTIONAL)?,
        time("time")?,
        time("received")?,
        text("type", Repetition::OPTIONAL)?,
        text("user", Repetition::OPTIONAL)?,
        text("session", Repetition::OPTIONAL)?,
        text("item", Repetition::OPTIONAL)?,
        number("value")?,
        text("request_id", Repetition::OPTIONAL)?,
    ];
    for (name, kind) in context {
        columns.push(match kind {
            FieldType::Numeric => number(name)?,
            _ => text(name, Repetition::OPTIONAL)?,
        });
    }
    Ok(Arc::new(Type::group_type_builder("events").with_fields(columns).build()?))
}

fn texts<'a, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Option<&'a str>>,
) -> Result<(), ParquetError> {
    let (present, levels) = split(values);
    let present: Vec<ByteArray> = present.into_iter().map(ByteArray::from).collect();
    let mut column = next(group)?;
    column.typed::<ByteArrayType>().write_batch(&present, Some(&levels), None)?;
    column.close()
}

fn numbers<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Option<f64>>,
) -> Result<(), ParquetError> {
    let (present, levels) = split(values);
    let mut column = next(group)?;
    column.typed::<DoubleType>().write_batch(&present, Some(&levels), None)?;
    column.close()
}

fn times<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = i64>,
) -> Result<(), ParquetError> {
    let values: Vec<i64> = values.collect();
    let mut column = next(group)?;
    column.typed::<Int64Type>().write_batch(&values, None, None)?;
    column.close()
}

fn next<'a, W: Write + Send>(
    group: &'a mut SerializedRowGroupWriter<'_, W>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'a>, ParquetError> {
    group.next_column()?.ok_or_else(|| ParquetError::General("more values than columns".to_owned()))
}

/// Present values, and for each row whether it has one.
fn split<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let mut present = Vec::new();
    let levels = values
        .map(|value| {
            let level = i16::from(value.is_some());
            present.extend(value);
            level
        })
        .collect();
    (present, levels)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Numeric(number) => Some(*number),
        _ => None,
    }
}

/// A value as the text `import` reads back.
fn word(value: &Value) -> String {
    match value {
        Value::Categorical(word) => word.to_string(),
        Value::Text(text) => text.clone(),
        Value::Numeric(number) => number.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Tags(tags) => tags.join("|"),
        Value::Vector(numbers) => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join("|"),
    }
}
