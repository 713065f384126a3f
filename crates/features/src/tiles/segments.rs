//! The fixed tiles of all groups of a row in one vector, so that a row is read from one place of memory.
//!
//! The vector begins with where each segment ends, and before that with where the first one begins: segment `slot` is
//! `words[words[slot]..words[slot + 1]]`. A row that holds nothing has no words at all.

use std::ops::Range;

/// A vector of so many empty segments.
pub(crate) fn empty(segments: usize) -> Vec<u32> {
    if segments == 0 { Vec::new() } else { vec![segments as u32 + 1; segments + 1] }
}

/// How many segments there are.
pub(crate) fn count(words: &[u32]) -> usize {
    words.first().map_or(0, |first| *first as usize - 1)
}

/// Where a segment is.
#[inline]
pub(crate) fn range(words: &[u32], slot: usize) -> Range<usize> {
    words[slot] as usize..words[slot + 1] as usize
}

/// The same; empty where there are none.
#[inline]
pub(crate) fn range_or_none(words: &[u32], slot: usize) -> Range<usize> {
    if words.is_empty() { 0..0 } else { range(words, slot) }
}

/// A segment; empty where there are none.
#[inline]
pub(crate) fn get(words: &[u32], slot: usize) -> &[u32] {
    &words[range_or_none(words, slot)]
}

/// Makes room for `more` words at `at`, in segment `slot` or at its end; returns where the segment ends.
pub(crate) fn insert(words: &mut Vec<u32>, slot: usize, at: usize, more: usize) -> usize {
    let length = words.len();
    if words.capacity() - length < more {
        // Most entities have few tiles, and there are many of them: grow by an eighth, not by doubling.
        words.reserve_exact(more * (1 + length / more / 8));
    }
    words.resize(length + more, 0);
    words.copy_within(at..length, at + more);
    let last = count(words);
    for end in &mut words[slot + 1..=last] {
        *end += more as u32;
    }
    words[slot + 1] as usize
}

/// Removes words of segment `slot`.
pub(crate) fn remove(words: &mut Vec<u32>, slot: usize, range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let last = count(words);
    for end in &mut words[slot + 1..=last] {
        *end -= range.len() as u32;
    }
    words.drain(range);
}

/// Fills segment `slot`, which is the last one that is not empty.
pub(crate) fn append(words: &mut Vec<u32>, slot: usize, segment: &[u32]) {
    words.extend_from_slice(segment);
    let (last, end) = (count(words), words.len() as u32);
    words[slot + 1..=last].fill(end);
}
