//! The last interactions of one actor, 16 bytes each.

use std::io::{Read, Write};

use headwater_base::Timestamp;
use headwater_log::Offset;

use crate::bytes::{Reader, Writer, damaged};
use crate::{FeaturesError, ItemIndex};

/// Most interactions a profile holds.
pub const PROFILE_INTERACTIONS: usize = 512;
/// Interactions kept beyond the visible ones, so that the oldest are dropped many at a time.
const SLACK: usize = 64;
/// Smallest allocation, in interactions.
const FIRST: usize = 4;

/// An interaction as a profile keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) time: Timestamp,
    pub(crate) item: ItemIndex,
    pub(crate) kind: u16,
}

/// The interactions in the order received; only the last [`PROFILE_INTERACTIONS`] can be seen.
#[derive(Debug, Default)]
pub(crate) struct History {
    interactions: Vec<Stored>,
    /// The offset after the actor's last event.
    pub(crate) last: Offset,
}

impl History {
    pub(crate) fn visible(&self) -> &[Stored] {
        &self.interactions[self.interactions.len().saturating_sub(PROFILE_INTERACTIONS)..]
    }

    /// Adds an interaction, if there is one to remember, of the event at `offset`.
    pub(crate) fn push(&mut self, interaction: Option<Stored>, offset: Offset) {
        self.last = offset + 1;
        let Some(interaction) = interaction else { return };
        let length = self.interactions.len();
        if length == PROFILE_INTERACTIONS + SLACK {
            self.interactions.drain(..SLACK);
        } else if length == self.interactions.capacity() {
            // By half instead of doubling: most profiles are short, and there are many.
            self.interactions
                .reserve_exact((length / 2).max(FIRST).min(PROFILE_INTERACTIONS + SLACK - length));
        }
        self.interactions.push(interaction);
    }

    /// Forgets the interactions.
    pub(crate) fn forget(&mut self) {
        self.interactions = Vec::new();
    }

    /// Bytes it holds beyond itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Stored>() * self.interactions.capacity()
    }

    /// Merges another history into this one by event time, this one's first where times are equal.
    pub(crate) fn merge(&mut self, other: &Self) {
        let (mut mine, mut theirs) = (self.visible().iter().peekable(), other.visible().iter().peekable());
        let mut merged = Vec::with_capacity(mine.len() + theirs.len());
        while let (Some(a), Some(b)) = (mine.peek(), theirs.peek()) {
            let next = if a.time <= b.time { mine.next() } else { theirs.next() };
            merged.extend(next);
        }
        merged.extend(mine);
        merged.extend(theirs);
        merged.drain(..merged.len().saturating_sub(PROFILE_INTERACTIONS));
        merged.shrink_to_fit();
        self.interactions = merged;
    }

    pub(super) fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        const BYTES: usize = 14;
        writer.u64(self.last)?;
        writer.length(self.visible().len())?;
        let mut block = [0; BYTES * PROFILE_INTERACTIONS];
        let (records, _) = block.as_chunks_mut::<BYTES>();
        for (record, stored) in records.iter_mut().zip(self.visible()) {
            record[..8].copy_from_slice(&stored.time.as_micros().to_le_bytes());
            record[8..12].copy_from_slice(&stored.item.to_le_bytes());
            record[12..].copy_from_slice(&stored.kind.to_le_bytes());
        }
        writer.raw(&block[..BYTES * self.visible().len()])
    }

    pub(super) fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        let last = reader.u64()?;
        let length = reader.length()?;
        if length > PROFILE_INTERACTIONS {
            return Err(damaged(format_args!("a profile of {length} interactions")));
        }
        let mut interactions = Vec::with_capacity(length);
        for _ in 0..length {
            let (time, item, kind) = (reader.time()?, reader.u32()?, reader.u16()?);
            interactions.push(Stored { time, item, kind });
        }
        Ok(Self { interactions, last })
    }
}
