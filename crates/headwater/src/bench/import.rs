//! `bench import`: a data set into an empty log, and the time until a server on it is ready.

use std::path::Path;

use headwater_training::presets::Preset;

use super::BenchError;
use super::interactions::traffic;
use super::knobs::Knobs;
use super::loaded::settings;
use super::report::{Figure, Report};
use super::workspace::Workspace;
use crate::clock::Stopwatch;

/// Runs it on a data set, in folders of its own in the current directory.
pub fn run(preset: Preset, data: &Path, mut knobs: Knobs) -> Result<Report, BenchError> {
    let runs = knobs.take("runs", 3_usize)?.max(1);
    knobs.finish()?;
    let traffic = traffic(preset, data)?;
    let path = data.display().to_string();
    let (mut rates, mut ready, mut bytes, mut resident) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let workspace = Workspace::create(&settings(preset, true))?;
        let watch = Stopwatch::start();
        workspace.run(&["import", "--preset", preset.name(), &path])?;
        rates.push(traffic.interactions as f64 / watch.seconds());
        bytes.push(workspace.bytes() as f64);
        let server = workspace.serve()?;
        ready.push(server.ready_after().as_secs_f64());
        resident.push(server.resident_bytes()? as f64);
        server.kill()?;
    }
    let mut report = Report::new("import");
    report.figures.add("events_per_second", Figure::median(&rates, "1/s"));
    report.figures.add("restart_ready_seconds", Figure::median(&ready, "s"));
    report.figures.add("disk_bytes", Figure::median(&bytes, "bytes"));
    report.figures.add("resident_bytes", Figure::median(&resident, "bytes"));
    report.notes.push(format!(
        "{} interactions of {} users with {} items; the whole command, from its start to its end; then `serve` from \
         its start to the first ready answer; {runs} runs",
        traffic.interactions,
        traffic.users.len(),
        traffic.items.len()
    ));
    Ok(report)
}
