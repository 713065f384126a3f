//! One file: consecutive records of one day, in row groups that fit in memory.

use std::sync::Arc;

use hashbrown::HashSet;
use headwater_base::{Event, Fact, Value};
use parquet::basic::{Compression, Encoding};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::column::{Reading, Writing};
use super::erase::Concerned;
use super::{ArchiveError, FileLimits, Stream, decisions, events};
use crate::Offset;

/// The format this code writes, and the newest it reads.
const FORMAT: u32 = 1;
const FORMAT_KEY: &str = "headwater.format";
const END_KEY: &str = "headwater.end";

/// Bytes of the records of a row group, roughly.
const GROUP_BYTES: usize = 32 << 20;
/// A dictionary may be this large before a column does without one: decisions repeat long texts in each row.
const DICTIONARY_BYTES: usize = 8 << 20;

impl Stream {
    fn schema(self) -> &'static str {
        match self {
            Self::Events => events::SCHEMA,
            Self::Decisions => decisions::SCHEMA,
        }
    }

    /// Where `user` and `session` stand among the columns.
    pub(super) fn actor(self) -> usize {
        match self {
            Self::Events => events::ACTOR,
            Self::Decisions => decisions::ACTOR,
        }
    }

    fn rows(self, event: &Event) -> usize {
        match self {
            Self::Events => 1,
            Self::Decisions => decisions::rows(event),
        }
    }

    /// The table has no place for the facts of the other stream.
    fn refuse(self, offset: Offset, fact: &Fact) -> Result<(), ArchiveError> {
        let fact = match (self, fact) {
            (_, Fact::Erased) | (Self::Decisions, Fact::Decision(_)) => return Ok(()),
            (Self::Events, Fact::Decision(_)) => "a decision",
            (Self::Events, _) => return Ok(()),
            (Self::Decisions, _) => "an event",
        };
        Err(ArchiveError::Misplaced { stream: self, offset, fact })
    }
}

/// A file being written, into memory.
pub(super) struct Writer {
    stream: Stream,
    group_rows: usize,
    writer: SerializedFileWriter<Vec<u8>>,
    waiting: Vec<(Offset, Event)>,
    waiting_rows: usize,
    waiting_bytes: usize,
    /// Records taken.
    pub(super) records: u64,
    /// Rows they became.
    pub(super) rows: usize,
    /// Their size before compression, roughly.
    pub(super) bytes: usize,
    end: Offset,
}

impl Writer {
    pub(super) fn new(stream: Stream, limits: FileLimits) -> Result<Self, ArchiveError> {
        let written = failed(stream.as_str());
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_max_row_group_row_count(None)
            .set_created_by("headwater".to_owned());
        // Numbers that grow from row to row are a few bits each as differences.
        for column in ["offset", "received", "event_time"] {
            let column = ColumnPath::from(column);
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
        if stream == Stream::Events {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from("event_id"), false);
        }
        let schema = parse_message_type(stream.schema()).map_err(&written)?;
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))
            .map_err(&written)?;
        Ok(Self {
            stream,
            group_rows: limits.group_rows,
            writer,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            records: 0,
            rows: 0,
            bytes: 0,
            end: 0,
        })
    }

    /// Takes the next record.
    pub(super) fn push(&mut self, offset: Offset, event: Event) -> Result<(), ArchiveError> {
        self.stream.refuse(offset, &event.fact)?;
        let (rows, bytes) = (self.stream.rows(&event), weight(&event));
        self.waiting_rows += rows;
        self.waiting_bytes += bytes;
        self.rows += rows;
        self.bytes += bytes;
        self.records += 1;
        self.end = offset + 1;
        self.waiting.push((offset, event));
        if self.waiting_rows >= self.group_rows || self.waiting_bytes >= GROUP_BYTES {
            self.flush().map_err(failed(self.stream.as_str()))?;
        }
        Ok(())
    }

    /// Ends the file and gives its bytes.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ArchiveError> {
        let written = failed(self.stream.as_str());
        self.flush().map_err(&written)?;
        for (key, value) in [(FORMAT_KEY, u64::from(FORMAT)), (END_KEY, self.end)] {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_string()));
        }
        self.writer.into_inner().map_err(&written)
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut group = Writing(self.writer.next_row_group()?);
        match self.stream {
            Stream::Events => events::put(&mut group, &self.waiting)?,
            Stream::Decisions => decisions::put(&mut group, &self.waiting)?,
        }
        group.0.close()?;
        self.waiting.clear();
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        Ok(())
    }
}

/// A file being read, from memory. Of a part of it, the columns that are there.
pub(super) struct Reader {
    stream: Stream,
    path: String,
    file: Box<dyn FileReader>,
    next: usize,
    end: Offset,
}

impl Reader {
    pub(super) fn new(
        stream: Stream,
        path: &str,
        bytes: impl ChunkReader + 'static,
    ) -> Result<Self, ArchiveError> {
        let file = SerializedFileReader::new(bytes).map_err(damaged(path))?;
        let end = end(path, file.metadata().file_metadata())?;
        Ok(Self { stream, path: path.to_owned(), file: Box::new(file), next: 0, end })
    }

    /// The offset after the last record.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// The records of the next row group; `None` when all were read.
    pub(super) fn next(&mut self) -> Result<Option<Vec<(Offset, Event)>>, ArchiveError> {
        if self.next == self.file.num_row_groups() {
            return Ok(None);
        }
        let group = self.file.get_row_group(self.next).map_err(damaged(&self.path))?;
        self.next += 1;
        let mut input = Reading::new(&*group);
        let records = match self.stream {
            Stream::Events => events::take(&mut input),
            Stream::Decisions => decisions::take(&mut input),
        };
        records.map(Some).map_err(damaged(&self.path))
    }

    /// Whether any row names one of these. Reads two columns.
    pub(super) fn holds(&self, concerned: &Concerned<'_>) -> Result<bool, ArchiveError> {
        let any = |column: Vec<Option<ByteArray>>, of: &HashSet<&[u8]>| {
            column.iter().flatten().any(|name| of.contains(name.data()))
        };
        for index in 0..self.file.num_row_groups() {
            let group = self.file.get_row_group(index).map_err(damaged(&self.path))?;
            let mut input = Reading::new(&*group).at(self.stream.actor());
            let (users, sessions) = (input.raw(), input.raw());
            if any(users.map_err(damaged(&self.path))?, &concerned.users)
                || any(sessions.map_err(damaged(&self.path))?, &concerned.sessions)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The offset after the last record, as the footer has it.
pub(super) fn end(path: &str, metadata: &FileMetaData) -> Result<Offset, ArchiveError> {
    let value = |key: &str| {
        let pairs = metadata.key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    };
    let missing = || ArchiveError::Damaged {
        path: path.to_owned(),
        reason: "its footer says neither its format nor where it ends".to_owned(),
    };
    let format = value(FORMAT_KEY).ok_or_else(missing)?;
    if format.parse::<u32>().map_or(true, |format| format > FORMAT) {
        return Err(ArchiveError::NewerFormat {
            path: path.to_owned(),
            found: format.to_owned(),
            supported: FORMAT,
        });
    }
    value(END_KEY).and_then(|end| end.parse().ok()).ok_or_else(missing)
}

/// An error of reading: what is there is not what was written.
pub(super) fn damaged(path: &str) -> impl Fn(ParquetError) -> ArchiveError {
    let path = path.to_owned();
    move |error| ArchiveError::Damaged { path: path.clone(), reason: error.to_string() }
}

/// An error of writing.
fn failed(path: &'static str) -> impl Fn(ParquetError) -> ArchiveError {
    move |source| ArchiveError::Parquet { path: path.to_owned(), source }
}

/// About how much memory a record takes.
fn weight(event: &Event) -> usize {
    let value = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Tags(tags) => 24 * tags.len(),
        Value::Vector(vector) => 4 * vector.len(),
        Value::Categorical(_) | Value::Numeric(_) | Value::Time(_) => 0,
    };
    let fields = match &event.fact {
        Fact::Interaction(interaction) => Some(&interaction.context),
        Fact::ItemUpsert { fields, .. } | Fact::UserUpsert { fields, .. } => Some(fields),
        Fact::Decision(decision) => {
            let vectors = decision.features.iter().flat_map(|features| &features.rows);
            let vectors: usize = vectors.map(|row| 32 * row.len()).sum();
            let parts = decision.items.len() + decision.stages.len() + decision.arms.len();
            return 512 + 80 * parts + vectors + weigh_fields(&decision.context, value);
        }
        Fact::ItemDelete { .. } | Fact::UserDelete { .. } | Fact::Merge { .. } | Fact::Erased => None,
    };
    192 + fields.map_or(0, |fields| weigh_fields(fields, value))
}

fn weigh_fields(fields: &headwater_base::Fields, weigh: impl Fn(&Value) -> usize) -> usize {
    fields.iter().map(|(_, value)| 64 + weigh(value)).sum()
}
