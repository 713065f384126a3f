//! Examples of decisions: with the vectors that were logged as they were served, and by replay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_base::{
    Actor, Decision, Event, EventId, Fact, FeatureValue, LoggedFeatures, RequestId, Rung, Shown,
};
use headwater_features::declared::Definition;
use headwater_features::{FeatureRequest, FeatureSpec, Views};
use headwater_log::{Batch, Partition};
use headwater_training::TrainingError;
use headwater_training::examples::{
    Example, ExampleOptions, Examples, FeatureReplay, Join, LogReplay, NoReplay, Question,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::declared::aggregate_names;
use super::traces::{Features, Limits, end};
use super::world::*;

/// A request: how many events lie before it, how long after the last of them it comes, and who asks.
#[derive(Clone, Debug)]
struct Asked {
    after: usize,
    wait: i64,
    actor: Actor,
    device: u8,
}

fn asked() -> impl Strategy<Value = Vec<Asked>> {
    let ask = (0..36usize, prop_oneof![4 => 0..2i64, 1 => 2..HOUR], anybody(), 0..3u8);
    vec(ask, 1..8).prop_map(|mut asked| {
        asked.sort_by_key(|(after, ..)| *after);
        let ask = |(after, wait, actor, device)| Asked { after, wait, actor, device };
        asked.into_iter().map(ask).collect()
    })
}

/// Serves the requests among the events, as the pipeline does: at one held position, at a moment of its own. A request
/// beyond the last event is left out.
fn served(steps: &[Stamped], asked: &[Asked], features: &Features) -> Vec<Event> {
    let events = events(steps, Traced::Received);
    let views = Views::new(Arc::new(schema()), options(&features.specs));
    let columns: Vec<usize> = (0..features.specs.len()).collect();
    let mut decisions = Vec::new();
    let mut folded = 0;
    for (number, asked) in asked.iter().enumerate().filter(|(_, asked)| asked.after <= steps.len()) {
        let batch = Batch {
            partition: Partition(0),
            first: folded as u64,
            events: events[folded..asked.after].into(),
        };
        views.apply(&batch).expect("no gap");
        folded = asked.after;
        // Nothing that comes next was received yet.
        let next = steps.get(asked.after).map_or(i64::MAX, |next| next.received);
        let last = asked.after.checked_sub(1).map_or(0, |last| steps[last].received);
        let moment = (last + asked.wait).min(next);
        let time = at(moment);
        let held = views.hold();
        let items = [0, 1, 2].map(item);
        let found = items.each_ref().map(|item| held.item_index(item.as_str()));
        let context = context(asked.device, moment);
        let request = FeatureRequest { actor: &asked.actor, context: &context, time };
        let rows = held.features(&request, &columns, &found).expect("all in memory");
        let rows = (0..rows.len()).map(|row| rows.row(row).cloned().collect()).collect();
        let position = held.position().0.clone();
        decisions.push(Event {
            id: EventId::trusted(format!("d{number}")),
            time,
            received: time,
            fact: Fact::Decision(Box::new(Decision {
                request_id: RequestId::trusted(format!("r{number}")),
                surface: "home".into(),
                actor: asked.actor.clone(),
                item: None,
                context,
                position: if position.is_empty() { vec![0] } else { position },
                model: "popularity@1".into(),
                settings: 0,
                arms: Vec::new(),
                seed: 0,
                rung: Rung::Personal,
                items: items
                    .map(|item| Shown { item, score: 1.0, source: "all".into(), propensity: 1.0 })
                    .into(),
                stages: Vec::new(),
                features: Some(Box::new(LoggedFeatures { schema: 1, time, share: 1.0, rows })),
            })),
        });
    }
    decisions
}

/// The decisions as they are where their features were not sampled.
fn without_features(decisions: &[Event]) -> Vec<Event> {
    let mut decisions = decisions.to_vec();
    for event in &mut decisions {
        if let Fact::Decision(decision) = &mut event.fact {
            decision.features = None;
        }
    }
    decisions
}

fn examples(decisions: &[Event], events: &[Event], replay: &mut dyn FeatureReplay) -> Vec<Example> {
    let join = Join::new(log(events), log(decisions), log(decisions), ExampleOptions::at(end()));
    Examples::new(join, schema(), replay).map(Result::unwrap).collect()
}

fn position(decisions: &[Event], example: &Example) -> usize {
    let found = decisions.iter().find_map(|event| match &event.fact {
        Fact::Decision(decision) if decision.request_id == example.request_id => Some(decision.position[0]),
        _ => None,
    });
    found.expect("a decision for each example") as usize
}

/// What leaks into examples of decisions.
fn leaks<'f>(
    features: &'f Features,
    decisions: &[Event],
    events: &[Event],
    examples: &[Example],
) -> Vec<(&'f FeatureSpec, String)> {
    let of = |example: &Example| {
        let moment = seconds(example.time);
        let before = &events[..position(decisions, example)];
        features.leaks(example, Limits { latest: moment, moment, before })
    };
    examples.iter().flat_map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn nothing_received_after_a_decision_is_in_its_examples(
        steps in steps(), asked in asked(), cut in any::<prop::sample::Index>(),
    ) {
        let features = Features::cut_at(cut.get(&steps).received);
        let decisions = served(&steps, &asked, &features);
        let events = events(&steps, Traced::Received);
        let logged = examples(&decisions, &events, &mut NoReplay);
        prop_assert_eq!(logged.len(), 3 * decisions.len());
        prop_assert_eq!(leaks(&features, &decisions, &events, &logged), []);

        let mut replay = LogReplay::new(log(&events), &schema(), &options(&features.specs));
        let replayed = examples(&without_features(&decisions), &events, &mut replay);
        prop_assert_eq!(leaks(&features, &decisions, &events, &replayed), []);
        for (logged, replayed) in logged.iter().zip(&replayed) {
            for ((spec, served), again) in features.specs.iter().zip(&logged.features).zip(&replayed.features) {
                prop_assert!(served.same(again), "{:?}: served {:?}, replayed {:?}", spec, served, again);
            }
        }
    }
}

/// Answers each question with what was received until one event later.
struct OneTooMany<R>(R);

impl<R: FeatureReplay> FeatureReplay for OneTooMany<R> {
    fn vectors(&mut self, question: &Question<'_>) -> Result<Option<LoggedFeatures>, TrainingError> {
        self.0.vectors(&Question { position: &[question.position[0] + 1], ..*question })
    }
}

/// Everybody touches everything, everywhere, ten seconds apart.
fn busy() -> Vec<Stamped> {
    let mut steps = Vec::new();
    for round in 0..3u8 {
        steps.extend((0..3).map(|item| Step::Item { item, category: item % 2 }));
        steps.extend((0..2).map(|user| Step::User { user, country: user }));
        for number in 0..24u8 {
            let kind = ["click", "purchase"][usize::from(number / 12)];
            let who = actor(Some(number % 2), Some(number / 2 % 2));
            steps.push(Step::Interact {
                kind,
                actor: who,
                item: number / 4 % 3,
                device: (number + round) % 2,
            });
        }
    }
    let stamp = |(number, step): (i64, Step)| {
        let received = 50 * HOUR + 10 * number;
        Stamped { step, received, happened: received - 1 }
    };
    (0..).zip(steps).map(stamp).collect()
}

#[test]
fn a_leak_would_be_found_for_every_aggregate() {
    let steps = busy();
    let events = events(&steps, Traced::Received);
    let mut found: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    let first = steps.len() - 24;
    for after in (first..steps.len()).step_by(5) {
        let Step::Interact { actor, device, .. } = &steps[after].step else { continue };
        let asked = [Asked { after, wait: 0, actor: actor.clone(), device: *device }];
        let features = Features::cut_at(steps[after].received);
        let decisions = served(&steps, &asked, &features);
        let replay = LogReplay::new(log(&events), &schema(), &options(&features.specs));
        let rows = examples(&without_features(&decisions), &events, &mut OneTooMany(replay));
        for (spec, _) in leaks(&features, &decisions, &events, &rows) {
            if let Definition::Aggregate(spec) = &spec.definition {
                found.entry(spec.aggregate.name()).or_default().insert(spec.window.is_some());
            }
        }
    }
    for name in aggregate_names() {
        assert_eq!(found.get(name).map(BTreeSet::len), Some(2), "{name}, with and without a window");
    }
}

#[test]
fn what_is_after_the_cut_is_seen_later_by_every_feature() {
    let steps = busy();
    let features = Features::cut_at(steps[steps.len() / 2].received);
    let mut asked = Vec::new();
    for number in 0..8u8 {
        let actor = actor(Some(number % 2), Some(number / 2 % 2));
        asked.push(Asked { after: steps.len(), wait: 1, actor, device: number / 4 });
    }
    let decisions = served(&steps, &asked, &features);
    let rows = examples(&decisions, &events(&steps, Traced::Received), &mut NoReplay);
    let seen: BTreeSet<usize> = rows.iter().flat_map(|row| features.seen(row)).collect();
    let of_cut = features.specs.iter().enumerate().filter(|(_, spec)| spec.name.starts_with("cut"));
    let unseen: Vec<&FeatureSpec> =
        of_cut.filter(|(index, _)| !seen.contains(index)).map(|(_, spec)| spec).collect();
    assert_eq!(unseen, Vec::<&FeatureSpec>::new());
}

#[test]
fn a_late_event_and_a_corrected_field_do_not_leak_back() {
    let click = |received, happened| Stamped {
        step: Step::Interact { kind: "click", actor: actor(Some(0), None), item: 0, device: 0 },
        received,
        happened,
    };
    let price =
        |received, happened| Stamped { step: Step::Item { item: 0, category: 0 }, received, happened };
    // The second price corrects the first; both say that they hold from second 5 on.
    let steps = [price(10, 5), click(20, 20), price(40, 5), click(45, 22)];
    let features = Features::cut_at(1_000);
    let ask = |after, wait| Asked { after, wait, actor: actor(Some(0), None), device: 0 };
    let asked = [ask(2, 10), ask(3, 2), ask(4, 5)];
    let decisions = served(&steps, &asked, &features);
    let events = events(&steps, Traced::Received);
    let mut replay = LogReplay::new(log(&events), &schema(), &options(&features.specs));
    let replayed = examples(&without_features(&decisions), &events, &mut replay);
    for rows in [examples(&decisions, &events, &mut NoReplay), replayed] {
        let price = features.specs.iter().position(|spec| match &spec.definition {
            Definition::Field(field) => field.to_string() == "item.price",
            _ => false,
        });
        let clicks = features.specs.iter().position(|spec| match &spec.definition {
            Definition::Aggregate(spec) => spec.aggregate.name() == "count" && spec.window.is_none(),
            _ => false,
        });
        let told: Vec<(i64, &FeatureValue, &FeatureValue)> = rows
            .iter()
            .filter(|row| row.item == item(0))
            .map(|row| (seconds(row.time), &row.features[price.unwrap()], &row.features[clicks.unwrap()]))
            .collect();
        let number = FeatureValue::Number;
        let expected = [
            (30, number(10.0), number(1.0)),
            (42, number(40.0), number(1.0)),
            (50, number(40.0), number(2.0)),
        ];
        let expected: Vec<_> = expected.iter().map(|(time, price, clicks)| (*time, price, clicks)).collect();
        assert_eq!(told, expected);
    }
}
