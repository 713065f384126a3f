//! Tiles of a fixed width, in time order in a segment of the row's words: `[tile, columns...]` each.
//!
//! The first tile may be older than the reach of the longest window: it is the *base*, which running columns are
//! subtracted from. Everything older was dropped when the newest tile was begun.

use std::ops::Range;

use super::Touch;
use super::column::Column;
use super::segments::{self, Room};
use crate::declared::hop::Hop;

/// What the tiles of a group hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TilesLayout {
    pub(crate) hop: Hop,
    /// The segment of the row's words.
    pub(crate) slot: usize,
    /// Tiles from the newest to the oldest that a window needs.
    pub(crate) reach: u32,
    /// Words of a tile.
    pub(crate) width: usize,
    pub(crate) columns: Vec<Column>,
    pub(crate) filters: u64,
}

/// What reading needs to know of a group's tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct TilesShape {
    slot: usize,
    reach: u32,
    width: usize,
}

/// The tiles of a window: those up to the newest, and the one before, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window<'a> {
    /// The tile before the window, where there is one in it.
    pub(crate) base: Option<&'a [u32]>,
    /// The newest tile, if the window has any.
    pub(crate) last: Option<&'a [u32]>,
    /// The window's tiles before the newest, oldest first.
    closed: &'a [u32],
    width: usize,
}

impl<'a> Window<'a> {
    /// How many words a tile has.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The window as it was when the newest tile was that.
    #[inline]
    pub(crate) fn with_newest(self, tile: &'a [u32]) -> Self {
        Self { last: Some(tile), ..self }
    }

    /// The tiles, newest first.
    #[inline]
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        self.last.into_iter().chain(self.closed())
    }

    /// Those before the newest, newest first: nothing changes in them but when an interaction comes late.
    #[inline]
    pub(crate) fn closed(&self) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        self.closed.rchunks_exact(self.width)
    }
}

impl TilesShape {
    /// The window from the tile `tail` on, of a row of these words; tiles out of reach of the newest are not in it.
    #[inline]
    pub(crate) fn window<'a>(&self, words: &'a [u32], tail: u32) -> Window<'a> {
        let width = self.width;
        let none = Window { base: None, last: None, closed: &[], width };
        let tiles = segments::get(words, self.slot);
        let Some((before, last)) = tiles.split_at_checked(tiles.len().wrapping_sub(width)) else {
            return none;
        };
        let newest = last[0];
        let tail = tail.max(newest.saturating_sub(self.reach));
        if newest < tail {
            return none;
        }
        if tiles[0] >= tail {
            return Window { base: None, last: Some(last), closed: before, width };
        }
        let first = first_from(tiles, width, tail);
        Window {
            base: Some(&before[first - width..first]),
            last: Some(last),
            closed: &before[first..],
            width,
        }
    }
}

/// Where the first tile begins that is not before `tile`.
#[inline]
fn first_from(words: &[u32], width: usize, tile: u32) -> usize {
    let Some(newest) = words.len().checked_sub(width).map(|at| words[at]) else { return 0 };
    if newest < tile {
        return words.len();
    }
    // Tiles are whole numbers that rise: where none is missing, this is the place.
    let dense = words.len().saturating_sub(((newest - tile) as usize + 1).saturating_mul(width));
    if words[dense] >= tile {
        return dense;
    }
    // Most rows have few tiles, of which a division would take longer than a look at each.
    if words.len() <= FEW_TILES * width {
        let mut at = words.len() - width;
        while words[at - width] >= tile {
            at -= width;
        }
        return at;
    }
    let (mut low, mut high) = (dense / width, words.len() / width);
    while low < high {
        let middle = usize::midpoint(low, high);
        if words[middle * width] < tile {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low * width
}

/// Up to how many tiles are gone through one by one.
const FEW_TILES: usize = 8;

impl TilesLayout {
    pub(crate) fn new(hop: Hop) -> Self {
        Self { hop, slot: 0, reach: 0, width: 1, columns: Vec::new(), filters: 0 }
    }

    pub(crate) fn shape(&self) -> TilesShape {
        TilesShape { slot: self.slot, reach: self.reach, width: self.width }
    }

    /// Counts an interaction in its tile; one older than any window changes nothing.
    #[inline]
    pub(crate) fn add(&self, room: &mut impl Room, touch: &Touch<'_>) {
        let Some((at, end)) = self.place(room, touch.tiles.of(self.hop)) else { return };
        let (tile, later) = room.words_mut()[at..end].split_at_mut(self.width);
        self.apply(tile, touch);
        if !later.is_empty() {
            self.apply_later(later, touch);
        }
    }

    /// Counts an interaction in a tile. One copy of it stays nearer than several.
    #[inline(never)]
    fn apply(&self, tile: &mut [u32], touch: &Touch<'_>) {
        for Column { kind, filter, at } in &self.columns {
            if touch.filters >> filter & 1 == 1 {
                kind.apply(&mut tile[*at..], touch);
            }
        }
    }

    /// Counts an interaction in the running columns of the tiles after its own.
    #[cold]
    fn apply_later(&self, tiles: &mut [u32], touch: &Touch<'_>) {
        let running = self.columns.iter().filter(|column| column.kind.running());
        for Column { kind, at, .. } in running.filter(|column| touch.filters >> column.filter & 1 == 1) {
            tiles.chunks_exact_mut(self.width).for_each(|tile| kind.apply(&mut tile[*at..], touch));
        }
    }

    /// Where the newest tile begins, if there is one.
    #[inline]
    pub(crate) fn newest(&self, words: &[u32]) -> Option<usize> {
        let Range { start, end } = segments::range_or_none(words, self.slot);
        end.checked_sub(self.width).filter(|newest| *newest >= start)
    }

    /// Counts interactions in the newest tile, which is theirs, and copies it as it was before each of them, and as it is then.
    #[inline]
    pub(crate) fn add_to_newest<'t>(
        &self,
        words: &mut [u32],
        touches: impl Iterator<Item = &'t Touch<'t>>,
        copies: &mut Vec<u32>,
    ) {
        let Some(newest) = self.newest(words) else { return };
        let tile = &mut words[newest..newest + self.width];
        for touch in touches {
            copies.extend_from_slice(tile);
            if touch.filters & self.filters != 0 {
                self.apply(tile, touch);
            }
        }
        copies.extend_from_slice(tile);
    }

    /// Where the tile begins, made if it was not there, and where the last one ends; `None` for one out of reach.
    #[inline]
    fn place(&self, room: &mut impl Room, tile: u32) -> Option<(usize, usize)> {
        let words = room.words();
        match self.newest(words) {
            Some(newest) if words[newest] == tile => Some((newest, newest + self.width)),
            newest => self.place_other(room, newest, tile),
        }
    }

    fn place_other(&self, room: &mut dyn Room, newest: Option<usize>, tile: u32) -> Option<(usize, usize)> {
        let words = room.words_mut();
        let Range { start, end } = segments::range(words, self.slot);
        let Some(last) = newest.map(|at| words[at]) else {
            return Some((start, self.insert(room, start, start, tile)));
        };
        if last < tile {
            let stale = self.stale(&words[start..end], tile.saturating_sub(self.reach));
            if stale == 0 {
                return Some((end, self.insert(room, start, end, tile)));
            }
            // The new tile comes where the last one was, in place of what is dropped.
            words.copy_within(start + stale..end, start);
            let at = end - stale;
            self.begin(words, start, at, tile);
            let later = at + self.width;
            segments::remove(room, self.slot, later..end);
            return Some((at, later));
        }
        if last - tile > self.reach {
            return None;
        }
        let at = start + first_from(&words[start..end], self.width, tile);
        let end = if words[at] == tile { end } else { self.insert(room, start, at, tile) };
        Some((at, end))
    }

    /// Makes room for a tile that begins with the running totals of the one before it; returns where the last one ends.
    fn insert(&self, room: &mut dyn Room, start: usize, at: usize, tile: u32) -> usize {
        let end = segments::insert(room, self.slot, at, self.width);
        self.begin(room.words_mut(), start, at, tile);
        end
    }

    /// Writes a tile to which nothing was added yet where there is room for it, among those from `start` on.
    fn begin(&self, words: &mut [u32], start: usize, at: usize, tile: u32) {
        let first = at == start;
        if !first {
            words.copy_within(at - self.width..at, at);
        }
        words[at] = tile;
        for column in &self.columns {
            if first || !column.kind.running() {
                column.kind.clear(&mut words[at + column.at..at + column.at + column.kind.width()]);
            }
        }
    }

    /// How many words no window that reaches back to tile `first` needs; the newest tile before it stays as the base.
    fn stale(&self, words: &[u32], first: u32) -> usize {
        if words[0] >= first { 0 } else { first_from(words, self.width, first) - self.width }
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
                merged.resize(end + self.width, 0);
                self.begin(&mut merged, 0, end, part[0]);
                end
            });
            for column in &self.columns {
                let range = column.at..column.at + column.kind.width();
                column.kind.merge(&mut merged[at..][range.clone()], &part[range]);
            }
        }
        if !merged.is_empty() {
            merged.drain(..self.stale(&merged, newest.saturating_sub(self.reach)));
        }
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
