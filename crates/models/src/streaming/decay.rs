//! Forward exponential decay: an event at time t weighs 2^(t / half-life), whatever the time of reading.

use std::time::Duration;

use headwater_base::Timestamp;

/// How long it takes a weight to halve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfLife {
    micros: f64,
}

/// 2^(t / half-life) as `scale * 2^whole`, with `scale` in [1, 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Whole half-lives since the epoch.
    pub whole: i64,
    /// What remains, as a factor in [1, 2).
    pub scale: f64,
}

impl HalfLife {
    /// A half-life of `duration`; at least one second, so that exponents stay small integers.
    pub fn new(duration: Duration) -> Self {
        Self { micros: duration.as_secs_f64().max(1.0) * 1e6 }
    }

    /// The growth factor of an event at `time`.
    pub fn growth(self, time: Timestamp) -> Growth {
        let exponent = time.as_micros() as f64 / self.micros;
        let whole = exponent.floor();
        Growth { whole: whole as i64, scale: exp2_fraction(exponent - whole) }
    }
}

impl Growth {
    /// This growth relative to `landmark`: how much an event then weighs where one at the landmark weighs 1.
    pub fn relative_to(self, landmark: i64) -> f64 {
        self.scale * power_of_two(self.whole - landmark)
    }
}

/// 2^exponent, exactly; 0 below the normal range and the largest power above it.
pub fn power_of_two(exponent: i64) -> f64 {
    if exponent < -1022 {
        return 0.0;
    }
    let biased = exponent.min(1023) + 1023;
    f64::from_bits((biased as u64) << 52)
}

/// Coefficients ln(2)^n / n! of 2^x around 0.
const COEFFICIENTS: [f64; 12] = [
    1.0,
    std::f64::consts::LN_2,
    2.402_265_069_591_007e-1,
    5.550_410_866_482_158e-2,
    9.618_129_107_628_477e-3,
    1.333_355_814_642_844_3e-3,
    1.540_353_039_338_161e-4,
    1.525_273_380_405_984e-5,
    1.321_548_679_014_431e-6,
    1.017_808_600_923_97e-7,
    7.054_911_620_801_123e-9,
    4.445_538_271_870_811e-10,
];

/// 2^x for x in [0, 1), to about 1e-13.
///
/// Our own, since the platform's `exp2` may differ in the last bit between machines, and scores go into checkpoints
/// that must be equal to the byte. Plain multiplications and additions are the same everywhere.
fn exp2_fraction(x: f64) -> f64 {
    // Around the middle of the interval the series needs half as many terms.
    let centred = x - 0.5;
    let series = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * centred + coefficient);
    // At the very ends rounding may step over the edge by one unit.
    (series * std::f64::consts::SQRT_2).clamp(1.0, 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_doubles_each_half_life() {
        let half_life = HalfLife::new(Duration::from_secs(3600));
        let now = half_life.growth(Timestamp::from_seconds(1_764_000_000));
        let later = half_life.growth(Timestamp::from_seconds(1_764_003_600));
        assert_eq!(later.whole, now.whole + 1);
        assert!((later.relative_to(now.whole) / now.relative_to(now.whole) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_series_agrees_with_the_platform() {
        for step in 0..10_000 {
            let x = f64::from(step) / 10_000.0;
            assert!((exp2_fraction(x) / x.exp2() - 1.0).abs() < 1e-12, "at {x}");
        }
    }

    #[test]
    fn powers_are_exact_and_saturate() {
        assert_eq!(power_of_two(10), 1024.0);
        assert_eq!(power_of_two(-1022), f64::MIN_POSITIVE);
        assert_eq!(power_of_two(-1023), 0.0);
        assert_eq!(power_of_two(5000), power_of_two(1023));
    }
}
