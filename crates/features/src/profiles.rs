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
pub(crate) mod places;

use std::io::{Read, Write};
use std::slice;

use compact_str::CompactString;
use headwater_base::random::stable_hash;
use headwater_base::{Actor, Fields, SessionId, Timestamp, UserId, Value};
use headwater_log::Offset;
use headwater_models::streaming::Owner;

use crate::bytes::{Reader, Writer, damaged};
use crate::declared::Part;
use crate::spill::{Cold, Found, Spilled, bytes_of};
use crate::tiles::{Row, RowLayout};
use crate::{FeaturesError, ItemIndex, tables};
pub(crate) use history::{History, Stored};
use keyed::{Keyed, SHARDS};

pub use history::PROFILE_INTERACTIONS;

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
    /// Whose sessions are theirs: see [`crate::Views::sessions_like`].
    pub owner: Option<Owner>,
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
pub(crate) struct User {
    history: History,
    fields: Option<Box<Fields>>,
    /// Offset of the first event of this user since they were last deleted; an alias made before it has lapsed.
    born: Offset,
    row: Row,
}

#[derive(Debug)]
pub(crate) enum Session {
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
    /// Who it is.
    pub(crate) owner: Owner,
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
///
/// What folds and what is folded is in memory; what reads looks on the disk as well.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    pub(crate) users: Keyed<User>,
    pub(crate) sessions: Keyed<Session>,
}

static NO_FIELDS: Fields = Fields::EMPTY;

/// The owner of a user's sessions.
pub(crate) fn user_owner(user: &UserId) -> Owner {
    stable_hash(user.as_str())
}

/// The owner of what an anonymous session does; apart from the user of the same name.
pub(crate) fn session_owner(session: &SessionId) -> Owner {
    !stable_hash(session.as_str())
}

/// Who asks, as far as known: in memory, or copied from the disk.
#[derive(Debug, Default)]
pub(crate) struct Asker<'a> {
    user: Option<Found<'a, User>>,
    session: Option<Found<'a, Session>>,
}

impl Asker<'_> {
    /// The fields and tiles of the user who acts or asks at `now`, an anonymous session standing for one; no tiles of one
    /// who went idle.
    pub(crate) fn known(&self, now: i64, idle: Idle) -> (Option<&Fields>, Option<&Row>) {
        let awake = |stamp: i64, idle: i64| now.saturating_sub(stamp) <= idle;
        match (&self.user, self.session.as_deref()) {
            (_, Some(Session::Of { stamp, .. })) if !awake(*stamp, idle.sessions) => (None, None),
            (Some(user), _) => {
                (user.fields.as_deref(), Some(&user.row).filter(|row| awake(row.stamp, idle.users)))
            }
            (None, Some(Session::Own(_, row))) => {
                (None, Some(row).filter(|row| awake(row.stamp, idle.sessions)))
            }
            (None, _) => (None, None),
        }
    }
}

impl Profiles {
    /// Adds an interaction at `offset`, received at `stamp`, handing `touch` what was known before; `None` stays out of the
    /// history.
    pub(crate) fn interact(
        &mut self,
        actor: &Actor,
        (offset, stamp): (Offset, i64),
        interaction: Option<Stored>,
        idle: Idle,
        touch: impl FnOnce(Known<'_>),
    ) {
        if let Some(user) = &actor.user {
            let owner = user_owner(user);
            self.user_mut(user, offset).interact(owner, (offset, stamp), interaction, idle, touch);
        } else if let Some(session) = &actor.session {
            self.drop_lapsed_alias(session, stamp, idle);
            let owner = session_owner(session);
            let session = self.sessions.entry(session.as_str(), Session::default);
            match session {
                Session::Own(history, row) => {
                    revive(history, row, stamp, idle.sessions);
                    touch(Known { owner, before: history.visible(), fields: &NO_FIELDS, row });
                    history.push(interaction, offset);
                }
                Session::Of { user, stamp: last, .. } => {
                    *last = stamp;
                    let user = user.clone();
                    let owner = user_owner(&user);
                    self.user_mut(&user, offset).interact(owner, (offset, stamp), interaction, idle, touch);
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
        self.users.remove(id.as_str());
    }

    /// Drops a session, unless it is another user's alias by now.
    pub(crate) fn forget_session(&mut self, id: &SessionId) {
        if !matches!(self.session(id), Some(Session::Of { .. })) {
            self.sessions.remove(id.as_str());
        }
    }

    /// Makes a session an alias of a user, who takes over its history and, laid out by `layout`, its tiles.
    pub(crate) fn merge(
        &mut self,
        session: &SessionId,
        id: &UserId,
        (offset, stamp): (Offset, i64),
        idle: Idle,
        layout: &RowLayout,
    ) {
        self.drop_lapsed_alias(session, stamp, idle);
        let alias = Session::Of { user: id.clone(), merged: offset, stamp };
        let before = std::mem::replace(self.sessions.entry(session.as_str(), Session::default), alias);
        let user = self.user_mut(id, offset);
        revive(&mut user.history, &mut user.row, stamp, idle.users);
        if let Session::Own(mut history, mut row) = before {
            revive(&mut history, &mut row, stamp, idle.sessions);
            user.history.merge(&history);
            user.row.merge(layout, row);
        }
        user.history.last = offset + 1;
    }

    /// Forgets what received nothing since the actor's kind goes idle; what is still known of a user are their fields.
    pub(crate) fn forget_idle(&mut self, now: i64, idle: Idle) {
        self.users.retain(
            |user| {
                if now.saturating_sub(user.row.stamp) > idle.users { user.forget() } else { true }
            },
        );
        self.sessions.retain(|session| now.saturating_sub(session.stamp()) <= idle.sessions);
    }

    /// An owned copy of what is known of `actor`, `weight` giving the weight of each interaction type.
    ///
    /// A user's own history comes first; where there is none, the session is read.
    pub(crate) fn profile(
        &self,
        cold: &Cold,
        actor: &Actor,
        weight: impl Fn(u16) -> f32,
    ) -> Result<Profile, FeaturesError> {
        let mut profile = Profile::default();
        if let Some(user) = &actor.user
            && let Some(known) = cold.find(&self.users, user.as_str())?
        {
            known.copy_to(&mut profile, &weight);
            profile.owner = Some(user_owner(user));
        }
        if profile.interactions.is_empty()
            && let Some(id) = &actor.session
        {
            let Asker { user, session } = self.of_session(cold, id)?;
            if let Some(user) = user {
                user.copy_to(&mut profile, &weight);
                profile.owner = session.as_deref().and_then(Session::alias_of).map(user_owner);
            } else if let Some(Session::Own(history, _)) = session.as_deref() {
                history.copy_to(&mut profile, &weight);
                profile.owner = Some(session_owner(id));
            }
        }
        Ok(profile)
    }

    /// The user who acts or asks; without one, the session or the user whose alias it is.
    pub(crate) fn asker(&self, cold: &Cold, actor: &Actor) -> Result<Asker<'_>, FeaturesError> {
        match (&actor.user, &actor.session) {
            (Some(user), _) => Ok(Asker { user: cold.find(&self.users, user.as_str())?, session: None }),
            (None, Some(session)) => self.of_session(cold, session),
            (None, None) => Ok(Asker::default()),
        }
    }

    fn of_session(&self, cold: &Cold, id: &SessionId) -> Result<Asker<'_>, FeaturesError> {
        let session = cold.find(&self.sessions, id.as_str())?;
        let user = match session.as_deref() {
            Some(Session::Of { user, merged, .. }) => {
                // One born later is not the one whose alias it is.
                cold.find(&self.users, user.as_str())?.filter(|user| user.born <= *merged)
            }
            _ => None,
        };
        Ok(Asker { user, session })
    }

    /// How many users and sessions have state.
    pub(crate) fn counts(&self, cold: &Cold) -> (usize, usize) {
        (self.users.len() + cold.count::<User>(), self.sessions.len() + cold.count::<Session>())
    }

    /// Bytes of histories and tiles in memory beyond fixed parts, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let users = self.users.iter().map(|(_, user)| user.heap_bytes());
        let sessions = self.sessions.iter().map(|(_, session)| session.heap_bytes());
        users.sum::<usize>() + sessions.sum::<usize>()
    }

    fn user_mut(&mut self, id: &UserId, offset: Offset) -> &mut User {
        self.users.entry(id.as_str(), || User::born(offset))
    }

    /// A session in memory; `None` for an alias that has lapsed.
    fn session(&self, id: &SessionId) -> Option<&Session> {
        let session = self.sessions.get(id.as_str())?;
        match session {
            Session::Of { user, merged, .. } if !self.is_alive(user, *merged) => None,
            _ => Some(session),
        }
    }

    /// Whether the user of an alias, who is in memory where there is one, is the one it was made for.
    fn is_alive(&self, user: &UserId, merged: Offset) -> bool {
        self.users.get(user.as_str()).is_some_and(|user| user.born <= merged)
    }

    /// Forgets a session whose user was deleted after the merge, or that went idle since, so that what it does next
    /// starts anew, in a new place: it must not matter whether a checkpoint, which leaves lapsed aliases out, was read in
    /// between.
    fn drop_lapsed_alias(&mut self, id: &SessionId, now: i64, idle: Idle) {
        let lapsed = match self.sessions.get(id.as_str()) {
            Some(Session::Of { user, merged, stamp }) => {
                !self.is_alive(user, *merged) || now.saturating_sub(*stamp) > idle.sessions
            }
            Some(Session::Own(..)) | None => false,
        };
        if lapsed {
            self.sessions.remove(id.as_str());
        }
    }
}

#[cfg(test)]
impl Profiles {
    /// Forgets what everybody did last.
    pub(crate) fn forget_histories(&mut self) {
        self.users.retain(|user| {
            user.history.forget();
            true
        });
        self.sessions.retain(|session| {
            if let Session::Own(history, _) = session {
                history.forget();
            }
            true
        });
    }
}

/// An actor of whom nothing was received for too long starts anew.
pub(crate) fn revive(history: &mut History, row: &mut Row, stamp: i64, idle: i64) {
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
    fn born(offset: Offset) -> Self {
        Self { history: History::default(), fields: None, born: offset, row: Row::default() }
    }

    fn interact(
        &mut self,
        owner: Owner,
        (offset, stamp): (Offset, i64),
        interaction: Option<Stored>,
        idle: Idle,
        touch: impl FnOnce(Known<'_>),
    ) {
        revive(&mut self.history, &mut self.row, stamp, idle.users);
        let fields = self.fields.as_deref().unwrap_or(&NO_FIELDS);
        touch(Known { owner, before: self.history.visible(), fields, row: &mut self.row });
        self.history.push(interaction, offset);
    }

    fn copy_to(&self, profile: &mut Profile, weight: &impl Fn(u16) -> f32) {
        self.history.copy_to(profile, weight);
        if let Some(fields) = &self.fields {
            profile.fields = Fields::clone(fields);
        }
    }
}

impl User {
    /// Forgets all but the fields; false where nothing is left.
    fn forget(&mut self) -> bool {
        self.history.forget();
        self.row.clear();
        self.fields.is_some()
    }
}

impl Session {
    /// The user whose alias it is.
    pub(crate) fn alias_of(&self) -> Option<&UserId> {
        match self {
            Self::Own(..) => None,
            Self::Of { user, .. } => Some(user),
        }
    }
}

impl Spilled for User {
    const KIND: u8 = 0;

    fn stamp(&self) -> i64 {
        self.row.stamp
    }

    fn heap_bytes(&self) -> usize {
        let fields = self.fields.as_deref().map_or(0, fields_bytes);
        self.history.heap_bytes() + self.row.heap_bytes() + fields
    }

    fn idle(idle: Idle) -> i64 {
        idle.users
    }

    fn forgotten(mut self) -> Option<Self> {
        self.forget().then_some(self)
    }

    fn encode<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.u64(self.born)?;
        writer.fields(self.fields.as_deref().unwrap_or(&NO_FIELDS))?;
        self.history.write(writer)?;
        self.row.write(writer)
    }

    fn decode<R: Read>(cold: &Cold, reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        Ok(Self {
            born: reader.u64()?,
            fields: Some(reader.fields()?).filter(|fields| !fields.is_empty()).map(Box::new),
            history: History::read(reader)?,
            row: Row::read(cold.layout(&Part::User), reader)?,
        })
    }
}

impl Spilled for Session {
    const KIND: u8 = 1;

    fn stamp(&self) -> i64 {
        let (Self::Own(_, Row { stamp, .. }) | Self::Of { stamp, .. }) = self;
        *stamp
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Own(history, row) => history.heap_bytes() + row.heap_bytes(),
            Self::Of { .. } => 0,
        }
    }

    fn idle(idle: Idle) -> i64 {
        idle.sessions
    }

    fn forgotten(self) -> Option<Self> {
        None
    }

    fn encode<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        match self {
            Self::Own(history, row) => {
                writer.u8(1)?;
                history.write(writer)?;
                row.write(writer)
            }
            Self::Of { user, merged, stamp } => {
                writer.u8(2)?;
                writer.text(user.as_str())?;
                writer.u64(*merged)?;
                writer.i64(*stamp)
            }
        }
    }

    fn decode<R: Read>(cold: &Cold, reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        Ok(match reader.u8()? {
            // An anonymous session stands for a user.
            1 => Self::Own(History::read(reader)?, Row::read(cold.layout(&Part::User), reader)?),
            2 => Self::Of {
                user: UserId::trusted(reader.text()?),
                merged: reader.u64()?,
                stamp: reader.i64()?,
            },
            other => return Err(damaged(format_args!("a session of kind {other}"))),
        })
    }
}

/// Bytes of fields, about.
fn fields_bytes(fields: &Fields) -> usize {
    let value = |value: &Value| match value {
        Value::Categorical(_) | Value::Numeric(_) | Value::Time(_) => 0,
        Value::Tags(tags) => tags.len() * size_of::<CompactString>(),
        Value::Text(text) => text.len(),
        Value::Vector(vector) => 4 * vector.len(),
    };
    let each = fields.iter().map(|(_, held)| size_of::<(CompactString, Value)>() + value(held));
    size_of::<Fields>() + each.sum::<usize>()
}

impl Profiles {
    /// The name of their section in the checkpoint.
    pub(crate) const NAME: &'static str = "profiles";

    /// Writes the whole state: what is in memory and what is on the disk.
    pub(crate) fn write<W: Write>(&self, cold: &Cold, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        writer.length(SHARDS)?;
        cold.write(&self.users, writer, |_| Ok(true))?;
        cold.write(&self.sessions, writer, |session| match session {
            Session::Own(..) => Ok(true),
            Session::Of { user, merged, .. } => {
                let user = cold.find(&self.users, user.as_str())?;
                Ok(user.is_some_and(|user| user.born <= *merged))
            }
        })
    }

    /// Replaces this (empty) state by the one written. `after` is told of each entity's bytes, and may put some away.
    pub(crate) fn read<R: Read>(
        &mut self,
        cold: &mut Cold,
        reader: &mut Reader<R>,
        mut after: impl FnMut(&mut Self, &mut Cold, usize) -> Result<(), FeaturesError>,
    ) -> Result<(), FeaturesError> {
        let shards = reader.length()?;
        if shards != SHARDS {
            return Err(damaged(format_args!("{shards} shards of profiles instead of {SHARDS}")));
        }
        cold.read(reader, |cold, id, user: User| {
            let bytes = bytes_of(&id, &user);
            self.users.entry(&id, || user);
            after(self, cold, bytes)
        })?;
        cold.read(reader, |cold, id, session: Session| {
            let bytes = bytes_of(&id, &session);
            self.sessions.entry(&id, || session);
            after(self, cold, bytes)
        })
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
