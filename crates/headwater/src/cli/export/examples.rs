//! `headwater export examples`: what was shown, with its features and what came of it.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use clap::Args;
use headwater_log::LogReader;
use headwater_training::examples::{ExampleCounts, ExampleOptions, Examples, NoReplay};
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::super::context::Context;
use super::super::failure::{Failure, usage};
use crate::export::examples::{self, FeatureColumns};
use crate::output::thousands;
use crate::platform::Layout;

/// Flags of `export examples`.
#[derive(Debug, Args)]
pub struct ExamplesArgs {
    /// Where to write: a Parquet table or JSON lines, by the name's end (.parquet or .jsonl).
    #[arg(long, short, visible_alias = "out", value_name = "FILE")]
    output: PathBuf,
    /// Also what was recommended so lately that its outcomes may still come.
    #[arg(long)]
    open: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    output: &'a PathBuf,
    /// Columns of features.
    features: usize,
    #[serde(flatten)]
    counts: ExampleCounts,
}

pub(super) fn run(context: &Context, args: &ExamplesArgs) -> Result<(), Failure> {
    let parquet = match args.output.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => true,
        Some("jsonl") => false,
        _ => {
            let told = format!("cannot tell the format from the name {}", args.output.display());
            return Err(usage(told, "end it in .parquet or .jsonl"));
        }
    };
    let settings = context.settings()?.settings;
    let schema = settings.schema();
    let layout = Layout::of(&context.data_dir);
    // Decisions first: what is read after them holds the outcomes that came in between.
    let decisions = LogReader::open(&layout.decisions)?;
    let events = LogReader::open(&layout.events)?;
    let registry = context.registry()?;
    let columns =
        FeatureColumns::survey(&decisions, |number| registry.schema(number).map_err(Failure::from))?;
    let options = ExampleOptions { open: args.open, ..settings.example_options(context.clock.now()) };
    let mut no_replay = NoReplay;
    let mut rows = Examples::of(&events, &decisions, schema.clone(), options, &mut no_replay);
    let cannot = || format!("cannot write {}", args.output.display());
    let file = File::create(&args.output).into_diagnostic().wrap_err_with(cannot)?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    if parquet {
        examples::parquet(&mut rows, &columns, &schema, file)?;
    } else {
        examples::jsonl(&mut rows, &columns, &mut file)?;
    }
    let report = Report { output: &args.output, features: columns.columns().len(), counts: rows.counts() };
    Ok(context.output.result(&report, || describe(&report))?)
}

fn describe(report: &Report<'_>) -> String {
    let counts = &report.counts;
    let mut text = format!(
        "Exported {} examples with {} features to {}; {} of them positive.",
        thousands(counts.examples),
        report.features,
        report.output.display(),
        thousands(counts.positives),
    );
    for (count, told) in [
        (counts.join.open, "decisions are so recent that their outcomes may still come (--open takes them)"),
        (counts.without_features, "decisions logged no features"),
        (counts.unfitting, "decisions logged features that do not fit what they showed"),
        (counts.join.erased, "decisions were for users who are deleted"),
    ] {
        if count > 0 {
            text += &format!("\n{} {told}.", thousands(count));
        }
    }
    text
}
