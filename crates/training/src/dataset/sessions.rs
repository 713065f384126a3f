//! Sessions: from a prefix of a session, the item that comes next.
//!
//! Validation: every prefix of the last tenth of the training sessions, which are in time order.

use super::split::{Plan, Question, by_actor};
use super::{Dataset, Observation, Stage};

pub(super) fn plan(dataset: &Dataset, test: &[(Vec<u32>, u32)], stage: Stage) -> Plan {
    let now = dataset.observations.last().map(|observation| observation.time).unwrap_or_default();
    // The prefix of a test case is nobody's of the training data; only its items and their order matter.
    let observed = |&item: &u32| Observation { actor: 0, item, weight: 1.0, time: now };
    match stage {
        Stage::Test => {
            let question = |(prefix, next): &(Vec<u32>, u32)| Question {
                history: prefix.iter().map(observed).collect(),
                relevant: vec![*next],
            };
            let questions = test.iter().map(question).collect();
            Plan { train: dataset.observations.clone(), questions, whole_catalogue: false, now }
        }
        Stage::Validation { .. } => {
            let mut train = by_actor(&dataset.observations, dataset.actors.len());
            train.retain(|session| !session.is_empty());
            let held_out = train.split_off(train.len() - train.len() / 10);
            let now = train.last().and_then(|session| session.last()).map_or(now, |last| last.time);
            let questions = held_out
                .iter()
                .flat_map(|session| (1..session.len()).map(move |cut| session.split_at(cut)))
                .map(|(prefix, rest)| Question { history: prefix.to_vec(), relevant: vec![rest[0].item] })
                .collect();
            let train = train.into_iter().flatten().collect();
            Plan { train, questions, whole_catalogue: false, now }
        }
    }
}
