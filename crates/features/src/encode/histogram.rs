//! Counts of numbers by value, exact for few distinct ones, coarser for many; from these come quantiles.
//!
//! Keys are the bits of `f32` in ascending order of the numbers, their last `shift` bits dropped. With more than
//! [`MOST_KEYS`] of them the shift grows until they fit, which joins neighbours. The final shift is the smallest at which
//! all observed numbers fit, so neither order nor merging shows. A shift of `s` places a cut within a share of 2^(s-23) of
//! the number; numbers spread over 32 powers of two fit at a share of 0.05%. What lies below each cut is counted exactly.

use hashbrown::HashMap;

/// Distinct numbers kept apart, about a megabyte a feature.
pub(super) const MOST_KEYS: usize = 65_536;

/// Weights by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    shift: u32,
    counts: HashMap<u32, u64>,
}

impl Histogram {
    /// Counts a finite number with a weight in units of [`super::weight::ONE`].
    pub(super) fn observe(&mut self, number: f32, units: u64) {
        debug_assert!(number.is_finite(), "callers keep out what is not finite");
        if units != 0 {
            self.count(to_key(number) >> self.shift, units);
        }
    }

    /// Adds what another part of the data gave.
    pub(super) fn merge(&mut self, other: &Self) {
        while self.shift < other.shift {
            self.coarsen();
        }
        for (key, units) in &other.counts {
            // Counting may coarsen these keys again.
            self.count(key >> (self.shift - other.shift), *units);
        }
    }

    fn count(&mut self, key: u32, units: u64) {
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(units);
        while self.counts.len() > MOST_KEYS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.shift += 1;
        let finer = std::mem::take(&mut self.counts);
        for (key, units) in finer {
            let count = self.counts.entry(key >> 1).or_default();
            *count = count.saturating_add(units);
        }
    }

    /// The smallest numbers `c` such that at least `k / parts` of the weight is at `c` or below, for each `k` from 1 to
    /// `parts - 1`; each once, and none at or above the largest number, lest a bin be empty.
    pub(super) fn cuts(&self, parts: u32) -> Vec<f32> {
        let mut counts: Vec<(u32, u64)> = self.counts.iter().map(|(key, units)| (*key, *units)).collect();
        counts.sort_unstable();
        let total: u128 = counts.iter().map(|(_, units)| u128::from(*units)).sum();
        counts.pop();
        let mut cuts = Vec::new();
        let (mut below, mut part) = (0_u128, 1_u128);
        for (key, units) in counts {
            below += u128::from(units);
            let reached = below * u128::from(parts);
            if reached >= part * total {
                cuts.push(self.highest_of(key));
                part = reached / total + 1;
            }
        }
        cuts
    }

    /// The highest number counted under a key.
    fn highest_of(&self, key: u32) -> f32 {
        from_key((key << self.shift) | ((1 << self.shift) - 1))
    }
}

/// Bits that ascend with the number; -0 is 0.
fn to_key(number: f32) -> u32 {
    let bits = (number + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn from_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key ^ 1 << 31 } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::weight::ONE;
    use super::*;

    proptest! {
        #[test]
        fn keys_ascend_with_the_numbers(a in any::<f32>(), b in any::<f32>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(a.partial_cmp(&b), Some(to_key(a).cmp(&to_key(b))));
            prop_assert_eq!(from_key(to_key(a)), a);
        }
    }

    /// As many distinct numbers as do not fit, within a factor of two of each other.
    fn many() -> impl DoubleEndedIterator<Item = f32> + Clone {
        (0..MOST_KEYS as u32 * 3).map(|step| 1.0 + step as f32 / (MOST_KEYS as f32 * 3.0))
    }

    #[test]
    fn many_numbers_coarsen_to_the_same_counts_in_any_order_and_split() {
        let fitted = |numbers: &mut dyn Iterator<Item = f32>| {
            let mut histogram = Histogram::default();
            numbers.for_each(|number| histogram.observe(number, ONE));
            histogram
        };
        let forward = fitted(&mut many());
        assert_eq!(
            forward.shift, 7,
            "196,608 of the 2^23 numbers between 1 and 2 fit as 65,536 groups of 128"
        );
        let backward = fitted(&mut many().rev());
        let mut merged = fitted(&mut many().step_by(50));
        assert_eq!(merged.shift, 0);
        merged.merge(&fitted(&mut many()));
        let mut doubled = forward.clone();
        doubled.merge(&fitted(&mut many().step_by(50)));
        assert_eq!((backward.shift, &backward.counts), (forward.shift, &forward.counts));
        assert_eq!((merged.shift, &merged.counts), (doubled.shift, &doubled.counts));
    }

    #[test]
    fn coarse_cuts_are_close_and_what_lies_below_is_exact() {
        let mut histogram = Histogram::default();
        many().for_each(|number| histogram.observe(number, ONE));
        let cuts = histogram.cuts(4);
        for (cut, exact) in cuts.iter().zip([1.25, 1.5, 1.75]) {
            assert!((cut / exact - 1.0).abs() <= 2_f32.powi(7 - 23), "{cut} {exact}");
        }
        let below = many().filter(|number| *number <= cuts[1]).count();
        let counted: u64 = histogram
            .counts
            .iter()
            .filter(|(key, _)| histogram.highest_of(**key) <= cuts[1])
            .map(|(_, c)| c)
            .sum();
        assert_eq!(counted, below as u64 * ONE);
    }
}
