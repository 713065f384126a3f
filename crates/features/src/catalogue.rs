//! The catalogue: every item with its typed fields and whether it may be recommended.
//!
//! [`Catalogue`] is an immutable snapshot. Snapshots share everything that did not change between them, so that one
//! costs little to make and nothing to hold. Items the log only ever mentions in interactions are in it too, without
//! fields and available.

mod fold;
mod vocabulary;

use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{Fields, ItemId, Timestamp};
use parking_lot::RwLock;

use crate::{Interner, ItemIndex};
pub(crate) use fold::{CatalogueFold, Upsert, patched};
pub(crate) use vocabulary::Layout;

/// Items of one shared piece.
const CHUNK: usize = 512;

/// A categorical item field, looked up once by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CategoricalField(pub(crate) usize);

/// An item field of tags, looked up once by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TagsField(u16);

/// A snapshot of all items.
#[derive(Clone, Debug)]
pub struct Catalogue {
    chunks: Vec<Arc<Chunk>>,
    length: usize,
    version: u64,
    /// Shared by all snapshots and only ever added to; numbers from [`Catalogue::len`] on are of later snapshots.
    ids: Arc<RwLock<Interner>>,
    layout: Arc<Layout>,
}

/// Items side by side.
#[derive(Clone, Debug, Default)]
struct Chunk {
    items: Vec<Item>,
    /// By item, one word for each categorical field, `NO_WORD` where it is missing: read for every candidate, so it lies
    /// where one look finds it.
    words: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Item {
    id: ItemId,
    details: Option<Arc<Details>>,
    added: Timestamp,
    available: bool,
    deleted: bool,
}

/// What an item has beyond its id.
#[derive(Debug, PartialEq)]
struct Details {
    fields: Fields,
    /// Field and word of each tag, sorted.
    tags: Box<[(u16, u32)]>,
}

const NO_WORD: u32 = u32::MAX;

impl Catalogue {
    fn new(layout: Layout) -> Self {
        Self { chunks: Vec::new(), length: 0, version: 0, ids: Arc::default(), layout: Arc::new(layout) }
    }

    /// How many items there are, deleted ones included.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Counts the changes since the beginning of the log; the same number means the same catalogue.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The id of an item.
    ///
    /// # Panics
    /// If `item` is not below [`Catalogue::len`].
    pub fn id(&self, item: ItemIndex) -> &ItemId {
        &self.item(item).id
    }

    /// The item with this id.
    pub fn index(&self, id: &str) -> Option<ItemIndex> {
        self.ids.read().get(id).filter(|index| (*index as usize) < self.length)
    }

    /// Whether an item may be recommended; false for one this snapshot does not know.
    pub fn available(&self, item: ItemIndex) -> bool {
        self.get(item).is_some_and(|item| item.available && !item.deleted)
    }

    /// Whether an item was deleted and not upserted since.
    pub fn deleted(&self, item: ItemIndex) -> bool {
        self.get(item).is_some_and(|item| item.deleted)
    }

    /// The time of the event that first named an item.
    ///
    /// # Panics
    /// If `item` is not below [`Catalogue::len`].
    pub fn added(&self, item: ItemIndex) -> Timestamp {
        self.item(item).added
    }

    /// The fields of an item; none for an unknown one.
    pub fn fields(&self, item: ItemIndex) -> &Fields {
        self.details(item).map_or(&self.layout.no_fields, |details| &details.fields)
    }

    /// The categorical field of this name.
    pub fn categorical_field(&self, name: &str) -> Option<CategoricalField> {
        self.layout.categorical_field(name).map(CategoricalField)
    }

    /// The value of a categorical field as a word of the field's vocabulary.
    pub fn categorical(&self, field: CategoricalField, item: ItemIndex) -> Option<u32> {
        let word = *self.all_words(item).get(field.0)?;
        (word != NO_WORD).then_some(word)
    }

    /// The word of a categorical value; `None` for a value no item ever had.
    pub fn word(&self, field: CategoricalField, value: &str) -> Option<u32> {
        self.layout.categorical[field.0].words.read().get(value)
    }

    /// The value of a word.
    pub fn value(&self, field: CategoricalField, word: u32) -> Option<String> {
        self.layout.categorical[field.0].words.read().text(word).map(str::to_owned)
    }

    /// The value of a word, for where it is copied at once.
    pub(crate) fn text(&self, field: CategoricalField, word: u32) -> Option<CompactString> {
        self.layout.categorical[field.0].words.read().text(word).map(CompactString::from)
    }

    /// How many different values a categorical field ever had; words are below it.
    pub fn words(&self, field: CategoricalField) -> usize {
        self.layout.categorical[field.0].words.read().len()
    }

    /// The field of tags of this name.
    pub fn tags_field(&self, name: &str) -> Option<TagsField> {
        self.layout.tags_field(name).map(TagsField)
    }

    /// The tags of an item in one field, as words, sorted by word.
    pub fn tags(&self, field: TagsField, item: ItemIndex) -> impl Iterator<Item = u32> + '_ {
        let tags = self.details(item).map_or(&[][..], |details| &details.tags);
        let start = tags.partition_point(|(other, _)| *other < field.0);
        tags[start..].iter().take_while(move |(other, _)| *other == field.0).map(|(_, word)| *word)
    }

    /// The word of a tag; `None` for one no item ever had.
    pub fn tag(&self, field: TagsField, value: &str) -> Option<u32> {
        self.layout.tags[field.0 as usize].words.read().get(value)
    }

    fn get(&self, item: ItemIndex) -> Option<&Item> {
        self.chunks.get(item as usize / CHUNK)?.items.get(item as usize % CHUNK)
    }

    fn item(&self, item: ItemIndex) -> &Item {
        &self.chunks[item as usize / CHUNK].items[item as usize % CHUNK]
    }

    fn details(&self, item: ItemIndex) -> Option<&Details> {
        self.get(item)?.details.as_deref()
    }

    /// The words of all categorical fields of an item, `NO_WORD` where it has none; empty for an unknown item.
    #[inline]
    pub(crate) fn all_words(&self, item: ItemIndex) -> &[u32] {
        let width = self.layout.categorical.len();
        let at = item as usize % CHUNK * width;
        self.chunks
            .get(item as usize / CHUNK)
            .and_then(|chunk| chunk.words.get(at..at + width))
            .unwrap_or_default()
    }
}
