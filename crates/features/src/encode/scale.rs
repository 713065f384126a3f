//! A number as one dense column: as it is, its logarithm, standardised or not.

use headwater_base::FeatureValue;

/// The frozen encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// Whether the logarithm is taken first.
    pub(super) log: bool,
    /// Mean and standard deviation to standardise by.
    pub(super) moments: Option<(f64, f64)>,
    /// Whether a second column says what is missing.
    pub(super) missing: bool,
}

impl Scale {
    /// Columns needed.
    pub(super) fn width(&self) -> usize {
        1 + usize::from(self.missing)
    }

    /// Fills columns that hold 0.
    pub(super) fn encode(&self, value: &FeatureValue, columns: &mut [f32]) {
        match finite(value) {
            Some(number) => columns[0] = self.scaled(number),
            None if self.missing => columns[1] = 1.0,
            None => {}
        }
    }

    fn scaled(&self, number: f32) -> f32 {
        let number = if self.log { log1p(number) } else { number };
        match self.moments {
            None => number,
            Some((_, 0.0)) => 0.0,
            Some((mean, deviation)) => {
                let scaled = ((f64::from(number) - mean) / deviation) as f32;
                // A deviation near the smallest number may carry others beyond the largest.
                scaled.clamp(f32::MIN, f32::MAX)
            }
        }
    }
}

/// The number, where there is one that can be reckoned with.
pub(super) fn finite(value: &FeatureValue) -> Option<f32> {
    match value {
        FeatureValue::Number(number) if number.is_finite() => Some(*number),
        _ => None,
    }
}

/// `sign(x) ln(1 + |x|)`.
pub(super) fn log1p(number: f32) -> f32 {
    f64::from(number).abs().ln_1p().copysign(f64::from(number)) as f32
}
