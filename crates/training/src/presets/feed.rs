//! What every reader stands on: finding files, walking lines, making events, handing them over.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Timestamp, UserId};
use xxhash_rust::xxh3::xxh3_64;

use super::{Line, Progress, Record, STEP, SYNTHETIC_START, Sink};
use crate::TrainingError;

/// Whether the sink wants more, or why reading failed.
pub(super) type Flow = Result<ControlFlow<()>, TrainingError>;

const BUFFER: usize = 256 * 1024;

/// The sink with what it needs to know: how far the reading has come, and in which file.
pub(super) struct Feed<'a> {
    sink: &'a mut Sink<'a>,
    progress: Progress,
    file: Arc<str>,
}

/// How to take a line that is not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Refuse it.
    Utf8,
    /// Read it as Latin-1, as older data sets are written.
    Utf8OrLatin1,
}

impl<'a> Feed<'a> {
    pub(super) fn new(sink: &'a mut Sink<'a>) -> Self {
        Self { sink, progress: Progress::default(), file: Arc::from("") }
    }

    /// Adds the sizes of `paths` to the total of the progress.
    pub(super) fn expect(&mut self, paths: &[&Path]) -> Result<(), TrainingError> {
        for path in paths {
            self.progress.total += fs::metadata(path).map_err(TrainingError::io(path))?.len();
        }
        Ok(())
    }

    /// Names the file that lines are refused in from now on.
    pub(super) fn enter(&mut self, path: &Path) {
        self.file = path.file_name().unwrap_or_default().to_string_lossy().into();
    }

    /// Moves the progress to `bytes`.
    pub(super) fn advance_to(&mut self, bytes: u64) {
        self.progress.bytes = bytes;
    }

    pub(super) fn event(&mut self, id: CompactString, time: Timestamp, fact: Fact) -> ControlFlow<()> {
        let event = Event { id: EventId::trusted(id), time, received: time, fact };
        (self.sink)(Record::Event(event), self.progress)
    }

    pub(super) fn refuse(&mut self, number: u64, reason: impl Into<String>) -> ControlFlow<()> {
        let line = Line { file: Arc::clone(&self.file), number, reason: reason.into() };
        (self.sink)(Record::Refused(line), self.progress)
    }

    pub(super) fn leave_out(&mut self, number: u64, reason: &str) -> ControlFlow<()> {
        let line = Line { file: Arc::clone(&self.file), number, reason: reason.to_owned() };
        (self.sink)(Record::LeftOut(line), self.progress)
    }

    /// Calls `take` with the number and text of each line that is not blank.
    pub(super) fn lines(
        &mut self,
        path: &Path,
        encoding: Encoding,
        take: &mut dyn FnMut(&mut Self, u64, &str) -> ControlFlow<()>,
    ) -> Flow {
        self.enter(path);
        let mut reader = BufReader::with_capacity(BUFFER, File::open(path).map_err(TrainingError::io(path))?);
        let mut buffer = Vec::new();
        let mut number = 0;
        loop {
            buffer.clear();
            let read = reader.read_until(b'\n', &mut buffer).map_err(TrainingError::io(path))?;
            if read == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            number += 1;
            self.progress.bytes += read as u64;
            let flow = match std::str::from_utf8(&buffer).map(|text| text.trim_end_matches(['\n', '\r'])) {
                Ok(text) if text.trim().is_empty() => ControlFlow::Continue(()),
                Ok(text) => take(self, number, text),
                Err(_) if encoding == Encoding::Utf8OrLatin1 => {
                    take(self, number, latin_1(&buffer).trim_end_matches(['\n', '\r']))
                }
                Err(_) => self.refuse(number, "not UTF-8"),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }
}

/// Every byte is the character of its number.
pub(super) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// An id of an event, `PREFIX-` and 16 hexadecimal digits, made of its content and its place (`line` and `index`
/// within it). Prefixes of at most 7 letters keep it within the bytes that are stored without an allocation.
pub(super) fn event_id(prefix: &str, content: &[u8], line: u64, index: usize) -> CompactString {
    // The place goes in as bytes of its own: XXH3 combines a seed with a short input by exclusive or, so that counting
    // lines and counting contents would cancel each other out.
    let mut bytes = Vec::with_capacity(16 + content.len());
    bytes.extend_from_slice(&line.to_le_bytes());
    bytes.extend_from_slice(&(index as u64).to_le_bytes());
    bytes.extend_from_slice(content);
    let mut hash = xxh3_64(&bytes);
    let mut digits = [0u8; 16];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(hash & 15) as usize];
        hash >>= 4;
    }
    let mut id = CompactString::from(prefix);
    id.push('-');
    id.push_str(std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII"));
    id
}

/// The time of the interaction at `index` of data that has no times.
pub(super) fn synthetic_time(index: u64) -> Timestamp {
    Timestamp::from_micros(SYNTHETIC_START.as_micros() + index as i64 * STEP.as_micros() as i64)
}

pub(super) fn interaction(kind: &str, actor: Actor, item: ItemId, value: Option<f32>) -> Fact {
    Fact::Interaction(Interaction {
        kind: CompactString::from(kind),
        actor,
        item,
        value,
        request_id: None,
        context: Fields::default(),
    })
}

pub(super) fn item_upsert(item: ItemId, fields: Fields) -> Fact {
    Fact::ItemUpsert { item, fields, removed: Vec::new(), available: None, patch: false }
}

pub(super) fn user_upsert(user: UserId, fields: Fields) -> Fact {
    Fact::UserUpsert { user, fields, removed: Vec::new(), patch: false }
}

/// `name` within the folder `path`.
pub(super) fn within(path: &Path, name: &str) -> Result<PathBuf, TrainingError> {
    let file = path.join(name);
    if file.is_file() {
        return Ok(file);
    }
    Err(TrainingError::Missing { path: path.to_owned(), expected: format!("a folder with {name}") })
}

/// `path` itself, or the one file with this extension in the folder `path`.
pub(super) fn only(path: &Path, extension: &str) -> Result<PathBuf, TrainingError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path).map_err(TrainingError::io(path))?;
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let file = entry.map_err(TrainingError::io(path))?.path();
        if file.is_file() && file.extension().is_some_and(|ending| ending == extension) {
            found.push(file);
        }
    }
    match found.as_slice() {
        [file] => Ok(file.clone()),
        _ => Err(TrainingError::Missing {
            path: path.to_owned(),
            expected: format!("a file, or a folder with one .{extension} (it has {})", found.len()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::event_id;

    #[test]
    fn a_million_short_lines_have_a_million_ids() {
        let line = |number: u64| format!("{} {}", number / 160, number % 160 * 21);
        let ids: HashSet<_> =
            (0..1_000_000).map(|number| event_id("seq", line(number).as_bytes(), number, 0)).collect();
        assert_eq!(ids.len(), 1_000_000);
    }
}
