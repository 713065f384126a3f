//! Actors by the place of their state, for who takes many interactions before they are counted.

use headwater_base::{Actor, Fields};
use headwater_log::Offset;

use super::keyed::Place;
use super::{History, Idle, NO_FIELDS, Profiles, Session, User};
use crate::tiles::Row;

/// Where the state of an actor lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActorPlace {
    Nobody,
    User(Place),
    /// An anonymous session, which stands for a user.
    Session(Place),
}

impl Profiles {
    /// Where the state of an actor lies who is met by an event at `offset`; it comes into being if it was not there.
    /// `None` for a session that is, or was, an alias: whose it is depends on more than its id.
    pub(crate) fn place(&mut self, actor: &Actor, offset: Offset) -> Option<ActorPlace> {
        Some(match (&actor.user, &actor.session) {
            (Some(user), _) => ActorPlace::User(self.users.place(user.as_str(), || User::born(offset))),
            (None, Some(session)) => {
                let place = self.sessions.place(session.as_str(), Session::default);
                match self.sessions.at(place) {
                    Some((_, Session::Of { .. })) => return None,
                    _ => ActorPlace::Session(place),
                }
            }
            (None, None) => ActorPlace::Nobody,
        })
    }

    /// The fields of the user at a place.
    pub(crate) fn fields_at(&self, place: ActorPlace) -> Option<&Fields> {
        match place {
            ActorPlace::User(place) => self.users.at(place)?.1.fields.as_deref(),
            ActorPlace::Session(_) | ActorPlace::Nobody => None,
        }
    }

    /// The tiles of the actor at a place, however long ago they were counted.
    pub(crate) fn row_at(&self, place: ActorPlace) -> Option<&Row> {
        match place {
            ActorPlace::User(place) => Some(&self.users.at(place)?.1.row),
            ActorPlace::Session(place) => match self.sessions.at(place)?.1 {
                Session::Own(_, row) => Some(row),
                Session::Of { .. } => None,
            },
            ActorPlace::Nobody => None,
        }
    }

    /// What the actor at a place did last, their tiles, and how long they may be idle.
    pub(crate) fn at_mut(&mut self, place: ActorPlace, idle: Idle) -> Option<(&mut History, &mut Row, i64)> {
        match place {
            ActorPlace::User(place) => {
                let user = self.users.at_mut(place)?;
                Some((&mut user.history, &mut user.row, idle.users))
            }
            ActorPlace::Session(place) => match self.sessions.at_mut(place)? {
                Session::Own(history, row) => Some((history, row, idle.sessions)),
                Session::Of { .. } => None,
            },
            ActorPlace::Nobody => None,
        }
    }
}

/// The fields of one who may have none.
pub(crate) fn or_none(fields: Option<&Fields>) -> &Fields {
    fields.unwrap_or(&NO_FIELDS)
}
