//! The sparse index of a segment: where to start reading for an offset or a receive time.
//!
//! One entry for every [`BLOCK_BYTES`] of records. Kept in memory while a segment grows, as a sidecar
//! `<first>.index` once it is sealed; a missing or damaged sidecar is rebuilt from the segment.
//!
//! ```text
//! "HWINDEX" | version u8 | first u64 | end u64 | bytes u64 | entries u64 | earliest i64 | latest i64 | crc32c u32
//! entries: offset u64 | byte u64 | earliest i64 | latest i64    crc32c u32
//! ```

use headwater_base::Timestamp;

use super::format::{long, word};
use crate::Offset;

const MAGIC: &[u8; 8] = b"HWINDEX\x01";
/// How far apart entries are.
const BLOCK_BYTES: u64 = 64 * 1024;
const ENTRY_BYTES: usize = 32;
/// Size of the head of an index file, which holds the [`Summary`].
pub(crate) const HEAD_BYTES: usize = 60;

/// What is known of a whole segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Offset of its first record.
    pub(crate) first: Offset,
    /// Offset after its last record.
    pub(crate) end: Offset,
    /// Size of the file.
    pub(crate) bytes: u64,
    /// Earliest receive time; [`i64::MAX`] of an empty segment.
    pub(crate) earliest: Timestamp,
    /// Latest receive time; [`i64::MIN`] of an empty segment.
    pub(crate) latest: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    offset: Offset,
    byte: u64,
    earliest: Timestamp,
    latest: Timestamp,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SparseIndex {
    summary: Summary,
    entries: Vec<Entry>,
}

impl SparseIndex {
    /// The index of a segment that has no records yet and `bytes` of header.
    pub(crate) fn new(first: Offset, bytes: u64) -> Self {
        let (earliest, latest) = (Timestamp::from_micros(i64::MAX), Timestamp::from_micros(i64::MIN));
        Self { summary: Summary { first, end: first, bytes, earliest, latest }, entries: Vec::new() }
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Takes in the next record, which starts at `byte` and was received at `received`.
    pub(crate) fn add(&mut self, byte: u64, received: Timestamp) {
        let offset = self.summary.end;
        self.summary.end += 1;
        self.summary.earliest = self.summary.earliest.min(received);
        self.summary.latest = self.summary.latest.max(received);
        match self.entries.last_mut() {
            Some(entry) if byte < entry.byte + BLOCK_BYTES => {
                entry.earliest = entry.earliest.min(received);
                entry.latest = entry.latest.max(received);
            }
            _ => self.entries.push(Entry { offset, byte, earliest: received, latest: received }),
        }
    }

    /// Sets how long the file is.
    pub(crate) fn set_bytes(&mut self, bytes: u64) {
        self.summary.bytes = bytes;
    }

    /// The last record at or before `offset` whose place is known: its offset and byte.
    pub(crate) fn locate(&self, offset: Offset) -> Option<(Offset, u64)> {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        after.checked_sub(1).map(|at| (self.entries[at].offset, self.entries[at].byte))
    }

    /// The runs of records, as offset and byte of the first and offset after the last, that may hold one received
    /// between `from` and `to`.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> Vec<(Offset, u64, Offset)> {
        let mut runs = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            if entry.earliest <= to && entry.latest >= from {
                let end = self.entries.get(at + 1).map_or(self.summary.end, |next| next.offset);
                runs.push((entry.offset, entry.byte, end));
            }
        }
        runs
    }

    /// The bytes of the sidecar.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.entries.len() * ENTRY_BYTES + 4);
        out.extend_from_slice(MAGIC);
        let summary = self.summary;
        for number in [summary.first, summary.end, summary.bytes, self.entries.len() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&summary.earliest.as_micros().to_le_bytes());
        out.extend_from_slice(&summary.latest.as_micros().to_le_bytes());
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        let start = out.len();
        for entry in &self.entries {
            out.extend_from_slice(&entry.offset.to_le_bytes());
            out.extend_from_slice(&entry.byte.to_le_bytes());
            out.extend_from_slice(&entry.earliest.as_micros().to_le_bytes());
            out.extend_from_slice(&entry.latest.as_micros().to_le_bytes());
        }
        let checksum = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a sidecar; `None` where it is damaged, in which case it is rebuilt.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (summary, count) = decode_head(bytes)?;
        let entries_end = HEAD_BYTES.checked_add(count.checked_mul(ENTRY_BYTES)?)?;
        let body = bytes.get(HEAD_BYTES..entries_end)?;
        if bytes.len() != entries_end + 4 || crc32c::crc32c(body) != word(bytes, entries_end) {
            return None;
        }
        let entries = body
            .chunks_exact(ENTRY_BYTES)
            .map(|entry| Entry {
                offset: long(entry, 0),
                byte: long(entry, 8),
                earliest: Timestamp::from_micros(long(entry, 16) as i64),
                latest: Timestamp::from_micros(long(entry, 24) as i64),
            })
            .collect();
        Some(Self { summary, entries })
    }
}

/// The summary at the head of a sidecar and the number of its entries.
pub(crate) fn decode_head(bytes: &[u8]) -> Option<(Summary, usize)> {
    let head = bytes.get(..HEAD_BYTES)?;
    if &head[..8] != MAGIC || crc32c::crc32c(&head[..HEAD_BYTES - 4]) != word(head, HEAD_BYTES - 4) {
        return None;
    }
    let summary = Summary {
        first: long(head, 8),
        end: long(head, 16),
        bytes: long(head, 24),
        earliest: Timestamp::from_micros(long(head, 40) as i64),
        latest: Timestamp::from_micros(long(head, 48) as i64),
    };
    Some((summary, usize::try_from(long(head, 32)).ok()?))
}
