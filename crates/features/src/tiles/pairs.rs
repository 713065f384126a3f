//! Rows below a row: the second part of a pair, such as the categories of a user.
//!
//! They lie with the row of the first part, all of them in one vector: a request reads the user's row once and finds the
//! categories of all candidates in it. A row keeps at most [`MAX_PAIRS`]; beyond that the one whose latest interaction is
//! oldest makes room.
//!
//! The vector begins with how many pairs there are and for how many there is room; then come their keys, sorted, each with
//! where its block begins, and then the blocks: `[room, stamp, stamp, words...]`. A block that needs more room moves to the
//! end, and when the end is reached, all are written anew.

use std::io::{Read, Write};

use headwater_models::prefetch::prefetch;

use super::segments::{self, Room};
use super::{Group, LINE, NO_WORD, Row, RowLayout, RowView, Touch, add, begin_others, merged};
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

/// The second parts of one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pairs {
    words: Vec<u32>,
    /// The other groups of each, where they have any.
    others: Option<Box<Others>>,
}

/// By place of the key.
#[derive(Clone, Debug, Default, PartialEq)]
struct Others(Vec<Box<[Group]>>);

/// Words before the keys.
const FRONT: usize = 2;
/// Words before those of a block's row.
const HEAD: usize = 3;

/// The words of one pair's row.
pub(crate) struct Block<'a> {
    words: &'a mut Vec<u32>,
    /// Place of its key.
    place: usize,
    /// Where it begins.
    at: usize,
    length: usize,
}

impl Pairs {
    fn count(&self) -> usize {
        self.words.first().map_or(0, |count| *count as usize)
    }

    /// Keys, and where the blocks begin.
    #[inline]
    fn index(&self) -> &[[u32; 2]] {
        index(&self.words)
    }

    #[inline]
    fn find(&self, key: u32) -> Result<usize, usize> {
        self.index().binary_search_by_key(&key, |[key, _]| *key)
    }

    /// The row with this key.
    #[inline]
    pub(crate) fn view(&self, key: u32) -> Option<RowView<'_>> {
        self.find(key).ok().map(|place| self.view_at(place))
    }

    fn view_at(&self, place: usize) -> RowView<'_> {
        let at = self.index()[place][1] as usize + HEAD;
        let others = self.others.as_ref().and_then(|others| others.0.get(place));
        let words = &self.words[at..at + self.words[at - HEAD] as usize];
        RowView { words: &words[..segments::end(words)], others: others.map_or(&[], |others| others) }
    }

    /// The row with this key, for counting in it.
    #[inline]
    pub(crate) fn find_mut(&mut self, key: u32) -> Option<(Block<'_>, &mut [Group])> {
        self.find(key).ok().map(|place| self.at_mut(place))
    }

    #[inline]
    fn at_mut(&mut self, place: usize) -> (Block<'_>, &mut [Group]) {
        let at = self.index()[place][1] as usize;
        let room = self.words[at] as usize;
        let length = segments::end(&self.words[at + HEAD..at + HEAD + room]);
        let others = self.others.as_mut().and_then(|others| others.0.get_mut(place));
        (Block { words: &mut self.words, place, at, length }, others.map_or(&mut [], |others| others))
    }

    fn stamp(&self, place: usize) -> i64 {
        let at = self.index()[place][1] as usize;
        get_stamp(&self.words[at..])
    }

    fn insert(&mut self, place: usize, key: u32, layout: &RowLayout) {
        let count = self.count();
        let room = layout.fixed_words();
        let slots = self.words.get(1).map_or(0, |slots| *slots as usize);
        if count == slots || self.words.capacity() - self.words.len() < HEAD + room {
            // Most entities have few, and there are many of them: by a quarter, not by doubling.
            let slots = count + 2.max(count / 4);
            rewrite(&mut self.words, slots, (slots - count) * (HEAD + room), None);
        }
        let at = self.words.len();
        self.words.push(room as u32);
        self.words.extend(stamp_words(i64::MIN));
        self.words.resize(at + HEAD + room, 0);
        segments::begin(&mut self.words[at + HEAD..], layout.fixed);
        let (from, to) = (FRONT + 2 * place, FRONT + 2 * count);
        self.words.copy_within(from..to, from + 2);
        self.words[from..from + 2].copy_from_slice(&[key, at as u32]);
        self.words[0] += 1;
        if layout.groups.len() > layout.fixed {
            self.others.get_or_insert_default().0.insert(place, begin_others(layout));
        }
    }

    fn remove(&mut self, place: usize) {
        let (from, to) = (FRONT + 2 * place, FRONT + 2 * self.count());
        self.words.copy_within(from + 2..to, from);
        self.words[0] -= 1;
        if let Some(others) = &mut self.others {
            others.0.remove(place);
        }
    }

    /// Asks for the keys.
    #[inline]
    pub(crate) fn prefetch_keys(&self) {
        let keys = self.index().as_flattened();
        keys.chunks(LINE / 4).for_each(|line| prefetch(&line[0]));
    }

    /// Asks for the row with this key.
    #[inline]
    pub(crate) fn prefetch(&self, key: u32) {
        if let Ok(place) = self.find(key) {
            let at = self.index()[place][1] as usize;
            self.words[at..].chunks(LINE / 4).take(2).for_each(|line| prefetch(&line[0]));
        }
    }

    /// Bytes it holds, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let of_one =
            |groups: &[Group]| size_of_val(groups) + groups.iter().map(Group::heap_bytes).sum::<usize>();
        let others = self.others.iter().flat_map(|others| &others.0).map(|groups| of_one(groups));
        4 * self.words.capacity() + others.sum::<usize>()
    }
}

#[inline]
fn index(words: &[u32]) -> &[[u32; 2]] {
    let count = words.first().map_or(0, |count| *count as usize);
    words.get(FRONT..FRONT + 2 * count).map_or(&[], |index| index.as_chunks().0)
}

/// Writes the blocks anew, one after the other, with room for so many keys and for `more` words; one of them, which is told,
/// gets another room.
fn rewrite(words: &mut Vec<u32>, slots: usize, more: usize, roomier: Option<(usize, usize)>) {
    let count = index(words).len();
    let room_of = |place: usize, at: u32| match roomier {
        Some((one, room)) if one == place => room,
        _ => words[at as usize] as usize,
    };
    let blocks =
        || index(words).iter().enumerate().map(|(place, [key, at])| (*key, *at, room_of(place, *at)));
    let used: usize = blocks().map(|(_, _, room)| HEAD + room).sum();
    let mut new = Vec::with_capacity(FRONT + 2 * slots + used + more);
    new.extend([count as u32, slots as u32]);
    new.resize(FRONT + 2 * slots, 0);
    for (place, (key, at, room)) in blocks().enumerate() {
        let start = new.len();
        new[FRONT + 2 * place..][..2].copy_from_slice(&[key, start as u32]);
        let old = &words[at as usize..];
        let kept = HEAD + (old[0] as usize).min(room);
        new.extend_from_slice(&old[..kept]);
        new[start] = room as u32;
        new.resize(start + HEAD + room, 0);
    }
    *words = new;
}

fn stamp_words(stamp: i64) -> [u32; 2] {
    [stamp as u32, (stamp >> 32) as u32]
}

fn get_stamp(block: &[u32]) -> i64 {
    i64::from(block[2] as i32) << 32 | i64::from(block[1])
}

impl Block<'_> {
    fn stamp_at_least(&mut self, stamp: i64) {
        let block = &mut self.words[self.at..];
        let stamp = stamp.max(get_stamp(block));
        block[1..HEAD].copy_from_slice(&stamp_words(stamp));
    }

    fn make_room(&mut self, room: usize) {
        let end = self.words.len();
        let words = &mut *self.words;
        if words.capacity() - end >= HEAD + room {
            words.extend_from_within(self.at..self.at + HEAD + self.length);
            words.resize(end + HEAD + room, 0);
            words[end] = room as u32;
            words[FRONT + 2 * self.place + 1] = end as u32;
            self.at = end;
        } else {
            rewrite(words, words[1] as usize, end / 8, Some((self.place, room)));
            self.at = words[FRONT + 2 * self.place + 1] as usize;
        }
    }
}

impl Room for Block<'_> {
    #[inline]
    fn words(&self) -> &[u32] {
        &self.words[self.at + HEAD..][..self.length]
    }

    #[inline]
    fn words_mut(&mut self) -> &mut [u32] {
        &mut self.words[self.at + HEAD..][..self.length]
    }

    fn lengthen(&mut self, more: usize) {
        let length = self.length + more;
        if length > self.words[self.at] as usize {
            self.make_room(segments::grown(self.length, more));
        }
        self.length = length;
    }

    fn shorten(&mut self, less: usize) {
        self.length -= less;
    }
}

impl PairsLayout {
    pub(crate) fn add(&self, pairs: &mut Pairs, touch: &Touch<'_>) {
        let key = touch.keys[self.key];
        if key != NO_WORD {
            self.count(pairs, (key, touch.time), |mut words, others| {
                add(&self.row, &mut words, others, touch);
            });
        }
    }

    /// Lets `count` count an interaction of this time in the row with this key, which comes into being if it was not there.
    #[inline]
    pub(crate) fn count(
        &self,
        pairs: &mut Pairs,
        (key, time): (u32, i64),
        count: impl FnOnce(Block<'_>, &mut [Group]),
    ) {
        let place = pairs.find(key).unwrap_or_else(|place| {
            pairs.insert(place, key, &self.row);
            place
        });
        let (mut block, others) = pairs.at_mut(place);
        block.stamp_at_least(time);
        count(block, others);
        self.make_room(pairs);
    }

    pub(crate) fn merge(&self, mine: &mut Pairs, mut theirs: Pairs) {
        for other in 0..theirs.count() {
            let ([key, _], stamp) = (theirs.index()[other], theirs.stamp(other));
            let (block, their_others) = theirs.at_mut(other);
            let place = mine.find(key).unwrap_or_else(|place| {
                mine.insert(place, key, &self.row);
                place
            });
            let (mut own, own_others) = mine.at_mut(place);
            own.stamp_at_least(stamp);
            let words = merged(&self.row, (own.words(), own_others), (block.words(), their_others));
            own.set(&words);
        }
        self.make_room(mine);
    }

    #[expect(clippy::unused_self, reason = "the bound belongs to the layout")]
    #[inline]
    fn make_room(&self, pairs: &mut Pairs) {
        while pairs.count() > MAX_PAIRS {
            let stamps = (0..pairs.count()).map(|place| (pairs.stamp(place), pairs.index()[place][0], place));
            if let Some((_, _, oldest)) = stamps.min() {
                pairs.remove(oldest);
            }
        }
    }
}

impl Block<'_> {
    /// Replaces the words.
    fn set(&mut self, words: &[u32]) {
        self.length = self.length.min(words.len());
        self.lengthen(words.len() - self.length);
        self.words_mut().copy_from_slice(words);
    }
}

pub(crate) fn write<W: Write>(pairs: &Pairs, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
    writer.length(pairs.count())?;
    for (place, [key, _]) in pairs.index().iter().enumerate() {
        writer.u32(*key)?;
        pairs.view_at(place).write(pairs.stamp(place), writer)?;
    }
    Ok(())
}

pub(crate) fn read<R: Read>(layout: &PairsLayout, reader: &mut Reader<R>) -> Result<Pairs, FeaturesError> {
    let length = reader.length()?;
    if length > MAX_PAIRS {
        return Err(damaged(format_args!("{length} pairs in one row")));
    }
    let mut pairs = Pairs::default();
    for place in 0..length {
        let key = reader.u32()?;
        if pairs.index().last().is_some_and(|[last, _]| *last >= key) {
            return Err(damaged("pairs that are not in order"));
        }
        let Row { stamp, words, others } = Row::read(&layout.row, reader)?;
        pairs.insert(place, key, &layout.row);
        let (mut block, own_others) = pairs.at_mut(place);
        block.stamp_at_least(stamp);
        if !words.is_empty() {
            block.set(&words);
        }
        for (own, read) in own_others.iter_mut().zip(others.into_iter().flatten()) {
            *own = read;
        }
    }
    Ok(pairs)
}
