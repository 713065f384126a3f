//! Actors by the place of their state, for who takes many interactions before they are counted.

use headwater_base::{Actor, Fields};
use headwater_log::Offset;

use super::keyed::Place;
use super::{Idle, NO_FIELDS, Profiles, Session, User, revive};
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

    /// The tiles that lie at a place; none of one who is idle at `now`.
    pub(crate) fn row_at(&self, place: ActorPlace, now: i64, idle: Idle) -> Option<&Row> {
        let (row, idle) = match place {
            ActorPlace::User(place) => (&self.users.at(place)?.1.row, idle.users),
            ActorPlace::Session(place) => match self.sessions.at(place)?.1 {
                Session::Own(_, row) => (row, idle.sessions),
                Session::Of { .. } => return None,
            },
            ActorPlace::Nobody => return None,
        };
        row.awake(now, idle)
    }

    /// The tiles of the actor at a place, however long ago they were counted.
    pub(crate) fn any_row_at(&self, place: ActorPlace) -> Option<&Row> {
        self.row_at(place, i64::MIN, Idle { users: i64::MAX, sessions: i64::MAX })
    }

    /// Counts an interaction for the actor at a place.
    pub(crate) fn count_at(
        &mut self,
        place: ActorPlace,
        (offset, stamp): (Offset, i64),
        idle: Idle,
        count: impl FnOnce(&mut Row),
    ) {
        let (history, row, idle) = match place {
            ActorPlace::User(place) => match self.users.at_mut(place) {
                Some(user) => (&mut user.history, &mut user.row, idle.users),
                None => return,
            },
            ActorPlace::Session(place) => match self.sessions.at_mut(place) {
                Some(Session::Own(history, row)) => (history, row, idle.sessions),
                _ => return,
            },
            ActorPlace::Nobody => return,
        };
        revive(history, row, stamp, idle);
        count(row);
        history.push(None, offset);
    }
}

/// The fields of one who may have none.
pub(crate) fn or_none(fields: Option<&Fields>) -> &Fields {
    fields.unwrap_or(&NO_FIELDS)
}
