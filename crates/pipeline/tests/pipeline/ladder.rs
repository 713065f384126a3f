//! The fallback ladder, deadlines and broken stages.

use std::sync::Arc;
use std::time::Duration;

use crate::world::{World, home, ids, skipped, spec};
use headwater_base::time::ManualClock;
use headwater_base::{Clock as _, Rung};
use headwater_features::ItemIndex;
use headwater_pipeline::candidate::Found;
use headwater_pipeline::error::StageError;
use headwater_pipeline::stage::{Allowed, Source};
use headwater_pipeline::{Moment, Snapshot, Surface};

const ALL: [&str; 4] = ["ials", "neighbours", "trending", "popular"];

#[test]
fn a_known_user_gets_their_own_taste() {
    let world = World::new();
    let model = world.two_tastes();
    world.publish(&[spec(&ALL, &["seen"])], vec![model]);
    let answer = world.home("a0", 2);
    assert_eq!((answer.rung, answer.model.as_str()), (Rung::Personal, "ials@1"));
    assert!(
        answer.items.iter().all(|item| item.id.as_str().starts_with("a-") && item.source == "ials"),
        "{answer:?}"
    );
}

#[test]
fn each_rung_answers_when_the_better_ones_cannot() {
    let world = World::new();
    let model = world.two_tastes();
    world.publish(&[spec(&ALL, &["seen"])], vec![model]);
    // Without a model the neighbours of what was touched answer.
    world.publish(&[spec(&ALL, &["seen"])], Vec::new());
    let answer = world.home("a0", 2);
    assert_eq!((answer.rung, answer.model.as_str()), (Rung::Neighbours, ""));
    assert!(skipped(&answer).contains(&("source:ials", "no model `ials` is loaded")), "{answer:?}");
    // A stranger has no past: what moves now.
    assert_eq!(world.home("stranger", 2).rung, Rung::Trending);
    world.publish(&[spec(&["popular"], &[])], Vec::new());
    assert_eq!(world.home("stranger", 2).rung, Rung::Popular);
}

#[test]
fn sessions_answer_with_what_was_in_those_like_this_one() {
    let world = World::new();
    for (user, items) in [("u", ["tent", "stove"]), ("v", ["boat", "oar"]), ("asking", ["rope", "tent"])] {
        items.iter().for_each(|item| world.click(user, item));
    }
    world.publish(&[spec(&["sessions"], &["seen"])], Vec::new());
    let answer = world.home("asking", 3);
    assert_eq!((answer.rung, ids(&answer)[0]), (Rung::Neighbours, "stove"), "{answer:?}");
    assert_eq!(answer.items[0].source, "sessions");
    assert!(answer.items[1..].iter().all(|item| item.source == "popular"), "{answer:?}");
    let mut similar = home("asking", 1);
    similar.item = Some(headwater_base::ItemId::trusted("oar"));
    assert_eq!(ids(&world.ask(&similar)), ["boat"]);
}

#[test]
fn worse_rungs_only_fill_what_is_left_open() {
    let world = World::new();
    let model = world.two_tastes();
    world.click("fan", "a-item0");
    for item in 0..3 {
        world.click("other", &format!("new{item}"));
    }
    world.publish(&[spec(&ALL, &["seen"])], vec![model]);
    let answer = world.home("fan", 19);
    let rungs: Vec<&str> = answer.items.iter().map(|item| item.source.as_str()).collect();
    assert_eq!(answer.rung, Rung::Personal);
    assert_eq!(rungs.iter().filter(|source| **source == "ials").count(), 15, "{rungs:?}");
    let order: Vec<usize> =
        rungs.iter().map(|source| ALL.iter().position(|name| name == source).unwrap()).collect();
    assert!(order.is_sorted(), "{rungs:?}");
    let mut distinct = ids(&answer);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((distinct.len(), answer.items.len()), (18, 18));
}

#[test]
fn an_empty_catalogue_gives_an_empty_answer_and_says_so() {
    let world = World::new();
    world.publish(&[spec(&ALL, &["seen"])], Vec::new());
    let answer = world.home("a0", 5);
    assert_eq!((answer.rung, answer.items.len()), (Rung::Empty, 0));
    assert_eq!(world.recorder.decisions.lock().len(), 1);
}

#[test]
fn popular_is_the_floor_even_where_no_settings_name_it() {
    let world = World::new();
    world.click("u", "i1");
    world.publish(&[spec(&["ials"], &[])], Vec::new());
    let answer = world.home("stranger", 5);
    assert_eq!((answer.rung, ids(&answer)), (Rung::Popular, vec!["i1"]));
}

struct SlowSource(Arc<ManualClock>, Duration);

impl Source for SlowSource {
    fn name(&self) -> &str {
        "slow"
    }
    fn rung(&self, _: &Moment<'_>) -> Rung {
        Rung::Personal
    }
    fn candidates(&self, _: &Moment<'_>, _: usize, _: Allowed<'_>) -> Result<Vec<Found>, StageError> {
        self.0.set(self.0.now().plus(self.1));
        Ok(Vec::new())
    }
}

enum Broken {
    Fails,
    Panics,
    Lies,
}

impl Source for Broken {
    fn name(&self) -> &str {
        "broken"
    }
    fn rung(&self, _: &Moment<'_>) -> Rung {
        Rung::Personal
    }
    fn candidates(&self, moment: &Moment<'_>, _: usize, _: Allowed<'_>) -> Result<Vec<Found>, StageError> {
        match self {
            Self::Fails => Err(StageError::Broken("no index".into())),
            Self::Panics => panic!("a bug in a source"),
            Self::Lies => {
                let all = 0..moment.catalogue.len() as ItemIndex;
                Ok(all.map(|item| Found { item, score: if item == 0 { f32::NAN } else { 1.0 } }).collect())
            }
        }
    }
}

fn with_source(world: &World, source: Box<dyn Source>) {
    let surface = Surface::assemble(&spec(&["trending", "popular"], &["seen"]), &world.schema).unwrap();
    world.engine.publish(Snapshot::new([surface.with_source(source)], [], 0));
}

#[test]
fn what_cannot_start_in_time_is_skipped_but_the_floor_still_answers() {
    let world = World::new();
    world.two_tastes();
    with_source(&world, Box::new(SlowSource(Arc::clone(&world.clock), Duration::from_millis(60))));
    let answer = world.home("stranger", 3);
    assert_eq!((answer.rung, answer.items.len()), (Rung::Popular, 3));
    assert_eq!(skipped(&answer), [("source:trending", "deadline")]);
}

#[test]
fn a_source_within_its_time_costs_nobody_else_theirs() {
    let world = World::new();
    world.two_tastes();
    with_source(&world, Box::new(SlowSource(Arc::clone(&world.clock), Duration::from_millis(30))));
    let answer = world.home("stranger", 3);
    assert_eq!((answer.rung, skipped(&answer).len()), (Rung::Trending, 0));
}

#[test]
fn a_failing_or_panicking_source_is_skipped_and_named() {
    for (broken, reason) in [(Broken::Fails, "no index"), (Broken::Panics, "panicked")] {
        let world = World::new();
        world.two_tastes();
        with_source(&world, Box::new(broken));
        let answer = world.home("stranger", 3);
        assert_eq!((answer.rung, answer.items.len()), (Rung::Trending, 3));
        assert_eq!(skipped(&answer), [("source:broken", reason)]);
        assert_eq!(world.recorder.decisions.lock()[0].stages, answer.stages);
    }
}

#[test]
fn a_source_that_ignores_what_is_allowed_cannot_leak() {
    let world = World::new();
    world.click("u", "i0");
    world.click("u", "i1");
    world.click("v", "i2");
    world.upsert("i3", Default::default(), Some(false));
    with_source(&world, Box::new(Broken::Lies));
    assert_eq!(ids(&world.home("u", 10)), ["i2"]);
}

#[test]
fn a_decision_that_cannot_be_recorded_costs_nobody_the_answer() {
    let world = World::new();
    world.two_tastes();
    world.publish(&[spec(&["popular"], &[])], Vec::new());
    *world.recorder.broken.lock() = true;
    let answer = world.home("u", 2);
    assert_eq!((answer.items.len(), answer.recorded), (2, false));
    assert_eq!(skipped(&answer), [("recorder:decisions", "disk full")]);
}

#[test]
fn the_decision_says_what_the_answer_said() {
    let world = World::new();
    let model = world.two_tastes();
    world.publish(&[spec(&ALL, &["seen"])], vec![model]);
    let answer = world.home("a1", 3);
    let decisions = world.recorder.decisions.lock();
    let decision = &decisions[0];
    assert_eq!((&decision.request_id, decision.model.as_str()), (&answer.request_id, "ials@1"));
    assert_eq!((decision.settings, &decision.position), (42, &world.views.position().0));
    let shown: Vec<&str> = decision.items.iter().map(|shown| shown.item.as_str()).collect();
    assert_eq!(shown, ids(&answer));
}

#[test]
fn the_same_world_gives_the_same_answer() {
    let answers: Vec<_> = (0..2)
        .map(|_| {
            let world = World::new();
            let model = world.two_tastes();
            world.publish(&[spec(&ALL, &["seen"])], vec![model]);
            let answer = world.ask(&home("a3", 12));
            (answer.request_id.clone(), answer.items.clone(), answer.stages)
        })
        .collect();
    assert_eq!(answers[0], answers[1]);
}
