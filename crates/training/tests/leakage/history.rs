//! Examples of history by replay: each is of the moment before its interaction.

use headwater_base::{Event, FeatureValue};
use headwater_features::declared::Definition;
use headwater_training::examples::{Example, HistoryExamples, LogReplay, NegativeSampler};
use proptest::prelude::*;

use super::traces::{Features, Limits};
use super::world::*;

fn examples(events: &[Event], features: &Features) -> Vec<Example> {
    let mut replay = LogReplay::new(log(events), &schema(), &options(&features.specs));
    let sampler = NegativeSampler::new(1, 0.5);
    HistoryExamples::new(log(events), schema(), sampler, 2, &mut replay).map(Result::unwrap).collect()
}

fn asking(events: &[Event], example: &Example) -> usize {
    let asking = events.iter().position(|event| event.id.as_str() == example.request_id.as_str());
    asking.expect("an interaction for each example")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn nothing_that_happened_after_an_interaction_is_in_its_examples(
        steps in steps(), cut in any::<prop::sample::Index>(),
    ) {
        let features = Features::cut_at(cut.get(&steps).happened);
        let events = events(&steps, Traced::Happened);
        for example in examples(&events, &features) {
            let asking = asking(&events, &example);
            let moment = seconds(example.time);
            let limits = Limits { latest: moment, moment, before: &events[..asking] };
            prop_assert_eq!(features.leaks(&example, limits), [], "{:?}", example.request_id);
        }
    }

    #[test]
    fn nothing_that_stands_later_in_the_log_is_in_an_example(
        steps in steps(), cut in any::<prop::sample::Index>(),
    ) {
        let features = Features::cut_at(cut.index(steps.len()) as i64);
        let events = events(&steps, Traced::Offset);
        for example in examples(&events, &features) {
            let asking = asking(&events, &example);
            let limits = Limits { latest: asking as i64 - 1, moment: asking as i64, before: &events[..asking] };
            prop_assert_eq!(features.leaks(&example, limits), [], "{:?}", example.request_id);
        }
    }
}

/// The prices of item 0 that a click on it is an example with, received after the item was set at `set`.
fn price_at_click(set: (i64, i64), click: (i64, i64)) -> Vec<FeatureValue> {
    let stamp = |step, (received, happened)| Stamped { step, received, happened };
    let steps = [
        stamp(Step::Item { item: 0, category: 0 }, set),
        stamp(Step::Interact { kind: "click", actor: actor(Some(0), None), item: 0, device: 0 }, click),
    ];
    let features = Features::cut_at(1_000);
    let price = features.specs.iter().position(|spec| match &spec.definition {
        Definition::Field(field) => field.to_string() == "item.price",
        _ => false,
    });
    let rows = examples(&events(&steps, Traced::Received), &features);
    rows.into_iter().map(|row| row.features[price.expect("a feature of the price")].clone()).collect()
}

#[test]
fn a_field_that_holds_only_later_makes_no_example_and_one_without_a_date_holds_all_along() {
    let known = [FeatureValue::Number(50.0)];
    assert_eq!(price_at_click((50, 10), (60, 30)), known, "told late, held before");
    assert_eq!(price_at_click((50, 40), (60, 30)), [], "held from 40 on only");
    assert_eq!(price_at_click((50, 50), (60, 30)), known, "no date");
}
