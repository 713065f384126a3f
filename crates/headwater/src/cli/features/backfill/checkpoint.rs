//! A checkpoint with the features that the settings declare, for the next start of a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_features::{FeaturesError, Views, ViewsOptions};
use headwater_log::{LogReader, Partition, Position};
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::super::super::context::Context;
use super::super::super::failure::{Failure, failed};
use super::super::super::progress::Fold;
use super::no_features;
use crate::clock::Stopwatch;
use crate::erasure::{Ledger, checkpoints};
use crate::output::{counted, thousands};
use crate::platform::{self, Layout, PlatformError};

/// Events read at once.
const READ_EVENTS: usize = 4096;
/// How often what was written meanwhile is folded as well: a server that writes never lets this come to an end.
const ROUNDS: usize = 4;

#[derive(Serialize)]
struct Report<'a> {
    data_dir: &'a Path,
    features: usize,
    /// Where the fold began: 0, or where a checkpoint with the same features stands.
    from: u64,
    /// Where it ended.
    end: u64,
    seconds: f64,
    events_per_second: u64,
    checkpoint: PathBuf,
}

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let settings = context.settings()?.settings;
    let registry = context.registry()?;
    let schema = Arc::new(settings.schema());
    let plan = platform::plan(&registry, &settings, &schema)?;
    if plan.is_empty() {
        return Err(no_features());
    }
    let ledger = settled(context)?;
    let layout = Layout::of(&context.data_dir);
    let log = LogReader::open(&layout.events)?;
    let folder = checkpoints::prepared(&layout.views, ledger.generation);
    let cannot = || format!("cannot use {}", folder.display());
    std::fs::create_dir_all(&folder).into_diagnostic().wrap_err_with(cannot)?;
    let cold = tempfile::Builder::new().prefix("cold-").tempdir_in(&folder);
    let cold = cold.into_diagnostic().wrap_err_with(cannot)?;
    let features = plan.columns().len();
    let options = ViewsOptions { plan, ..settings.views_options_in(cold.path()) };

    let watch = Stopwatch::start();
    let live = checkpoints::folder(&layout.views, ledger.generation);
    let views = begin(&[&live, &folder], &log, &schema, &options)?;
    let from = position(&views);
    let folded = fold(context, &log, &views)?;
    let seconds = watch.seconds();
    let checkpoint = views.checkpoint(&folder).map_err(PlatformError::Views)?;
    let end = position(&views);
    drop((views, cold));
    if settled(context).is_ok_and(|now| now == ledger) {
        let rate = (folded as f64 / seconds.max(1e-9)) as u64;
        let data_dir = &context.data_dir;
        let report = Report { data_dir, features, from, end, seconds, events_per_second: rate, checkpoint };
        return Ok(context.output.result(&report, || describe(&report))?);
    }
    // What an erasure took from the log may be in the checkpoint.
    std::fs::remove_dir_all(&folder).into_diagnostic().wrap_err_with(cannot)?;
    Err(erasing())
}

/// The newest views with the same features that the log continues; else empty ones.
fn begin(
    folders: &[&Path],
    log: &LogReader,
    schema: &Arc<headwater_base::Schema>,
    options: &ViewsOptions,
) -> Result<Views, PlatformError> {
    let start = Position(vec![log.start()]);
    let mut newest: Option<Views> = None;
    for folder in folders {
        // The limit of memory and its folder are those of one set of views.
        if newest.is_some() && options.spill.is_some() {
            break;
        }
        let found = Views::saved(folder, Arc::clone(schema), options.clone())?
            .find(|views| views.position().covers(&start) && position(views) <= log.end());
        if let Some(found) = found
            && newest.as_ref().is_none_or(|known| position(known) < position(&found))
        {
            newest = Some(found);
        }
    }
    Ok(newest.unwrap_or_else(|| {
        let views = Views::new(Arc::clone(schema), options.clone());
        views.begin_at(&start);
        views
    }))
}

/// Folds what the log holds, and gives how many events that were.
fn fold(context: &Context, log: &LogReader, views: &Views) -> Result<u64, Failure> {
    let bar = Fold::new(context.output, log.end() - position(views), "events");
    for _ in 0..ROUNDS {
        while position(views) < log.end() {
            let batch = log.read(position(views), READ_EVENTS)?;
            views.apply(&batch).map_err(PlatformError::Views)?;
            bar.add(batch.events.len() as u64);
        }
        log.refresh()?;
    }
    bar.finish();
    Ok(bar.read())
}

fn position(views: &Views) -> u64 {
    views.position().offset(Partition(0))
}

/// What is known of erasures, where none is under way.
fn settled(context: &Context) -> Result<Ledger, Failure> {
    let ledger = Ledger::read(&context.data_dir).map_err(PlatformError::from)?;
    if ledger.running().is_some() { Err(erasing()) } else { Ok(ledger) }
}

fn erasing() -> Failure {
    failed(
        "erasing",
        "users are being erased from the log, which must not come back by this",
        "run the command again when that is done, or `headwater erase` where no server does it",
    )
}

fn describe(report: &Report<'_>) -> String {
    format!(
        "Computed {} over {} ({} a second) in {:.1} s: a server that starts with these settings goes on from offset {}.\n{}",
        counted(report.features as u64, "feature"),
        counted(report.end - report.from, "event"),
        thousands(report.events_per_second),
        report.seconds,
        report.end,
        report.checkpoint.display()
    )
}

impl From<FeaturesError> for Failure {
    fn from(error: FeaturesError) -> Self {
        PlatformError::Views(error).into()
    }
}
