//! `headwater import`: files into the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use headwater_training::presets::Preset;
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::context::Context;
use super::failure::{Failure, failed, usage};
use super::progress::Bar;
use crate::clock::Stopwatch;
use crate::import::feed::{Feed, Reached};
use crate::import::mapping::{Rows, TableOptions};
use crate::import::pipeline::{Import, Totals};
use crate::import::refused::Refusals;
use crate::import::{self, ImportError};
use crate::interrupt;
use crate::output::thousands;
use crate::platform::Store;
use crate::settings::{Loaded, load::FILE_NAME};

/// Flags of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file, or the folder of a preset.
    path: PathBuf,
    /// The file's format [default: by its ending].
    #[arg(long, value_enum, conflicts_with = "preset")]
    format: Option<Format>,
    /// A well-known data set: movielens, split, sequence, sessions, online-retail.
    #[arg(long, value_name = "NAME")]
    preset: Option<Preset>,
    /// Which column means what, as in `user=customer_id,item=sku,time=ts`; columns of the right name need no mapping.
    #[arg(long, value_name = "MEANING=COLUMN", value_delimiter = ',', value_parser = pair)]
    map: Vec<(String, String)>,
    /// The interaction type of rows that name none.
    #[arg(long = "type", value_name = "TYPE")]
    interaction: Option<String>,
    /// What the rows of a table are.
    #[arg(long, value_enum, default_value = "interactions")]
    rows: Rows,
    /// How times are written: auto, rfc3339, s, ms, us, or a pattern such as `%m/%d/%Y %H:%M` (UTC).
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    time_format: String,
    /// What separates the columns of a CSV file.
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
}

/// Formats of single files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One event a line, as the API takes them.
    Jsonl,
    /// A table with a header.
    Csv,
    /// A table.
    Parquet,
}

#[derive(Serialize)]
struct Report {
    path: PathBuf,
    data_dir: PathBuf,
    settings: Option<PathBuf>,
    settings_written: bool,
    seconds: f64,
    events_per_second: f64,
    interrupted: bool,
    #[serde(flatten)]
    totals: Totals,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((meaning, column)) => Ok((meaning.trim().to_owned(), column.trim().to_owned())),
        None => Err(format!("`{text}` is not MEANING=COLUMN, as in user=customer_id")),
    }
}

pub(super) fn run(context: &Context, args: &ImportArgs) -> Result<(), Failure> {
    let reader = Reader::new(args)?;
    let (loaded, settings_written) = settings(context, args)?;
    let settings = &loaded.settings;
    let store = Store::open(settings, &context.data_dir, &context.clock)?;
    store.catch_up()?;
    let stop = interrupt::flag().into_diagnostic().wrap_err("cannot catch signals")?;
    let reached = Arc::new(Reached::default());
    reached.total(std::fs::metadata(&args.path).map_or(0, |metadata| metadata.len()));
    let bar = Bar::new(context.output, Arc::clone(&reached));
    let watch = Stopwatch::start();
    let import = Import {
        log: store.log.as_ref(),
        schema: Arc::clone(&store.schema),
        clock: Arc::clone(&context.clock),
        reached,
        stop,
    };
    let refusals = Refusals::new(&args.path, &context.data_dir)?;
    let outcome = import.run(refusals, |feed| reader.read(feed), &mut |totals| bar.show(totals.rows));
    let folded = store.catch_up();
    let seconds = watch.seconds();
    bar.finish();
    // The checkpoint is written even where the import failed: what was stored needs no replay later.
    let closed = store.close();
    let (totals, read) = outcome?;
    folded?;
    closed?;
    let interrupted = matches!(read, Err(ImportError::Interrupted));
    let report = Report {
        path: args.path.clone(),
        data_dir: context.data_dir.clone(),
        settings: loaded.path.clone(),
        settings_written,
        seconds,
        events_per_second: (totals.events + totals.duplicates) as f64 / seconds.max(1e-9),
        interrupted,
        totals,
    };
    if interrupted {
        context.output.note(describe(&report));
    }
    read?;
    Ok(context.output.result(&report, || describe(&report))?)
}

/// The settings to import under; for a preset into a folder without any, the preset's own are written there.
fn settings(context: &Context, args: &ImportArgs) -> Result<(Loaded, bool), Failure> {
    let Some(preset) = args.preset else { return Ok((context.settings()?, false)) };
    let mut written = false;
    if context.settings_file().is_none() {
        let path = context.data_dir.join(FILE_NAME);
        let text = format!(
            "# Settings of the data set `{preset}`, written by `headwater import`. `headwater check` prints everything\n# in effect, defaults included.\n\n{}",
            preset.settings()
        );
        std::fs::create_dir_all(&context.data_dir)
            .and_then(|()| std::fs::write(&path, text))
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", path.display()))?;
        context.output.note(format!("Wrote the settings of `{preset}` to {}.", path.display()));
        written = true;
    }
    let loaded = context.settings()?;
    let missing = import::preset::missing(preset, &loaded.settings.schema());
    if !missing.is_empty() {
        let file = loaded.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        return Err(failed(
            "settings_lack",
            format!("{file} does not declare what `{preset}` brings: {}", missing.join(", ")),
            "declare it there, or import into a folder of its own with `--data-dir DIR`, which gets settings that fit",
        ));
    }
    Ok((loaded, written))
}

/// How the file is read.
enum Reader<'a> {
    Jsonl(&'a Path),
    Csv(&'a Path, u8, TableOptions),
    Parquet(&'a Path, TableOptions),
    Preset(&'a Path, Preset),
}

impl<'a> Reader<'a> {
    fn new(args: &'a ImportArgs) -> Result<Self, Failure> {
        let path = args.path.as_path();
        if !path.exists() {
            return Err(usage(
                format!("{} does not exist", path.display()),
                "name a file, or the folder of a preset",
            ));
        }
        if let Some(preset) = args.preset {
            return Ok(Self::Preset(path, preset));
        }
        let ending =
            path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let format = match (args.format, ending.as_str()) {
            (Some(format), _) => format,
            (None, "jsonl" | "ndjson") => Format::Jsonl,
            (None, "csv" | "tsv") => Format::Csv,
            (None, "parquet") => Format::Parquet,
            (None, _) => {
                return Err(usage(
                    format!("{}: its ending names no format", path.display()),
                    "say `--format jsonl`, `csv` or `parquet`, or `--preset NAME` for a well-known data set",
                ));
            }
        };
        let options = TableOptions {
            rows: args.rows,
            columns: args.map.clone(),
            interaction: args.interaction.clone(),
            times: args.time_format.parse().unwrap_or_default(),
        };
        let delimiter = args.delimiter.unwrap_or(if ending == "tsv" { '\t' } else { ',' });
        match format {
            Format::Jsonl => Ok(Self::Jsonl(path)),
            Format::Parquet => Ok(Self::Parquet(path, options)),
            Format::Csv => match u8::try_from(delimiter) {
                Ok(delimiter) => Ok(Self::Csv(path, delimiter, options)),
                Err(_) => {
                    Err(usage(format!("`{delimiter}` cannot separate columns"), "give one ASCII character"))
                }
            },
        }
    }

    fn read(&self, feed: &mut Feed) -> Result<(), ImportError> {
        match self {
            Self::Jsonl(path) => import::jsonl::read(path, feed),
            Self::Csv(path, delimiter, options) => import::csv::read(path, *delimiter, options, feed),
            Self::Parquet(path, options) => import::parquet::read(path, options, feed),
            Self::Preset(path, preset) => import::preset::read(*preset, path, feed),
        }
    }
}

fn describe(report: &Report) -> String {
    let totals = &report.totals;
    let mut lines = vec![format!(
        "Stored {} events in {:.2} s ({} events/s){}.",
        thousands(totals.events),
        report.seconds,
        thousands(report.events_per_second as u64),
        if report.interrupted { ", then stopped" } else { "" }
    )];
    let kinds: Vec<String> =
        totals.kinds.iter().map(|(kind, count)| format!("{} {kind}", thousands(*count))).collect();
    if !kinds.is_empty() {
        lines.push(format!("Read: {}.", kinds.join(", ")));
    }
    if totals.duplicates > 0 {
        lines.push(format!("{} were stored before.", thousands(totals.duplicates)));
    }
    for (rule, count) in &totals.left_out {
        lines.push(format!("{} left out: {rule}.", thousands(*count)));
    }
    if totals.refused.rows > 0 {
        lines.push(format!("{} rows were refused:", thousands(totals.refused.rows)));
        for (code, reason) in &totals.refused.reasons {
            lines.push(format!(
                "  {} {code}, first in line {}: {}",
                thousands(reason.rows),
                reason.first_line,
                reason.example
            ));
        }
    }
    if let Some(file) = &totals.refused.file {
        lines.push(format!("They are kept in {}.", file.display()));
    }
    lines.join("\n")
}
