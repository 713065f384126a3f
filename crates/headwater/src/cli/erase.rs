//! `headwater erase`: delete a user, and erase what is known of them from every file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Args;
use headwater_base::{Event, EventId, Fact, UserId};
use headwater_log::{DecisionLog, EventLog as _, LogError};
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use super::context::Context;
use super::failure::{Failure, failed, interrupted, usage};
use crate::clock::Stopwatch;
use crate::erasure::Report;
use crate::interrupt;
use crate::output::counted;
use crate::platform::{Layout, PlatformError, Store};

/// Flags of `erase`.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// Who. Without one, users who were deleted before, over HTTP or by an import, are erased.
    ///
    /// For a data folder that no server works on; a running one takes `DELETE /v1/users/{id}`.
    #[arg(value_name = "USER")]
    user: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    data_dir: &'a PathBuf,
    seconds: f64,
    #[serde(flatten)]
    report: Report,
}

pub(super) fn run(context: &Context, args: &EraseArgs) -> Result<(), Failure> {
    let user = args.user.as_deref().map(UserId::parse).transpose();
    let user = user.map_err(|invalid| usage(invalid, "say the id that the user's events carry"))?;
    let loaded = context.settings()?;
    let settings = &loaded.settings;
    let stop = interrupt::flag().into_diagnostic().wrap_err("cannot catch signals")?;
    let watch = Stopwatch::start();
    let events = Layout::of(&context.data_dir).events;
    if !events.is_dir() {
        return Err(failed(
            "no_log",
            format!("there is no log in {}", context.data_dir.display()),
            "name the data folder of the platform with --data-dir",
        ));
    }
    let store = Store::open(settings, &context.data_dir, &context.clock).map_err(|error| match error {
        PlatformError::Log(error @ LogError::Locked { .. }) => failed(
            "locked",
            error,
            "a running server erases by itself whom `DELETE /v1/users/{id}` deletes; without it, stop the server first",
        ),
        other => other.into(),
    })?;
    let erased = erase(context, &store, settings, user, &|| !stop.load(Ordering::Relaxed));
    let closed = store.close();
    let report = erased?;
    closed?;
    let document = Document { data_dir: &context.data_dir, seconds: watch.seconds(), report };
    if !report.complete {
        context.output.note(describe(&document));
        return Err(interrupted("the erasure is not finished", "run `headwater erase` to go on"));
    }
    Ok(context.output.result(&document, || describe(&document))?)
}

fn erase(
    context: &Context,
    store: &Store,
    settings: &crate::settings::Settings,
    user: Option<UserId>,
    keep_going: &dyn Fn() -> bool,
) -> Result<Report, Failure> {
    let folder = Layout::of(&context.data_dir).decisions;
    let (decisions, _) = DecisionLog::open(&folder, settings.decision_options(), Arc::clone(&context.clock))?;
    let decisions = Arc::new(decisions);
    if let Some(user) = user {
        let now = context.clock.now();
        let fact = Fact::UserDelete { user };
        store.log.append(vec![Event { id: EventId::default(), time: now, received: now, fact }]).wait()?;
    }
    let report = store.eraser(&decisions, settings).run(keep_going);
    decisions.close();
    report.map_err(|error| PlatformError::from(error).into())
}

fn describe(document: &Document<'_>) -> String {
    let Document { report, seconds, .. } = document;
    if report.users == 0 && report.complete {
        return "Nobody was to be erased.".to_owned();
    }
    let records = |records, count: usize, place: &str| {
        (count > 0).then(|| format!("{} in {}", counted(records, "record"), counted(count as u64, place)))
    };
    let places = [
        records(report.records, report.segments, "rewritten segment"),
        records(report.archived_records, report.archived_files, "archived file"),
    ];
    let places: Vec<String> = places.into_iter().flatten().collect();
    let mut text = format!(
        "Erased {} with {} in {seconds:.1} s: {}.",
        counted(report.users as u64, "user"),
        counted(report.sessions as u64, "session"),
        if places.is_empty() { "nothing was left of them".to_owned() } else { places.join(", ") },
    );
    if !report.complete {
        text += " It was interrupted: `headwater erase` goes on.";
    }
    text
}
