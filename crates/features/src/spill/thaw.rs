//! Who comes back from the disk: whoever the next events name.
//!
//! They are fetched before the events are folded, while readers go on: folding itself finds everybody in memory and
//! cannot fail.

use compact_str::CompactString;
use headwater_base::{Event, Fact};

use super::evict::bytes_of;
use super::{Cold, OnDisk, Spilled};
use crate::FeaturesError;
use crate::profiles::keyed::Keyed;
use crate::profiles::{Profiles, Session, User};
use crate::tables::Tables;
use crate::tiles::Row;

/// The entities that some events name.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    users: Part<User>,
    sessions: Part<Session>,
    rows: Part<Row>,
    /// Bytes of those that were in memory.
    before: usize,
}

#[derive(Debug)]
struct Part<T> {
    ids: Vec<CompactString>,
    /// What comes back.
    thawed: Vec<(CompactString, T)>,
    /// What leaves the disk: all that comes back, and what is forgotten.
    leaving: Vec<CompactString>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { ids: Vec::new(), thawed: Vec::new(), leaving: Vec::new() }
    }
}

impl Touched {
    /// Finds those whom `events` name, and the users whose aliases those sessions are.
    pub(crate) fn by_events(
        events: &[Event],
        (profiles, tables): (&Profiles, &Tables),
        cold: &Cold,
    ) -> Result<Self, FeaturesError> {
        let mut touched = Self::default();
        for event in events {
            let (user, session) = match &event.fact {
                Fact::Interaction(interaction) => {
                    (interaction.actor.user.as_ref(), interaction.actor.session.as_ref())
                }
                Fact::UserUpsert { user, .. } | Fact::UserDelete { user } => (Some(user), None),
                Fact::Merge { session, user } => (Some(user), Some(session)),
                _ => continue,
            };
            touched.users.ids.extend(user.map(|user| user.as_str().into()));
            touched.sessions.ids.extend(session.map(|session| session.as_str().into()));
        }
        touched.fetch((profiles, tables), cold)?;
        Ok(touched)
    }

    /// Finds these sessions, and the users whose aliases they are.
    pub(crate) fn by_sessions<'a>(
        sessions: impl Iterator<Item = &'a str>,
        (profiles, tables): (&Profiles, &Tables),
        cold: &Cold,
    ) -> Result<Self, FeaturesError> {
        let mut touched = Self::default();
        touched.sessions.ids.extend(sessions.map(CompactString::from));
        touched.fetch((profiles, tables), cold)?;
        Ok(touched)
    }

    fn fetch(&mut self, (profiles, tables): (&Profiles, &Tables), cold: &Cold) -> Result<(), FeaturesError> {
        let Self { users, sessions, rows, before } = self;
        *before += sessions.fetch(&profiles.sessions, cold)?;
        rows.ids.clone_from(&sessions.ids);
        *before += rows.fetch(&tables.sessions, cold)?;
        let hot = sessions.ids.iter().filter_map(|id| profiles.sessions.get(id));
        let all = hot.chain(sessions.thawed.iter().map(|(_, session)| session));
        users.ids.extend(all.filter_map(Session::alias_of).map(|user| user.as_str().into()));
        *before += users.fetch(&profiles.users, cold)?;
        Ok(())
    }

    /// How many come back.
    pub(crate) fn thawed(&self) -> usize {
        self.users.thawed.len() + self.sessions.thawed.len() + self.rows.thawed.len()
    }

    /// Puts those that come back into memory.
    pub(crate) fn enter(&mut self, profiles: &mut Profiles, tables: &mut Tables) {
        self.users.enter(&mut profiles.users);
        self.sessions.enter(&mut profiles.sessions);
        self.rows.enter(&mut tables.sessions);
    }

    /// Removes from the disk what is in memory by now.
    pub(crate) fn leave(&mut self, cold: &Cold) -> Result<(), FeaturesError> {
        self.users.leave(cold)?;
        self.sessions.leave(cold)?;
        self.rows.leave(cold)
    }

    /// How many bytes more they have after the events, and how many they had before.
    pub(crate) fn change(&self, profiles: &Profiles, tables: &Tables) -> (usize, usize) {
        let after = self.users.bytes(&profiles.users)
            + self.sessions.bytes(&profiles.sessions)
            + self.rows.bytes(&tables.sessions);
        (after, self.before)
    }
}

impl<T: Spilled> Part<T> {
    /// Fetches those that are not in memory; gives the bytes of those that are.
    fn fetch(&mut self, hot: &Keyed<T>, cold: &Cold) -> Result<usize, FeaturesError> {
        self.ids.sort_unstable();
        self.ids.dedup();
        let mut bytes = 0;
        for id in &self.ids {
            if let Some(state) = hot.get(id) {
                bytes += bytes_of(id, state);
                continue;
            }
            match cold.get(id)? {
                OnDisk::Nothing => continue,
                OnDisk::Forgotten => {}
                OnDisk::Entity(state) => self.thawed.push((id.clone(), state)),
            }
            self.leaving.push(id.clone());
        }
        Ok(bytes)
    }

    fn enter(&mut self, hot: &mut Keyed<T>) {
        for (id, state) in self.thawed.drain(..) {
            hot.entry(&id, || state);
        }
    }

    fn leave(&mut self, cold: &Cold) -> Result<(), FeaturesError> {
        self.leaving.drain(..).try_for_each(|id| cold.remove::<T>(&id))
    }

    fn bytes(&self, hot: &Keyed<T>) -> usize {
        self.ids.iter().filter_map(|id| Some(bytes_of(id, hot.get(id)?))).sum()
    }
}
