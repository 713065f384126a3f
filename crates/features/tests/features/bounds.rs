//! What an entity keeps is bounded, whatever happens to it.

use std::collections::HashMap;

use headwater_base::{Event, Fact, FeatureValue, Fields, SessionId, UserId};
use headwater_features::declared::{Aggregate, Definition, Part};
use headwater_features::{FeatureRequest, FeatureSpec, Replay};
use headwater_log::Partition;
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::*;

/// Most second parts that one first part keeps.
const PAIRS: usize = 512;

/// Pairs by item, which are numbered in the order in which they came: when the latest interaction happened, and how many
/// there were.
#[derive(Default)]
struct Reference(HashMap<usize, (i64, f32)>);

impl Reference {
    fn add(&mut self, item: usize, time: i64) {
        let pair = self.0.entry(item).or_insert((time, 0.0));
        *pair = (pair.0.max(time), pair.1 + 1.0);
        self.make_room();
    }

    /// The pair whose latest interaction is the oldest goes; of several, that of the item that came first.
    fn make_room(&mut self) {
        while self.0.len() > PAIRS {
            let oldest = self.0.iter().map(|(item, (time, _))| (*time, *item)).min();
            oldest.map(|(_, item)| self.0.remove(&item));
        }
    }
}

fn pairs() -> Vec<FeatureSpec> {
    let spec = aggregate(&[Part::User, Part::Item], Aggregate::Count, &[], None, None);
    vec![feature("pairs", Definition::Aggregate(spec))]
}

fn name(item: usize) -> String {
    format!("i{item}")
}

fn counts(replay: &Replay, actor: &headwater_base::Actor, items: usize, now: i64) -> Vec<FeatureValue> {
    let context = Fields::default();
    let request = FeatureRequest { actor, context: &context, time: at(now) };
    let indices: Vec<_> = (0..items).map(|item| replay.catalogue().index(&name(item))).collect();
    let rows = replay.features(&request, &[0], &indices);
    (0..items).map(|item| rows.value(item, 0).clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Some items are touched again and again, some once; many come late.
    #[test]
    fn a_pair_makes_room_when_its_latest_interaction_is_the_oldest(
        touches in vec((prop_oneof![3 => 0..900usize, 1 => 0..20usize], prop_oneof![2 => Just(0), 1 => 0..40i64]), 700..1_500),
        merged in any::<bool>(),
    ) {
        const ITEMS: usize = 900;
        let mut replay = Replay::new(&schema(), &options(&pairs()));
        let mut fold = |offset: usize, event: Event| replay.fold(Partition(0), offset as u64, &event);
        (0..ITEMS).for_each(|number| fold(number, event(0, 0, item(&name(number), "c0"))));
        let (mut of_user, mut of_session) = (Reference::default(), Reference::default());
        let count = touches.len();
        for (number, (item, late)) in touches.into_iter().enumerate() {
            // Several happen at once, so that ties break.
            let received = HOUR + number as i64 / 3 * MINUTE;
            let time = received - late * MINUTE;
            let by_session = merged && number % 2 == 0;
            let actor = if by_session { session("s") } else { user("u") };
            let reference = if by_session { &mut of_session } else { &mut of_user };
            reference.add(item, time);
            fold(ITEMS + number, event(time, received, interaction("click", actor, &name(item), None)));
        }
        let now = HOUR + count as i64 * MINUTE;
        if merged {
            let merge = Fact::Merge { session: SessionId::trusted("s"), user: UserId::trusted("u") };
            fold(ITEMS + count, event(now, now, merge));
            for (item, (time, count)) in of_session.0 {
                let pair = of_user.0.entry(item).or_insert((time, 0.0));
                *pair = (pair.0.max(time), pair.1 + count);
            }
            of_user.make_room();
        }
        let read = counts(&replay, &user("u"), ITEMS, now);
        let wanted: Vec<FeatureValue> =
            (0..ITEMS).map(|item| FeatureValue::Number(of_user.0.get(&item).map_or(0.0, |pair| pair.1))).collect();
        prop_assert_eq!(read, wanted);
        prop_assert!(of_user.0.len() <= PAIRS);
    }
}

/// Every feature of a user and of a session, under all that can be thrown at them.
#[test]
fn an_entity_keeps_no_more_however_long_it_goes_on() {
    let mut specs = every_kind();
    specs.retain(|spec| match &spec.definition {
        Definition::Aggregate(spec) => matches!(spec.entity[0], Part::User | Part::Session),
        Definition::Field(_) | Definition::Time(_) => false,
    });
    let mut replay = Replay::new(&schema(), &options(&specs));
    let mut offset = 0;
    let mut fold = |replay: &mut Replay, time: i64, fact: Fact| {
        replay.fold(Partition(0), offset, &event(time, time, fact));
        offset += 1;
    };
    let mut resident = Vec::new();
    for day in 0..160i64 {
        for part in 0..150i64 {
            let number = 150 * day + part;
            let time = day * DAY + part * DAY / 150;
            let actor = headwater_base::Actor {
                user: Some(UserId::trusted("u")),
                session: Some(SessionId::trusted("s")),
            };
            // New items without end, and values that all differ.
            fold(
                &mut replay,
                time,
                interaction("click", actor, &name(number as usize), Some(number as f32 / 7.0)),
            );
        }
        resident.push(replay.resident_bytes());
    }
    // The longest window is 30 days; what is kept then moves on and grows no more.
    let full = *resident[40..80].iter().max().expect("days");
    let later = *resident[120..].iter().max().expect("days");
    assert!(later <= full + full / 50, "{later} bytes after {full}");
    assert!(
        full > 2 * resident[2],
        "it was bounded by the window and not by what happened: {full} {resident:?}"
    );
}
