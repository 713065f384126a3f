//! The vocabularies of categorical fields and tags.

use compact_str::CompactString;
use headwater_base::value::FieldType;
use headwater_base::{Fields, Schema, Value};
use parking_lot::RwLock;

use super::{Details, NO_WORD};
use crate::Interner;

/// One field with the values it ever had, numbered in log order.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    name: CompactString,
    pub(super) words: RwLock<Interner>,
}

/// Which item fields have vocabularies, shared by all snapshots.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(super) categorical: Vec<Vocabulary>,
    pub(super) tags: Vec<Vocabulary>,
    pub(super) no_fields: Fields,
}

impl Layout {
    pub(crate) fn new(schema: &Schema) -> Self {
        let of_type = |wanted: FieldType| {
            let fields = schema.items.iter().filter(move |(_, field_type)| **field_type == wanted);
            fields.map(|(name, _)| Vocabulary { name: name.clone(), words: RwLock::default() }).collect()
        };
        Self {
            categorical: of_type(FieldType::Categorical),
            tags: of_type(FieldType::Tags),
            no_fields: Fields::default(),
        }
    }

    pub(super) fn categorical_field(&self, name: &str) -> Option<usize> {
        self.categorical.iter().position(|vocabulary| vocabulary.name == name)
    }

    pub(super) fn tags_field(&self, name: &str) -> Option<u16> {
        // An item has at most MAX_FIELDS fields, so a position fits.
        self.tags.iter().position(|vocabulary| vocabulary.name == name).map(|index| index as u16)
    }

    /// Numbers the values of `fields`: what an item has, and its word of each categorical field. A field whose type changed
    /// since it was written has no word.
    pub(super) fn details(&self, fields: Fields) -> (Option<Details>, Vec<u32>) {
        let word = |vocabulary: &Vocabulary| match fields.get(&vocabulary.name) {
            Some(Value::Categorical(value)) => vocabulary.words.write().intern(value),
            _ => NO_WORD,
        };
        let words = self.categorical.iter().map(word).collect();
        if fields.is_empty() {
            return (None, words);
        }
        let mut tags = Vec::new();
        for (index, vocabulary) in self.tags.iter().enumerate() {
            if let Some(Value::Tags(values)) = fields.get(&vocabulary.name) {
                let mut words = vocabulary.words.write();
                tags.extend(values.iter().map(|value| (index as u16, words.intern(value))));
            }
        }
        tags.sort_unstable();
        (Some(Details { fields, tags: tags.into() }), words)
    }
}
