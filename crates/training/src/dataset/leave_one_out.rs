//! Leave-one-out: the last interaction of each actor is the test, the one before it validation.
//!
//! For the test the model is refitted on everything but the last interaction, so the validation item is in the weights
//! and in the history. Actors with fewer than three interactions only train.

use super::split::{Plan, Question, by_actor};
use super::{Dataset, Stage};

/// Actors with fewer interactions are not asked about.
const FEWEST: usize = 3;

pub(super) fn plan(dataset: &Dataset, stage: Stage) -> Plan {
    let held_out = match stage {
        Stage::Test => 1,
        Stage::Validation { .. } => 2,
    };
    let mut train = Vec::with_capacity(dataset.observations.len());
    let mut questions = Vec::new();
    for mut history in by_actor(&dataset.observations, dataset.actors.len()) {
        if history.len() >= FEWEST {
            let relevant = history[history.len() - held_out].item;
            history.truncate(history.len() - held_out);
            train.extend_from_slice(&history);
            questions.push(Question { history, relevant: vec![relevant] });
        } else {
            train.extend_from_slice(&history);
        }
    }
    train.sort_by_key(|observation| observation.time);
    let now = dataset.observations.last().map(|observation| observation.time).unwrap_or_default();
    Plan { train, questions, whole_catalogue: true, now }
}
