//! Interactions that were taken and not worked off yet.

use headwater_log::Offset;
use headwater_models::prefetch::prefetch;

use crate::ItemIndex;
use crate::declared::hop::Tiles;
use crate::profiles::keyed::Place;
use crate::profiles::places::ActorPlace;
use crate::tiles::Touch;

/// How many may be taken: few enough for what is kept of them to stay near.
pub(super) const AT_ONCE: usize = 1 << TAKEN_BITS;
const TAKEN_BITS: u32 = 14;

/// One interaction as a row meets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met<'t> {
    /// Which of the taken it is.
    pub(super) at: usize,
    pub(super) now: i64,
    pub(super) stamp: i64,
    pub(super) knows_item: bool,
    /// By tail of the plan, its tile.
    pub(super) tails: &'t [u32],
    /// Whether they are those of the one before it at the row.
    pub(super) same_tails: bool,
    pub(super) touch: Touch<'t>,
}

impl Met<'_> {
    /// What it is to a row in which it is not counted.
    pub(super) fn uncounted(self) -> Self {
        Self { touch: Touch { filters: 0, ..self.touch }, ..self }
    }
}

/// One interaction, with what its rows need to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) offset: Offset,
    /// The latest receive time, up to its own; microseconds.
    pub(super) stamp: i64,
    /// When what it met is read; microseconds.
    pub(super) now: i64,
    pub(super) item: ItemIndex,
    /// Whether the item was known before.
    pub(super) knows_item: bool,
    pub(super) actor: ActorPlace,
    /// Whether there is a session, and where its row is, if it has one.
    pub(super) session: Option<Option<Place>>,
}

/// All of them, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct AllTaken {
    each: Vec<(Taken, StoredTouch)>,
    /// As many attributes, and as many keys and tails, for each: `widths`.
    attributes: Vec<u64>,
    words: Vec<u32>,
    widths: Widths,
}

#[derive(Clone, Copy, Debug, Default)]
struct Widths {
    attributes: usize,
    keys: usize,
    tails: usize,
}

/// A [`Touch`] without its attributes and keys.
#[derive(Clone, Copy, Debug)]
struct StoredTouch {
    time: i64,
    tiles: Tiles,
    value: Option<f32>,
    filters: u64,
}

impl AllTaken {
    pub(super) fn push(&mut self, taken: Taken, touch: &Touch<'_>, tails: impl Iterator<Item = u32>) {
        let Touch { time, tiles, value, filters, attributes, keys } = *touch;
        self.each.push((taken, StoredTouch { time, tiles, value, filters }));
        self.attributes.extend_from_slice(attributes);
        self.words.extend_from_slice(keys);
        let before = self.words.len();
        self.words.extend(tails);
        let tails = self.words.len() - before;
        self.widths = Widths { attributes: attributes.len(), keys: keys.len(), tails };
    }

    pub(super) fn clear(&mut self) {
        self.each.clear();
        self.attributes.clear();
        self.words.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.each.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Taken)> {
        self.each.iter().map(|(taken, _)| taken).enumerate()
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> &Taken {
        &self.each[at].0
    }

    /// One of them, as rows meet it.
    #[inline]
    pub(super) fn met(&self, at: usize) -> Met<'_> {
        let Widths { attributes, keys, .. } = self.widths;
        let (Taken { stamp, now, knows_item, .. }, StoredTouch { time, tiles, value, filters }) =
            self.each[at];
        let (keys, tails) = self.words(at).split_at(keys);
        let attributes = &self.attributes[at * attributes..(at + 1) * attributes];
        Met {
            at,
            now,
            stamp,
            knows_item,
            tails,
            same_tails: false,
            touch: Touch { time, tiles, value, filters, attributes, keys },
        }
    }

    /// Asks memory for one of them.
    #[inline]
    pub(super) fn prefetch(&self, at: usize) {
        let each = &self.each[at];
        prefetch(&each.0);
        prefetch(&each.1.filters);
        prefetch(self.words(at));
        self.attributes.get(at * self.widths.attributes).into_iter().for_each(prefetch);
    }

    /// The word of a key of one of them.
    #[inline]
    pub(super) fn key(&self, at: usize, key: usize) -> u32 {
        self.words(at)[key]
    }

    #[inline]
    fn words(&self, at: usize) -> &[u32] {
        let width = self.widths.keys + self.widths.tails;
        &self.words[at * width..(at + 1) * width]
    }
}

/// One of the taken at a row: in their order, all of a row follow one another in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u64);

/// Beside the shards and the slots in them.
const SESSION: u64 = 1 << 48;

impl Entry {
    fn new(row: u64, taken: usize) -> Self {
        Self(row << TAKEN_BITS | taken as u64)
    }

    pub(super) fn of_number(row: u32, taken: usize) -> Self {
        Self::new(u64::from(row), taken)
    }

    pub(super) fn of_place(place: Place, taken: usize) -> Self {
        Self::new(u64::from(place.shard) << 32 | u64::from(place.slot), taken)
    }

    pub(super) fn of_actor(place: ActorPlace, taken: usize) -> Option<Self> {
        match place {
            ActorPlace::Nobody => None,
            ActorPlace::User(place) => Some(Self::of_place(place, taken)),
            ActorPlace::Session(place) => Some(Self(Self::of_place(place, taken).0 | SESSION << TAKEN_BITS)),
        }
    }

    fn digit(self, of: u32) -> usize {
        (self.0 >> (TAKEN_BITS + of * DIGIT_BITS)) as usize & (DIGITS - 1)
    }

    fn same_row(self, other: Self) -> bool {
        self.0 >> TAKEN_BITS == other.0 >> TAKEN_BITS
    }

    pub(super) fn taken(self) -> usize {
        self.0 as usize & (AT_ONCE - 1)
    }
}

const DIGIT_BITS: u32 = 10;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Puts the entries of one table in order.
#[derive(Debug, Default)]
pub(super) struct Order {
    rows: Rows,
    other: Vec<Entry>,
}

/// The entries of the rows of one table, row by row.
#[derive(Debug, Default)]
pub(super) struct Rows {
    entries: Vec<Entry>,
    /// Where the entries of each row end.
    ends: Vec<u32>,
}

impl Rows {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The entries of one of them; none where there is no such row.
    #[inline]
    pub(super) fn of(&self, number: usize) -> &[Entry] {
        let Some(end) = self.ends.get(number) else { return &[] };
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start as usize..*end as usize]
    }

    fn find(&mut self) {
        self.ends.clear();
        let mut end = 0;
        self.ends.extend(self.entries.chunk_by(|a, b| a.same_row(*b)).map(|entries| {
            end += entries.len() as u32;
            end
        }));
    }
}

impl Order {
    /// Puts entries that are in the order of the taken in the order of their rows: digit by digit from the last, which
    /// is faster than comparing them.
    pub(super) fn by_row(&mut self, entries: impl Iterator<Item = Entry>) -> &Rows {
        let Self { rows, other } = self;
        let sorted = &mut rows.entries;
        sorted.clear();
        sorted.extend(entries);
        let (all, any) =
            sorted.iter().fold((u64::MAX, 0), |(all, any), entry| (all & entry.0, any | entry.0));
        let differing = Entry(all ^ any);
        for digit in (0..=(u64::BITS - 1 - TAKEN_BITS) / DIGIT_BITS).filter(|at| differing.digit(*at) != 0) {
            let mut places = [0_u32; DIGITS];
            sorted.iter().for_each(|entry| places[entry.digit(digit)] += 1);
            let mut end = 0;
            for place in &mut places {
                end += std::mem::replace(place, end);
            }
            other.clear();
            other.resize(sorted.len(), Entry(0));
            for entry in &*sorted {
                let place = &mut places[entry.digit(digit)];
                other[*place as usize] = *entry;
                *place += 1;
            }
            std::mem::swap(sorted, other);
        }
        rows.find();
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_by_row_and_then_as_they_were_taken() {
        let rows = [7, 0, 70_000, 3, 7, u32::MAX - 1, 0, 1_024, 7];
        let mut entries: Vec<Entry> =
            rows.iter().enumerate().map(|(at, row)| Entry::of_number(*row, at)).collect();
        for (at, shard) in [(9, 3), (10, 15), (11, 3)] {
            let place = Place { shard, slot: at };
            entries.push(Entry::of_place(place, at as usize));
            entries.extend(Entry::of_actor(ActorPlace::Session(place), at as usize));
        }
        let mut expected = entries.clone();
        expected.sort();
        let mut order = Order::default();
        let rows = order.by_row(entries.into_iter());
        assert_eq!((0..rows.len()).flat_map(|row| rows.of(row)).copied().collect::<Vec<_>>(), expected);
        let at_a_row: Vec<usize> = (0..rows.len()).map(|row| rows.of(row).len()).collect();
        assert_eq!(at_a_row, [2, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert!(rows.of(rows.len()).is_empty());
    }
}
