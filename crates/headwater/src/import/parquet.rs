//! Parquet, read a row group at a time; columns mean what they mean in CSV. Lists become tags or vectors.

use std::fs::File;
use std::path::Path;

use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::Field;
use compact_str::format_compact;
use headwater_base::Timestamp;
use headwater_base::random::stable_hash;

use super::ImportError;
use super::cell::{Cell, LIST_SEPARATOR};
use super::feed::Feed;
use super::mapping::{Binding, TableOptions};

/// Reads `path` into `feed`.
///
/// # Errors
/// The file is no readable Parquet, its columns do not fit `options`, or the feed ended.
pub fn read(path: &Path, options: &TableOptions, feed: &mut Feed) -> Result<(), ImportError> {
    let file = File::open(path).map_err(|source| ImportError::Read { path: path.to_owned(), source })?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let unreadable = |error: ::parquet::errors::ParquetError| ImportError::Format {
        path: path.to_owned(),
        format: "Parquet",
        reason: error.to_string(),
    };
    let reader = SerializedFileReader::new(file).map_err(unreadable)?;
    let metadata = reader.metadata().file_metadata();
    let rows = metadata.num_rows().unsigned_abs().max(1);
    let names: Vec<&str> = metadata.schema().get_fields().iter().map(|field| field.name()).collect();
    let binding = Binding::new(&names, options, feed.schema())?;
    if !binding.unused().is_empty() {
        tracing::info!(columns = binding.unused().join(", "), "columns that are not used");
    }
    for (row, number) in reader.get_row_iter(None).map_err(unreadable)?.zip(1_u64..) {
        let row = row.map_err(unreadable)?;
        // Exact enough for a bar: the rows of one file are alike.
        feed.reached(bytes * number / rows);
        let columns: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        let lists: Vec<Option<String>> = columns.iter().copied().map(list_text).collect();
        let cell = |column: usize| match (columns.get(column), lists.get(column)) {
            (_, Some(Some(list))) => Cell::text(list),
            (Some(field), _) => cell(field),
            (None, _) => Cell::Missing,
        };
        let id = || format_compact!("p{:016x}-{number:x}", stable_hash(&row.to_string()));
        let event = binding.event(&cell, id, feed.received());
        feed.take(number, event, || row.to_string())?;
    }
    Ok(())
}

fn cell(field: &Field) -> Cell<'_> {
    match field {
        Field::Bool(truth) => Cell::Boolean(*truth),
        Field::Byte(number) => Cell::Integer(i64::from(*number)),
        Field::Short(number) => Cell::Integer(i64::from(*number)),
        Field::Int(number) => Cell::Integer(i64::from(*number)),
        Field::Long(number) => Cell::Integer(*number),
        Field::UByte(number) => Cell::Integer(i64::from(*number)),
        Field::UShort(number) => Cell::Integer(i64::from(*number)),
        Field::UInt(number) => Cell::Integer(i64::from(*number)),
        Field::ULong(number) => i64::try_from(*number).map_or(Cell::Number(*number as f64), Cell::Integer),
        Field::Float(number) => Cell::Number(f64::from(*number)),
        Field::Double(number) => Cell::Number(*number),
        Field::Str(text) => Cell::text(text),
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data()).map_or(Cell::Missing, Cell::text),
        Field::Date(days) => Cell::Moment(Timestamp::from_seconds(i64::from(*days) * 86_400)),
        Field::TimestampMillis(millis) => Cell::Moment(Timestamp::from_millis(*millis)),
        Field::TimestampMicros(micros) => Cell::Moment(Timestamp::from_micros(*micros)),
        _ => Cell::Missing,
    }
}

/// A list as the text a CSV would have; `None` for what is no list.
fn list_text(field: &Field) -> Option<String> {
    let Field::ListInternal(list) = field else { return None };
    let words: Vec<String> = list.elements().iter().map(|element| cell(element).word().to_string()).collect();
    Some(words.join(&LIST_SEPARATOR.to_string()))
}
