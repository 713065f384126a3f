//! Generates load: closed loops on a number of connections, all on the calling thread, cut into a warm-up and
//! several runs of equal length; and open loops that send at a steady rate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::BenchError;
use super::client::Connection;
use super::latency::Latencies;
use super::report::{Figure, Figures};
use crate::clock::Stopwatch;

/// Makes the requests of one connection and judges the replies.
pub trait Source: Send + 'static {
    /// Writes the next request.
    fn prepare(&mut self, request: &mut Vec<u8>);

    /// Takes the body of a successful reply; returns how many units of work it stands for (answers, events).
    fn take(&mut self, body: &[u8]) -> Result<u64, BenchError>;
}

/// How long to drive, and how often to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Driven before anything is counted.
    pub warm_up: Duration,
    /// Length of one run.
    pub run: Duration,
    /// How many runs follow one another.
    pub runs: usize,
}

/// What one run saw, over all connections.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Units of work done within the run.
    pub units: u64,
    /// Latency of each request that ended within the run.
    pub latencies: Latencies,
}

/// Drives one connection per source, each sending its next request when the last is answered, and returns the runs
/// with the sources.
pub async fn closed_loop<S: Source>(
    address: SocketAddr,
    sources: Vec<S>,
    plan: Plan,
) -> Result<(Vec<Run>, Vec<S>), BenchError> {
    let mut tasks = JoinSet::new();
    let watch = Stopwatch::start();
    for (index, source) in sources.into_iter().enumerate() {
        tasks.spawn(async move { (index, drive(address, source, plan, watch).await) });
    }
    let mut runs = vec![Run::default(); plan.runs];
    let mut returned = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        let (index, driven) = joined.map_err(|error| BenchError::Answer(error.to_string()))?;
        let (own, source) = driven?;
        for (total, own) in runs.iter_mut().zip(&own) {
            total.units += own.units;
            total.latencies.merge(&own.latencies);
        }
        returned.push((index, source));
    }
    returned.sort_by_key(|(index, _)| *index);
    Ok((runs, returned.into_iter().map(|(_, source)| source).collect()))
}

async fn drive<S: Source>(
    address: SocketAddr,
    mut source: S,
    plan: Plan,
    watch: Stopwatch,
) -> Result<(Vec<Run>, S), BenchError> {
    let mut connection = Connection::open(address).await?;
    let mut runs = vec![Run::default(); plan.runs];
    let mut request = Vec::new();
    loop {
        source.prepare(&mut request);
        let sent = watch.elapsed();
        let units = source.take(connection.send(&request).await?.ok()?)?;
        let now = watch.elapsed();
        let Some(measured) = now.checked_sub(plan.warm_up) else { continue };
        let run = (measured.as_nanos() / plan.run.as_nanos().max(1)) as usize;
        let Some(run) = runs.get_mut(run) else { return Ok((runs, source)) };
        run.units += units;
        run.latencies.record(now - sent);
    }
}

/// Sends at a steady rate, dealt out over a connection per source, until `stop` is set, whatever the replies take. What
/// falls behind is sent as soon as it can be, and its latency counts from when it was due.
pub async fn open_loop<S: Source>(
    address: SocketAddr,
    sources: Vec<S>,
    per_second: f64,
    stop: Arc<AtomicBool>,
) -> Result<Run, BenchError> {
    let mut tasks = JoinSet::new();
    let watch = Stopwatch::start();
    let step = Duration::from_secs_f64(1.0 / per_second);
    let of = sources.len() as u32;
    for (number, source) in (0..).zip(sources) {
        let due = Due { watch, first: step * number, step: step * of };
        tasks.spawn(send_when_due(address, source, due, Arc::clone(&stop)));
    }
    let mut total = Run::default();
    while let Some(joined) = tasks.join_next().await {
        let run = joined.map_err(|error| BenchError::Answer(error.to_string()))??;
        total.units += run.units;
        total.latencies.merge(&run.latencies);
    }
    Ok(total)
}

/// When the requests of one connection are due.
#[derive(Clone, Copy, Debug)]
struct Due {
    watch: Stopwatch,
    first: Duration,
    step: Duration,
}

async fn send_when_due<S: Source>(
    address: SocketAddr,
    mut source: S,
    due: Due,
    stop: Arc<AtomicBool>,
) -> Result<Run, BenchError> {
    let mut connection = Connection::open(address).await?;
    let mut run = Run::default();
    let mut request = Vec::new();
    let mut next = due.first;
    loop {
        if let Some(early) = next.checked_sub(due.watch.elapsed()) {
            tokio::time::sleep(early).await;
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(run);
        }
        source.prepare(&mut request);
        run.units += source.take(connection.send(&request).await?.ok()?)?;
        run.latencies.record(due.watch.elapsed().saturating_sub(next));
        next += due.step;
    }
}

/// A runtime on the calling thread only: the generator competes with the server for as little as possible.
pub fn runtime() -> Result<tokio::runtime::Runtime, BenchError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BenchError::io("starting the load generator"))
}

/// Adds the rate and the latencies of answers, the medians of `runs`.
pub fn add_answers(figures: &mut Figures, prefix: &str, runs: &[Run], plan: Plan) {
    let rates: Vec<f64> = runs.iter().map(|run| run.units as f64 / plan.run.as_secs_f64()).collect();
    let latency = |share| runs.iter().map(|run| run.latencies.quantile_ms(share)).collect::<Vec<_>>();
    figures.add(format!("{prefix}answers_per_second"), Figure::median(&rates, "1/s"));
    figures.add(format!("{prefix}p50_ms"), Figure::median(&latency(0.5), "ms"));
    figures.add(format!("{prefix}p99_ms"), Figure::median(&latency(0.99), "ms"));
}
