//! Trains iALS on a data set in the `split` format and prints time per iteration, recall@20 and NDCG@20 over the full
//! catalogue, each user scored by fold-in from their history with the final item vectors, as serving does.
//!
//! ```text
//! cargo run --release -p headwater-models --example ials_quality -- DIR test|validate|time KEY=VALUE...
//! ```
//!
//! `validate` never opens test.txt: it hides a fifth of the training items of every fourth user, by a seeded draw, and
//! scores those; `time` scores nobody and prints what a request costs. The defaults of `IalsOptions` were chosen with it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring program: it may stop at the first error"
)]
#![allow(clippy::disallowed_methods, reason = "a measuring program reads the clock")]

use std::time::Instant;

use headwater_base::random::seeded;
use headwater_models::ials::{Ials, IalsOptions, Solver, train};
use headwater_models::matrix::Csr;
use headwater_models::metrics::Judged;
use headwater_models::{Past, Query, Retrieve, Row};
use rand::Rng as _;
use rayon::prelude::*;

fn read(path: &str) -> Vec<Vec<u32>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut users: Vec<Vec<u32>> = Vec::new();
    for line in text.lines() {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().unwrap());
        let Some(user) = numbers.next() else { continue };
        if users.len() <= user as usize {
            users.resize(user as usize + 1, Vec::new());
        }
        users[user as usize].extend(numbers);
    }
    users
}

/// Moves a fifth of the items of every fourth user to the held-out side.
fn hide(train: &mut [Vec<u32>]) -> Vec<Vec<u32>> {
    let mut random = seeded(17, "validation");
    let mut hidden = Vec::new();
    for (user, items) in train.iter_mut().enumerate() {
        let mut held = Vec::new();
        let count = if user % 4 == 0 { items.len() / 5 } else { 0 };
        for _ in 0..count {
            held.push(items.swap_remove(random.next_u32() as usize % items.len()));
        }
        hidden.push(held);
    }
    hidden
}

/// Least and median time of folding in a history of 50 items and of searching all items, on one thread.
fn latencies(model: &Ials, items: usize) {
    let past = |k: usize| Past { row: (k * 7919 % items) as Row, weight: 1.0, age: 0.0 };
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..400 {
        let history: Vec<Past> = (round * 50..round * 50 + 50).map(past).collect();
        let before = Instant::now();
        let user = model.fold_in_user(&history).unwrap();
        times[0].push(before.elapsed().as_secs_f64() * 1e6);
        let before = Instant::now();
        let found = model.index().search(&user, 100, &|_: Row| true);
        times[1].push(before.elapsed().as_secs_f64() * 1e6);
        assert_eq!(found.len(), 100.min(items));
    }
    for (name, mut times) in ["fold-in of 50 items", "search for 100 items"].into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        println!("{name}: {:.0} us (least {:.0})", times[200], times[0]);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = &arguments[0];
    let mut train_items = read(&format!("{folder}/train.txt"));
    let held = match arguments[1].as_str() {
        "test" => read(&format!("{folder}/test.txt")),
        "time" => Vec::new(),
        _ => hide(&mut train_items),
    };
    let mut options = IalsOptions::default();
    for setting in &arguments[2..] {
        let (key, value) = setting.split_once('=').unwrap();
        match key {
            "factors" => options.factors = value.parse().unwrap(),
            "iterations" => options.iterations = value.parse().unwrap(),
            "alpha0" => options.alpha0 = value.parse().unwrap(),
            "lambda" => options.lambda = value.parse().unwrap(),
            "nu" => options.nu = value.parse().unwrap(),
            "seed" => options.seed = value.parse().unwrap(),
            "steps" => {
                let steps = value.parse().unwrap();
                options.solver =
                    if steps == 0 { Solver::Cholesky } else { Solver::ConjugateGradient { steps } };
            }
            "block" => options.solver = Solver::Blocks { size: value.parse().unwrap() },
            _ => panic!("unknown setting {key}"),
        }
    }
    let users = train_items.len().max(held.len());
    let items = 1 + *train_items.iter().chain(&held).flatten().max().unwrap() as usize;
    let pairs =
        (0..).zip(&train_items).flat_map(|(user, items)| items.iter().map(move |&item| (user, item, 1.0)));
    let matrix = Csr::from_pairs(users, items, pairs).unwrap();
    let mut before = Instant::now();
    let mut seconds = Vec::new();
    let model = train(&matrix, &options, &mut |report| {
        seconds.push(before.elapsed().as_secs_f64());
        if std::env::var_os("OBJECTIVE").is_some() {
            println!("iteration {} objective {:.2}", report.iteration, report.objective());
        }
        before = Instant::now();
    })
    .unwrap();
    if arguments[1] == "time" {
        latencies(&model, items);
    }
    let before = Instant::now();
    let cases: Vec<(f64, f64)> = held
        .par_iter()
        .enumerate()
        .filter(|(_, held)| !held.is_empty())
        .filter_map(|(user, held)| {
            let row = matrix.row(user);
            let history: Vec<Past> = row.iter().map(|(row, weight)| Past { row, weight, age: 0.0 }).collect();
            let query = Query { history: &history, item: None };
            let found = model.retrieve(&query, 20, &|item: Row| !row.contains(item));
            let ranked: Vec<Row> = found.iter().map(|scored| scored.row).collect();
            let judged = Judged::new(&ranked, held)?;
            Some((judged.recall(20), judged.ndcg(20)))
        })
        .collect();
    let count = cases.len().max(1) as f64;
    seconds.sort_by(f64::total_cmp);
    println!(
        "{} recall@20 {:.4} ndcg@20 {:.4} seconds/iteration {:.3} (least {:.3}) evaluation {:.1} s",
        arguments[1..].join(" "),
        cases.iter().map(|case| case.0).sum::<f64>() / count,
        cases.iter().map(|case| case.1).sum::<f64>() / count,
        seconds[seconds.len() / 2],
        seconds[0],
        before.elapsed().as_secs_f64(),
    );
}
