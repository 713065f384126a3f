//! The given split: a file says which items of each user are held out.
//!
//! Validation: a seeded fifth of each user's training items (at least one of those with two or more), as
//! the published splits hold a fifth out themselves.

use headwater_base::random::seeded;
use rand::seq::index::sample;

use super::split::{Plan, Question, by_actor};
use super::{Dataset, Stage};

pub(super) fn plan(dataset: &Dataset, test: &[(u32, Vec<u32>)], stage: Stage) -> Plan {
    let mut histories = by_actor(&dataset.observations, dataset.actors.len());
    let mut relevant: Vec<Vec<u32>> = vec![Vec::new(); dataset.actors.len()];
    match stage {
        Stage::Test => {
            for (user, items) in test {
                relevant[*user as usize].extend(items);
            }
        }
        Stage::Validation { seed } => {
            let mut random = seeded(seed, "validation");
            for (history, relevant) in histories.iter_mut().zip(&mut relevant) {
                let mut items: Vec<u32> = history.iter().map(|observation| observation.item).collect();
                items.sort_unstable();
                items.dedup();
                if items.len() < 2 {
                    continue;
                }
                let count = ((items.len() + 2) / 5).max(1);
                relevant
                    .extend(sample(&mut random, items.len(), count).into_iter().map(|index| items[index]));
                history.retain(|observation| !relevant.contains(&observation.item));
            }
        }
    }
    let train = histories.iter().flatten().copied().collect();
    let questions = histories
        .into_iter()
        .zip(relevant)
        .filter(|(_, relevant)| !relevant.is_empty())
        .map(|(history, relevant)| Question { history, relevant })
        .collect();
    let now = dataset.observations.last().map(|observation| observation.time).unwrap_or_default();
    Plan { train, questions, whole_catalogue: stage == Stage::Test, now }
}
