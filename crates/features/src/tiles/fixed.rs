//! Tiles of a fixed width, in time order in one vector of words: `[tile, columns...]` each.
//!
//! The first tile may be older than the reach of the longest window: it is the *base*, which running columns are
//! subtracted from. Everything older was dropped when the newest tile was begun.

use headwater_base::Timestamp;

use super::Touch;
use super::column::Column;
use crate::declared::hop::Hop;

/// What the tiles of a group hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TilesLayout {
    pub(crate) hop: Hop,
    /// Tiles from the newest to the oldest that a window needs.
    pub(crate) reach: u32,
    /// Words of a tile.
    pub(crate) width: usize,
    pub(crate) columns: Vec<Column>,
    pub(crate) filters: u64,
}

/// The tiles of a window: those up to the newest, and the one before, if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// The tile before the window.
    pub(crate) base: Option<&'a [u32]>,
    /// The window's tiles, oldest first.
    pub(crate) tiles: &'a [u32],
    width: usize,
}

impl<'a> Window<'a> {
    /// The newest tile, if the window has any.
    #[inline]
    pub(crate) fn last(&self) -> Option<&'a [u32]> {
        self.tiles.len().checked_sub(self.width).map(|start| &self.tiles[start..])
    }

    /// The tiles, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        self.tiles.rchunks_exact(self.width)
    }
}

impl TilesLayout {
    pub(crate) fn new(hop: Hop) -> Self {
        Self { hop, reach: 0, width: 1, columns: Vec::new(), filters: 0 }
    }

    /// Counts an interaction in its tile; one older than any window changes nothing.
    #[inline]
    pub(crate) fn add(&self, words: &mut Vec<u32>, touch: &Touch<'_>) {
        let tile = self.hop.tile(Timestamp::from_micros(touch.time));
        let Some(at) = self.place(words, tile) else { return };
        let later = at + self.width;
        for column in &self.columns {
            if touch.filters >> column.filter & 1 == 0 {
                continue;
            }
            let (kind, range) = (column.kind, column.at..column.at + column.kind.width());
            kind.apply(&mut words[at..later][range.clone()], touch);
            if kind.running() && later < words.len() {
                for record in words[later..].chunks_exact_mut(self.width) {
                    kind.apply(&mut record[range.clone()], touch);
                }
            }
        }
    }

    /// Where the tile begins, made if it was not there; `None` for one out of reach.
    fn place(&self, words: &mut Vec<u32>, tile: u32) -> Option<usize> {
        let Some(newest) = words.len().checked_sub(self.width) else {
            self.insert(words, 0, tile);
            return Some(0);
        };
        match words[newest] {
            last if last == tile => Some(newest),
            last if last < tile => {
                self.drop_before(words, tile.saturating_sub(self.reach));
                let end = words.len();
                self.insert(words, end, tile);
                Some(end)
            }
            last if last - tile > self.reach => None,
            _ => {
                let at = self.first_from(words, tile) * self.width;
                if words[at] != tile {
                    self.insert(words, at, tile);
                }
                Some(at)
            }
        }
    }

    /// Makes room for a tile that begins with the running totals of the one before it.
    fn insert(&self, words: &mut Vec<u32>, at: usize, tile: u32) {
        let (length, width) = (words.len(), self.width);
        // Most entities have few tiles, and there are many of them: grow by a quarter, not by doubling.
        words.reserve_exact(if words.capacity() - length >= width {
            0
        } else {
            width * (1 + length / width / 4)
        });
        words.resize(length + width, 0);
        words.copy_within(at..length, at + width);
        if let Some(before) = at.checked_sub(width) {
            words.copy_within(before..at, at);
        }
        words[at] = tile;
        for column in &self.columns {
            if at == 0 || !column.kind.running() {
                column.kind.clear(&mut words[at + column.at..at + column.at + column.kind.width()]);
            }
        }
    }

    /// Drops what no window that reaches back to tile `first` needs; the newest of it stays as the base.
    fn drop_before(&self, words: &mut Vec<u32>, first: u32) {
        let older = self.first_from(words, first);
        if older > 1 {
            words.drain(..(older - 1) * self.width);
        }
    }

    /// The number of the first record whose tile is not before `tile`.
    #[inline]
    fn first_from(&self, words: &[u32], tile: u32) -> usize {
        let records = words.len() / self.width;
        let (mut low, mut high) = (0, records);
        while low < high {
            let middle = (low + high) / 2;
            if words[middle * self.width] < tile {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The window whose tail is at `tail`; tiles out of reach of the newest are not in it.
    #[inline]
    pub(crate) fn window<'a>(&self, words: &'a [u32], tail: Timestamp) -> Window<'a> {
        let Some(newest) = words.len().checked_sub(self.width) else {
            return Window { base: None, tiles: words, width: self.width };
        };
        let tail = self.hop.tile(tail).max(words[newest].saturating_sub(self.reach));
        let first = self.first_from(words, tail) * self.width;
        let base = first.checked_sub(self.width).map(|start| &words[start..first]);
        Window { base, tiles: &words[first..], width: self.width }
    }

    /// The tiles of two rows as one.
    pub(crate) fn merged(&self, mine: &[u32], theirs: &[u32]) -> Vec<u32> {
        let mut parts = self.own_parts(mine);
        parts.extend(self.own_parts(theirs));
        // Stable: of two equal tiles the first row's comes first, so that its latest loses a tie, as a later event does.
        parts.sort_by_key(|part| part[0]);
        let newest = parts.last().map_or(0, |part| part[0]);
        let mut merged: Vec<u32> = Vec::with_capacity(parts.len() * self.width);
        for part in parts {
            let same = merged.len().checked_sub(self.width).filter(|at| merged[*at] == part[0]);
            let at = same.unwrap_or_else(|| {
                let end = merged.len();
                self.insert(&mut merged, end, part[0]);
                end
            });
            for column in &self.columns {
                let range = column.at..column.at + column.kind.width();
                column.kind.merge(&mut merged[at..][range.clone()], &part[range]);
            }
        }
        self.drop_before(&mut merged, newest.saturating_sub(self.reach));
        merged.shrink_to_fit();
        merged
    }

    /// Each tile with its own part of the running totals; a base keeps what was before it.
    fn own_parts(&self, words: &[u32]) -> Vec<Vec<u32>> {
        let mut parts: Vec<Vec<u32>> = words.chunks_exact(self.width).map(<[u32]>::to_vec).collect();
        for index in (1..parts.len()).rev() {
            let (before, part) = parts.split_at_mut(index);
            for column in &self.columns {
                let range = column.at..column.at + column.kind.width();
                column.kind.own_part(&mut part[0][range.clone()], &before[index - 1][range]);
            }
        }
        parts
    }
}
