//! The filter against a slow, obvious reference in f64.

use super::*;
use crate::matrix::Csr;

const USERS: usize = 40;
const ITEMS: usize = 50;

fn matrix() -> Csr {
    let entries = (0..USERS as u32).flat_map(|user| {
        (0..4 + user % 7).map(move |k| (user, (user * 11 + k * k * 3) % ITEMS as u32, 1.0 + (k % 2) as f32))
    });
    Csr::from_pairs(USERS, ITEMS, entries).unwrap()
}

/// The items x items matrix by its definition, with the singular vectors from an exact decomposition.
fn reference(options: &FilterOptions) -> Vec<Vec<f64>> {
    let matrix = matrix();
    let mut r = vec![vec![0f64; ITEMS]; USERS];
    for (user, row) in matrix.iter().enumerate() {
        for (item, weight) in row.iter() {
            r[user][item as usize] = weight.into();
        }
    }
    let user: Vec<f64> =
        r.iter().map(|row| row.iter().sum::<f64>().powf(options.user_power.into())).collect();
    let item: Vec<f64> =
        (0..ITEMS).map(|i| r.iter().map(|row| row[i]).sum::<f64>().powf(options.item_power.into())).collect();
    let n = |u: usize, i: usize| if r[u][i] > 0.0 { r[u][i] / (user[u] * item[i]) } else { 0.0 };
    let mut square = vec![0f64; ITEMS * ITEMS];
    for i in 0..ITEMS {
        for j in 0..ITEMS {
            square[i * ITEMS + j] = (0..USERS).map(|u| n(u, i) * n(u, j)).sum();
        }
    }
    let (_, vectors) = crate::dense::eigen::symmetric(&square, ITEMS);
    let components = options.components.min(USERS);
    let mut filter = vec![vec![0f64; ITEMS]; ITEMS];
    for i in 0..ITEMS {
        for j in 0..ITEMS {
            let low: f64 = (0..components).map(|k| vectors[k * ITEMS + i] * vectors[k * ITEMS + j]).sum();
            let scaled = if item[i] > 0.0 { low * item[j] / item[i] } else { 0.0 };
            filter[i][j] = square[i * ITEMS + j] + f64::from(options.low_pass) * scaled;
        }
    }
    let sharpened = |row: &Vec<f64>, j: usize| {
        let blurred: f64 = (0..ITEMS).map(|k| row[k] * square[k * ITEMS + j]).sum();
        row[j] - f64::from(options.sharpen) * blurred
    };
    filter.iter().map(|row| (0..ITEMS).map(|j| sharpened(row, j)).collect()).collect()
}

fn past(row: Row, weight: f32) -> Past {
    Past { row, weight, age: 0.0 }
}

fn check(options: &FilterOptions) {
    let expected = reference(options);
    let (served, exact) = train(&matrix(), options, &mut |_| {}).unwrap();
    let history = [past(3, 1.0), past(11, 2.0), past(3, 0.5), past(40, 1.0)];
    let query = Query { history: &history, item: None };
    let rows: Vec<Row> = (0..ITEMS as Row).collect();
    for model in [&served as &dyn Score, &exact] {
        let mut scores = vec![0f32; ITEMS];
        model.score(&query, &rows, &mut scores);
        for (j, score) in scores.iter().enumerate() {
            let slow: f64 = history.iter().map(|p| f64::from(p.weight) * expected[p.row as usize][j]).sum();
            assert!((f64::from(*score) - slow).abs() < 2e-3, "item {j}: {score} {slow} {options:?}");
        }
    }
}

#[test]
fn every_term_is_what_the_formula_says() {
    let plain = FilterOptions { components: 0, passes: 40, neighbours: ITEMS, ..FilterOptions::default() };
    check(&plain);
    check(&FilterOptions { components: 6, ..plain });
    check(&FilterOptions { sharpen: 0.4, ..plain });
    check(&FilterOptions {
        components: 6,
        low_pass: 0.7,
        sharpen: 0.3,
        user_power: 0.3,
        item_power: 0.8,
        ..plain
    });
}

/// EASE by its definition, with the inverse from an exact decomposition.
#[test]
fn the_closed_form_is_what_the_formula_says() {
    let lambda = 7.5;
    let matrix = matrix();
    let mut gram = vec![0f64; ITEMS * ITEMS];
    for row in matrix.iter() {
        for (a, x) in row.iter() {
            for (b, y) in row.iter() {
                gram[a as usize * ITEMS + b as usize] += f64::from(x) * f64::from(y);
            }
        }
    }
    (0..ITEMS).for_each(|i| gram[i * ITEMS + i] += lambda);
    let (values, vectors) = crate::dense::eigen::symmetric(&gram, ITEMS);
    let inverse = |i: usize, j: usize| -> f64 {
        (0..ITEMS).map(|k| vectors[k * ITEMS + i] * vectors[k * ITEMS + j] / values[k]).sum()
    };
    let options = FilterOptions {
        form: Form::Ease,
        lambda: lambda as f32,
        neighbours: ITEMS,
        ..FilterOptions::default()
    };
    let mut stages = Vec::new();
    let (served, exact) = train(&matrix, &options, &mut |stage| stages.push(stage)).unwrap();
    assert_eq!(stages[0], Stage::Inverse { done: ITEMS, of: ITEMS });
    let history = [past(3, 1.0), past(11, 2.0)];
    let query = Query { history: &history, item: None };
    let rows: Vec<Row> = (0..ITEMS as Row).collect();
    for model in [&served as &dyn Score, &exact] {
        let mut scores = vec![0f32; ITEMS];
        model.score(&query, &rows, &mut scores);
        for (j, score) in scores.iter().enumerate() {
            let weight = |i: usize| if i == j { 0.0 } else { -inverse(i, j) / inverse(j, j) };
            let slow = weight(3) + 2.0 * weight(11);
            assert!((f64::from(*score) - slow).abs() < 1e-4, "item {j}: {score} {slow}");
        }
    }
}

#[test]
fn the_closed_form_says_what_memory_it_needs() {
    let ease = FilterOptions { form: Form::Ease, ..FilterOptions::default() };
    let bytes = ease.memory_bytes(30_000, 40_000, 800_000);
    assert!((6_400_000_000..6_900_000_000).contains(&bytes), "{bytes}");
    let graph = FilterOptions::default().memory_bytes(30_000, 40_000, 800_000);
    assert!((100_000_000..600_000_000).contains(&graph), "{graph}");
}

#[test]
fn the_largest_entries_stay_and_small_ones_go() {
    let all = FilterOptions { components: 8, neighbours: ITEMS, ..FilterOptions::default() };
    let (whole, _) = train(&matrix(), &all, &mut |_| {}).unwrap();
    let mut stages = Vec::new();
    let few = FilterOptions { neighbours: 5, ..all };
    let (pruned, _) = train(&matrix(), &few, &mut |stage| stages.push(stage)).unwrap();
    assert_eq!(stages[0], Stage::Spectrum { done: 1, of: 8 });
    assert_eq!(stages.last(), Some(&Stage::Rows { done: ITEMS, of: ITEMS }));
    for item in 0..ITEMS as Row {
        let kept: Vec<(Row, f32)> = pruned.entries_of(item).collect();
        assert!(kept.len() <= 5 && kept.is_sorted_by_key(|(row, _)| *row));
        let mut sizes: Vec<f32> = whole.entries_of(item).map(|(_, weight)| weight.abs()).collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        let least = kept.iter().map(|(_, weight)| weight.abs()).fold(f32::INFINITY, f32::min);
        assert!(sizes.iter().filter(|size| **size > least).count() < 5.max(kept.len()));
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let (filter, _) = train(&matrix(), &FilterOptions::default(), &mut |_| {}).unwrap();
    let refused = |change: &dyn Fn(&mut FilterParts)| {
        let mut parts = filter.to_parts();
        change(&mut parts);
        Filter::from_parts(parts).unwrap_err().to_string()
    };
    assert_eq!(Filter::from_parts(filter.to_parts()).unwrap(), filter);
    assert!(refused(&|p| p.lengths[0] += 1).contains("lengths"));
    assert!(refused(&|p| p.weights.truncate(3)).contains("a weight"));
    assert!(refused(&|p| p.weights[0] = f32::NAN).contains("finite"));
    assert!(refused(&|p| p.rows.swap(0, 1)).contains("ascend"));
    assert!(refused(&|p| p.rows[p.lengths[0] as usize - 1] = 5_000).contains("must be items"));
    assert!(refused(&|p| p.options.passes = 0).contains("passes"));
}
