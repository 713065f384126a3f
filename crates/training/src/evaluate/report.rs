//! What an evaluation says, in the shape scripts rely on.

use std::collections::BTreeMap;

use headwater_stats::bootstrap::Interval;
use serde::Serialize;
use serde_json::Value;

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over the cases.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Interval> for Estimate {
    fn from(interval: Interval) -> Self {
        Self { value: interval.value, low: interval.low, high: interval.high }
    }
}

/// Estimates by metric: `ndcg@10`, `auc`.
pub type Metrics = BTreeMap<String, Estimate>;

/// The report of `headwater evaluate`; serialises to the JSON document that `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The kind of model.
    pub model: String,
    /// The protocol: `given`, `leave-one-out`, `sessions`, `time`.
    pub split: String,
    /// Users of the training data.
    pub users: usize,
    /// Items that were candidates.
    pub items: usize,
    /// Cases evaluated, cold ones apart.
    pub cases: usize,
    /// Wall-clock seconds the final training took.
    pub train_seconds: f64,
    /// Most memory the process held until the end of the model's scoring.
    pub peak_memory_bytes: u64,
    /// The model's results.
    pub metrics: Metrics,
    /// Results of baselines on the same cases; `popular` always.
    pub beside: BTreeMap<String, Metrics>,
    /// Mean differences to those baselines, case by case.
    pub difference: BTreeMap<String, Metrics>,
    /// Cases without a history, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold: Option<Cold>,
    /// The same model before it was cut to serve, if it was, on some of the cases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<Whole>,
    /// What becomes of items that nobody has touched, where the model learns from attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold_items: Option<ColdItems>,
    /// The options in effect, tuned ones included.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Value>,
    /// The result on the slice of the training data that options are chosen on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// Lines of the data that could not be read.
    pub refused: u64,
    /// Lines of the data that are no interactions.
    pub left_out: u64,
}

/// Cases a personal model can say nothing about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cold {
    /// How many there are.
    pub users: usize,
    /// What popularity does for them.
    pub popular: Metrics,
}

/// A model whole, beside what serves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Whole {
    /// Cases it was measured on, evenly spread.
    pub users: usize,
    /// The share of its numbers that serve.
    pub kept: f64,
    /// The results of the whole on these cases.
    pub metrics: Metrics,
    /// How much better what serves is, on these cases.
    pub difference: Metrics,
}

/// Items taken out of the training data with all that was done to them, ranked by their attributes alone, among themselves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColdItems {
    /// How many items were taken out.
    pub items: usize,
    /// Users who touched one of them, and something else.
    pub users: usize,
    /// The results, the items taken out being the candidates.
    pub metrics: Metrics,
    /// Results of a random order; popularity cannot tell these items apart.
    pub beside: BTreeMap<String, Metrics>,
    /// Mean differences to it, case by case.
    pub difference: BTreeMap<String, Metrics>,
}

/// The result on the validation slice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// Cases of the slice.
    pub users: usize,
    /// The results.
    pub metrics: Metrics,
    /// What was tried, in order; empty where nothing was tuned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Value>,
}
