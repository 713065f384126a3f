//! Exact sums of products of an integer and a power of two: no rounding, so no order.
//!
//! A sum is one long two's complement integer (the "long accumulator" of Kulisch, Computer Arithmetic and Validity,
//! 2013, for the range of `f32` alone). Rounding happens once, when it is read.

/// A sum in limbs of 64 bits, the lowest first. `N` must leave room for the largest addend and 63 bits of carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExactSum<const N: usize> {
    limbs: [u64; N],
}

impl<const N: usize> Default for ExactSum<N> {
    fn default() -> Self {
        Self { limbs: [0; N] }
    }
}

impl<const N: usize> ExactSum<N> {
    /// Adds `mantissa * 2^shift`, or subtracts it.
    pub(super) fn add(&mut self, mantissa: u128, shift: usize, negative: bool) {
        let (first, bits) = (shift / 64, shift % 64);
        let low = mantissa << bits;
        let top = if bits == 0 { 0 } else { (mantissa >> (128 - bits)) as u64 };
        let parts = [low as u64, (low >> 64) as u64, top];
        let mut carry = false;
        for (place, limb) in self.limbs[first..].iter_mut().enumerate() {
            let part = parts.get(place).copied().unwrap_or(0);
            if place >= parts.len() && !carry {
                break;
            }
            let (sum, over) = if negative { limb.overflowing_sub(part) } else { limb.overflowing_add(part) };
            let (sum, again) = if negative {
                sum.overflowing_sub(u64::from(carry))
            } else {
                sum.overflowing_add(u64::from(carry))
            };
            *limb = sum;
            carry = over || again;
        }
    }

    /// Adds another sum.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut carry = false;
        for (limb, part) in self.limbs.iter_mut().zip(other.limbs) {
            let (sum, over) = limb.overflowing_add(part);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || again;
        }
    }

    /// The sum times `2^exponent`, to about 106 bits.
    pub(super) fn read(&self, exponent: i32) -> Twofold {
        let negative = self.limbs[N - 1] >> 63 == 1;
        let mut magnitude = Self::default();
        if negative {
            let mut carry = true;
            for (limb, own) in magnitude.limbs.iter_mut().zip(self.limbs) {
                (*limb, carry) = (!own).overflowing_add(u64::from(carry));
            }
        } else {
            magnitude.limbs = self.limbs;
        }
        let mut sum = Twofold::default();
        for (place, limb) in magnitude.limbs.iter().enumerate().rev() {
            let exponent = exponent + 64 * place as i32;
            // Halves of a limb are exact in `f64`.
            sum = sum.plus((limb >> 32) as f64 * power_of_two(exponent + 32));
            sum = sum.plus((limb & 0xffff_ffff) as f64 * power_of_two(exponent));
        }
        if negative { sum.negated() } else { sum }
    }
}

/// `2^exponent`, for exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// A number of about 106 bits: the unevaluated sum of two (Dekker, A floating-point technique for extending the
/// available precision, 1971).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Twofold {
    high: f64,
    low: f64,
}

impl Twofold {
    /// An integer below 2^106.
    pub(super) fn integer(number: u128) -> Self {
        let low = (number & 0xffff_ffff_ffff) as f64;
        Self { high: ((number >> 48) as f64) * power_of_two(48), low: 0.0 }.plus(low)
    }

    fn plus(self, other: f64) -> Self {
        let (high, error) = two_sum(self.high, other);
        let (high, low) = two_sum(high, error + self.low);
        Self { high, low }
    }

    /// The product.
    pub(super) fn times(self, other: Self) -> Self {
        let product = self.high * other.high;
        let error = self.high.mul_add(other.high, -product);
        let (high, low) = two_sum(product, error + (self.high * other.low + self.low * other.high));
        Self { high, low }
    }

    /// The difference.
    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(-other.high).plus(-other.low)
    }

    /// The quotient, rounded to `f64`.
    pub(super) fn over(self, other: Self) -> f64 {
        let quotient = self.high / other.high;
        let rest = self.minus(other.times(Self { high: quotient, low: 0.0 }));
        quotient + rest.high / other.high
    }

    fn negated(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }

    /// Rounded to `f64`.
    #[cfg(test)]
    fn rounded(self) -> f64 {
        self.high + self.low
    }
}

/// The sum and what rounding lost of it (Knuth, The Art of Computer Programming 2, theorem 4.2.2 B).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_wide_integers(
            addends in prop::collection::vec((0_u64.., 0_usize..50, any::<bool>()), 0..50),
            cut in 0_usize..50,
        ) {
            let (mut left, mut right) = (ExactSum::<4>::default(), ExactSum::<4>::default());
            let mut wide = 0_i128;
            for (place, (mantissa, shift, negative)) in addends.into_iter().enumerate() {
                let sum = if place < cut { &mut left } else { &mut right };
                sum.add(u128::from(mantissa), shift, negative);
                let addend = i128::from(mantissa) << shift;
                wide += if negative { -addend } else { addend };
            }
            left.merge(&right);
            prop_assert_eq!(left.limbs[0], wide as u64);
            prop_assert_eq!(left.limbs[1], (wide >> 64) as u64);
            prop_assert_eq!(left.limbs[3], if wide < 0 { u64::MAX } else { 0 });
            prop_assert_eq!(left.read(0).rounded(), wide as f64);
            prop_assert_eq!(left.read(-100).rounded(), wide as f64 * 2_f64.powi(-100));
        }

        #[test]
        fn twofold_products_and_differences_keep_what_cancels(a in 1_u64.., b in 1_u64..1 << 40) {
            // (a + b) * (a - b) is a * a - b * b, of which `f64` alone would keep too little.
            let (a, b) = (u128::from(a.max(b)), u128::from(a.min(b)));
            let square = |x| Twofold::integer(x).times(Twofold::integer(x));
            let difference = square(a).minus(square(b)).rounded();
            let exact = (a + b) as f64 * (a - b) as f64;
            prop_assert!((difference - exact).abs() <= 1e-9 * exact, "{difference} {exact}");
            let quotient = Twofold::integer(a).over(Twofold::integer(b));
            prop_assert!((quotient - a as f64 / b as f64).abs() <= 1e-15 * quotient);
        }
    }
}
