//! Request ids: unique, short, and sortable by time, so that a decision is found without an index of ids.
//!
//! An id is 120 bits in 24 characters of Crockford's base 32 (lower case): 48 bits of milliseconds since the epoch, 24
//! bits of a counter, 48 bits that differ from process to process.

use std::sync::atomic::{AtomicU64, Ordering};

use compact_str::CompactString;
use headwater_base::{RequestId, Timestamp};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const CHARACTERS: usize = 24;
const MILLISECOND_BITS: u32 = 48;
const COUNTER_BITS: u32 = 24;
const NOISE_BITS: u32 = 48;

/// Generates request ids.
#[derive(Debug)]
pub struct RequestIds {
    seed: u64,
    counter: AtomicU64,
}

impl RequestIds {
    /// A generator. Processes that write one log need different seeds.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }

    /// A new id, sorted by `now` and, within a millisecond, by the order of the calls.
    pub fn next(&self, now: Timestamp) -> RequestId {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let noise = xxh3_64_with_seed(&count.to_le_bytes(), self.seed);
        let milliseconds = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
        let bits = (u128::from(low(milliseconds, MILLISECOND_BITS)) << (COUNTER_BITS + NOISE_BITS))
            | (u128::from(low(count, COUNTER_BITS)) << NOISE_BITS)
            | u128::from(low(noise, NOISE_BITS));
        let mut text = [0; CHARACTERS];
        for (place, character) in text.iter_mut().rev().enumerate() {
            *character = ALPHABET[(bits >> (5 * place)) as usize & 31];
        }
        RequestId::trusted(CompactString::from_utf8_lossy(&text))
    }
}

/// When `id` was made, to the millisecond; `None` for an id of another shape.
pub fn time(id: &RequestId) -> Option<Timestamp> {
    let text = id.as_str().as_bytes();
    if text.len() != CHARACTERS {
        return None;
    }
    let mut bits = 0u128;
    for character in text {
        let digit = ALPHABET.iter().position(|known| known == character)?;
        bits = (bits << 5) | digit as u128;
    }
    i64::try_from(bits >> (COUNTER_BITS + NOISE_BITS)).ok().map(Timestamp::from_millis)
}

fn low(value: u64, bits: u32) -> u64 {
    value & ((1 << bits) - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_sorted_and_tell_their_time() {
        let ids = RequestIds::new(7);
        let made: Vec<RequestId> = (0..10_000)
            .map(|count| ids.next(Timestamp::from_millis(1_764_000_000_000 + count / 100)))
            .collect();
        assert!(made.is_sorted());
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        assert_eq!(time(&made[250]), Some(Timestamp::from_millis(1_764_000_000_002)));
        assert!(made.iter().all(|id| RequestId::parse(id.as_str()).is_ok()));
    }

    #[test]
    fn other_seeds_give_other_ids() {
        let now = Timestamp::from_seconds(1);
        assert_ne!(RequestIds::new(1).next(now), RequestIds::new(2).next(now));
    }

    #[test]
    fn ids_of_another_shape_have_no_time() {
        for foreign in ["", "r7", "not-one-of-ours-but-long", "0123456789abcdefghjkmnpqr"] {
            assert_eq!(time(&RequestId::trusted(foreign)), None, "{foreign}");
        }
    }
}
