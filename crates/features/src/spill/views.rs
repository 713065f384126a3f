//! How the views keep within their limit: around each few events, by the thread that folds.
//!
//! Readers wait for memory to change hands only, never for the disk: what comes back is read, and what goes is written,
//! while they read on.

use headwater_base::{Event, SessionId};
use parking_lot::MutexGuard;

use super::{Hand, Touched, all_bytes};
use crate::state::State;
use crate::views::Fold;
use crate::{FeaturesError, Views};

/// Entities that move to another store while folding waits: some milliseconds.
const MOVED: usize = 256;

/// What events touch, and where the day stood before them.
pub(crate) struct Thawed {
    touched: Touched,
    boundary: i64,
    limit: usize,
}

impl State {
    pub(crate) fn touched(&self, events: &[Event]) -> Result<Touched, FeaturesError> {
        Touched::by_events(events, (&self.profiles, &self.tables), &self.cold)
    }

    pub(crate) fn touched_sessions(&self, sessions: &[&SessionId]) -> Result<Touched, FeaturesError> {
        let sessions = sessions.iter().map(|session| session.as_str());
        Touched::by_sessions(sessions, (&self.profiles, &self.tables), &self.cold)
    }
}

impl Views {
    /// Brings whom `find` finds into memory; nothing to do without a limit.
    pub(crate) fn thaw(
        &self,
        find: impl FnOnce(&State) -> Result<Touched, FeaturesError>,
    ) -> Result<Option<Thawed>, FeaturesError> {
        let Some(spill) = &self.options.spill else { return Ok(None) };
        let state = self.state.read();
        let boundary = state.cold.boundary();
        let mut touched = find(&state)?;
        drop(state);
        let thawed = touched.thawed();
        if thawed > 0 {
            let mut state = self.state.write();
            let State { profiles, tables, .. } = &mut *state;
            touched.enter(profiles, tables);
        }
        let state = self.state.read();
        touched.leave(&state.cold)?;
        state.cold.add_thawed(thawed);
        Ok(Some(Thawed { touched, boundary, limit: spill.limit }))
    }

    /// Puts the least recently active on the disk, where there are too many after what `thawed` names was folded.
    pub(crate) fn make_room(&self, hand: &mut Hand, thawed: Option<Thawed>) -> Result<(), FeaturesError> {
        let Some(Thawed { touched, boundary, limit }) = thawed else { return Ok(()) };
        let state = self.state.read();
        let mut hot = if state.cold.boundary() == boundary {
            let (after, before) = touched.change(&state.profiles, &state.tables);
            (state.cold.memory() + after).saturating_sub(before)
        } else {
            // A day began, and whoever was idle was forgotten.
            all_bytes(&state.profiles, &state.tables)
        };
        drop(state);
        if hot > limit {
            self.state.write().cold.open()?;
        }
        while hot > limit {
            let state = self.state.read();
            let victims = hand.put_away((&state.profiles, &state.tables), &state.cold, hot - limit)?;
            drop(state);
            let mut state = self.state.write();
            let State { profiles, tables, .. } = &mut *state;
            let freed = victims.leave(profiles, tables);
            if freed == 0 {
                break;
            }
            hot = hot.saturating_sub(freed);
        }
        self.state.read().cold.set_memory(hot);
        Ok(())
    }

    /// Writes what is on the disk anew, so that no file there names anybody any more who was deleted before. Folding
    /// goes on in between.
    ///
    /// # Errors
    /// [`FeaturesError::Spill`]; what was not moved by then is in place, and moves when it is called again.
    pub fn rewrite_spilled(&self) -> Result<(), FeaturesError> {
        self.move_everything()?;
        let mut fold = self.fold.lock();
        let successor = self.state.read().cold.successor()?;
        let Some(successor) = successor else { return Ok(()) };
        fold.moved.clear();
        self.state.write().cold.begin_move(successor);
        drop(fold);
        self.move_everything()
    }

    fn move_everything(&self) -> Result<(), FeaturesError> {
        let mut fold = self.fold.lock();
        while self.move_some(&mut fold)? {
            MutexGuard::unlock_fair(fold);
            fold = self.fold.lock();
        }
        Ok(())
    }

    /// Moves a piece of a store that is being left; false where there is none any more.
    pub(crate) fn move_some(&self, fold: &mut Fold) -> Result<bool, FeaturesError> {
        let more = self.state.read().cold.move_some(&mut fold.moved, MOVED)?;
        if !more {
            let left = self.state.write().cold.end_move();
            drop(left);
        }
        Ok(more)
    }
}
