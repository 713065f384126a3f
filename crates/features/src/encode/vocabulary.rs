//! Words with a number: counted while fitting, frozen as the most frequent.

use compact_str::CompactString;
use hashbrown::HashMap;

use super::weight;

/// Weights by word. Holds every distinct word, so that the most frequent do not depend on the order.
#[derive(Clone, Debug, Default)]
pub(super) struct WordCounts {
    counts: HashMap<CompactString, u64>,
}

impl WordCounts {
    /// Counts a word with a weight in units of [`weight::ONE`].
    pub(super) fn observe(&mut self, word: &CompactString, units: u64) {
        let count = self.counts.entry_ref(word).or_default();
        *count = count.saturating_add(units);
    }

    /// Adds what another part of the data gave.
    pub(super) fn merge(&mut self, other: &Self) {
        for (word, units) in &other.counts {
            self.observe(word, *units);
        }
    }

    /// The `max` words of most weight, none of them below `min_count`; ties by word.
    pub(super) fn freeze(&self, max: u32, min_count: u32) -> Vocabulary {
        let least = u64::from(min_count) * weight::ONE;
        let mut counts: Vec<_> = self.counts.iter().filter(|(_, units)| **units >= least).collect();
        counts.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        counts.truncate(max as usize);
        Vocabulary::of(counts.into_iter().map(|(word, _)| word.clone()).collect())
    }
}

/// Known words by bucket, then the buckets "other" and "missing".
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Vocabulary {
    words: Vec<CompactString>,
    buckets: HashMap<CompactString, u32>,
}

impl Vocabulary {
    /// The words by bucket; of a repeated word the last bucket counts, which [`Self::repeated`] tells.
    pub(super) fn of(words: Vec<CompactString>) -> Self {
        let buckets = words.iter().cloned().zip(0..).collect();
        Self { words, buckets }
    }

    /// A word that stands there twice, if any.
    pub(super) fn repeated(&self) -> Option<&CompactString> {
        let twice = |(bucket, word): &(u32, &CompactString)| self.buckets.get(*word) != Some(bucket);
        (0..).zip(&self.words).find(twice).map(|(_, word)| word)
    }

    /// The words by bucket.
    pub(super) fn words(&self) -> &[CompactString] {
        &self.words
    }

    /// Words, "other" and "missing".
    pub(super) fn buckets(&self) -> u32 {
        self.missing() + 1
    }

    /// The bucket of a word, "other" if it is not known.
    pub(super) fn bucket(&self, word: &str) -> u32 {
        self.buckets.get(word).copied().unwrap_or(self.words.len() as u32)
    }

    /// The bucket "missing".
    pub(super) fn missing(&self) -> u32 {
        self.words.len() as u32 + 1
    }

    /// How a bucket reads: `category=shoes`, `category is other`, `category is missing`.
    pub(super) fn name(&self, feature: &str, bucket: usize) -> String {
        match self.words.get(bucket) {
            Some(word) => format!("{feature}={word}"),
            None if bucket == self.words.len() => format!("{feature} is other"),
            None => format!("{feature} is missing"),
        }
    }
}
