//! Sums and means of values of any size: small change beside fortunes, in any order.

use headwater_base::{FeatureValue, Fields};
use headwater_features::declared::{Aggregate, Definition, Part};
use headwater_features::{FeatureRequest, FeatureSpec, Replay};
use headwater_log::Partition;
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::*;

/// A sum is kept in steps of this size.
const STEPS: f64 = (1 << 20) as f64;
/// A value beyond it counts as it.
const LARGEST: f64 = (1u64 << 60) as f64;

fn specs() -> Vec<FeatureSpec> {
    let of =
        |kind: Aggregate, window| Definition::Aggregate(aggregate(&[Part::User], kind, &[], window, None));
    let definitions = [
        of(Aggregate::Sum, None),
        of(Aggregate::Mean, None),
        of(Aggregate::Sum, Some(DAY)),
        of(Aggregate::Mean, Some(DAY)),
    ];
    (0..).zip(definitions).map(|(number, definition)| feature(&format!("f{number}"), definition)).collect()
}

/// Exact in whole steps.
fn sum(values: &[f32]) -> f64 {
    let steps = |value: &f32| (f64::from(*value).clamp(-LARGEST, LARGEST) * STEPS).round() as i128;
    values.iter().map(steps).sum::<i128>() as f64 / STEPS
}

proptest! {
    #[test]
    fn sums_are_exact_for_values_of_any_size(
        values in vec(prop_oneof![-9.0..9.0f32, -1e7..1e8f32, Just(5e12f32), -1e18..1e18f32, any::<f32>()], 1..40),
    ) {
        let values: Vec<f32> = values.into_iter().filter(|value| value.is_finite()).collect();
        let specs = specs();
        let mut replay = Replay::new(&schema(), &options(&specs));
        // Some days of which the last is read beside the whole.
        let time = |number: usize| number as i64 * 2 * HOUR;
        for (number, value) in values.iter().enumerate() {
            let fact = interaction("click", user("u"), "i", Some(*value));
            replay.fold(Partition(0), number as u64, &event(time(number), time(number), fact));
        }
        let now = time(values.len());
        let within: Vec<f32> = values.iter().enumerate().filter(|(n, _)| time(*n) >= now - DAY).map(|(_, v)| *v).collect();
        let (actor, context) = (user("u"), Fields::default());
        let request = FeatureRequest { actor: &actor, context: &context, time: at(now) };
        let read: Vec<FeatureValue> = replay.features(&request, &columns(&specs), &[None]).row(0).cloned().collect();
        let number = |value: f64| FeatureValue::number(value as f32 + 0.0);
        let mean = |values: &[f32]| number(sum(values) / values.len() as f64);
        let wanted = [number(sum(&values)), mean(&values), number(sum(&within)), mean(&within)];
        for (read, wanted) in read.iter().zip(&wanted) {
            prop_assert!(read.same(wanted), "{:?} instead of {:?}", read, wanted);
        }
    }
}

#[test]
fn ten_thousand_dear_purchases_do_not_turn_a_sum_negative() {
    let specs = specs();
    let mut replay = Replay::new(&schema(), &options(&specs));
    // A flat in rupiah, ten thousand times.
    for number in 0..10_000 {
        let fact = interaction("purchase", user("u"), "i", Some(2e9));
        replay.fold(Partition(0), number, &event(0, 0, fact));
    }
    let (actor, context) = (user("u"), Fields::default());
    let request = FeatureRequest { actor: &actor, context: &context, time: at(HOUR) };
    let read = replay.features(&request, &columns(&specs), &[None]);
    assert_eq!(*read.value(0, 0), FeatureValue::Number(2e13));
    assert_eq!(*read.value(0, 1), FeatureValue::Number(2e9));
}
