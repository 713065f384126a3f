//! Answers that need not be computed again.
//!
//! The key names everything an answer depends on: the offset of the actor's last event, the published snapshot
//! (models, surfaces), the version of the catalogue, the surface, the limit and the request's own lists. So an own
//! event, a new model or a changed item makes a new key at once, and a stale answer cannot be found.
//!
//! What everybody else does moves trending, popular and neighbours without such a trace. An answer in which one of
//! these took part lives [`STREAMING_LIFE`] only; one from models alone lives until it is pushed out, at most
//! [`MODEL_LIFE`].

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use headwater_base::{Actor, ItemId, Timestamp};
use parking_lot::Mutex;

use crate::request::{CategoryFilter, Request};
use crate::run::Ranked;

/// How long an answer lives in which a streaming source took part.
pub const STREAMING_LIFE: Duration = Duration::from_secs(1);
/// How long an answer from models alone lives.
pub const MODEL_LIFE: Duration = Duration::from_secs(60);

const SHARDS: usize = 16;

/// Everything an answer depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    actor: Actor,
    last_event: u64,
    snapshot: u64,
    catalogue: u64,
    surface: CompactString,
    item: Option<ItemId>,
    limit: usize,
    exclude: Vec<ItemId>,
    include: Vec<ItemId>,
    categories: Vec<CategoryFilter>,
}

/// The versions a key is made of beside the request.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// Offset of the actor's last event.
    pub last_event: u64,
    /// Generation of the snapshot.
    pub snapshot: u64,
    /// Version of the catalogue.
    pub catalogue: u64,
}

impl CacheKey {
    /// The key of a request at these versions; the context is left out as long as no stage reads it.
    pub fn new(request: &Request, limit: usize, versions: Versions) -> Self {
        Self {
            actor: request.actor.clone(),
            last_event: versions.last_event,
            snapshot: versions.snapshot,
            catalogue: versions.catalogue,
            surface: request.surface.clone(),
            item: request.item.clone(),
            limit,
            exclude: request.exclude.clone(),
            include: request.include.clone(),
            categories: request.categories.clone(),
        }
    }
}

/// A bounded map from keys to answers. Each shard keeps two generations: a hit moves an entry to the young one, and
/// when the young one is full the old one is dropped whole, which approximates least-recently-used in constant time.
pub struct AnswerCache {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    young: usize,
}

#[derive(Default)]
struct Shard {
    young: HashMap<CacheKey, Entry>,
    old: HashMap<CacheKey, Entry>,
}

#[derive(Clone)]
struct Entry {
    ranked: Arc<Ranked>,
    until: Timestamp,
}

impl AnswerCache {
    /// Holds at most about `entries` answers.
    pub fn new(entries: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            young: (entries / (2 * SHARDS)).max(1),
        }
    }

    /// The answer under `key`, if it is still alive.
    pub fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Arc<Ranked>> {
        let mut shard = self.shard(key).lock();
        let entry = match shard.young.get(key) {
            Some(entry) => entry.clone(),
            None => {
                let (key, entry) = shard.old.remove_entry(key)?;
                shard.insert(key, entry.clone(), self.young);
                entry
            }
        };
        (now < entry.until).then_some(entry.ranked)
    }

    /// Keeps an answer computed at `now`.
    pub fn put(&self, key: CacheKey, ranked: Arc<Ranked>, now: Timestamp) {
        let until = now.plus(if ranked.streaming { STREAMING_LIFE } else { MODEL_LIFE });
        self.shard(&key).lock().insert(key, Entry { ranked, until }, self.young);
    }

    /// How many answers are held.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock()).map(|shard| shard.young.len() + shard.old.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &CacheKey) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

impl Shard {
    fn insert(&mut self, key: CacheKey, entry: Entry, young: usize) {
        if self.young.len() >= young {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_base::UserId;

    fn key(user: &str, last_event: u64) -> CacheKey {
        let request = Request { actor: Actor::user(UserId::trusted(user)), ..Request::default() };
        CacheKey::new(&request, 10, Versions { last_event, snapshot: 0, catalogue: 0 })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn the_actors_next_event_makes_another_key() {
        let cache = AnswerCache::new(100);
        cache.put(key("u", 7), Arc::default(), at(0));
        assert!(cache.get(&key("u", 7), at(1)).is_some());
        assert!(cache.get(&key("u", 8), at(1)).is_none());
        assert!(cache.get(&key("v", 7), at(1)).is_none());
    }

    #[test]
    fn what_everybody_moves_lives_a_second_only() {
        let cache = AnswerCache::new(100);
        cache.put(key("u", 1), Arc::new(Ranked { streaming: true, ..Ranked::default() }), at(10));
        assert!(cache.get(&key("u", 1), at(10)).is_some());
        assert!(cache.get(&key("u", 1), at(11)).is_none());
    }

    #[test]
    fn the_cache_stays_bounded_and_keeps_what_is_used() {
        let cache = AnswerCache::new(320);
        let kept = key("kept", 0);
        cache.put(kept.clone(), Arc::default(), at(0));
        for number in 0..10_000 {
            cache.put(key("other", number), Arc::default(), at(0));
            assert!(cache.get(&kept, at(0)).is_some(), "lost after {number}");
        }
        assert!(cache.len() <= 320 + 2 * SHARDS, "{}", cache.len());
    }
}
