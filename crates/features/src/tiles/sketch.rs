//! Sketches of distinct counts, quantiles and frequent words: exact while small, a library's sketch beyond that.
//!
//! Whatever they hold depends on the order of what was added alone, and what is read back from a checkpoint goes on as
//! if it had never been away. So a t-digest is kept as its bytes, to which values are added many at a time; and
//! frequent words are counted here (Misra and Gries, 1982), because a library's purge samples its table's layout.

use std::io::{Read, Write};

use datasketches::hll::{HllSketch, HllType, HllUnion};
use datasketches::tdigest::TDigestMut;

use crate::FeaturesError;
use crate::bytes::{Reader, Writer, damaged};
use crate::declared::check::MAX_WORDS;

/// Up to how many values a quantile is exact, and how many are added to a digest at once.
const EXACT: usize = 128;
/// Up to how many different values are kept as they are. Beyond 192 the library's sketch is an array; before, it is a hash
/// table, whose bytes depend on whether it was read from a checkpoint, and which is no smaller than the values. Some more,
/// because two values may be one to the sketch.
const EXACT_DISTINCT: usize = 208;
/// 2^11 registers: a standard error of 2.3 %.
const LOG_REGISTERS: u8 = 11;
/// Compression of the t-digest: about this many centroids. With half of them the ranks of values over many orders of magnitude,
/// between which a digest interpolates, were off by 0.03.
const CENTROIDS: u16 = 200;
/// Words whose frequencies one tile keeps: as many as may be asked for, at least.
const FREQUENT: usize = 128;
const _: () = assert!(FREQUENT >= MAX_WORDS, "a tile keeps as many words as a `top_k` may give");

/// Different values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Distinct {
    /// All of them, sorted.
    Few(Vec<u64>),
    Many(Box<HllSketch>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

fn registers() -> HllSketch {
    HllSketch::new(LOG_REGISTERS, HllType::Hll8).expect("2^11 registers are allowed")
}

impl Distinct {
    pub(crate) fn add(&mut self, value: u64) {
        match self {
            Self::Few(values) => {
                let Err(index) = values.binary_search(&value) else { return };
                if values.len() < EXACT_DISTINCT {
                    values.insert(index, value);
                    return;
                }
                let mut sketch = registers();
                values.iter().for_each(|value| sketch.update(*value));
                sketch.update(value);
                *self = Self::Many(Box::new(sketch));
            }
            Self::Many(sketch) => sketch.update(value),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(values)) => values.iter().for_each(|value| self.add(*value)),
            (_, Self::Many(_)) => {
                let union = union_of(&[&*self, other]);
                *self = Self::Many(Box::new(union.to_sketch(HllType::Hll8)));
            }
        }
    }

    /// How many different values several hold together, of which the first changes more often than the others: what is found
    /// out about these is `known` until it is forgotten.
    pub(crate) fn count<'a>(mut all: impl Iterator<Item = &'a Self> + Clone, known: &mut Union) -> f64 {
        let again = all.clone();
        let Some(newest) = all.next() else { return 0.0 };
        if known.kind == UnionKind::Unknown {
            known.add(all);
        }
        match (newest, known.kind) {
            (Self::Few(values), UnionKind::Few) => (known.values.len() + known.without(values)) as f64,
            // The estimate that a union of them gives.
            (Self::Many(sketch), UnionKind::Few) if known.values.is_empty() => sketch.composite_estimate(),
            _ => union_of(&again.collect::<Vec<_>>()).estimate(),
        }
    }
}

/// The different values of several, as long as they are few.
#[derive(Clone, Debug, Default)]
pub(crate) struct Union {
    kind: UnionKind,
    /// Sorted.
    values: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum UnionKind {
    #[default]
    Unknown,
    Few,
    Many,
}

impl Union {
    /// What was found out holds no longer.
    pub(crate) fn forget(&mut self) {
        self.kind = UnionKind::Unknown;
    }

    fn add<'a>(&mut self, all: impl Iterator<Item = &'a Distinct>) {
        self.values.clear();
        self.kind = UnionKind::Few;
        for distinct in all {
            match distinct {
                Distinct::Few(few) => self.values.extend_from_slice(few),
                Distinct::Many(_) => self.kind = UnionKind::Many,
            }
        }
        self.values.sort_unstable();
        self.values.dedup();
    }

    /// How many of these sorted values are not among its own.
    fn without(&self, values: &[u64]) -> usize {
        let (mut rest, mut others) = (self.values.as_slice(), 0);
        for value in values {
            let smaller = rest.iter().take_while(|known| *known < value).count();
            rest = &rest[smaller..];
            others += usize::from(rest.first() != Some(value));
        }
        others
    }
}

fn union_of(all: &[&Distinct]) -> HllUnion {
    let mut union = HllUnion::new(LOG_REGISTERS).expect("2^11 registers are allowed");
    // An array takes part as it is; a list in hand would be made one first.
    for distinct in all {
        if let Distinct::Many(sketch) = distinct {
            union.update(sketch);
        }
    }
    for distinct in all {
        if let Distinct::Few(values) = distinct {
            values.iter().for_each(|value| union.update_value(*value));
        }
    }
    union
}

/// Values of which a quantile is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Quantile {
    /// The last ones, in the order received.
    few: Vec<f32>,
    /// A t-digest of all before them.
    many: Option<Box<[u8]>>,
}

impl Quantile {
    pub(crate) fn add(&mut self, value: f32) {
        self.few.push(value);
        if self.few.len() > EXACT {
            self.compress(&[]);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if let Some(bytes) = &other.many {
            self.compress(bytes);
        }
        other.few.iter().for_each(|value| self.add(*value));
    }

    fn compress(&mut self, other: &[u8]) {
        let mut digest = self.many.as_deref().map_or_else(empty_digest, read_digest);
        self.few.drain(..).for_each(|value| digest.update(f64::from(value)));
        if !other.is_empty() {
            digest.merge(&read_digest(other));
        }
        self.many = Some(digest.serialize().into());
    }

    /// The quantile of all values together; `None` where there is none.
    pub(crate) fn at(all: &[&Self], rank: f64) -> Option<f32> {
        if all.iter().all(|quantile| quantile.many.is_none()) {
            let mut values: Vec<f32> = all.iter().flat_map(|quantile| &quantile.few).copied().collect();
            // The smallest value that at least this share of the values does not exceed.
            let place = (rank * values.len() as f64).ceil().max(1.0) as usize - 1;
            let place = place.min(values.len().checked_sub(1)?);
            return Some(*values.select_nth_unstable_by(place, f32::total_cmp).1);
        }
        let mut digest = empty_digest();
        for quantile in all {
            if let Some(bytes) = &quantile.many {
                digest.merge(&read_digest(bytes));
            }
            quantile.few.iter().for_each(|value| digest.update(f64::from(*value)));
        }
        digest.quantile(rank).ok().flatten().map(|value| value as f32)
    }
}

fn empty_digest() -> TDigestMut {
    TDigestMut::new(CENTROIDS).expect("a compression of at least 10")
}

fn read_digest(bytes: &[u8]) -> TDigestMut {
    TDigestMut::deserialize(bytes).expect("bytes that were checked when they were read")
}

/// Words and how often they came, sorted by word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Frequent(Vec<(u32, u32)>);

impl Frequent {
    pub(crate) fn add(&mut self, word: u32, count: u32) {
        match self.0.binary_search_by_key(&word, |(word, _)| *word) {
            Ok(index) => self.0[index].1 = self.0[index].1.saturating_add(count),
            Err(index) => {
                self.0.insert(index, (word, count));
                if self.0.len() > FREQUENT {
                    let least = self.0.iter().map(|(_, count)| *count).min().unwrap_or(0);
                    self.0.iter_mut().for_each(|(_, count)| *count -= least);
                    self.0.retain(|(_, count)| *count > 0);
                }
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(word, count)| self.add(*word, *count));
    }

    /// The `k` most frequent words of all together, most frequent first, ties by word.
    pub(crate) fn top(all: &[&Self], k: usize) -> Vec<u32> {
        let mut counts: Vec<(u32, u32)> = all.iter().flat_map(|frequent| &frequent.0).copied().collect();
        counts.sort_unstable_by_key(|(word, _)| *word);
        counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        counts.sort_unstable_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
        counts.truncate(k);
        counts.into_iter().map(|(word, _)| word).collect()
    }
}

/// The latest words with their times, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recent(Vec<(i64, u32)>);

impl Recent {
    /// Adds a word and keeps the latest `n`; of equal times the one added later is later.
    pub(crate) fn add(&mut self, time: i64, word: u32, n: usize) {
        let index = self.0.partition_point(|(other, _)| *other <= time);
        self.0.insert(index, (time, word));
        if self.0.len() > n {
            self.0.remove(0);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, n: usize) {
        other.0.iter().for_each(|(time, word)| self.add(*time, *word, n));
    }

    /// Where the latest is.
    pub(crate) fn newest(&self) -> Option<&(i64, u32)> {
        self.0.last()
    }

    /// The words, latest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        self.0.iter().rev().map(|(_, word)| *word)
    }
}

/// Bytes of a sketch in memory and in a checkpoint.
pub(crate) trait Sketch: Sized {
    fn heap_bytes(&self) -> usize;
    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError>;
    fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, FeaturesError>;
}

impl Sketch for Distinct {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(values) => 8 * values.capacity(),
            Self::Many(sketch) => sketch.estimated_size(),
        }
    }

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        match self {
            Self::Few(values) => {
                writer.length(values.len())?;
                values.iter().try_for_each(|value| writer.u64(*value))
            }
            Self::Many(sketch) => {
                writer.length(EXACT_DISTINCT + 1)?;
                writer.block(&sketch.serialize())
            }
        }
    }

    fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        let length = reader.length()?;
        if length > EXACT_DISTINCT {
            let sketch = HllSketch::deserialize(&reader.blob()?).map_err(damaged)?;
            return Ok(Self::Many(Box::new(sketch)));
        }
        let values: Result<Vec<u64>, _> = (0..length).map(|_| reader.u64()).collect();
        Ok(Self::Few(values?))
    }
}

impl Sketch for Quantile {
    fn heap_bytes(&self) -> usize {
        4 * self.few.capacity() + self.many.as_ref().map_or(0, |bytes| bytes.len())
    }

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.u32s(self.few.iter().map(|value| value.to_bits()))?;
        writer.block(self.many.as_deref().unwrap_or_default())
    }

    fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        let few = reader.u32s()?.into_iter().map(f32::from_bits).collect();
        let bytes = reader.blob()?;
        if !bytes.is_empty() {
            TDigestMut::deserialize(&bytes).map_err(damaged)?;
        }
        Ok(Self { few, many: (!bytes.is_empty()).then(|| bytes.into()) })
    }
}

impl Sketch for Frequent {
    fn heap_bytes(&self) -> usize {
        8 * self.0.capacity()
    }

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.u32s(self.0.iter().flat_map(|(word, count)| [*word, *count]).collect::<Vec<_>>().into_iter())
    }

    fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        let words = reader.u32s()?;
        Ok(Self(words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
    }
}

impl Sketch for Recent {
    fn heap_bytes(&self) -> usize {
        16 * self.0.capacity()
    }

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.length(self.0.len())?;
        self.0.iter().try_for_each(|(time, word)| {
            writer.i64(*time)?;
            writer.u32(*word)
        })
    }

    fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        let length = reader.length()?;
        let entries: Result<_, FeaturesError> =
            (0..length).map(|_| Ok((reader.i64()?, reader.u32()?))).collect();
        Ok(Self(entries?))
    }
}
