//! State by string id, in shards by a stable hash of the id.
//!
//! An entity lies in a slot, which is used again when it is gone: entities may come and go without end. Written is in
//! the order of the hashes, which no history of coming and going changes.

use compact_str::CompactString;
use hashbrown::HashTable;
use headwater_base::random::stable_hash;

/// Shards of entities; part of the checkpoint, never of the machine.
pub(crate) const SHARDS: usize = 16;

/// The states of one kind of entity.
#[derive(Debug)]
pub(crate) struct Keyed<T> {
    shards: Vec<Shard<T>>,
}

#[derive(Debug)]
struct Shard<T> {
    slots: Vec<Option<Slot<T>>>,
    /// Slots that are empty.
    free: Vec<u32>,
    table: HashTable<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    id: CompactString,
    state: T,
}

/// Where a state lies, until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    pub(crate) slot: u32,
}

/// The shard of an id with this hash.
pub(crate) fn shard_of(hash: u64) -> usize {
    // The table inside the shard uses the low and the highest bits of the same hash.
    (hash >> 32) as usize % SHARDS
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        let shard = || Shard { slots: Vec::new(), free: Vec::new(), table: HashTable::new() };
        Self { shards: (0..SHARDS).map(|_| shard()).collect() }
    }
}

impl<T> Keyed<T> {
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        let hash = stable_hash(id);
        let shard = &self.shards[shard_of(hash)];
        let slot = shard.find(hash, id)?;
        shard.slots[slot as usize].as_ref().map(|slot| &slot.state)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        let hash = stable_hash(id);
        let shard = &mut self.shards[shard_of(hash)];
        let slot = shard.find(hash, id)?;
        shard.slots[slot as usize].as_mut().map(|slot| &mut slot.state)
    }

    /// The state of `id`, made by `new` where there is none.
    pub(crate) fn entry(&mut self, id: &str, new: impl FnOnce() -> T) -> &mut T {
        self.slot(id, new).1
    }

    /// Where the state of `id` lies, which is made by `new` where there is none.
    pub(crate) fn place(&mut self, id: &str, new: impl FnOnce() -> T) -> Place {
        self.slot(id, new).0
    }

    /// Where the state of `id` lies, if there is one.
    pub(crate) fn known_place(&self, id: &str) -> Option<Place> {
        let hash = stable_hash(id);
        let shard = shard_of(hash);
        let slot = self.shards[shard].find(hash, id)?;
        Some(Place { shard: shard as u32, slot })
    }

    fn slot(&mut self, id: &str, new: impl FnOnce() -> T) -> (Place, &mut T) {
        let hash = stable_hash(id);
        let number = shard_of(hash);
        let shard = &mut self.shards[number];
        let slot = shard.find(hash, id).unwrap_or_else(|| shard.place(hash));
        let state =
            &mut shard.slots[slot as usize].get_or_insert_with(|| Slot { id: id.into(), state: new() }).state;
        (Place { shard: number as u32, slot }, state)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let hash = stable_hash(id);
        let shard = &mut self.shards[shard_of(hash)];
        let slot = shard.find(hash, id)?;
        shard.take(slot, hash)
    }

    /// Removes what `keep` says no to.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        for shard in &mut self.shards {
            for slot in 0..shard.slots.len() {
                if let Some(Slot { id, state }) = &mut shard.slots[slot]
                    && !keep(state)
                {
                    let hash = stable_hash(id);
                    shard.take(slot as u32, hash);
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.table.len()).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let slots = self.shards.iter().flat_map(|shard| shard.slots.iter().flatten());
        slots.map(|slot| (slot.id.as_str(), &slot.state))
    }

    /// One shard in the order in which it is written: by hash, then by id.
    pub(crate) fn in_order(&self, shard: usize) -> impl Iterator<Item = (u64, &str, &T)> {
        let slots = self.shards[shard].slots.iter().flatten();
        let mut slots: Vec<(u64, &Slot<T>)> = slots.map(|slot| (stable_hash(&slot.id), slot)).collect();
        slots.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.id.cmp(&y.id)));
        slots.into_iter().map(|(hash, slot)| (hash, slot.id.as_str(), &slot.state))
    }

    /// How many slots a shard has, empty ones included.
    pub(crate) fn slots(&self, shard: usize) -> usize {
        self.shards[shard].slots.len()
    }

    /// What lies at a place.
    pub(crate) fn at(&self, place: Place) -> Option<(&str, &T)> {
        let slot = self.shards[place.shard as usize].slots.get(place.slot as usize)?.as_ref()?;
        Some((&slot.id, &slot.state))
    }

    /// The state that lies at a place.
    pub(crate) fn at_mut(&mut self, place: Place) -> Option<&mut T> {
        let slot = self.shards[place.shard as usize].slots.get_mut(place.slot as usize)?.as_mut()?;
        Some(&mut slot.state)
    }

    /// Removes what lies at a place.
    pub(crate) fn remove_at(&mut self, place: Place) -> Option<T> {
        let hash = stable_hash(self.at(place)?.0);
        self.shards[place.shard as usize].take(place.slot, hash)
    }

    /// Bytes of a state beside what the state itself has elsewhere, about.
    pub(crate) fn fixed_bytes(id: &str) -> usize {
        const INDEX: usize = 8;
        let id = if id.len() > size_of::<CompactString>() { id.len() } else { 0 };
        size_of::<Option<Slot<T>>>() + INDEX + id
    }
}

impl<T> Shard<T> {
    fn find(&self, hash: u64, id: &str) -> Option<u32> {
        let slots = &self.slots;
        let is_it = |slot: &u32| slots[*slot as usize].as_ref().is_some_and(|slot| slot.id == id);
        self.table.find(hash, is_it).copied()
    }

    /// An empty slot, already in the table.
    fn place(&mut self, hash: u64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        let slots = &self.slots;
        let hash_of = |slot: &u32| slots[*slot as usize].as_ref().map_or(0, |slot| stable_hash(&slot.id));
        self.table.insert_unique(hash, slot, hash_of);
        slot
    }

    fn take(&mut self, slot: u32, hash: u64) -> Option<T> {
        self.table.find_entry(hash, |other| *other == slot).ok()?.remove();
        self.free.push(slot);
        self.slots[slot as usize].take().map(|slot| slot.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_uses_the_same_slots_and_leaves_no_trace_in_the_order() {
        let mut keyed: Keyed<usize> = Keyed::default();
        for round in 0..50 {
            for number in 0..100 {
                assert_eq!(*keyed.entry(&format!("u{round}-{number}"), || number), number);
            }
            keyed.retain(|number| *number >= 90);
            for number in 90..100 {
                assert_eq!(keyed.remove(&format!("u{round}-{number}")), Some(number));
            }
            assert_eq!(keyed.remove("nobody"), None);
        }
        assert_eq!(keyed.len(), 0);
        assert!((0..SHARDS).map(|shard| keyed.slots(shard)).sum::<usize>() <= 250);

        let mut other: Keyed<usize> = Keyed::default();
        for number in 0..300 {
            *keyed.entry(&format!("x{number}"), || 0) = number;
            other.entry(&format!("x{}", 299 - number), || 299 - number);
        }
        let written = |keyed: &Keyed<usize>| -> Vec<(String, usize)> {
            let all = (0..SHARDS).flat_map(|shard| keyed.in_order(shard).collect::<Vec<_>>());
            all.map(|(_, id, number)| (id.to_owned(), *number)).collect()
        };
        assert_eq!(written(&keyed), written(&other));
        assert_eq!(written(&keyed).len(), 300);
        assert_eq!((keyed.get("x7"), keyed.get("y")), (Some(&7), None));
    }
}
