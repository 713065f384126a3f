//! The streaming models against slow, obvious references.

use std::time::Duration;

use headwater_base::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{Past, Query, Retrieve, Row, Scored};

const HOUR: Duration = Duration::from_secs(3600);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

/// Sums weight x 2^(-age / half-life) over all observations, from scratch.
fn slow_popularity(observed: &[(Row, i64, f32)], half_life: Duration) -> Vec<(Row, f64)> {
    let newest = observed.iter().map(|(_, time, _)| *time).max().unwrap_or(0);
    let mut sums: Vec<(Row, f64)> = (0..64).map(|row| (row, 0.0)).collect();
    for (row, time, weight) in observed {
        let age = (newest - time) as f64 / half_life.as_secs_f64();
        sums[*row as usize].1 += f64::from(*weight) * (-age).exp2();
    }
    sums.retain(|(_, sum)| *sum > 0.0);
    sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    sums
}

fn observations() -> impl Strategy<Value = Vec<(Row, i64, f32)>> {
    prop::collection::vec((0..64u32, 0..200_000i64, prop::sample::select(vec![1.0f32, 2.5, 5.0])), 1..300)
}

proptest! {
    #[test]
    fn popularity_equals_a_sum_from_scratch(observed in observations()) {
        let mut popularity = DecayedPopularity::new(HOUR);
        for (row, time, weight) in &observed {
            popularity.observe(*row, at(*time), *weight, []);
        }
        for (row, expected) in slow_popularity(&observed, HOUR) {
            let score = f64::from(popularity.score(row));
            prop_assert!((score - expected).abs() <= 1e-5 * expected + 1e-30, "{score} is not {expected}");
        }
    }

    #[test]
    fn popularity_of_two_halves_merges(observed in observations()) {
        let mut whole = DecayedPopularity::new(HOUR);
        let mut halves = [DecayedPopularity::new(HOUR), DecayedPopularity::new(HOUR)];
        for (index, (row, time, weight)) in observed.iter().enumerate() {
            whole.observe(*row, at(*time), *weight, []);
            halves[index % 2].observe(*row, at(*time), *weight, []);
        }
        let [mut merged, other] = halves;
        merged.merge(&other, |row| row);
        for row in 0..64 {
            prop_assert!((merged.score(row) - whole.score(row)).abs() <= 1e-6 * whole.score(row));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn co_visitation_is_the_same_for_any_batches_and_threads(
        visits in prop::collection::vec((0..8usize, 0..90u32, 0..40_000i64), 1..4000),
        size in 1..3000usize,
    ) {
        let options = CoVisitationOptions { neighbours: 8, half_life: HOUR, ..CoVisitationOptions::default() };
        let mut one_by_one = CoVisitation::new(&options);
        let mut batched = CoVisitation::new(&options);
        let mut pairs = Pairs::new(&options);
        let mut histories: Vec<Vec<Visit>> = vec![Vec::new(); 8];
        for (index, (user, row, time)) in visits.iter().enumerate() {
            let visit = Visit { row: *row, time: at(*time), weight: 1.0 };
            one_by_one.observe(visit, histories[*user].iter().rev().copied());
            pairs.push(visit, histories[*user].iter().rev().copied());
            histories[*user].push(visit);
            if (index + 1) % size == 0 || index + 1 == visits.len() {
                batched.fold(&pairs, 3);
                pairs.clear();
            }
        }
        prop_assert_eq!(one_by_one.newest(), batched.newest());
        prop_assert!(one_by_one.lists().eq(batched.lists()));
    }
}

#[test]
fn a_filter_that_refuses_the_whole_top_still_gets_the_right_rows() {
    let mut popularity = DecayedPopularity::new(HOUR);
    for row in 0..5000u32 {
        popularity.observe(row, at(i64::from(row)), 1.0, [row % 2]);
    }
    let rows = |found: Vec<Scored>| found.iter().map(|scored| scored.row).collect::<Vec<_>>();
    assert_eq!(rows(popularity.best(3, &|_: Row| true)), [4999, 4998, 4997]);
    assert_eq!(rows(popularity.best(3, &|row: Row| row < 100)), [99, 98, 97]);
    assert_eq!(rows(popularity.best_of_segment(1, 2, &|row: Row| row % 2 == 1)), [4999, 4997]);
    assert_eq!(
        rows(popularity.best_of_segment(0, 2, &|row: Row| row < 50 && row.is_multiple_of(2))),
        [48, 46]
    );
    assert_eq!(popularity.best(10_000, &|_: Row| true).len(), 5000);
    assert!(popularity.best_of_segment(7, 2, &|_: Row| true).is_empty());
}

#[test]
fn the_landmark_follows_without_changing_the_order() {
    let mut popularity = DecayedPopularity::new(Duration::from_secs(1));
    popularity.observe(0, at(0), 3.0, []);
    popularity.observe(1, at(400), 1.0, []);
    popularity.observe(2, at(600), 1.0, []);
    assert!(popularity.landmark() > Some(at(0).as_micros() / 1_000_000));
    let best = popularity.best(3, &|_: Row| true);
    assert_eq!(best.iter().map(|scored| scored.row).collect::<Vec<_>>(), [2, 1]);
    assert!(best.iter().all(|scored| scored.score.is_finite()));
    popularity.observe(3, at(0), 1.0, []);
    assert_eq!(popularity.score(3), 0.0, "an event 600 half-lives late is worth nothing");
}

#[test]
fn a_late_event_counts_for_what_is_left_of_it() {
    let mut popularity = DecayedPopularity::new(HOUR);
    popularity.observe(0, at(7200), 1.0, []);
    popularity.observe(1, at(0), 1.0, []);
    assert!((popularity.score(0) - 1.0).abs() < 1e-6);
    assert!((popularity.score(1) - 0.25).abs() < 1e-6);
}

fn visit(row: Row, seconds: i64) -> Visit {
    Visit { row, time: at(seconds), weight: 1.0 }
}

/// Feeds each user's rows one minute apart.
fn walk(model: &mut CoVisitation, rows: &[Row], start: i64) {
    let mut history = Vec::new();
    for (step, row) in rows.iter().enumerate() {
        let visit = visit(*row, start + 60 * step as i64);
        model.observe(visit, history.iter().rev().copied());
        history.push(visit);
    }
}

#[test]
fn what_is_touched_together_becomes_neighbours_both_ways() {
    let mut model = CoVisitation::new(&CoVisitationOptions::default());
    for user in 0..10 {
        walk(&mut model, &[0, 1], user * 600);
        walk(&mut model, &[2, 3], user * 600);
    }
    walk(&mut model, &[0, 3], 9000);
    let nearest = |row| model.neighbours(row, 1, &|_: Row| true)[0].row;
    assert_eq!([nearest(0), nearest(1), nearest(2), nearest(3)], [1, 0, 3, 2]);
    assert_eq!(model.neighbours(0, 9, &|row: Row| row != 1).iter().map(|s| s.row).collect::<Vec<_>>(), [3]);
    let history = [Past { row: 0, weight: 1.0, age: 5.0 }, Past { row: 2, weight: 1.0, age: 1.0 }];
    let found = model.retrieve(&Query { history: &history, item: None }, 2, &|_: Row| true);
    assert_eq!(found.iter().map(|s| s.row).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn only_distinct_recent_items_within_the_window_pair() {
    let options = CoVisitationOptions { recent: 2, window: HOUR, ..CoVisitationOptions::default() };
    let mut model = CoVisitation::new(&options);
    let before = [visit(5, 100), visit(5, 90), visit(9, 80), visit(6, 70), visit(7, 60)];
    model.observe(visit(9, 110), before.into_iter());
    model.observe(visit(8, 9000), [visit(9, 110)].into_iter());
    let lists: Vec<&NeighbourList> = model.lists().collect();
    assert_eq!(lists[9].rows(), [5, 6]);
    assert!(lists[7].rows().is_empty());
    assert_eq!(lists.len(), 10);
}

#[test]
fn a_full_list_keeps_the_heavy_and_never_overstates() {
    let options = CoVisitationOptions { neighbours: 4, recent: 1, ..CoVisitationOptions::default() };
    let mut model = CoVisitation::new(&options);
    for round in 0..200u32 {
        model.observe(visit(1, 0), [visit(0, 0)].into_iter());
        model.observe(visit(10 + round, 0), [visit(0, 0)].into_iter());
    }
    let list = model.lists().next().unwrap();
    assert_eq!(list.rows().len(), 4);
    let heavy = list.rows().iter().position(|row| *row == 1).unwrap();
    let one = {
        let mut fresh = CoVisitation::new(&options);
        fresh.observe(visit(1, 0), [visit(0, 0)].into_iter());
        fresh.lists().next().unwrap().weights()[0]
    };
    assert!((list.weights()[heavy] - 200.0 * one).abs() < 1e-2 * one);
    assert!(list.weights().iter().enumerate().all(|(index, weight)| index == heavy || *weight <= one));
    assert!((list.mass() - 400.0 * f64::from(one)).abs() < 1e-2);
}

#[test]
fn co_visitation_of_two_halves_by_user_merges() {
    let options = CoVisitationOptions { half_life: HOUR, ..CoVisitationOptions::default() };
    let mut whole = CoVisitation::new(&options);
    let mut halves = [CoVisitation::new(&options), CoVisitation::new(&options)];
    for user in 0..40u32 {
        let rows: Vec<Row> = (0..12).map(|step| (user * 7 + step * step) % 30).collect();
        walk(&mut whole, &rows, i64::from(user) * 5000);
        walk(&mut halves[user as usize % 2], &rows, i64::from(user) * 5000);
    }
    let [mut merged, other] = halves;
    merged.merge(&other, |row| row);
    for row in 0..30 {
        let by_row = |model: &CoVisitation| {
            let mut found = model.neighbours(row, 64, &|_: Row| true);
            found.sort_by_key(|scored| scored.row);
            found
        };
        let (expected, found) = (by_row(&whole), by_row(&merged));
        assert_eq!(expected.len(), found.len());
        for (a, b) in expected.iter().zip(&found) {
            assert_eq!(a.row, b.row);
            assert!((a.score - b.score).abs() <= 1e-5 * a.score, "{a:?} {b:?}");
        }
    }
}

/// A list read back has no room to spare; with one place left below the limit, growing it panicked.
#[test]
fn a_list_read_back_one_short_of_its_limit_takes_another_neighbour() {
    let limit = 4;
    let mut list = NeighbourList::from_parts(vec![1, 2, 3], vec![1.0; 3], 3.0, 0).unwrap();
    list.add(9, 0.5, limit);
    assert_eq!(list.rows(), [1, 2, 3, 9]);
    list.add(7, 1.0, limit);
    assert_eq!(list.rows(), [1, 2, 3, 7]);
}
