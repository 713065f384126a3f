//! Percentile bootstrap intervals of means over cases (Efron 1979).
//!
//! Each resample draws as many cases as there are, with replacement; the interval lies between two quantiles of the
//! resampled means. Several metrics of the same cases share the resamples, which makes them cheap and keeps the
//! intervals comparable.

use headwater_base::random::seeded;
use rand::Rng as _;

/// A mean with the interval it lies in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean of the sample.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// How an interval is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// Seed of the resamples.
    pub seed: u64,
    /// How many resamples; 1,000 settles the second digit of the width.
    pub resamples: usize,
    /// Share of the resampled means within the interval, between 0 and 1.
    pub confidence: f64,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { seed: 1, resamples: 1_000, confidence: 0.95 }
    }
}

/// The interval of the mean of `values`; `None` where there are none.
pub fn mean_interval(values: &[f64], resampling: &Resampling) -> Option<Interval> {
    mean_intervals(&[values], resampling).map(|intervals| intervals[0])
}

/// The interval of the mean difference `a[i] - b[i]` of two treatments of the same cases; `None` where there are none.
///
/// # Panics
/// Where the lengths differ.
pub fn paired_difference(a: &[f64], b: &[f64], resampling: &Resampling) -> Option<Interval> {
    assert_eq!(a.len(), b.len(), "paired values belong to the same cases");
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    mean_interval(&differences, resampling)
}

/// The intervals of the means of several columns over the same cases, sharing the resamples; `None` where there are
/// no cases.
///
/// # Panics
/// Where the columns differ in length.
pub fn mean_intervals(columns: &[&[f64]], resampling: &Resampling) -> Option<Vec<Interval>> {
    let cases = columns.first().map_or(0, |column| column.len());
    assert!(columns.iter().all(|column| column.len() == cases), "every column has one value per case");
    if cases == 0 {
        return None;
    }
    let mut random = seeded(resampling.seed, "bootstrap");
    let mut counts = vec![0f64; cases];
    let mut means = vec![Vec::with_capacity(resampling.resamples); columns.len()];
    for _ in 0..resampling.resamples {
        counts.fill(0.0);
        for _ in 0..cases {
            // The high half of the product is uniform below `cases`, but for a bias of cases / 2^64.
            let drawn = (u128::from(random.next_u64()) * cases as u128) >> 64;
            counts[drawn as usize] += 1.0;
        }
        for (means, column) in means.iter_mut().zip(columns) {
            means.push(dot(&counts, column) / cases as f64);
        }
    }
    let interval = |(column, mut means): (&&[f64], Vec<f64>)| {
        means.sort_unstable_by(f64::total_cmp);
        let value = column.iter().sum::<f64>() / cases as f64;
        let tail = (1.0 - resampling.confidence) / 2.0;
        Interval {
            value,
            low: quantile(&means, tail).unwrap_or(value),
            high: quantile(&means, 1.0 - tail).unwrap_or(value),
        }
    };
    Some(columns.iter().zip(means).map(interval).collect())
}

/// Inner product in eight lanes, so that the compiler may use wide registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0f64; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f64>()
}

/// The quantile of ascending numbers, interpolated between neighbours (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with a known mean and variance: 0, 1, .., 99 in some order.
    fn values() -> Vec<f64> {
        (0..100u32).map(|k| f64::from(k * 37 % 100)).collect()
    }

    #[test]
    fn the_width_is_that_of_the_normal_approximation() {
        let interval =
            mean_interval(&values(), &Resampling { resamples: 4_000, ..Resampling::default() }).unwrap();
        let error = (9_999.0f64 / 12.0 / 100.0).sqrt();
        assert!((interval.value - 49.5).abs() < 1e-12);
        assert!((interval.low - (49.5 - 1.96 * error)).abs() < 0.3, "{interval:?}");
        assert!((interval.high - (49.5 + 1.96 * error)).abs() < 0.3, "{interval:?}");
    }

    #[test]
    fn columns_share_their_resamples_and_seeds_repeat() {
        let a = values();
        let shifted: Vec<f64> = a.iter().map(|x| x + 10.0).collect();
        let both = mean_intervals(&[&a, &shifted], &Resampling::default()).unwrap();
        assert_eq!(both[0], mean_interval(&a, &Resampling::default()).unwrap());
        assert!((both[1].low - both[0].low - 10.0).abs() < 1e-9);
        let other = Resampling { seed: 2, ..Resampling::default() };
        assert_ne!(mean_interval(&a, &other), mean_interval(&a, &Resampling::default()));
    }

    #[test]
    fn a_paired_difference_ignores_what_both_share() {
        let a = values();
        let b: Vec<f64> = a.iter().map(|x| x - 1.0).collect();
        let interval = paired_difference(&a, &b, &Resampling::default()).unwrap();
        assert!((interval.low - 1.0).abs() < 1e-9 && (interval.high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_has_no_interval_and_one_case_a_narrow_one() {
        assert_eq!(mean_interval(&[], &Resampling::default()), None);
        assert_eq!(mean_intervals(&[], &Resampling::default()), None);
        let one = mean_interval(&[3.0], &Resampling::default()).unwrap();
        assert_eq!(one, Interval { value: 3.0, low: 3.0, high: 3.0 });
        let none = Resampling { resamples: 0, ..Resampling::default() };
        assert_eq!(mean_interval(&[1.0, 3.0], &none).unwrap(), Interval { value: 2.0, low: 2.0, high: 2.0 });
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), Some(4.0));
    }
}
