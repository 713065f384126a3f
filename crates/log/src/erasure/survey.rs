//! Finds the sessions of users who are to be erased.
//!
//! Two passes: which sessions records of these users name, then to whom else these sessions were tied.

use hashbrown::HashSet;
use headwater_base::{SessionId, UserId};

use super::{Deletion, Erasure, Rule, Tie};
use crate::codec::Whose;
use crate::{DecisionLog, EmbeddedLog, LogError};

/// What is to be erased for `deletions`: reads both logs twice, or once where no session is concerned.
///
/// # Errors
/// Damage, or a disk that refuses.
pub fn survey(
    log: &EmbeddedLog,
    decisions: &DecisionLog,
    deletions: Vec<Deletion>,
) -> Result<Erasure, LogError> {
    let erasure = Erasure::new(deletions, Vec::new());
    let rule = Rule::new(&erasure);
    let mut sessions: HashSet<String> = HashSet::new();
    let mut name = |whose: Whose<'_>, _| {
        if let Whose::Somebody { session: Some(session), .. } = whose
            && !sessions.contains(session)
        {
            sessions.insert(session.to_owned());
        }
    };
    log.look(&mut |whose, offset| {
        if rule.erases(whose, offset) {
            name(whose, offset);
        }
    })?;
    decisions.look(&|whose| rule.may_erase(whose), &mut |whose, offset| {
        if rule.erases(whose, offset) {
            name(whose, offset);
        }
    })?;
    let mut ties = Vec::new();
    if !sessions.is_empty() {
        let concerned = |whose: Whose<'_>| matches!(whose, Whose::Somebody { session: Some(session), user: Some(_) } if sessions.contains(session));
        let mut tie = |whose: Whose<'_>, offset| {
            if concerned(whose)
                && let Whose::Somebody { session: Some(session), user: Some(user) } = whose
            {
                ties.push(Tie { session: SessionId::trusted(session), offset, user: UserId::trusted(user) });
            }
        };
        log.look(&mut tie)?;
        decisions.look(&concerned, &mut tie)?;
    }
    drop(rule);
    Ok(Erasure::new(erasure.deletions, ties))
}
