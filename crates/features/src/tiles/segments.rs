//! The fixed tiles of all groups of a row in one vector, so that a row is read from one place of memory.
//!
//! The vector begins with where each segment ends, and before that with where the first one begins: segment `slot` is
//! `words[words[slot]..words[slot + 1]]`. A row that holds nothing has no words at all.

use std::ops::Range;

/// How many words so many empty segments take.
pub(crate) fn empty_words(segments: usize) -> usize {
    if segments == 0 { 0 } else { segments + 1 }
}

/// Writes so many empty segments.
pub(crate) fn begin(words: &mut [u32], segments: usize) {
    words[..empty_words(segments)].fill(segments as u32 + 1);
}

/// How many segments there are.
pub(crate) fn count(words: &[u32]) -> usize {
    words.first().map_or(0, |first| *first as usize - 1)
}

/// Where the last one ends.
#[inline]
pub(crate) fn end(words: &[u32]) -> usize {
    words.first().map_or(0, |first| words[*first as usize - 1] as usize)
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

/// Words that may become more or fewer.
pub(crate) trait Room {
    fn words(&self) -> &[u32];
    fn words_mut(&mut self) -> &mut [u32];
    /// Adds so many words at the end, whatever they are.
    fn lengthen(&mut self, more: usize);
    /// Drops so many words at the end.
    fn shorten(&mut self, less: usize);
}

impl Room for Vec<u32> {
    #[inline]
    fn words(&self) -> &[u32] {
        self
    }

    #[inline]
    fn words_mut(&mut self) -> &mut [u32] {
        self
    }

    fn lengthen(&mut self, more: usize) {
        let length = self.len();
        if self.capacity() - length < more {
            self.reserve_exact(grown(length, more) - length);
        }
        self.resize(length + more, 0);
    }

    fn shorten(&mut self, less: usize) {
        self.truncate(self.len() - less);
    }
}

/// How much room there should be for so many words and `more`.
pub(crate) fn grown(length: usize, more: usize) -> usize {
    // Most entities have few tiles, and there are many of them: grow by an eighth, not by doubling.
    length + more * (1 + length / more.max(1) / 8)
}

/// Makes room for `more` words at `at`, in segment `slot` or at its end; returns where the segment ends.
pub(crate) fn insert(room: &mut dyn Room, slot: usize, at: usize, more: usize) -> usize {
    let length = room.words().len();
    room.lengthen(more);
    let words = room.words_mut();
    words.copy_within(at..length, at + more);
    let last = count(words);
    for end in &mut words[slot + 1..=last] {
        *end += more as u32;
    }
    words[slot + 1] as usize
}

/// Removes words of segment `slot`.
pub(crate) fn remove(room: &mut dyn Room, slot: usize, range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let words = room.words_mut();
    let last = count(words);
    for end in &mut words[slot + 1..=last] {
        *end -= range.len() as u32;
    }
    words.copy_within(range.end.., range.start);
    room.shorten(range.len());
}

/// Fills segment `slot`, which is the last one that is not empty.
pub(crate) fn append(words: &mut Vec<u32>, slot: usize, segment: &[u32]) {
    words.extend_from_slice(segment);
    let (last, end) = (count(words), words.len() as u32);
    words[slot + 1..=last].fill(end);
}
