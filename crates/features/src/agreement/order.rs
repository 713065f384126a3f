//! Decisions by the position of the log they saw, from a stream in the order in which they were written.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use headwater_base::Decision;
use headwater_log::Offset;

/// Sorts within a window: exact as long as no decision is overtaken by more others than the window holds.
pub struct InPositionOrder<D> {
    decisions: D,
    window: usize,
    ahead: BinaryHeap<Reverse<Waiting>>,
    read: u64,
}

struct Waiting {
    key: (Offset, u64),
    decision: Box<Decision>,
}

impl<D> InPositionOrder<D> {
    /// Holds `window` decisions at a time.
    pub fn new(decisions: D, window: usize) -> Self {
        Self { decisions, window, ahead: BinaryHeap::with_capacity(window), read: 0 }
    }
}

impl<E, D: Iterator<Item = Result<Box<Decision>, E>>> Iterator for InPositionOrder<D> {
    type Item = Result<Box<Decision>, E>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ahead.len() < self.window {
            match self.decisions.next() {
                Some(Ok(decision)) => {
                    let key = (decision.position.first().copied().unwrap_or(0), self.read);
                    self.read += 1;
                    self.ahead.push(Reverse(Waiting { key, decision }));
                }
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        self.ahead.pop().map(|Reverse(waiting)| Ok(waiting.decision))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
