//! `headwater evaluate`: how good a model is on a data set, by the data set's protocol, popularity beside it.

use std::path::PathBuf;

use clap::Args;
use headwater_training::evaluate::{Estimate, Metrics, Phase};
use headwater_training::memory;
use headwater_training::presets::Preset;
use headwater_training::{Dataset, EvaluateOptions, Evaluation, ModelKind, TrainingOptions, evaluate};

use super::context::Context;
use super::failure::{Failure, usage};
use super::progress;
use crate::output::{Table, thousands};

/// Flags of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The kind of model: popular, trending, neighbours, sessions, ials, filter, peers, blend.
    #[arg(long, value_name = "NAME")]
    model: ModelKind,
    /// The data set's format: movielens, split, sequence, sessions, online-retail.
    #[arg(long, value_name = "NAME")]
    preset: Preset,
    /// The folder or file of the data set [default: the folder in HEADWATER_DATA].
    #[arg(long, value_name = "PATH", env = "HEADWATER_DATA")]
    data: PathBuf,
    /// An option of the training, as in factors=128; the others are the preset's own.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// The cuts of the metrics.
    #[arg(long, value_name = "CUTS", value_delimiter = ',', default_value = "10,20")]
    at: Vec<usize>,
    /// Try this many settings on a slice of the training data first, and take the best.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    trials: usize,
    /// Leave out the result on the validation slice, which costs a second training.
    #[arg(long, conflicts_with = "trials")]
    no_validation: bool,
    /// Seed of the slice, the trials and the intervals.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(context: &Context, args: &EvaluateArgs) -> Result<(), Failure> {
    if args.at.contains(&0) || args.at.is_empty() {
        return Err(usage("a cut is at least 1", "as in `--at 10,20`"));
    }
    let mut training = TrainingOptions::for_preset(args.model, args.preset);
    training
        .set_all(args.model, &args.options)
        .map_err(|invalid| usage(invalid, "as in `--set factors=128`"))?;
    training.memory = memory::available_bytes();
    let options = EvaluateOptions {
        training,
        at: args.at.clone(),
        trials: args.trials,
        validate: !args.no_validation,
        seed: args.seed,
    };
    let bar = progress::steps(context.output);
    bar.set_message("reading");
    let dataset = Dataset::from_preset(args.preset, &args.data, &mut |_| {})?;
    let evaluation = evaluate(args.model, &dataset, &options, &mut |phase| match phase {
        Phase::Tuning { done, of } => step(&bar, "tuning", done, of),
        Phase::Validating(at) => step(&bar, "training for validation", at.done, at.of),
        Phase::Training(at) => step(&bar, "training", at.done, at.of),
        Phase::Scoring { cases } => bar.set_message(format!("scoring {} cases", thousands(cases as u64))),
    });
    bar.finish_and_clear();
    let evaluation = evaluation?;
    Ok(context.output.result(&evaluation, || describe(&evaluation))?)
}

fn step(bar: &indicatif::ProgressBar, message: &'static str, done: usize, of: usize) {
    bar.set_message(message);
    bar.set_length(of as u64);
    bar.set_position(done as u64);
}

fn describe(evaluation: &Evaluation) -> String {
    let mut table = Table::new(
        ["metric", evaluation.model.as_str(), "95 % interval"]
            .into_iter()
            .chain(evaluation.beside.keys().map(String::as_str)),
    );
    for (metric, estimate) in &evaluation.metrics {
        let beside = evaluation.beside.values().map(|metrics| {
            metrics.get(metric).map_or_else(String::new, |estimate| format!("{:.4}", estimate.value))
        });
        let Estimate { value, low, high, .. } = estimate;
        let row = [metric.clone(), format!("{value:.4}"), format!("{low:.4} to {high:.4}")];
        table.row(row.into_iter().chain(beside));
    }
    let mut text = format!(
        "{} on the split `{}`: {} cases of {} users, {} items, trained in {:.1} s, peak memory {} MB\n\n{}",
        evaluation.model,
        evaluation.split,
        thousands(evaluation.cases as u64),
        thousands(evaluation.users as u64),
        thousands(evaluation.items as u64),
        evaluation.train_seconds,
        evaluation.peak_memory_bytes / 1_000_000,
        table.render()
    );
    if let Some(validation) = &evaluation.validation {
        text += &format!(
            "\nOn the validation slice of the training data ({} cases): {}",
            thousands(validation.users as u64),
            headline(&validation.metrics)
        );
    }
    if let Some(cold) = &evaluation.cold {
        text += &format!(
            "\nApart from these, {} cases without a history, by popularity: {}",
            thousands(cold.users as u64),
            headline(&cold.popular)
        );
    }
    if let Some(cold) = &evaluation.cold_items {
        text += &format!(
            "\n{} items taken out of the training data, ranked among themselves by their attributes for {} users: {}; at random: {}",
            thousands(cold.items as u64),
            thousands(cold.users as u64),
            headline(&cold.metrics),
            cold.beside.get("random").map(headline).unwrap_or_default()
        );
    }
    if let Some(whole) = &evaluation.whole {
        text += &format!(
            "\nOf its numbers {:.2} % serve. On {} of the cases all of them would reach: {}",
            100.0 * whole.kept,
            thousands(whole.users as u64),
            headline(&whole.metrics)
        );
    }
    if !evaluation.options.is_empty() {
        let options: Vec<String> =
            evaluation.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text += &format!("\nOptions: {}", options.join(" "));
    }
    text
}

/// The metrics most often quoted, in one line.
fn headline(metrics: &Metrics) -> String {
    let quoted = metrics.iter().filter(|(name, _)| name.starts_with("recall") || name.starts_with("ndcg"));
    quoted.map(|(name, estimate)| format!("{name} {:.4}", estimate.value)).collect::<Vec<_>>().join(", ")
}
