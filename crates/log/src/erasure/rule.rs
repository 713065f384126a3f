//! Whose a record is.
//!
//! A record that names a user is that user's. One that names only a session belongs to the user the session was last
//! tied to before it, or, if there is none or that one was deleted in between, to the first it was tied to after. What
//! two people did in one session is kept apart that way.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use headwater_base::{SessionId, UserId};

use super::{Deletion, Erasure, Tie};
use crate::Offset;
use crate::codec::Whose;

/// See the module. Made of an [`Erasure`], to be asked for every record.
#[derive(Debug)]
pub struct Rule<'a> {
    /// Offsets of the deletions of each user, ascending.
    deletions: HashMap<&'a str, Vec<Offset>>,
    /// Ties of each session, by offset.
    ties: HashMap<&'a str, Vec<(Offset, &'a UserId)>>,
}

impl<'a> Rule<'a> {
    /// The rule for `erasure`.
    pub fn new(erasure: &'a Erasure) -> Self {
        let mut deletions: HashMap<_, Vec<_>> = HashMap::new();
        for deletion in &erasure.deletions {
            deletions.entry(deletion.user.as_str()).or_default().push(deletion.offset);
        }
        let mut ties: HashMap<_, Vec<_>> = HashMap::new();
        for tie in &erasure.ties {
            ties.entry(tie.session.as_str()).or_default().push((tie.offset, &tie.user));
        }
        deletions.values_mut().for_each(|offsets| offsets.sort_unstable());
        ties.values_mut().for_each(|ties| ties.sort_unstable());
        Self { deletions, ties }
    }

    /// Whether the record goes that names `whose` and stands at `offset`; for a decision, the offset of the views it saw.
    pub fn erases(&self, whose: Whose<'_>, offset: Offset) -> bool {
        match whose {
            Whose::Nobody => false,
            Whose::Deletion { user } | Whose::Somebody { user: Some(user), .. } => {
                self.deletion_after(user, offset).is_some()
            }
            Whose::Somebody { session: Some(session), .. } => self.was_a_deleted_ones(session, offset),
            Whose::Somebody { .. } => false,
        }
    }

    /// Whether a decision that names `whose` may go, whatever its offset.
    pub fn may_erase(&self, whose: Whose<'_>) -> bool {
        match whose {
            Whose::Nobody => false,
            Whose::Deletion { user } | Whose::Somebody { user: Some(user), .. } => {
                self.deletions.contains_key(user)
            }
            Whose::Somebody { session: Some(session), .. } => self.ties.contains_key(session),
            Whose::Somebody { .. } => false,
        }
    }

    /// The first deletion of `user` at or after `offset`.
    fn deletion_after(&self, user: &str, offset: Offset) -> Option<Offset> {
        self.deletions.get(user)?.iter().copied().find(|deletion| *deletion >= offset)
    }

    fn was_a_deleted_ones(&self, session: &str, offset: Offset) -> bool {
        let Some(ties) = self.ties.get(session) else { return false };
        // A tie where a decision's views stood was not yet in them.
        let after = ties.partition_point(|(tied, _)| *tied < offset);
        if let Some((tied, user)) = after.checked_sub(1).map(|at| ties[at]) {
            match self.deletion_after(user.as_str(), tied) {
                Some(deletion) if deletion >= offset => return true,
                // Deleted since, and with that the tie.
                Some(_) => {}
                None => return false,
            }
        }
        ties.get(after).is_some_and(|(tied, user)| self.deletion_after(user.as_str(), *tied).is_some())
    }
}

impl Erasure {
    /// Of these deletions and ties; leaves out ties that say nothing new.
    pub fn new(deletions: Vec<Deletion>, mut ties: Vec<Tie>) -> Self {
        ties.sort_unstable();
        let known = Self { deletions, ties: Vec::new() };
        let rule = Rule::new(&known);
        ties.dedup_by(|tie, before| {
            let same = tie.session == before.session && tie.user == before.user;
            // Tied again after a deletion, it is a new user's.
            same && rule.deletion_after(tie.user.as_str(), before.offset).is_none_or(|at| at >= tie.offset)
        });
        drop(rule);
        Self { ties, ..known }
    }

    /// Who is erased.
    pub fn users(&self) -> BTreeSet<&UserId> {
        self.deletions.iter().map(|deletion| &deletion.user).collect()
    }

    /// The sessions that were theirs.
    pub fn sessions(&self) -> BTreeSet<&SessionId> {
        let users = self.users();
        self.ties.iter().filter(|tie| users.contains(&tie.user)).map(|tie| &tie.session).collect()
    }

    /// The offset after the last deletion.
    pub fn end(&self) -> Offset {
        self.deletions.iter().map(|deletion| deletion.offset + 1).max().unwrap_or(0)
    }
}
