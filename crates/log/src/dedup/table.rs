//! Hashes of ids in memory.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashSet;

use super::IdHash;

/// A set of hashes; 17 bytes of memory for each slot.
#[derive(Default)]
pub(crate) struct Table(HashSet<IdHash, BuildHasherDefault<Already>>);

impl Table {
    pub(crate) fn contains(&self, hash: IdHash) -> bool {
        self.0.contains(&hash)
    }

    pub(crate) fn insert(&mut self, hash: IdHash) {
        self.0.insert(hash);
    }

    /// The hashes in ascending order.
    pub(crate) fn sorted(&self) -> Vec<IdHash> {
        let mut hashes: Vec<IdHash> = self.0.iter().copied().collect();
        hashes.sort_unstable();
        hashes
    }
}

/// What is hashed already is not hashed again.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
