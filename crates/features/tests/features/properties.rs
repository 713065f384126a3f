//! Every aggregate, window and entity equals the reference, at every time and in any arrival order.

use headwater_base::{Actor, Event, Fact, FeatureValue, Fields, ItemId, SessionId, UserId};
use headwater_features::{FeatureRequest, FeatureSpec, Replay};
use headwater_log::Partition;
use proptest::collection::vec;
use proptest::prelude::*;

use super::reference::Reference;
use super::world::*;

/// Times are distinct microseconds, so that nothing depends on how ties break.
pub(crate) fn facts() -> impl Strategy<Value = Vec<(i64, Fact)>> {
    let actor = prop_oneof![
        (0..3u8).prop_map(|id| user(&format!("u{id}"))),
        (0..3u8).prop_map(|id| session(&format!("s{id}"))),
        (0..3u8, 0..3u8).prop_map(|(user, session)| Actor {
            user: Some(UserId::trusted(format!("u{user}"))),
            session: Some(SessionId::trusted(format!("s{session}"))),
        }),
    ];
    let kind = prop::sample::select(vec!["click", "impression", "purchase"]);
    let value = prop::option::of((0..20u8).prop_map(|value| f32::from(value) / 4.0));
    let device = prop::option::of(prop::sample::select(vec!["mobile", "desktop"]));
    let happened = (kind, actor, 0..4u8, value, device).prop_map(|(kind, actor, item, value, device)| {
        let mut fact = interaction(kind, actor, &format!("i{item}"), value);
        if let (Fact::Interaction(interaction), Some(device)) = (&mut fact, device) {
            interaction.context = word("device", device);
        }
        fact
    });
    // Words come into being in alphabetical order, so that the order of their numbers is that of the reference.
    let upsert = (0..4u8, 0..3u8).prop_map(|(id, category)| item(&format!("i{id}"), &format!("c{category}")));
    let country = (0..3u8, 0..2u8).prop_map(|(id, country)| Fact::UserUpsert {
        user: UserId::trusted(format!("u{id}")),
        fields: word("country", ["AT", "CH"][usize::from(country)]),
        removed: Vec::new(),
        patch: false,
    });
    let merge = (0..3u8, 0..3u8).prop_map(|(session, user)| Fact::Merge {
        session: SessionId::trusted(format!("s{session}")),
        user: UserId::trusted(format!("u{user}")),
    });
    let fact = prop_oneof![12 => happened, 2 => upsert, 1 => country, 1 => merge];
    // Some hours, some weeks: windows of every length have tails among the events.
    let span = prop::sample::select(vec![3 * HOUR, 2 * DAY, 40 * DAY]);
    span.prop_flat_map(move |span| vec((0..span, fact.clone()), 1..60)).prop_map(|facts| {
        let categories = (0..3).map(|c| (0, item("first", &format!("c{c}"))));
        let spread =
            facts.into_iter().enumerate().map(|(index, (time, fact))| (time / 64 * 64 + index as i64, fact));
        categories.chain(spread).collect()
    })
}

fn close(spec: &FeatureSpec, got: &FeatureValue, wanted: &FeatureValue) -> bool {
    use headwater_features::declared::Definition;
    // Sums are kept in steps of 2^-20, and what decays is added up in another order.
    let loose = matches!(&spec.definition, Definition::Aggregate(spec) if spec.decay.is_some());
    match (got, wanted) {
        (FeatureValue::Number(a), FeatureValue::Number(b)) if loose => {
            (a - b).abs() <= 1e-5 * b.abs().max(1e-3)
        }
        // A decayed rate over next to nothing: who decides whether it is nothing?
        (FeatureValue::Number(_), FeatureValue::Missing)
        | (FeatureValue::Missing, FeatureValue::Number(_)) => false,
        _ => got.same(wanted),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_feature_equals_the_reference(facts in facts(), later in 0..50 * DAY, asks in vec((0..4u8, 0..4u8), 3)) {
        let specs = every_kind();
        let mut replay = Replay::new(&schema(), &options(&specs));
        let mut reference = Reference::default();
        let newest = facts.iter().map(|(time, _)| *time).max().unwrap_or(0);
        for (offset, (time, fact)) in facts.into_iter().enumerate() {
            let event: Event = event(time, 41 * DAY + offset as i64, fact);
            replay.fold(Partition(0), offset as u64, &event);
            reference.fold(&event);
        }
        for (who, what) in asks {
            let actor = match who {
                0 => session("s0"),
                1 => Actor { user: Some(UserId::trusted("u1")), session: Some(SessionId::trusted("s1")) },
                who => user(&format!("u{who}")),
            };
            let context = if what % 2 == 0 { word("device", "mobile") } else { Fields::default() };
            let now = at(newest + later / i64::from(who + 1));
            let id = ItemId::trusted(format!("i{what}"));
            let request = FeatureRequest { actor: &actor, context: &context, time: now };
            let item = replay.catalogue().index(id.as_str());
            let rows = replay.features(&request, &columns(&specs), &[item]);
            for (spec, got) in specs.iter().zip(rows.row(0)) {
                let wanted = reference.value(spec, (&actor, &context, now), id.as_str());
                prop_assert!(close(spec, got, &wanted), "{spec:?}: {got:?} instead of {wanted:?}");
            }
        }
    }
}
