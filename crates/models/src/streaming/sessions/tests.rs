//! The index against the list of all events, and its answers against a slow, obvious reference.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_base::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{Past, Query, Retrieve, Scored};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

fn all(_: Row) -> bool {
    true
}

fn past(row: Row, age: f32) -> Past {
    Past { row, weight: 1.0, age }
}

/// A small index, so that everything in it is soon reached.
fn small() -> SessionOptions {
    SessionOptions {
        kept: 12,
        items: 4,
        window: Duration::from_secs(20_000),
        half_life: Duration::from_secs(8_000),
        history: 3,
        recent: 5,
        neighbours: 4,
        ..SessionOptions::default()
    }
}

/// Sessions as lists, in the order in which they began.
struct Slow {
    options: SessionOptions,
    newest: i64,
    sessions: Vec<(Owner, i64, Vec<Row>)>,
}

impl Slow {
    fn observe(&mut self, owner: Owner, row: Row, time: i64) {
        self.newest = self.newest.max(time);
        let gap = self.options.gap.as_secs() as i64;
        let own = self.sessions.iter_mut().rev().find(|session| session.0 == owner && !session.2.is_empty());
        let going_on = own.filter(|(_, ended, items)| {
            (time - *ended).abs() <= gap && (items.len() < self.options.items || items.contains(&row))
        });
        if let Some((_, ended, items)) = going_on {
            *ended = time.max(*ended);
            items.retain(|item| *item != row);
            items.push(row);
            return;
        }
        let window = self.options.window.as_secs() as i64;
        while self.sessions.len() == self.options.kept
            || self.sessions.first().is_some_and(|first| self.newest - first.1 > window)
        {
            self.sessions.remove(0);
        }
        self.sessions.push((owner, time, vec![row]));
    }

    fn holders(&self, row: Row) -> usize {
        self.sessions.iter().filter(|session| session.2.contains(&row)).count()
    }

    /// The formula of `nearest.rs`, for every session and every item.
    fn scores(&self, history: &[Past], own: Option<Owner>) -> BTreeMap<Row, f64> {
        let options = &self.options;
        let mut seeds: Vec<(Row, f32)> = Vec::new();
        let mut later: Option<f32> = None;
        for past in history.iter().rev().filter(|past| self.holders(past.row) > 0) {
            if later.is_some_and(|later| past.age - later > options.gap.as_secs_f32()) {
                break;
            }
            later = Some(past.age);
            if seeds.len() < options.history && seeds.iter().all(|seed| seed.0 != past.row) {
                seeds.push((past.row, past.weight));
            }
        }
        let most = seeds.iter().map(|seed| seed.1).fold(0.0, f32::max);
        let own = own.and_then(|own| {
            self.sessions.iter().rposition(|session| session.0 == own && !session.2.is_empty())
        });
        let mut similar: Vec<(f64, usize, Row)> = Vec::new();
        for (number, (_, ended, items)) in self.sessions.iter().enumerate() {
            let mut sum = 0.0;
            let mut shared = None;
            for (place, (row, weight)) in seeds.iter().enumerate() {
                let later =
                    self.sessions[number + 1..].iter().filter(|session| session.2.contains(row)).count();
                if items.contains(row) && later < options.recent && own != Some(number) {
                    shared = shared.or(Some(*row));
                    sum += f64::from(*weight / most)
                        * (-(place as f64) / f64::from(options.history_places)).exp()
                        / (5.0 + self.holders(*row) as f64).powf(f64::from(options.match_power));
                }
            }
            let age = (self.newest - ended) as f64 / options.half_life.as_secs_f64();
            similar.extend(shared.map(|shared| (sum * (-age).exp2(), number, shared)));
        }
        similar.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        similar.truncate(options.neighbours);
        let mut scores: BTreeMap<Row, f64> = BTreeMap::new();
        for (similarity, number, shared) in similar {
            let items = &self.sessions[number].2;
            let place = items.iter().position(|item| *item == shared).unwrap() as f64;
            for (at, row) in items.iter().enumerate() {
                let apart = ((at as f64 - place).abs() - 1.0).max(0.0);
                let side = if (at as f64) < place { f64::from(options.before) } else { 1.0 };
                let near = (-apart / f64::from(options.session_places)).exp();
                *scores.entry(*row).or_default() += similarity * side * near;
            }
        }
        for (row, score) in &mut scores {
            if seeds.iter().skip(1).any(|seed| seed.0 == *row) {
                *score *= f64::from(options.repeated);
            }
            *score /= (5.0 + self.holders(*row) as f64).powf(f64::from(options.item_power));
        }
        scores
    }
}

#[derive(Clone, Debug)]
enum Step {
    Event(Owner, Row, i64),
    Forget(Owner),
    Merge(Owner, Owner),
    Reload,
}

/// Events in about the order of their times, with pauses, some of them late.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![6 => 0..200_i64, 1 => 1500..2500_i64, 1 => -4000..0_i64];
    let step = prop_oneof![
        30 => (1..6_u64, 0..14_u32, pause).prop_map(|(owner, row, pause)| Step::Event(owner, row, pause)),
        1 => (1..6_u64).prop_map(Step::Forget),
        1 => (1..6_u64, 1..6_u64).prop_map(|(from, into)| Step::Merge(from, into)),
        1 => Just(Step::Reload),
    ];
    prop::collection::vec(step, 1..160).prop_map(|mut steps| {
        let mut now = 0;
        for step in &mut steps {
            if let Step::Event(.., time) = step {
                now += (*time).max(0);
                *time += now;
            }
        }
        steps
    })
}

fn reloaded(model: &SessionNeighbours) -> SessionNeighbours {
    SessionNeighbours::from_parts(&model.options, model.newest(), model.sessions()).unwrap()
}

fn folded(options: &SessionOptions, steps: &[Step]) -> (SessionNeighbours, Slow) {
    let mut model = SessionNeighbours::new(options);
    let mut slow = Slow { options: *options, newest: i64::MIN, sessions: Vec::new() };
    for step in steps {
        match step {
            Step::Event(owner, row, time) => {
                model.observe(*owner, *row, at(*time));
                slow.observe(*owner, *row, *time);
            }
            Step::Forget(owner) => {
                model.forget(&[*owner]);
                for session in slow.sessions.iter_mut().filter(|session| session.0 == *owner) {
                    *session = (0, NOBODY.ended.as_micros() / 1_000_000 - 1_700_000_000, Vec::new());
                }
            }
            Step::Merge(from, into) => {
                model.merge(*from, *into);
                for session in slow.sessions.iter_mut().filter(|session| session.0 == *from) {
                    session.0 = *into;
                }
            }
            Step::Reload => model = reloaded(&model),
        }
    }
    (model, slow)
}

proptest! {
    #[test]
    fn sessions_are_those_of_a_list(steps in steps()) {
        let (model, slow) = folded(&small(), &steps);
        let kept: Vec<(Owner, i64, Vec<Row>)> = model
            .sessions()
            .map(|kept| (kept.owner, kept.ended.as_micros() / 1_000_000 - 1_700_000_000, kept.items.to_vec()))
            .collect();
        prop_assert_eq!(kept, slow.sessions.clone());
        for row in 0..14 {
            prop_assert_eq!(model.holders_of(row), slow.holders(row));
        }
        // What it derives is what it would derive from its parts.
        let again = reloaded(&model);
        prop_assert_eq!(&again.latest.len(), &model.latest.len());
        for owner in 1..6 {
            let of = |model: &SessionNeighbours| {
                let latest = model.latest.get(&owner)?;
                Some((age(latest.slot, model.oldest, model.options.kept), latest.sessions))
            };
            prop_assert_eq!(of(&again), of(&model));
        }
    }

    #[test]
    fn answers_are_those_of_the_formula(
        steps in steps(),
        history in prop::collection::vec((0..16_u32, prop::sample::select(vec![0.5_f32, 1.0, 4.0]), 0..1000_u16), 0..9),
        own in prop::option::of(1..6_u64),
        limit in 1..20_usize,
    ) {
        let (model, slow) = folded(&small(), &steps);
        let mut age = 0.0;
        let mut history: Vec<Past> = history
            .into_iter()
            .map(|(row, weight, pause)| {
                age += f32::from(pause) * if pause > 900 { 10.0 } else { 0.1 };
                Past { row, weight, age }
            })
            .collect();
        history.reverse();
        let expected = slow.scores(&history, own);
        let query = Query { history: &history, item: None };
        let found = model.nearest(&query, own, limit, &all);
        // Equal sums may round to either side of the cut; then which session is in is not the formula's to say.
        let everything = model.nearest(&query, own, usize::MAX, &all);
        prop_assert_eq!(&everything[..found.len()], &found[..]);
        prop_assert_eq!(found.len(), limit.min(everything.len()));
        prop_assert_eq!(everything.len(), expected.len());
        for Scored { row, score } in &everything {
            let expected = expected.get(row).copied().unwrap_or(f64::NAN);
            prop_assert!((f64::from(*score) - expected).abs() <= 1e-4 * expected, "{row}: {score} is not {expected}");
        }
        let without = model.nearest(&query, own, limit, &|row: Row| row % 3 != 1);
        let expected: Vec<Scored> = everything.into_iter().filter(|found| found.row % 3 != 1).take(limit).collect();
        prop_assert_eq!(without, expected);
        prop_assert_eq!(reloaded(&model).nearest(&query, own, limit, &all), found);
    }
}

#[test]
fn what_followed_in_similar_sessions_comes_next_and_the_asking_session_is_not_one_of_them() {
    let mut model = SessionNeighbours::new(&SessionOptions::default());
    for (owner, rows) in [(1, [0, 1, 2]), (2, [0, 1, 3]), (3, [5, 6, 7])] {
        for (step, row) in (0..).zip(rows) {
            model.observe(owner, row, at(100 * owner as i64 + step));
        }
    }
    model.observe(9, 0, at(1000));
    model.observe(9, 1, at(1010));
    model.observe(9, 8, at(1020));
    let history = [past(0, 20.0), past(1, 10.0), past(8, 0.0)];
    let query = Query { history: &history, item: None };
    let rows = |found: Vec<Scored>| found.iter().map(|scored| scored.row).collect::<Vec<_>>();
    let found = rows(model.nearest(&query, Some(9), 9, &|row| ![0, 1, 8].contains(&row)));
    assert_eq!(found, [3, 2], "the later session first, and nothing of the one without a shared item");
    assert!(rows(model.nearest(&query, Some(9), 9, &all)).iter().all(|row| *row != 8));
    assert!(rows(model.nearest(&query, None, 9, &all)).contains(&8));
    let of_item = Query { history: &history, item: Some(6) };
    assert_eq!(rows(model.retrieve(&of_item, 9, &all)), [7, 5]);
    let of_unknown = Query { history: &history, item: Some(77) };
    assert_eq!(rows(model.retrieve(&of_unknown, 9, &all)), rows(model.retrieve(&query, 9, &all)));
}

#[test]
fn the_ring_is_bounded_however_many_sessions_come() {
    let options = SessionOptions { kept: 50, items: 4, ..SessionOptions::default() };
    let mut model = SessionNeighbours::new(&options);
    let mut largest = 0;
    for owner in 1..5_000_u64 {
        for step in 0..6 {
            model.observe(owner, (owner as u32 * 7 + step * 11) % 200, at(owner as i64));
        }
        if owner == 1_000 {
            largest = model.heap_bytes();
        }
    }
    assert_eq!(model.sessions().len(), 50);
    assert_eq!(model.sessions().last().unwrap().owner, 4_999);
    assert_eq!(model.latest.len(), 25, "six items make two sessions of an owner");
    assert!(model.heap_bytes() <= largest + largest / 4, "{} and {largest}", model.heap_bytes());
}

#[test]
fn keeping_none_keeps_nothing() {
    let mut model = SessionNeighbours::new(&SessionOptions { kept: 0, ..SessionOptions::default() });
    model.observe(1, 0, at(0));
    model.forget(&[1]);
    model.merge(1, 2);
    assert_eq!((model.sessions().len(), model.items()), (0, 0));
    assert!(model.retrieve(&Query { history: &[past(0, 0.0)], item: None }, 5, &all).is_empty());
}

#[test]
fn parts_that_no_index_gave_are_refused() {
    let options = SessionOptions { kept: 2, items: 2, ..SessionOptions::default() };
    let kept = |items| Kept { owner: 1, ended: at(0), items };
    let made = |sessions: &[Kept<'_>]| {
        SessionNeighbours::from_parts(&options, at(0), sessions.iter().copied()).is_some()
    };
    assert!(made(&[kept(&[1, 2]), kept(&[])]));
    assert!(!made(&[kept(&[1, 2, 3])]));
    assert!(!made(&[kept(&[1, 1])]));
    assert!(!made(&[kept(&[1]), kept(&[1]), kept(&[1])]));
}
