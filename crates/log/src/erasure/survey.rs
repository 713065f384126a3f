//! Finds the sessions of users who are to be erased.
//!
//! Two passes: which sessions records of these users name, then to whom else these sessions were tied. The archive is
//! asked as well as the logs: it may reach further back.

use hashbrown::HashSet;
use headwater_base::{SessionId, UserId};

use super::{Deletion, Erasure, Rule, Tie};
use crate::archive::{Archive, ArchiveError, Concerned};
use crate::codec::Whose;
use crate::{DecisionLog, EmbeddedLog};

/// What is to be erased for `deletions`: reads both logs and the archive twice, or once where no session is concerned.
///
/// # Errors
/// Damage, or a disk that refuses; [`ArchiveError::Busy`] while another process changes the archive.
pub fn survey(
    log: &EmbeddedLog,
    decisions: &DecisionLog,
    archive: Option<&Archive>,
    deletions: Vec<Deletion>,
) -> Result<Erasure, ArchiveError> {
    let erasure = Erasure::new(deletions, Vec::new());
    let rule = Rule::new(&erasure);
    let mut sessions: HashSet<String> = HashSet::new();
    let mut name = |whose: Whose<'_>, offset| {
        if let Whose::Somebody { session: Some(session), .. } = whose
            && rule.erases(whose, offset)
            && !sessions.contains(session)
        {
            sessions.insert(session.to_owned());
        }
    };
    log.look(&mut name)?;
    decisions.look(&|whose| rule.may_erase(whose), &mut name)?;
    if let Some(archive) = archive {
        let concerned = Concerned::of(erasure.deletions.iter().map(|it| it.user.as_str()), []);
        archive.look(&concerned, &mut |event, offset| name(Whose::of(&event.fact), offset))?;
    }
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
        if let Some(archive) = archive {
            let concerned = Concerned::of([], sessions.iter().map(String::as_str));
            archive.look(&concerned, &mut |event, offset| tie(Whose::of(&event.fact), offset))?;
        }
    }
    drop(rule);
    Ok(Erasure::new(erasure.deletions, ties))
}
