//! `headwater archive`: the log as Parquet, partitioned by day. Reads beside a running server.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use headwater_log::LogReader;
use headwater_log::archive::{Archive, Stream, Until};
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use super::progress;
use crate::archiving::{self, Round};
use crate::clock::Stopwatch;
use crate::interrupt;
use crate::output::{counted, thousands};
use crate::platform::Layout;

/// Flags of `archive`.
#[derive(Debug, Args)]
#[command(
    after_help = "The folder is `archive.folder` of the settings, by default `archive` in the data folder. It works beside a \
                  running server, and adds what is new each time; with `archive.enabled` a server does it by itself."
)]
pub struct ArchiveArgs {
    /// Archive everything there is, the day that is not over included. Without it, a day is archived once it is over,
    /// and before that what fills a file.
    #[arg(long)]
    now: bool,
}

#[derive(Serialize)]
struct Report {
    folder: PathBuf,
    seconds: f64,
    records_per_second: f64,
    #[serde(flatten)]
    round: Round,
}

pub(super) fn run(context: &Context, args: &ArchiveArgs) -> Result<(), Failure> {
    let settings = context.settings()?.settings;
    let layout = Layout::of(&context.data_dir);
    let folder = settings.archive_folder(&context.data_dir);
    // Before the logs are opened: who erases a user from them looks for an archive once they are rewritten.
    let archive = Archive::in_folder(&folder)?;
    let (events, decisions) = (LogReader::open(&layout.events)?, LogReader::open(&layout.decisions)?);
    let stop = interrupt::flag().into_diagnostic().wrap_err("cannot catch signals")?;
    let now = context.clock.now();
    let bar = progress::steps(context.output);
    let watch = Stopwatch::start();
    let round = archiving::round(
        &archive,
        [(Stream::Events, &events), (Stream::Decisions, &decisions)],
        if args.now { Until::Now } else { Until::Closed(now) },
        settings.archive.retention,
        now,
        &mut |stream, done, of| {
            bar.set_length(of);
            bar.set_position(done);
            bar.set_message(stream.as_str());
            !stop.load(Ordering::Relaxed)
        },
    );
    bar.finish_and_clear();
    let round = round?;
    let seconds = watch.seconds();
    let records = round.events.records + round.decisions.records;
    let report = Report { folder, seconds, records_per_second: records as f64 / seconds.max(1e-9), round };
    if round.interrupted {
        context.output.note(describe(&report));
        return Err(Failure::interrupted("archiving was interrupted"));
    }
    Ok(context.output.result(&report, || describe(&report))?)
}

fn describe(report: &Report) -> String {
    let Round { events, decisions, days_deleted, .. } = report.round;
    let mut lines = vec![format!(
        "Archived {} and {} to {} in {:.2} s.",
        counted(events.records, "event"),
        counted(decisions.records, "decision"),
        report.folder.display(),
        report.seconds
    )];
    for (added, name) in [(events, "events"), (decisions, "decisions")] {
        if added.files > 0 {
            let each = added.bytes as f64 / added.records as f64;
            lines.push(format!(
                "{} of {name}, {} bytes ({each:.1} a record).",
                counted(added.files as u64, "file"),
                thousands(added.bytes)
            ));
        }
        if added.lost > 0 {
            lines.push(format!("{} {name} had been deleted from the log before.", thousands(added.lost)));
        }
    }
    let waiting = events.waiting + decisions.waiting;
    if waiting > 0 && !report.round.interrupted {
        lines.push(format!(
            "{} of a day that is not over: `headwater archive --now` takes them too.",
            counted(waiting, "record")
        ));
    }
    if days_deleted > 0 {
        lines.push(format!("Deleted by age: {}.", counted(days_deleted as u64, "day")));
    }
    lines.join("\n")
}
