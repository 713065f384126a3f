//! Tiles: what an entity keeps of its interactions, instead of the interactions.
//!
//! An entity has one [`Row`]. A row has groups, laid out by the [`crate::declared::Plan`]: fixed-width tiles for what
//! fits into a few words ([`fixed`], all of them in one vector: [`segments`]), larger ones for sketches and lists
//! ([`large`]), and rows below it for the second part of a pair ([`pairs`]). Tiles hold intermediate results that merge,
//! so that the rows of two entities (a session and the user it turns out to be) become one, and events that come late
//! land in their own tile.

pub(crate) mod column;
pub(crate) mod fixed;
pub(crate) mod large;
pub(crate) mod pairs;
pub(crate) mod segments;
mod sketch;

use std::io::{Read, Write};

use headwater_models::prefetch::prefetch;

use crate::FeaturesError;
use crate::bytes::{Reader, Writer, damaged};
use crate::declared::hop::Tiles;
use fixed::TilesLayout;
use large::{LargeLayout, LargeTile};
use pairs::{Block, Pairs, PairsLayout};
use segments::Room;

/// Bytes that memory gives at once, and how many such pieces of one row are asked for.
const LINE: usize = 64;
const MOST_LINES: usize = 12;

/// A word that is missing: an item without a category, an interaction without a device.
pub(crate) const NO_WORD: u32 = u32::MAX;

/// An interaction as rows see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch<'a> {
    /// When it happened; never after it was received. Microseconds.
    pub(crate) time: i64,
    /// The tiles that hold this time.
    pub(crate) tiles: Tiles,
    /// Its value.
    pub(crate) value: Option<f32>,
    /// The plan's filters that it passes, one bit each.
    pub(crate) filters: u64,
    /// The plan's attributes: words, or hashes where ids are only told apart; `u64::MAX` where missing.
    pub(crate) attributes: &'a [u64],
    /// The plan's keys: words; [`NO_WORD`] where missing.
    pub(crate) keys: &'a [u32],
}

/// How the rows of one kind of entity are laid out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RowLayout {
    pub(crate) groups: Vec<GroupLayout>,
    /// How many of the groups have fixed tiles; the others lie apart.
    pub(crate) fixed: usize,
    /// The union of the groups' filters.
    pub(crate) filters: u64,
}

/// How one group of a row is laid out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GroupLayout {
    Tiles(TilesLayout),
    Large(LargeLayout),
    Pairs(PairsLayout),
}

impl GroupLayout {
    pub(crate) fn filters(&self) -> u64 {
        match self {
            Self::Tiles(layout) => layout.filters,
            Self::Large(layout) => layout.filters,
            Self::Pairs(layout) => layout.row.filters,
        }
    }
}

impl RowLayout {
    /// How many words a row has that has one tile in each group of fixed ones.
    fn fixed_words(&self) -> usize {
        let width = |group: &GroupLayout| match group {
            GroupLayout::Tiles(layout) => layout.width,
            GroupLayout::Large(_) | GroupLayout::Pairs(_) => 0,
        };
        segments::empty_words(self.fixed) + self.groups.iter().map(width).sum::<usize>()
    }

    /// Gives each group its place in a row, and unites their filters.
    pub(crate) fn finish(&mut self) {
        let (mut fixed, mut others) = (0, 0);
        for group in &mut self.groups {
            let (slot, next) = match group {
                GroupLayout::Tiles(layout) => {
                    layout.filters = layout.columns.iter().fold(0, |bits, column| bits | 1 << column.filter);
                    (&mut layout.slot, &mut fixed)
                }
                GroupLayout::Large(layout) => {
                    layout.filters = layout.columns.iter().fold(0, |bits, column| bits | 1 << column.filter);
                    (&mut layout.slot, &mut others)
                }
                GroupLayout::Pairs(layout) => {
                    layout.row.finish();
                    (&mut layout.slot, &mut others)
                }
            };
            *slot = *next;
            *next += 1;
            self.filters |= group.filters();
        }
        self.fixed = fixed;
    }
}

/// What one entity keeps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// When its latest event was received or, in a pair, happened; microseconds.
    pub(crate) stamp: i64,
    /// The fixed tiles of its groups; none until something is counted.
    words: Vec<u32>,
    /// Its other groups, likewise.
    others: Option<Box<[Group]>>,
}

/// One group of a row that has no fixed tiles.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Group {
    #[default]
    Empty,
    Large(Vec<LargeTile>),
    Pairs(Pairs),
}

impl Default for Row {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Row {
    /// Nothing was counted.
    pub(crate) const EMPTY: Self = Self { stamp: i64::MIN, words: Vec::new(), others: None };

    /// Counts an interaction.
    #[inline]
    pub(crate) fn add(&mut self, layout: &RowLayout, touch: &Touch<'_>) {
        if layout.filters & touch.filters == 0 {
            return;
        }
        if self.is_empty() {
            self.begin(layout);
        }
        add(layout, &mut self.words, self.others.as_deref_mut().unwrap_or_default(), touch);
    }

    /// What it holds, to be read and counted in; it begins to hold something where it is told that something `counts`.
    pub(crate) fn parts_mut(&mut self, layout: &RowLayout, counts: bool) -> (&mut Vec<u32>, &mut [Group]) {
        if counts && self.is_empty() {
            self.begin(layout);
        }
        (&mut self.words, self.others.as_deref_mut().unwrap_or_default())
    }

    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.others.is_none()
    }

    fn begin(&mut self, layout: &RowLayout) {
        self.words = empty_words(layout);
        self.others = (layout.groups.len() > layout.fixed).then(|| begin_others(layout));
    }

    /// Forgets what was counted.
    pub(crate) fn clear(&mut self) {
        self.words = Vec::new();
        self.others = None;
    }

    /// Takes over what another row of the same layout holds.
    pub(crate) fn merge(&mut self, layout: &RowLayout, mut other: Self) {
        self.stamp = self.stamp.max(other.stamp);
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            (self.words, self.others) = (other.words, other.others);
            return;
        }
        let mine = (self.words.as_slice(), self.others.as_deref_mut().unwrap_or_default());
        let theirs = (other.words.as_slice(), other.others.as_deref_mut().unwrap_or_default());
        self.words = merged(layout, mine, theirs);
    }

    fn group(&self, slot: usize) -> Option<&Group> {
        self.others.as_deref()?.get(slot)
    }

    /// Asks for what lies so many jumps away from the row, whose nearer parts were asked for some time ago.
    #[inline]
    pub(crate) fn prefetch(&self, jumps: usize) {
        if jumps == 1 {
            self.view().prefetch();
            return;
        }
        for group in self.others.as_deref().into_iter().flatten() {
            match group {
                Group::Empty => {}
                Group::Large(tiles) => large::prefetch_from(tiles, jumps - 1),
                Group::Pairs(pairs) if jumps == 2 => pairs.prefetch_keys(),
                Group::Pairs(_) => {}
            }
        }
    }

    /// Asks for the rows of pairs with these keys.
    #[inline]
    pub(crate) fn prefetch_pairs(&self, layout: &RowLayout, key: impl Fn(usize) -> u32) {
        for group in &layout.groups {
            if let GroupLayout::Pairs(layout) = group
                && let Some(Group::Pairs(pairs)) = self.group(layout.slot)
            {
                pairs.prefetch(key(layout.key));
            }
        }
    }

    /// The row, unless it went idle.
    #[inline]
    pub(crate) fn awake(&self, now: i64, idle: i64) -> Option<&Self> {
        (now.saturating_sub(self.stamp) <= idle).then_some(self)
    }

    /// What it holds, to be read.
    #[inline]
    pub(crate) fn view(&self) -> RowView<'_> {
        RowView { words: &self.words, others: self.others.as_deref().unwrap_or_default() }
    }

    /// Bytes it holds beyond itself, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let others = self.others.as_deref().unwrap_or_default();
        4 * self.words.capacity() + size_of_val(others) + others.iter().map(Group::heap_bytes).sum::<usize>()
    }

    pub(crate) fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        self.view().write(self.stamp, writer)
    }

    pub(crate) fn read<R: Read>(layout: &RowLayout, reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        let mut row = Self { stamp: reader.i64()?, ..Self::EMPTY };
        if reader.u8()? == 0 {
            return Ok(row);
        }
        row.begin(layout);
        for group in &layout.groups {
            let GroupLayout::Tiles(layout) = group else { continue };
            let words = reader.u32s()?;
            if !words.len().is_multiple_of(layout.width) {
                return Err(damaged("tiles of another width"));
            }
            segments::append(&mut row.words, layout.slot, &words);
        }
        row.words.shrink_to_fit();
        for group in &layout.groups {
            let (slot, read) = match group {
                GroupLayout::Tiles(_) => continue,
                GroupLayout::Large(layout) => (
                    layout.slot,
                    match reader.u8()? {
                        0 => Group::Empty,
                        2 => Group::Large(large::read(layout, reader)?),
                        kind => return Err(damaged(format_args!("a group of kind {kind}"))),
                    },
                ),
                GroupLayout::Pairs(layout) => (
                    layout.slot,
                    match reader.u8()? {
                        0 => Group::Empty,
                        3 => Group::Pairs(pairs::read(layout, reader)?),
                        kind => return Err(damaged(format_args!("a group of kind {kind}"))),
                    },
                ),
            };
            row.others.as_deref_mut().unwrap_or_default()[slot] = read;
        }
        Ok(row)
    }
}

/// Counts an interaction in what a row holds.
#[inline]
fn add(layout: &RowLayout, words: &mut impl Room, others: &mut [Group], touch: &Touch<'_>) {
    for group in &layout.groups {
        if group.filters() & touch.filters == 0 {
            continue;
        }
        match group {
            GroupLayout::Tiles(layout) => layout.add(words, touch),
            GroupLayout::Large(layout) => {
                layout.add(others[layout.slot].large_mut(), touch);
            }
            GroupLayout::Pairs(layout) => layout.add(others[layout.slot].pairs_mut(), touch),
        }
    }
}

/// The words of a row in which nothing was counted, with room for a tile in each group.
fn empty_words(layout: &RowLayout) -> Vec<u32> {
    let mut words = Vec::with_capacity(layout.fixed_words());
    words.resize(segments::empty_words(layout.fixed), 0);
    segments::begin(&mut words, layout.fixed);
    words
}

fn begin_others(layout: &RowLayout) -> Box<[Group]> {
    (layout.fixed..layout.groups.len()).map(|_| Group::Empty).collect()
}

/// What two rows hold as one: the words; the other groups of the second go to the first.
fn merged(
    layout: &RowLayout,
    (my_words, mine): (&[u32], &mut [Group]),
    (their_words, theirs): (&[u32], &mut [Group]),
) -> Vec<u32> {
    let mut words = empty_words(layout);
    for group in &layout.groups {
        match group {
            GroupLayout::Tiles(layout) => {
                let tiles = [my_words, their_words].map(|words| segments::get(words, layout.slot));
                segments::append(&mut words, layout.slot, &layout.merged(tiles[0], tiles[1]));
            }
            GroupLayout::Large(layout) => {
                if let Group::Large(theirs) = std::mem::take(&mut theirs[layout.slot]) {
                    layout.merge(mine[layout.slot].large_mut(), theirs);
                }
            }
            GroupLayout::Pairs(layout) => {
                if let Group::Pairs(theirs) = std::mem::take(&mut theirs[layout.slot]) {
                    layout.merge(mine[layout.slot].pairs_mut(), theirs);
                }
            }
        }
    }
    words
}

/// What a row holds, wherever it lies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowView<'a> {
    /// The fixed tiles of all groups.
    pub(crate) words: &'a [u32],
    others: &'a [Group],
}

impl<'a> RowView<'a> {
    /// The large tiles of a group.
    #[inline]
    pub(crate) fn large(self, slot: usize) -> &'a [LargeTile] {
        self.others.get(slot).map_or(&[], Group::large)
    }

    /// The row of a pair.
    #[inline]
    pub(crate) fn pair(self, slot: usize, key: u32) -> Option<Self> {
        match self.others.get(slot) {
            Some(Group::Pairs(pairs)) => pairs.view(key),
            _ => None,
        }
    }

    /// Asks for it.
    #[inline]
    pub(crate) fn prefetch(self) {
        // Few rows have more tiles than that, and of those the newest come last.
        self.words.rchunks(LINE / 4).take(MOST_LINES).for_each(|line| prefetch(&line[0]));
        self.others.iter().for_each(prefetch);
    }

    fn write<W: Write>(self, stamp: i64, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.i64(stamp)?;
        writer.u8(u8::from(!self.words.is_empty() || !self.others.is_empty()))?;
        for slot in 0..segments::count(self.words) {
            writer.u32s(segments::get(self.words, slot).iter().copied())?;
        }
        for group in self.others {
            match group {
                Group::Empty => writer.u8(0)?,
                Group::Large(tiles) => {
                    writer.u8(2)?;
                    large::write(tiles, writer)?;
                }
                Group::Pairs(pairs) => {
                    writer.u8(3)?;
                    pairs::write(pairs, writer)?;
                }
            }
        }
        Ok(())
    }
}

impl Group {
    /// Its large tiles, if it has any.
    pub(crate) fn large(&self) -> &[LargeTile] {
        match self {
            Self::Large(tiles) => tiles,
            _ => &[],
        }
    }

    /// The row of a pair, if it has one.
    #[inline]
    pub(crate) fn pair_mut(&mut self, key: u32) -> Option<(Block<'_>, &mut [Group])> {
        match self {
            Self::Pairs(pairs) => pairs.find_mut(key),
            _ => None,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Large(tiles) => large::heap_bytes(tiles),
            Self::Pairs(pairs) => pairs.heap_bytes(),
        }
    }

    pub(crate) fn large_mut(&mut self) -> &mut Vec<LargeTile> {
        if !matches!(self, Self::Large(_)) {
            *self = Self::Large(Vec::new());
        }
        match self {
            Self::Large(tiles) => tiles,
            _ => unreachable!("it was made large tiles above"),
        }
    }

    pub(crate) fn pairs_mut(&mut self) -> &mut Pairs {
        if !matches!(self, Self::Pairs(_)) {
            *self = Self::Pairs(Pairs::default());
        }
        match self {
            Self::Pairs(pairs) => pairs,
            _ => unreachable!("it was made pairs above"),
        }
    }
}
