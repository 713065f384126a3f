//! Profiles: what each user and each anonymous session did last, and the users' fields.
//!
//! Actors are spread over a fixed number of shards by a stable hash of their id, each behind its own lock. A session
//! that is merged becomes an alias: its history goes to the user, and so does whatever it does later. Deleting a user
//! drops everything; aliases of the deleted user lapse, and a later event, of the user or of such a session, starts anew.

mod history;
mod keyed;

use std::io::{Read, Write};
use std::slice;

use headwater_base::random::stable_hash;
use headwater_base::{Actor, Fields, SessionId, Timestamp, UserId};
use headwater_log::Offset;
use parking_lot::RwLock;

use crate::bytes::{Reader, Writer, damaged};
use crate::view::{Keying, View};
use crate::{FeaturesError, ItemIndex};
pub(crate) use history::{History, Stored};
use keyed::Keyed;

pub use history::PROFILE_INTERACTIONS;

/// Shards of actors; part of the checkpoint, never of the machine.
const SHARDS: usize = 16;

/// What is known of the one who asks: an owned copy, read once per request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The offset after the actor's last event, 0 for an unknown actor. A profile changes only when this does, so it
    /// serves as a cache key.
    pub last: Offset,
    /// The last interactions, oldest received first, at most [`PROFILE_INTERACTIONS`].
    pub interactions: Vec<ProfileInteraction>,
    /// The user's fields.
    pub fields: Fields,
}

/// One interaction of a profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProfileInteraction {
    /// The item.
    pub item: ItemIndex,
    /// Number of the interaction type: see [`crate::Views::kind_name`].
    pub kind: u16,
    /// Weight of the type; 0 for one that is no longer declared.
    pub weight: f32,
    /// When it happened.
    pub time: Timestamp,
}

#[derive(Debug)]
struct User {
    history: History,
    fields: Option<Box<Fields>>,
    /// Offset of the first event of this user since they were last deleted; an alias made before it has lapsed.
    born: Offset,
}

#[derive(Debug)]
enum Session {
    Own(History),
    /// An alias, made by the merge at this offset.
    Of {
        user: UserId,
        merged: Offset,
    },
}

/// The profiles of everybody.
#[derive(Debug)]
pub(crate) struct Profiles {
    users: Vec<RwLock<Keyed<User>>>,
    sessions: Vec<RwLock<Keyed<Session>>>,
}

impl Default for Profiles {
    fn default() -> Self {
        Self {
            users: (0..SHARDS).map(|_| RwLock::default()).collect(),
            sessions: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }
}

fn shard<'a, T>(shards: &'a [RwLock<Keyed<T>>], id: &str) -> &'a RwLock<Keyed<T>> {
    // The table inside the shard uses the low and the highest bits of the same hash.
    &shards[(stable_hash(id) >> 32) as usize % SHARDS]
}

impl Profiles {
    /// Adds an interaction at `offset`, handing `before` the history as it was.
    pub(crate) fn interact(
        &self,
        actor: &Actor,
        offset: Offset,
        interaction: Stored,
        before: impl FnOnce(&[Stored]),
    ) {
        let add = |history: &mut History| {
            before(history.visible());
            history.push(interaction, offset);
        };
        if let Some(user) = &actor.user {
            self.with_user(user, offset, |user| add(&mut user.history));
        } else if let Some(session) = &actor.session {
            self.with_session(session, offset, add);
        }
    }

    /// Sets or patches a user's fields.
    pub(crate) fn upsert(&self, id: &UserId, offset: Offset, change: impl FnOnce(&mut Fields)) {
        self.with_user(id, offset, |user| {
            let mut fields = user.fields.take().map(|fields| *fields).unwrap_or_default();
            change(&mut fields);
            user.fields = (!fields.is_empty()).then(|| Box::new(fields));
            user.history.last = offset + 1;
        });
    }

    /// Drops a user.
    pub(crate) fn delete(&self, id: &UserId) {
        shard(&self.users, id.as_str()).write().remove(id.as_str());
    }

    /// Makes a session an alias of a user, who takes over its history.
    pub(crate) fn merge(&self, session: &SessionId, id: &UserId, offset: Offset) {
        self.drop_lapsed_alias(session);
        let alias = Session::Of { user: id.clone(), merged: offset };
        let before = {
            let mut sessions = shard(&self.sessions, session.as_str()).write();
            std::mem::replace(sessions.entry(session.as_str(), || Session::Own(History::default())), alias)
        };
        self.with_user(id, offset, |user| {
            if let Session::Own(history) = before {
                user.history.merge(&history);
            }
            user.history.last = offset + 1;
        });
    }

    /// An owned copy of what is known of `actor`, `weight` giving the weight of each interaction type.
    ///
    /// A user's own history comes first; where there is none, the session is read.
    pub(crate) fn profile(&self, actor: &Actor, weight: impl Fn(u16) -> f32) -> Profile {
        let mut profile = Profile::default();
        if let Some(user) = &actor.user {
            self.read_user(user, &mut profile, &weight);
        }
        if profile.interactions.is_empty()
            && let Some(session) = &actor.session
        {
            self.read_session(session, &mut profile, &weight);
        }
        profile
    }

    /// How many users and sessions have state.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let users = self.users.iter().map(|shard| shard.read().len()).sum();
        let sessions = self.sessions.iter().map(|shard| shard.read().len()).sum();
        (users, sessions)
    }

    fn read_user(&self, id: &UserId, profile: &mut Profile, weight: &impl Fn(u16) -> f32) {
        let users = shard(&self.users, id.as_str()).read();
        if let Some(user) = users.get(id.as_str()) {
            user.history.copy_to(profile, weight);
            if let Some(fields) = &user.fields {
                profile.fields = Fields::clone(fields);
            }
        }
    }

    fn read_session(&self, id: &SessionId, profile: &mut Profile, weight: &impl Fn(u16) -> f32) {
        let user = match shard(&self.sessions, id.as_str()).read().get(id.as_str()) {
            None => return,
            Some(Session::Own(history)) => {
                history.copy_to(profile, weight);
                return;
            }
            Some(Session::Of { user, merged }) => (user.clone(), *merged),
        };
        if self.is_alive(&user.0, user.1) {
            self.read_user(&user.0, profile, weight);
        }
    }

    fn with_user<T>(&self, id: &UserId, offset: Offset, change: impl FnOnce(&mut User) -> T) -> T {
        let mut users = shard(&self.users, id.as_str()).write();
        change(users.entry(id.as_str(), || User { history: History::default(), fields: None, born: offset }))
    }

    fn with_session(&self, id: &SessionId, offset: Offset, change: impl FnOnce(&mut History)) {
        self.drop_lapsed_alias(id);
        let mut sessions = shard(&self.sessions, id.as_str()).write();
        let user = match sessions.entry(id.as_str(), || Session::Own(History::default())) {
            Session::Own(history) => return change(history),
            Session::Of { user, .. } => user.clone(),
        };
        drop(sessions);
        self.with_user(&user, offset, |user| change(&mut user.history));
    }

    /// Forgets a session whose user was deleted after the merge, so that what it does next starts anew, in a new
    /// place: it must not matter whether a checkpoint, which leaves lapsed aliases out, was read in between.
    fn drop_lapsed_alias(&self, id: &SessionId) {
        let sessions = shard(&self.sessions, id.as_str());
        let (user, merged) = match sessions.read().get(id.as_str()) {
            Some(Session::Of { user, merged }) => (user.clone(), *merged),
            _ => return,
        };
        if !self.is_alive(&user, merged) {
            sessions.write().remove(id.as_str());
        }
    }

    fn is_alive(&self, user: &UserId, merged: Offset) -> bool {
        let users = shard(&self.users, user.as_str()).read();
        users.get(user.as_str()).is_some_and(|user| user.born <= merged)
    }
}

impl View for Profiles {
    const NAME: &'static str = "profiles";
    const KEYING: Keying = Keying::ByUser;

    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.length(SHARDS)?;
        for shard in &self.users {
            for (id, user) in shard.read().iter() {
                writer.u8(1)?;
                writer.text(id)?;
                writer.u64(user.born)?;
                writer.fields(user.fields.as_deref().unwrap_or(&Fields::default()))?;
                user.history.write(writer)?;
            }
            writer.u8(0)?;
        }
        for shard in &self.sessions {
            for (id, session) in shard.read().iter() {
                match session {
                    Session::Own(history) => {
                        writer.u8(1)?;
                        writer.text(id)?;
                        history.write(writer)?;
                    }
                    Session::Of { user, merged } if self.is_alive(user, *merged) => {
                        writer.u8(2)?;
                        writer.text(id)?;
                        writer.text(user.as_str())?;
                        writer.u64(*merged)?;
                    }
                    Session::Of { .. } => {}
                }
            }
            writer.u8(0)?;
        }
        Ok(())
    }

    fn read<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), FeaturesError> {
        let shards = reader.length()?;
        if shards != SHARDS {
            return Err(damaged(format_args!("{shards} shards of profiles instead of {SHARDS}")));
        }
        for shard in &mut self.users {
            while reader.u8()? == 1 {
                let id = reader.text()?;
                let born = reader.u64()?;
                let fields = Some(reader.fields()?).filter(|fields| !fields.is_empty()).map(Box::new);
                let history = History::read(reader)?;
                shard.get_mut().entry(&id, || User { history, fields, born });
            }
        }
        for shard in &mut self.sessions {
            loop {
                let tag = reader.u8()?;
                if tag == 0 {
                    break;
                }
                let id = reader.text()?;
                let session = match tag {
                    1 => Session::Own(History::read(reader)?),
                    2 => Session::Of { user: UserId::trusted(reader.text()?), merged: reader.u64()? },
                    other => return Err(damaged(format_args!("a session of kind {other}"))),
                };
                shard.get_mut().entry(&id, || session);
            }
        }
        Ok(())
    }
}

impl History {
    fn copy_to(&self, profile: &mut Profile, weight: &impl Fn(u16) -> f32) {
        profile.last = profile.last.max(self.last);
        let stored: slice::Iter<'_, Stored> = self.visible().iter();
        profile.interactions.extend(stored.map(|stored| ProfileInteraction {
            item: stored.item,
            kind: stored.kind,
            weight: weight(stored.kind),
            time: stored.time,
        }));
    }
}
