//! A table of what the features were just before each interaction.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use headwater_base::schema::one_of;
use headwater_base::{Event, Fact, FeatureType, Interaction};
use headwater_features::Replay;
use headwater_log::{LogError, LogReader, Offset, Partition};
use headwater_training::examples::Past;
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::super::super::context::Context;
use super::super::super::failure::{Failure, failed, usage};
use super::super::super::progress::Fold;
use super::super::export::format;
use super::no_features;
use crate::beside;
use crate::clock::Stopwatch;
use crate::export::ExportError;
use crate::export::values::{ValueColumns, ValueTable};
use crate::output::{counted, thousands};
use crate::platform::Layout;
use crate::settings::Settings;

/// Events whose features are computed at once.
const AT_ONCE: usize = 1 << 14;
/// Columns that say whose the values are.
const IDS: [&str; 4] = ["user", "session", "item", "type"];

#[derive(Serialize)]
struct Report<'a> {
    output: &'a Path,
    features: Vec<String>,
    rows: u64,
    /// Interactions that have no row, since others that happened after them were received before.
    late: u64,
    events: u64,
    seconds: f64,
    events_per_second: u64,
}

pub(super) fn run(context: &Context, output: &PathBuf, only: &[String]) -> Result<(), Failure> {
    let format = format(context, Some(output))?;
    let settings = context.settings()?.settings;
    let registry = context.existing_registry()?;
    let mut specs = beside::active(registry.as_ref(), &settings)?;
    if specs.is_empty() {
        return Err(no_features());
    }
    if !only.is_empty() {
        known(&settings, only)?;
        specs.retain(|spec| only.iter().any(|name| spec.name == *name));
    }
    let options = beside::options(&settings, &specs)?;
    let log = LogReader::open(&Layout::of(&context.data_dir).events)?;
    if log.start() > 0 {
        return Err(failed(
            "log_cut",
            format!("the log starts at offset {}: what came before cannot be replayed", log.start()),
            "without --output, a checkpoint is made from what the log still holds",
        ));
    }
    let features: Vec<(String, FeatureType)> =
        options.plan.columns().map(|(label, form)| (label.to_string(), form)).collect();
    let columns = ValueColumns { ids: IDS.map(str::to_owned).into(), features: features.clone() };
    let cannot = || format!("cannot write {}", output.display());
    let file = File::create(output).into_diagnostic().wrap_err_with(cannot)?;
    let mut file = BufWriter::with_capacity(1 << 20, file);

    let watch = Stopwatch::start();
    let mut replay = Replay::new(&settings.schema(), &options);
    let bar = Fold::new(context.output, log.end(), "events");
    let events = log.events_from(0).inspect(|_| bar.tick());
    let counts = write(events, &mut replay, features.len(), ValueTable::new(&mut file, format, columns)?)?;
    bar.finish();
    file.flush().into_diagnostic().wrap_err_with(cannot)?;
    let report = Report {
        output,
        features: features.into_iter().map(|(label, _)| label).collect(),
        rows: counts.rows,
        late: counts.late,
        events: bar.read(),
        seconds: watch.seconds(),
        events_per_second: bar.rate(),
    };
    Ok(context.output.result(&report, || describe(&report))?)
}

#[derive(Default)]
struct Counts {
    rows: u64,
    late: u64,
}

/// Writes the features of all of `columns` for the interactions among `events`, which `replay` has folded none of.
fn write(
    events: impl Iterator<Item = Result<(Offset, Event), LogError>>,
    replay: &mut Replay,
    columns: usize,
    mut out: ValueTable<impl Write + Send>,
) -> Result<Counts, ExportError> {
    let mut table = replay.table(&(0..columns).collect::<Vec<_>>());
    let (mut past, mut counts) = (Past::default(), Counts::default());
    let mut events = events.peekable();
    let mut values = Vec::with_capacity(columns);
    while events.peek().is_some() {
        let some: Vec<(Offset, Event)> = events.by_ref().take(AT_ONCE).collect::<Result<_, _>>()?;
        replay.backfill(Partition(0), some.iter().map(|(offset, event)| (*offset, event)), &mut table);
        let mut rows = 0..;
        for (_, event) in &some {
            let late = past.take(event);
            let Fact::Interaction(interaction) = &event.fact else { continue };
            let Some(row) = rows.next() else { break };
            if late {
                counts.late += 1;
                continue;
            }
            let Interaction { kind, actor, item, .. } = interaction;
            let ids = [
                actor.user.as_ref().map(AsRef::as_ref),
                actor.session.as_ref().map(AsRef::as_ref),
                Some(item.as_str()),
                Some(kind.as_str()),
            ];
            values.clear();
            values.extend((0..columns).map(|column| table.value(replay, row, column)));
            out.add(&ids, event.time, &values)?;
            counts.rows += 1;
        }
    }
    out.finish()?;
    Ok(counts)
}

fn known(settings: &Settings, only: &[String]) -> Result<(), Failure> {
    let names: Vec<&str> = settings.features.keys().map(String::as_str).collect();
    match only.iter().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(usage(
            format!("no feature `{name}` is declared; expected {}", one_of(&names, name)),
            "`headwater features list` shows what is declared",
        )),
        None => Ok(()),
    }
}

fn describe(report: &Report<'_>) -> String {
    let mut text = format!(
        "Wrote {} with {} to {}, from {} ({} a second).",
        counted(report.rows, "row"),
        counted(report.features.len() as u64, "feature"),
        report.output.display(),
        counted(report.events, "event"),
        thousands(report.events_per_second)
    );
    if report.late > 0 {
        text += &format!(
            "\n{} came later than others that happened after them, and have no row.",
            counted(report.late, "interaction")
        );
    }
    text
}
