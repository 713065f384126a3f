//! At most n shown items of one category.

use compact_str::CompactString;
use headwater_features::{Catalogue, ItemIndex};

use crate::candidate::{Candidate, NO_WORD};
use crate::moment::Moment;
use crate::stage::Hydrator;

/// At most `limit` shown items with the same word in `field`; items without the field are not bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// The stage's name: `max_per_category`.
    pub name: CompactString,
    /// The categorical item field.
    pub field: CompactString,
    /// How many items of one word.
    pub limit: u32,
}

impl Cap {
    /// On `field`.
    pub fn new(field: CompactString, limit: usize) -> Self {
        let name = compact_str::format_compact!("max_per_{field}");
        Self { name, field, limit: u32::try_from(limit).unwrap_or(u32::MAX) }
    }

    /// The word `item` has in the field.
    pub fn word(&self, catalogue: &Catalogue, item: ItemIndex) -> Option<u32> {
        catalogue.categorical(catalogue.categorical_field(&self.field)?, item)
    }
}

/// Writes the words the caps count.
#[derive(Debug)]
pub struct CapHydrator(pub Vec<Cap>);

impl Hydrator for CapHydrator {
    fn name(&self) -> &str {
        "categories"
    }

    fn hydrate(&self, moment: &Moment<'_>, candidates: &mut [Candidate]) {
        for (slot, cap) in self.0.iter().enumerate() {
            for candidate in &mut *candidates {
                candidate.words[slot] = cap.word(moment.catalogue, candidate.item).unwrap_or(NO_WORD);
            }
        }
    }
}
