//! Examples: the items that decisions showed, with the features they were shown by and what came of them.
//!
//! [`Examples`] joins the decision stream with the event log and gives one [`Example`] for each shown item. What was
//! shown and not acted on is a negative. For history without decisions, [`HistoryExamples`] makes a question of each
//! interaction and draws negatives by [`NegativeSampler`].
//!
//! An example holds only what was known when its decision was made: features are those that were logged with it (or
//! those that a [`FeatureReplay`] computes at the same position), and an outcome is received and happens after it.

mod history;
mod join;
mod logged;
mod negatives;
mod open;
mod replay;
#[cfg(test)]
mod tests;

use std::time::Duration;

use compact_str::CompactString;
use headwater_base::{Actor, FeatureValue, Fields, ItemId, LoggedFeatures, RequestId, Schema, Timestamp};
use headwater_log::Offset;

use crate::TrainingError;
pub use history::{HistoryCounts, HistoryExamples, Past};
pub use join::{Join, JoinCounts, Joined};
pub use logged::{ExampleCounts, Examples};
pub use negatives::{Drawn, NegativeSampler};
pub use replay::LogReplay;

/// A labelled row.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The decision's; for history without decisions the id of the interaction that made the question. Rows of one
    /// question follow one another.
    pub request_id: RequestId,
    /// The surface that asked; empty for history without decisions.
    pub surface: CompactString,
    /// When it was decided.
    pub time: Timestamp,
    /// For whom.
    pub actor: Actor,
    /// The item shown.
    pub item: ItemId,
    /// Where it stood, from 0.
    pub place: u32,
    /// Probability with which the policy showed it there.
    pub propensity: f32,
    /// Which features `features` are: see [`headwater_base::feature::feature_schema`].
    pub schema: u64,
    /// The item's vector, as the decision read it.
    pub features: Vec<FeatureValue>,
    /// What followed: at most one of each interaction type, by name.
    pub outcomes: Vec<Outcome>,
    /// The objective: the declared weights of the types in `outcomes`, added up; 0 for a negative.
    pub label: f32,
    /// How many examples this one stands for: the inverse of the share of requests whose features are logged.
    pub weight: f32,
    /// For a negative that nobody was shown: the probability with which it was drawn.
    pub sampled: Option<f32>,
}

/// What somebody did with a shown item.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The interaction type.
    pub kind: CompactString,
    /// The interaction's value, where it has one; of the first where it was repeated.
    pub value: Option<f32>,
    /// From the decision to the first interaction of the type.
    pub delay: Duration,
}

/// How decisions and outcomes are joined.
#[derive(Clone, Debug)]
pub struct ExampleOptions {
    /// How long after a decision an interaction still counts as its outcome, by event time.
    pub window: Duration,
    /// How much later than the window's end an outcome may be received.
    pub grace: Duration,
    /// The present: a decision whose window and grace have not passed by then is still open.
    pub now: Timestamp,
    /// Whether open decisions give examples too, with what is known of their outcomes.
    pub open: bool,
}

impl ExampleOptions {
    /// A day's window and an hour's grace, as of `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { window: Duration::from_secs(24 * 3600), grace: Duration::from_secs(3600), now, open: false }
    }
}

/// What was asked at a moment: all that features may depend on, besides the log before `position`.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Next offset of each partition of the event log: features are of what lies before.
    pub position: &'a [Offset],
    /// The moment; windows end here.
    pub time: Timestamp,
    /// For whom.
    pub actor: &'a Actor,
    /// The item the request was about.
    pub about: Option<&'a ItemId>,
    /// What was true of the moment.
    pub context: &'a Fields,
    /// The items whose vectors are wanted.
    pub items: &'a [ItemId],
}

/// Computes features as they were, by folding the event log once more.
///
/// Questions come in the order of their positions, but for what concurrent requests overtook.
pub trait FeatureReplay {
    /// One row for each item of the question, in its order; `None` where the past is out of reach.
    ///
    /// # Errors
    /// The log's.
    fn vectors(&mut self, question: &Question<'_>) -> Result<Option<LoggedFeatures>, TrainingError>;
}

/// Replays nothing: only what was logged gives examples.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoReplay;

impl FeatureReplay for NoReplay {
    fn vectors(&mut self, _: &Question<'_>) -> Result<Option<LoggedFeatures>, TrainingError> {
        Ok(None)
    }
}

/// The objective: what the outcomes weigh together.
pub fn label(schema: &Schema, outcomes: &[Outcome]) -> f32 {
    // Not `sum`, whose nothing is -0.
    outcomes.iter().fold(0.0, |label, outcome| label + schema.weight(&outcome.kind))
}
