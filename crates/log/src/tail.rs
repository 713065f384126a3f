//! The most recent durable events, in memory, and the signal that there are more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use headwater_base::Event;
use parking_lot::{Condvar, Mutex};

use crate::Offset;

/// Committed batches that subscribers have likely not read yet.
pub(crate) struct Tail {
    state: Mutex<State>,
    grown: Condvar,
    most_events: usize,
}

struct State {
    batches: VecDeque<(Offset, Arc<[Event]>)>,
    events: usize,
    end: Offset,
    closed: bool,
}

/// What stands at an offset.
pub(crate) enum Found {
    /// These events, the first of them at the offset asked for.
    Events(Arc<[Event]>),
    /// Something no longer in memory.
    Older,
    /// Nothing came in time.
    Nothing,
    /// Nothing, and nothing will.
    Closed,
}

impl Tail {
    pub(crate) fn new(end: Offset, most_events: usize) -> Self {
        let state = State { batches: VecDeque::new(), events: 0, end, closed: false };
        Self { state: Mutex::new(state), grown: Condvar::new(), most_events }
    }

    /// Adds events that are durable and follow those before, and wakes who waits for them.
    pub(crate) fn push(&self, events: Arc<[Event]>) {
        let mut state = self.state.lock();
        let first = state.end;
        state.end += events.len() as u64;
        state.events += events.len();
        state.batches.push_back((first, events));
        while state.events > self.most_events
            && state.batches.len() > 1
            && let Some((_, oldest)) = state.batches.pop_front()
        {
            state.events -= oldest.len();
        }
        drop(state);
        self.grown.notify_all();
    }

    /// Drops what stands before `offset`, as far as whole batches go: it is read from disk from then on.
    pub(crate) fn forget_before(&self, offset: Offset) {
        let mut state = self.state.lock();
        while let Some((first, events)) = state.batches.front()
            && *first < offset
        {
            let length = events.len();
            state.events -= length;
            state.batches.pop_front();
        }
    }

    /// Tells who waits that nothing more comes.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.grown.notify_all();
    }

    /// Whether there is nothing at `from` and nothing will be.
    pub(crate) fn closed_at(&self, from: Offset) -> bool {
        let state = self.state.lock();
        state.closed && from >= state.end
    }

    /// What stands at `from`, waiting at most `timeout` for it.
    pub(crate) fn wait(&self, from: Offset, timeout: Duration) -> Found {
        let mut state = self.state.lock();
        self.grown.wait_while_for(&mut state, |state| state.end <= from && !state.closed, timeout);
        if state.end <= from {
            return if state.closed { Found::Closed } else { Found::Nothing };
        }
        let after = state.batches.partition_point(|(first, _)| *first <= from);
        let Some((first, events)) = after.checked_sub(1).map(|at| &state.batches[at]) else {
            return Found::Older;
        };
        match usize::try_from(from - first) {
            Ok(0) => Found::Events(Arc::clone(events)),
            Ok(skipped) => Found::Events(events[skipped..].into()),
            Err(_) => Found::Older,
        }
    }
}
