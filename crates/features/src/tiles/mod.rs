//! Tiles: what an entity keeps of its interactions, instead of the interactions.
//!
//! An entity has one [`Row`]. A row has groups, laid out by the [`crate::declared::Plan`]: fixed-width tiles for what
//! fits into a few words ([`fixed`]), larger ones for sketches and lists ([`large`]), and rows below it for the second
//! part of a pair ([`pairs`]). Tiles hold intermediate results that merge, so that the rows of two entities (a session
//! and the user it turns out to be) become one, and events that come late land in their own tile.

pub(crate) mod column;
pub(crate) mod fixed;
pub(crate) mod large;
pub(crate) mod pairs;
mod sketch;

use std::io::{Read, Write};

use crate::FeaturesError;
use crate::bytes::{Reader, Writer, damaged};
use fixed::TilesLayout;
use large::{LargeLayout, LargeTile};
use pairs::{Pair, PairsLayout};

/// A word that is missing: an item without a category, an interaction without a device.
pub(crate) const NO_WORD: u32 = u32::MAX;

/// An interaction as rows see it.
#[derive(Debug)]
pub(crate) struct Touch<'a> {
    /// When it happened; never after it was received. Microseconds.
    pub(crate) time: i64,
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
    fn filters(&self) -> u64 {
        match self {
            Self::Tiles(layout) => layout.filters,
            Self::Large(layout) => layout.filters,
            Self::Pairs(layout) => layout.row.filters,
        }
    }
}

/// What one entity keeps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// When its latest event was received or, in a pair, happened; microseconds.
    pub(crate) stamp: i64,
    groups: Groups,
}

/// None, until something is counted; then one for each group of the layout.
type Groups = Vec<Group>;

/// One group of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Group {
    #[default]
    Empty,
    Tiles(Vec<u32>),
    Large(Vec<LargeTile>),
    Pairs(Vec<Pair>),
}

impl Default for Row {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Row {
    /// Nothing was counted.
    pub(crate) const EMPTY: Self = Self { stamp: i64::MIN, groups: Groups::new() };

    /// Counts an interaction.
    #[inline]
    pub(crate) fn add(&mut self, layout: &RowLayout, touch: &Touch<'_>) {
        if layout.filters & touch.filters == 0 {
            return;
        }
        if self.groups.is_empty() {
            self.groups = vec![Group::Empty; layout.groups.len()];
        }
        for (group, layout) in self.groups.iter_mut().zip(&layout.groups) {
            if layout.filters() & touch.filters == 0 {
                continue;
            }
            match layout {
                GroupLayout::Tiles(layout) => layout.add(group.tiles_mut(), touch),
                GroupLayout::Large(layout) => layout.add(group.large_mut(), touch),
                GroupLayout::Pairs(layout) => layout.add(group.pairs_mut(), touch),
            }
        }
    }

    /// Forgets what was counted.
    pub(crate) fn clear(&mut self) {
        self.groups = Groups::new();
    }

    /// Takes over what another row of the same layout holds.
    pub(crate) fn merge(&mut self, layout: &RowLayout, other: Self) {
        self.stamp = self.stamp.max(other.stamp);
        if self.groups.is_empty() {
            self.groups = other.groups;
            return;
        }
        for ((mine, theirs), layout) in self.groups.iter_mut().zip(other.groups).zip(&layout.groups) {
            match (&mut *mine, theirs) {
                (_, Group::Empty) => {}
                (Group::Empty, theirs) => *mine = theirs,
                (Group::Tiles(mine), Group::Tiles(theirs)) => {
                    if let GroupLayout::Tiles(layout) = layout {
                        *mine = layout.merged(mine, &theirs);
                    }
                }
                (Group::Large(mine), Group::Large(theirs)) => {
                    if let GroupLayout::Large(layout) = layout {
                        layout.merge(mine, theirs);
                    }
                }
                (Group::Pairs(mine), Group::Pairs(theirs)) => {
                    if let GroupLayout::Pairs(layout) = layout {
                        layout.merge(mine, theirs);
                    }
                }
                // One layout makes one kind of group.
                _ => {}
            }
        }
    }

    /// The fixed tiles of a group; none where nothing was counted.
    #[inline]
    pub(crate) fn tiles(&self, group: usize) -> &[u32] {
        match self.groups.get(group) {
            Some(Group::Tiles(words)) => words,
            _ => &[],
        }
    }

    /// The large tiles of a group.
    pub(crate) fn large(&self, group: usize) -> &[LargeTile] {
        match self.groups.get(group) {
            Some(Group::Large(tiles)) => tiles,
            _ => &[],
        }
    }

    /// The row of a pair.
    #[inline]
    pub(crate) fn pair(&self, group: usize, key: u32) -> Option<&Self> {
        match self.groups.get(group) {
            Some(Group::Pairs(pairs)) => pairs::find(pairs, key),
            _ => None,
        }
    }

    /// Bytes it holds beyond itself, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let group = |group: &Group| match group {
            Group::Empty => 0,
            Group::Tiles(words) => 4 * words.capacity(),
            Group::Large(tiles) => large::heap_bytes(tiles),
            Group::Pairs(pairs) => {
                pairs.capacity() * size_of::<Pair>()
                    + pairs.iter().map(|pair| pair.row.heap_bytes()).sum::<usize>()
            }
        };
        size_of_val(&*self.groups) + self.groups.iter().map(group).sum::<usize>()
    }

    pub(crate) fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.i64(self.stamp)?;
        writer.u8(u8::from(!self.groups.is_empty()))?;
        for group in &self.groups {
            match group {
                Group::Empty => writer.u8(0)?,
                Group::Tiles(words) => {
                    writer.u8(1)?;
                    writer.u32s(words.iter().copied())?;
                }
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

    pub(crate) fn read<R: Read>(layout: &RowLayout, reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        let stamp = reader.i64()?;
        if reader.u8()? == 0 {
            return Ok(Self { stamp, groups: Groups::new() });
        }
        let group = |layout: &GroupLayout| -> Result<Group, FeaturesError> {
            Ok(match (reader.u8()?, layout) {
                (0, _) => Group::Empty,
                (1, GroupLayout::Tiles(layout)) => {
                    let words = reader.u32s()?;
                    if words.is_empty() || !words.len().is_multiple_of(layout.width) {
                        return Err(damaged("tiles of another width"));
                    }
                    Group::Tiles(words)
                }
                (2, GroupLayout::Large(layout)) => Group::Large(large::read(layout, reader)?),
                (3, GroupLayout::Pairs(layout)) => Group::Pairs(pairs::read(layout, reader)?),
                (kind, _) => return Err(damaged(format_args!("a group of kind {kind}"))),
            })
        };
        let groups: Result<Vec<Group>, _> = layout.groups.iter().map(group).collect();
        Ok(Self { stamp, groups: groups? })
    }
}

impl Group {
    #[inline]
    fn tiles_mut(&mut self) -> &mut Vec<u32> {
        if !matches!(self, Self::Tiles(_)) {
            *self = Self::Tiles(Vec::new());
        }
        match self {
            Self::Tiles(words) => words,
            _ => unreachable!("it was made tiles above"),
        }
    }

    fn large_mut(&mut self) -> &mut Vec<LargeTile> {
        if !matches!(self, Self::Large(_)) {
            *self = Self::Large(Vec::new());
        }
        match self {
            Self::Large(tiles) => tiles,
            _ => unreachable!("it was made large tiles above"),
        }
    }

    fn pairs_mut(&mut self) -> &mut Vec<Pair> {
        if !matches!(self, Self::Pairs(_)) {
            *self = Self::Pairs(Vec::new());
        }
        match self {
            Self::Pairs(pairs) => pairs,
            _ => unreachable!("it was made pairs above"),
        }
    }
}
