//! Entities by name: which there are, and what their features are.
//!
//! A request names a user, a session, an item and the context, and what else a feature depends on follows from them. Whoever
//! looks at features names what they like: a category without an item, a country without a user.

use compact_str::CompactString;
use headwater_base::{Actor, FeatureValue, Fields, ItemId, SessionId, Timestamp, UserId, Value};

use crate::declared::{FieldRef, Part, Plan};
use crate::state::State;
use crate::{FeatureRequest, FeatureRows, Replay};

/// Entities that were named together.
#[derive(Clone, Debug, Default)]
pub struct Named {
    actor: Actor,
    item: Option<ItemId>,
    context: Fields,
    given: Vec<(FieldRef, Value)>,
}

impl Named {
    /// Adds an entity; one of the same part before it is replaced.
    #[must_use]
    pub fn with(mut self, part: &Part, id: &str) -> Self {
        match part {
            Part::User => self.actor.user = Some(UserId::trusted(id)),
            Part::Session => self.actor.session = Some(SessionId::trusted(id)),
            Part::Item => self.item = Some(ItemId::trusted(id)),
            Part::Field(field) => {
                let value = Value::Categorical(id.into());
                if let FieldRef::Context(name) = field {
                    self.context.set(name.clone(), value);
                } else {
                    self.given.retain(|(known, _)| known != field);
                    self.given.push((field.clone(), value));
                }
            }
        }
        self
    }

    /// Whether it is named who or what a part is of.
    pub fn has(&self, part: &Part) -> bool {
        match part {
            Part::User => self.actor.user.is_some() || self.actor.session.is_some(),
            Part::Session => self.actor.session.is_some(),
            Part::Item => self.item.is_some(),
            Part::Field(field) => {
                let of_one = match field {
                    FieldRef::Item(_) => self.item.is_some(),
                    FieldRef::User(_) => self.actor.user.is_some() || self.actor.session.is_some(),
                    FieldRef::Context(name) => self.context.get(name).is_some(),
                };
                of_one || self.given.iter().any(|(known, _)| known == field)
            }
        }
    }

    /// The columns of a plan that depend on nothing but what is named, and the moment.
    pub fn columns(&self, plan: &Plan) -> Vec<usize> {
        (0..plan.columns().len())
            .filter(|column| plan.needs(*column).iter().all(|part| self.has(part)))
            .collect()
    }
}

impl Replay {
    /// Reads the features at `columns` of what is named, as of `time`.
    pub fn values(&self, named: &Named, columns: &[usize], time: Timestamp) -> Vec<FeatureValue> {
        let request = FeatureRequest { actor: &named.actor, context: &named.context, time };
        let item = named.item.as_ref().and_then(|item| self.catalogue().index(item.as_str()));
        let mut rows = FeatureRows::default();
        let read = self.state.features_given(&request, columns, &[item], &named.given, &mut rows);
        read.expect("a replay keeps everything in memory");
        rows.row(0).cloned().collect()
    }

    /// Whether the log has named this entity, and nothing deleted or forgot it since.
    pub fn knows(&self, part: &Part, id: &str) -> bool {
        let State { profiles, tables, .. } = &self.state;
        match part {
            Part::User => profiles.users.get(id).is_some(),
            Part::Session => tables.sessions.get(id).is_some() || profiles.sessions.get(id).is_some(),
            Part::Item => {
                let catalogue = self.catalogue();
                catalogue.index(id).is_some_and(|item| !catalogue.deleted(item))
            }
            Part::Field(field) => tables.word_of(field, id, self.catalogue()).is_some(),
        }
    }

    /// All entities of a kind that [`Replay::knows`], by id.
    pub fn entities(&self, part: &Part) -> Vec<CompactString> {
        let State { profiles, tables, .. } = &self.state;
        let mut ids: Vec<CompactString> = match part {
            Part::User => profiles.users.iter().map(|(id, _)| id.into()).collect(),
            Part::Session => {
                let rows = tables.sessions.iter().map(|(id, _)| id);
                rows.chain(profiles.sessions.iter().map(|(id, _)| id)).map(Into::into).collect()
            }
            Part::Item => {
                let catalogue = self.catalogue();
                let items = (0..catalogue.len() as u32).filter(|item| !catalogue.deleted(*item));
                items.map(|item| catalogue.id(item).as_str().into()).collect()
            }
            Part::Field(field) => tables.words_of(field, self.catalogue()),
        };
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
