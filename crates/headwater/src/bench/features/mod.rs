//! `bench features`: declared features folded and read, beside Polars on the same events in the same run.
//!
//! Five parts, each of which `--set only=..` chooses: `backfill`, `windowed`, `read`, `ingest` and `resident`. What is
//! said to be on one core is measured by the time that the thread was on a core, which other work on the machine
//! lengthens less than the clock's.

mod backfill;
pub(super) mod core_time;
mod data_set;
mod declared;
mod ingested;
mod moments;
mod reading;
mod resident;
mod windowed;

use std::path::Path;

use headwater_base::schema::one_of;
use headwater_training::presets::Preset;

use super::BenchError;
use super::knobs::Knobs;
use super::report::Report;
use backfill::Input;
use data_set::DataSet;
use moments::World;

/// The parts there are.
const PARTS: [&str; 5] = ["backfill", "windowed", "read", "ingest", "resident"];
/// A part that wants a process to itself, because what others freed stays with the process.
const ALONE: &str = "resident";

/// Runs it, on a data set as well if there is one; servers have their folders in the current directory.
pub fn run(preset: Preset, data: Option<&Path>, mut knobs: Knobs) -> Result<Report, BenchError> {
    let quick = knobs.take("quick", false)?;
    let (few, many) = if quick { (100_000, 400_000) } else { (2_000_000, 20_000_000) };
    let only = knobs.take_list("only", &PARTS.map(str::to_owned))?;
    let events: Vec<usize> = knobs.take_list("events", &[few, many])?;
    let rounds = knobs.take("rounds", 3_usize)?.max(1);
    let world = World {
        users: knobs.take("users", 100_000)?,
        items: knobs.take("items", 20_000)?,
        categories: knobs.take("categories", 50)?,
        a_day: knobs.take("a_day", 10.0)?,
        late: knobs.take("late", 0.02)?,
        by_turns: false,
        seed: knobs.take("seed", 1)?,
    };
    let with_peer = knobs.take("peer", true)?;
    let candidates = knobs.take("candidates", 200)?;
    let requests = knobs.take("requests", if quick { 500 } else { 5_000 })?;
    let load = ingested::Load {
        connections: knobs.take("connections", 8)?,
        batch: knobs.take("batch", 100_usize)?.max(2),
        seconds: knobs.take("seconds", if quick { 0.5 } else { 4.0 })?,
        warm_up: knobs.take("warm_up", if quick { 0.2 } else { 2.0 })?,
        rounds,
    };
    let resident_users = knobs.take("resident_users", if quick { 20_000 } else { 1_000_000 })?;
    let a_user = knobs.take("events_a_user", 10.0)?;
    knobs.finish()?;
    if let Some(unknown) = only.iter().find(|part| !PARTS.contains(&part.as_str())) {
        let expected = one_of(&PARTS, unknown);
        return Err(BenchError::Usage(format!("`only={unknown}` is no part of it; expected {expected}")));
    }
    let few = events.iter().copied().min().ok_or_else(|| BenchError::Usage("`events` names none".into()))?;
    let chosen = |part: &str| only.iter().any(|only| only == part);

    let mut report = Report::new("features");
    if chosen("backfill") {
        let made_up = |events: &usize| Input::made_up(world, *events);
        let mut inputs: Vec<Input> = events.iter().map(made_up).collect();
        match data {
            Some(path) => inputs.push(Input::data_set(path, DataSet::read(preset, path)?)),
            None => report.notes.push("no data set: name its folder with --data".into()),
        }
        backfill::run(&mut report, &inputs, rounds)?;
    }
    if chosen("windowed") {
        windowed::run(&mut report, world, few, rounds, with_peer)?;
    }
    if chosen("read") {
        reading::run(&mut report, world, few, requests, candidates)?;
    }
    if chosen("ingest") {
        ingested::run(&mut report, world, load)?;
    }
    if chosen(ALONE) {
        // A user comes once in so many days as it takes for every one to come ten times.
        let world = World { users: resident_users, a_day: 1.0, by_turns: true, ..world };
        let events = (f64::from(resident_users) * a_user) as usize;
        if only.len() == 1 {
            resident::run(&mut report, world, events)?;
        } else {
            resident::run_apart(&mut report, world, a_user)?;
        }
    }
    Ok(report)
}
