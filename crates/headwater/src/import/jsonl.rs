//! JSON lines: one event a line, as [`crate::lines`] describes them.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use compact_str::format_compact;
use headwater_base::EventId;
use headwater_base::random::stable_hash;

use super::ImportError;
use super::feed::Feed;
use crate::lines;

/// Reads `path` into `feed`. A line that is no event is refused; the rest goes on.
///
/// # Errors
/// The file cannot be read, or the feed ended.
pub fn read(path: &Path, feed: &mut Feed) -> Result<(), ImportError> {
    let unreadable = |source| ImportError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    let mut bytes = 0;
    let mut number = 0_u64;
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(unreadable)?;
        if length == 0 {
            return Ok(());
        }
        bytes += length as u64;
        number += 1;
        feed.reached(bytes);
        let content = line.trim_ascii();
        if content.is_empty() {
            continue;
        }
        // The same file gives the same ids, so that importing it again stores nothing twice.
        let id = || {
            let hash = stable_hash(&String::from_utf8_lossy(content));
            EventId::trusted(format_compact!("j{hash:016x}-{number:x}"))
        };
        let event = lines::decode(content, feed.schema(), feed.received(), &id);
        feed.take(number, event, || String::from_utf8_lossy(content).into_owned())?;
    }
}
