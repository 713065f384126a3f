//! The columns of fixed-width tiles: how an interaction changes one, how two merge.
//!
//! Counts and sums are *running*: a tile holds the total up to its own end, so that a window is the difference of two
//! tiles. They are whole numbers (a sum is kept in steps of 2^-20), so that the difference is exact and the order of
//! addition does not matter.

use super::Touch;

/// Steps of a sum: values are rounded to a multiple of its inverse, about a millionth.
pub(crate) const SUM_STEPS: f64 = (1 << 20) as f64;
/// A value beyond it, about 10^18, counts as it: so 2^15 of them add up without wrapping.
const LARGEST: f64 = (1u64 << 60) as f64;

/// A column of a tile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) kind: Kind,
    /// Which bit of [`Touch::filters`] lets an interaction in.
    pub(crate) filter: u32,
    /// Its first word in a tile.
    pub(crate) at: usize,
}

/// What a column keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Running count; one word that wraps.
    Count,
    /// Running sum of values, 1 for an interaction without one; three words that wrap.
    Sum,
    /// Running count of which each counts half after the half-life (microseconds): the value and the time for which it
    /// holds; four words.
    DecayedCount(f64),
    /// The same of values.
    DecayedSum(f64),
    /// Smallest value; one word.
    Min,
    /// Largest value; one word.
    Max,
    /// Time of the latest and its value as bits; three words.
    LatestValue,
    /// Time of the latest and its word of this attribute; three words.
    LatestWord(usize),
    /// Time of the earliest; two words.
    Earliest,
}

const NEVER: i64 = i64::MIN;

impl Kind {
    /// How many words it takes.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Count | Self::Min | Self::Max => 1,
            Self::Earliest => 2,
            Self::Sum | Self::LatestValue | Self::LatestWord(_) => 3,
            Self::DecayedCount(_) | Self::DecayedSum(_) => 4,
        }
    }

    /// Whether a tile holds the total of itself and all before it.
    pub(crate) fn running(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::DecayedCount(_) | Self::DecayedSum(_))
    }

    /// Writes what stands for no interaction.
    pub(crate) fn clear(self, cell: &mut [u32]) {
        match self {
            Self::Count | Self::Sum => cell.fill(0),
            Self::DecayedCount(_) | Self::DecayedSum(_) => put_decayed(cell, 0.0, NEVER),
            Self::Min | Self::Max => cell[0] = f32::NAN.to_bits(),
            Self::LatestValue | Self::LatestWord(_) => {
                put_i64(cell, NEVER);
                cell[2] = u32::MAX;
            }
            Self::Earliest => put_i64(cell, NEVER),
        }
    }

    /// Counts an interaction that passed the column's filter.
    #[inline]
    pub(crate) fn apply(self, cell: &mut [u32], touch: &Touch<'_>) {
        match self {
            Self::Count => cell[0] = cell[0].wrapping_add(1),
            Self::Sum => put_sum(cell, get_sum(cell) + steps(touch.value.unwrap_or(1.0))),
            Self::DecayedCount(half_life) => add_decayed(cell, 1.0, touch.time, half_life),
            Self::DecayedSum(half_life) => {
                add_decayed(cell, f64::from(touch.value.unwrap_or(1.0)), touch.time, half_life);
            }
            Self::Min => replace(cell, touch.value, |new, old| new < old),
            Self::Max => replace(cell, touch.value, |new, old| new > old),
            Self::LatestValue => latest(cell, touch.time, touch.value.unwrap_or(f32::NAN).to_bits()),
            Self::LatestWord(attribute) => latest(cell, touch.time, touch.attributes[attribute] as u32),
            Self::Earliest => {
                let known = get_i64(cell);
                if known == NEVER || touch.time < known {
                    put_i64(cell, touch.time);
                }
            }
        }
    }

    /// Adds what `other` holds; running columns must be the tile's own part.
    pub(crate) fn merge(self, cell: &mut [u32], other: &[u32]) {
        match self {
            Self::Count => cell[0] = cell[0].wrapping_add(other[0]),
            Self::Sum => put_sum(cell, get_sum(cell) + get_sum(other)),
            Self::DecayedCount(half_life) | Self::DecayedSum(half_life) => {
                let (value, time) = get_decayed(other);
                if time != NEVER {
                    add_decayed(cell, value, time, half_life);
                }
            }
            Self::Min => replace(cell, get_f32(other), |new, old| new < old),
            Self::Max => replace(cell, get_f32(other), |new, old| new > old),
            Self::LatestValue | Self::LatestWord(_) => {
                if get_i64(other) != NEVER {
                    latest(cell, get_i64(other), other[2]);
                }
            }
            Self::Earliest => {
                let (mine, theirs) = (get_i64(cell), get_i64(other));
                if theirs != NEVER && (mine == NEVER || theirs < mine) {
                    put_i64(cell, theirs);
                }
            }
        }
    }

    /// Takes `before`, the total up to the tile before, away from a running total, which leaves the tile's own part.
    pub(crate) fn own_part(self, cell: &mut [u32], before: &[u32]) {
        match self {
            Self::Count => cell[0] = cell[0].wrapping_sub(before[0]),
            Self::Sum => put_sum(cell, get_sum(cell) - get_sum(before)),
            Self::DecayedCount(half_life) | Self::DecayedSum(half_life) => {
                let (value, time) = get_decayed(cell);
                let earlier = decayed_at(before, time, half_life);
                put_decayed(cell, (value - earlier).max(0.0), time);
            }
            _ => {}
        }
    }
}

/// A value in steps of a sum.
fn steps(value: f32) -> i128 {
    (f64::from(value).clamp(-LARGEST, LARGEST) * SUM_STEPS).round() as i128
}

/// The sum of a running column, without what `base`, the tile before the window, holds of it.
pub(crate) fn sum_since(cell: &[u32], base: Option<&[u32]>) -> f64 {
    // The difference wraps as the totals do.
    let mut since = [0; 3];
    put_sum(&mut since, get_sum(cell) - base.map_or(0, get_sum));
    let low = get_i64(&since);
    // Most fit, and then it is the same number sooner.
    let steps = if since[2] as i32 == (low >> 63) as i32 { low as f64 } else { wide(&since) };
    steps / SUM_STEPS
}

#[cold]
fn wide(cell: &[u32]) -> f64 {
    get_sum(cell) as f64
}

/// The three words of a 96-bit number.
fn get_sum(cell: &[u32]) -> i128 {
    i128::from(cell[2] as i32) << 64 | i128::from(get_i64(cell) as u64)
}

fn put_sum(cell: &mut [u32], value: i128) {
    put_i64(cell, value as i64);
    cell[2] = (value >> 64) as u32;
}

/// The value of a decayed column as of `time`.
pub(crate) fn decayed_at(cell: &[u32], time: i64, half_life: f64) -> f64 {
    let (value, reference) = get_decayed(cell);
    if reference == NEVER { 0.0 } else { value * halved(time - reference, half_life) }
}

fn halved(micros: i64, half_life: f64) -> f64 {
    (-(micros as f64) / half_life).exp2()
}

fn add_decayed(cell: &mut [u32], more: f64, time: i64, half_life: f64) {
    let (value, reference) = get_decayed(cell);
    if reference == NEVER {
        put_decayed(cell, more, time);
    } else if time >= reference {
        put_decayed(cell, value * halved(time - reference, half_life) + more, time);
    } else {
        put_decayed(cell, value + more * halved(reference - time, half_life), reference);
    }
}

fn replace(cell: &mut [u32], value: Option<f32>, better: impl Fn(f32, f32) -> bool) {
    let known = f32::from_bits(cell[0]);
    if let Some(value) = value
        && (known.is_nan() || better(value, known))
    {
        cell[0] = value.to_bits();
    }
}

/// Of two at the same time the one received later stays.
fn latest(cell: &mut [u32], time: i64, word: u32) {
    if time >= get_i64(cell) {
        put_i64(cell, time);
        cell[2] = word;
    }
}

/// The two words of a 64-bit number.
pub(crate) fn get_i64(cell: &[u32]) -> i64 {
    (u64::from(cell[0]) | u64::from(cell[1]) << 32) as i64
}

fn put_i64(cell: &mut [u32], value: i64) {
    cell[0] = value as u32;
    cell[1] = (value as u64 >> 32) as u32;
}

/// The value of a smallest or largest.
pub(crate) fn get_f32(cell: &[u32]) -> Option<f32> {
    Some(f32::from_bits(cell[0])).filter(|value| !value.is_nan())
}

/// The time of a latest or earliest.
pub(crate) fn get_time(cell: &[u32]) -> Option<i64> {
    Some(get_i64(cell)).filter(|time| *time != NEVER)
}

fn get_decayed(cell: &[u32]) -> (f64, i64) {
    (f64::from_bits(get_i64(cell) as u64), get_i64(&cell[2..]))
}

fn put_decayed(cell: &mut [u32], value: f64, time: i64) {
    put_i64(cell, value.to_bits() as i64);
    put_i64(&mut cell[2..], time);
}
