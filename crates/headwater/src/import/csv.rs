//! Comma-separated (or otherwise separated) values with a header.

use std::fs::File;
use std::path::Path;

use ::csv::{ByteRecord, ReaderBuilder, StringRecord};
use compact_str::format_compact;
use headwater_base::Invalid;
use headwater_base::random::stable_hash;

use super::ImportError;
use super::cell::Cell;
use super::feed::Feed;
use super::mapping::{Binding, TableOptions};

/// Reads `path` into `feed`. A row with an odd number of columns or broken UTF-8 is refused; the rest goes on.
///
/// # Errors
/// The file cannot be read, its header does not fit `options`, or the feed ended.
pub fn read(path: &Path, delimiter: u8, options: &TableOptions, feed: &mut Feed) -> Result<(), ImportError> {
    let unreadable = |source: std::io::Error| ImportError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).flexible(true).buffer_capacity(1 << 20).from_reader(file);
    let failed = |error: ::csv::Error| match error.into_kind() {
        ::csv::ErrorKind::Io(source) => unreadable(source),
        other => ImportError::Format { path: path.to_owned(), format: "CSV", reason: format!("{other:?}") },
    };
    let header = reader.headers().map_err(failed)?.clone();
    // A byte order mark, as spreadsheets write it, is not part of the first name.
    let names: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect();
    let binding = Binding::new(&names, options, feed.schema())?;
    if !binding.unused().is_empty() {
        tracing::info!(columns = binding.unused().join(", "), "columns that are not used");
    }
    let mut bytes = ByteRecord::new();
    while reader.read_byte_record(&mut bytes).map_err(failed)? {
        let line = bytes.position().map_or(0, ::csv::Position::line);
        feed.reached(reader.position().byte());
        let text = || String::from_utf8_lossy(bytes.as_slice()).into_owned();
        if bytes.len() != names.len() {
            let expected = format!("{} columns as in the header", names.len());
            feed.take(line, Err(Invalid::new("wrong_columns", "row", bytes.len(), expected)), text)?;
            continue;
        }
        let Ok(record) = StringRecord::from_byte_record(bytes.clone()) else {
            let value = String::from_utf8_lossy(bytes.as_slice());
            feed.take(line, Err(Invalid::new("invalid_utf8", "row", value, "UTF-8 text")), text)?;
            continue;
        };
        let cell = |column: usize| Cell::text(record.get(column).unwrap_or_default());
        // The same file gives the same ids, so that importing it again stores nothing twice.
        let id = || format_compact!("c{:016x}-{line:x}", stable_hash(record.as_slice()));
        let event = binding.event(&cell, id, feed.received());
        feed.take(line, event, || {
            record.iter().collect::<Vec<_>>().join(&char::from(delimiter).to_string())
        })?;
    }
    Ok(())
}
