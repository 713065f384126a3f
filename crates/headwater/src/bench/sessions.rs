//! `bench sessions`: answers to sessions over HTTP, each from the latest sessions most like it; first with every decision
//! logged, then without the decision log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater_training::presets::Preset;

use super::BenchError;
use super::interactions::traffic;
use super::knobs::Knobs;
use super::load::{self, Plan, add_answers};
use super::report::{Figure, Report};
use super::traffic::AnswerSource;
use super::workspace::Workspace;

struct Load {
    connections: usize,
    limit: usize,
    seed: u64,
    plan: Plan,
    key: String,
    sessions: Arc<Vec<String>>,
}

/// Settings of a server that answers `home` from sessions alone, without the cache.
fn settings(preset: Preset, logged: bool) -> String {
    format!(
        "{}\n[surfaces.home]\nsources = [\"sessions\"]\nfilters = [\"seen\", \"available\"]\n\n\
         [decisions]\nenabled = {logged}\n\n[server]\nlisten = \"127.0.0.1:0\"\ncached_answers = 0\n",
        preset.settings()
    )
}

/// Runs it on a data set, in a folder of its own in the current directory.
pub fn run(preset: Preset, data: &Path, mut knobs: Knobs) -> Result<Report, BenchError> {
    let connections = knobs.take("connections", 16)?;
    let limit = knobs.take("limit", 20)?;
    let seed = knobs.take("seed", 1)?;
    let plan = Plan {
        warm_up: Duration::from_secs_f64(knobs.take("warm_up", 3.0)?),
        run: Duration::from_secs_f64(knobs.take("seconds", 5.0)?),
        runs: knobs.take("runs", 3_usize)?.max(1),
    };
    knobs.finish()?;

    let traffic = traffic(preset, data)?;
    let workspace = Workspace::create(&settings(preset, true))?;
    workspace.run(&["import", "--preset", preset.name(), &data.display().to_string()])?;
    let key = workspace.key()?;
    let load = Load { connections, limit, seed, plan, key, sessions: Arc::new(traffic.users) };
    let mut report = Report::new("sessions");
    measure(&mut report, &workspace, "", &load)?;
    workspace.settings(&settings(preset, false))?;
    measure(&mut report, &workspace, "unlogged_", &load)?;
    report.notes.push(format!(
        "{} interactions of {} sessions with {} items, {limit} items an answer; {connections} connections; {} runs of {} s; \
         no cache; decisions logged, `unlogged_` without",
        traffic.interactions,
        load.sessions.len(),
        traffic.items.len(),
        plan.runs,
        plan.run.as_secs_f64()
    ));
    report.notes.push(
        "Serenade 0.3.1, which logs nothing, answers 33,000/s with p99 1.2 ms on such a machine (wrk beside it, measured apart)"
            .into(),
    );
    Ok(report)
}

fn measure(report: &mut Report, workspace: &Workspace, prefix: &str, load: &Load) -> Result<(), BenchError> {
    let server = workspace.serve()?;
    let source = |number| {
        let sessions = Arc::clone(&load.sessions);
        AnswerSource::new(sessions, number, load.seed, load.limit, Some(load.key.clone())).of_sessions()
    };
    let sources = (0..load.connections).map(source).collect();
    let answered = load::closed_loop(server.address(), sources, load.plan);
    let (runs, sources) = load::runtime()?.block_on(answered)?;

    add_answers(&mut report.figures, prefix, &runs, load.plan);
    let figures = &mut report.figures;
    let (answers, of_sessions) =
        sources.iter().map(AnswerSource::counts).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let share = of_sessions as f64 / (answers as f64).max(1.0);
    figures.add(format!("{prefix}sessions_share"), Figure::once(share, ""));
    figures.add(format!("{prefix}resident_bytes"), Figure::once(server.resident_bytes()? as f64, "bytes"));
    Ok(())
}
