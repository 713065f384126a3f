//! Nearest neighbours of a session: what came next in the recent sessions most like this one.
//!
//! The algorithm is VMIS-kNN (Kersbergen, Sprangers and Schelter, "Serenade", SIGMOD 2022), with the position and
//! recency weights of STAN (Garg et al., SIGIR 2019), over an index that the stream keeps current: an event is in it as
//! soon as it is folded. The index is a ring of the last [`SessionOptions::kept`] sessions and, by item, the sessions that
//! hold it, so its memory is bounded whatever the traffic. How a query is answered is in `nearest.rs`.
//!
//! A session is a run of events of one actor without a [`SessionOptions::gap`] and with at most
//! [`SessionOptions::items`] distinct items. It keeps each item once, at its last place.

mod best;
mod fade;
mod nearest;
mod options;
mod scratch;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use hashbrown::HashMap;
use headwater_base::Timestamp;

use crate::Row;
use nearest::Weights;
pub use options::SessionOptions;

/// Whose a session is: a hash of the actor's id.
pub type Owner = u64;

/// The sessions kept, ready to be asked for those like another.
#[derive(Clone, Debug)]
pub struct SessionNeighbours {
    options: SessionOptions,
    weights: Weights,
    newest: Timestamp,
    /// Slots are used round and round; this one holds the session that began first.
    oldest: u32,
    count: u32,
    owners: Vec<Owner>,
    ended: Vec<Timestamp>,
    lengths: Vec<u8>,
    /// [`SessionOptions::items`] rows for each slot, of which the first so many are its session's, in order.
    items: Vec<Row>,
    latest: HashMap<Owner, Latest>,
    /// By row, the slots of the sessions that hold it, in the order in which these began.
    holders: Vec<VecDeque<u32>>,
    /// By row, what its scores are multiplied with.
    damping: Vec<f32>,
}

/// The sessions of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Latest {
    slot: u32,
    sessions: u32,
}

/// One session as it is saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept<'a> {
    /// Whose it is.
    pub owner: Owner,
    /// When its last event happened.
    pub ended: Timestamp,
    /// Its items in order; none where it was forgotten.
    pub items: &'a [Row],
}

/// What marks the slot of a session that was forgotten.
const NOBODY: Kept<'static> = Kept { owner: 0, ended: Timestamp::EPOCH, items: &[] };

impl SessionNeighbours {
    /// Nothing seen yet.
    pub fn new(options: &SessionOptions) -> Self {
        let options = SessionOptions {
            kept: options.kept.min(u32::MAX as usize / 2),
            items: options.items.clamp(1, 64),
            ..*options
        };
        Self {
            weights: Weights::new(&options),
            options,
            newest: Timestamp::EPOCH,
            oldest: 0,
            count: 0,
            owners: Vec::new(),
            ended: Vec::new(),
            lengths: Vec::new(),
            items: Vec::new(),
            latest: HashMap::new(),
            holders: Vec::new(),
            damping: Vec::new(),
        }
    }

    /// Rebuilds what [`Self::newest`] and [`Self::sessions`] gave; `None` where a session has too many items or one of
    /// them twice, or where there are too many sessions.
    pub fn from_parts<'a>(
        options: &SessionOptions,
        newest: Timestamp,
        sessions: impl IntoIterator<Item = Kept<'a>>,
    ) -> Option<Self> {
        let mut model = Self::new(options);
        model.newest = newest;
        for session in sessions {
            if model.count as usize >= model.options.kept || session.items.len() > model.options.items {
                return None;
            }
            let slot = model.push(session.owner, session.ended);
            for row in session.items {
                if model.items_of(slot).contains(row) {
                    return None;
                }
                model.append(slot, *row);
            }
            if !session.items.is_empty() {
                model.own(session.owner, slot);
            }
        }
        Some(model)
    }

    /// The time of the newest event.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }

    /// The sessions kept, in the order in which they began.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = Kept<'_>> {
        (0..self.count as usize).map(|age| self.kept(self.slot_at(age as u32)))
    }

    /// Bytes it holds, about.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.owners.capacity() * (size_of::<Owner>() + size_of::<Timestamp>() + 1);
        let holders = self.holders.iter().map(|holders| 4 * holders.capacity()).sum::<usize>();
        slots
            + 4 * (self.items.capacity() + self.damping.capacity())
            + self.holders.capacity() * size_of::<VecDeque<u32>>()
            + holders
            + self.latest.capacity() * size_of::<(Owner, Latest)>()
    }

    /// Folds an event of `owner`: the next of the session under way, or the first of a new one.
    pub fn observe(&mut self, owner: Owner, row: Row, time: Timestamp) {
        if self.options.kept == 0 {
            return;
        }
        self.newest = self.newest.max(time);
        let slot = self.under_way(owner, row, time).unwrap_or_else(|| {
            self.make_room();
            let slot = self.push(owner, time);
            self.own(owner, slot);
            slot
        });
        let ended = &mut self.ended[slot as usize];
        *ended = time.max(*ended);
        match self.items_of(slot).iter().position(|item| *item == row) {
            Some(place) => self.items_of_mut(slot)[place..].rotate_left(1),
            None => self.append(slot, row),
        }
    }

    /// Forgets all sessions of these owners.
    pub fn forget(&mut self, owners: &[Owner]) {
        for owner in owners {
            let Some(latest) = self.latest.remove(owner) else { continue };
            for slot in self.slots_of(*owner, latest.sessions) {
                self.clear(slot);
                self.owners[slot as usize] = NOBODY.owner;
                self.ended[slot as usize] = NOBODY.ended;
            }
        }
    }

    /// Makes all sessions of one owner another's.
    pub fn merge(&mut self, from: Owner, into: Owner) {
        if from == into {
            return;
        }
        let Some(moved) = self.latest.remove(&from) else { return };
        for slot in self.slots_of(from, moved.sessions) {
            self.owners[slot as usize] = into;
        }
        let oldest = self.oldest;
        let age = |slot: u32| age(slot, oldest, self.options.kept);
        let theirs = self.latest.entry(into).or_insert(Latest { slot: moved.slot, sessions: 0 });
        theirs.sessions += moved.sessions;
        if age(moved.slot) > age(theirs.slot) {
            theirs.slot = moved.slot;
        }
    }

    /// The slot of the session that an event of `owner` belongs to, if it is no new one.
    fn under_way(&self, owner: Owner, row: Row, time: Timestamp) -> Option<u32> {
        let slot = self.latest.get(&owner)?.slot;
        let pause = time.seconds_since(self.ended[slot as usize]).abs();
        let items = self.items_of(slot);
        let fits = items.len() < self.options.items || items.contains(&row);
        (pause <= self.options.gap.as_secs_f64() && fits).then_some(slot)
    }

    /// Drops what is over the window, and one more where every slot is taken.
    fn make_room(&mut self) {
        let window = self.options.window.as_secs_f64();
        while self.count > 0 {
            let full = self.count as usize == self.options.kept;
            let ended = self.ended[self.oldest as usize];
            if !full && self.newest.seconds_since(ended) <= window {
                return;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let slot = self.oldest;
        let owner = self.owners[slot as usize];
        if !self.items_of(slot).is_empty()
            && let Some(latest) = self.latest.get_mut(&owner)
        {
            latest.sessions -= 1;
            if latest.sessions == 0 {
                self.latest.remove(&owner);
            }
        }
        self.clear(slot);
        self.oldest = self.slot_at(1);
        self.count -= 1;
    }

    /// A new session, without items and not yet its owner's latest.
    fn push(&mut self, owner: Owner, time: Timestamp) -> u32 {
        let slot = self.slot_at(self.count);
        self.count += 1;
        if slot as usize == self.owners.len() {
            self.owners.push(owner);
            self.ended.push(time);
            self.lengths.push(0);
            self.items.extend(std::iter::repeat_n(0, self.options.items));
        } else {
            self.owners[slot as usize] = owner;
            self.ended[slot as usize] = time;
        }
        slot
    }

    fn own(&mut self, owner: Owner, slot: u32) {
        let latest = self.latest.entry(owner).or_insert(Latest { slot, sessions: 0 });
        *latest = Latest { slot, sessions: latest.sessions + 1 };
    }

    /// Adds a row that the session does not hold.
    fn append(&mut self, slot: u32, row: Row) {
        let length = usize::from(self.lengths[slot as usize]);
        self.items[slot as usize * self.options.items + length] = row;
        self.lengths[slot as usize] += 1;
        if self.holders.len() <= row as usize {
            self.holders.resize_with(row as usize + 1, VecDeque::new);
            self.damping.resize(row as usize + 1, 0.0);
        }
        let place = self.place_among_holders(row, slot);
        self.holders[row as usize].insert(place, slot);
        self.damp(row);
    }

    /// Takes the items out of a session.
    fn clear(&mut self, slot: u32) {
        for place in 0..usize::from(self.lengths[slot as usize]) {
            let row = self.items[slot as usize * self.options.items + place];
            let place = self.place_among_holders(row, slot);
            let holders = &mut self.holders[row as usize];
            holders.remove(place);
            if holders.capacity() > 4 * holders.len().max(4) {
                holders.shrink_to(2 * holders.len());
            }
            self.damp(row);
        }
        self.lengths[slot as usize] = 0;
    }

    fn place_among_holders(&self, row: Row, slot: u32) -> usize {
        let age = |slot: u32| age(slot, self.oldest, self.options.kept);
        let wanted = age(slot);
        self.holders[row as usize].partition_point(|holder| age(*holder) < wanted)
    }

    fn damp(&mut self, row: Row) {
        self.damping[row as usize] = self.weights.of_item(self.holders[row as usize].len());
    }

    /// The slots of an owner's sessions, given how many there are; the latest first.
    fn slots_of(&self, owner: Owner, sessions: u32) -> Vec<u32> {
        let slots = (0..self.count).rev().map(|age| self.slot_at(age));
        let own =
            slots.filter(|slot| self.owners[*slot as usize] == owner && self.lengths[*slot as usize] > 0);
        own.take(sessions as usize).collect()
    }

    fn kept(&self, slot: u32) -> Kept<'_> {
        Kept {
            owner: self.owners[slot as usize],
            ended: self.ended[slot as usize],
            items: self.items_of(slot),
        }
    }

    fn items_of(&self, slot: u32) -> &[Row] {
        let start = slot as usize * self.options.items;
        &self.items[start..start + usize::from(self.lengths[slot as usize])]
    }

    fn items_of_mut(&mut self, slot: u32) -> &mut [Row] {
        let start = slot as usize * self.options.items;
        &mut self.items[start..start + usize::from(self.lengths[slot as usize])]
    }

    /// The slot of the session that began after this many others.
    fn slot_at(&self, age: u32) -> u32 {
        let slot = self.oldest + age;
        let kept = self.options.kept as u32;
        if slot >= kept { slot - kept } else { slot }
    }
}

/// How many sessions began before the one in `slot`.
fn age(slot: u32, oldest: u32, kept: usize) -> u32 {
    if slot >= oldest { slot - oldest } else { slot + kept as u32 - oldest }
}
