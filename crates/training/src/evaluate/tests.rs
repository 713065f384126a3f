//! Evaluation end to end, and the leakage test.

use headwater_base::{Event, Timestamp};

use super::measure::rank;
use super::*;
use crate::dataset::{Cuts, Protocol};
use crate::train::tests::{event, ok, schema, two_tastes, two_tastes_events};

fn options(settings: &[&str]) -> EvaluateOptions {
    let mut options = EvaluateOptions { at: vec![5, 10], ..EvaluateOptions::default() };
    options.training.set_all(ModelKind::Ials, &["factors=4", "iterations=4"]).unwrap();
    options.training.set_all(ModelKind::Ials, settings).unwrap();
    options
}

fn run(kind: ModelKind, dataset: &Dataset, options: &EvaluateOptions) -> Evaluation {
    evaluate(kind, dataset, options, &mut |_| {}).unwrap()
}

#[test]
fn a_personal_model_beats_popularity_where_tastes_differ() {
    let report = run(ModelKind::Ials, &two_tastes(), &options(&[]));
    let of = |metrics: &Metrics| metrics["ndcg@10"];
    let (mine, popular) = (of(&report.metrics), of(&report.beside["popular"]));
    assert!(mine.low > popular.high, "{report:?}");
    let difference = of(&report.difference["popular"]);
    assert!((difference.value - (mine.value - popular.value)).abs() < 1e-12);
    assert!(difference.low > 0.0);
    assert_eq!((report.split.as_str(), report.users, report.items), ("time", 60, 40));
    assert!(report.validation.is_some());
}

#[test]
fn the_report_has_the_promised_shape() {
    let report = run(ModelKind::Ials, &two_tastes(), &options(&[]));
    let json = serde_json::to_value(&report).unwrap();
    for key in ["model", "split", "users", "items", "train_seconds", "peak_memory_bytes"] {
        assert!(!json[key].is_null(), "{key}");
    }
    for metric in ["recall", "precision", "hit_rate", "ndcg", "map", "mrr", "coverage"] {
        for k in [5, 10] {
            let estimate = &json["metrics"][format!("{metric}@{k}")];
            let part = |name: &str| estimate[name].as_f64().unwrap();
            assert!(part("low") <= part("value") && part("value") <= part("high"), "{metric}@{k}");
            assert!(json["beside"]["popular"][format!("{metric}@{k}")].is_object());
        }
    }
    assert!(json["metrics"]["auc"].is_object());
    assert_eq!(json["options"]["factors"], 4);
    assert!(json["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn the_same_data_and_seed_give_the_same_report() {
    let once = || {
        let mut report = run(ModelKind::Ials, &two_tastes(), &options(&[]));
        (report.train_seconds, report.peak_memory_bytes) = (0.0, 0);
        report
    };
    let threads = |count| rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap().install(once);
    assert_eq!(threads(1), threads(3));
}

#[test]
fn every_kind_is_measured() {
    for kind in ModelKind::ALL {
        let report = run(kind, &two_tastes(), &options(&[]));
        assert!(report.metrics["recall@10"].value > 0.0, "{kind}");
        assert_eq!(report.validation.is_some(), !TrainingOptions::keys(kind).is_empty());
    }
}

#[test]
fn kinds_that_are_folded_from_the_log_are_tuned_by_their_own_options() {
    for (kind, key) in [(ModelKind::Neighbours, "shrinkage"), (ModelKind::Sessions, "history_places")] {
        let tuned = EvaluateOptions { trials: 6, ..options(&[]) };
        let report = run(kind, &two_tastes(), &tuned);
        let trials = report.validation.unwrap().trials;
        let mut values: Vec<String> = trials.iter().map(|trial| trial["options"][key].to_string()).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 6, "{values:?}");
    }
}

#[test]
fn tuning_keeps_the_best_trial_of_the_validation_slice() {
    let tuned = EvaluateOptions { trials: 4, ..options(&[]) };
    let mut done = Vec::new();
    let report = evaluate(ModelKind::Ials, &two_tastes(), &tuned, &mut |phase| {
        if let Phase::Tuning { done: number, .. } = phase {
            done.push(number);
        }
    })
    .unwrap();
    assert_eq!(done, [1, 2, 3, 4]);
    let trials = report.validation.unwrap().trials;
    let reached = |trial: &Value| trial["ndcg@20"].as_f64().unwrap();
    let best = trials.iter().map(reached).fold(0.0, f64::max);
    assert!(trials.iter().any(|trial| reached(trial) < best), "the trials can be told apart");
    let chosen = trials.iter().find(|trial| reached(trial) == best).unwrap();
    assert_eq!(chosen["options"], serde_json::to_value(report.options).unwrap());
}

#[test]
fn what_cannot_be_scored_stands_last_by_id() {
    let dataset = two_tastes();
    let mut split = dataset.split(Stage::Test).unwrap();
    let fitted = fit(ModelKind::Popular, &split, &TrainingOptions::default(), &mut |_| {}).unwrap();
    // Two more items that training has not seen, before and between the others by id.
    let known = split.items.len() as u32;
    split.catalogue += 2;
    split.by_id.insert(0, known + 1);
    split.by_id.insert(3, known);
    let everything = rank(fitted.retrieve(), &split, &split.cases[0], usize::MAX);
    let seen = split.cases[0].history.iter().map(|past| past.row).collect::<std::collections::HashSet<_>>();
    assert_eq!(everything.len(), split.catalogue - seen.len());
    assert_eq!(everything[everything.len() - 2..], [known + 1, known]);
    assert!(everything.iter().all(|row| !seen.contains(row)));
}

/// The events of two tastes with others planted at and after the cut: new users, new items, known users flocking to
/// one known item.
fn planted(cut: i64) -> Vec<Event> {
    let mut events = two_tastes_events();
    for number in 0..400usize {
        let (user, item) = match number % 3 {
            0 => (format!("new{number}"), "a0".to_owned()),
            1 => (format!("u{}", number % 60), "b7".to_owned()),
            _ => (format!("new{number}"), format!("planted{number}")),
        };
        events.push(event(10_000 + number, cut + number as i64 / 4, &user, "purchase", &item));
    }
    events
}

#[test]
fn events_after_the_cut_change_nothing_that_is_trained_counted_encoded_tuned_or_scored() {
    let cuts = Cuts { validation: Timestamp::from_seconds(420), test: Timestamp::from_seconds(480) };
    let dataset = |events: Vec<Event>| {
        let mut dataset = Dataset::from_events(&schema(), ok(&events)).unwrap();
        dataset.protocol = Protocol::TimeCut(Some(cuts));
        dataset
    };
    let (clean, planted) = (dataset(two_tastes_events()), dataset(planted(480)));
    assert!(planted.observations.len() > clean.observations.len());

    let split = |dataset: &Dataset, stage| dataset.split(stage).unwrap();
    for stage in [Stage::Validation { seed: 1 }, Stage::Test] {
        let (clean, planted) = (split(&clean, stage), split(&planted, stage));
        assert_eq!(clean.items, planted.items, "encoded");
        assert_eq!(clean.entries, planted.entries, "trained");
        assert_eq!(
            (clean.users, clean.catalogue, clean.now),
            (planted.users, planted.catalogue, planted.now)
        );
        if stage != Stage::Test {
            assert_eq!(clean.cases, planted.cases, "tuned");
        }
    }

    let tuned = EvaluateOptions { trials: 3, ..options(&[]) };
    let (a, b) = (run(ModelKind::Ials, &clean, &tuned), run(ModelKind::Ials, &planted, &tuned));
    assert_eq!(a.options, b.options, "tuned");
    assert_eq!(a.validation, b.validation, "tuned");

    let (clean, planted) = (split(&clean, Stage::Test), split(&planted, Stage::Test));
    for kind in ModelKind::ALL {
        let lists = |split: &crate::dataset::Split| {
            let fitted = fit(kind, split, &tuned.training, &mut |_| {}).unwrap();
            clean.cases.iter().map(|case| rank(fitted.retrieve(), split, case, 20)).collect::<Vec<_>>()
        };
        assert_eq!(lists(&clean), lists(&planted), "{kind}: scored");
    }
    // The planted events are asked about: a test that would not see a leak is no test.
    assert!(planted.cases.iter().zip(&clean.cases).any(|(a, b)| a.relevant != b.relevant));
}

#[test]
fn a_filter_is_measured_as_it_serves_with_the_whole_beside() {
    let mut options = EvaluateOptions { at: vec![5, 10], ..EvaluateOptions::default() };
    options.training.set_all(ModelKind::Filter, &["components=2", "neighbours=40"]).unwrap();
    // Two tastes, but no two users or items alike, lest rounding decide between equal scores.
    let events: Vec<Event> = (0..600usize)
        .map(|number| {
            let (user, step) = (number % 60, number / 60);
            let taste = if user % 2 == 0 { 'a' } else { 'b' };
            let item = (user * user / 3 + step * step * 5 + user * step) % 20;
            event(number, number as i64, &format!("u{user}"), "click", &format!("{taste}{item}"))
        })
        .collect();
    let dataset = Dataset::from_events(&schema(), ok(&events)).unwrap();
    let report = run(ModelKind::Filter, &dataset, &options);
    let (mine, popular) = (report.metrics["ndcg@10"], report.beside["popular"]["ndcg@10"]);
    assert!(mine.low > popular.high, "{report:?}");
    let whole = report.whole.unwrap();
    assert_eq!((whole.users, whole.kept), (report.cases, 1.0));
    assert_eq!((whole.difference["ndcg@10"].value, whole.difference["recall@5"].high), (0.0, 0.0));

    options.training.set(ModelKind::Filter, "neighbours", "3").unwrap();
    let pruned = run(ModelKind::Filter, &dataset, &options);
    let whole = pruned.whole.unwrap();
    assert_eq!(whole.kept, 3.0 / 40.0);
    assert_eq!(whole.metrics["ndcg@10"], mine);
    let lost = pruned.metrics["ndcg@10"].value - mine.value;
    assert!((whole.difference["ndcg@10"].value - lost).abs() < 1e-12 && lost != 0.0, "{lost}");
}

#[test]
fn the_closed_form_is_refused_where_its_matrix_does_not_fit() {
    let mut options = EvaluateOptions { at: vec![10], validate: false, ..EvaluateOptions::default() };
    options.training.set_all(ModelKind::Filter, &["form=ease", "lambda=20"]).unwrap();
    let report = run(ModelKind::Filter, &two_tastes(), &options);
    assert!(report.metrics["ndcg@10"].low > report.beside["popular"]["ndcg@10"].high, "{report:?}");
    options.training.memory = Some(10_000);
    let error = evaluate(ModelKind::Filter, &two_tastes(), &options, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("training 40 items needs about"), "{error}");
}
