//! Halving by age.

/// 2 to the power of `x`, which is not above 0, within 4e-7 of it in proportion; 0 below -126. No branch and no call, so that
/// a loop of it is done on several numbers at once.
pub(super) fn fade(x: f32) -> f32 {
    let bounded = x.max(-126.0);
    // To the nearest whole number: the conversion rounds towards 0.
    let whole = (bounded - 0.5) as i32;
    let part = (bounded - whole as f32) * std::f32::consts::LN_2;
    // The series of the exponential function; the rest is below part^7 / 7!, and |part| is at most ln(2) / 2.
    let series = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = series.into_iter().fold(0.0, |sum, coefficient| sum * part + coefficient);
    let scale = f32::from_bits(((whole + 127) << 23) as u32);
    if x < -126.0 { 0.0 } else { power * scale }
}

#[cfg(test)]
mod tests {
    use super::fade;

    #[test]
    fn it_is_the_power_of_two() {
        for step in 0..200_000 {
            let x = -(step as f32) * 0.000_63;
            let exact = f64::from(x).exp2();
            let error = (f64::from(fade(x)) - exact).abs() / exact;
            assert!(error < 4e-7 || x < -126.0, "{x}: {error}");
        }
        assert_eq!([0.0, -0.0, -1.0, -126.0].map(fade), [1.0, 1.0, 0.5, f32::MIN_POSITIVE]);
        assert_eq!([-126.5, -1e9, f32::NEG_INFINITY].map(fade), [0.0; 3]);
    }
}
