//! Each protocol on a few interactions, and what may not leak.

use std::fs;
use std::path::Path;

use headwater_base::{EventId, SessionId, UserId};

use super::*;
use crate::train::tests::{event, ok, schema};

fn preset(preset: Preset, files: &[(&str, &str)]) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    Dataset::from_preset(preset, folder.path(), &mut |_| {}).unwrap()
}

/// Names of the rows of each case: history and relevant items.
fn cases(dataset: &Dataset, split: &Split, cases: &[Case]) -> Vec<(Vec<String>, Vec<String>)> {
    let mut names: Vec<String> = split.items.iter().map(ToString::to_string).collect();
    let mut rest: Vec<String> =
        dataset.items.ids().iter().map(ToString::to_string).filter(|id| !names.contains(id)).collect();
    rest.sort();
    names.extend(rest);
    let name = |row: u32| names[row as usize].clone();
    let case = |case: &Case| {
        let history = case.history.iter().map(|past| name(past.row)).collect();
        (history, case.relevant.iter().map(|&row| name(row)).collect())
    };
    cases.iter().map(case).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

#[test]
fn given_test_items_are_asked_and_every_item_is_a_candidate() {
    let files = [("train.txt", "0 10 9\n1 9\n"), ("test.txt", "0 100\n1\n2 9\n")];
    let dataset = preset(Preset::Split, &files);
    let split = dataset.split(Stage::Test).unwrap();
    assert_eq!(split.protocol, "given");
    assert_eq!(split.items.iter().map(ItemId::as_str).collect::<Vec<_>>(), ["10", "9"]);
    assert_eq!(split.catalogue, 3);
    // "10" < "100" < "9" as text: the order of what cannot be scored.
    assert_eq!(split.by_id, [0, 2, 1]);
    assert_eq!(cases(&dataset, &split, &split.cases), [(words("10 9"), words("100"))]);
    assert_eq!(cases(&dataset, &split, &split.cold), [(vec![], words("9"))]);
}

#[test]
fn the_given_validation_slice_is_a_seeded_fifth_of_the_training_items() {
    let lines: String = (0..20)
        .map(|user| format!("{user} {}\n", (0..20).map(|i| i.to_string()).collect::<Vec<_>>().join(" ")))
        .collect();
    let dataset = preset(Preset::Split, &[("train.txt", &lines), ("test.txt", "0 99\n")]);
    let split = |seed| dataset.split(Stage::Validation { seed }).unwrap();
    let one = split(1);
    assert!(one.cases.iter().all(|case| case.relevant.len() == 4 && case.history.len() == 16));
    let overlap = |case: &Case| case.history.iter().any(|past| case.relevant.contains(&past.row));
    assert!(!one.cases.iter().any(overlap));
    assert_eq!(one.entries.len(), 20 * 16);
    assert_eq!(one.cases, split(1).cases);
    assert_ne!(one.cases, split(2).cases);
}

#[test]
fn leave_one_out_asks_for_the_last_and_validates_on_the_one_before() {
    let dataset = preset(Preset::Sequence, &[("a.txt", "u 1\nu 2\nu 3\nu 4\nv 1\nv 2\n")]);
    let test = dataset.split(Stage::Test).unwrap();
    assert_eq!(cases(&dataset, &test, &test.cases), [(words("1 2 3"), words("4"))]);
    assert_eq!((test.entries.len(), test.catalogue, test.items.len()), (5, 4, 3));
    let validation = dataset.split(Stage::Validation { seed: 1 }).unwrap();
    assert_eq!(cases(&dataset, &validation, &validation.cases), [(words("1 2"), words("3"))]);
    assert_eq!(validation.entries.len(), 4);
}

#[test]
fn sessions_ask_each_prefix_and_keep_its_items_as_candidates() {
    let train: String = (0..10).map(|session| format!("{session} 1 2\n")).collect();
    let files = [("train_sessions.txt", train.as_str()), ("test_prefix_label.tsv", "1 77 2\t2\n1\t99\n")];
    let dataset = preset(Preset::Sessions, &files);
    let test = dataset.split(Stage::Test).unwrap();
    assert!(test.repeats);
    assert_eq!((test.users, test.catalogue), (10, 10));
    let expected = [(words("1 2"), words("2")), (words("1"), words("99"))];
    assert_eq!(cases(&dataset, &test, &test.cases), expected);
    let validation = dataset.split(Stage::Validation { seed: 1 }).unwrap();
    assert_eq!(validation.users, 9);
    // The last session is `9 1 2`; item 9 is nowhere else, so the model cannot know it.
    assert_eq!(cases(&dataset, &validation, &validation.cases), [(words("1"), words("2"))]);
    assert_eq!(validation.cold.len(), 1);
}

fn timed(events: &[Event], repeats: bool) -> Dataset {
    let mut schema = schema();
    schema.repeats = repeats;
    Dataset::from_events(&schema, ok(events)).unwrap()
}

/// Ten interactions, one a second, given out of order.
fn ten() -> Vec<Event> {
    let who = ["u", "v", "u", "v", "u", "v", "u", "u", "u", "w"];
    let what = ["a", "a", "b", "c", "c", "d", "d", "a", "a", "b"];
    let mut events: Vec<Event> = (0..10usize)
        .map(|number| event(number, 100 + number as i64, who[number], "click", what[number]))
        .collect();
    events.swap(0, 9);
    events
}

#[test]
fn a_time_cut_trains_on_what_was_before_it() {
    let dataset = timed(&ten(), true);
    let test = dataset.split(Stage::Test).unwrap();
    assert_eq!(test.now, Timestamp::from_seconds(108));
    assert_eq!(test.entries.len(), 8);
    assert_eq!(cases(&dataset, &test, &test.cases), [(words("a b c d a"), words("a"))]);
    assert_eq!(test.cases[0].history[0].age, 8.0);
    assert_eq!(cases(&dataset, &test, &test.cold), [(vec![], words("b"))]);
    let validation = dataset.split(Stage::Validation { seed: 1 }).unwrap();
    assert_eq!(validation.entries.len(), 7);
    assert_eq!(cases(&dataset, &validation, &validation.cases), [(words("a b c d"), words("a"))]);
}

#[test]
fn without_repeats_what_was_had_is_not_asked_again() {
    let test = timed(&ten(), false).split(Stage::Test).unwrap();
    assert!(test.cases.is_empty());
    assert_eq!(test.cold.len(), 1);
}

#[test]
fn interactions_at_the_moment_of_the_cut_are_behind_it() {
    let mut events = ten();
    for event in &mut events {
        if event.time > Timestamp::from_seconds(104) {
            event.time = Timestamp::from_seconds(108);
        }
    }
    let test = timed(&events, true).split(Stage::Test).unwrap();
    assert!(test.entries.iter().all(|entry| entry.time < Timestamp::from_seconds(108)));
    assert_eq!(test.entries.len(), 5);
}

#[test]
fn weights_come_from_the_type_and_worthless_types_are_passed_over() {
    let events = [
        event(0, 1, "u", "purchase", "a"),
        event(1, 2, "u", "click", "a"),
        event(2, 3, "u", "impression", "b"),
        event(3, 4, "u", "undeclared", "c"),
    ];
    let split = timed(&events, true).everything().unwrap();
    assert_eq!(split.items.len(), 1);
    let matrix = split.matrix(|entry| entry.weight).unwrap();
    assert_eq!(matrix.row(0).weights, [6.0]);
}

fn fact(seconds: i64, fact: Fact) -> Event {
    let time = Timestamp::from_seconds(seconds);
    Event { id: EventId::trusted(format!("f{seconds}")), time, received: time, fact }
}

fn as_session(mut event: Event, session: &str) -> Event {
    if let Fact::Interaction(interaction) = &mut event.fact {
        interaction.actor = Actor::session(SessionId::trusted(session));
    }
    event
}

#[test]
fn a_login_joins_the_session_only_where_it_was_known_at_the_cut() {
    let login =
        |seconds| fact(seconds, Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("u") });
    let events = |login_at: i64| {
        let mut events = ten();
        events.push(as_session(event(20, 101, "", "click", "d"), "s"));
        events.push(login(login_at));
        events
    };
    let split = |login_at| {
        let mut dataset = timed(&events(login_at), true);
        let (validation, test) = (Timestamp::from_seconds(107), Timestamp::from_seconds(108));
        dataset.protocol = Protocol::TimeCut(Some(Cuts { validation, test }));
        dataset.split(Stage::Test).unwrap()
    };
    assert_eq!(split(107).users, 2);
    assert_eq!(split(107).cases[0].history.len(), 6);
    assert_eq!(split(108).users, 3);
    assert_eq!(split(108).cases[0].history.len(), 5);
    assert_eq!(timed(&events(500), true).everything().unwrap().users, 3);
}

#[test]
fn who_was_deleted_is_not_learnt_from() {
    let mut events = ten();
    events.push(as_session(event(20, 101, "", "click", "z"), "s"));
    events.push(fact(200, Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("u") }));
    events.push(fact(201, Fact::UserDelete { user: UserId::trusted("u") }));
    let split = timed(&events, true).everything().unwrap();
    assert_eq!(split.users, 2);
    assert_eq!(split.items.iter().map(ItemId::as_str).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    assert_eq!(split.entries.len(), 4);
}

#[test]
fn too_little_data_is_said() {
    let none = timed(&[], true).split(Stage::Test).unwrap_err();
    assert_eq!(none.to_string(), "there is no interaction to train on");
    let one = timed(&[event(0, 1, "u", "click", "a")], true).split(Stage::Test).unwrap_err();
    assert!(one.to_string().contains("no interaction"), "{one}");
    let missing = Dataset::from_preset(Preset::Split, Path::new("/nowhere"), &mut |_| {});
    assert!(missing.is_err());
}
