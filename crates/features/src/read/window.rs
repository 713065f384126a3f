//! What the tiles of a window come to.

use crate::declared::plan::ReadOp;
use crate::tiles::column::{decayed_at, get_f32, get_time, sum_since};
use crate::tiles::fixed::Window;
use crate::tiles::large::{Distinct, Frequent, LargeTile, Quantile, Recent, Union};

/// A decayed total within a window that is smaller than this share of the total is taken for 0.
const NOISE: f64 = 1e-9;

/// A value as tiles give it: words are numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TileValue {
    Missing,
    /// Finite.
    Number(f32),
    /// Of the attribute that the read names.
    Word(u32),
    /// The same; they were written where the caller said.
    Words,
}

impl TileValue {
    #[inline]
    fn number(number: f64) -> Self {
        let number = number as f32;
        if number.is_finite() { Self::Number(number) } else { Self::Missing }
    }
}

/// The best value in the closed tiles of a window, not a number where they have none; `None` until it was looked for.
pub(crate) type Closed = Option<f32>;

/// What is read from a window of fixed tiles at the moment `now`; what was found out about its closed tiles stays in
/// `closed`.
#[inline(always)]
pub(crate) fn of_fixed(read: &ReadOp, window: &Window<'_>, now: i64, closed: &mut Closed) -> TileValue {
    let seconds = |since: i64| TileValue::number((now - since).max(0) as f64 / 1e6);
    match *read {
        ReadOp::Count(at) => TileValue::number(count(window, at)),
        ReadOp::Sum(at) => TileValue::number(sum(window, at)),
        ReadOp::Mean { count: valued, sum: total } => {
            TileValue::number(sum(window, total) / count(window, valued))
        }
        ReadOp::Rate { hits, total, prior } => {
            TileValue::number(rate(count(window, hits), count(window, total), prior))
        }
        ReadOp::Decayed { column, half_life } => TileValue::number(decayed(window, column, half_life, now)),
        ReadOp::DecayedMean { count, sum, half_life } => match decayed(window, count, half_life, now) {
            0.0 => TileValue::Missing,
            count => TileValue::number(decayed(window, sum, half_life, now) / count),
        },
        ReadOp::DecayedRate { hits, total, prior, half_life } => {
            let [hits, total] = [hits, total].map(|at| decayed(window, at, half_life, now));
            TileValue::number(rate(hits, total, prior))
        }
        ReadOp::Min(at) => extreme(window, at, closed, |new, old| new < old),
        ReadOp::Max(at) => extreme(window, at, closed, |new, old| new > old),
        ReadOp::LastValue(at) => newest(window, at)
            .map_or(TileValue::Missing, |tile| TileValue::number(f64::from(f32::from_bits(tile[at + 2])))),
        ReadOp::LastWord(at, _) => {
            newest(window, at).map_or(TileValue::Missing, |tile| TileValue::Word(tile[at + 2]))
        }
        ReadOp::SecondsSinceLast(at) => {
            let time = newest(window, at).and_then(|tile| get_time(&tile[at..]));
            time.map_or(TileValue::Missing, seconds)
        }
        ReadOp::SecondsSinceFirst(at) => {
            let times = window.newest_first().filter_map(|tile| get_time(&tile[at..]));
            times.min().map_or(TileValue::Missing, seconds)
        }
        // Of large tiles.
        ReadOp::Distinct(_) | ReadOp::Quantile(..) | ReadOp::TopK(..) | ReadOp::LastN(..) => {
            TileValue::Missing
        }
    }
}

/// What is read from a window, which has tiles, as it was at several moments: of each its newest tile then, when it was, and
/// what `found` is to be told that it is of.
#[inline]
pub(crate) fn each_of_fixed<'t, T>(
    read: &ReadOp,
    window: &Window<'t>,
    moments: impl Iterator<Item = (&'t [u32], i64, T)>,
    mut found: impl FnMut(T, TileValue),
) {
    let mut closed = None;
    // To know beforehand which it is makes the usual ones several times as fast.
    macro_rules! each {
        ($read:expr) => {
            for (last, now, of) in moments {
                found(of, of_fixed($read, &window.with_newest(last), now, &mut closed));
            }
        };
    }
    match *read {
        ReadOp::Count(at) => each!(&ReadOp::Count(at)),
        ReadOp::Sum(at) => each!(&ReadOp::Sum(at)),
        ReadOp::Mean { count, sum } => each!(&ReadOp::Mean { count, sum }),
        ReadOp::Rate { hits, total, prior } => each!(&ReadOp::Rate { hits, total, prior }),
        _ => each!(read),
    }
}

/// What is read from the large tiles of a window, oldest first; several words are written to `words`, and what was found
/// out about the tiles before the newest stays in `known`.
pub(crate) fn of_large(
    read: ReadOp,
    tiles: &[LargeTile],
    words: &mut Vec<u32>,
    known: &mut Union,
) -> TileValue {
    let newest_first = tiles.iter().rev();
    match read {
        ReadOp::Distinct(column) => {
            let all = newest_first.filter_map(|tile| tile.distinct(column));
            TileValue::number(Distinct::count(all, known))
        }
        ReadOp::Quantile(column, rank) => {
            let all: Vec<&Quantile> = newest_first.filter_map(|tile| tile.quantile(column)).collect();
            Quantile::at(&all, rank).map_or(TileValue::Missing, |value| TileValue::number(f64::from(value)))
        }
        ReadOp::TopK(column, _, k) => {
            let all: Vec<&Frequent> = newest_first.filter_map(|tile| tile.frequent(column)).collect();
            words.clear();
            words.extend(Frequent::top(&all, k));
            TileValue::Words
        }
        ReadOp::LastN(column, _, n) => {
            words.clear();
            for recent in newest_first.filter_map(|tile| tile.recent(column)) {
                let room = n - words.len();
                words.extend(Recent::newest_first(recent).take(room));
            }
            TileValue::Words
        }
        // Of fixed tiles.
        _ => TileValue::Missing,
    }
}

#[inline]
fn count(window: &Window<'_>, at: usize) -> f64 {
    let total = window.last.map_or(0, |tile| tile[at]);
    f64::from(total.wrapping_sub(window.base.map_or(0, |tile| tile[at])))
}

#[inline]
fn sum(window: &Window<'_>, at: usize) -> f64 {
    let base = window.base.map(|base| &base[at..]);
    window.last.map_or(0.0, |tile| sum_since(&tile[at..], base))
}

#[inline]
fn rate(hits: f64, total: f64, prior: (f32, f32)) -> f64 {
    (hits + f64::from(prior.0)) / (total + f64::from(prior.1))
}

/// A decayed count or sum as of `now`.
fn decayed(window: &Window<'_>, at: usize, half_life: f64, now: i64) -> f64 {
    let of = |tile: &[u32]| decayed_at(&tile[at..], now, half_life);
    let total = window.last.map_or(0.0, of);
    let within = total - window.base.map_or(0.0, of);
    // What is left of a difference of nearly equal numbers is noise.
    if within > total.abs() * NOISE || within < -total.abs() * NOISE { within } else { 0.0 }
}

#[inline]
fn extreme(
    window: &Window<'_>,
    at: usize,
    closed: &mut Closed,
    better: impl Fn(f32, f32) -> bool,
) -> TileValue {
    let best = |known: f32, value: f32| if known.is_nan() || better(value, known) { value } else { known };
    let of = |tile: &[u32]| get_f32(&tile[at..]).unwrap_or(f32::NAN);
    let closed = *closed.get_or_insert_with(|| window.closed().map(of).fold(f32::NAN, best));
    TileValue::number(f64::from(best(window.last.map_or(f32::NAN, of), closed)))
}

/// The newest tile whose column at `at` has a latest.
#[inline]
fn newest<'a>(window: &Window<'a>, at: usize) -> Option<&'a [u32]> {
    window.newest_first().find(|tile| get_time(&tile[at..]).is_some())
}
