//! A backfill gives what reads and folds one by one give, and leaves the state that they leave.

use std::time::Duration;

use headwater_base::{Actor, Event, Fact, FeatureValue, SessionId, UserId};
use headwater_features::{FeatureRequest, FeatureSpec, Replay, ViewsOptions};
use headwater_log::Partition;
use proptest::prelude::*;

use super::properties::facts;
use super::world::*;

/// What each interaction met, one by one.
fn one_by_one(replay: &mut Replay, columns: &[usize], events: &[Event]) -> Vec<Vec<FeatureValue>> {
    let mut met = Vec::new();
    for (offset, event) in (0..).zip(events) {
        if let Fact::Interaction(interaction) = &event.fact {
            let item = replay.catalogue().index(interaction.item.as_str());
            let request =
                FeatureRequest { actor: &interaction.actor, context: &interaction.context, time: event.time };
            met.push(replay.features(&request, columns, &[item]).row(0).cloned().collect());
        }
        replay.fold(Partition(0), offset, event);
    }
    met
}

fn at_once(replay: &mut Replay, columns: &[usize], events: &[Event], cut: usize) -> Vec<Vec<FeatureValue>> {
    let mut table = replay.table(columns);
    let mut met = Vec::new();
    let (before, after) = events.split_at(cut.min(events.len()));
    for (first, events) in [(0, before), (before.len() as u64, after)] {
        replay.backfill(Partition(0), (first..).zip(events), &mut table);
        met.extend((0..table.len()).map(|row| {
            (0..columns.len()).map(|column| table.value(replay, row, column)).collect::<Vec<_>>()
        }));
    }
    met
}

fn different<'v>(
    specs: &'v [FeatureSpec],
    a: &'v [Vec<FeatureValue>],
    b: &'v [Vec<FeatureValue>],
) -> Option<(usize, &'v FeatureSpec, &'v FeatureValue, &'v FeatureValue)> {
    assert_eq!(a.len(), b.len(), "rows");
    let rows = a.iter().zip(b).enumerate();
    let mut values = rows
        .flat_map(|(row, (a, b))| specs.iter().zip(a).zip(b).map(move |((spec, a), b)| (row, spec, a, b)));
    values.find(|(_, _, a, b)| !a.same(b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_backfill_gives_what_reads_and_folds_give_one_by_one(
        facts in facts(),
        gap in prop::sample::select(vec![0, MINUTE, 5 * HOUR, 20 * DAY]),
        idle in prop::sample::select(vec![HOUR, 3 * DAY, 400 * DAY]),
        cut in 0..60usize,
        reversed in any::<bool>(),
        in_order in any::<bool>(),
    ) {
        let mut facts = facts;
        if in_order {
            // Nothing comes late, so that many in a row meet the same windows.
            let mut times: Vec<i64> = facts.iter().map(|(time, _)| *time).collect();
            times.sort_unstable();
            facts.iter_mut().zip(times).for_each(|((time, _), sorted)| *time = sorted);
        }
        let stamp = |(offset, (time, fact))| event(time, 41 * DAY + gap * offset, fact);
        let events: Vec<Event> = (0..).zip(facts).map(stamp).collect();
        let mut specs = every_kind();
        if reversed {
            specs.reverse();
        }
        let idle = Duration::from_micros(idle as u64);
        let options = ViewsOptions { idle_sessions: idle, idle_entities: 2 * idle, ..options(&specs) };
        let columns = columns(&specs);
        let (mut single, mut many) = (Replay::new(&schema(), &options), Replay::new(&schema(), &options));
        let wanted = one_by_one(&mut single, &columns, &events);
        let got = at_once(&mut many, &columns, &events, cut);
        prop_assert!(different(&specs, &wanted, &got).is_none(), "{:?}", different(&specs, &wanted, &got));
        prop_assert_eq!(single.position(), many.position());

        // What follows meets the same state.
        let newest = events.iter().map(|event| event.time).max().expect("items at least");
        let both = Actor { user: Some(UserId::trusted("u1")), session: Some(SessionId::trusted("s1")) };
        let later: Vec<Event> = [user("u0"), both, session("s0"), session("s2")]
            .into_iter()
            .map(|actor| {
                let mut fact = interaction("click", actor, "i0", Some(1.0));
                if let Fact::Interaction(interaction) = &mut fact {
                    interaction.context = word("device", "mobile");
                }
                let mut event = event(0, 0, fact);
                (event.time, event.received) = (newest, events.last().expect("one at least").received);
                event
            })
            .collect();
        let wanted = one_by_one(&mut single, &columns, &later);
        let got = one_by_one(&mut many, &columns, &later);
        prop_assert!(different(&specs, &wanted, &got).is_none(), "{:?}", different(&specs, &wanted, &got));
    }
}
