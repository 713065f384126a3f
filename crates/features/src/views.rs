//! All views of one process, and the one way to move them.

use std::io::{Read, Write};
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{Actor, Event, Schema, SessionId, Timestamp};
use headwater_log::{Batch, Offset, Partition, Position};
use headwater_models::streaming::{Owner, Pairs, Visit};
use headwater_models::{Query, Retrieve, Scored};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::bytes::{Reader, Writer, damaged};
use crate::declared::Plan;
use crate::neighbours::Neighbours;
use crate::popularity::{Pace, Popularity};
use crate::profiles::session_owner;
use crate::read::{FeatureRequest, FeatureRows};
use crate::sessions::{Sessions, Step};
use crate::spill::{Hand, SpillFigures};
use crate::state::{Sink, State};
use crate::view::View;
use crate::{Catalogue, FeaturesError, ItemIndex, Profile, ViewsOptions};

/// Events folded at once. What is keyed by item waits for the end of a piece and is locked against readers while it
/// moves: a few milliseconds at most.
const PIECE: usize = 4096;
/// Events folded under one lock of the state: readers wait for some hundred microseconds at most.
const LOCKED: usize = 64;

/// The views: shared, read by many threads, moved by one.
///
/// Reads never wait for a whole batch: the state is locked for some events at a time, the catalogue is a snapshot, and
/// popularity, neighbours and sessions are locked for the item-keyed half of a piece of the batch.
#[derive(Debug)]
pub struct Views {
    pub(crate) options: ViewsOptions,
    pub(crate) fold: Mutex<Fold>,
    pub(crate) state: RwLock<State>,
    catalogue: RwLock<Arc<Catalogue>>,
    popularity: RwLock<Popularity>,
    neighbours: RwLock<Neighbours>,
    sessions: RwLock<Sessions>,
    position: RwLock<Position>,
    fingerprint: u64,
}

/// What only the folding thread touches.
#[derive(Debug)]
pub(crate) struct Fold {
    pairs: Pairs,
    visits: Vec<Visit>,
    steps: Vec<Step>,
    changed: Vec<ItemIndex>,
    hand: Hand,
    /// The last key that moved from a store to its successor.
    pub(crate) moved: Vec<u8>,
}

impl Sink for Fold {
    const HISTORIES: bool = true;

    fn visit(&mut self, visit: Visit, before: &mut dyn Iterator<Item = Visit>) {
        self.visits.push(visit);
        self.pairs.push(visit, before);
    }

    fn acted(&mut self, owner: Owner, visit: Visit, time: Timestamp) {
        if visit.weight > 0.0 {
            self.steps.push(Step::Event { owner, item: visit.row, time });
        }
    }

    fn merged(&mut self, session: Owner, user: Owner) {
        self.steps.push(Step::Merged { session, user });
    }

    fn deleted(&mut self, owner: Owner) {
        self.steps.push(Step::Deleted(owner));
    }

    fn changed(&mut self, item: ItemIndex) {
        self.changed.push(item);
    }
}

/// The state at one position of the log, which stays where it is while this is held: hold it briefly.
pub struct Held<'a>(RwLockReadGuard<'a, State>);

impl Held<'_> {
    /// The position: every event before it is in what is read, and none after it.
    pub fn position(&self) -> &Position {
        &self.0.position
    }

    /// Reads the features at `columns` of the plan for `items`: see [`ViewsOptions::plan`].
    ///
    /// # Errors
    /// [`FeaturesError::Spill`] where who asks is not in memory and the disk refuses.
    pub fn features(
        &self,
        request: &FeatureRequest<'_>,
        columns: &[usize],
        items: &[Option<ItemIndex>],
    ) -> Result<FeatureRows, FeaturesError> {
        let mut rows = FeatureRows::default();
        let read = self.0.features(request, columns, items, &mut rows);
        self.0.cold.report_read(read.map(|()| rows))
    }

    /// The item with this id.
    pub fn item_index(&self, id: &str) -> Option<ItemIndex> {
        self.0.catalogue.current().index(id)
    }

    /// Bytes of profiles and tiles, about.
    pub fn resident_bytes(&self) -> usize {
        self.0.profiles.heap_bytes() + self.0.tables.heap_bytes()
    }
}

impl Views {
    /// Views of an empty log.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers share one schema; what views need of it is copied"
    )]
    pub fn new(schema: Arc<Schema>, options: ViewsOptions) -> Self {
        let mut state = State::new(&schema, &options);
        Self {
            fingerprint: options.fingerprint(&schema),
            catalogue: RwLock::new(state.catalogue.snapshot()),
            state: RwLock::new(state),
            popularity: RwLock::new(Popularity::new(&options)),
            neighbours: RwLock::new(Neighbours::new(&options)),
            sessions: RwLock::new(Sessions::new(&options)),
            position: RwLock::default(),
            fold: Mutex::new(Fold {
                pairs: Pairs::new(&options.neighbours),
                visits: Vec::new(),
                steps: Vec::new(),
                changed: Vec::new(),
                hand: Hand::default(),
                moved: Vec::new(),
            }),
            options,
        }
    }

    /// The declared features that these views fold.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.options.plan
    }

    /// Holds the state where it is, to read several things of one position.
    pub fn hold(&self) -> Held<'_> {
        Held(self.state.read())
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
            self.fold_piece(&mut fold, batch.partition, offset, events)?;
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
    pub fn begin_at(&self, start: &Position) {
        let _fold = self.fold.lock();
        self.state.write().position.advance(start);
        self.position.write().advance(start);
    }

    /// Drops sessions whose records are about to be erased from the log, so that no checkpoint names them any more. The
    /// log does not say so by itself: a session that only ever acted beside its user was never merged.
    ///
    /// # Errors
    /// [`FeaturesError::Spill`].
    pub fn forget_sessions<'a>(
        &self,
        sessions: impl IntoIterator<Item = &'a SessionId>,
    ) -> Result<(), FeaturesError> {
        let mut fold = self.fold.lock();
        let sessions: Vec<&SessionId> = sessions.into_iter().collect();
        for sessions in sessions.chunks(LOCKED) {
            let touched = self.thaw(|state| state.touched_sessions(sessions))?;
            let mut state = self.state.write();
            for session in sessions {
                state.profiles.forget_session(session);
                state.tables.forget_session(session);
            }
            drop(state);
            let owners: Vec<Owner> = sessions.iter().map(|session| session_owner(session)).collect();
            self.sessions.write().model.forget(&owners);
            self.make_room(&mut fold.hand, touched)?;
        }
        Ok(())
    }

    /// The state alone, for a replay that goes on from here.
    pub(crate) fn into_state(self) -> State {
        self.state.into_inner()
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
    ///
    /// # Errors
    /// [`FeaturesError::Spill`] where it is not in memory and the disk refuses.
    pub fn profile(&self, actor: &Actor) -> Result<Profile, FeaturesError> {
        let state = self.state.read();
        state.cold.report_read(state.profile(actor))
    }

    /// The name of an interaction type by its number in profiles.
    pub fn kind_name(&self, kind: u16) -> Option<CompactString> {
        self.state.read().kinds.name(kind).map(CompactString::from)
    }

    /// How many users and how many sessions have state. Of those on the disk, who went idle is counted until the next
    /// checkpoint.
    pub fn actors(&self) -> (usize, usize) {
        let state = self.state.read();
        state.profiles.counts(&state.cold)
    }

    /// How much of users and sessions is in memory and on the disk; `None` without a limit.
    pub fn spilled(&self) -> Option<SpillFigures> {
        self.options.spill.is_some().then(|| self.state.read().cold.figures())
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

    /// The available items of the latest sessions most like what `query` holds: see
    /// [`headwater_models::streaming::SessionNeighbours`]. Rows of the query are item numbers; the session under way of
    /// `owner`, of [`Profile::owner`], is not compared with itself.
    pub fn sessions_like(
        &self,
        query: &Query<'_>,
        owner: Option<Owner>,
        limit: usize,
        allow: &dyn Fn(ItemIndex) -> bool,
    ) -> Vec<(ItemIndex, f32)> {
        let catalogue = self.catalogue();
        let sessions = self.sessions.read();
        let allow = |row| catalogue.available(row) && allow(row);
        pairs(sessions.model.nearest(query, owner, limit, &allow))
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

    /// Folds consecutive events: first the state, event by event, which leaves the visits and their pairs; then what is
    /// keyed by item, all at once and in parallel where it pays.
    fn fold_piece(
        &self,
        fold: &mut Fold,
        partition: Partition,
        first: Offset,
        events: &[Event],
    ) -> Result<(), FeaturesError> {
        let mut offset = first;
        for events in events.chunks(LOCKED) {
            let touched = self.thaw(|state| state.touched(events))?;
            let mut state = self.state.write();
            for event in events {
                state.fold(offset, event, fold);
                offset += 1;
            }
            state.position.set(partition, offset);
            drop(state);
            self.make_room(&mut fold.hand, touched)?;
        }
        let snapshot = {
            let mut popularity = self.popularity.write();
            let mut neighbours = self.neighbours.write();
            let mut sessions = self.sessions.write();
            let snapshot = self.state.write().catalogue.publish();
            let catalogue = snapshot.clone().unwrap_or_else(|| self.catalogue());
            neighbours.model.fold_beside(&fold.pairs, self.options.threads, || {
                popularity.fold(&fold.visits, &fold.changed, &catalogue);
                sessions.fold(&fold.steps);
            });
            snapshot
        };
        fold.pairs.clear();
        fold.visits.clear();
        fold.steps.clear();
        fold.changed.clear();
        if let Some(snapshot) = snapshot {
            *self.catalogue.write() = snapshot;
        }
        Ok(())
    }

    /// Writes the whole state: canonical bytes, which the log, the schema and the options determine, ending with
    /// their checksum. Folding waits meanwhile; readers do not.
    pub fn write_state(&self, writer: &mut impl Write) -> Result<(), FeaturesError> {
        let mut fold = self.fold.lock();
        // What is on the disk is read in the order of one store.
        while self.move_some(&mut fold)? {}
        let mut writer = Writer::new(writer);
        writer.raw(MAGIC)?;
        writer.u16(FORMAT)?;
        writer.u64(self.fingerprint)?;
        self.state.read().write(&mut writer)?;
        section(&mut writer, &*self.popularity.read())?;
        section(&mut writer, &*self.neighbours.read())?;
        section(&mut writer, &*self.sessions.read())?;
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
        begins(&mut reader, views.fingerprint)?;
        let state = views.state.get_mut();
        state.read(&mut reader)?;
        views.position.get_mut().clone_from(&state.position);
        read_section(&mut reader, views.popularity.get_mut())?;
        read_section(&mut reader, views.neighbours.get_mut())?;
        read_section(&mut reader, views.sessions.get_mut())?;
        let checksum = reader.checksum();
        if reader.u32()? != checksum {
            return Err(damaged("the checksum does not match"));
        }
        views.popularity.get_mut().enter_all(state.catalogue.current());
        views.sessions.get_mut().build(state.catalogue.current())?;
        *views.catalogue.get_mut() = state.catalogue.snapshot();
        Ok(views)
    }
}

/// What a checkpoint starts with.
const MAGIC: &[u8; 8] = b"hw-views";
/// Counts up when the bytes mean something else; an older checkpoint is skipped and the log replayed.
const FORMAT: u16 = 8;

/// Checks what a checkpoint begins with: that this version reads it, and that views of this fingerprint wrote it.
pub(crate) fn begins<R: Read>(reader: &mut Reader<R>, fingerprint: u64) -> Result<(), FeaturesError> {
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
    if reader.u64()? != fingerprint {
        let reason = "made under other settings (interaction types, item fields or views)";
        return Err(FeaturesError::Checkpoint(reason.to_owned()));
    }
    Ok(())
}

pub(crate) fn section<V: View, W: Write>(writer: &mut Writer<W>, view: &V) -> Result<(), FeaturesError> {
    writer.text(V::NAME)?;
    view.write(writer)
}

pub(crate) fn read_section<V: View, R: Read>(
    reader: &mut Reader<R>,
    view: &mut V,
) -> Result<(), FeaturesError> {
    section_name(reader, V::NAME)?;
    view.read(reader)
}

pub(crate) fn section_name<R: Read>(reader: &mut Reader<R>, expected: &str) -> Result<(), FeaturesError> {
    let name = reader.text()?;
    if name != expected {
        return Err(damaged(format_args!("`{name}` where `{expected}` should be")));
    }
    Ok(())
}

fn pairs(found: Vec<Scored>) -> Vec<(ItemIndex, f32)> {
    found.into_iter().map(|scored| (scored.row, scored.score)).collect()
}

#[cfg(test)]
mod tests;
