//! `bench serve`: answers over HTTP, each ranked over the whole catalogue when it is asked for, with every decision
//! logged, beside a steady stream of events; first without the cache, then with the default one. Each begins when the index
//! of the items is built.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_base::Clock as _;
use headwater_pipeline::index::COARSE_FROM;
use headwater_training::presets::Preset;

use super::BenchError;
use super::knobs::Knobs;
use super::load::{self, Plan, add_answers};
use super::loaded::{self, Loaded};
use super::report::{Figure, Report};
use super::traffic::{AnswerSource, EventSource, EventTails};
use crate::clock::SystemClock;

struct Load {
    connections: usize,
    limit: usize,
    events_per_second: f64,
    seed: u64,
    wait_for_index: bool,
    plan: Plan,
}

/// Runs it on a data set, in a folder of its own in the current directory.
pub fn run(preset: Preset, data: &Path, mut knobs: Knobs) -> Result<Report, BenchError> {
    let factors = knobs.take("factors", 128)?;
    let load = Load {
        connections: knobs.take("connections", 16)?,
        limit: knobs.take("limit", 20)?,
        events_per_second: knobs.take("events_per_second", 500.0)?,
        seed: knobs.take("seed", 1)?,
        wait_for_index: knobs.take("wait_for_index", true)?,
        plan: Plan {
            warm_up: Duration::from_secs_f64(knobs.take("warm_up", 3.0)?),
            run: Duration::from_secs_f64(knobs.take("seconds", 5.0)?),
            runs: knobs.take("runs", 3_usize)?.max(1),
        },
    };
    knobs.finish()?;

    let loaded = loaded::load(preset, data, factors, false)?;
    let mut report = Report::new("serve");
    measure(&mut report, &loaded, "", &load)?;
    loaded.workspace.settings(&loaded::settings(preset, true))?;
    measure(&mut report, &loaded, "cached_", &load)?;
    report.notes.push(format!(
        "{} items, {} users, {factors} factors, {} items an answer; {} connections beside {} events/s; \
         {} runs of {} s; decisions logged; `cached_` with the default cache",
        loaded.traffic.items.len(),
        loaded.traffic.users.len(),
        load.limit,
        load.connections,
        load.events_per_second,
        load.plan.runs,
        load.plan.run.as_secs_f64()
    ));
    report.notes.push(
        "Gorse 0.5.9 answers from lists computed minutes before at 1,100 to 1,600/s, p99 44 ms, on such a machine"
            .into(),
    );
    Ok(report)
}

fn measure(report: &mut Report, loaded: &Loaded, prefix: &str, load: &Load) -> Result<(), BenchError> {
    let server = loaded.workspace.serve()?;
    // Building takes a core from both sides for a while; the server's own start is not what is measured here.
    if load.wait_for_index && loaded.traffic.items.len() >= COARSE_FROM {
        let seconds = server.indexed()?.as_secs_f64();
        report.figures.add(format!("{prefix}index_seconds"), Figure::once(seconds, "s"));
    }
    let key = || Some(loaded.key.clone());
    let users = Arc::new(loaded.traffic.users.clone());
    let sources = (0..load.connections)
        .map(|number| AnswerSource::new(Arc::clone(&users), number, load.seed, load.limit, key()))
        .collect();
    let tails = EventTails::new(&loaded.traffic, &SystemClock.now().to_string(), load.seed);
    let events = EventSource::steady(&format!("{prefix}e"), &Arc::new(tails), key().as_ref());

    let stop = Arc::new(AtomicBool::new(false));
    let (answered, sent) = load::runtime()?.block_on(async {
        let steady = tokio::spawn(load::open_loop(
            server.address(),
            events,
            load.events_per_second,
            Arc::clone(&stop),
        ));
        let answered = load::closed_loop(server.address(), sources, load.plan).await;
        stop.store(true, Ordering::Relaxed);
        (answered, steady.await)
    });
    let (runs, sources) = answered?;
    let sent = sent.map_err(|error| BenchError::Answer(error.to_string()))??;

    add_answers(&mut report.figures, prefix, &runs, load.plan);
    let figures = &mut report.figures;
    figures.add(format!("{prefix}event_p99_ms"), Figure::once(sent.latencies.quantile_ms(0.99), "ms"));
    let driven = load.plan.warm_up + load.plan.run * load.plan.runs as u32;
    let events = sent.units as f64 / driven.as_secs_f64();
    figures.add(format!("{prefix}events_per_second"), Figure::once(events, "1/s"));
    let (answers, personal) =
        sources.iter().map(AnswerSource::counts).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let share = personal as f64 / (answers as f64).max(1.0);
    figures.add(format!("{prefix}personal_share"), Figure::once(share, ""));
    figures.add(format!("{prefix}resident_bytes"), Figure::once(server.resident_bytes()? as f64, "bytes"));
    Ok(())
}
