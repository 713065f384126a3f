//! The weight of an example in fixed point, so that sums of weights do not depend on their order.

/// One example of weight 1.
pub(super) const ONE: u64 = 1 << 20;
/// Heavier examples count as this much: 2^24 examples.
const HEAVIEST: u64 = ONE << 24;

/// A weight in units of 2^-20, rounded to the nearest; nothing for weights that are negative or NaN.
pub(super) fn units(weight: f32) -> u64 {
    // A cast from floating point saturates, and takes NaN for 0.
    ((f64::from(weight) * ONE as f64).round() as u64).min(HEAVIEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_rounded_and_bounded() {
        assert_eq!(units(1.0), ONE);
        assert_eq!(units(0.5), ONE / 2);
        assert_eq!(units(1e-9), 0);
        assert_eq!((units(-1.0), units(f32::NAN)), (0, 0));
        assert_eq!(units(f32::INFINITY), HEAVIEST);
    }
}
