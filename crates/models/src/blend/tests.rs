//! Blends against a slow, obvious reference.

use std::sync::Arc;

use super::*;
use crate::filter::{self, FilterOptions};
use crate::ials::{self, Ials, IalsOptions};
use crate::matrix::Csr;
use crate::model::Past;
use crate::peers::{Peers, PeersOptions};

const ITEMS: usize = 60;

fn matrix() -> Csr {
    let pairs = (0..50u32).flat_map(|user| {
        (0..3 + user % 9)
            .map(move |k| (user, (user % 2) * 30 + (user * 7 + k * k) % 30, 1.0 + (k % 2) as f32))
    });
    Csr::from_pairs(50, ITEMS, pairs).unwrap()
}

fn factors() -> Ials {
    let options = IalsOptions { factors: 8, iterations: 5, ..IalsOptions::default() };
    ials::train(&matrix(), &options, &mut |_| {}).unwrap()
}

fn members() -> Vec<(Member, f32)> {
    let options = FilterOptions { components: 6, neighbours: 12, ..FilterOptions::default() };
    let (cut, whole) = filter::train(&matrix(), &options, &mut |_| {}).unwrap();
    vec![
        (Member::Ials(Box::new(factors())), 0.5),
        (Member::Filter(Arc::new(cut)), 0.3),
        (Member::WholeFilter(Arc::new(whole)), 0.2),
        (Member::Peers(Arc::new(Peers::new(matrix(), &PeersOptions::default()).unwrap())), 0.4),
    ]
}

fn blend(depth: usize) -> Blend {
    Blend::new(BlendOptions { depth }, members()).unwrap()
}

fn history() -> Vec<Past> {
    [(31, 1.0), (40, 2.0), (33, 1.0), (2, 0.5)].map(|(row, weight)| Past { row, weight, age: 0.0 }).to_vec()
}

/// Scores of every item by the definition: each member's own scores over their own deviation, weighed.
fn reference(query: &Query<'_>) -> Vec<f64> {
    let rows: Vec<Row> = (0..ITEMS as Row).collect();
    let mut sums = vec![0f64; ITEMS];
    for (member, weight) in members() {
        let mut scores = vec![0f32; ITEMS];
        match &member {
            Member::Ials(model) => model.score(query, &rows, &mut scores),
            Member::Filter(model) => model.score(query, &rows, &mut scores),
            Member::Peers(model) => model.score(query, &rows, &mut scores),
            Member::WholeFilter(model) => model.score(query, &rows, &mut scores),
        }
        let mean = scores.iter().map(|x| f64::from(*x)).sum::<f64>() / ITEMS as f64;
        let variance = scores.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / ITEMS as f64;
        for (sum, score) in sums.iter_mut().zip(&scores) {
            *sum += f64::from(weight) * f64::from(*score) / variance.sqrt();
        }
    }
    sums
}

#[test]
fn scores_are_the_weighted_sum_of_standardised_ones() {
    let history = history();
    let query = Query { history: &history, item: None };
    let expected = reference(&query);
    let rows: Vec<Row> = (0..ITEMS as Row).collect();
    let mut scores = vec![0f32; ITEMS];
    blend(5).score(&query, &rows, &mut scores);
    for (score, expected) in scores.iter().zip(&expected) {
        assert!((f64::from(*score) - expected).abs() < 1e-4 * expected.abs().max(1.0), "{score} {expected}");
    }
    let mut order: Vec<Row> = rows.clone();
    order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b)));
    let whole = blend(ITEMS).retrieve(&query, ITEMS, &|_| true);
    assert_eq!(whole.iter().map(|scored| scored.row).collect::<Vec<_>>(), order);
}

#[test]
fn what_serves_is_the_best_of_the_candidates_with_the_scores_of_the_whole() {
    let history = history();
    let query = Query { history: &history, item: None };
    let odd = |row: Row| row % 2 == 1;
    let whole = blend(ITEMS).retrieve(&query, ITEMS, &odd);
    let depth = 4;
    let mut candidates: Vec<Row> = Vec::new();
    for (member, _) in members() {
        let best = member.opinion(&query).unwrap().best(depth, &odd);
        candidates.extend(best.iter().map(|scored| scored.row));
    }
    let among = whole.iter().filter(|scored| candidates.contains(&scored.row));
    let expected: Vec<Scored> = among.copied().take(3).collect();
    assert_eq!(blend(depth).retrieve(&query, 3, &odd), expected);
}

#[test]
fn an_item_that_only_one_member_knows_is_scored_by_it() {
    let history = history();
    let query = Query { history: &history, item: None };
    let before = blend(10).retrieve(&query, ITEMS, &|_| true);
    let grown = blend(10).map(|member| {
        let Member::Ials(model) = member else { return Ok(member.clone()) };
        let mut model = model.clone();
        let lover = model.fold_in_user(&history).unwrap();
        let vector = model.fold_in_item(&[(&lover, 1.0), (&lover, 1.0)]).unwrap();
        model.append_item(&vector)?;
        Ok(Member::Ials(model))
    });
    let grown = grown.unwrap();
    assert_eq!((grown.items(), before.len()), (ITEMS + 1, ITEMS));
    let mut after = grown.retrieve(&query, ITEMS + 1, &|_| true);
    let place = after.iter().position(|scored| scored.row == ITEMS as Row).expect("the new item is found");
    assert!(place < 20, "the new item of a lover stands at {place}");
    after.remove(place);
    assert_eq!(after, before);
}

#[test]
fn what_is_no_blend_is_refused() {
    let refused = |depth, members| Blend::new(BlendOptions { depth }, members).unwrap_err().to_string();
    assert!(refused(0, members()).contains("depth is 0"));
    assert!(refused(5, Vec::new()).contains("at least one member"));
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let mut wrong = members();
        wrong[1].1 = weight;
        assert!(refused(5, wrong).contains("the weight"), "{weight}");
    }
    let silent = members().into_iter().map(|(member, _)| (member, 0.0)).collect();
    assert!(refused(5, silent).contains("above 0"));
    let small = Csr::from_pairs(2, 3, [(0, 1, 1.0), (1, 2, 1.0)]).unwrap();
    let (small, _) = filter::train(&small, &FilterOptions::default(), &mut |_| {}).unwrap();
    let mut mixed = members();
    mixed.push((Member::Filter(Arc::new(small)), 1.0));
    assert!(refused(5, mixed).contains("60 and 3 items"));
}

/// A case in which member 0 finds the relevant rows and member 1 others.
fn case(number: u32, mixed: bool) -> PanelCase {
    let rows: Vec<Row> = (0..40).collect();
    let relevant = vec![number % 40, (number * 7 + 1) % 40];
    let noise = |row: Row| ((row * 17 + number * 29) % 40) as f32 / 40.0;
    let right = |row: &Row| if relevant.contains(row) { 2.0 } else { noise(*row) };
    // Where both know half of what is relevant, neither is right alone.
    let half = |which: usize| move |row: &Row| noise(row + which as Row) + 0.0;
    let scores = if mixed {
        let known = |which: usize| {
            let relevant = relevant.clone();
            let half = half(which);
            rows.iter().map(|row| half(row) + if *row == relevant[which] { 1.0 } else { 0.0 }).collect()
        };
        vec![known(0), known(1)]
    } else {
        vec![rows.iter().map(right).collect(), rows.iter().map(|row| 3.0 * noise(row + 5)).collect()]
    };
    let mut relevant = relevant.clone();
    relevant.sort_unstable();
    PanelCase { rows, scores, relevant }
}

#[test]
fn weights_favour_who_is_right_and_share_where_both_are() {
    let panel = |mixed| Panel { cases: (0..80).map(|number| case(number, mixed)).collect() };
    let weights = panel(false).weights(2, 5);
    assert!(weights[0] > 0.7 && (weights[0] + weights[1] - 1.0).abs() < 1e-5, "{weights:?}");
    let shared = panel(true);
    let weights = shared.weights(2, 5);
    assert!(weights.iter().all(|weight| *weight > 0.2), "{weights:?}");
    let alone = [[1.0, 0.0], [0.0, 1.0]].map(|weights| shared.ndcg(&weights, 5));
    assert!(alone.iter().all(|alone| shared.ndcg(&weights, 5) > *alone));
    assert_eq!(Panel::default().weights(4, 5), [0.25; 4]);
}
