//! Where clients wait while there is no server, and the killer waits for acknowledgements.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Shared by all clients and the killer.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Which server this is; counts up at every opening.
    life: u64,
    address: Option<SocketAddr>,
    acknowledgements: u64,
    ending: bool,
    over: bool,
}

impl Gate {
    /// A server listens here now.
    pub(super) fn open(&self, address: SocketAddr) {
        let mut state = self.state.lock();
        state.life += 1;
        state.address = Some(address);
        state.acknowledgements = 0;
        self.changed.notify_all();
    }

    /// The server is gone.
    pub(super) fn close(&self) {
        self.state.lock().address = None;
    }

    /// Clients finish what they have begun and stop.
    pub(super) fn end(&self) {
        self.state.lock().ending = true;
    }

    /// Whether to begin nothing new.
    pub(super) fn is_ending(&self) -> bool {
        self.state.lock().ending
    }

    /// One answer came.
    pub(super) fn acknowledge(&self) {
        self.state.lock().acknowledgements += 1;
        self.changed.notify_all();
    }

    /// Blocks until this life has given so many answers.
    pub(super) fn wait_for_acknowledgements(&self, count: u64, patience: Duration) {
        let mut state = self.state.lock();
        while state.acknowledgements < count {
            let waited = self.changed.wait_for(&mut state, patience);
            assert!(!waited.timed_out(), "no answer for {patience:?}");
        }
    }

    /// The server of a later life than `life`, once there is one; `None` when there will be none.
    pub(super) fn next_life(&self, life: u64) -> Option<(u64, SocketAddr)> {
        let mut state = self.state.lock();
        loop {
            match state.address {
                _ if state.over => return None,
                Some(address) if state.life > life => return Some((state.life, address)),
                _ => self.changed.wait(&mut state),
            }
        }
    }

    /// Lets waiting clients go when the killer returns or panics, so that a failure ends the test.
    pub(super) fn over_when_dropped(&self) -> impl Drop + '_ {
        Over(self)
    }
}

struct Over<'a>(&'a Gate);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.state.lock().over = true;
        self.0.changed.notify_all();
    }
}
