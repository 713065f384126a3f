//! Profiles: what each user and each anonymous session did last, and the users' fields.
//!
//! Actors are spread over a fixed number of shards by a stable hash of their id. A session that is merged becomes an
//! alias: its history goes to the user, and so does whatever it does later. Deleting a user drops everything; aliases of
//! the deleted user lapse, and a later event, of the user or of such a session, starts anew.
//!
//! Beside the history lies the row of the declared features of that user; an anonymous session has one as well, which
//! goes to the user with its history.

mod history;
pub(crate) mod keyed;

use std::io::{Read, Write};
use std::slice;

use headwater_base::random::stable_hash;
use headwater_base::{Actor, Fields, SessionId, Timestamp, UserId};
use headwater_log::Offset;

use crate::bytes::{Reader, Writer, damaged};
use crate::tiles::{Row, RowLayout};
use crate::{FeaturesError, ItemIndex, tables};
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
    row: Row,
}

#[derive(Debug)]
enum Session {
    Own(History, Row),
    /// An alias, made by the merge at this offset.
    Of {
        user: UserId,
        merged: Offset,
        /// When its last event was received; microseconds.
        stamp: i64,
    },
}

/// The actor's state when an interaction comes.
pub(crate) struct Known<'a> {
    /// What they did before.
    pub(crate) before: &'a [Stored],
    /// The user's fields.
    pub(crate) fields: &'a Fields,
    /// Their tiles.
    pub(crate) row: &'a mut Row,
}

/// When idle actors are forgotten, microseconds without an event received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) users: i64,
    pub(crate) sessions: i64,
}

/// The profiles of everybody: keyed by user, so each is touched by one partition of the log only.
#[derive(Debug)]
pub(crate) struct Profiles {
    users: Vec<Keyed<User>>,
    sessions: Vec<Keyed<Session>>,
}

impl Default for Profiles {
    fn default() -> Self {
        Self {
            users: (0..SHARDS).map(|_| Keyed::default()).collect(),
            sessions: (0..SHARDS).map(|_| Keyed::default()).collect(),
        }
    }
}

static NO_FIELDS: Fields = Fields::EMPTY;

fn shard(id: &str) -> usize {
    // The table inside the shard uses the low and the highest bits of the same hash.
    (stable_hash(id) >> 32) as usize % SHARDS
}

impl Profiles {
    /// Adds an interaction at `offset`, received at `stamp`, handing `touch` what was known before.
    pub(crate) fn interact(
        &mut self,
        actor: &Actor,
        (offset, stamp): (Offset, i64),
        interaction: Stored,
        idle: Idle,
        touch: impl FnOnce(Known<'_>),
    ) {
        if let Some(user) = &actor.user {
            self.user_mut(user, offset).interact((offset, stamp), interaction, idle, touch);
        } else if let Some(session) = &actor.session {
            self.drop_lapsed_alias(session, stamp, idle);
            let session = self.sessions[shard(session.as_str())].entry(session.as_str(), Session::default);
            match session {
                Session::Own(history, row) => {
                    revive(history, row, stamp, idle.sessions);
                    touch(Known { before: history.visible(), fields: &NO_FIELDS, row });
                    history.push(interaction, offset);
                }
                Session::Of { user, stamp: last, .. } => {
                    *last = stamp;
                    let user = user.clone();
                    self.user_mut(&user, offset).interact((offset, stamp), interaction, idle, touch);
                }
            }
        }
    }

    /// Sets or patches a user's fields.
    pub(crate) fn upsert(
        &mut self,
        id: &UserId,
        (offset, stamp): (Offset, i64),
        idle: Idle,
        change: impl FnOnce(&mut Fields),
    ) {
        let user = self.user_mut(id, offset);
        revive(&mut user.history, &mut user.row, stamp, idle.users);
        let mut fields = user.fields.take().map(|fields| *fields).unwrap_or_default();
        change(&mut fields);
        user.fields = (!fields.is_empty()).then(|| Box::new(fields));
        user.history.last = offset + 1;
    }

    /// Drops a user.
    pub(crate) fn delete(&mut self, id: &UserId) {
        self.users[shard(id.as_str())].remove(id.as_str());
    }

    /// Drops a session, unless it is another user's alias by now.
    pub(crate) fn forget_session(&mut self, id: &SessionId) {
        if !matches!(self.session(id), Some(Session::Of { .. })) {
            self.sessions[shard(id.as_str())].remove(id.as_str());
        }
    }

    /// Makes a session an alias of a user, who takes over its history and, laid out by `layout`, its tiles.
    pub(crate) fn merge(
        &mut self,
        session: &SessionId,
        id: &UserId,
        (offset, stamp): (Offset, i64),
        idle: Idle,
        layout: Option<&RowLayout>,
    ) {
        self.drop_lapsed_alias(session, stamp, idle);
        let alias = Session::Of { user: id.clone(), merged: offset, stamp };
        let sessions = &mut self.sessions[shard(session.as_str())];
        let before = std::mem::replace(sessions.entry(session.as_str(), Session::default), alias);
        let user = self.user_mut(id, offset);
        revive(&mut user.history, &mut user.row, stamp, idle.users);
        if let Session::Own(mut history, mut row) = before {
            revive(&mut history, &mut row, stamp, idle.sessions);
            user.history.merge(&history);
            if let Some(layout) = layout {
                user.row.merge(layout, row);
            }
        }
        user.history.last = offset + 1;
    }

    /// Forgets what received nothing since the actor's kind goes idle; what is still known of a user are their fields.
    pub(crate) fn forget_idle(&mut self, now: i64, idle: Idle) {
        for users in &mut self.users {
            users.retain(|user| {
                if now.saturating_sub(user.row.stamp) > idle.users {
                    user.history.forget();
                    user.row.clear();
                    return user.fields.is_some();
                }
                true
            });
        }
        for sessions in &mut self.sessions {
            sessions.retain(|session| {
                let (Session::Own(_, Row { stamp, .. }) | Session::Of { stamp, .. }) = session;
                now.saturating_sub(*stamp) <= idle.sessions
            });
        }
    }

    /// An owned copy of what is known of `actor`, `weight` giving the weight of each interaction type.
    ///
    /// A user's own history comes first; where there is none, the session is read.
    pub(crate) fn profile(&self, actor: &Actor, weight: impl Fn(u16) -> f32) -> Profile {
        let mut profile = Profile::default();
        if let Some(user) = actor.user.as_ref().and_then(|user| self.user(user)) {
            user.copy_to(&mut profile, &weight);
        }
        if profile.interactions.is_empty()
            && let Some(session) = &actor.session
        {
            match self.session(session) {
                Some(Session::Own(history, _)) => history.copy_to(&mut profile, &weight),
                Some(Session::Of { user, .. }) => {
                    if let Some(user) = self.user(user) {
                        user.copy_to(&mut profile, &weight);
                    }
                }
                None => {}
            }
        }
        profile
    }

    /// The fields and tiles of the user who acts or asks at `now`, an anonymous session standing for one; no tiles of one
    /// who went idle.
    pub(crate) fn known(&self, actor: &Actor, now: i64, idle: Idle) -> (Option<&Fields>, Option<&Row>) {
        let awake = |row: &Row, idle: i64| now.saturating_sub(row.stamp) <= idle;
        let of_user = |id: &UserId| match self.user(id) {
            Some(user) => (user.fields.as_deref(), Some(&user.row).filter(|row| awake(row, idle.users))),
            None => (None, None),
        };
        if let Some(user) = &actor.user {
            return of_user(user);
        }
        match actor.session.as_ref().and_then(|session| self.session(session)) {
            Some(Session::Own(_, row)) => (None, Some(row).filter(|row| awake(row, idle.sessions))),
            Some(Session::Of { user, stamp, .. }) if now.saturating_sub(*stamp) <= idle.sessions => {
                of_user(user)
            }
            Some(Session::Of { .. }) | None => (None, None),
        }
    }

    /// How many users and sessions have state.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.users.iter().map(Keyed::len).sum(), self.sessions.iter().map(Keyed::len).sum())
    }

    /// Bytes of histories and tiles beyond fixed parts, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let users = self.users.iter().flat_map(Keyed::iter);
        let sessions = self.sessions.iter().flat_map(Keyed::iter);
        let users: usize = users.map(|(_, user)| user.history.heap_bytes() + user.row.heap_bytes()).sum();
        let sessions = sessions.map(|(_, session)| match session {
            Session::Own(history, row) => history.heap_bytes() + row.heap_bytes(),
            Session::Of { .. } => 0,
        });
        users + sessions.sum::<usize>()
    }

    fn user(&self, id: &UserId) -> Option<&User> {
        self.users[shard(id.as_str())].get(id.as_str())
    }

    fn user_mut(&mut self, id: &UserId, offset: Offset) -> &mut User {
        self.users[shard(id.as_str())].entry(id.as_str(), || User {
            history: History::default(),
            fields: None,
            born: offset,
            row: Row::default(),
        })
    }

    /// A session; `None` for an alias that has lapsed.
    fn session(&self, id: &SessionId) -> Option<&Session> {
        let session = self.sessions[shard(id.as_str())].get(id.as_str())?;
        match session {
            Session::Of { user, merged, .. } if !self.is_alive(user, *merged) => None,
            _ => Some(session),
        }
    }

    /// Forgets a session whose user was deleted after the merge, or that went idle since, so that what it does next
    /// starts anew, in a new place: it must not matter whether a checkpoint, which leaves lapsed aliases out, was read in
    /// between.
    fn drop_lapsed_alias(&mut self, id: &SessionId, now: i64, idle: Idle) {
        let shard = shard(id.as_str());
        let lapsed = match self.sessions[shard].get(id.as_str()) {
            Some(Session::Of { user, merged, stamp }) => {
                !self.is_alive(user, *merged) || now.saturating_sub(*stamp) > idle.sessions
            }
            Some(Session::Own(..)) | None => false,
        };
        if lapsed {
            self.sessions[shard].remove(id.as_str());
        }
    }

    fn is_alive(&self, user: &UserId, merged: Offset) -> bool {
        self.user(user).is_some_and(|user| user.born <= merged)
    }
}

/// An actor of whom nothing was received for too long starts anew.
fn revive(history: &mut History, row: &mut Row, stamp: i64, idle: i64) {
    if row.stamp != i64::MIN && stamp.saturating_sub(row.stamp) > idle {
        history.forget();
    }
    tables::revive(row, stamp, idle);
}

impl Default for Session {
    fn default() -> Self {
        Self::Own(History::default(), Row::default())
    }
}

impl User {
    fn interact(
        &mut self,
        (offset, stamp): (Offset, i64),
        interaction: Stored,
        idle: Idle,
        touch: impl FnOnce(Known<'_>),
    ) {
        revive(&mut self.history, &mut self.row, stamp, idle.users);
        let fields = self.fields.as_deref().unwrap_or(&NO_FIELDS);
        touch(Known { before: self.history.visible(), fields, row: &mut self.row });
        self.history.push(interaction, offset);
    }

    fn copy_to(&self, profile: &mut Profile, weight: &impl Fn(u16) -> f32) {
        self.history.copy_to(profile, weight);
        if let Some(fields) = &self.fields {
            profile.fields = Fields::clone(fields);
        }
    }
}

impl Profiles {
    /// The name of their section in the checkpoint.
    pub(crate) const NAME: &'static str = "profiles";

    /// Writes the whole state.
    pub(crate) fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.length(SHARDS)?;
        for shard in &self.users {
            for (id, user) in shard.iter() {
                writer.u8(1)?;
                writer.text(id)?;
                writer.u64(user.born)?;
                writer.fields(user.fields.as_deref().unwrap_or(&NO_FIELDS))?;
                user.history.write(writer)?;
                user.row.write(writer)?;
            }
            writer.u8(0)?;
        }
        for shard in &self.sessions {
            for (id, session) in shard.iter() {
                match session {
                    Session::Own(history, row) => {
                        writer.u8(1)?;
                        writer.text(id)?;
                        history.write(writer)?;
                        row.write(writer)?;
                    }
                    Session::Of { user, merged, stamp } if self.is_alive(user, *merged) => {
                        writer.u8(2)?;
                        writer.text(id)?;
                        writer.text(user.as_str())?;
                        writer.u64(*merged)?;
                        writer.i64(*stamp)?;
                    }
                    Session::Of { .. } => {}
                }
            }
            writer.u8(0)?;
        }
        Ok(())
    }

    /// Replaces this (empty) state by the one written, its rows laid out by `layout`.
    pub(crate) fn read<R: Read>(
        &mut self,
        layout: &RowLayout,
        reader: &mut Reader<R>,
    ) -> Result<(), FeaturesError> {
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
                let row = Row::read(layout, reader)?;
                shard.entry(&id, || User { history, fields, born, row });
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
                    1 => Session::Own(History::read(reader)?, Row::read(layout, reader)?),
                    2 => Session::Of {
                        user: UserId::trusted(reader.text()?),
                        merged: reader.u64()?,
                        stamp: reader.i64()?,
                    },
                    other => return Err(damaged(format_args!("a session of kind {other}"))),
                };
                shard.entry(&id, || session);
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
