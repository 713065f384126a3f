//! Evaluation over the full catalogue, with the very code that serves.
//!
//! Every item of the catalogue is a candidate unless it is in the history of a domain without repeats. What a model
//! cannot score stands last, by id. Every metric is a mean over cases with a bootstrap interval over them.

mod cold_items;
mod measure;
mod report;

use std::time::Instant;

use headwater_base::random::stable_hash;
use headwater_models::blend::Member;
use serde_json::Value;

use crate::TrainingError;
use crate::blend::FittedBlend;
use crate::dataset::{Case, Dataset, Split, Stage};
use crate::fit::{FitProgress, Fitted, ModelKind, fit};
use crate::memory;
use crate::options::TrainingOptions;
use crate::tune;

pub use measure::{Measured, measure};
pub use report::{Estimate, Evaluation, Metrics, Validation};

/// Cases on which a filter is measured whole.
const WHOLE_CASES: usize = 1_000;

/// What an evaluation is told.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluateOptions {
    /// How the model is trained.
    pub training: TrainingOptions,
    /// The cuts `k` of the metrics, each at least 1.
    pub at: Vec<usize>,
    /// How many settings to try on the validation slice; 0 keeps `training` as it is.
    pub trials: usize,
    /// Whether to report the result on the validation slice even where nothing is tuned.
    pub validate: bool,
    /// Seed of the validation slice, the trials and the intervals.
    pub seed: u64,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self { training: TrainingOptions::default(), at: vec![10, 20], trials: 0, validate: true, seed: 1 }
    }
}

/// Where an evaluation is.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Trying settings on the validation slice.
    Tuning {
        /// Trials done.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Training for the validation result.
    Validating(FitProgress),
    /// Training on all training data.
    Training(FitProgress),
    /// Scoring the test cases.
    Scoring {
        /// How many there are.
        cases: usize,
    },
}

/// Trains and scores a model by the data set's protocol, popularity beside it.
///
/// # Errors
/// Too little data; options outside their range.
pub fn evaluate(
    kind: ModelKind,
    dataset: &Dataset,
    options: &EvaluateOptions,
    progress: &mut dyn FnMut(Phase),
) -> Result<Evaluation, TrainingError> {
    let mut training = options.training.clone();
    let mut validation = None;
    if !TrainingOptions::keys(kind).is_empty() && (options.validate || options.trials > 0) {
        let split = dataset.split(Stage::Validation { seed: options.seed })?;
        let mut trials = Vec::new();
        if options.trials > 0 {
            trials = tune::search(kind, &split, &training, options.trials, options.seed, &mut |done, of| {
                progress(Phase::Tuning { done, of });
            })?;
            if let Some(best) = tune::best(&trials) {
                training = best.options.clone();
            }
        }
        let fitted = fit(kind, &split, &training, &mut |at| progress(Phase::Validating(at)))?;
        let measured = measure(&fitted, &split, &split.cases, &options.at);
        validation = Some(Validation {
            users: split.cases.len(),
            metrics: measured.metrics(options.seed),
            trials: trials.iter().map(|trial| trial.to_report(kind)).collect(),
        });
    }

    let split = dataset.split(Stage::Test)?;
    #[allow(clippy::disallowed_methods, reason = "the time a training takes is what is reported")]
    let started = Instant::now();
    let fitted = fit(kind, &split, &training, &mut |at| progress(Phase::Training(at)))?;
    let train_seconds = started.elapsed().as_secs_f64();
    progress(Phase::Scoring { cases: split.cases.len() });
    let measured = measure(&fitted, &split, &split.cases, &options.at);
    let peak_memory_bytes = memory::peak_bytes();
    if let Fitted::Blend(model) = &fitted {
        training = training.weighed(&model.served);
    }
    let cold_items = cold_items::evaluate(kind, &split, &training, options)?;
    let whole = whole(fitted, &split, options);
    let popular = fit(ModelKind::Popular, &split, &training, &mut |_| {})?;
    let beside = measure(&popular, &split, &split.cases, &options.at);
    let cold = (!split.cold.is_empty()).then(|| report::Cold {
        users: split.cold.len(),
        popular: measure(&popular, &split, &split.cold, &options.at).metrics(options.seed),
    });
    Ok(Evaluation {
        model: kind.name().to_owned(),
        split: split.protocol.to_owned(),
        users: split.users,
        items: split.catalogue,
        cases: split.cases.len(),
        train_seconds,
        peak_memory_bytes,
        metrics: measured.metrics(options.seed),
        beside: [("popular".to_owned(), beside.metrics(options.seed))].into(),
        difference: [("popular".to_owned(), measured.difference(&beside, options.seed))].into(),
        cold,
        whole,
        cold_items,
        options: training.to_map(kind),
        validation,
        refused: dataset.refused,
        left_out: dataset.left_out,
    })
}

/// What a model loses by being cut to serve, on some of the cases: the whole takes a pass over all interactions for each.
/// `None` for one that serves whole.
fn whole(fitted: Fitted, split: &Split, options: &EvaluateOptions) -> Option<report::Whole> {
    if !matches!(fitted, Fitted::Filter(_) | Fitted::Blend(_)) {
        return None;
    }
    let stride = split.cases.len().div_ceil(WHOLE_CASES).max(1);
    let cases: Vec<Case> = split.cases.iter().step_by(stride).cloned().collect();
    let served = measure(&fitted, split, &cases, &options.at);
    let kept = kept(&fitted, split.items.len());
    let exact = match fitted {
        Fitted::Filter(model) => Fitted::Exact(Box::new(model.1)),
        Fitted::Blend(model) => Fitted::Blend(Box::new(FittedBlend { served: model.whole?, whole: None })),
        _ => return None,
    };
    let exact = measure(&exact, split, &cases, &options.at);
    Some(report::Whole {
        users: cases.len(),
        kept,
        metrics: exact.metrics(options.seed),
        difference: served.difference(&exact, options.seed),
    })
}

/// The share of the numbers of a filter, or of that in a blend, that serve; 1 without one.
fn kept(fitted: &Fitted, items: usize) -> f64 {
    let entries = match fitted {
        Fitted::Filter(model) => Some(model.0.entries()),
        Fitted::Blend(model) => model.served.members().iter().find_map(|(member, _)| match member {
            Member::Filter(filter) => Some(filter.entries()),
            _ => None,
        }),
        _ => None,
    };
    entries.map_or(1.0, |entries| entries as f64 / (items as f64).powi(2))
}

/// A name for what was evaluated, for lineage: hash of its options.
pub fn fingerprint(kind: ModelKind, options: &TrainingOptions) -> u64 {
    let text = Value::from_iter(options.to_map(kind)).to_string();
    stable_hash(&text)
}

#[cfg(test)]
mod tests;
