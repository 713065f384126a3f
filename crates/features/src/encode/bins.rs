//! Which of a few intervals a number lies in.

use headwater_base::FeatureValue;

/// Cuts up to which comparing with each is the faster way.
const FEW: usize = 64;

/// The frozen encoder: bin `k` holds what is above cut `k - 1` and at or below cut `k`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bins {
    /// Finite and strictly ascending.
    pub(super) cuts: Vec<f32>,
}

impl Bins {
    /// Bins, and one bucket for what is missing.
    pub(super) fn buckets(&self) -> u32 {
        self.cuts.len() as u32 + 2
    }

    /// The bucket of a value; the last one is of those missing.
    pub(super) fn bucket(&self, value: &FeatureValue) -> u32 {
        match value {
            FeatureValue::Number(number) if !number.is_nan() => self.bin(*number),
            _ => self.cuts.len() as u32 + 1,
        }
    }

    fn bin(&self, number: f32) -> u32 {
        // Comparing with every cut needs no branch, which is faster while there are few.
        if self.cuts.len() <= FEW {
            self.cuts.iter().map(|cut| u32::from(*cut < number)).sum()
        } else {
            self.cuts.partition_point(|cut| *cut < number) as u32
        }
    }

    /// How a bucket reads: `price <= 3`, `3 < price <= 7.5`, `price > 7.5`.
    pub(super) fn name(&self, feature: &str, bucket: usize) -> String {
        let cut = |place: usize| self.cuts.get(place);
        match (bucket.checked_sub(1).and_then(cut), cut(bucket)) {
            _ if bucket > self.cuts.len() => format!("{feature} is missing"),
            (None, None) => format!("{feature} is known"),
            (None, Some(highest)) => format!("{feature} <= {highest}"),
            (Some(above), None) => format!("{feature} > {above}"),
            (Some(above), Some(highest)) => format!("{above} < {feature} <= {highest}"),
        }
    }
}
