//! `headwater export examples`: what was shown, with its features and what came of it.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;
use headwater_log::LogReader;
use headwater_training::examples::{ExampleCounts, ExampleOptions, Examples, NoReplay};
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::super::context::Context;
use super::super::failure::{Failure, usage};
use crate::export::examples::{self, Encoding, FeatureColumns};
use crate::output::thousands;
use crate::platform::Layout;

/// Flags of `export examples`.
#[derive(Debug, Args)]
pub struct ExamplesArgs {
    /// Where to write: a Parquet table or JSON lines, by the name's end (.parquet or .jsonl).
    #[arg(long, short, visible_alias = "out", value_name = "FILE")]
    output: PathBuf,
    /// Features as they were logged, one column for each (the default).
    #[arg(long, conflicts_with = "encoded")]
    raw: bool,
    /// Features as the numbers that a model reads. The encoders, fitted on the same examples, go beside the table into
    /// a file that ends in .schema.json.
    #[arg(long)]
    encoded: bool,
    /// Also what was recommended so lately that its outcomes may still come.
    #[arg(long)]
    open: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    output: &'a PathBuf,
    /// Where the encoders are.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoders: Option<PathBuf>,
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
    let (mut fitting, mut writing) = (NoReplay, NoReplay);
    let encoding = args.encoded.then(|| {
        let mut rows = Examples::of(&events, &decisions, schema.clone(), options.clone(), &mut fitting);
        Encoding::fit(columns.clone(), &mut rows)
    });
    let encoding = encoding.transpose()?;
    let columns = encoding.as_ref().map_or(&columns, Encoding::columns);
    let mut examples = Examples::of(&events, &decisions, schema.clone(), options, &mut writing);
    let mut rows = examples.by_ref().map(|row| match &encoding {
        Some(encoding) => encoding.encode(row?),
        None => Ok(row?),
    });
    let cannot = || format!("cannot write {}", args.output.display());
    let file = File::create(&args.output).into_diagnostic().wrap_err_with(cannot)?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    if parquet {
        examples::parquet(&mut rows, columns, &schema, file)?;
    } else {
        examples::jsonl(&mut rows, columns, &mut file)?;
    }
    let encoders = encoding.as_ref().map(|encoding| write_encoders(&args.output, encoding)).transpose()?;
    let (features, counts) = (columns.columns().len(), examples.counts());
    let report = Report { output: &args.output, encoders, features, counts };
    Ok(context.output.result(&report, || describe(&report))?)
}

fn write_encoders(output: &Path, encoding: &Encoding) -> Result<PathBuf, Failure> {
    let path = output.with_extension("schema.json");
    std::fs::write(&path, encoding.schema().to_json())
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", path.display()))?;
    Ok(path)
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
