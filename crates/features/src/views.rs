//! All views of one process, and the one way to move them.

use std::io::{Read, Write};
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{Actor, Event, Fact, Interaction, ItemId, Schema};
use headwater_log::{Batch, Offset, Partition, Position};
use headwater_models::streaming::{Pairs, Visit};
use headwater_models::{Query, Retrieve, Scored};
use parking_lot::{Mutex, RwLock};

use crate::bytes::{Reader, Writer, damaged};
use crate::catalogue::{CatalogueFold, Layout, Upsert, patched};
use crate::kinds::Kinds;
use crate::neighbours::Neighbours;
use crate::popularity::{Pace, Popularity};
use crate::profiles::{Profiles, Stored};
use crate::view::View;
use crate::{Catalogue, FeaturesError, ItemIndex, Profile, ViewsOptions};

/// Events folded at once. What is keyed by item waits for the end of a piece and is locked against readers while it
/// moves: a few milliseconds at most.
const PIECE: usize = 4096;
/// How far back a profile is searched for distinct earlier items.
const PAIRED_INTERACTIONS: usize = 64;

/// The views: shared, read by many threads, moved by one.
///
/// Reads never wait for a whole batch: profiles are locked by shard and event, the catalogue is a snapshot, and
/// popularity and neighbours are locked for the item-keyed half of a piece of the batch.
#[derive(Debug)]
pub struct Views {
    options: ViewsOptions,
    fold: Mutex<Fold>,
    kinds: RwLock<Kinds>,
    profiles: Profiles,
    catalogue: RwLock<Arc<Catalogue>>,
    popularity: RwLock<Popularity>,
    neighbours: RwLock<Neighbours>,
    position: RwLock<Position>,
    fingerprint: u64,
}

/// What only the folding thread touches.
#[derive(Debug)]
struct Fold {
    catalogue: CatalogueFold,
    pairs: Pairs,
    visits: Vec<Visit>,
    changed: Vec<ItemIndex>,
}

impl Views {
    /// Views of an empty log.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers share one schema; what views need of it is copied"
    )]
    pub fn new(schema: Arc<Schema>, options: ViewsOptions) -> Self {
        let mut catalogue = CatalogueFold::new(Layout::new(&schema));
        Self {
            fingerprint: options.fingerprint(&schema),
            kinds: RwLock::new(Kinds::new(&schema)),
            profiles: Profiles::default(),
            catalogue: RwLock::new(catalogue.snapshot()),
            popularity: RwLock::new(Popularity::new(&options)),
            neighbours: RwLock::new(Neighbours::new(&options)),
            position: RwLock::default(),
            fold: Mutex::new(Fold {
                catalogue,
                pairs: Pairs::new(&options.neighbours),
                visits: Vec::new(),
                changed: Vec::new(),
            }),
            options,
        }
    }

    /// Folds a batch. Events the views already hold are skipped, so that applying twice changes nothing; events
    /// missing before the batch are [`FeaturesError::Gap`].
    pub fn apply(&self, batch: &Batch) -> Result<(), FeaturesError> {
        let mut fold = self.fold.lock();
        let position = self.position.read().offset(batch.partition);
        if batch.first > position {
            return Err(FeaturesError::Gap { partition: batch.partition, position, first: batch.first });
        }
        let known = usize::try_from(position - batch.first).unwrap_or(usize::MAX).min(batch.events.len());
        let mut offset = batch.first + known as Offset;
        for events in batch.events[known..].chunks(PIECE) {
            self.fold_piece(&mut fold, offset, events);
            offset += events.len() as Offset;
            self.position.write().set(batch.partition, offset);
        }
        Ok(())
    }

    /// The next offset to fold, per partition.
    pub fn position(&self) -> Position {
        self.position.read().clone()
    }

    /// Lets views that have folded nothing begin at `start`, where retention has removed what was before.
    pub(crate) fn begin_at(&self, start: &Position) {
        let _fold = self.fold.lock();
        self.position.write().advance(start);
    }

    /// The current snapshot of the catalogue.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.read())
    }

    /// The item with this id.
    pub fn item_index(&self, id: &str) -> Option<ItemIndex> {
        self.catalogue.read().index(id)
    }

    /// What is known of `actor`; empty for an unknown one.
    ///
    /// A user's own history comes first. Where there is none, the session's is read, which is the user's where the
    /// session was merged into one.
    pub fn profile(&self, actor: &Actor) -> Profile {
        let kinds = self.kinds.read();
        self.profiles.profile(actor, |kind| kinds.weight(kind))
    }

    /// The name of an interaction type by its number in profiles.
    pub fn kind_name(&self, kind: u16) -> Option<CompactString> {
        self.kinds.read().name(kind).map(CompactString::from)
    }

    /// How many users and how many sessions have state.
    pub fn actors(&self) -> (usize, usize) {
        self.profiles.counts()
    }

    /// The most popular available items that `allow` takes, best first; with `category`, a categorical field and one
    /// of its values, among the items that have it. Scores are decayed sums of weights as of the newest interaction.
    pub fn popular(
        &self,
        limit: usize,
        allow: &dyn Fn(ItemIndex) -> bool,
        category: Option<(&str, &str)>,
    ) -> Vec<(ItemIndex, f32)> {
        self.best(Pace::Popular, limit, allow, category)
    }

    /// The same by what moves now.
    pub fn trending(
        &self,
        limit: usize,
        allow: &dyn Fn(ItemIndex) -> bool,
        category: Option<(&str, &str)>,
    ) -> Vec<(ItemIndex, f32)> {
        self.best(Pace::Trending, limit, allow, category)
    }

    /// The available items most often touched together with `item`, with their similarities, most similar first.
    pub fn neighbours(&self, item: ItemIndex, limit: usize) -> Vec<(ItemIndex, f32)> {
        let catalogue = self.catalogue();
        let found = self.neighbours.read().model.neighbours(item, limit, &|row| catalogue.available(row));
        pairs(found)
    }

    /// The available items nearest to what `query` holds: see the [`Retrieve`] of
    /// [`headwater_models::streaming::CoVisitation`]. Rows of the query are item numbers.
    pub fn neighbours_of(
        &self,
        query: &Query<'_>,
        limit: usize,
        allow: &dyn Fn(ItemIndex) -> bool,
    ) -> Vec<(ItemIndex, f32)> {
        let catalogue = self.catalogue();
        let neighbours = self.neighbours.read();
        pairs(neighbours.model.retrieve(query, limit, &|row| catalogue.available(row) && allow(row)))
    }

    fn best(
        &self,
        pace: Pace,
        limit: usize,
        allow: &dyn Fn(ItemIndex) -> bool,
        category: Option<(&str, &str)>,
    ) -> Vec<(ItemIndex, f32)> {
        let catalogue = self.catalogue();
        let Some((field, value)) = category else {
            let allow = |row| catalogue.available(row) && allow(row);
            return pairs(self.popularity.read().best(pace, limit, &allow));
        };
        let Some(field) = catalogue.categorical_field(field) else { return Vec::new() };
        let Some(word) = catalogue.word(field, value) else { return Vec::new() };
        let allow =
            |row| catalogue.available(row) && catalogue.categorical(field, row) == Some(word) && allow(row);
        pairs(self.popularity.read().best_with(pace, (field, word), limit, &allow))
    }

    /// Folds consecutive events: first what is keyed by user and the catalogue, event by event, which leaves the
    /// visits and their pairs; then what is keyed by item, all at once and in parallel where it pays.
    fn fold_piece(&self, fold: &mut Fold, first: Offset, events: &[Event]) {
        for (offset, event) in (first..).zip(events) {
            self.fold_event(fold, offset, event);
        }
        {
            let mut popularity = self.popularity.write();
            let mut neighbours = self.neighbours.write();
            let catalogue = fold.catalogue.current();
            neighbours.model.fold_beside(&fold.pairs, self.options.threads, || {
                popularity.fold(&fold.visits, &fold.changed, catalogue);
            });
        }
        fold.pairs.clear();
        fold.visits.clear();
        fold.changed.clear();
        if let Some(snapshot) = fold.catalogue.publish() {
            *self.catalogue.write() = snapshot;
        }
    }

    fn fold_event(&self, fold: &mut Fold, offset: Offset, event: &Event) {
        match &event.fact {
            Fact::Interaction(interaction) => self.fold_interaction(fold, offset, event, interaction),
            Fact::ItemUpsert { item, fields, removed, available, patch } => {
                let upsert = Upsert { fields, removed, available: *available, patch: *patch };
                self.fold_upsert(fold, item, event, &upsert);
            }
            Fact::ItemDelete { item } => fold.catalogue.delete(item),
            Fact::UserUpsert { user, fields, removed, patch } => {
                let upsert = Upsert { fields, removed, available: None, patch: *patch };
                self.profiles.upsert(user, offset, |known| {
                    *known = patched(upsert.patch.then_some(&*known), &upsert);
                });
            }
            Fact::UserDelete { user } => self.profiles.delete(user),
            Fact::Merge { session, user } => self.profiles.merge(session, user, offset),
            // Decisions are a stream of their own, and what was erased is nobody's.
            Fact::Decision(_) | Fact::Erased => {}
        }
    }

    fn fold_upsert(&self, fold: &mut Fold, item: &ItemId, event: &Event, upsert: &Upsert<'_>) {
        let index = fold.catalogue.upsert(item, event.time, upsert);
        fold.changed.push(index);
    }

    fn fold_interaction(&self, fold: &mut Fold, offset: Offset, event: &Event, interaction: &Interaction) {
        let known = self.kinds.read().number(&interaction.kind);
        let kind = known.unwrap_or_else(|| self.kinds.write().add(&interaction.kind));
        let item = fold.catalogue.mention(&interaction.item, event.time);
        let kinds = self.kinds.read();
        let visit = Visit { row: item, time: event.time, weight: kinds.weight(kind) };
        let Fold { pairs, visits, .. } = fold;
        visits.push(visit);
        self.profiles.interact(
            &interaction.actor,
            offset,
            Stored { time: event.time, item, kind },
            |history| {
                let before = history.iter().rev().take(PAIRED_INTERACTIONS);
                let visits = before.map(|stored| Visit {
                    row: stored.item,
                    time: stored.time,
                    weight: kinds.weight(stored.kind),
                });
                pairs.push(visit, visits);
            },
        );
    }

    /// Writes the whole state: canonical bytes, which the log, the schema and the options determine, ending with
    /// their checksum. Folding waits meanwhile; readers do not.
    pub fn write_state(&self, writer: &mut impl Write) -> Result<(), FeaturesError> {
        let fold = self.fold.lock();
        let mut writer = Writer::new(writer);
        writer.raw(MAGIC)?;
        writer.u16(FORMAT)?;
        writer.u64(self.fingerprint)?;
        let position = self.position();
        writer.length(position.0.len())?;
        position.0.iter().try_for_each(|offset| writer.u64(*offset))?;
        section(&mut writer, &*self.kinds.read())?;
        section(&mut writer, &self.profiles)?;
        section(&mut writer, &fold.catalogue)?;
        section(&mut writer, &*self.popularity.read())?;
        section(&mut writer, &*self.neighbours.read())?;
        writer.u32(writer.checksum())
    }

    /// Reads what [`Views::write_state`] wrote under the same schema and options; any other bytes are refused.
    pub fn read_state(
        schema: Arc<Schema>,
        options: ViewsOptions,
        reader: &mut impl Read,
    ) -> Result<Self, FeaturesError> {
        let mut views = Self::new(schema, options);
        let mut reader = Reader::new(reader);
        let mut magic = [0; MAGIC.len()];
        reader.raw(&mut magic)?;
        if &magic != MAGIC {
            return Err(damaged("not a checkpoint of views"));
        }
        let format = reader.u16()?;
        if format != FORMAT {
            let reason = format!("format {format}, and this version reads format {FORMAT}");
            return Err(FeaturesError::Checkpoint(reason));
        }
        if reader.u64()? != views.fingerprint {
            let reason = "made under other settings (interaction types, item fields or views)";
            return Err(FeaturesError::Checkpoint(reason.to_owned()));
        }
        for partition in 0..reader.length()? {
            views.position.get_mut().set(Partition(partition as u32), reader.u64()?);
        }
        let fold = views.fold.get_mut();
        read_section(&mut reader, views.kinds.get_mut())?;
        read_section(&mut reader, &mut views.profiles)?;
        read_section(&mut reader, &mut fold.catalogue)?;
        read_section(&mut reader, views.popularity.get_mut())?;
        read_section(&mut reader, views.neighbours.get_mut())?;
        let checksum = reader.checksum();
        if reader.u32()? != checksum {
            return Err(damaged("the checksum does not match"));
        }
        views.popularity.get_mut().enter_all(fold.catalogue.current());
        *views.catalogue.get_mut() = fold.catalogue.snapshot();
        Ok(views)
    }
}

/// What a checkpoint starts with.
const MAGIC: &[u8; 8] = b"hw-views";
/// Counts up when the bytes mean something else; an older checkpoint is skipped and the log replayed.
const FORMAT: u16 = 1;

fn section<V: View, W: Write>(writer: &mut Writer<W>, view: &V) -> Result<(), FeaturesError> {
    writer.text(V::NAME)?;
    view.write(writer)
}

fn read_section<V: View, R: Read>(reader: &mut Reader<R>, view: &mut V) -> Result<(), FeaturesError> {
    let name = reader.text()?;
    if name != V::NAME {
        return Err(damaged(format_args!("`{name}` where `{}` should be", V::NAME)));
    }
    view.read(reader)
}

fn pairs(found: Vec<Scored>) -> Vec<(ItemIndex, f32)> {
    found.into_iter().map(|scored| (scored.row, scored.score)).collect()
}

#[cfg(test)]
mod tests;
