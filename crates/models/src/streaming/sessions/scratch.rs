//! The memory that one request works in, kept by its thread for the next.

/// Sums by key in a table that is as large as the keys of one request, so that it stays near the processor.
///
/// Open addressing with linear probing; the table is never more than half full.
#[derive(Debug, Default)]
pub(super) struct Sums<T> {
    /// Place in `entries` plus 1; 0 where the slot is free.
    slots: Vec<u32>,
    entries: Vec<(u32, T)>,
    shift: u32,
}

const FIRST_SLOTS: usize = 1 << 10;

impl<T: Copy> Sums<T> {
    /// The value of `key`, set to `new` where it had none.
    pub(super) fn entry(&mut self, key: u32, new: T) -> &mut T {
        if 2 * self.entries.len() >= self.slots.len() {
            self.grow();
        }
        let slot = self.slot(key);
        let place = self.slots[slot] as usize;
        if place == 0 {
            self.entries.push((key, new));
            self.slots[slot] = self.entries.len() as u32;
        }
        let place = if place == 0 { self.entries.len() } else { place };
        &mut self.entries[place - 1].1
    }

    /// The value of `key`, if it has one.
    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        if self.entries.is_empty() {
            return None;
        }
        let place = self.slots[self.slot(key)] as usize;
        place.checked_sub(1).map(|place| &mut self.entries[place].1)
    }

    /// What was summed, in the order in which the keys came first.
    pub(super) fn entries(&self) -> &[(u32, T)] {
        &self.entries
    }

    /// Forgets everything, keeping the memory.
    pub(super) fn clear(&mut self) {
        if self.entries.len() * 8 > self.slots.len() {
            self.slots.fill(0);
        } else {
            for place in 0..self.entries.len() {
                let slot = self.slot_of(self.entries[place].0, place as u32 + 1);
                self.slots[slot] = 0;
            }
        }
        self.entries.clear();
    }

    /// The slot of a key: where it is, or where it belongs.
    fn slot(&self, key: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.home(key);
        loop {
            let place = self.slots[slot] as usize;
            if place == 0 || self.entries[place - 1].0 == key {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The slot that holds a place; it passes slots that were freed on the way.
    fn slot_of(&self, key: u32, place: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.home(key);
        while self.slots[slot] != place {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// Fibonacci hashing (Knuth, volume 3, 6.4): the high bits of a product.
    fn home(&self, key: u32) -> usize {
        (key.wrapping_mul(0x9E37_79B9) >> self.shift) as usize
    }

    fn grow(&mut self) {
        let slots = (2 * self.slots.len()).max(FIRST_SLOTS);
        self.slots.clear();
        self.slots.resize(slots, 0);
        self.shift = u32::BITS - slots.trailing_zeros();
        for place in 0..self.entries.len() {
            let slot = self.slot(self.entries[place].0);
            self.slots[slot] = place as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_a_map(rounds in prop::collection::vec(prop::collection::vec(0..5_000u32, 0..3_000), 1..4)) {
            let mut sums = Sums::default();
            for keys in rounds {
                let mut map: HashMap<u32, u32> = HashMap::new();
                for (at, key) in keys.iter().enumerate() {
                    // Keys that collide in the high bits as well.
                    let key = key * 4096;
                    *sums.entry(key, 0) += at as u32;
                    *map.entry(key).or_default() += at as u32;
                }
                prop_assert_eq!(sums.entries().iter().copied().collect::<HashMap<_, _>>(), map.clone());
                let found = map.keys().filter_map(|key| Some((*key, *sums.get_mut(*key)?)));
                prop_assert_eq!(found.collect::<HashMap<_, _>>(), map);
                prop_assert_eq!(sums.get_mut(1), None);
                sums.clear();
                prop_assert!(sums.entries().is_empty());
            }
        }
    }
}
