//! Strings as dense numbers, in the order in which they first came.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// Maps strings to dense numbers and back. All text lies in one arena; a string costs its bytes and about 10 more.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    arena: String,
    /// End of each string in the arena; it starts where the one before ends.
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Interner {
    /// The number of `text`, given now if it has none.
    ///
    /// # Panics
    /// When the arena outgrows 4 GiB, which takes more ids than fit into the memory of the views.
    pub fn intern(&mut self, text: &str) -> u32 {
        let hash = xxh3_64(text.as_bytes());
        if let Some(index) = self.find(hash, text) {
            return index;
        }
        self.arena.push_str(text);
        let end = u32::try_from(self.arena.len()).expect("fewer than 4 GiB of ids");
        let index = self.ends.len() as u32;
        self.ends.push(end);
        let (arena, ends) = (&self.arena, &self.ends);
        self.table.insert_unique(hash, index, |index| xxh3_64(slice(arena, ends, *index).as_bytes()));
        index
    }

    /// The number of `text`, if it has one.
    pub fn get(&self, text: &str) -> Option<u32> {
        self.find(xxh3_64(text.as_bytes()), text)
    }

    /// The string with this number; `None` for a number never given.
    pub fn text(&self, index: u32) -> Option<&str> {
        ((index as usize) < self.ends.len()).then(|| slice(&self.arena, &self.ends, index))
    }

    /// How many numbers were given.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn find(&self, hash: u64, text: &str) -> Option<u32> {
        self.table.find(hash, |index| slice(&self.arena, &self.ends, *index) == text).copied()
    }
}

fn range(ends: &[u32], index: u32) -> std::ops::Range<usize> {
    let start = if index == 0 { 0 } else { ends[index as usize - 1] };
    start as usize..ends[index as usize] as usize
}

fn slice<'a>(arena: &'a str, ends: &[u32], index: u32) -> &'a str {
    &arena[range(ends, index)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_order_of_first_mention() {
        let mut interner = Interner::default();
        let numbers: Vec<u32> = ["b", "a", "b", "c", ""].map(|text| interner.intern(text)).into();
        assert_eq!(numbers, [0, 1, 0, 2, 3]);
        assert_eq!(interner.get("c"), Some(2));
        assert_eq!(interner.get("d"), None);
        assert_eq!(interner.text(1), Some("a"));
        assert_eq!(interner.text(3), Some(""));
        assert_eq!(interner.text(4), None);
    }
}
