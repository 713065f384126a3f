//! The catalogue being folded: the next snapshot.

use std::io::{Read, Write};
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{Fields, ItemId, Timestamp};

use super::{CHUNK, Catalogue, Item, Layout, NO_WORD};
use crate::bytes::{Reader, Writer, damaged};
use crate::view::{Keying, View};
use crate::{FeaturesError, ItemIndex};

/// Moves the catalogue forward and hands out snapshots.
#[derive(Debug)]
pub(crate) struct CatalogueFold {
    next: Catalogue,
    published: u64,
}

/// An upsert as the log has it.
pub(crate) struct Upsert<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) removed: &'a [CompactString],
    pub(crate) available: Option<bool>,
    pub(crate) patch: bool,
}

impl CatalogueFold {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { next: Catalogue::new(layout), published: 0 }
    }

    /// The catalogue as it stands, not yet published.
    pub(crate) fn current(&self) -> &Catalogue {
        &self.next
    }

    /// A snapshot, if anything changed since the last one.
    pub(crate) fn publish(&mut self) -> Option<Arc<Catalogue>> {
        (self.published != self.next.version).then(|| self.snapshot())
    }

    /// A snapshot as it stands.
    pub(crate) fn snapshot(&mut self) -> Arc<Catalogue> {
        self.published = self.next.version;
        Arc::new(self.next.clone())
    }

    /// The number of an item, which comes into being if it was never heard of.
    pub(crate) fn mention(&mut self, id: &ItemId, time: Timestamp) -> ItemIndex {
        let known = self.next.ids.read().get(id.as_str());
        known.unwrap_or_else(|| self.add(id, time))
    }

    pub(crate) fn upsert(&mut self, id: &ItemId, time: Timestamp, upsert: &Upsert<'_>) -> ItemIndex {
        let index = self.mention(id, time);
        let before = self.next.item(index);
        // A deleted item that comes back is a new one.
        let keeps = upsert.patch && !before.deleted;
        let available = upsert.available.unwrap_or(!keeps || before.available);
        let fields = patched(keeps.then(|| self.next.fields(index)), upsert);
        let (details, words) = self.next.layout.details(fields);
        let item = self.item_mut(index, &words);
        item.details = details.map(Arc::new);
        item.available = available;
        item.deleted = false;
        index
    }

    /// Marks an item deleted; one never heard of stays so.
    pub(crate) fn delete(&mut self, id: &ItemId) {
        let known = self.next.ids.read().get(id.as_str());
        if let Some(index) = known {
            let nothing = vec![NO_WORD; self.next.layout.categorical.len()];
            let item = self.item_mut(index, &nothing);
            item.deleted = true;
            item.available = false;
            item.details = None;
        }
    }

    fn add(&mut self, id: &ItemId, time: Timestamp) -> ItemIndex {
        let index = self.next.ids.write().intern(id.as_str());
        let item = Item { id: id.clone(), details: None, added: time, available: true, deleted: false };
        self.push(item, std::iter::repeat_n(NO_WORD, self.next.layout.categorical.len()));
        self.next.version += 1;
        index
    }

    fn push(&mut self, item: Item, words: impl IntoIterator<Item = u32>) {
        if self.next.length.is_multiple_of(CHUNK) {
            self.next.chunks.push(Arc::default());
        }
        if let Some(chunk) = self.next.chunks.last_mut() {
            let chunk = Arc::make_mut(chunk);
            chunk.items.push(item);
            chunk.words.extend(words);
        }
        self.next.length += 1;
    }

    /// The item for changing, which gets these words; its chunk is copied first where a snapshot shares it.
    fn item_mut(&mut self, index: ItemIndex, words: &[u32]) -> &mut Item {
        self.next.version += 1;
        let chunk = Arc::make_mut(&mut self.next.chunks[index as usize / CHUNK]);
        let place = index as usize % CHUNK;
        chunk.words[place * words.len()..][..words.len()].copy_from_slice(words);
        &mut chunk.items[place]
    }
}

/// The fields after an upsert, of which `kept` is what a patch starts from.
pub(crate) fn patched(kept: Option<&Fields>, upsert: &Upsert<'_>) -> Fields {
    let Some(kept) = kept else { return upsert.fields.clone() };
    let mut fields = kept.clone();
    for name in upsert.removed {
        fields.remove(name);
    }
    for (name, value) in upsert.fields.iter() {
        fields.set(name.into(), value.clone());
    }
    fields
}

impl View for CatalogueFold {
    const NAME: &'static str = "catalogue";
    const KEYING: Keying = Keying::Merged;

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.u64(self.next.version)?;
        for vocabulary in self.next.layout.categorical.iter().chain(&self.next.layout.tags) {
            let words = vocabulary.words.read();
            writer.length(words.len())?;
            for word in 0..words.len() {
                writer.text(words.text(word as u32).unwrap_or_default())?;
            }
        }
        writer.length(self.next.length)?;
        for item in self.next.chunks.iter().flat_map(|chunk| &chunk.items) {
            writer.text(item.id.as_str())?;
            writer.time(item.added)?;
            writer.u8(u8::from(item.available) | u8::from(item.deleted) << 1)?;
            writer.fields(item.details.as_ref().map_or(&self.next.layout.no_fields, |d| &d.fields))?;
        }
        Ok(())
    }

    fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError> {
        self.next.version = reader.u64()?;
        for vocabulary in self.next.layout.categorical.iter().chain(&self.next.layout.tags) {
            let mut words = vocabulary.words.write();
            for _ in 0..reader.length()? {
                words.intern(&reader.text()?);
            }
        }
        for index in 0..reader.length()? {
            let id = ItemId::trusted(reader.text()?);
            let added = reader.time()?;
            let flags = reader.u8()?;
            let fields = reader.fields()?;
            if self.next.ids.write().intern(id.as_str()) as usize != index {
                return Err(damaged(format_args!("item `{id}` stands twice")));
            }
            let (details, words) = self.next.layout.details(fields);
            let details = details.map(Arc::new);
            let item = Item { id, details, added, available: flags & 1 != 0, deleted: flags & 2 != 0 };
            self.push(item, words);
        }
        Ok(())
    }
}
