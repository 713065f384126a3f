//! One cut in time: what happened before it trains, what happened from it on is asked.
//!
//! The cut is the time of the interaction at four fifths of all; validation asks about the tenth before it and trains
//! on what is before that. Interactions at the very moment of a cut are behind it.

use headwater_base::Timestamp;

use super::split::{Plan, Question, TEST_CUT, VALIDATION_CUT};
use super::{Cuts, Dataset, Observation, Stage};

/// The moments at which these interactions are cut where none are given.
pub fn cuts(observations: &[Observation]) -> Cuts {
    let mut times: Vec<Timestamp> = observations.iter().map(|observation| observation.time).collect();
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index).copied().unwrap_or_default()
    };
    Cuts { validation: at(VALIDATION_CUT), test: at(TEST_CUT) }
}

pub(super) fn plan(dataset: &Dataset, given: Option<Cuts>, stage: Stage) -> Plan {
    let Cuts { validation, test } = given.unwrap_or_else(|| cuts(&dataset.observations));
    let (from, to) = match stage {
        Stage::Test => (test, Timestamp::from_micros(i64::MAX)),
        Stage::Validation { .. } => (validation, test),
    };
    // Logins after the cut are not known at it.
    let identities = dataset.identities(from);
    let own = |observation: &Observation| Observation {
        actor: identities[observation.actor as usize],
        ..*observation
    };
    let mut train: Vec<Observation> =
        dataset.observations.iter().filter(|observation| observation.time < from).map(own).collect();
    train.sort_by_key(|observation| observation.time);
    let mut histories = vec![Vec::new(); dataset.actors.len()];
    for observation in &train {
        histories[observation.actor as usize].push(*observation);
    }
    let mut relevant: Vec<Vec<u32>> = vec![Vec::new(); dataset.actors.len()];
    for observation in dataset.observations.iter().filter(|o| (from..to).contains(&o.time)).map(own) {
        relevant[observation.actor as usize].push(observation.item);
    }
    let mut questions = Vec::new();
    for (history, mut relevant) in histories.into_iter().zip(relevant) {
        if !dataset.repeats {
            relevant.retain(|item| history.iter().all(|seen: &Observation| seen.item != *item));
        }
        if !relevant.is_empty() {
            questions.push(Question { history, relevant });
        }
    }
    Plan { train, questions, whole_catalogue: false, now: from }
}
