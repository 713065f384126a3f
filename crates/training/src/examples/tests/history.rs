//! Negatives of history: known at the moment, drawn by their rate, the same every time.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_base::{Event, Fact, FeatureValue, Fields, ItemId, LoggedFeatures};
use headwater_features::declared::{Aggregate, AggregateSpec, Conditions, Definition, FeatureSpec, Part};
use headwater_features::{Plan, ViewsOptions};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{click, event, interaction, log, schema};
use crate::TrainingError;
use crate::examples::{Example, FeatureReplay, HistoryExamples, LogReplay, NegativeSampler, Question};

fn upsert(time: i64, item: &str, available: Option<bool>) -> Event {
    let item = ItemId::trusted(item);
    let fact =
        Fact::ItemUpsert { item, fields: Fields::default(), removed: Vec::new(), available, patch: true };
    event(&format!("upsert-{time}"), time, time, fact)
}

fn item(number: usize) -> String {
    format!("i{number}")
}

/// Items `i0` to the last; `i` touched `i * step` times.
fn sampler(seed: u64, power: f64, items: usize, step: usize) -> NegativeSampler {
    let mut sampler = NegativeSampler::new(seed, power);
    for number in 0..items {
        sampler.observe(&upsert(0, &item(number), None));
        for _ in 0..number * step {
            sampler.observe(&click(0, "u1", &item(number)));
        }
    }
    sampler
}

/// How often each item was drawn, and the rates said, over many questions.
fn draws(sampler: &mut NegativeSampler, questions: usize, count: usize) -> HashMap<ItemId, (f64, f32)> {
    let mut drawn: HashMap<ItemId, (f64, f32)> = HashMap::new();
    for question in 0..questions {
        for draw in sampler.draw(&question.to_string(), count, &[]) {
            let (times, rate) = drawn.entry(draw.item).or_insert((0.0, draw.rate));
            *times += 1.0;
            assert_eq!(*rate, draw.rate);
        }
    }
    drawn
}

#[test]
fn items_are_drawn_as_often_as_their_rate_says() {
    for power in [0.0, 0.75, 1.0] {
        let questions = 20_000;
        let drawn = draws(&mut sampler(7, power, 20, 3), questions, 5);
        assert_eq!(drawn.len(), 20, "power {power}");
        let mean: f32 = drawn.values().map(|(_, rate)| rate).sum();
        assert!((mean - 5.0).abs() < 1e-4, "rates add up to the number drawn: {mean}");
        for (item, (times, rate)) in drawn {
            let (expected, share) = (f64::from(rate), times / questions as f64);
            let deviation = (expected * (1.0 - expected) / questions as f64).sqrt();
            assert!(
                (share - expected).abs() < 5.0 * deviation,
                "{item} at power {power}: {share} for {expected}"
            );
        }
    }
}

#[test]
fn where_fewer_are_known_than_wanted_each_is_drawn_once() {
    let drawn = sampler(7, 0.0, 3, 0).draw("q", 10, &[&ItemId::trusted("i1")]);
    let items: Vec<&str> = drawn.iter().map(|drawn| drawn.item.as_str()).collect();
    assert_eq!(items, ["i0", "i2"]);
    assert!(drawn.iter().all(|drawn| drawn.rate == 1.0));
    assert!(NegativeSampler::new(7, 1.0).draw("q", 10, &[]).is_empty(), "nothing is known");
}

#[test]
fn an_unavailable_or_deleted_item_is_not_drawn_until_it_is_back() {
    let mut sampler = sampler(7, 1.0, 3, 1);
    sampler.observe(&upsert(1, "i0", Some(false)));
    sampler.observe(&event("d", 2, 2, Fact::ItemDelete { item: ItemId::trusted("i2") }));
    let drawn = |sampler: &mut NegativeSampler| {
        sampler.draw("q", 9, &[]).iter().map(|drawn| drawn.item.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(drawn(&mut sampler), ["i1"]);
    sampler.observe(&upsert(3, "i0", Some(true)));
    assert_eq!(drawn(&mut sampler), ["i0", "i1"]);
}

/// A replay that knows nothing but what it is asked: its vector is the position.
struct Positions;

impl FeatureReplay for Positions {
    fn vectors(&mut self, question: &Question<'_>) -> Result<Option<LoggedFeatures>, TrainingError> {
        let row = vec![FeatureValue::Number(question.position[0] as f32)];
        let rows = vec![row; question.items.len()];
        Ok(Some(LoggedFeatures { schema: 3, time: question.time, share: 1.0, rows }))
    }
}

fn examples(events: &[Event], seed: u64) -> Vec<Example> {
    let sampler = NegativeSampler::new(seed, 0.5);
    HistoryExamples::new(log(events), schema(), sampler, 4, &mut Positions).map(Result::unwrap).collect()
}

#[test]
fn an_interaction_is_a_positive_beside_negatives_that_are_marked() {
    let events = [
        upsert(0, "a", None),
        upsert(1, "b", None),
        interaction("view", 2, 2, "u1", "c", None),
        interaction("purchase", 3, 3, "u1", "b", None),
    ];
    let rows = examples(&events, 1);
    let told: Vec<_> = rows.iter().map(|row| (row.item.as_str(), row.label, row.sampled.is_some())).collect();
    assert_eq!(told, [("b", 5.0, false), ("a", 0.0, true), ("c", 0.0, true)]);
    assert!(rows.iter().all(|row| row.features == [FeatureValue::Number(3.0)]), "of what lies before it");
}

#[test]
fn an_interaction_that_came_late_makes_no_question() {
    let late = interaction("click", 1, 5, "u1", "b", None);
    let rows = examples(&[click(0, "u1", "a"), click(2, "u1", "c"), late, click(6, "u1", "c")], 1);
    let asked: Vec<&str> = rows.iter().map(|row| row.request_id.as_str()).collect();
    assert!(!asked.contains(&"click-1-5-u1-b"));
    let last = rows.iter().filter(|row| row.request_id.as_str() == "click-6-6-u1-c");
    assert_eq!(
        last.map(|row| row.item.as_str()).collect::<Vec<_>>(),
        ["c", "a", "b"],
        "but is known from then on"
    );
}

/// How often the item was clicked, ever.
fn counting() -> ViewsOptions {
    let definition = Definition::Aggregate(AggregateSpec {
        entity: vec![Part::Item],
        aggregate: Aggregate::Count,
        types: vec!["click".into()],
        window: None,
        decay: None,
        conditions: Conditions::default(),
    });
    let spec = FeatureSpec { name: "clicks".into(), version: 1, definition };
    ViewsOptions { plan: Arc::new(Plan::new(&[spec], &schema()).unwrap()), ..ViewsOptions::default() }
}

#[test]
fn a_replay_knows_what_lies_before_the_question_and_nothing_else() {
    let events: Vec<Event> = (0..30).map(|time| click(time, "u1", &item(time as usize % 3))).collect();
    let mut replay = LogReplay::new(log(&events), &schema(), &counting());
    let sampler = NegativeSampler::new(3, 0.0);
    let mut history = HistoryExamples::new(log(&events), schema(), sampler, 2, &mut replay);
    let rows: Vec<Example> = history.by_ref().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1 + 2 + 3 * 28);
    for row in &rows {
        let time = row.time.as_micros() / 1_000_000;
        let before = (0..time).filter(|at| item(*at as usize % 3) == row.item.as_str()).count();
        let known = if before > 0 { FeatureValue::Number(before as f32) } else { row.features[0].clone() };
        assert_eq!(row.features, [known], "{} at {time}", row.item);
        assert!(before > 0 || row.sampled.is_none(), "only what is chosen can be new");
    }

    let mut replay = LogReplay::new(log(&events), &schema(), &counting());
    let mut ask = |position: u64| {
        let (actor, context) = (super::actor("u1"), Fields::default());
        let time = super::at(100);
        let items = [ItemId::trusted("i0")];
        let position = [position];
        let question = Question {
            position: &position,
            time,
            actor: &actor,
            about: None,
            context: &context,
            items: &items,
        };
        replay.vectors(&question).unwrap().map(|vectors| vectors.rows[0][0].clone())
    };
    assert_eq!(ask(7), Some(FeatureValue::Number(3.0)));
    assert_eq!(ask(6), None, "the past of a question that was overtaken is gone");
    assert_eq!(ask(1_000), Some(FeatureValue::Number(10.0)));
    assert_eq!(replay.overtaken(), 1);
}

proptest! {
    /// Items are numbered in the order in which they become known.
    #[test]
    fn nothing_is_drawn_before_it_is_known(touched in vec(0usize..60, 1..80), seed in any::<u64>()) {
        let mut known = 0;
        let events: Vec<Event> = (0..)
            .zip(touched)
            .map(|(time, number)| {
                let number = number.min(known);
                known = known.max(number + 1);
                click(time, "u1", &item(number))
            })
            .collect();
        let first = |name: &ItemId| {
            events.iter().position(|event| match &event.fact {
                Fact::Interaction(interaction) => interaction.item == *name,
                _ => false,
            })
        };
        let rows = examples(&events, seed);
        for row in rows.iter().filter(|row| row.sampled.is_some()) {
            let asked = events.iter().position(|event| event.id.as_str() == row.request_id.as_str());
            prop_assert!(first(&row.item) < asked);
        }
        prop_assert_eq!(&rows, &examples(&events, seed), "the same seed draws the same");
        // What comes later changes nothing of what was drawn before.
        let half = events.len() / 2;
        let before = examples(&events[..half], seed);
        prop_assert_eq!(&rows[..before.len()], &before[..]);
    }
}
