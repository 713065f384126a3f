//! `bench index`: the best of a million items by inner product, exactly and through clusters, and over a graph where one is
//! built in.
//!
//! The items are made up as a factorisation would have them: singular values that decay, some thousands of tastes around
//! which items lie, and lengths that differ as popularity does. Users lie between two tastes. Those on whom recall is
//! measured had no part in choosing how much a search reads.

use std::sync::Arc;

use headwater_base::random::{Random, seeded};
use headwater_models::index::{
    ClusterOptions, Coarse, CoarseOptions, CoarseReport, GRAPH_BUILT_IN, GraphOptions, MEASURED,
    QuantisedIndex,
};
use headwater_models::{Row, Scored};
use rand::RngExt as _;

use super::BenchError;
use super::features::core_time::CoreTime;
use super::knobs::Knobs;
use super::report::{Figure, Report};
use crate::clock::Stopwatch;

/// Around which the items lie.
const TASTES: usize = 2_000;
/// Users on whom the clusters are tuned.
const SAMPLES: usize = 400;
/// Users whom the exact search answers too.
const EXACT: usize = 200;
/// How steeply the singular values decay.
const DECAY: f32 = -0.6;

struct Plan {
    items: usize,
    queries: usize,
    inserts: usize,
    rounds: usize,
    seed: u64,
    clusters: ClusterOptions,
    /// None where it is not built in or not wanted.
    graph: Option<GraphOptions>,
}

struct Made {
    items: Vec<f32>,
    samples: Vec<f32>,
    users: Vec<f32>,
}

/// Runs it.
pub fn run(mut knobs: Knobs) -> Result<Report, BenchError> {
    let dimensions = knobs.take_list("dimensions", &[64, 128])?;
    let (clusters, graph) = (ClusterOptions::default(), GraphOptions::default());
    let recall = knobs.take("recall", clusters.recall)?;
    let graph_wanted = knobs.take("graph", GRAPH_BUILT_IN)?;
    let plan = Plan {
        items: knobs.take("items", 1_000_000_usize)?.max(MEASURED),
        queries: knobs.take("queries", 2_000_usize)?.max(EXACT),
        inserts: knobs.take("inserts", 1_000)?,
        rounds: knobs.take("rounds", 3_usize)?.max(1),
        seed: knobs.take("seed", 1)?,
        clusters: ClusterOptions { clusters: knobs.take("clusters", clusters.clusters)?, recall, ..clusters },
        graph: graph_wanted.then_some(GraphOptions {
            degree: knobs.take("graph_degree", graph.degree)?,
            list: knobs.take("graph_list", graph.list)?,
            step_cost: knobs.take("graph_step_cost", graph.step_cost)?,
            recall,
            ..graph
        }),
    };
    knobs.finish()?;
    let stages = plan.graph.map(CoarseOptions::Graph).into_iter();
    for options in stages.chain([CoarseOptions::Clusters(plan.clusters)]) {
        options.validate().map_err(|error| BenchError::Usage(error.to_string()))?;
    }
    let mut report = Report::new("index");
    for d in dimensions {
        if d == 0 {
            return Err(BenchError::Usage("`dimensions=0`: expected at least 1".into()));
        }
        measure(&mut report, d, &plan)?;
    }
    report.notes.push(format!(
        "{} items; the {MEASURED} best of each of {} users; rates by the time that one thread was on a core; recall is \
         chosen to be {} on {SAMPLES} other users",
        plan.items, plan.queries, plan.clusters.recall
    ));
    Ok(report)
}

fn measure(report: &mut Report, d: usize, plan: &Plan) -> Result<(), BenchError> {
    let made = make(d, plan);
    let mut add = |name: &str, figure| report.figures.add(format!("{name}_{d}"), figure);

    let time = CoreTime::start()?;
    let mut index = QuantisedIndex::from_rows(d, &made.items)?;
    add("exact_build_seconds", Figure::once(time.seconds()?.1, "s"));
    add("exact_bytes", Figure::once(index.bytes() as f64, "bytes"));
    let mut truth = Vec::with_capacity(EXACT);
    let time = CoreTime::start()?;
    for user in made.users.chunks_exact(d).take(EXACT) {
        truth.push(index.search_exact(user, MEASURED, &all));
    }
    add("exact_queries_per_second", Figure::once(EXACT as f64 / time.seconds()?.0, "1/s"));

    if let Some(graph) = plan.graph {
        let options = CoarseOptions::Graph(graph);
        let graph = attach(&mut index, &made, &options, "graph", &mut add)?;
        add("graph_list", Figure::once(graph.width as f64, ""));
        rate(&index, &made, &truth, plan, "graph_", &mut add)?;
    }
    let options = CoarseOptions::Clusters(plan.clusters);
    let clusters = attach(&mut index, &made, &options, "clusters", &mut add)?;
    add("clusters", Figure::once(clusters.parts as f64, ""));
    rate(&index, &made, &truth, plan, "", &mut add)?;
    insert(&mut index, &made, plan, &mut add)?;
    Ok(())
}

/// Builds a coarse stage and has the index searched through it.
fn attach(
    index: &mut QuantisedIndex,
    made: &Made,
    options: &CoarseOptions,
    name: &str,
    add: &mut impl FnMut(&str, Figure),
) -> Result<CoarseReport, BenchError> {
    let time = CoreTime::start()?;
    let coarse = Coarse::build(index, &made.samples, options)?;
    add(&format!("{name}_build_seconds"), Figure::once(time.seconds()?.1, "s"));
    let report = *coarse.report();
    index.attach(Arc::new(coarse))?;
    add(&format!("{name}_bytes"), Figure::once(index.bytes() as f64, "bytes"));
    add(&format!("{name}_read_share"), Figure::once(report.share, ""));
    Ok(report)
}

/// How many of the exact best are found, and how fast.
fn rate(
    index: &QuantisedIndex,
    made: &Made,
    truth: &[Vec<Scored>],
    plan: &Plan,
    prefix: &str,
    add: &mut impl FnMut(&str, Figure),
) -> Result<(), BenchError> {
    let d = index.dimensions();
    let mut met = 0;
    for (user, exact) in made.users.chunks_exact(d).zip(truth) {
        let found = index.search(user, MEASURED, &all);
        met += exact.iter().filter(|scored| found.contains(scored)).count();
    }
    add(&format!("{prefix}recall@100"), Figure::once(met as f64 / (truth.len() * MEASURED) as f64, ""));
    let mut rates = Vec::with_capacity(plan.rounds);
    for _ in 0..plan.rounds {
        let time = CoreTime::start()?;
        for user in made.users.chunks_exact(d) {
            std::hint::black_box(index.search(user, MEASURED, &all));
        }
        rates.push((made.users.len() / d) as f64 / time.seconds()?.0);
    }
    add(&format!("{prefix}queries_per_second"), Figure::median(&rates, "1/s"));
    Ok(())
}

/// Each new item is some user's, lengthened until it is the best for them: the next search must bring it.
fn insert(
    index: &mut QuantisedIndex,
    made: &Made,
    plan: &Plan,
    add: &mut impl FnMut(&str, Figure),
) -> Result<(), BenchError> {
    let mut visible = 0;
    let mut spent = Vec::with_capacity(plan.inserts);
    for user in made.users.chunks_exact(index.dimensions()).cycle().take(plan.inserts) {
        let best = index.search(user, 1, &all).first().map_or(1.0, |scored| scored.score);
        let norm: f32 = user.iter().map(|x| x * x).sum();
        let vector: Vec<f32> = user.iter().map(|x| x * 1.1 * best / norm).collect();
        // An insert is too short for the time on a core, which the system counts in steps: its median by the clock.
        let watch = Stopwatch::start();
        // As a server does it: the index in use stays, the next one shares all but what is new.
        let mut next = index.clone();
        let row = next.append(&vector)?;
        *index = next;
        spent.push(watch.seconds() * 1e6);
        visible += usize::from(index.search(user, 1, &all).first().is_some_and(|scored| scored.row == row));
    }
    if plan.inserts > 0 {
        add("insert_us", Figure::once(Figure::median(&spent, "us").value, "us"));
        add("inserts_in_the_next_answer", Figure::once(visible as f64 / plan.inserts as f64, ""));
    }
    Ok(())
}

fn all(_: Row) -> bool {
    true
}

fn make(d: usize, plan: &Plan) -> Made {
    let mut random = seeded(plan.seed, &format!("bench/index/{d}"));
    let values: Vec<f32> = (0..d).map(|k| (1.0 + k as f32).powf(DECAY)).collect();
    let tastes: Vec<f32> = (0..TASTES * d).map(|k| normal(&mut random) * values[k % d]).collect();
    let mut items = Vec::with_capacity(plan.items * d);
    for _ in 0..plan.items {
        let taste = random.random_range(0..TASTES) * d;
        let length = (0.5 * normal(&mut random)).exp();
        items.extend((0..d).map(|k| length * (tastes[taste + k] + 0.6 * values[k] * normal(&mut random))));
    }
    let mut users = |count: usize| {
        let mut users = Vec::with_capacity(count * d);
        for _ in 0..count {
            let (one, other) = (random.random_range(0..TASTES) * d, random.random_range(0..TASTES) * d);
            let between =
                |k: usize, noise: f32| tastes[one + k] + 0.7 * tastes[other + k] + 0.5 * values[k] * noise;
            users.extend((0..d).map(|k| between(k, normal(&mut random))));
        }
        users
    };
    Made { samples: users(SAMPLES), users: users(plan.queries), items }
}

/// A number of the normal distribution (Box and Muller).
fn normal(random: &mut Random) -> f32 {
    let (radius, angle): (f32, f32) =
        (random.random_range(f32::MIN_POSITIVE..1.0), random.random_range(0.0..1.0));
    (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
}
