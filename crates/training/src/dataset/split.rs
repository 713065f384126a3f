//! What a model may see, and what it is asked.
//!
//! A split is made once per stage: for validation, which hyper-parameters are chosen on, and for the test. Its
//! vocabulary holds the items of its own training data only, so that a model cannot know of an item, a count or a
//! place in a table that came later.

use headwater_base::{Fields, ItemId, Timestamp};
use headwater_models::matrix::Csr;
use headwater_models::{Past, Row};

use super::{Dataset, Observation, Protocol, given, leave_one_out, sessions, time_cut};
use crate::TrainingError;

/// What the split is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Choosing hyper-parameters, on a slice of the training data; the seed draws the slice where it is random.
    Validation {
        /// Seed of the draw.
        seed: u64,
    },
    /// The reported result.
    Test,
}

/// Share of the interactions before the cut of the test.
pub const TEST_CUT: f64 = 0.8;
/// Share of the interactions before the cut of the validation.
pub const VALIDATION_CUT: f64 = 0.7;

/// An interaction to train on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Dense number of the user, below [`Split::users`].
    pub user: u32,
    /// The item's row.
    pub item: Row,
    /// Weight of the interaction's type.
    pub weight: f32,
    /// When.
    pub time: Timestamp,
}

/// One question: given this history, what comes next.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What the model is told, oldest first. Items the training data does not hold are left out.
    pub history: Vec<Past>,
    /// What it should find; rows at and after [`Split::catalogue`] cannot be found.
    pub relevant: Vec<Row>,
}

/// Training data and cases of one stage.
#[derive(Clone, Debug)]
pub struct Split {
    /// Name of the protocol.
    pub protocol: &'static str,
    /// Items of the training data by row, ascending by id, so that ties by row are ties by id.
    pub items: Vec<ItemId>,
    /// The fields of `items` as the catalogue had them at the cut; empty where it has none of any item.
    pub fields: Vec<Fields>,
    /// Rows that are candidates: `items`, then items of the catalogue that the training data does not hold.
    pub catalogue: usize,
    /// The rows of the catalogue, ascending by id: the order of what no model can score.
    pub by_id: Vec<Row>,
    /// How many users the training data has.
    pub users: usize,
    /// Interactions to train on, in order.
    pub entries: Vec<Entry>,
    /// Cases with a history.
    pub cases: Vec<Case>,
    /// Cases without one, reported apart.
    pub cold: Vec<Case>,
    /// Whether items of the history stay candidates.
    pub repeats: bool,
    /// The moment the training data ends at.
    pub now: Timestamp,
    /// Whether times are real.
    pub timed: bool,
}

/// A case in the data set's own numbers.
pub(super) struct Question {
    pub(super) history: Vec<Observation>,
    pub(super) relevant: Vec<u32>,
}

/// What a protocol decides.
pub(super) struct Plan {
    pub(super) train: Vec<Observation>,
    pub(super) questions: Vec<Question>,
    /// Whether every item of the data set is a candidate, or only those of the training data.
    pub(super) whole_catalogue: bool,
    pub(super) now: Timestamp,
}

impl Dataset {
    /// Splits for a stage.
    ///
    /// # Errors
    /// Too little data for a case.
    pub fn split(&self, stage: Stage) -> Result<Split, TrainingError> {
        let plan = match &self.protocol {
            Protocol::Given(test) => given::plan(self, test, stage),
            Protocol::LeaveOneOut => leave_one_out::plan(self, stage),
            Protocol::Sessions(test) => sessions::plan(self, test, stage),
            Protocol::TimeCut(cuts) => time_cut::plan(self, *cuts, stage),
        };
        if plan.train.is_empty() {
            return Err(TrainingError::TooLittle("there is no interaction to train on".to_owned()));
        }
        // Without real times what is told of items has none either.
        let cut = self.timed.then_some(plan.now);
        let split = self.lay_out(plan, cut);
        if split.cases.is_empty() && split.cold.is_empty() {
            return Err(TrainingError::TooLittle(format!(
                "no case is held out: {} interactions are too few for a {} split",
                self.observations.len(),
                split.protocol
            )));
        }
        Ok(split)
    }

    /// Everything as training data, without cases: what `train` learns from.
    ///
    /// # Errors
    /// A data set without interactions.
    pub fn everything(&self) -> Result<Split, TrainingError> {
        let now = self.observations.iter().map(|observation| observation.time).max();
        let now =
            now.ok_or_else(|| TrainingError::TooLittle("there is no interaction to train on".into()))?;
        let identities = self.identities(Timestamp::from_micros(i64::MAX));
        let own = |observation: &Observation| Observation {
            actor: identities[observation.actor as usize],
            ..*observation
        };
        let train = self.observations.iter().map(own).collect();
        Ok(self.lay_out(Plan { train, questions: Vec::new(), whole_catalogue: false, now }, None))
    }

    /// Numbers users and items of the training data, and writes the cases in those numbers; of items it knows what was told before
    /// `cut`.
    fn lay_out(&self, plan: Plan, cut: Option<Timestamp>) -> Split {
        const NONE: u32 = u32::MAX;
        let mut trained = vec![false; self.items.len()];
        for observation in &plan.train {
            trained[observation.item as usize] = true;
        }
        let all = 0..self.items.len() as u32;
        let by_name = |items: &mut Vec<u32>| items.sort_unstable_by_key(|&item| self.items.id(item));
        let mut numbers: Vec<u32> = all.clone().filter(|&item| trained[item as usize]).collect();
        by_name(&mut numbers);
        let items: Vec<ItemId> = numbers.iter().map(|&item| self.items.id(item).clone()).collect();
        // Behind them what the training data lacks, candidates or not: by name too.
        let mut rest: Vec<u32> = all.filter(|&item| !trained[item as usize]).collect();
        by_name(&mut rest);
        numbers.extend(rest);
        let catalogue = if plan.whole_catalogue { numbers.len() } else { items.len() };
        let mut rows = vec![NONE; self.items.len()];
        for (row, &item) in (0..).zip(&numbers) {
            rows[item as usize] = row;
        }
        let mut by_id: Vec<Row> = (0..catalogue as Row).collect();
        by_id.sort_unstable_by_key(|&row| self.items.id(numbers[row as usize]));

        let mut users = vec![NONE; self.actors.len()];
        let mut count = 0;
        let entry = |observation: &Observation| {
            let user = &mut users[observation.actor as usize];
            if *user == NONE {
                *user = count;
                count += 1;
            }
            let Observation { item, weight, time, .. } = *observation;
            Entry { user: *user, item: rows[item as usize], weight, time }
        };
        let entries: Vec<Entry> = plan.train.iter().map(entry).collect();

        let known = |row: Row| (row as usize) < items.len();
        let past = |observation: &Observation| {
            let age = plan.now.seconds_since(observation.time).max(0.0) as f32;
            let age = if self.timed { age } else { 0.0 };
            Past { row: rows[observation.item as usize], weight: observation.weight, age }
        };
        let case = |question: Question| {
            let history = question.history.iter().map(past).filter(|past| known(past.row)).collect();
            let mut relevant: Vec<Row> = question.relevant.iter().map(|&item| rows[item as usize]).collect();
            relevant.sort_unstable();
            relevant.dedup();
            Case { history, relevant }
        };
        let questions = plan.questions.into_iter().map(case).filter(|case| !case.relevant.is_empty());
        let (cold, cases) = questions.partition(|case| case.history.is_empty());
        Split {
            protocol: self.protocol.name(),
            fields: self.fields(&items, cut),
            items,
            catalogue,
            by_id,
            users: count as usize,
            entries,
            cases,
            cold,
            repeats: self.repeats,
            now: plan.now,
            timed: self.timed,
        }
    }
}

impl Split {
    /// Users x items with the weight of each interaction as `weigh` says; repeated interactions add.
    ///
    /// # Errors
    /// A weight that is not positive and finite.
    pub fn matrix(&self, weigh: impl Fn(&Entry) -> f32) -> Result<Csr, TrainingError> {
        let entries = self.entries.iter().map(|entry| (entry.user, entry.item, weigh(entry)));
        Ok(Csr::from_pairs(self.users, self.items.len(), entries)?)
    }
}

/// The observations of each actor, in order.
pub(super) fn by_actor(observations: &[Observation], actors: usize) -> Vec<Vec<Observation>> {
    let mut grouped = vec![Vec::new(); actors];
    for observation in observations {
        grouped[observation.actor as usize].push(*observation);
    }
    grouped
}
