//! `headwater export examples`: what was shown, with its features and what came of it.

mod source;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use headwater_base::Timestamp;
use headwater_base::feature::feature_schema;
use headwater_features::ViewsOptions;
use headwater_log::LogReader;
use headwater_training::examples::ExampleOptions;
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use self::source::{Counts, Drawing, Source};
use super::super::context::Context;
use super::super::failure::{Failure, failed, usage};
use crate::export::examples::{self, Encoding, FeatureColumns};
use crate::output::thousands;
use crate::platform::{self, Layout};

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
    /// Fit the encoders on the examples decided before this moment alone, as where a model's training data end.
    #[arg(long, value_name = "TIME", requires = "encoded")]
    fit_before: Option<Timestamp>,
    /// Also what was recommended so lately that its outcomes may still come.
    #[arg(long)]
    open: bool,
    /// Also what logged no features: the declared ones are computed as they were, by replaying the log.
    #[arg(long)]
    replay: bool,
    /// Not what was shown: for each interaction of the log, its item and about N items drawn from those known before it,
    /// with the declared features by replay. For history that was imported without recommendations.
    #[arg(long, value_name = "N", conflicts_with_all = ["open", "replay"])]
    history: Option<usize>,
    /// How drawn items follow popularity: 0 not at all, 1 in proportion.
    #[arg(long, value_name = "POWER", default_value = "0.75", requires = "history")]
    popularity: f64,
    /// The same seed draws the same items.
    #[arg(long, value_name = "SEED", default_value = "0", requires = "history")]
    seed: u64,
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
    counts: Counts,
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
    let (source, columns) = open(context, args)?;
    let encoding = if args.encoded {
        let settings = context.settings()?.settings;
        let named = settings.encoders();
        let mut fitted = None;
        source.each(&mut |rows| {
            fitted = Some(Encoding::fit(columns.clone(), &named, args.fit_before, rows)?);
            Ok(())
        })?;
        fitted
    } else {
        None
    };
    let columns = encoding.as_ref().map_or(&columns, Encoding::columns);
    let cannot = || format!("cannot write {}", args.output.display());
    let file = File::create(&args.output).into_diagnostic().wrap_err_with(cannot)?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let counts = source.each(&mut |rows| {
        let mut rows = rows.map(|row| match &encoding {
            Some(encoding) => encoding.encode(row?),
            None => Ok(row?),
        });
        if parquet {
            examples::parquet(&mut rows, columns, &source.schema, &mut file)
        } else {
            examples::jsonl(&mut rows, columns, &mut file)
        }
    })?;
    file.flush().into_diagnostic().wrap_err_with(cannot)?;
    let encoders = encoding.as_ref().map(|encoding| write_encoders(&args.output, encoding)).transpose()?;
    let report = Report { output: &args.output, encoders, features: columns.columns().len(), counts };
    Ok(context.output.result(&report, || describe(&report, args.open))?)
}

/// What examples are made of, and the columns of their features.
fn open(context: &Context, args: &ExamplesArgs) -> Result<(Source, FeatureColumns), Failure> {
    let power = args.popularity;
    if !(power.is_finite() && (0.0..=2.0).contains(&power)) {
        return Err(usage(format!("--popularity {power} is out of range"), "a number from 0 to 2"));
    }
    let settings = context.settings()?.settings;
    let schema = settings.schema();
    let layout = Layout::of(&context.data_dir);
    // Decisions first: what is read after them holds the outcomes that came in between.
    let decisions = LogReader::open(&layout.decisions)?;
    let events = LogReader::open(&layout.events)?;
    let registry = context.registry()?;
    let mut columns = match args.history {
        Some(_) => FeatureColumns::default(),
        None => FeatureColumns::survey(&decisions, |number| registry.schema(number).map_err(Failure::from))?,
    };
    let replayed = if args.replay || args.history.is_some() {
        let plan = platform::plan(&registry, &settings, &schema)?;
        if plan.is_empty() {
            return Err(failed(
                "no_features",
                "there is nothing to replay: no feature is declared",
                "declare features in the settings, as in `[features.NAME]`",
            ));
        }
        if events.start() > 0 {
            return Err(failed(
                "log_cut",
                format!("the log starts at offset {}: what came before cannot be replayed", events.start()),
                "export what was logged, without --replay and --history",
            ));
        }
        let number = feature_schema(plan.columns().map(|(label, _)| label.as_str()));
        columns.declare(number, plan.columns().map(|(label, form)| (label.as_str(), form)));
        Some(ViewsOptions { plan, ..settings.views_options() })
    } else {
        None
    };
    let options = ExampleOptions { open: args.open, ..settings.example_options(context.clock.now()) };
    let drawing = args.history.map(|negatives| Drawing { negatives, power, seed: args.seed });
    Ok((Source { events, decisions, schema, options, replayed, drawing }, columns))
}

fn write_encoders(output: &Path, encoding: &Encoding) -> Result<PathBuf, Failure> {
    let path = output.with_extension("schema.json");
    std::fs::write(&path, encoding.schema().to_json())
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn describe(report: &Report<'_>, open: bool) -> String {
    let still_open = if open {
        "decisions are so recent that their outcomes may still come"
    } else {
        "decisions are left out, so recent that their outcomes may still come (--open takes them)"
    };
    let (examples, told) = match &report.counts {
        Counts::Decisions(counts) => (
            counts.examples,
            vec![
                (counts.positives, "examples are positive"),
                (counts.replayed, "decisions have their features by replay"),
                (counts.join.open, still_open),
                (counts.without_features, "decisions logged no features (--replay computes them)"),
                (counts.unfitting, "decisions logged features that do not fit what they showed"),
                (counts.join.erased, "decisions were for users who are deleted"),
            ],
        ),
        Counts::History(counts) => (
            counts.examples,
            vec![
                (counts.negatives, "examples are drawn negatives"),
                (
                    counts.late,
                    "interactions came later than others that happened after them, and make no examples: sort history by time",
                ),
                (counts.without_features, "interactions have no features"),
            ],
        ),
    };
    let mut text = format!(
        "Exported {} examples with {} features to {}.",
        thousands(examples),
        report.features,
        report.output.display(),
    );
    if examples == 0 && told.iter().all(|(count, _)| *count == 0) {
        text += match &report.counts {
            Counts::Decisions(_) => {
                "\nNothing was recommended yet. `--history N` makes examples of interactions instead."
            }
            Counts::History(_) => "\nThere are no interactions in the log.",
        };
    }
    for (count, told) in told {
        if count > 0 {
            text += &format!("\n{} {told}.", thousands(count));
        }
    }
    text
}
