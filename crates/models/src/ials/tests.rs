//! Training and fold-in against a naive dense solution.

use super::*;
use crate::matrix::Csr;

/// Two groups of users with their own items, some of both.
fn blocks() -> Csr {
    let pairs = (0..40u32).flat_map(|user| {
        let base = if user % 2 == 0 { 0 } else { 12 };
        (0..6u32).map(move |k| (user, base + (user * 7 + k * 5) % 12, 1.0 + (k % 3) as f32))
    });
    Csr::from_pairs(40, 24, pairs).unwrap()
}

fn history(matrix: &Csr, user: usize) -> Vec<Past> {
    matrix.row(user).iter().map(|(row, weight)| Past { row, weight, age: 0.0 }).collect()
}

#[test]
fn the_objective_falls_with_every_iteration() {
    let matrix = blocks();
    let mut seen = Vec::new();
    let options = IalsOptions { factors: 8, iterations: 6, ..IalsOptions::default() };
    train(&matrix, &options, &mut |report| seen.push(report.objective())).unwrap();
    assert_eq!(seen.len(), 6);
    assert!(seen.is_sorted_by(|a, b| a >= b), "{seen:?}");
}

#[test]
fn users_are_recommended_the_items_of_their_group() {
    let matrix = blocks();
    let options = IalsOptions { factors: 4, ..IalsOptions::default() };
    let model = train(&matrix, &options, &mut |_| {}).unwrap();
    let history = history(&matrix, 1);
    let query = Query { history: &history, item: None };
    let found = model.retrieve(&query, 6, &|_| true);
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|scored| scored.row >= 12), "{found:?}");
}

#[test]
fn parts_make_the_same_model_again() {
    let model = train(&blocks(), &IalsOptions::default(), &mut |_| {}).unwrap();
    let parts = model.to_parts();
    assert_eq!(Ials::from_parts(parts.clone()).unwrap().to_parts(), parts);
    let broken = IalsParts { user_gram: vec![0.0; 3], ..parts };
    assert!(matches!(Ials::from_parts(broken), Err(ModelError::Parts { .. })));
}
