//! A blocked Bloom filter (Putze, Sanders, Singler 2007): every key sets its bits within one cache line.
//!
//! At 10 bits a key and 6 probes about one in a hundred absent keys passes.

use super::IdHash;

const BLOCK_WORDS: usize = 8;
const BLOCK_BYTES: usize = BLOCK_WORDS * 8;
const BITS_PER_KEY: usize = 10;
const PROBES: u32 = 6;

/// See the module.
pub(super) struct Filter(Vec<[u64; BLOCK_WORDS]>);

impl Filter {
    /// A filter that holds `hashes`.
    pub(super) fn of(hashes: &[IdHash]) -> Self {
        let blocks = (hashes.len() * BITS_PER_KEY).div_ceil(BLOCK_BYTES * 8).max(1);
        let mut filter = Self(vec![[0; BLOCK_WORDS]; blocks]);
        for hash in hashes {
            let block = filter.block(*hash);
            for bit in bits(*hash) {
                filter.0[block][bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }

    /// Whether `hash` may be held; never false for one that is.
    pub(super) fn may_contain(&self, hash: IdHash) -> bool {
        let block = &self.0[self.block(hash)];
        bits(hash).all(|bit| block[bit / 64] & (1 << (bit % 64)) != 0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * BLOCK_BYTES
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.0.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads what [`Filter::encode`] wrote; `None` if it is no whole number of blocks.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK_BYTES) {
            return None;
        }
        let block = |bytes: &[u8]| std::array::from_fn(|at| crate::segment::format::long(bytes, at * 8));
        Some(Self(bytes.chunks_exact(BLOCK_BYTES).map(block).collect()))
    }

    /// The upper half of the hash chooses the block, the lower half the bits.
    fn block(&self, hash: IdHash) -> usize {
        (((hash >> 64) * self.0.len() as u128) >> 64) as usize
    }
}

fn bits(hash: IdHash) -> impl Iterator<Item = usize> {
    (0..PROBES).map(move |probe| (hash >> (9 * probe)) as usize & (BLOCK_BYTES * 8 - 1))
}
