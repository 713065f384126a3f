//! `bench ials`: training of the factorisation, beside `implicit` on the same matrix in the same run.
//!
//! Both sides solve with conjugate gradient, three steps, on the same number of threads and for the same number of
//! iterations, and take turns, so that a slow spell of the machine meets both. Both rank the full catalogue with one
//! evaluation: the user's training items are no candidates, NDCG@20 against the held-out ones.
//!
//! The peer's `alpha` and `regularization` were tuned for it on a tenth of the training data (`docs/benchmarks.md`).
//! Its loss weighs observed cells by alpha against 1, ours weighs unobserved ones by alpha0 against 1: alpha 50 is
//! alpha0 0.02. Its regularisation does not scale with frequency.

use std::path::Path;

use headwater_models::ials::{Ials, IalsOptions, Training};
use headwater_models::matrix::Csr;
use headwater_models::metrics::Judged;
use headwater_models::top::TopK;
use headwater_models::{Past, Query, Retrieve as _, Row};
use rayon::prelude::*;
use serde_json::json;

use super::knobs::Knobs;
use super::peer::{Environment, Peer};
use super::report::{Figure, Figures, Report};
use super::{BenchError, interactions};
use crate::clock::Stopwatch;

const PEER: &str = "implicit 0.7.3";
const PACKAGES: [&str; 4] = ["implicit==0.7.3", "numpy", "scipy", "threadpoolctl"];
const SCRIPT: &str = include_str!("peers/implicit_als.py");
const CUT: usize = 20;
/// Iterations of both sides: where the peer has converged, though ours is best after fewer.
const ITERATIONS: usize = 16;

/// One side's results at one number of factors.
#[derive(Default)]
struct Side {
    iterations: Vec<f64>,
    ndcg: f64,
}

struct Plan {
    options: IalsOptions,
    rounds: usize,
    alpha: f32,
    regularization: f32,
}

/// Runs it on the data set in `data`.
pub fn run(data: &Path, mut knobs: Knobs) -> Result<Report, BenchError> {
    let defaults = IalsOptions::default();
    let factors = knobs.take_list("factors", &[64, 128])?;
    let threads: usize = knobs.take("threads", 2)?;
    let with_peer = knobs.take("peer", true)?;
    let mut plan = Plan {
        options: IalsOptions {
            iterations: knobs.take("iterations", ITERATIONS)?,
            alpha0: knobs.take("alpha0", defaults.alpha0)?,
            lambda: knobs.take("lambda", defaults.lambda)?,
            nu: knobs.take("nu", defaults.nu)?,
            seed: knobs.take("seed", defaults.seed)?,
            ..defaults
        },
        rounds: knobs.take("rounds", 3_usize)?.max(1),
        alpha: knobs.take("peer_alpha", 50.0)?,
        regularization: knobs.take("peer_regularization", 100.0)?,
    };
    knobs.finish()?;

    let split = interactions::split(data)?;
    let folder = tempfile::tempdir().map_err(BenchError::io("making a temporary folder"))?;
    let mut report = Report::new("ials");
    let mut peer = None;
    if with_peer {
        match Environment::prepare("implicit-0.7.3", &PACKAGES) {
            Ok(environment) => peer = Some(start(&environment, folder.path(), &split.train, threads)?),
            Err(reason) => report.notes.push(format!("no {PEER} beside: {reason}")),
        }
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| BenchError::Usage(format!("`threads={threads}`: {error}")))?;
    let mut beside = Figures::default();
    for factors in factors {
        plan.options.factors = factors;
        let (ours, theirs) = compare(&pool, &split, &plan, peer.as_mut(), folder.path())?;
        let add = |figures: &mut Figures, side: &Side| {
            let seconds = Figure::median(&side.iterations, "s");
            figures.add(format!("seconds_per_iteration_{factors}"), seconds.clone());
            figures.add(format!("ndcg@{CUT}_{factors}"), Figure::once(side.ndcg, ""));
            seconds.value
        };
        let own = add(&mut report.figures, &ours);
        if let Some(theirs) = theirs {
            let peer = add(&mut beside, &theirs);
            report.figures.add(format!("speedup_{factors}"), Figure::once(peer / own, "ratio"));
        }
    }
    if peer.is_some() {
        report.beside.push((PEER.to_owned(), beside));
    }
    report.notes.push(format!(
        "{} users, {} items, {} interactions; {} iterations, {} rounds, {threads} threads; \
         conjugate gradient of 3 steps on both sides",
        split.train.rows(),
        split.train.columns(),
        split.train.entries(),
        plan.options.iterations,
        plan.rounds
    ));
    Ok(report)
}

/// Trains both sides in turn, then judges the last model of each.
fn compare(
    pool: &rayon::ThreadPool,
    split: &interactions::Split,
    plan: &Plan,
    mut peer: Option<&mut Peer>,
    folder: &Path,
) -> Result<(Side, Option<Side>), BenchError> {
    let (mut ours, mut theirs) = (Side::default(), Side::default());
    let mut model = None;
    for _ in 0..plan.rounds {
        model = Some(pool.install(|| timed(&split.train, &plan.options, &mut ours.iterations))?);
        if let Some(peer) = peer.as_deref_mut() {
            let reply = peer.order(&json!({
                "factors": plan.options.factors,
                "iterations": plan.options.iterations,
                "alpha": plan.alpha,
                "regularization": plan.regularization,
                "seed": plan.options.seed,
            }))?;
            let seconds = reply["seconds"].as_array().into_iter().flatten();
            theirs.iterations.extend(seconds.filter_map(serde_json::Value::as_f64));
        }
    }
    if let Some(model) = &model {
        ours.ndcg = pool.install(|| ndcg(split, &|user| own_ranking(model, &split.train, user)));
    }
    if peer.is_none() {
        return Ok((ours, None));
    }
    let width = plan.options.factors;
    let (users, items) = (floats(&folder.join("users.f32"))?, floats(&folder.join("items.f32"))?);
    theirs.ndcg = pool.install(|| {
        ndcg(split, &|user| {
            let vector = &users[user * width..(user + 1) * width];
            ranking(vector, &items, &split.train, user)
        })
    });
    Ok((ours, Some(theirs)))
}

/// Trains, and pushes how long each iteration took.
fn timed(matrix: &Csr, options: &IalsOptions, seconds: &mut Vec<f64>) -> Result<Ials, BenchError> {
    let mut training =
        Training::new(matrix, options).map_err(|error| BenchError::Usage(error.to_string()))?;
    for _ in 0..options.iterations {
        let watch = Stopwatch::start();
        training.step();
        seconds.push(watch.seconds());
    }
    training.finish().map_err(|error| BenchError::Usage(error.to_string()))
}

/// The best rows for a user as serving finds them: folded in from the history, which is then left out.
fn own_ranking(model: &Ials, train: &Csr, user: usize) -> Vec<Row> {
    let row = train.row(user);
    let history: Vec<Past> = row.iter().map(|(row, weight)| Past { row, weight, age: 0.0 }).collect();
    let query = Query { history: &history, item: None };
    model.retrieve(&query, CUT, &|item| !row.contains(item)).iter().map(|scored| scored.row).collect()
}

/// The best rows for a user of the peer, by the inner product of its vectors.
fn ranking(user: &[f32], items: &[f32], train: &Csr, number: usize) -> Vec<Row> {
    let seen = train.row(number);
    let mut top = TopK::new(CUT);
    for (row, item) in (0..).zip(items.chunks_exact(user.len())) {
        let score: f32 = product(user, item);
        if top.admits(row, score) && !seen.contains(row) {
            top.offer(row, score);
        }
    }
    top.into_ranked().iter().map(|scored| scored.row).collect()
}

/// Inner product in sixteen lanes, so that the compiler may use vectors.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<16>();
    let (b_lanes, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for (x, y) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

fn ndcg(split: &interactions::Split, ranked: &(dyn Fn(usize) -> Vec<Row> + Sync)) -> f64 {
    let (sum, cases) = split
        .test
        .par_iter()
        .enumerate()
        .filter(|(_, relevant)| !relevant.is_empty())
        .filter_map(|(user, relevant)| Some((Judged::new(&ranked(user), relevant)?.ndcg(CUT), 1_u32)))
        // Collected before it is added up, so that the order of the sum does not depend on the threads.
        .collect::<Vec<_>>()
        .into_iter()
        .fold((0.0, 0), |(sum, cases), (value, case)| (sum + value, cases + case));
    sum / f64::from(cases.max(1))
}

/// Writes the matrix for the peer and starts it.
fn start(environment: &Environment, folder: &Path, matrix: &Csr, threads: usize) -> Result<Peer, BenchError> {
    let mut starts = vec![0_u8; 8];
    let mut columns = Vec::new();
    for row in matrix.iter() {
        columns.extend(row.iter().flat_map(|(column, _)| column.to_le_bytes()));
        starts.extend((columns.len() as u64 / 4).to_le_bytes());
    }
    std::fs::write(folder.join("rows.u64"), starts).map_err(BenchError::io("writing the matrix"))?;
    std::fs::write(folder.join("columns.i32"), columns).map_err(BenchError::io("writing the matrix"))?;
    let arguments = [
        folder.display().to_string(),
        matrix.rows().to_string(),
        matrix.columns().to_string(),
        threads.to_string(),
    ];
    let mut peer = environment.start(SCRIPT, folder, &arguments)?;
    let ready = peer.reply()?;
    if ready["entries"].as_u64() != Some(matrix.entries() as u64) {
        return Err(BenchError::Answer(format!("{PEER} read another matrix: {ready}")));
    }
    Ok(peer)
}

fn floats(path: &Path) -> Result<Vec<f32>, BenchError> {
    let bytes = std::fs::read(path).map_err(BenchError::io(format!("reading {}", path.display())))?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
}
