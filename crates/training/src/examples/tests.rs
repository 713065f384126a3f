//! Small worlds: decisions and interactions, by seconds.

mod history;
mod join;
mod logged;
mod reference;

use std::time::Duration;

use headwater_base::schema::InteractionType;
use headwater_base::{
    Actor, Decision, Event, EventId, Fact, FeatureValue, Fields, Interaction, ItemId, LoggedFeatures,
    RequestId, Rung, Schema, SessionId, Shown, Timestamp, UserId,
};

use super::join::Entry;
use super::{ExampleOptions, Join, Joined, Outcome};

const WINDOW: i64 = 100;
const GRACE: i64 = 20;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn options() -> ExampleOptions {
    ExampleOptions {
        window: Duration::from_secs(WINDOW as u64),
        grace: Duration::from_secs(GRACE as u64),
        now: at(1_000_000),
        open: false,
    }
}

fn schema() -> Schema {
    let interactions = [("view", 0.0), ("click", 1.0), ("purchase", 5.0)]
        .map(|(name, weight)| (name.into(), InteractionType { weight }));
    Schema { interactions: interactions.into(), ..Schema::default() }
}

/// `u1`, `/s1` or `u1/s1`.
fn actor(text: &str) -> Actor {
    let (user, session) = text.split_once('/').unwrap_or((text, ""));
    Actor {
        user: (!user.is_empty()).then(|| UserId::trusted(user)),
        session: (!session.is_empty()).then(|| SessionId::trusted(session)),
    }
}

fn event(id: &str, time: i64, received: i64, fact: Fact) -> Event {
    Event { id: EventId::trusted(id), time: at(time), received: at(received), fact }
}

/// A decision at a moment, showing the items named in `items`, without features.
fn decision(request_id: &str, time: i64, who: &str, items: &str) -> Event {
    let shown = |item: &str| Shown {
        item: ItemId::trusted(item),
        score: 1.0,
        source: "ials".into(),
        propensity: 0.5,
    };
    let decision = Decision {
        request_id: RequestId::trusted(request_id),
        surface: "home".into(),
        actor: actor(who),
        item: None,
        context: Fields::default(),
        position: vec![7],
        model: "ials@1".into(),
        settings: 0,
        arms: Vec::new(),
        seed: 0,
        rung: Rung::Personal,
        items: items.split_whitespace().map(shown).collect(),
        stages: Vec::new(),
        features: None,
    };
    event(request_id, time, time, Fact::Decision(Box::new(decision)))
}

/// The same with features: one number for each item, its place.
fn with_features(mut event: Event, share: f32) -> Event {
    if let Fact::Decision(decision) = &mut event.fact {
        let rows = (0u16..).take(decision.items.len());
        decision.features = Some(Box::new(LoggedFeatures {
            schema: 11,
            time: event.time,
            share,
            rows: rows.map(|place| vec![FeatureValue::Number(f32::from(place))]).collect(),
        }));
    }
    event
}

/// An interaction; its value is its event time.
fn interaction(
    kind: &str,
    time: i64,
    received: i64,
    who: &str,
    item: &str,
    request_id: Option<&str>,
) -> Event {
    let interaction = Interaction {
        kind: kind.into(),
        actor: actor(who),
        item: ItemId::trusted(item),
        value: Some(time as f32),
        request_id: request_id.map(RequestId::trusted),
        context: Fields::default(),
    };
    event(&format!("{kind}-{time}-{received}-{who}-{item}"), time, received, Fact::Interaction(interaction))
}

fn click(time: i64, who: &str, item: &str) -> Event {
    interaction("click", time, time, who, item, None)
}

fn log(events: &[Event]) -> impl Iterator<Item = Entry> + '_ {
    (0..).zip(events).map(|(offset, event)| Ok((offset, event.clone())))
}

fn join<'a>(
    decisions: &'a [Event],
    events: &'a [Event],
    options: ExampleOptions,
) -> Join<impl Iterator<Item = Entry> + 'a, impl Iterator<Item = Entry> + 'a> {
    Join::new(log(events), log(decisions), log(decisions), options)
}

fn joined(decisions: &[Event], events: &[Event], options: ExampleOptions) -> Vec<Joined> {
    join(decisions, events, options).map(Result::unwrap).collect()
}

/// `REQUEST ITEM TYPE +DELAY` of every outcome, in order.
fn outcomes(joined: &[Joined]) -> Vec<String> {
    let of = |joined: &Joined| {
        let request = joined.decision.request_id.clone();
        let shown = joined.decision.items.iter().zip(&joined.outcomes);
        shown
            .flat_map(|(shown, outcomes)| outcomes.iter().map(|outcome| (shown.item.clone(), outcome)))
            .map(|(item, Outcome { kind, delay, .. })| {
                format!("{request} {item} {kind} +{}", delay.as_secs())
            })
            .collect::<Vec<_>>()
    };
    joined.iter().flat_map(of).collect()
}
