//! Tiles of sketches and lists, which are merged over the window when they are read.

use std::io::{Read, Write};

use headwater_models::prefetch::prefetch;

use super::Touch;
use super::sketch::Sketch;
pub(crate) use super::sketch::{Distinct, Frequent, Quantile, Recent, Union};
use crate::FeaturesError;
use crate::bytes::{Reader, Writer};
use crate::declared::hop::Hop;

/// What the large tiles of a group hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LargeLayout {
    pub(crate) hop: Hop,
    /// Its place among the groups that have no fixed tiles.
    pub(crate) slot: usize,
    /// Tiles from the newest to the oldest that a window needs.
    pub(crate) reach: u32,
    pub(crate) columns: Vec<LargeColumn>,
    pub(crate) filters: u64,
}

/// A column of a large tile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LargeColumn {
    pub(crate) kind: LargeKind,
    pub(crate) filter: u32,
}

/// What a column keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LargeKind {
    /// Different ones of this attribute.
    Distinct(usize),
    /// The values.
    Quantile,
    /// Frequencies of the words of this attribute.
    Frequent(usize),
    /// The latest words of this attribute, so many.
    Recent(usize, usize),
}

/// One tile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LargeTile {
    pub(crate) tile: u32,
    pub(crate) cells: Box<[Cell]>,
}

/// One cell of a tile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Distinct(Distinct),
    Quantile(Quantile),
    Frequent(Frequent),
    Recent(Recent),
}

impl LargeKind {
    fn empty(self) -> Cell {
        match self {
            Self::Distinct(_) => Cell::Distinct(Distinct::default()),
            Self::Quantile => Cell::Quantile(Quantile::default()),
            Self::Frequent(_) => Cell::Frequent(Frequent::default()),
            Self::Recent(..) => Cell::Recent(Recent::default()),
        }
    }

    fn apply(self, cell: &mut Cell, touch: &Touch<'_>) {
        let attribute = |index: usize| Some(touch.attributes[index]).filter(|value| *value != u64::MAX);
        match (self, cell) {
            (Self::Distinct(of), Cell::Distinct(distinct)) => {
                attribute(of).into_iter().for_each(|value| distinct.add(value));
            }
            (Self::Quantile, Cell::Quantile(quantile)) => {
                touch.value.into_iter().for_each(|value| quantile.add(value));
            }
            (Self::Frequent(of), Cell::Frequent(frequent)) => {
                attribute(of).into_iter().for_each(|word| frequent.add(word as u32, 1));
            }
            (Self::Recent(of, n), Cell::Recent(recent)) => {
                attribute(of).into_iter().for_each(|word| recent.add(touch.time, word as u32, n));
            }
            _ => {}
        }
    }

    fn merge(self, cell: &mut Cell, other: &Cell) {
        match (self, cell, other) {
            (_, Cell::Distinct(mine), Cell::Distinct(theirs)) => mine.merge(theirs),
            (_, Cell::Quantile(mine), Cell::Quantile(theirs)) => mine.merge(theirs),
            (_, Cell::Frequent(mine), Cell::Frequent(theirs)) => mine.merge(theirs),
            (Self::Recent(_, n), Cell::Recent(mine), Cell::Recent(theirs)) => mine.merge(theirs, n),
            _ => {}
        }
    }
}

impl LargeLayout {
    pub(crate) fn new(hop: Hop) -> Self {
        Self { hop, slot: 0, reach: 0, columns: Vec::new(), filters: 0 }
    }

    /// Counts an interaction in its tile; one older than any window changes nothing. Returns whether the tiles before the
    /// newest are what they were.
    pub(crate) fn add(&self, tiles: &mut Vec<LargeTile>, touch: &Touch<'_>) -> bool {
        let number = touch.tiles.of(self.hop);
        let same = tiles.last().is_some_and(|last| last.tile == number);
        let tile = if same { tiles.last_mut() } else { self.place(tiles, number) };
        let Some(tile) = tile else { return true };
        for (cell, column) in tile.cells.iter_mut().zip(&self.columns) {
            if touch.filters >> column.filter & 1 == 1 {
                column.kind.apply(cell, touch);
            }
        }
        same
    }

    fn place<'a>(&self, tiles: &'a mut Vec<LargeTile>, number: u32) -> Option<&'a mut LargeTile> {
        if tiles.last().is_some_and(|last| last.tile.saturating_sub(number) > self.reach) {
            return None;
        }
        let index = tiles.partition_point(|tile| tile.tile < number);
        if tiles.get(index).is_none_or(|tile| tile.tile != number) {
            let cells = self.columns.iter().map(|column| column.kind.empty()).collect();
            tiles.reserve_exact(1);
            tiles.insert(index, LargeTile { tile: number, cells });
        }
        let newest = tiles.last().map_or(number, |last| last.tile);
        let stale = tiles.partition_point(|tile| tile.tile < newest.saturating_sub(self.reach));
        tiles.drain(..stale);
        tiles.get_mut(index - stale)
    }

    pub(crate) fn merge(&self, mine: &mut Vec<LargeTile>, theirs: Vec<LargeTile>) {
        for other in theirs {
            let Some(tile) = self.place(mine, other.tile) else { continue };
            for ((cell, column), other) in tile.cells.iter_mut().zip(&self.columns).zip(&other.cells) {
                column.kind.merge(cell, other);
            }
        }
    }

    /// The tiles of a window, oldest first.
    pub(crate) fn window<'a>(&self, tiles: &'a [LargeTile], tail: u32) -> &'a [LargeTile] {
        let newest = tiles.last().map_or(0, |last| last.tile);
        let tail = tail.max(newest.saturating_sub(self.reach));
        &tiles[tiles.partition_point(|tile| tile.tile < tail)..]
    }
}

/// What a tile holds of a column that keeps that.
impl LargeTile {
    pub(crate) fn distinct(&self, column: usize) -> Option<&Distinct> {
        match self.cells.get(column) {
            Some(Cell::Distinct(distinct)) => Some(distinct),
            _ => None,
        }
    }

    pub(crate) fn quantile(&self, column: usize) -> Option<&Quantile> {
        match self.cells.get(column) {
            Some(Cell::Quantile(quantile)) => Some(quantile),
            _ => None,
        }
    }

    pub(crate) fn frequent(&self, column: usize) -> Option<&Frequent> {
        match self.cells.get(column) {
            Some(Cell::Frequent(frequent)) => Some(frequent),
            _ => None,
        }
    }

    pub(crate) fn recent(&self, column: usize) -> Option<&Recent> {
        match self.cells.get(column) {
            Some(Cell::Recent(recent)) => Some(recent),
            _ => None,
        }
    }
}

/// Asks for tiles, for their cells, or for what these hold.
pub(crate) fn prefetch_from(tiles: &[LargeTile], jumps: usize) {
    for tile in tiles {
        match (jumps, &*tile.cells) {
            (1, _) => prefetch(tile),
            (2, cells) => prefetch(cells),
            (_, [Cell::Distinct(Distinct::Few(values)), ..]) => values.first().into_iter().for_each(prefetch),
            (_, [Cell::Recent(recent), ..]) => recent.newest().into_iter().for_each(prefetch),
            _ => {}
        }
    }
}

/// Bytes that tiles hold beyond themselves, about.
pub(crate) fn heap_bytes(tiles: &Vec<LargeTile>) -> usize {
    let cell = |cell: &Cell| match cell {
        Cell::Distinct(sketch) => sketch.heap_bytes(),
        Cell::Quantile(sketch) => sketch.heap_bytes(),
        Cell::Frequent(sketch) => sketch.heap_bytes(),
        Cell::Recent(sketch) => sketch.heap_bytes(),
    };
    let cells: usize = tiles.iter().flat_map(|tile| &tile.cells).map(|c| size_of::<Cell>() + cell(c)).sum();
    tiles.capacity() * size_of::<LargeTile>() + cells
}

pub(crate) fn write<W: Write>(tiles: &[LargeTile], writer: &mut Writer<W>) -> Result<(), FeaturesError> {
    writer.length(tiles.len())?;
    for tile in tiles {
        writer.u32(tile.tile)?;
        for cell in &tile.cells {
            match cell {
                Cell::Distinct(sketch) => sketch.write(writer)?,
                Cell::Quantile(sketch) => sketch.write(writer)?,
                Cell::Frequent(sketch) => sketch.write(writer)?,
                Cell::Recent(sketch) => sketch.write(writer)?,
            }
        }
    }
    Ok(())
}

pub(crate) fn read<R: Read>(
    layout: &LargeLayout,
    reader: &mut Reader<R>,
) -> Result<Vec<LargeTile>, FeaturesError> {
    let mut tiles = Vec::new();
    for _ in 0..reader.length()? {
        let tile = reader.u32()?;
        let cell = |column: &LargeColumn| -> Result<Cell, FeaturesError> {
            Ok(match column.kind {
                LargeKind::Distinct(_) => Cell::Distinct(Distinct::read(reader)?),
                LargeKind::Quantile => Cell::Quantile(Quantile::read(reader)?),
                LargeKind::Frequent(_) => Cell::Frequent(Frequent::read(reader)?),
                LargeKind::Recent(..) => Cell::Recent(Recent::read(reader)?),
            })
        };
        let cells: Result<Vec<Cell>, _> = layout.columns.iter().map(cell).collect();
        tiles.push(LargeTile { tile, cells: cells?.into() });
    }
    Ok(tiles)
}
