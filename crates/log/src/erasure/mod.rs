//! Erasure of users from the event log and the decision log.
//!
//! A [`UserDelete`](headwater_base::Fact::UserDelete) asks for it: every record of the user up to and including it
//! becomes [`Erased`](headwater_base::Fact::Erased) at the same offset, without an id and with times coarsened to the
//! hour. A user's records are those that name them, and those of sessions that were theirs ([`Rule`]). What came after
//! is a new user's. So is what is done in this order, by whoever has both logs:
//!
//! 1. [`EmbeddedLog::deletions`](crate::EmbeddedLog::deletions) finds who asked.
//! 2. [`survey()`] finds their sessions, in the archive as well. The [`Erasure`] that results is stored by the caller:
//!    once records are gone, nothing says any more whose the sessions were.
//! 3. [`erase`] rewrites, segment by segment. It may be interrupted anywhere, by a crash too, and called again.
//!
//! Hashes of the ids of erased events stay beside the segments, so that an event sent again is still a duplicate.

mod decisions;
mod embedded;
mod rule;
mod survey;

use headwater_base::{SessionId, UserId};

use crate::segment::rewrite::Rewritten;
use crate::{DecisionLog, EmbeddedLog, LogError, Offset};
pub use rule::Rule;
pub use survey::survey;

/// A user asked to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Who.
    pub user: UserId,
    /// Offset of the deletion in the event log.
    pub offset: Offset,
}

/// A session was seen to be a user's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tie {
    /// The session.
    pub session: SessionId,
    /// Offset in the event log of the record that says so; of a decision, the offset of the views it saw.
    pub offset: Offset,
    /// Whose it is.
    pub user: UserId,
}

/// What is to be erased. Plain data, to be stored until it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Who, and up to where.
    pub deletions: Vec<Deletion>,
    /// All ties of sessions that were ever tied to one of them, by session and offset.
    pub ties: Vec<Tie>,
}

/// What an erasure did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Records erased; those that an interrupted run had erased before are not counted again.
    pub records: u64,
    /// Segments rewritten.
    pub segments: usize,
    /// Size of these segments before.
    pub bytes: u64,
    /// Whether everything was looked through; false if it was told to stop.
    pub complete: bool,
}

impl Erased {
    fn add(&mut self, rewritten: &Rewritten) {
        self.records += rewritten.records;
        self.segments += 1;
        self.bytes += rewritten.old.bytes;
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            segments: self.segments + other.segments,
            bytes: self.bytes + other.bytes,
            complete: self.complete && other.complete,
        }
    }
}

/// Erases from both logs, until `keep_going` says no: it is asked between segments.
///
/// # Errors
/// Damage, or a disk that refuses; what is left is found when it is called again.
pub fn erase(
    log: &EmbeddedLog,
    decisions: &DecisionLog,
    erasure: &Erasure,
    keep_going: &dyn Fn() -> bool,
) -> Result<Erased, LogError> {
    let rule = Rule::new(erasure);
    let decided = decisions.erase(&rule, keep_going)?;
    Ok(log.erase(&rule, erasure.end(), keep_going)?.and(decided))
}
