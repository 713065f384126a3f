//! Training and fold-in against a naive dense solution in double precision.

use headwater_base::random::seeded;
use rand::RngExt as _;

use super::solve::Workspace;
use super::train::Training;
use super::*;
use crate::kernels::portable;
use crate::matrix::Csr;

/// Two groups of users with their own items; user 0 touches everything, user 3 nothing, item 5 is nobody's.
fn blocks() -> Csr {
    let pairs = (0..60u32).flat_map(|user| {
        let base = if user % 2 == 0 { 0 } else { 20 };
        let count = match user {
            0 => 40,
            3 => 0,
            _ => 4 + user % 9,
        };
        (0..count).map(move |k| {
            let item = if user == 0 { k } else { base + (user * 7 + k * 3) % 20 };
            (user, item, 1.0 + (k % 3) as f32)
        })
    });
    Csr::from_pairs(60, 41, pairs.filter(|pair| pair.1 != 5)).unwrap()
}

fn options(factors: usize) -> IalsOptions {
    IalsOptions { factors, iterations: 8, alpha0: 0.1, lambda: 0.02, ..IalsOptions::default() }
}

fn history(matrix: &Csr, user: usize) -> Vec<Past> {
    matrix.row(user).iter().map(|(row, weight)| Past { row, weight, age: 0.0 }).collect()
}

/// Solves `(alpha0 F'F + lambda + sum w f f') x = sum w f` by Gaussian elimination, with nothing clever about it.
fn naive(all: &[Vec<f64>], observed: &[(Vec<f64>, f64)], alpha0: f64, lambda: f64) -> Vec<f64> {
    let d = all[0].len();
    let mut system = vec![vec![0f64; d + 1]; d];
    for row in 0..d {
        for column in 0..d {
            system[row][column] = alpha0 * all.iter().map(|f| f[row] * f[column]).sum::<f64>()
                + observed.iter().map(|(f, w)| w * f[row] * f[column]).sum::<f64>();
        }
        system[row][row] += lambda;
        system[row][d] = observed.iter().map(|(f, w)| w * f[row]).sum();
    }
    for pivot in 0..d {
        let pivot_row = system[pivot].clone();
        for (number, row) in system.iter_mut().enumerate() {
            if number != pivot {
                let factor = row[pivot] / pivot_row[pivot];
                for (value, subtracted) in row.iter_mut().zip(&pivot_row) {
                    *value -= factor * subtracted;
                }
            }
        }
    }
    (0..d).map(|row| system[row][d] / system[row][row]).collect()
}

fn wide(vector: &[f32]) -> Vec<f64> {
    vector.iter().map(|x| f64::from(*x)).collect()
}

fn assert_close(found: &[f32], expected: &[f64]) {
    let size = expected.iter().fold(1e-3f64, |most, x| most.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 2e-4 * size, "{found} is not {expected}");
    }
}

fn naive_user(model: &Ials, history: &[Past]) -> Vec<f64> {
    let all: Vec<Vec<f64>> =
        (0..model.trained_items() as Row).map(|i| wide(model.index().row(i).unwrap())).collect();
    let observed: Vec<(Vec<f64>, f64)> = history
        .iter()
        .map(|past| (wide(model.index().row(past.row).unwrap()), f64::from(past.weight)))
        .collect();
    let total: f64 = observed.iter().map(|(_, weight)| weight).sum();
    let options = model.options();
    let (alpha0, lambda, nu) = (f64::from(options.alpha0), f64::from(options.lambda), f64::from(options.nu));
    naive(&all, &observed, alpha0, lambda * (total + alpha0 * all.len() as f64).powf(nu))
}

#[test]
fn folding_in_equals_the_naive_solution_for_short_and_long_histories() {
    for factors in [1, 3, 16, 20] {
        let model = train(&blocks(), &IalsOptions { nu: 0.5, ..options(factors) }, &mut |_| {}).unwrap();
        for count in [1, 2, 5, 16, 17, 33, 90] {
            let past = |k: u32| Past { row: k * 13 % 41, weight: 0.5 + (k % 4) as f32, age: k as f32 };
            let history: Vec<Past> = (0..count).map(past).collect();
            let found = model.fold_in_user(&history).unwrap();
            assert_close(&found, &naive_user(&model, &history));
            assert_eq!(portable(|| model.fold_in_user(&history)).unwrap(), found);
        }
    }
}

#[test]
fn all_solvers_reach_the_same_training_solution() {
    let matrix = blocks();
    let mut scores = Vec::new();
    for solver in [Solver::Cholesky, Solver::ConjugateGradient { steps: 3 }, Solver::Blocks { size: 8 }] {
        let options = IalsOptions { iterations: 120, solver, ..options(6) };
        let model = train(&matrix, &options, &mut |_| {}).unwrap();
        let mut found = vec![0.0; 41];
        let history = history(&matrix, 4);
        model.score(&Query { history: &history, item: None }, &(0..41).collect::<Vec<_>>(), &mut found);
        scores.push(found);
    }
    for other in &scores[1..] {
        for (a, b) in scores[0].iter().zip(other) {
            assert!((a - b).abs() < 2e-3, "{scores:?}");
        }
    }
}

#[test]
fn sweeps_over_blocks_end_at_the_exact_solution() {
    let (factors, width) = (20, 32);
    let mut random = seeded(5, "sweeps");
    let mut vector = || -> Vec<f32> {
        (0..width).map(|k| if k < factors { random.random_range(-1.0..1.0) } else { 0.0 }).collect()
    };
    let observed: Vec<Vec<f32>> = (0..30).map(|_| vector()).collect();
    let implicit: Vec<f32> = (0..factors).map(|k| 0.5 + k as f32 / 10.0).collect();
    let side = Side { width, factors, implicit: &implicit };
    let mut workspace = Workspace::default();
    let begin = |workspace: &mut Workspace| {
        workspace.begin(&side, 0.3, observed.len());
        for (number, vector) in observed.iter().enumerate() {
            workspace.observe(number, vector, 1.0 + number as f32 / 10.0);
        }
    };
    let mut exact = vec![0.0; width];
    begin(&mut workspace);
    workspace.exact(&side, &mut exact);
    for size in [8, 16, 24, 256] {
        let mut x = vector();
        for _ in 0..400 {
            begin(&mut workspace);
            workspace.sweep(&side, size, &mut x);
        }
        for (a, b) in x.iter().zip(&exact) {
            assert!((a - b).abs() < 1e-4, "blocks of {size}: {x:?} is not {exact:?}");
        }
    }
}

#[test]
fn a_trained_item_equals_the_naive_solution_and_its_own_fold_in() {
    let matrix = blocks();
    let options = IalsOptions { iterations: 60, solver: Solver::Cholesky, ..options(5) };
    let model = train(&matrix, &options, &mut |_| {}).unwrap();
    let users: Vec<Option<Vec<f32>>> = (0..60).map(|u| model.fold_in_user(&history(&matrix, u))).collect();
    let all: Vec<Vec<f64>> =
        users.iter().map(|user| user.as_ref().map_or(vec![0.0; 5], |user| wide(user))).collect();
    let by_item = matrix.transpose();
    for item in [0usize, 7, 25, 40] {
        let touched: Vec<(&[f32], f32)> =
            by_item.row(item).iter().map(|(u, w)| (users[u as usize].as_deref().unwrap(), w)).collect();
        let Some(found) = model.fold_in_item(&touched) else {
            assert!(touched.is_empty());
            continue;
        };
        let observed: Vec<(Vec<f64>, f64)> = touched.iter().map(|(x, w)| (wide(x), f64::from(*w))).collect();
        let total: f64 = observed.iter().map(|(_, weight)| weight).sum();
        let lambda = f64::from(options.lambda) * (total + f64::from(options.alpha0) * 60.0);
        assert_close(&found, &naive(&all, &observed, f64::from(options.alpha0), lambda));
        // After many iterations the item's trained vector is the one its users would give it.
        for (folded, trained) in found.iter().zip(model.index().row(item as Row).unwrap()) {
            assert!((folded - trained).abs() < 5e-3, "{folded} is not {trained}");
        }
    }
}

#[test]
fn the_objective_falls_with_every_iteration() {
    let matrix = blocks();
    for solver in [
        Solver::Cholesky,
        Solver::ConjugateGradient { steps: 1 },
        Solver::ConjugateGradient { steps: 3 },
        Solver::Blocks { size: 8 },
        Solver::Blocks { size: 16 },
    ] {
        let mut seen = Vec::new();
        let options = IalsOptions { solver, iterations: 12, ..options(20) };
        train(&matrix, &options, &mut |report| seen.push(report.objective())).unwrap();
        assert_eq!(seen.len(), 12);
        assert!(seen.is_sorted_by(|a, b| *a >= *b * (1.0 - 1e-7)), "{solver:?} {seen:?}");
        assert!(seen[11] < 0.9 * seen[0], "{seen:?}");
    }
}

#[test]
fn the_objective_is_its_definition() {
    let matrix = blocks();
    let mut training = Training::new(&matrix, &options(4)).unwrap();
    training.step();
    let (users, items) = training.factors();
    let mut expected = 0.0;
    for (user, x) in users.iter().enumerate() {
        for (item, y) in items.iter().enumerate() {
            let score: f64 = x.iter().zip(y).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            expected += 0.1 * score * score;
            if let Some((_, weight)) = matrix.row(user).iter().find(|(column, _)| *column as usize == item) {
                expected += f64::from(weight) * (score - 1.0).powi(2);
            }
        }
    }
    for (matrix, vectors) in [(&matrix, &users), (&matrix.transpose(), &items)] {
        for (row, vector) in matrix.iter().zip(vectors) {
            let lambda = 0.02 * (f64::from(row.weight()) + 0.1 * matrix.columns() as f64);
            expected += lambda * vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        }
    }
    assert!((training.objective() - expected).abs() < 1e-4 * expected, "{} {expected}", training.objective());
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let matrix = blocks();
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = IalsOptions { seed, ..options(12) };
        pool.install(|| train(&matrix, &options, &mut |_| {}).unwrap().to_parts())
    };
    let one = run(1, 5);
    assert_eq!(run(2, 5), one);
    assert_eq!(run(7, 5), one);
    assert_ne!(run(1, 6).item_factors, one.item_factors);
}

#[test]
fn users_are_recommended_the_items_of_their_group() {
    let matrix = blocks();
    let model = train(&matrix, &options(6), &mut |_| {}).unwrap();
    let history = history(&matrix, 5);
    let found = model.retrieve(&Query { history: &history, item: None }, 8, &|_: Row| true);
    assert_eq!(found.len(), 8);
    assert!(found.iter().all(|scored| scored.row >= 20), "{found:?}");
}

#[test]
fn an_empty_matrix_trains_to_a_model_that_knows_nothing() {
    let matrix = Csr::from_pairs(0, 0, []).unwrap();
    let model = train(&matrix, &options(4), &mut |_| {}).unwrap();
    assert_eq!(model.items(), 0);
    assert_eq!(model.fold_in_user(&[Past { row: 0, weight: 1.0, age: 0.0 }]), None);
    assert_eq!(model.fold_in_item(&[]), None);
}

#[test]
fn options_outside_their_range_are_refused_by_name() {
    let refused = |options: IalsOptions| match train(&blocks(), &options, &mut |_| {}) {
        Err(ModelError::Option { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    let good = options(4);
    assert_eq!(refused(IalsOptions { factors: 0, ..good }), "factors");
    assert_eq!(refused(IalsOptions { alpha0: -1.0, ..good }), "alpha0");
    assert_eq!(refused(IalsOptions { lambda: 0.0, ..good }), "lambda");
    assert_eq!(refused(IalsOptions { nu: f32::NAN, ..good }), "nu");
    assert_eq!(refused(IalsOptions { solver: Solver::ConjugateGradient { steps: 0 }, ..good }), "steps");
    for size in [0, 12, 264] {
        assert_eq!(refused(IalsOptions { solver: Solver::Blocks { size }, ..good }), "block");
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let good = train(&blocks(), &options(4), &mut |_| {}).unwrap().to_parts();
    let mut broken = vec![good.clone(); 5];
    broken[0].user_gram.pop();
    broken[1].item_gram.pop();
    broken[2].item_factors.pop();
    broken[3].item_factors[0] = f32::NAN;
    broken[4].item_gram[0] = -1.0;
    assert_eq!(Ials::from_parts(good.clone()).unwrap().to_parts(), good);
    for parts in broken {
        assert!(matches!(Ials::from_parts(parts), Err(ModelError::Parts { .. })));
    }
}
