//! What the parts of the views have in common.

use std::io::{Read, Write};

use crate::FeaturesError;
use crate::bytes::{Reader, Writer};

/// How a part of the views relates to the partitions of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keying {
    /// Keyed by user or session: each key is touched by one partition only, so parts of several partitions stand
    /// side by side without meeting.
    ByUser,
    /// Keyed by item or global: every partition contributes, and the contributions are merged.
    Merged,
}

/// A part of the views with its place in the checkpoint.
///
/// Each part folds what concerns it in log order, and everything it keeps goes through [`View::write`] and
/// [`View::read`]: what is written depends on the log alone, and a part that was read back continues as if it had
/// never been away.
pub trait View: Sized {
    /// The part's name, unique among the views.
    const NAME: &'static str;
    /// Whether partitions stand side by side in it or are merged.
    const KEYING: Keying;

    /// Writes the whole state.
    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError>;

    /// Replaces this (empty) state by the one written.
    fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError>;
}
