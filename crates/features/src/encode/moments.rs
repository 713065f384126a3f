//! Mean and variance of weighted numbers, exact until they are read.
//!
//! The sums of `w`, `w x` and `w x²` are kept without rounding ([`ExactSum`]), so that neither order nor merging changes
//! a bit, and the subtraction that makes `Σw Σwx² - (Σwx)²` treacherous in floating point is done at 106 bits.

use super::exact::{ExactSum, Twofold};

/// `f32` numbers are integers of 24 bits times 2^(place - 149), with `place` from 0 to 253.
const LOWEST: i32 = -149;

/// Sums over finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moments {
    weight: u128,
    /// Σwx, in 2^-149: 44 bits of weight, 24 of mantissa, up to 253 places, and carries.
    first: ExactSum<7>,
    /// Σwx², in 2^-298: 44 bits of weight, 48 of mantissa, up to 506 places, and carries.
    second: ExactSum<11>,
    lowest: f32,
    highest: f32,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            weight: 0,
            first: ExactSum::default(),
            second: ExactSum::default(),
            lowest: f32::INFINITY,
            highest: f32::NEG_INFINITY,
        }
    }
}

impl Moments {
    /// Counts a finite number with a weight in units of [`super::weight::ONE`].
    pub(super) fn observe(&mut self, number: f32, units: u64) {
        debug_assert!(number.is_finite(), "callers keep out what is not finite");
        if units == 0 {
            return;
        }
        let bits = number.to_bits();
        let (negative, exponent, fraction) = (bits >> 31 == 1, (bits >> 23) & 0xff, bits & 0x007f_ffff);
        let mantissa = u64::from(if exponent == 0 { fraction } else { fraction | 0x0080_0000 });
        let place = exponent.saturating_sub(1) as usize;
        self.weight += u128::from(units);
        self.first.add(u128::from(units) * u128::from(mantissa), place, negative);
        self.second.add(u128::from(units) * u128::from(mantissa * mantissa), 2 * place, false);
        // Adding 0 makes 0 of -0, lest the order decide which of the two stays.
        self.lowest = self.lowest.min(number + 0.0);
        self.highest = self.highest.max(number + 0.0);
    }

    /// Adds what another part of the data gave.
    pub(super) fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.first.merge(&other.first);
        self.second.merge(&other.second);
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
    }

    /// Mean and standard deviation (of the population: divided by the weight); 0 and 0 of nothing.
    pub(super) fn mean_and_deviation(&self) -> (f64, f64) {
        if self.weight == 0 {
            return (0.0, 0.0);
        }
        if self.lowest == self.highest {
            return (f64::from(self.lowest), 0.0);
        }
        let weight = Twofold::integer(self.weight);
        let (first, second) = (self.first.read(LOWEST), self.second.read(2 * LOWEST));
        let spread = weight.times(second).minus(first.times(first));
        let variance = spread.over(weight.times(weight));
        (first.over(weight), variance.max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::weight::{ONE, units};
    use super::*;

    fn observed<'a>(numbers: impl IntoIterator<Item = &'a (f32, f32)>) -> Moments {
        let mut moments = Moments::default();
        for (number, weight) in numbers {
            moments.observe(*number, units(*weight));
        }
        moments
    }

    fn any_finite() -> impl Strategy<Value = f32> {
        any::<f32>().prop_filter("finite", |number| number.is_finite())
    }

    proptest! {
        #[test]
        fn integers_have_the_moments_of_integer_arithmetic(
            numbers in prop::collection::vec((-1000_i32..1000, 1_u32..20), 1..60),
            base in -8_000_000_i32..8_000_000,
        ) {
            // Far from 0 and close together is where the naive formula fails.
            let moments = observed(&numbers.iter().map(|(n, w)| ((base + n) as f32, *w as f32)).collect::<Vec<_>>());
            let sum = |of: fn(i128) -> i128| {
                numbers.iter().map(|(n, w)| of(i128::from(base + n)) * i128::from(*w)).sum::<i128>()
            };
            let (weight, first, second) = (sum(|_| 1), sum(|n| n), sum(|n| n * n));
            let (mean, deviation) = moments.mean_and_deviation();
            prop_assert!((mean - first as f64 / weight as f64).abs() <= 1e-15 * mean.abs());
            let variance = (weight * second - first * first) as f64 / (weight * weight) as f64;
            prop_assert!((deviation - variance.sqrt()).abs() <= 1e-14 * deviation, "{deviation} {variance}");
        }

        #[test]
        fn other_numbers_have_the_moments_of_two_passes(
            numbers in prop::collection::vec((-1e3_f32..1e3, 0.1_f32..10.0), 1..60),
        ) {
            let (mean, deviation) = observed(&numbers).mean_and_deviation();
            let weight = |w: f32| units(w) as f64 / ONE as f64;
            let total: f64 = numbers.iter().map(|(_, w)| weight(*w)).sum();
            let expected = numbers.iter().map(|(n, w)| f64::from(*n) * weight(*w)).sum::<f64>() / total;
            prop_assert!((mean - expected).abs() <= 1e-11, "{mean} {expected}");
            let squares: f64 = numbers.iter().map(|(n, w)| (f64::from(*n) - expected).powi(2) * weight(*w)).sum();
            prop_assert!((deviation - (squares / total).sqrt()).abs() <= 1e-9);
        }

        #[test]
        fn order_and_split_change_no_bit(
            numbers in prop::collection::vec((any_finite(), 0.0_f32..100.0), 0..40),
            cut in 0_usize..40,
        ) {
            let all = observed(&numbers);
            let (left, right) = numbers.split_at(cut.min(numbers.len()));
            let mut merged = observed(right);
            merged.merge(&observed(left));
            prop_assert_eq!(&all, &observed(numbers.iter().rev()));
            prop_assert_eq!(&all, &merged);
            let (mean, deviation) = all.mean_and_deviation();
            prop_assert!(mean.is_finite() && deviation.is_finite());
        }
    }

    #[test]
    fn extremes_neither_overflow_nor_vanish() {
        let smallest = f32::from_bits(1);
        let (mean, deviation) = observed(&[(f32::MAX, 1.0), (f32::MIN, 1.0)]).mean_and_deviation();
        assert_eq!((mean, deviation), (0.0, f64::from(f32::MAX)));
        let (mean, deviation) = observed(&[(0.0, 1.0), (smallest, 1.0)]).mean_and_deviation();
        assert_eq!((mean, deviation), (f64::from(smallest) / 2.0, f64::from(smallest) / 2.0));
        let (mean, _) = observed(&[(f32::MAX, 1.0), (f32::MIN, 1.0), (smallest, 1.0)]).mean_and_deviation();
        assert!((mean / f64::from(smallest) * 3.0 - 1.0).abs() < 1e-15, "what cancels leaves what is small");
    }

    #[test]
    fn one_number_or_none_has_no_deviation() {
        assert_eq!(observed(&[]).mean_and_deviation(), (0.0, 0.0));
        assert_eq!(observed(&[(0.1, 3.0), (0.1, 0.7)]).mean_and_deviation(), (f64::from(0.1_f32), 0.0));
    }
}
