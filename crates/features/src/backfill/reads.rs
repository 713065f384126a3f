//! What is read of a row while interactions are counted in it, group by group.
//!
//! The groups of a row know nothing of each other, so that each takes all of the row's interactions by itself: what it
//! reads before one of them mostly lies where it lay before the one before it.

use crate::declared::Part;
use crate::declared::plan::{Plan, ReadOp, TilesRead};
use crate::read::window::{each_of_fixed, of_fixed, of_large};
use crate::tiles::fixed::{TilesLayout, TilesShape};
use crate::tiles::large::{LargeLayout, Union};
use crate::tiles::pairs::PairsLayout;
use crate::tiles::segments::Room;
use crate::tiles::{Group, GroupLayout, NO_WORD, Row, RowLayout};

use super::table::{Values, cell_of};
use super::taken::Met;

/// What is read of the rows of one layout.
#[derive(Debug, Default)]
pub(super) struct RowReads {
    /// By group of the layout.
    groups: Vec<GroupReads>,
}

#[derive(Debug)]
enum GroupReads {
    Fixed(Vec<FixedWindow>),
    Large(Vec<LargeRead>),
    Pairs {
        /// Whether they are pairs with the item, of which one that was not known before has none.
        of_item: bool,
        reads: RowReads,
    },
}

/// A window of fixed tiles.
#[derive(Debug)]
struct FixedWindow {
    /// Index into the plan's tails.
    tail: usize,
    shape: TilesShape,
    /// Each into the column of this number.
    reads: Vec<(ReadOp, usize)>,
}

/// A window of large tiles, and what is known of it.
#[derive(Debug)]
struct LargeRead {
    tail: usize,
    read: ReadOp,
    column: usize,
    /// Where the window began, its value, and what is known of it.
    found: u32,
    cell: u32,
    known: Union,
}

impl RowReads {
    /// Of each column of a table's features, into the value of this number.
    pub(super) fn new<'p>(
        plan: &'p Plan,
        layout: &RowLayout,
        columns: impl Iterator<Item = (usize, &'p TilesRead)>,
    ) -> Self {
        let mut reads = Self::of_nothing(plan, layout);
        for (column, read) in columns {
            reads.add(plan.places[read.place].pair.map(|(group, _)| group), column, read);
        }
        reads
    }

    fn of_nothing(plan: &Plan, layout: &RowLayout) -> Self {
        let of_group = |group: &GroupLayout| match group {
            GroupLayout::Tiles(_) => GroupReads::Fixed(Vec::new()),
            GroupLayout::Large(_) => GroupReads::Large(Vec::new()),
            GroupLayout::Pairs(pairs) => GroupReads::Pairs {
                of_item: plan.keys[pairs.key] == Part::Item,
                reads: Self::of_nothing(plan, &pairs.row),
            },
        };
        Self { groups: layout.groups.iter().map(of_group).collect() }
    }

    fn add(&mut self, pair: Option<usize>, column: usize, tiles: &TilesRead) {
        let TilesRead { group, tail, shape, read, .. } = *tiles;
        match (&mut self.groups[pair.unwrap_or(group)], shape) {
            (GroupReads::Pairs { reads, .. }, _) => reads.add(None, column, tiles),
            (GroupReads::Fixed(windows), Some(shape)) => {
                match windows.iter_mut().find(|window| window.tail == tail) {
                    Some(window) => window.reads.push((read, column)),
                    None => windows.push(FixedWindow { tail, shape, reads: vec![(read, column)] }),
                }
            }
            (GroupReads::Large(reads), _) => {
                reads.push(LargeRead { tail, read, column, found: 0, cell: 0, known: Union::default() });
            }
            (GroupReads::Fixed(_), None) => unreachable!("what is read of fixed tiles has their shape"),
        }
    }

    /// Reads what each of `all` met in a row, and counts it there: both in their order.
    pub(super) fn work_off(
        &mut self,
        layout: &RowLayout,
        row: &mut Row,
        all: &[Met<'_>],
        values: &mut Values,
    ) {
        let counts = all.iter().any(|met| layout.filters & met.touch.filters != 0);
        let (words, others) = row.parts_mut(layout, counts);
        self.parts(layout, words, others, all, values);
    }

    fn parts(
        &mut self,
        layout: &RowLayout,
        words: &mut impl Room,
        others: &mut [Group],
        all: &[Met<'_>],
        values: &mut Values,
    ) {
        for (group, reads) in layout.groups.iter().zip(&mut self.groups) {
            match (group, reads) {
                (GroupLayout::Tiles(layout), GroupReads::Fixed(windows)) => {
                    fixed(layout, windows, words, all, values);
                }
                (GroupLayout::Large(layout), GroupReads::Large(reads)) => {
                    large(layout, reads, others.get_mut(layout.slot), all, values);
                }
                (GroupLayout::Pairs(layout), GroupReads::Pairs { of_item, reads }) => {
                    for met in all {
                        pair(layout, reads, others.get_mut(layout.slot), (*of_item, met), values);
                    }
                }
                _ => unreachable!("reads were made of the same layout"),
            }
        }
    }
}

/// Reads what each of `all` met in fixed tiles, and counts it there.
///
/// As long as windows begin where they began and interactions are counted in the newest tile, all that changes from one to the
/// next is this tile: it is copied as each found it, and then each feature is read for all of them at once.
#[inline]
fn fixed(
    layout: &TilesLayout,
    windows: &[FixedWindow],
    words: &mut impl Room,
    mut all: &[Met<'_>],
    values: &mut Values,
) {
    while let [first, others @ ..] = all {
        let more = alike(layout, windows, words.words(), first, others);
        let (alike, after) = all.split_at(1 + more);
        let last = &alike[more];
        if more == 0 {
            windows.iter().for_each(|window| window.read(words.words(), last, values));
        } else {
            values.copies.clear();
            let touches = alike[..more].iter().map(|met| &met.touch);
            layout.add_to_newest(words.words_mut(), touches, &mut values.copies);
            windows.iter().for_each(|window| window.read_alike(words.words(), alike, values));
        }
        if layout.filters & last.touch.filters != 0 {
            layout.add(words, &last.touch);
        }
        all = after;
    }
}

/// How many of the others windows begin at the same tiles for as for the first, as long as none of those before them is
/// counted in another tile than the newest.
#[inline]
fn alike(
    layout: &TilesLayout,
    windows: &[FixedWindow],
    words: &[u32],
    first: &Met<'_>,
    others: &[Met<'_>],
) -> usize {
    if others.is_empty() {
        return 0;
    }
    let newest = layout.newest(words).map(|at| words[at]);
    let stays = |met: &Met<'_>| {
        layout.filters & met.touch.filters == 0 || Some(met.touch.tiles.of(layout.hop)) == newest
    };
    let same_tails = |met: &Met<'_>| {
        met.same_tails
            || windows.iter().all(|FixedWindow { tail, .. }| met.tails[*tail] == first.tails[*tail])
    };
    let mut stayed = stays(first);
    let same = |next: &&Met<'_>| std::mem::replace(&mut stayed, stays(next)) && same_tails(next);
    others.iter().take_while(same).count()
}

impl FixedWindow {
    /// Reads what one interaction met.
    #[inline(never)]
    fn read(&self, words: &[u32], met: &Met<'_>, values: &mut Values) {
        let window = self.shape.window(words, met.tails[self.tail]);
        let cells = values.row(met.at);
        for (read, column) in &self.reads {
            cells[*column] = cell_of(of_fixed(read, &window, met.now, &mut None)).unwrap_or_default();
        }
    }

    /// Reads what those met who found the copies of the newest tile.
    #[inline(never)]
    fn read_alike(&self, words: &[u32], alike: &[Met<'_>], values: &mut Values) {
        let window = self.shape.window(words, alike[0].tails[self.tail]);
        if window.last.is_none() {
            // Nothing happened in it.
            return alike.iter().for_each(|met| self.read(words, met, values));
        }
        let (cells, width, copies) = values.rows_and_copies();
        for (read, column) in &self.reads {
            let moments = copies.chunks_exact(window.width()).zip(alike);
            let moments = moments.map(|(tile, met)| (tile, met.now, met.at * width + column));
            each_of_fixed(read, &window, moments, |at, value| cells[at] = cell_of(value).unwrap_or_default());
        }
    }
}

fn large(
    layout: &LargeLayout,
    reads: &mut [LargeRead],
    mut group: Option<&mut Group>,
    all: &[Met<'_>],
    values: &mut Values,
) {
    // Whether the tiles are what they were, and whether those before the newest are.
    let (mut same, mut same_closed) = (false, false);
    for met in all {
        let tiles = group.as_deref().map_or(&[][..], Group::large);
        for LargeRead { tail, read, column, found, cell, known } in &mut *reads {
            let tail = met.tails[*tail];
            let same_tail = std::mem::replace(found, tail) == tail;
            if !same_closed || !same_tail {
                known.forget();
            }
            if !same || !same_tail {
                let window = layout.window(tiles, tail);
                *cell = values.cell(|words| of_large(*read, window, words, known));
            }
            values.row(met.at)[*column] = *cell;
        }
        (same, same_closed) = (true, true);
        if layout.filters & met.touch.filters != 0
            && let Some(group) = &mut group
        {
            same = false;
            same_closed = layout.add(group.large_mut(), &met.touch);
        }
    }
}

fn pair(
    layout: &PairsLayout,
    reads: &mut RowReads,
    group: Option<&mut Group>,
    (of_item, met): (bool, &Met<'_>),
    values: &mut Values,
) {
    let key = met.touch.keys[layout.key];
    if key == NO_WORD {
        return;
    }
    let counts = layout.row.filters & met.touch.filters != 0;
    let one = std::slice::from_ref(met);
    match group {
        Some(group) if of_item && !met.knows_item => {
            if counts {
                layout.add(group.pairs_mut(), &met.touch);
            }
        }
        Some(group) if counts => {
            layout.count(group.pairs_mut(), (key, met.touch.time), |mut words, others| {
                reads.parts(&layout.row, &mut words, others, one, values);
            });
        }
        _ if of_item && !met.knows_item => {}
        group => match group.and_then(|group| group.pair_mut(key)) {
            Some((mut words, others)) => reads.parts(&layout.row, &mut words, others, one, values),
            None => reads.parts(&layout.row, &mut Vec::new(), &mut [], one, values),
        },
    }
}
