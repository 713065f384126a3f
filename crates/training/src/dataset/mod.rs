//! Data sets: who interacted with what, in order, ready to be split.
//!
//! A data set is made from a preset's files or from any run of events (the user's own log), by the same code. It only
//! collects; what a model may see of it is decided by [`Dataset::split`].

mod catalogue;
mod given;
mod inner;
mod leave_one_out;
mod sessions;
pub mod split;
mod time_cut;
pub mod vocabulary;

use std::ops::ControlFlow;
use std::path::Path;

use hashbrown::HashSet;
use headwater_base::{Actor, Event, Fact, ItemId, Schema, Timestamp};

use crate::TrainingError;
use crate::presets::{self, Preset, Progress, Record, held_out};
pub use split::{Case, Entry, Split, Stage};
pub use time_cut::cuts;
pub use vocabulary::Vocabulary;

/// An interaction of the data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Number of the one who acted.
    pub actor: u32,
    /// Number of the item.
    pub item: u32,
    /// Weight of the interaction's type, positive.
    pub weight: f32,
    /// When it happened; synthetic where the data has no times.
    pub time: Timestamp,
}

/// How cases are held out; fixed by the preset (each variant's module has the exact rules).
#[derive(Clone, Debug, PartialEq)]
pub enum Protocol {
    /// The test items of each user are given by a file.
    Given(Vec<(u32, Vec<u32>)>),
    /// The last interaction of each actor with at least three.
    LeaveOneOut,
    /// Prefixes of sessions with the item that came next, given by a file.
    Sessions(Vec<(Vec<u32>, u32)>),
    /// Everything from one moment on.
    TimeCut(Option<Cuts>),
}

/// The moments of a time split; by default they are found by [`split::TEST_CUT`] and [`split::VALIDATION_CUT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cuts {
    /// Validation asks about what happened from here on.
    pub validation: Timestamp,
    /// The test asks about what happened from here on.
    pub test: Timestamp,
}

impl Protocol {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Given(_) => "given",
            Self::LeaveOneOut => "leave-one-out",
            Self::Sessions(_) => "sessions",
            Self::TimeCut(_) => "time",
        }
    }
}

/// Interactions with their vocabularies and the protocol by which they are split.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Interactions in the order they were received.
    pub observations: Vec<Observation>,
    /// Users, and anonymous sessions behind [`SESSION_PREFIX`].
    pub actors: Vocabulary<String>,
    /// Items that were interacted with or are in a test file.
    pub items: Vocabulary<ItemId>,
    /// How cases are held out.
    pub protocol: Protocol,
    /// Whether items of the history stay candidates.
    pub repeats: bool,
    /// Whether the times are real, so that ages mean something.
    pub timed: bool,
    /// Sessions that turned out to be a user's: when, the session's number, the user's.
    merges: Vec<(Timestamp, u32, u32)>,
    /// What was told of items, in the order it was received.
    told: Vec<catalogue::Told>,
    /// Lines that gave no event.
    pub refused: u64,
    /// Lines that are no interaction by the preset's rules.
    pub left_out: u64,
}

/// What tells an anonymous session's name from a user's: no id may hold a control character.
pub const SESSION_PREFIX: char = '\u{1}';

impl Dataset {
    /// Reads a preset's files, held-out ones included.
    ///
    /// # Errors
    /// Files that are missing or that the disk refuses.
    pub fn from_preset(
        preset: Preset,
        path: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, TrainingError> {
        let mut builder = Builder::new(preset.schema());
        presets::read(preset, path, &mut |record, at| {
            progress(at);
            builder.take(&record);
            ControlFlow::Continue(())
        })?;
        let mut sink = |_: Record, _| ControlFlow::Continue(());
        let mut dataset = builder.dataset;
        match preset {
            Preset::Split => {
                let mut refused = 0;
                let test = held_out::split_test(path, &mut |_, _| {
                    refused += 1;
                    ControlFlow::Continue(())
                })?;
                dataset.refused += refused;
                let case = |(user, items): (String, Vec<ItemId>)| {
                    let items = items.iter().map(|item| dataset.items.intern(item)).collect();
                    (dataset.actors.intern(&user), items)
                };
                dataset.protocol = Protocol::Given(test.into_iter().map(case).collect());
            }
            Preset::Sessions => {
                let test = held_out::sessions_test(path, &mut sink)?;
                let case = |(prefix, next): (Vec<ItemId>, ItemId)| {
                    let prefix = prefix.iter().map(|item| dataset.items.intern(item)).collect();
                    (prefix, dataset.items.intern(&next))
                };
                dataset.protocol = Protocol::Sessions(test.into_iter().map(case).collect());
            }
            Preset::Sequence => dataset.protocol = Protocol::LeaveOneOut,
            Preset::Movielens | Preset::OnlineRetail => {}
        }
        dataset.timed = matches!(preset, Preset::Movielens | Preset::OnlineRetail);
        Ok(dataset)
    }

    /// Collects the interactions of a run of events, to be split by time.
    ///
    /// Interactions of undeclared types and of types with weight 0 teach nothing and are passed over. A deleted
    /// user's interactions are dropped, whenever the deletion came: who was erased is not learnt from. Sessions count
    /// as their user's from the merge on.
    ///
    /// # Errors
    /// The first error of the iterator.
    pub fn from_events<E: Into<TrainingError>>(
        schema: &Schema,
        events: impl IntoIterator<Item = Result<Event, E>>,
    ) -> Result<Self, TrainingError> {
        let mut builder = Builder::new(schema.clone());
        for event in events {
            builder.event(&event.map_err(Into::into)?);
        }
        builder.dataset.timed = true;
        Ok(builder.finish())
    }

    /// Who each actor is, knowing the merges before `moment`.
    pub(crate) fn identities(&self, before: Timestamp) -> Vec<u32> {
        let mut identities: Vec<u32> = (0..self.actors.len() as u32).collect();
        for &(time, session, user) in &self.merges {
            if time < before {
                identities[session as usize] = user;
            }
        }
        identities
    }
}

/// A data set under construction.
struct Builder {
    schema: Schema,
    dataset: Dataset,
    erased: HashSet<u32>,
    name: String,
}

impl Builder {
    fn new(schema: Schema) -> Self {
        let dataset = Dataset {
            observations: Vec::new(),
            actors: Vocabulary::default(),
            items: Vocabulary::default(),
            protocol: Protocol::TimeCut(None),
            repeats: schema.repeats,
            timed: false,
            merges: Vec::new(),
            told: Vec::new(),
            refused: 0,
            left_out: 0,
        };
        Self { schema, dataset, erased: HashSet::new(), name: String::new() }
    }

    fn take(&mut self, record: &Record) {
        match record {
            Record::Event(event) => self.event(event),
            Record::Refused(_) => self.dataset.refused += 1,
            Record::LeftOut(_) => self.dataset.left_out += 1,
        }
    }

    fn event(&mut self, event: &Event) {
        match &event.fact {
            Fact::Interaction(interaction) => {
                let weight = self.schema.weight(&interaction.kind);
                if !(weight.is_finite() && weight > 0.0) {
                    return;
                }
                let actor = self.actor(&interaction.actor);
                let item = self.dataset.items.intern(&interaction.item);
                self.dataset.observations.push(Observation { actor, item, weight, time: event.time });
            }
            Fact::Merge { session, user } => {
                let session = self.actor(&Actor::session(session.clone()));
                let user = self.actor(&Actor::user(user.clone()));
                self.dataset.merges.push((event.time, session, user));
            }
            Fact::UserDelete { user } => {
                let user = self.actor(&Actor::user(user.clone()));
                self.erased.insert(user);
                self.dataset.observations.retain(|observation| observation.actor != user);
            }
            Fact::ItemUpsert { item, fields, removed, patch, .. } => {
                let kept = patch.then(|| removed.clone());
                let change = catalogue::Change::Fields { fields: fields.clone(), kept };
                self.dataset.told.push(catalogue::Told { time: event.time, item: item.clone(), change });
            }
            Fact::ItemDelete { item } => {
                let change = catalogue::Change::Gone;
                self.dataset.told.push(catalogue::Told { time: event.time, item: item.clone(), change });
            }
            Fact::UserUpsert { .. } | Fact::Decision(_) | Fact::Erased => {}
        }
    }

    fn actor(&mut self, actor: &Actor) -> u32 {
        self.name.clear();
        match actor {
            Actor { user: Some(user), .. } => self.name.push_str(user.as_str()),
            Actor { session: Some(session), .. } => {
                self.name.push(SESSION_PREFIX);
                self.name.push_str(session.as_str());
            }
            Actor { user: None, session: None } => {}
        }
        self.dataset.actors.intern(&self.name)
    }

    /// Drops what sessions of deleted users did before their merge was known.
    fn finish(mut self) -> Dataset {
        if !self.erased.is_empty() {
            let merged: HashSet<u32> = self
                .dataset
                .merges
                .iter()
                .filter(|(_, _, user)| self.erased.contains(user))
                .map(|(_, session, _)| *session)
                .collect();
            self.dataset.observations.retain(|observation| !merged.contains(&observation.actor));
        }
        self.dataset
    }
}

#[cfg(test)]
mod tests;
