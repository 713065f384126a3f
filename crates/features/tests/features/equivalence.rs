//! However the log came in, the state is the same: cut into any batches, some of them twice, with checkpoints written
//! and read in between, folded live or replayed.

use std::sync::Arc;

use headwater_base::{Actor, Event, FeatureValue, Fields, ItemId, SessionId, UserId};
use headwater_features::{FeatureRequest, FeatureSpec, Replay, Views};
use headwater_log::{Batch, Partition};
use proptest::collection::vec;
use proptest::prelude::*;

use super::properties::facts;
use super::world::*;

/// What is done on the way: a batch up to this share of the rest, whether it begins before what is known, and whether a
/// checkpoint follows.
#[derive(Clone, Copy, Debug)]
struct Step {
    share: f64,
    repeats: usize,
    restores: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let repeats = prop_oneof![Just(0), 1..50usize];
    let step = (0.0..1.0, repeats, any::<bool>()).prop_map(|(share, repeats, restores)| Step {
        share,
        repeats,
        restores,
    });
    vec(step, 0..6)
}

fn batch(events: &[Event], first: usize, end: usize) -> Batch {
    Batch { partition: Partition(0), first: first as u64, events: events[first..end].into() }
}

fn bytes(views: &Views) -> Vec<u8> {
    let mut bytes = Vec::new();
    views.write_state(&mut bytes).expect("memory takes all");
    bytes
}

/// Views and a replay that took the log in steps.
fn stepwise(specs: &[FeatureSpec], events: &[Event], steps: &[Step]) -> (Views, Replay) {
    let schema = Arc::new(schema());
    let mut views = Views::new(Arc::clone(&schema), options(specs));
    let mut replay = Replay::new(&schema, &options(specs));
    let mut known = 0;
    let last = Step { share: 1.0, repeats: 0, restores: false };
    for step in steps.iter().chain([&last]) {
        let end = known + ((events.len() - known) as f64 * step.share).ceil() as usize;
        let batch = batch(events, known.saturating_sub(step.repeats), end);
        views.apply(&batch).expect("no gap");
        replay.apply(&batch, end as u64).expect("no gap");
        known = end;
        if step.restores {
            let restored = Views::read_state(Arc::clone(&schema), options(specs), &mut &bytes(&views)[..]);
            views = restored.expect("what was written is read");
        }
    }
    // Once more, all of it.
    let all = self::batch(events, 0, events.len());
    views.apply(&all).expect("no gap");
    replay.apply(&all, events.len() as u64).expect("no gap");
    (views, replay)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn live_views_and_a_replay_are_the_same_however_the_log_came_in(
        facts in facts(),
        gap in prop::sample::select(vec![0, MINUTE, 5 * HOUR, 20 * DAY]),
        steps in steps(),
        later in 0..50 * DAY,
    ) {
        let stamp = |(offset, (time, fact))| event(time, 41 * DAY + gap * offset, fact);
        let events: Vec<Event> = (0..).zip(facts).map(stamp).collect();
        let specs = every_kind();
        let (whole, _) = stepwise(&specs, &events, &[]);
        let (views, replay) = stepwise(&specs, &events, &steps);
        prop_assert!(bytes(&whole) == bytes(&views), "other bytes after {:?}", steps);
        prop_assert_eq!(views.position(), replay.position().clone());

        let newest = events.iter().map(|event| event.time).max().expect("items at least");
        let now = newest.plus(std::time::Duration::from_micros(later as u64));
        let both = Actor { user: Some(UserId::trusted("u1")), session: Some(SessionId::trusted("s1")) };
        let columns = columns(&specs);
        for actor in [user("u0"), both, session("s0"), session("s2")] {
            for context in [word("device", "mobile"), Fields::default()] {
                let items = ["i0", "i1", "unheard of"].map(ItemId::trusted);
                let request = FeatureRequest { actor: &actor, context: &context, time: now };
                let found = items.each_ref().map(|item| replay.catalogue().index(item.as_str()));
                let live = items.each_ref().map(|item| views.item_index(item.as_str()));
                prop_assert_eq!(found, live);
                let replayed = replay.features(&request, &columns, &found);
                let served = views.hold().features(&request, &columns, &found).unwrap();
                for item in 0..items.len() {
                    let differs = |(_, a, b): &(&FeatureSpec, &FeatureValue, &FeatureValue)| !a.same(b);
                    let values = specs.iter().zip(replayed.row(item)).zip(served.row(item));
                    let different = values.map(|((spec, a), b)| (spec, a, b)).find(differs);
                    prop_assert!(different.is_none(), "{:?}", different);
                }
            }
        }
    }
}
