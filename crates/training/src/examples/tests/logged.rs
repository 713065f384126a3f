//! Rows of decisions.

use std::sync::Arc;

use headwater_base::time::ManualClock;
use headwater_base::{Clock, Event, Fact, FeatureValue, ItemId, LoggedFeatures};
use headwater_log::{DecisionLog, DecisionOptions, EmbeddedLog, EventLog, LogOptions, LogReader};

use super::{at, click, decision, interaction, join, options, schema, with_features};
use crate::TrainingError;
use crate::examples::{Example, ExampleCounts, Examples, FeatureReplay, NoReplay, Question};

fn examples(
    decisions: &[Event],
    events: &[Event],
    replay: &mut dyn FeatureReplay,
) -> (Vec<Example>, ExampleCounts) {
    let mut examples = Examples::new(join(decisions, events, options()), schema(), replay);
    let rows = examples.by_ref().map(Result::unwrap).collect();
    (rows, examples.counts())
}

#[test]
fn what_was_shown_and_not_acted_on_is_a_negative() {
    let decisions = [with_features(decision("r1", 10, "u1/s1", "a b c"), 0.25)];
    let events = [
        interaction("view", 11, 11, "u1", "a", None),
        click(12, "u1", "b"),
        interaction("purchase", 15, 15, "u1", "b", None),
    ];
    let (rows, counts) = examples(&decisions, &events, &mut NoReplay);
    let labels: Vec<(&str, u32, f32)> =
        rows.iter().map(|row| (row.item.as_str(), row.place, row.label)).collect();
    assert_eq!(labels, [("a", 0, 0.0), ("b", 1, 6.0), ("c", 2, 0.0)]);
    assert!(rows.iter().all(|row| row.label.is_sign_positive()), "-0 would be a second label of negatives");
    assert_eq!(rows[0].outcomes.len(), 1, "a view weighs nothing and is still told");
    let b = &rows[1];
    assert_eq!((b.request_id.as_str(), b.surface.as_str(), b.time), ("r1", "home", at(10)));
    assert_eq!((b.weight, b.propensity, b.sampled, b.schema), (4.0, 0.5, None, 11));
    assert_eq!(b.features, [FeatureValue::Number(1.0)]);
    assert_eq!(b.outcomes[1].value, Some(15.0));
    assert_eq!((counts.examples, counts.positives), (3, 1));
}

#[test]
fn decisions_without_features_are_counted_and_still_take_their_outcomes() {
    let decisions = [with_features(decision("r1", 10, "u1", "a b"), 1.0), decision("r2", 20, "u1", "a b")];
    let (rows, counts) = examples(&decisions, &[click(30, "u1", "a")], &mut NoReplay);
    assert!(rows.iter().all(|row| row.request_id.as_str() == "r1" && row.label == 0.0));
    assert_eq!((counts.examples, counts.without_features, counts.replayed), (2, 1, 0));
}

/// Gives each item its first letter, and notes what it was asked.
#[derive(Default)]
struct FirstLetters(Vec<(Vec<u64>, usize)>);

impl FeatureReplay for FirstLetters {
    fn vectors(&mut self, question: &Question<'_>) -> Result<Option<LoggedFeatures>, TrainingError> {
        self.0.push((question.position.to_vec(), question.items.len()));
        let row = |item: &ItemId| vec![FeatureValue::Word(item.as_str()[..1].into())];
        Ok(Some(LoggedFeatures {
            schema: 12,
            time: question.time,
            share: 1.0,
            rows: question.items.iter().map(row).collect(),
        }))
    }
}

#[test]
fn a_replay_serves_where_nothing_was_logged() {
    let decisions = [with_features(decision("r1", 10, "u1", "a b"), 1.0), decision("r2", 20, "u1", "c d")];
    let mut replay = FirstLetters::default();
    let (rows, counts) = examples(&decisions, &[], &mut replay);
    assert_eq!(replay.0, [(vec![7], 2)], "asked of the second only, at its position");
    assert_eq!((counts.examples, counts.without_features, counts.replayed), (4, 0, 1));
    assert_eq!(rows[3].features, [FeatureValue::Word("d".into())]);
}

#[test]
fn features_that_do_not_fit_what_was_shown_are_not_used() {
    let mut unfitting = with_features(decision("r1", 10, "u1", "a b"), 1.0);
    if let Fact::Decision(decision) = &mut unfitting.fact {
        decision.items.pop();
    }
    let (rows, counts) = examples(&[unfitting], &[], &mut NoReplay);
    assert_eq!((rows.len(), counts.unfitting), (0, 1));
}

#[test]
fn logs_on_disk_give_what_was_put_into_them() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(at(0)));
    let (events_in, decisions_in) = (folder.path().join("events"), folder.path().join("decisions"));
    let (events, _) = EmbeddedLog::open(&events_in, LogOptions::default(), Arc::clone(&clock)).unwrap();
    let options_small = DecisionOptions { segment_bytes: 64 << 10, ..DecisionOptions::default() };
    let (decisions, _) = DecisionLog::open(&decisions_in, options_small, clock).unwrap();
    for number in 0..2_000 {
        let made = decision(&format!("r{number}"), number, &format!("u{}", number % 7), "a b c");
        decisions.append(&with_features(made, 0.5)).unwrap();
    }
    let clicks = (0..2_000).map(|number| click(number, &format!("u{}", number % 7), "b")).collect();
    events.append(clicks).wait().unwrap();
    events.close();
    decisions.close();

    let (events, decisions) = (LogReader::open(&events_in).unwrap(), LogReader::open(&decisions_in).unwrap());
    let mut no_replay = NoReplay;
    let mut examples = Examples::of(&events, &decisions, schema(), options(), &mut no_replay);
    let rows: Vec<Example> = examples.by_ref().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6_000);
    assert!(rows.iter().all(|row| (row.label > 0.0) == (row.item.as_str() == "b") && row.weight == 2.0));
    assert!(rows.iter().all(|row| row.features == [FeatureValue::Number(row.place as f32)]));
    assert!(examples.counts().join.most_open < 130);
}
