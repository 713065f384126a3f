//! `headwater export`: events of the log, or of its archive, as JSON lines or Parquet; `headwater export examples`: the
//! training table.

pub mod examples;

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use headwater_base::{Event, Timestamp};
use headwater_log::archive::Stream;
use headwater_log::{LogReader, Offset, Partition};
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use self::examples::ExamplesArgs;
use super::context::Context;
use super::failure::{Failure, failed, usage};
use crate::archiving;
use crate::export::{self, ExportError, Exported, Selection};
use crate::output::thousands;
use crate::platform::Layout;

/// Flags of `export`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ExportArgs {
    #[command(subcommand)]
    what: Option<Exports>,
    /// How events are written. Parquet holds interactions only.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Only events that happened at or after this RFC 3339 time.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only events that happened before this RFC 3339 time.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only these: interaction types, item, user, item_delete, user_delete, merge; several with commas.
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    types: Vec<String>,
    /// Take the events from the archive, which may reach further back than the log and ends where `headwater archive`
    /// last did.
    #[arg(long)]
    from_archive: bool,
    /// Where to write [default: standard output, for JSON lines].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Exports {
    /// Write training examples: what was shown, with its features and what came of it.
    Examples(ExamplesArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Parquet,
}

#[derive(Serialize)]
struct Report<'a> {
    output: Option<&'a PathBuf>,
    #[serde(flatten)]
    exported: Exported,
}

pub(super) fn run(context: &Context, args: &ExportArgs) -> Result<(), Failure> {
    if let Some(Exports::Examples(args)) = &args.what {
        return examples::run(context, args);
    }
    let selection =
        Selection { since: args.since, until: args.until, types: args.types.iter().cloned().collect() };
    if args.from_archive {
        let settings = context.settings()?.settings;
        let Some(archive) = archiving::open(&settings, &context.data_dir)? else {
            let folder = settings.archive_folder(&context.data_dir);
            return Err(failed(
                "archive",
                format!("there is no archive in {}", folder.display()),
                "make one with `headwater archive --now`, or name its folder in `archive.folder`",
            ));
        };
        write(context, args, &selection, || Ok(archive.read(Stream::Events, Partition(0), 0)?))
    } else {
        let reader = LogReader::open(&Layout::of(&context.data_dir).events)?;
        write(context, args, &selection, || Ok(reader.events_from(reader.start())))
    }
}

fn write<I, E>(
    context: &Context,
    args: &ExportArgs,
    selection: &Selection,
    events: impl FnOnce() -> Result<I, Failure>,
) -> Result<(), Failure>
where
    I: Iterator<Item = Result<(Offset, Event), E>>,
    ExportError: From<E>,
{
    let exported = match (&args.output, args.format) {
        (None, Format::Parquet) => {
            return Err(usage("Parquet needs a file", "name one with `--output FILE`"));
        }
        (None, Format::Jsonl) if context.output.is_json() => {
            return Err(usage(
                "--json prints its document where the events would go",
                "write the events to a file with `--output FILE`",
            ));
        }
        (None, Format::Jsonl) => {
            let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
            match export::jsonl(events()?, selection, &mut out) {
                // The reader has seen enough: `headwater export | head`.
                Err(export::ExportError::Write { source, .. })
                    if source.kind() == std::io::ErrorKind::BrokenPipe =>
                {
                    return Ok(());
                }
                exported => exported?,
            }
        }
        (Some(path), format) => {
            let file = File::create(path)
                .into_diagnostic()
                .wrap_err_with(|| format!("cannot write {}", path.display()))?;
            match format {
                Format::Jsonl => {
                    let mut out = BufWriter::with_capacity(1 << 20, file);
                    let exported = export::jsonl(events()?, selection, &mut out)?;
                    out.flush()
                        .into_diagnostic()
                        .wrap_err_with(|| format!("cannot write {}", path.display()))?;
                    exported
                }
                Format::Parquet => {
                    let schema = context.settings()?.settings.schema();
                    export::table(events()?, selection, &schema, file)?
                }
            }
        }
    };
    let report = Report { output: args.output.as_ref(), exported };
    if args.output.is_none() {
        if std::io::stderr().is_terminal() {
            context.output.note(describe(&report));
        }
        return Ok(());
    }
    Ok(context.output.result(&report, || describe(&report))?)
}

fn describe(report: &Report<'_>) -> String {
    let mut text = format!("Exported {} events", thousands(report.exported.events));
    if let Some(path) = report.output {
        text += &format!(" to {}", path.display());
    }
    if report.exported.skipped > 0 {
        text += &format!("; {} events have no place in this format", thousands(report.exported.skipped));
    }
    text + "."
}
