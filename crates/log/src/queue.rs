//! The bounded queue of appends on their way to the writer.

use std::collections::VecDeque;
use std::time::Duration;

use headwater_base::Event;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::dedup::IdHash;
use crate::{Appended, LogError};

/// One call of `append`, encoded by its caller.
pub(crate) struct Request {
    pub(crate) events: Vec<Event>,
    /// The encoded events, one after the other.
    pub(crate) encoded: Vec<u8>,
    /// One for each event.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) reply: oneshot::Sender<Result<Appended, LogError>>,
    /// Answered only after the active segment, unless it holds nothing, was sealed.
    pub(crate) rotate: bool,
}

/// One encoded event.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    /// Where it ends in the encoded bytes; it starts where the one before ends.
    pub(crate) end: usize,
    /// The hash of its id.
    pub(crate) id: IdHash,
    /// The log made the id itself: no other event can have it.
    pub(crate) named_here: bool,
}

/// See the module.
pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    most_events: usize,
    most_bytes: usize,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    events: usize,
    bytes: usize,
    /// The writer sleeps until this many requests wait.
    wanted: usize,
    /// Why nothing more is taken.
    stopped: Option<LogError>,
}

impl Queue {
    pub(crate) fn new(most_events: usize, most_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            most_events: most_events.max(1),
            most_bytes: most_bytes.max(1),
        }
    }

    /// Hands over `request`, waiting for room; a request larger than the whole queue waits until it is empty.
    pub(crate) fn push(&self, request: Request) {
        let (events, bytes) = (request.events.len(), request.encoded.len());
        let mut state = self.state.lock();
        self.room.wait_while(&mut state, |state| {
            state.stopped.is_none()
                && !state.requests.is_empty()
                && (state.events + events > self.most_events || state.bytes + bytes > self.most_bytes)
        });
        if let Some(error) = &state.stopped {
            let error = error.clone();
            drop(state);
            // The caller may have gone without waiting for the answer.
            let _ = request.reply.send(Err(error));
            return;
        }
        state.events += events;
        state.bytes += bytes;
        state.requests.push_back(request);
        // A full queue cannot reach what the writer wants.
        let full = state.events >= self.most_events || state.bytes >= self.most_bytes;
        let enough = state.requests.len() >= state.wanted || full;
        drop(state);
        if enough {
            self.work.notify_one();
        }
    }

    /// What waits, up to `most_bytes` of it, as soon as anything does; then for `linger` at most until `expected`
    /// requests do. Empty once the queue is stopped and drained.
    pub(crate) fn take(&self, expected: usize, linger: Duration, most_bytes: usize) -> Vec<Request> {
        let mut guard = self.state.lock();
        guard.wanted = 1;
        self.work.wait_while(&mut guard, |state| state.requests.is_empty() && state.stopped.is_none());
        if guard.requests.len() < expected && !linger.is_zero() && guard.stopped.is_none() {
            guard.wanted = expected;
            // Woken early or late, what waits by then is committed.
            self.work.wait_for(&mut guard, linger);
        }
        let state = &mut *guard;
        let mut taken = Vec::with_capacity(state.requests.len());
        let mut bytes = 0;
        while let Some(request) = state.requests.front()
            && (taken.is_empty() || bytes + request.encoded.len() <= most_bytes)
        {
            bytes += request.encoded.len();
            state.events -= request.events.len();
            state.bytes -= request.encoded.len();
            taken.extend(state.requests.pop_front());
        }
        drop(guard);
        self.room.notify_all();
        taken
    }

    /// Takes nothing more; what waits is still committed.
    pub(crate) fn close(&self) {
        self.state.lock().stopped.get_or_insert(LogError::Closed);
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Takes nothing more and answers what waits, and what comes, with `error`.
    pub(crate) fn fail(&self, error: &LogError) {
        let mut state = self.state.lock();
        state.stopped = Some(error.clone());
        let waiting = std::mem::take(&mut state.requests);
        (state.events, state.bytes) = (0, 0);
        drop(state);
        self.room.notify_all();
        for request in waiting {
            let _ = request.reply.send(Err(error.clone()));
        }
    }
}
