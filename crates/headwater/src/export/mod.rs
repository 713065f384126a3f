//! Taking data out: events of the log or of its archive, training examples, or values of
//! features, as JSON lines or as a table. Reads
//! beside a running server.

mod columns;
pub mod examples;
pub mod parquet;
pub mod values;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use headwater_base::{ErrorKind, Event, Schema, Timestamp};
use headwater_features::encode::EncodeError;
use headwater_log::archive::ArchiveError;
use headwater_log::{LogError, Offset};
use headwater_training::TrainingError;
use serde::Serialize;
use thiserror::Error;

use self::parquet::ParquetExport;
use crate::import::pipeline::kind;
use crate::lines;

/// Why an export stopped.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Examples cannot be made.
    #[error(transparent)]
    Examples(#[from] TrainingError),
    /// Features cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The output cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The CSV writer failed.
    #[error("cannot write CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The Parquet writer failed.
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}

impl ExportError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Examples(error) => error.kind(),
            Self::Encode(error) => error.kind(),
            Self::Archive(error) => error.kind(),
            Self::Write { .. } | Self::Csv(_) | Self::Parquet(_) => ErrorKind::Report,
        }
    }
}

/// Which events are wanted; everything by default.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Events that happened at or after this.
    pub since: Option<Timestamp>,
    /// Events that happened before this.
    pub until: Option<Timestamp>,
    /// Interaction types, `item`, `user`, `merge`, `item_delete`, `user_delete`; empty takes all.
    pub types: BTreeSet<String>,
}

impl Selection {
    fn takes(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time < until)
            && (self.types.is_empty() || self.types.contains(kind(&event.fact)))
    }
}

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Events written.
    pub events: u64,
    /// Events the selection left out.
    pub unselected: u64,
    /// Selected events that the format has no place for.
    pub skipped: u64,
}

/// Writes the selected events as JSON lines.
///
/// # Errors
/// Those of `events`, the output's.
pub fn jsonl<E>(
    events: impl Iterator<Item = Result<(Offset, Event), E>>,
    selection: &Selection,
    out: &mut dyn Write,
) -> Result<Exported, ExportError>
where
    ExportError: From<E>,
{
    let mut exported = Exported::default();
    let mut text = String::new();
    for entry in events {
        let (_, event) = entry?;
        if !selection.takes(&event) {
            exported.unselected += 1;
            continue;
        }
        text.clear();
        if lines::encode(&event, &mut text) {
            out.write_all(text.as_bytes()).map_err(output)?;
            exported.events += 1;
        } else {
            exported.skipped += 1;
        }
    }
    out.flush().map_err(output)?;
    Ok(exported)
}

/// Writes the selected interactions as a Parquet table.
///
/// # Errors
/// Those of `events`, the output's.
pub fn table<W: Write + Send, E>(
    events: impl Iterator<Item = Result<(Offset, Event), E>>,
    selection: &Selection,
    schema: &Schema,
    out: W,
) -> Result<Exported, ExportError>
where
    ExportError: From<E>,
{
    let mut exported = Exported::default();
    let mut table = ParquetExport::new(out, schema)?;
    for entry in events {
        let (_, event) = entry?;
        if selection.takes(&event) {
            table.add(&event)?;
            exported.events += 1;
        } else {
            exported.unselected += 1;
        }
    }
    exported.skipped = table.finish()?;
    exported.events -= exported.skipped;
    Ok(exported)
}

fn output(source: std::io::Error) -> ExportError {
    ExportError::Write { path: PathBuf::from("the output"), source }
}
