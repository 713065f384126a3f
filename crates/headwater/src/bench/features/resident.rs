//! `resident`: what a million users with twenty features hold.

use std::process::{Command, Stdio};
use std::sync::Arc;

use headwater_base::Event;
use headwater_features::Views;
use headwater_log::{Batch, Partition};
use serde_json::Value;

use super::core_time::memory;
use super::declared::{Declared, TWENTY};
use super::moments::{Moment, World, upserts};
use crate::bench::BenchError;
use crate::bench::report::{Figure, Report};

/// Events folded at once.
const BATCH: usize = 4_096;
/// The process, what its rows and histories say they hold, and how many users there were.
const FIGURES: [(&str, &str); 3] =
    [("resident_bytes", "bytes"), ("resident_accounted_bytes", "bytes"), ("resident_users", "users")];

/// Folds `events` of the world's users, all of whom come by turns.
pub(super) fn run(report: &mut Report, world: World, events: usize) -> Result<(), BenchError> {
    let declared = Declared::compile(TWENTY)?;
    let mut met = vec![false; world.users as usize];
    let moments = world.moments().take(events).inspect(|moment| met[moment.user as usize] = true);
    let views = folded(&declared, upserts(&world.categories()), moments)?;
    let users = met.iter().filter(|met| **met).count();
    let values = [memory("VmRSS")?, views.hold().resident_bytes() as f64, users as f64];
    for ((name, unit), value) in FIGURES.into_iter().zip(values) {
        report.figures.add(name, Figure::once(value, unit));
    }
    report.notes.push(format!(
        "resident: the whole process, with views as a server has them, after {events} events of {users} users over {:.0} days",
        world.days(events)
    ));
    Ok(())
}

/// The views of a server that read all of it.
fn folded(
    declared: &Declared,
    items: impl Iterator<Item = Event>,
    moments: impl Iterator<Item = Moment>,
) -> Result<Views, BenchError> {
    let views = Views::new(Arc::new(declared.schema.clone()), declared.options.clone());
    let mut offset = 0;
    let mut events = items.chain((0..).zip(moments).map(|(number, moment)| moment.event(number))).peekable();
    while events.peek().is_some() {
        let events: Arc<[Event]> = events.by_ref().take(BATCH).collect();
        let batch = Batch { partition: Partition(0), first: offset, events };
        offset = batch.next();
        views.apply(&batch).map_err(|error| BenchError::Answer(error.to_string()))?;
    }
    Ok(views)
}

/// The same in a process of its own.
pub(super) fn run_apart(report: &mut Report, world: World, a_user: f64) -> Result<(), BenchError> {
    let program = std::env::current_exe().map_err(BenchError::io("finding this program"))?;
    let mut command = Command::new(program);
    command.args(["bench", "features", "--json", "--quiet", "--set", "only=resident"]);
    for (key, value) in [
        ("resident_users", world.users.to_string()),
        ("events_a_user", a_user.to_string()),
        ("items", world.items.to_string()),
        ("categories", world.categories.to_string()),
        ("late", world.late.to_string()),
        ("seed", world.seed.to_string()),
    ] {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(BenchError::io("starting a process for `resident`"))?;
    let said: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| BenchError::Answer(format!("`only=resident` printed no document: {error}")))?;
    for (name, unit) in FIGURES {
        let value = said["figures"][name]["value"].as_f64();
        let value = value.ok_or_else(|| BenchError::Answer(format!("no `{name}` in {said}")))?;
        report.figures.add(name, Figure::once(value, unit));
    }
    let notes = said["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    report.notes.extend(notes.map(str::to_owned));
    Ok(())
}
