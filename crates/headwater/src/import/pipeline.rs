//! Runs a reader on its own thread and appends what it gives, several batches in flight.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use headwater_base::{Clock, Event, Fact, Schema};
use headwater_log::{Appending, EventLog, Outcome, Position};
use serde::Serialize;

use super::ImportError;
use super::feed::{Feed, Parcel, Reached};
use super::refused::{Refusals, Refused};

/// Batches between the reader and the writer; a slow disk holds the reader back rather than filling the memory.
const WAITING: usize = 8;
/// Appends handed to the log and not yet durable; enough to fill its group commits.
const IN_FLIGHT: usize = 16;

/// What an import did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Rows read: events, duplicates, left out, refused.
    pub rows: u64,
    /// Events stored.
    pub events: u64,
    /// Events that were in the log already.
    pub duplicates: u64,
    /// Events read, by what they are: an interaction type, `item`, `user`.
    pub kinds: BTreeMap<String, u64>,
    /// Rows that were not taken.
    pub refused: Refused,
    /// Rows that are nothing to store by the preset's rules, by rule: returns, cancelled invoices.
    pub left_out: BTreeMap<String, u64>,
    /// Where a view must be to have folded all of it.
    #[serde(skip)]
    pub position: Position,
}

/// What an import works with.
pub struct Import<'a> {
    /// Where events go.
    pub log: &'a dyn EventLog,
    /// The declared domain.
    pub schema: Arc<Schema>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// How far the reader is, for the progress bar.
    pub reached: Arc<Reached>,
    /// Asks the import to stop after what was read.
    pub stop: Arc<AtomicBool>,
}

impl Import<'_> {
    /// Runs `read` to its end. `shown` is called after every batch.
    ///
    /// # Errors
    /// The reader's, the log's, the side file's. What was appended before stays appended.
    pub fn run(
        &self,
        mut refusals: Refusals,
        read: impl FnOnce(&mut Feed) -> Result<(), ImportError> + Send,
        shown: &mut dyn FnMut(&Totals),
    ) -> Result<(Totals, Result<(), ImportError>), ImportError> {
        let (sender, parcels) = sync_channel(WAITING);
        let mut feed = Feed::new(
            Arc::clone(&self.schema),
            Arc::clone(&self.clock),
            sender,
            Arc::clone(&self.reached),
            Arc::clone(&self.stop),
        );
        let mut totals = Totals::default();
        let outcome = thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let read = read(&mut feed);
                // What was read before an error is stored all the same.
                feed.finish().and(read)
            });
            let written = self.write(&parcels, &mut refusals, &mut totals, shown);
            // A writer that failed must not leave the reader waiting for room.
            drop(parcels);
            let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            written.map(|()| read)
        })?;
        totals.refused = refusals.finish()?;
        shown(&totals);
        Ok((totals, outcome))
    }

    fn write(
        &self,
        parcels: &Receiver<Parcel>,
        refusals: &mut Refusals,
        totals: &mut Totals,
        shown: &mut dyn FnMut(&Totals),
    ) -> Result<(), ImportError> {
        let mut in_flight: VecDeque<Appending> = VecDeque::with_capacity(IN_FLIGHT);
        for parcel in parcels {
            match parcel {
                Parcel::Refused(refusal) => {
                    refusals.add(&refusal)?;
                    totals.rows += 1;
                    totals.refused.rows += 1;
                }
                Parcel::LeftOut(rule) => {
                    *totals.left_out.entry(rule).or_default() += 1;
                    totals.rows += 1;
                }
                Parcel::Events(events) => {
                    count(&events, totals);
                    if in_flight.len() == IN_FLIGHT
                        && let Some(oldest) = in_flight.pop_front()
                    {
                        settle(oldest, totals)?;
                    }
                    in_flight.push_back(self.log.append(events));
                    shown(totals);
                }
            }
        }
        in_flight.into_iter().try_for_each(|appending| settle(appending, totals))
    }
}

fn count(events: &[Event], totals: &mut Totals) {
    totals.rows += events.len() as u64;
    for event in events {
        let kind = kind(&event.fact);
        match totals.kinds.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                totals.kinds.insert(kind.to_owned(), 1);
            }
        }
    }
}

/// What an event is, in one word.
pub fn kind(fact: &Fact) -> &str {
    match fact {
        Fact::Interaction(interaction) => &interaction.kind,
        Fact::ItemUpsert { .. } => "item",
        Fact::ItemDelete { .. } => "item_delete",
        Fact::UserUpsert { .. } => "user",
        Fact::UserDelete { .. } => "user_delete",
        Fact::Merge { .. } => "merge",
        Fact::Decision(_) => "decision",
        Fact::Erased => "erased",
    }
}

fn settle(appending: Appending, totals: &mut Totals) -> Result<(), ImportError> {
    let appended = appending.wait()?;
    let duplicates =
        appended.outcomes.iter().filter(|outcome| **outcome == Outcome::Duplicate).count() as u64;
    totals.duplicates += duplicates;
    totals.events += appended.outcomes.len() as u64 - duplicates;
    totals.position.advance(&appended.position);
    Ok(())
}
