//! Joins the stream of decisions with the log of events, in the order in which both were received.
//!
//! An interaction is the outcome of a shown item when it names the decision's request id. Without a request id, it is
//! the outcome of the latest decision that showed the item to the same user, or to the same session where one of the
//! two names no user. Either way it is received no earlier than the decision, and happens within the attribution
//! window from the decision on, by event time. Of several of one type the first to happen counts.
//!
//! A decision stays open until the receive time has passed its window and the grace for late events. What is kept of it
//! meanwhile is a few hundred bytes; the decision itself is read a second time when it closes. So memory follows the
//! number of decisions within window and grace, whatever the size of the log.

use std::iter::Peekable;
use std::time::Duration;

use headwater_base::{Decision, Event, Fact, Timestamp};
use headwater_log::{LogError, LogReader, Offset};
use serde::Serialize;

use super::open::{Arrived, Arriving, Found, OpenDecision, OpenDecisions};
use super::{ExampleOptions, Outcome};
use crate::TrainingError;

/// A decision with what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// Its place in the stream of decisions.
    pub offset: Offset,
    /// When it was made.
    pub time: Timestamp,
    /// The decision.
    pub decision: Box<Decision>,
    /// For each shown item, what was done with it: at most one outcome of each type, by name.
    pub outcomes: Vec<Vec<Outcome>>,
}

/// What a join has met so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JoinCounts {
    /// Decisions read.
    pub decisions: u64,
    /// Decisions whose outcomes may still come, at the end.
    pub open: u64,
    /// Decisions of users that were deleted since.
    pub erased: u64,
    /// Interactions read.
    pub interactions: u64,
    /// Interactions that are the outcome of the decision they name.
    pub by_request: u64,
    /// Interactions that are the outcome of a decision for the same user or session.
    pub by_actor: u64,
    /// Interactions whose type had been seen for the same shown item.
    pub repeated: u64,
    /// The most decisions that were open at once.
    pub most_open: u64,
}

/// Decisions with their outcomes, in the order of the stream. See the module.
///
/// `D` gives the stream of decisions twice: one reader opens them, the other follows behind and closes them.
pub struct Join<E: Iterator, D: Iterator> {
    events: Peekable<E>,
    opening: Peekable<D>,
    closing: Peekable<D>,
    options: ExampleOptions,
    open: OpenDecisions,
    /// The latest receive time met; never moves back.
    watermark: Timestamp,
    counts: JoinCounts,
    ended: bool,
    failed: bool,
}

pub(super) type Entry = Result<(Offset, Event), LogError>;

impl<'a> Join<headwater_log::Events<'a>, headwater_log::Events<'a>> {
    /// Joins what two logs hold now.
    pub fn of(events: &'a LogReader, decisions: &'a LogReader, options: ExampleOptions) -> Self {
        let start = decisions.start();
        Self::new(
            events.events_from(events.start()),
            decisions.events_from(start),
            decisions.events_from(start),
            options,
        )
    }
}

impl<E: Iterator<Item = Entry>, D: Iterator<Item = Entry>> Join<E, D> {
    /// Joins `events` with decisions; `opening` and `closing` give the same.
    pub fn new(events: E, opening: D, closing: D, options: ExampleOptions) -> Self {
        Self {
            events: events.peekable(),
            opening: opening.peekable(),
            closing: closing.peekable(),
            options,
            open: OpenDecisions::default(),
            watermark: Timestamp::from_micros(i64::MIN),
            counts: JoinCounts::default(),
            ended: false,
            failed: false,
        }
    }

    /// What was met so far.
    pub fn counts(&self) -> JoinCounts {
        self.counts
    }

    fn advance(&mut self) -> Result<Option<Joined>, TrainingError> {
        loop {
            while let Some(closed) = self.close() {
                if let Some(joined) = self.joined(closed)? {
                    return Ok(Some(joined));
                }
            }
            if self.ended {
                return Ok(None);
            }
            self.step()?;
        }
    }

    /// Takes the next decision or event, whichever was received first; a decision where both were at once.
    fn step(&mut self) -> Result<(), TrainingError> {
        let received = |entry: Option<&Entry>| match entry {
            Some(Ok((_, event))) => Some(event.received),
            // An error comes out at once.
            Some(Err(_)) => Some(Timestamp::from_micros(i64::MIN)),
            None => None,
        };
        let event = received(self.events.peek()).map(|received| received.max(self.watermark));
        let decision = received(self.opening.peek());
        match (decision, event) {
            (None, None) => self.end(),
            (Some(decision), event) if event.is_none_or(|event| decision <= event) => {
                if let Some(entry) = self.opening.next() {
                    let (offset, event) = entry?;
                    self.watermark = self.watermark.max(event.received);
                    if let Fact::Decision(decision) = &event.fact {
                        self.counts.decisions += 1;
                        self.open.open(offset, event.time, self.watermark, decision);
                        self.counts.most_open = self.counts.most_open.max(self.open.len() as u64);
                    }
                }
            }
            _ => {
                if let Some(entry) = self.events.next() {
                    let (_, event) = entry?;
                    self.watermark = self.watermark.max(event.received);
                    self.event(&event);
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        let received = self.watermark;
        match &event.fact {
            Fact::Interaction(interaction) => {
                self.counts.interactions += 1;
                let arriving = Arriving {
                    interaction,
                    time: event.time,
                    horizon: self.horizon(),
                    window: self.options.window,
                };
                match self.open.take(&arriving) {
                    Found::ByRequest => self.counts.by_request += 1,
                    Found::ByActor => self.counts.by_actor += 1,
                    Found::Repeated => self.counts.repeated += 1,
                    Found::Nothing => {}
                }
            }
            Fact::Merge { session, user } => self.open.merge(received, session, user),
            Fact::UserDelete { user } => self.open.erase(user),
            Fact::ItemUpsert { .. }
            | Fact::ItemDelete { .. }
            | Fact::UserUpsert { .. }
            | Fact::Decision(_)
            | Fact::Erased => {}
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.watermark = self.watermark.max(self.options.now);
        self.counts.open = self.open.received_from(self.horizon()) as u64;
    }

    /// Decisions received before it are closed.
    fn horizon(&self) -> Timestamp {
        self.watermark.minus(self.options.window.saturating_add(self.options.grace))
    }

    fn close(&mut self) -> Option<OpenDecision> {
        let all = self.ended && self.options.open;
        self.open.close(if all { Timestamp::from_micros(i64::MAX) } else { self.horizon() })
    }

    /// Reads on to the decision that closes; `None` where it is to give nothing.
    fn joined(&mut self, closed: OpenDecision) -> Result<Option<Joined>, TrainingError> {
        let until = |entry: &Entry| entry.as_ref().map_or(true, |(offset, _)| *offset <= closed.offset);
        while let Some(entry) = self.closing.next_if(until) {
            let (offset, event) = entry?;
            if offset == closed.offset
                && !closed.erased
                && let Fact::Decision(decision) = event.fact
            {
                let outcomes = by_place(&decision, event.time, closed.outcomes);
                return Ok(Some(Joined { offset, time: event.time, decision, outcomes }));
            }
        }
        self.counts.erased += 1;
        Ok(None)
    }
}

/// What was done with each shown item.
fn by_place(decision: &Decision, time: Timestamp, arrived: Vec<Arrived>) -> Vec<Vec<Outcome>> {
    let mut outcomes = vec![Vec::new(); decision.items.len()];
    for outcome in arrived {
        if let Some(place) = decision.items.iter().position(|shown| shown.item == outcome.item) {
            let delay = outcome.time.as_micros().saturating_sub(time.as_micros());
            outcomes[place].push(Outcome {
                kind: outcome.kind,
                value: outcome.value,
                delay: Duration::from_micros(u64::try_from(delay).unwrap_or(0)),
            });
        }
    }
    for outcomes in &mut outcomes {
        outcomes.sort_by(|a: &Outcome, b| a.kind.cmp(&b.kind));
    }
    outcomes
}

impl<E: Iterator<Item = Entry>, D: Iterator<Item = Entry>> Iterator for Join<E, D> {
    type Item = Result<Joined, TrainingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.advance();
        self.failed = next.is_err();
        next.transpose()
    }
}
