//! The join against a slow one that looks at every pair, and the rule that no outcome is of its decision's past.

use headwater_base::{Decision, Event, Fact, Interaction, SessionId, UserId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{GRACE, WINDOW, at, decision, event, interaction, joined, options};
use crate::examples::Joined;

fn who() -> impl Strategy<Value = String> {
    prop_oneof![3 => "u[1-3]", 2 => "u[1-3]/s[1-3]", 2 => "/s[1-3]"]
}

fn decisions() -> impl Strategy<Value = Vec<Event>> {
    vec((0i64..400, who(), prop::sample::subsequence(vec!["a", "b", "c", "d"], 1..4)), 0..20).prop_map(
        |mut decisions| {
            decisions.sort_by_key(|(time, ..)| *time);
            let named = decisions.into_iter().enumerate();
            named
                .map(|(at, (time, who, items))| decision(&format!("r{at}"), time, &who, &items.join(" ")))
                .collect()
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let late = prop_oneof![5 => -3i64..5, 2 => 0i64..60, 1 => 0..WINDOW + 2 * GRACE];
    let interaction = (0i64..520, late, "click|purchase", who(), "[a-d]", option::weighted(0.3, 0usize..22))
        .prop_map(|(received, late, kind, who, item, request)| {
            let request = request.map(|at| format!("r{at}"));
            interaction(&kind, received - late, received, &who, &item, request.as_deref())
        });
    let merge = (0i64..520, "s[1-3]", "u[1-3]").prop_map(|(time, session, user)| {
        let (session, user) = (SessionId::trusted(session), UserId::trusted(user));
        event("m", time, time, Fact::Merge { session, user })
    });
    vec(prop_oneof![12 => interaction, 1 => merge], 0..60).prop_map(|mut events| {
        events.sort_by_key(|event| event.received);
        events
    })
}

fn decided(event: &Event) -> &Decision {
    match &event.fact {
        Fact::Decision(decision) => decision,
        _ => panic!("a decision"),
    }
}

/// Whether the decision was made for the one who acts, knowing the events `before`.
fn same_actor(decision: &Decision, event: &Event, interaction: &Interaction, before: &[Event]) -> bool {
    let (shown, acting) = (&decision.actor, &interaction.actor);
    if shown.user.is_some() && acting.user.is_some() {
        return shown.user == acting.user;
    }
    let merged = before.iter().any(|merge| match &merge.fact {
        Fact::Merge { session, user } => {
            merge.received.plus(waiting()) >= event.received
                && acting.user.as_ref() == Some(user)
                && shown.session.as_ref() == Some(session)
        }
        _ => false,
    });
    merged || (shown.session.is_some() && shown.session == acting.session)
}

fn waiting() -> std::time::Duration {
    options().window + options().grace
}

/// For each decision, `ITEM TYPE TIME VALUE` of its outcomes.
fn slow(decisions: &[Event], events: &[Event]) -> Vec<Vec<String>> {
    let mut outcomes: Vec<Vec<(&Event, &Interaction)>> = vec![Vec::new(); decisions.len()];
    for (at, event) in events.iter().enumerate() {
        let Fact::Interaction(interaction) = &event.fact else {
            continue;
        };
        let waits = |made: &Event| {
            let decision = decided(made);
            decision.items.iter().any(|shown| shown.item == interaction.item)
                && made.received <= event.received
                && made.time <= event.time
                && event.time <= made.time.plus(options().window)
                && event.received <= made.received.plus(waiting())
                && match &interaction.request_id {
                    Some(request_id) => decision.request_id == *request_id,
                    None => same_actor(decision, event, interaction, &events[..at]),
                }
        };
        if let Some(latest) = decisions.iter().rposition(waits) {
            outcomes[latest].push((event, interaction));
        }
    }
    outcomes
        .into_iter()
        .map(|mut outcomes| {
            // Stable, so that of two at once the first received counts.
            outcomes.sort_by_key(|(event, _)| event.time);
            let mut texts: Vec<String> = Vec::new();
            for (event, interaction) in outcomes {
                let name = format!("{} {} ", interaction.item, interaction.kind);
                if !texts.iter().any(|text| text.starts_with(&name)) {
                    texts.push(format!("{name}{} {:?}", event.time.as_micros(), interaction.value));
                }
            }
            texts.sort();
            texts
        })
        .collect()
}

fn texts(joined: &Joined) -> Vec<String> {
    let shown = joined.decision.items.iter().zip(&joined.outcomes);
    let of = shown.flat_map(|(shown, outcomes)| {
        outcomes.iter().map(|outcome| {
            let time = joined.time.plus(outcome.delay).as_micros();
            format!("{} {} {time} {:?}", shown.item, outcome.kind, outcome.value)
        })
    });
    let mut texts: Vec<String> = of.collect();
    texts.sort();
    texts
}

proptest! {
    #[test]
    fn the_join_is_the_slow_one(decisions in decisions(), events in events()) {
        let joined = joined(&decisions, &events, options());
        let requests: Vec<_> = joined.iter().map(|joined| &joined.decision.request_id).collect();
        let expected: Vec<_> = decisions.iter().map(|event| &decided(event).request_id).collect();
        prop_assert_eq!(requests, expected);
        prop_assert_eq!(joined.iter().map(texts).collect::<Vec<_>>(), slow(&decisions, &events));
    }

    /// Each interaction's value is its event time, and traces where an outcome comes from.
    #[test]
    fn no_outcome_is_of_its_own_decisions_past(decisions in decisions(), events in events()) {
        for joined in joined(&decisions, &events, options()) {
            for (shown, outcomes) in joined.decision.items.iter().zip(&joined.outcomes) {
                for outcome in outcomes {
                    let happened = outcome.value.map(|value| at(value as i64));
                    prop_assert!(happened >= Some(joined.time));
                    let received_after = events.iter().any(|event| match &event.fact {
                        Fact::Interaction(interaction) => {
                            Some(event.time) == happened
                                && interaction.item == shown.item
                                && interaction.kind == outcome.kind
                                && event.received >= joined.time
                        }
                        _ => false,
                    });
                    prop_assert!(received_after);
                }
            }
        }
    }
}
