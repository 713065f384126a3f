//! `bench ingest`: events in over HTTP, each acknowledgement durable and folded into the views.
//!
//! The server is killed with SIGKILL right after the last acknowledgement, then its log is read: whatever was
//! acknowledged must be there, once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_base::Clock as _;

use super::BenchError;
use super::knobs::Knobs;
use super::load::{self, Plan, Run};
use super::report::{Figure, Report};
use super::traffic::{EventSource, EventTails, made_up};
use super::workspace::{Server, Workspace};
use crate::clock::SystemClock;

const SETTINGS: &str = "[interactions.click]\nweight = 1.0\n\n[server]\nlisten = \"127.0.0.1:0\"\n";

/// Runs it in the current directory.
pub fn run(mut knobs: Knobs) -> Result<Report, BenchError> {
    let users = knobs.take("users", 20_000)?;
    let items = knobs.take("items", 10_000)?;
    let batch = knobs.take("batch", 100_usize)?.max(2);
    let batched_connections = knobs.take("batched_connections", 8)?;
    let single_connections = knobs.take("single_connections", 64)?;
    let plan = Plan {
        warm_up: Duration::from_secs_f64(knobs.take("warm_up", 2.0)?),
        run: Duration::from_secs_f64(knobs.take("seconds", 4.0)?),
        runs: knobs.take("runs", 3_usize)?.max(1),
    };
    let seed = knobs.take("seed", 1)?;
    knobs.finish()?;

    let workspace = Workspace::create(SETTINGS)?;
    let key = workspace.key()?;
    let server = workspace.serve()?;
    let time = SystemClock.now().to_string();
    let tails = Arc::new(EventTails::new(&made_up(users, items), &time, seed));

    let mut report = Report::new("ingest");
    let mut sources = drive(&server, &tails, &key, "b", batch, batched_connections, plan, |runs| {
        add(&mut report, "batched", runs, plan);
    })?;
    sources.extend(drive(&server, &tails, &key, "s", 1, single_connections, plan, |runs| {
        add(&mut report, "single", runs, plan);
    })?);
    report.figures.add("resident_bytes", Figure::once(server.resident_bytes()? as f64, "bytes"));
    server.kill()?;

    let found = found(&workspace, &sources)?;
    report.figures.add("acknowledged", Figure::once(found.acknowledged as f64, "events"));
    report.figures.add("lost", Figure::once(found.lost as f64, "events"));
    report.figures.add("repeated", Figure::once(found.repeated as f64, "events"));
    report.notes.push(format!(
        "batched: {batch} events a request, {batched_connections} connections; single: one event a request, \
         {single_connections} connections; {} runs of {} s each; fsync and fold before the reply; then SIGKILL",
        plan.runs,
        plan.run.as_secs_f64()
    ));
    report.notes.push(
        "Gorse 0.5.9 on SQLite takes 27,000 batched and 1,260 single events/s on such a machine".into(),
    );
    Ok(report)
}

#[allow(clippy::too_many_arguments, reason = "one call for each of the two ways to send")]
fn drive(
    server: &Server,
    tails: &Arc<EventTails>,
    key: &str,
    prefix: &str,
    batch: usize,
    connections: usize,
    plan: Plan,
    take: impl FnOnce(&[Run]),
) -> Result<Vec<EventSource>, BenchError> {
    let sources = (0..connections)
        .map(|number| {
            EventSource::new(format!("{prefix}{number}-"), Arc::clone(tails), batch, Some(key.to_owned()))
        })
        .collect();
    let (runs, sources) = load::runtime()?.block_on(load::closed_loop(server.address(), sources, plan))?;
    take(&runs);
    Ok(sources)
}

fn add(report: &mut Report, name: &str, runs: &[Run], plan: Plan) {
    let rates: Vec<f64> = runs.iter().map(|run| run.units as f64 / plan.run.as_secs_f64()).collect();
    let latency = |share| runs.iter().map(|run| run.latencies.quantile_ms(share)).collect::<Vec<_>>();
    report.figures.add(format!("{name}_events_per_second"), Figure::median(&rates, "1/s"));
    report.figures.add(format!("{name}_p50_ms"), Figure::median(&latency(0.5), "ms"));
    report.figures.add(format!("{name}_p99_ms"), Figure::median(&latency(0.99), "ms"));
}

struct Found {
    acknowledged: u64,
    lost: u64,
    repeated: u64,
}

/// Reads the whole log and compares it with what was acknowledged.
fn found(workspace: &Workspace, sources: &[EventSource]) -> Result<Found, BenchError> {
    let mut tallies: HashMap<&str, Tally> =
        sources.iter().map(|source| (source.prefix(), Tally::new(source.acknowledged()))).collect();
    workspace.each_event(|event| {
        let id = event.id.as_str();
        let Some((prefix, number)) =
            id.split_inclusive('-').next().map(|prefix| (prefix, &id[prefix.len()..]))
        else {
            return;
        };
        if let (Some(tally), Ok(number)) = (tallies.get_mut(prefix), number.parse()) {
            tally.see(number);
        }
    })?;
    Ok(Found {
        acknowledged: sources.iter().map(EventSource::acknowledged).sum(),
        lost: tallies.values().map(Tally::missing).sum(),
        repeated: tallies.values().map(|tally| tally.repeated).sum(),
    })
}

/// Which of the numbers `0..acknowledged` were seen.
struct Tally {
    seen: Vec<bool>,
    repeated: u64,
}

impl Tally {
    fn new(acknowledged: u64) -> Self {
        Self { seen: vec![false; acknowledged as usize], repeated: 0 }
    }

    /// Numbers that were sent but not acknowledged when the server died may be there or not.
    fn see(&mut self, number: usize) {
        if let Some(seen) = self.seen.get_mut(number) {
            self.repeated += u64::from(std::mem::replace(seen, true));
        }
    }

    fn missing(&self) -> u64 {
        self.seen.iter().filter(|seen| !**seen).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_is_there_twice_is_counted() {
        let mut tally = Tally::new(4);
        for number in [0, 2, 2, 3, 9] {
            tally.see(number);
        }
        assert_eq!((tally.missing(), tally.repeated), (1, 1));
    }
}
