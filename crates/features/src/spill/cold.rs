//! What is not in memory: looked up, put away, and gone through in order.

use std::io::{Read, Write};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use headwater_base::random::stable_hash;

use super::store::Store;
use super::{SpillFigures, SpillOptions, Spilled};
use crate::FeaturesError;
use crate::bytes::{Reader, Writer, damaged};
use crate::declared::{Part, Plan};
use crate::profiles::Idle;
use crate::profiles::keyed::{Keyed, SHARDS, shard_of};
use crate::tiles::RowLayout;

/// Kind, shard and hash before the id: in the order of keys is in the order in which checkpoints are written.
const ID_AT: usize = 10;
/// What a value begins with.
const STAMP_BYTES: usize = 8;

/// The cold entities. Empty, and costing nothing, where there is no limit.
#[derive(Debug)]
pub(crate) struct Cold {
    plan: Arc<Plan>,
    idle: Idle,
    /// The receive time of the latest event that began a day: who was idle then is forgotten, whenever it is looked at.
    boundary: i64,
    options: Option<SpillOptions>,
    store: Option<Store>,
    /// An earlier store, of which what is not removed moves into the other one by and by.
    leaving: Option<Store>,
    /// By kind; those that went idle are counted until they are met.
    counts: [AtomicU64; super::KINDS],
    memory: AtomicUsize,
    thawed: AtomicU64,
    failed_reads: AtomicU64,
}

/// An entity of memory or a copy of one from the disk.
#[derive(Debug)]
pub(crate) enum Found<'a, T> {
    Hot(&'a T),
    Cold(Box<T>),
}

impl<T> Deref for Found<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Hot(state) => state,
            Self::Cold(state) => state,
        }
    }
}

/// What is on the disk under an id.
pub(crate) enum OnDisk<T> {
    Nothing,
    /// One that went idle and of which nothing is left.
    Forgotten,
    Entity(T),
}

impl Cold {
    pub(crate) fn new(plan: Arc<Plan>, idle: Idle, options: Option<SpillOptions>) -> Self {
        Self {
            plan,
            idle,
            boundary: i64::MIN,
            options,
            store: None,
            leaving: None,
            counts: Default::default(),
            memory: AtomicUsize::new(0),
            thawed: AtomicU64::new(0),
            failed_reads: AtomicU64::new(0),
        }
    }

    /// Bytes that users and sessions may take in memory, where there is a limit.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.options.as_ref().map(|options| options.limit)
    }

    /// Notes how many bytes users and sessions take in memory.
    pub(crate) fn set_memory(&self, bytes: usize) {
        self.memory.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that users and sessions take in memory: 0 where there is no limit, and nobody counts.
    pub(crate) fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// Counts entities that came back.
    pub(crate) fn add_thawed(&self, entities: usize) {
        self.thawed.fetch_add(entities as u64, Ordering::Relaxed);
    }

    /// Counts a request's read that failed, and logs it.
    pub(crate) fn report_read<T>(&self, read: Result<T, FeaturesError>) -> Result<T, FeaturesError> {
        if let Err(error) = &read {
            self.failed_reads.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "a request could not read a profile");
        }
        read
    }

    pub(crate) fn figures(&self) -> SpillFigures {
        SpillFigures {
            memory_bytes: self.memory(),
            on_disk: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum(),
            thawed: self.thawed.load(Ordering::Relaxed),
            failed_reads: self.failed_reads.load(Ordering::Relaxed),
        }
    }

    /// Looks into memory first and then on the disk.
    #[inline]
    pub(crate) fn find<'a, T: Spilled>(
        &self,
        hot: &'a Keyed<T>,
        id: &str,
    ) -> Result<Option<Found<'a, T>>, FeaturesError> {
        if let Some(state) = hot.get(id) {
            return Ok(Some(Found::Hot(state)));
        }
        if self.store.is_none() {
            return Ok(None);
        }
        Ok(match self.get(id)? {
            OnDisk::Entity(state) => Some(Found::Cold(Box::new(state))),
            OnDisk::Nothing | OnDisk::Forgotten => None,
        })
    }

    pub(crate) fn get<T: Spilled>(&self, id: &str) -> Result<OnDisk<T>, FeaturesError> {
        let key = key::<T>(id);
        for store in self.stores() {
            if let Some(value) = store.get(&key)? {
                return Ok(self.decode(&value)?.map_or(OnDisk::Forgotten, OnDisk::Entity));
            }
        }
        Ok(OnDisk::Nothing)
    }

    /// Begins a store, where there is none yet.
    pub(crate) fn open(&mut self) -> Result<(), FeaturesError> {
        if let (None, Some(options)) = (&self.store, &self.options) {
            self.store = Some(Store::create(&options.folder)?);
        }
        Ok(())
    }

    /// Puts a copy on the disk; memory comes first as long as it has the entity.
    pub(crate) fn put<T: Spilled>(&self, id: &str, state: &T) -> Result<(), FeaturesError> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut value = state.stamp().to_le_bytes().to_vec();
        state.encode(&mut Writer::new(&mut value))?;
        store.put(&key::<T>(id), &value)?;
        self.counts[T::KIND as usize].fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Removes what is on the disk.
    pub(crate) fn remove<T: Spilled>(&self, id: &str) -> Result<(), FeaturesError> {
        let key = key::<T>(id);
        self.stores().try_for_each(|store| store.remove(&key))?;
        self.counts[T::KIND as usize].fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets who was idle at this receive time.
    pub(crate) fn forget_idle(&mut self, now: i64) {
        self.boundary = now;
    }

    /// When the latest day began.
    pub(crate) fn boundary(&self) -> i64 {
        self.boundary
    }

    /// How many entities of a kind there are on the disk, about.
    pub(crate) fn count<T: Spilled>(&self) -> usize {
        self.counts[T::KIND as usize].load(Ordering::Relaxed) as usize
    }

    /// Goes through a shard, in memory and on the disk (in one store), in the order in which it is written. Who is met
    /// having gone idle is removed from the disk.
    pub(crate) fn in_order<T: Spilled>(
        &self,
        hot: &Keyed<T>,
        shard: usize,
        mut each: impl FnMut(&str, &T) -> Result<(), FeaturesError>,
    ) -> Result<(), FeaturesError> {
        let mut hot = hot.in_order(shard).peekable();
        let Some(store) = &self.store else {
            return hot.try_for_each(|(_, id, state)| each(id, state));
        };
        for entry in store.with_prefix(&[T::KIND, shard as u8]) {
            let (key, value) = entry?;
            let (hash, id) = of_key(&key)?;
            while let Some((_, id, state)) = hot.next_if(|(other, hot, _)| (*other, *hot) < (hash, id)) {
                each(id, state)?;
            }
            match self.decode::<T>(&value)? {
                Some(state) => each(id, &state)?,
                None => self.remove::<T>(id)?,
            }
        }
        hot.try_for_each(|(_, id, state)| each(id, state))
    }

    /// Writes all entities of a kind that are `kept`, shard by shard.
    pub(crate) fn write<T: Spilled, W: Write>(
        &self,
        hot: &Keyed<T>,
        writer: &mut Writer<W>,
        kept: impl Fn(&T) -> Result<bool, FeaturesError>,
    ) -> Result<(), FeaturesError> {
        for shard in 0..SHARDS {
            self.in_order(hot, shard, |id, state| {
                if kept(state)? {
                    writer.u8(1)?;
                    writer.text(id)?;
                    state.encode(writer)?;
                }
                Ok(())
            })?;
            writer.u8(0)?;
        }
        Ok(())
    }

    /// Reads what [`Cold::write`] wrote, and hands on each entity.
    pub(crate) fn read<T: Spilled, R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        mut each: impl FnMut(&mut Self, String, T) -> Result<(), FeaturesError>,
    ) -> Result<(), FeaturesError> {
        for _ in 0..SHARDS {
            while reader.u8()? == 1 {
                let id = reader.text()?;
                let state = T::decode(self, reader)?;
                each(self, id, state)?;
            }
        }
        Ok(())
    }

    /// A store to come in place of the one there is.
    pub(super) fn successor(&self) -> Result<Option<Store>, FeaturesError> {
        match (&self.store, &self.options) {
            (Some(_), Some(options)) => Store::create(&options.folder).map(Some),
            _ => Ok(None),
        }
    }

    /// Lets what is in the store move to an empty one.
    pub(super) fn begin_move(&mut self, successor: Store) {
        self.leaving = self.store.replace(successor);
    }

    /// Moves some of what comes after `cursor`; false where nothing is left to move.
    pub(super) fn move_some(&self, cursor: &mut Vec<u8>, entries: usize) -> Result<bool, FeaturesError> {
        let (Some(store), Some(leaving)) = (&self.store, &self.leaving) else { return Ok(false) };
        let mut moved = 0;
        for entry in leaving.after(cursor).take(entries) {
            let (key, value) = entry?;
            store.put(&key, &value)?;
            cursor.clear();
            cursor.extend_from_slice(&key);
            moved += 1;
        }
        Ok(moved == entries)
    }

    /// Gives back the store that everything has left, to be dropped.
    pub(super) fn end_move(&mut self) -> Option<Store> {
        self.leaving.take()
    }

    fn stores(&self) -> impl Iterator<Item = &Store> {
        self.store.iter().chain(&self.leaving)
    }

    /// The layout of rows of users and anonymous sessions, or of sessions.
    pub(crate) fn layout(&self, part: &Part) -> &RowLayout {
        self.plan.layout(part)
    }

    /// An entity as it is by now; `None` where it went idle and nothing is left.
    fn decode<T: Spilled>(&self, value: &[u8]) -> Result<Option<T>, FeaturesError> {
        let (stamp, value) = value.split_first_chunk::<STAMP_BYTES>().ok_or_else(|| damaged("no stamp"))?;
        let idle = self.boundary.saturating_sub(i64::from_le_bytes(*stamp)) > T::idle(self.idle);
        let state = T::decode(self, &mut Reader::new(value))?;
        Ok(if idle { state.forgotten() } else { Some(state) })
    }
}

fn key<T: Spilled>(id: &str) -> Vec<u8> {
    let hash = stable_hash(id);
    let mut key = Vec::with_capacity(ID_AT + id.len());
    key.extend_from_slice(&[T::KIND, shard_of(hash) as u8]);
    key.extend_from_slice(&hash.to_be_bytes());
    key.extend_from_slice(id.as_bytes());
    key
}

fn of_key(key: &[u8]) -> Result<(u64, &str), FeaturesError> {
    let (head, id) = key.split_first_chunk::<ID_AT>().ok_or_else(|| damaged("a short key"))?;
    let hash = head[2..].first_chunk().map_or(0, |hash| u64::from_be_bytes(*hash));
    Ok((hash, str::from_utf8(id).map_err(damaged)?))
}
