//! `headwater train`: the whole log into a model, registered, and promoted where it is the first.

use std::collections::BTreeMap;

use clap::Args;
use headwater_log::LogReader;
use headwater_registry::{Lineage, ModelVersion};
use headwater_training::{ModelKind, memory, train};
use serde::Serialize;
use serde_json::Value;

use super::context::Context;
use super::failure::{Failure, failed, usage};
use super::progress;
use crate::clock::Stopwatch;
use crate::output::thousands;
use crate::platform::Layout;

/// Flags of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The kind of model: ials, filter, peers, blend.
    #[arg(long, value_name = "NAME", default_value = "ials")]
    model: ModelKind,
    /// An option for this run over `[training.MODEL]` of the settings, as in factors=128.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// Make it the champion even where another serves: a running server takes it within a second.
    #[arg(long)]
    promote: bool,
}

#[derive(Serialize)]
struct Report {
    model: String,
    version: u64,
    promoted: bool,
    users: usize,
    items: usize,
    interactions: usize,
    train_seconds: f64,
    options: BTreeMap<String, Value>,
    lineage: Lineage,
}

pub(super) fn run(context: &Context, args: &TrainArgs) -> Result<(), Failure> {
    let loaded = context.settings()?;
    let settings = &loaded.settings;
    let mut options = settings.training.options(args.model);
    options
        .set_all(args.model, &args.options)
        .map_err(|invalid| usage(invalid, "as in `--set factors=128`"))?;
    options.memory = memory::available_bytes();
    let registry = context.registry()?;
    let reader = LogReader::open(&Layout::of(&context.data_dir).events)?;
    if reader.start() == reader.end() {
        return Err(failed(
            "empty_log",
            format!("the log in {} holds no events", context.data_dir.display()),
            "bring some in with `headwater import`, or send them to a running server",
        ));
    }
    let lineage = Lineage {
        log_from: vec![reader.start()],
        log_to: vec![reader.end()],
        settings: format!("{:016x}", settings.hash()),
        ..Lineage::default()
    };
    let bar = progress::steps(context.output);
    bar.set_message("reading the log");
    let events = reader.events_from(reader.start()).map(|entry| entry.map(|(_, event)| event));
    let watch = Stopwatch::start();
    let trained = train::train(args.model, &settings.schema(), events, &options, lineage, &mut |at| {
        bar.set_message("training");
        bar.set_length(at.of as u64);
        bar.set_position(at.done as u64);
    });
    bar.finish_and_clear();
    let trained = trained?;
    let train_seconds = watch.seconds();
    let ModelVersion { name, version, manifest, .. } =
        registry.register(args.model.name(), trained.bundle)?;
    let promoted = args.promote || registry.champion(&name)?.is_none();
    if promoted {
        registry.promote(&name, version, "headwater train")?;
    }
    let report = Report {
        model: name,
        version,
        promoted,
        users: trained.users,
        items: trained.items,
        interactions: trained.interactions,
        train_seconds,
        options: manifest.options,
        lineage: manifest.lineage,
    };
    Ok(context.output.result(&report, || describe(&report))?)
}

fn describe(report: &Report) -> String {
    let Report { model, version, .. } = report;
    let next = if report.promoted {
        format!("{model}@{version} is the champion: a running server takes it within a second.")
    } else {
        format!(
            "Another version serves; `headwater models promote {model}@{version}` makes this one the champion."
        )
    };
    format!(
        "Trained {model}@{version} in {:.1} s on {} interactions of {} users with {} items.\n{next}",
        report.train_seconds,
        thousands(report.interactions as u64),
        thousands(report.users as u64),
        thousands(report.items as u64),
    )
}
