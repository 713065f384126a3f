//! What a start found on the disk.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Offset;

/// What opening a log found and did. Its `Display` is a line for the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes cut off the end: a write that a crash interrupted, and that was never acknowledged.
    pub torn_bytes: u64,
    /// The file they were cut from.
    pub torn_file: Option<PathBuf>,
    /// The first offset held.
    pub start: Offset,
    /// The offset after the last event.
    pub end: Offset,
    /// How many segments there are, the active one included.
    pub segments: usize,
    /// Sidecars rebuilt because they were missing or damaged.
    pub rebuilt: usize,
}

impl Recovery {
    /// How many events are held.
    pub fn events(&self) -> u64 {
        self.end - self.start
    }

    pub(crate) fn cut(&mut self, file: &Path, bytes: u64) {
        if bytes > 0 {
            self.torn_bytes += bytes;
            self.torn_file = Some(file.to_owned());
        }
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events from offset {} in {} segments", self.events(), self.start, self.segments)?;
        if let Some(file) = &self.torn_file {
            write!(f, "; cut {} torn bytes off {}", self.torn_bytes, file.display())?;
        }
        if self.rebuilt > 0 {
            write!(f, "; rebuilt {} sidecars", self.rebuilt)?;
        }
        Ok(())
    }
}
