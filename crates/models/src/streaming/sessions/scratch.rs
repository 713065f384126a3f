//! The memory that one request works in, kept by its thread for the next.

/// Sums by key in a table that is as large as the keys of one request, so that it stays near the processor.
///
/// Open addressing with linear probing; the table is never more than half full.
#[derive(Debug, Default)]
pub(super) struct Sums<T> {
    /// A key, [`FREE`] where there is none, with its value.
    slots: Vec<(u32, T)>,
    /// The slots that hold a key, in the order in which the keys came first.
    used: Vec<u32>,
    shift: u32,
}

/// What no key is.
const FREE: u32 = u32::MAX;
const FIRST_SLOTS: usize = 1 << 10;

impl<T: Copy + Default> Sums<T> {
    /// The value of `key`, set to `new` where it had none.
    #[inline]
    pub(super) fn entry(&mut self, key: u32, new: T) -> &mut T {
        debug_assert_ne!(key, FREE);
        if 2 * self.used.len() >= self.slots.len() {
            self.grow();
        }
        let place = self.place(key);
        let slot = &mut self.slots[place];
        if slot.0 == FREE {
            *slot = (key, new);
            self.used.push(place as u32);
        }
        &mut slot.1
    }

    /// The value of `key`, if it has one.
    #[inline]
    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        if self.slots.is_empty() {
            return None;
        }
        let place = self.place(key);
        let (held, value) = &mut self.slots[place];
        (*held != FREE).then_some(value)
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    /// What was summed, in the order in which the keys came first.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, T)> {
        self.used.iter().map(|place| self.slots[*place as usize])
    }

    /// Forgets everything, keeping the memory.
    pub(super) fn clear(&mut self) {
        for place in self.used.drain(..) {
            self.slots[place as usize].0 = FREE;
        }
    }

    /// Where a key is, or where it belongs.
    #[inline]
    fn place(&self, key: u32) -> usize {
        let mask = self.slots.len() - 1;
        // Fibonacci hashing (Knuth, volume 3, 6.4): the high bits of a product.
        let mut place = (key.wrapping_mul(0x9E37_79B9) >> self.shift) as usize;
        loop {
            let held = self.slots[place].0;
            if held == key || held == FREE {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let entries: Vec<(u32, T)> = self.entries().collect();
        let slots = (2 * self.slots.len()).max(FIRST_SLOTS);
        self.shift = u32::BITS - slots.trailing_zeros();
        self.slots.clear();
        self.slots.resize(slots, (FREE, T::default()));
        self.used.clear();
        self.used.reserve(slots / 2);
        for (key, value) in entries {
            let place = self.place(key);
            self.slots[place] = (key, value);
            self.used.push(place as u32);
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
                prop_assert_eq!(sums.entries().collect::<HashMap<_, _>>(), map.clone());
                let found = map.keys().filter_map(|key| Some((*key, *sums.get_mut(*key)?)));
                prop_assert_eq!(found.collect::<HashMap<_, _>>(), map);
                prop_assert_eq!(sums.get_mut(1), None);
                sums.clear();
                prop_assert_eq!(sums.len(), 0);
            }
        }
    }
}
