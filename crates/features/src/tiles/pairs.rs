//! Rows below a row: the second part of a pair, such as the categories of a user.
//!
//! They lie with the row of the first part, sorted by key: a request reads the user's row once and finds the categories
//! of all candidates in it. A row keeps at most [`MAX_PAIRS`]; beyond that the one whose latest interaction is oldest
//! makes room.

use std::io::{Read, Write};

use super::{NO_WORD, Row, RowLayout, Touch};
use crate::FeaturesError;
use crate::bytes::{Reader, Writer, damaged};

/// Most second parts a row keeps.
pub(crate) const MAX_PAIRS: usize = 512;

/// Which key the pairs have, and the layout of their rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PairsLayout {
    /// Index into [`Touch::keys`].
    pub(crate) key: usize,
    /// Its place among the groups that have no fixed tiles.
    pub(crate) slot: usize,
    /// Where the keys are items, the filters of the interactions that make a pair, as bits: pairs of features that count other
    /// interactions lie apart. Where they are words, 0.
    pub(crate) counted: u64,
    pub(crate) row: RowLayout,
}

/// One second part with its row, whose stamp is the time of its latest interaction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) key: u32,
    pub(crate) row: Row,
}

/// The row with this key.
#[inline]
pub(crate) fn find(pairs: &[Pair], key: u32) -> Option<&Row> {
    pairs.binary_search_by_key(&key, |pair| pair.key).ok().map(|index| &pairs[index].row)
}

/// The row with this key, for counting in it.
#[inline]
pub(crate) fn find_mut(pairs: &mut [Pair], key: u32) -> Option<&mut Row> {
    pairs.binary_search_by_key(&key, |pair| pair.key).ok().map(|index| &mut pairs[index].row)
}

impl PairsLayout {
    pub(crate) fn add(&self, pairs: &mut Vec<Pair>, touch: &Touch<'_>) {
        let key = touch.keys[self.key];
        if key != NO_WORD {
            self.count(pairs, (key, touch.time), |row| row.add(&self.row, touch));
        }
    }

    /// Lets `count` count an interaction of this time in the row with this key, which comes into being if it was not there.
    pub(crate) fn count(
        &self,
        pairs: &mut Vec<Pair>,
        (key, time): (u32, i64),
        count: impl FnOnce(&mut Row),
    ) {
        let index = match pairs.binary_search_by_key(&key, |pair| pair.key) {
            Ok(index) => index,
            Err(index) => {
                pairs.reserve_exact(if pairs.capacity() > pairs.len() { 0 } else { 1 + pairs.len() / 4 });
                pairs.insert(index, Pair { key, row: Row::default() });
                index
            }
        };
        let row = &mut pairs[index].row;
        row.stamp = row.stamp.max(time);
        count(row);
        self.make_room(pairs);
    }

    pub(crate) fn merge(&self, mine: &mut Vec<Pair>, theirs: Vec<Pair>) {
        for pair in theirs {
            match mine.binary_search_by_key(&pair.key, |pair| pair.key) {
                Ok(index) => mine[index].row.merge(&self.row, pair.row),
                Err(index) => mine.insert(index, pair),
            }
        }
        self.make_room(mine);
    }

    #[expect(clippy::unused_self, reason = "the bound belongs to the layout")]
    fn make_room(&self, pairs: &mut Vec<Pair>) {
        while pairs.len() > MAX_PAIRS {
            let oldest = (0..pairs.len()).min_by_key(|index| (pairs[*index].row.stamp, pairs[*index].key));
            if let Some(oldest) = oldest {
                pairs.remove(oldest);
            }
        }
    }
}

pub(crate) fn write<W: Write>(pairs: &[Pair], writer: &mut Writer<W>) -> Result<(), FeaturesError> {
    writer.length(pairs.len())?;
    for pair in pairs {
        writer.u32(pair.key)?;
        pair.row.write(writer)?;
    }
    Ok(())
}

pub(crate) fn read<R: Read>(
    layout: &PairsLayout,
    reader: &mut Reader<R>,
) -> Result<Vec<Pair>, FeaturesError> {
    let length = reader.length()?;
    if length > MAX_PAIRS {
        return Err(damaged(format_args!("{length} pairs in one row")));
    }
    (0..length).map(|_| Ok(Pair { key: reader.u32()?, row: Row::read(&layout.row, reader)? })).collect()
}
