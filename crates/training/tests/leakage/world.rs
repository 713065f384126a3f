//! Logs whose every value says when it is from.

use std::sync::Arc;

use headwater_base::schema::InteractionType;
use headwater_base::value::FieldType;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, SessionId, Timestamp, UserId, Value,
};
use headwater_features::{FeatureSpec, Plan, ViewsOptions};
use headwater_log::{LogError, Offset};
use proptest::collection::vec;
use proptest::prelude::*;

/// Seconds of a Tuesday noon; traces count from it.
const START: i64 = 1_700_000_000;
pub(crate) const HOUR: i64 = 3600;

pub(crate) fn schema() -> Schema {
    let weights = [("impression", 0.0), ("click", 1.0), ("purchase", 5.0)];
    Schema {
        interactions: weights.map(|(name, weight)| (name.into(), InteractionType { weight })).into(),
        items: [
            ("category".into(), FieldType::Categorical),
            ("label".into(), FieldType::Categorical),
            ("price".into(), FieldType::Numeric),
            ("since".into(), FieldType::Time),
            ("tags".into(), FieldType::Tags),
        ]
        .into(),
        users: [
            ("country".into(), FieldType::Categorical),
            ("badge".into(), FieldType::Categorical),
            ("spent".into(), FieldType::Numeric),
        ]
        .into(),
        context: [
            ("device".into(), FieldType::Categorical),
            ("screen".into(), FieldType::Categorical),
            ("level".into(), FieldType::Numeric),
        ]
        .into(),
        repeats: true,
    }
}

pub(crate) fn options(specs: &[FeatureSpec]) -> ViewsOptions {
    let plan = Plan::new(specs, &schema()).expect("features that compile");
    ViewsOptions { plan: Arc::new(plan), threads: 1, ..ViewsOptions::default() }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(START + seconds)
}

/// Seconds since the start.
pub(crate) fn seconds(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000) - START
}

/// What a trace is the number of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Traced {
    /// The second at which an event was received.
    Received,
    /// The second at which it happened.
    Happened,
    /// Its offset.
    Offset,
}

/// What happens, before it carries a trace.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Interact { kind: &'static str, actor: Actor, item: u8, device: u8 },
    Item { item: u8, category: u8 },
    User { user: u8, country: u8 },
    Merge { session: u8, user: u8 },
}

/// A step with when it was received and happened, in seconds since the start.
#[derive(Clone, Debug)]
pub(crate) struct Stamped {
    pub(crate) step: Step,
    pub(crate) received: i64,
    pub(crate) happened: i64,
}

pub(crate) fn actor(user: Option<u8>, session: Option<u8>) -> Actor {
    Actor {
        user: user.map(|id| UserId::trusted(format!("u{id}"))),
        session: session.map(|id| SessionId::trusted(format!("s{id}"))),
    }
}

pub(crate) fn item(number: u8) -> ItemId {
    ItemId::trusted(format!("i{number}"))
}

fn word(text: String) -> Value {
    Value::Categorical(text.into())
}

/// The context of an interaction or a request that is traced by `trace`.
pub(crate) fn context(device: u8, trace: i64) -> Fields {
    Fields::new([
        ("device".into(), word(format!("d{device}"))),
        ("screen".into(), word(format!("t{trace}"))),
        ("level".into(), Value::Numeric(trace as f64)),
    ])
}

/// The event at `offset`, which carries its trace wherever it can.
pub(crate) fn event(offset: usize, stamped: &Stamped, traced: Traced) -> Event {
    let trace = match traced {
        Traced::Received => stamped.received,
        Traced::Happened => stamped.happened,
        Traced::Offset => offset as i64,
    };
    let traced = word(format!("t{trace}"));
    let fact = match &stamped.step {
        Step::Interact { kind, actor, item: number, device } => Fact::Interaction(Interaction {
            kind: (*kind).into(),
            actor: actor.clone(),
            item: item(*number),
            value: Some(trace as f32),
            request_id: None,
            context: context(*device, trace),
        }),
        Step::Item { item: number, category } => Fact::ItemUpsert {
            item: item(*number),
            fields: Fields::new([
                ("category".into(), word(format!("c{category}"))),
                ("label".into(), traced),
                ("price".into(), Value::Numeric(trace as f64)),
                ("since".into(), Value::Time(at(trace))),
                ("tags".into(), Value::Tags(vec!["always".into(), format!("t{trace}").into()])),
            ]),
            removed: Vec::new(),
            available: None,
            patch: false,
        },
        Step::User { user, country } => Fact::UserUpsert {
            user: UserId::trusted(format!("u{user}")),
            fields: Fields::new([
                ("country".into(), word(format!("l{country}"))),
                ("badge".into(), traced),
                ("spent".into(), Value::Numeric(trace as f64)),
            ]),
            removed: Vec::new(),
            patch: false,
        },
        Step::Merge { session, user } => Fact::Merge {
            session: SessionId::trusted(format!("s{session}")),
            user: UserId::trusted(format!("u{user}")),
        },
    };
    Event {
        id: EventId::trusted(format!("e{offset}")),
        time: at(stamped.happened),
        received: at(stamped.received),
        fact,
    }
}

pub(crate) fn events(steps: &[Stamped], traced: Traced) -> Vec<Event> {
    steps.iter().enumerate().map(|(offset, stamped)| event(offset, stamped, traced)).collect()
}

/// Events as a log gives them.
pub(crate) fn log(events: &[Event]) -> impl Iterator<Item = Result<(Offset, Event), LogError>> + Clone + '_ {
    (0..).zip(events).map(|(offset, event)| Ok((offset, event.clone())))
}

pub(crate) fn anybody() -> impl Strategy<Value = Actor> {
    prop_oneof![
        2 => (0..2u8).prop_map(|user| actor(Some(user), None)),
        2 => (0..2u8, 0..2u8).prop_map(|(user, session)| actor(Some(user), Some(session))),
        1 => (0..2u8).prop_map(|session| actor(None, Some(session))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec!["click", "click", "purchase", "impression"]);
    let interact = (kind, anybody(), 0..3u8, 0..2u8).prop_map(|(kind, actor, item, device)| Step::Interact {
        kind,
        actor,
        item,
        device,
    });
    let items = (0..3u8, 0..2u8).prop_map(|(item, category)| Step::Item { item, category });
    let users = (0..2u8, 0..2u8).prop_map(|(user, country)| Step::User { user, country });
    let merge = (0..2u8, 0..2u8).prop_map(|(session, user)| Step::Merge { session, user });
    prop_oneof![12 => interact, 4 => items, 2 => users, 1 => merge]
}

/// Steps in the order received, some of them late. Each is received at another second than it happened, so that it says
/// since when it holds.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Stamped>> {
    let gap = prop_oneof![5 => 2..600i64, 2 => 600..6 * HOUR, 1 => 6 * HOUR..48 * HOUR];
    let late = prop_oneof![5 => Just(1i64), 2 => 1..2 * HOUR, 1 => 1..40 * HOUR];
    vec((gap, late, step()), 8..36).prop_map(|steps| {
        let mut received = 50 * HOUR;
        let stamp = |(gap, late, step)| {
            received += gap;
            Stamped { step, received, happened: received - late }
        };
        steps.into_iter().map(stamp).collect()
    })
}
