//! Interning: string ids to dense numbers, in order of appearance.

use hashbrown::HashTable;
use headwater_base::random::stable_hash;

/// Ids by number and numbers by id; each id is stored once.
#[derive(Clone, Debug)]
pub struct Vocabulary<Id> {
    ids: Vec<Id>,
    numbers: HashTable<u32>,
}

impl<Id> Default for Vocabulary<Id> {
    fn default() -> Self {
        Self { ids: Vec::new(), numbers: HashTable::new() }
    }
}

impl<Id: AsRef<str> + Clone> Vocabulary<Id> {
    /// The number of `id`, a new one where it was not seen before.
    pub fn intern(&mut self, id: &Id) -> u32 {
        let hash = stable_hash(id.as_ref());
        let ids = &self.ids;
        if let Some(&number) = self.numbers.find(hash, |&number| ids[number as usize].as_ref() == id.as_ref())
        {
            return number;
        }
        let number = u32::try_from(ids.len()).expect("fewer than 2^32 ids fit in memory");
        self.numbers.insert_unique(hash, number, |&number| stable_hash(ids[number as usize].as_ref()));
        self.ids.push(id.clone());
        number
    }

    /// The number of `id`.
    pub fn number(&self, id: &str) -> Option<u32> {
        self.numbers.find(stable_hash(id), |&number| self.ids[number as usize].as_ref() == id).copied()
    }

    /// The id with this number.
    ///
    /// # Panics
    /// Where no id has this number.
    pub fn id(&self, number: u32) -> &Id {
        &self.ids[number as usize]
    }

    /// Every id, by number.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}
