//! What the columns of a window's tiles come to.

use headwater_base::FeatureValue;

use crate::tiles::column::{decayed_at, get_f32, get_time, sum_since};
use crate::tiles::fixed::Window;

/// A decayed total within a window that is smaller than this share of the total is taken for 0.
const NOISE: f64 = 1e-9;

/// The count in the column at `at`.
#[inline]
pub(super) fn count(window: &Window<'_>, at: usize) -> f64 {
    let total = window.last.map_or(0, |tile| tile[at]);
    f64::from(total.wrapping_sub(window.base.map_or(0, |tile| tile[at])))
}

#[inline]
pub(super) fn sum(window: &Window<'_>, at: usize) -> f64 {
    let base = window.base.map(|base| &base[at..]);
    window.last.map_or(0.0, |tile| sum_since(&tile[at..], base))
}

/// A decayed count or sum as of `now`.
pub(super) fn decayed(window: &Window<'_>, at: usize, half_life: f64, now: i64) -> f64 {
    let of = |tile: &[u32]| decayed_at(&tile[at..], now, half_life);
    let total = window.last.map_or(0.0, of);
    let within = total - window.base.map_or(0.0, of);
    // What is left of a difference of nearly equal numbers is noise.
    if within > total.abs() * NOISE || within < -total.abs() * NOISE { within } else { 0.0 }
}

pub(super) fn extreme(window: &Window<'_>, at: usize, better: fn(f32, f32) -> f32) -> FeatureValue {
    let values = window.newest_first().filter_map(|tile| get_f32(&tile[at..]));
    values.reduce(better).map_or(FeatureValue::Missing, FeatureValue::number)
}

/// The newest tile whose column at `at` has a latest.
pub(super) fn newest<'a>(window: &Window<'a>, at: usize) -> Option<&'a [u32]> {
    window.newest_first().find(|tile| get_time(&tile[at..]).is_some())
}
