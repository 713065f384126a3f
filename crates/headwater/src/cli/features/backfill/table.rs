//! A table of what the features were just before each interaction.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use headwater_base::FeatureType;
use headwater_base::schema::one_of;
use headwater_log::LogReader;
use headwater_training::examples::{HistoryCounts, HistoryExamples, LogReplay, NegativeSampler};
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
    let schema = settings.schema();
    let mut replay = LogReplay::new(log.events_from(0), &schema, &options);
    // Every interaction asks, also one of a type that the objective does not weigh.
    let mut asking = schema.clone();
    asking.interactions.values_mut().for_each(|declared| declared.weight = 1.0);
    let bar = Fold::new(context.output, log.end(), "events");
    let events = log.events_from(0).inspect(|_| bar.tick());
    let mut rows = HistoryExamples::new(events, asking, NegativeSampler::new(0, 0.0), 0, &mut replay);
    let counts = write(&mut rows, ValueTable::new(&mut file, format, columns)?)?;
    bar.finish();
    file.flush().into_diagnostic().wrap_err_with(cannot)?;
    let report = Report {
        output,
        features: features.into_iter().map(|(label, _)| label).collect(),
        rows: counts.examples,
        late: counts.late,
        events: bar.read(),
        seconds: watch.seconds(),
        events_per_second: bar.rate(),
    };
    Ok(context.output.result(&report, || describe(&report))?)
}

fn write<
    W: std::io::Write + Send,
    E: Iterator<Item = Result<(u64, headwater_base::Event), headwater_log::LogError>>,
>(
    rows: &mut HistoryExamples<'_, E>,
    mut table: ValueTable<W>,
) -> Result<HistoryCounts, ExportError> {
    for row in &mut *rows {
        let row = row?;
        let ids = [
            row.actor.user.as_ref().map(AsRef::as_ref),
            row.actor.session.as_ref().map(AsRef::as_ref),
            Some(row.item.as_str()),
            row.outcomes.first().map(|outcome| outcome.kind.as_str()),
        ];
        table.add(&ids, row.time, &row.features)?;
    }
    table.finish()?;
    Ok(rows.counts())
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
