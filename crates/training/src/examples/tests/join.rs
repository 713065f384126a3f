//! Which interaction is the outcome of which decision.

use headwater_base::{Event, Fact, SessionId, UserId};
use headwater_log::LogError;

use super::{GRACE, WINDOW, at, click, decision, event, interaction, join, joined, options, outcomes};
use crate::examples::{ExampleOptions, Join};

/// Outcomes expected of interactions with the decisions of [`shown`].
struct Case {
    name: &'static str,
    events: Vec<Event>,
    expected: &'static [&'static str],
}

/// r1 and r2 for u1, r3 for an anonymous session, r4 for u2 in the same session.
fn shown() -> Vec<Event> {
    vec![
        decision("r1", 10, "u1/s1", "a b c"),
        decision("r2", 50, "u1/s2", "b c d"),
        decision("r3", 60, "/s3", "a b"),
        decision("r4", 70, "u2/s3", "a e"),
    ]
}

fn cases() -> Vec<Case> {
    let named = |time, received, request_id| interaction("click", time, received, "", "b", Some(request_id));
    vec![
        Case {
            name: "the request id decides, whoever sends it and whatever came later",
            events: vec![named(60, 60, "r1"), click(61, "u9", "a"), named(62, 62, "r9")],
            expected: &["r1 b click +50"],
        },
        Case {
            name: "an item that the named decision did not show is no outcome, of no other decision either",
            events: vec![interaction("click", 60, 60, "u1", "d", Some("r1"))],
            expected: &[],
        },
        Case {
            name: "without a request id, the latest decision that showed the item to the user",
            events: vec![
                click(40, "u1", "b"),
                click(55, "u1", "b"),
                click(56, "u1", "a"),
                click(57, "u1", "e"),
            ],
            expected: &["r1 a click +46", "r1 b click +30", "r2 b click +5"],
        },
        Case {
            name: "an event between two decisions belongs to the first, however late it comes",
            events: vec![interaction("click", 49, 90, "u1", "b", None)],
            expected: &["r1 b click +39"],
        },
        Case {
            name: "from the moment of the decision to the end of the window, both included",
            events: vec![
                click(9, "u1", "a"),
                click(10, "u1", "c"),
                interaction("purchase", 10 + WINDOW, 10 + WINDOW, "u1", "a", None),
                interaction("click", 11 + WINDOW, 11 + WINDOW, "u1", "a", None),
                interaction("click", 11 + WINDOW, 11 + WINDOW, "", "b", Some("r1")),
            ],
            expected: &["r1 a purchase +100", "r1 c click +0"],
        },
        Case {
            name: "late by the grace counts, later does not",
            events: vec![
                interaction("click", 20, 10 + WINDOW + GRACE, "u1", "a", None),
                interaction("click", 20, 11 + WINDOW + GRACE, "u1", "c", None),
            ],
            expected: &["r1 a click +10"],
        },
        Case {
            name: "one of a type counts once, the first to happen",
            events: vec![
                click(30, "u1", "a"),
                interaction("click", 20, 31, "u1", "a", None),
                click(32, "u1", "a"),
                interaction("purchase", 33, 33, "u1", "a", None),
            ],
            expected: &["r1 a click +10", "r1 a purchase +23"],
        },
        Case {
            name: "what was received before the decision is not its outcome, whatever its clock said",
            events: vec![
                interaction("click", 15, 9, "u1", "a", None),
                interaction("click", 20, 9, "", "b", Some("r1")),
            ],
            expected: &[],
        },
        Case {
            name: "what happened before the decision is not its outcome, though it comes later",
            events: vec![
                interaction("click", 5, 20, "u1", "a", None),
                interaction("click", 5, 20, "", "b", Some("r1")),
            ],
            expected: &[],
        },
        Case {
            name: "a session stands for its visitor where one of the two names no user",
            events: vec![
                click(71, "/s3", "b"),
                click(72, "/s3", "a"),
                click(73, "u7/s3", "e"),
                click(74, "u7/s3", "b"),
            ],
            expected: &["r3 b click +11", "r4 a click +2"],
        },
        Case {
            name: "a session that became a user's",
            events: vec![
                click(63, "u3", "a"),
                merge(64, "s3", "u3"),
                click(65, "u3", "b"),
                click(71, "u3", "e"),
            ],
            expected: &["r3 b click +5"],
        },
    ]
}

fn merge(time: i64, session: &str, user: &str) -> Event {
    let (session, user) = (SessionId::trusted(session), UserId::trusted(user));
    event(&format!("m{time}"), time, time, Fact::Merge { session, user })
}

#[test]
fn each_outcome_finds_its_decision() {
    for Case { name, events, expected } in cases() {
        assert_eq!(outcomes(&joined(&shown(), &events, options())), expected, "{name}");
    }
}

#[test]
fn every_closed_decision_comes_once_in_order_with_or_without_outcomes() {
    let joined = joined(&shown(), &[click(55, "u1", "b")], options());
    let requests: Vec<&str> = joined.iter().map(|joined| joined.decision.request_id.as_str()).collect();
    assert_eq!(requests, ["r1", "r2", "r3", "r4"]);
    assert!(joined.iter().all(|joined| joined.outcomes.len() == joined.decision.items.len()));
}

#[test]
fn a_decision_whose_outcomes_may_still_come_waits_unless_asked_for() {
    let now = at(50 + WINDOW + GRACE);
    let events = [click(55, "u1", "b")];
    let waiting = ExampleOptions { now, ..options() };
    let decisions = shown();
    let mut join = join(&decisions, &events, waiting.clone());
    let closed: Vec<_> = join.by_ref().map(Result::unwrap).collect();
    assert_eq!(closed.len(), 1, "r2 closes a moment later");
    assert_eq!(join.counts().open, 3);
    let all = joined(&decisions, &events, ExampleOptions { open: true, ..waiting });
    assert_eq!(all.len(), 4);
    assert_eq!(outcomes(&all), ["r2 b click +5"]);
}

#[test]
fn only_what_may_still_have_outcomes_is_held() {
    let decisions: Vec<Event> = (0..5_000).map(|at| decision(&format!("r{at}"), at, "u1", "a")).collect();
    let events: Vec<Event> = (0..5_000).map(|at| click(at, "u1", "a")).collect();
    let mut join = join(&decisions, &events, options());
    assert_eq!(join.by_ref().count(), 5_000);
    let most = join.counts().most_open;
    assert!((WINDOW + GRACE..WINDOW + GRACE + 5).contains(&(most as i64)), "{most}");
    assert_eq!(join.counts().by_actor, 5_000);
}

#[test]
fn a_deleted_user_gives_nothing_that_was_still_open() {
    let deleted = event("d", 80, 80, Fact::UserDelete { user: UserId::trusted("u1") });
    let events = [click(55, "u1", "b"), deleted, click(81, "u1", "b"), click(82, "u2", "e")];
    let decisions = shown();
    let mut join = join(&decisions, &events, options());
    let closed: Vec<_> = join.by_ref().map(Result::unwrap).collect();
    assert_eq!(outcomes(&closed), ["r4 e click +12"]);
    assert_eq!((closed.len(), join.counts().erased), (2, 2));
}

#[test]
fn an_erased_decision_gives_nothing_and_does_not_disturb_the_others() {
    let mut erased = shown();
    erased[1].fact = Fact::Erased;
    let events = [click(55, "u1", "b"), click(75, "u2", "a")];
    assert_eq!(outcomes(&joined(&erased, &events, options())), ["r1 b click +45", "r4 a click +5"]);
    // Erased between the two readings.
    let mut join = Join::new(super::log(&events), super::log(&[]), super::log(&[]), options());
    assert!(join.next().is_none());
    let decisions = shown();
    let join = Join::new(super::log(&events), super::log(&decisions), super::log(&erased), options());
    let closed: Vec<_> = join.map(Result::unwrap).collect();
    assert_eq!(outcomes(&closed), ["r4 a click +5"]);
    assert_eq!(closed.len(), 3);
}

#[test]
fn an_error_of_a_log_ends_the_join() {
    let events = vec![Ok((0, click(1, "u1", "a"))), Err(LogError::Closed)];
    let decisions = shown();
    let mut join = Join::new(events.into_iter(), super::log(&decisions), super::log(&decisions), options());
    assert!(join.next().is_some_and(|next| next.is_err()));
    assert!(join.next().is_none());
}
