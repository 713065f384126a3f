//! What an event changes in the very next answer, with the cache on, and items the model was not trained on.

use std::time::Duration;

use crate::world::{World, home, ids, schema, spec};
use headwater_base::{Fields, Rung};
use headwater_pipeline::AnswerCache;

fn cached_world() -> World {
    let world = World::with(schema(false), Some(AnswerCache::new(1000)));
    let model = world.two_tastes();
    world.publish(&[spec(&["ials"], &["seen"])], vec![model]);
    world
}

#[test]
fn the_same_question_is_answered_from_the_cache_under_a_new_id() {
    let world = cached_world();
    let (first, second) = (world.home("a0", 3), world.home("a0", 3));
    assert_eq!((first.cached, second.cached), (false, true));
    assert_eq!(first.items, second.items);
    assert_ne!(first.request_id, second.request_id);
    assert_eq!(world.recorder.decisions.lock().len(), 2);
}

#[test]
fn an_own_event_changes_the_very_next_answer() {
    let world = cached_world();
    world.home("a0", 3);
    for _ in 0..3 {
        let answer = world.home("a0", 3);
        let shown = answer.items[0].id.as_str().to_owned();
        world.click("a0", &shown);
        let next = world.home("a0", 3);
        assert!(!next.cached && !ids(&next).contains(&shown.as_str()), "{next:?}");
    }
}

#[test]
fn an_item_that_becomes_unavailable_is_gone_from_the_next_answer() {
    let world = cached_world();
    let shown = world.home("a0", 3).items[0].id.as_str().to_owned();
    world.upsert(&shown, Fields::default(), Some(false));
    assert!(!ids(&world.home("a0", 3)).contains(&shown.as_str()));
}

#[test]
fn another_surface_limit_or_list_is_another_answer() {
    let world = cached_world();
    world.home("a0", 3);
    assert!(!world.home("a0", 4).cached);
    let mut request = home("a0", 3);
    request.exclude = vec![world.home("a0", 3).items[0].id.clone()];
    assert!(!world.ask(&request).cached);
    assert!(world.ask(&request).cached);
    request.explain = true;
    assert!(!world.ask(&request).cached);
}

#[test]
fn a_new_snapshot_empties_nothing_but_is_never_answered_from_the_old() {
    let world = cached_world();
    world.home("a0", 3);
    world.publish(&[spec(&["popular"], &["seen"])], Vec::new());
    let answer = world.home("a0", 3);
    assert_eq!((answer.cached, answer.rung), (false, Rung::Popular));
}

#[test]
fn a_new_item_is_in_the_answers_of_who_it_suits_within_a_second() {
    for source in ["sessions", "neighbours"] {
        let world = World::with(schema(false), Some(AnswerCache::new(1000)));
        world.click("u", "tent");
        world.click("another", "tent");
        world.publish(&[spec(&[source], &["seen"])], Vec::new());
        let shows = |answer: &headwater_pipeline::Answer| {
            answer.items.iter().any(|item| item.id.as_str() == "new" && item.source == source)
        };
        assert!(!shows(&world.home("u", 3)));
        world.click("another", "new");
        world.later(Duration::from_secs(1));
        assert!(shows(&world.home("u", 3)), "{source}");
    }
}

#[test]
fn what_others_move_is_a_second_old_at_most() {
    let world = World::with(schema(false), Some(AnswerCache::new(1000)));
    world.click("v", "i1");
    world.publish(&[spec(&["trending", "popular"], &["seen"])], Vec::new());
    assert_eq!(ids(&world.home("u", 1)), ["i1"]);
    for _ in 0..3 {
        world.click("v", "i1");
    }
    assert!(world.home("u", 1).cached);
    world.later(Duration::from_secs(1));
    assert!(!world.home("u", 1).cached);
}
