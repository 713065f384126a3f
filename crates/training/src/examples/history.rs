//! Examples of history that was imported without decisions.
//!
//! Each interaction that the objective weighs makes a question of its moment: the item chosen is the positive, and items
//! drawn from those known before it are negatives, marked with the probability of the draw. Their features are those
//! of the moment before the interaction, by replay. An interaction that came late makes no question: what was received
//! before it is not the past of its moment. So it is, too, where fields were set before it that hold only from a later
//! time on. Fields that were set without a time, which is then that of their receipt, are taken to have held all along: else
//! history that is imported after its catalogue would have no examples.

use std::collections::VecDeque;

use headwater_base::{Event, Fact, Interaction, ItemId, RequestId, Schema, Timestamp};
use headwater_log::Offset;
use serde::Serialize;

use super::join::Entry;
use super::negatives::{Drawn, NegativeSampler};
use super::{Example, FeatureReplay, Outcome, Question};
use crate::TrainingError;

/// What history gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryCounts {
    /// Interactions that the objective weighs.
    pub interactions: u64,
    /// Of these, those that happened before another, or before a dated change of fields, that was received earlier.
    pub late: u64,
    /// Of these, those whose features no replay could give.
    pub without_features: u64,
    /// Examples given, negatives included.
    pub examples: u64,
    /// Of these, negatives.
    pub negatives: u64,
}

/// What happened so far, to tell which interactions are late: those received after others that happened after them, or
/// after a dated change of fields that holds from later on. What was received before one is not the past of its moment.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The latest event time so far.
    newest: Timestamp,
}

impl Default for Past {
    fn default() -> Self {
        Self { newest: Timestamp::from_micros(i64::MIN) }
    }
}

impl Past {
    /// Whether the next event of the log is late.
    pub fn take(&mut self, event: &Event) -> bool {
        let late = event.time < self.newest;
        if is_dated(event) {
            self.newest = self.newest.max(event.time);
        }
        late
    }
}

/// Questions made of interactions: for each, its item and the negatives drawn for it.
pub struct HistoryExamples<'r, E> {
    events: E,
    schema: Schema,
    sampler: NegativeSampler,
    negatives: usize,
    replay: &'r mut dyn FeatureReplay,
    past: Past,
    ready: VecDeque<Example>,
    counts: HistoryCounts,
}

impl<'r, E: Iterator<Item = Entry>> HistoryExamples<'r, E> {
    /// Of the interactions of `events`, the whole of the log from its start, with about `negatives` each.
    pub fn new(
        events: E,
        schema: Schema,
        sampler: NegativeSampler,
        negatives: usize,
        replay: &'r mut dyn FeatureReplay,
    ) -> Self {
        let (ready, counts) = (VecDeque::new(), HistoryCounts::default());
        Self { events, schema, sampler, negatives, replay, past: Past::default(), ready, counts }
    }

    /// What was met so far.
    pub fn counts(&self) -> HistoryCounts {
        self.counts
    }

    fn take(&mut self, offset: Offset, event: &Event) -> Result<(), TrainingError> {
        let late = self.past.take(event);
        if let Fact::Interaction(interaction) = &event.fact {
            let asks = self.schema.weight(&interaction.kind) > 0.0;
            self.counts.interactions += u64::from(asks);
            if late {
                self.counts.late += u64::from(asks);
            } else if asks {
                let drawn = self.sampler.draw(event.id.as_str(), self.negatives, &[&interaction.item]);
                self.ask(offset, event, interaction, drawn)?;
            }
        }
        self.sampler.observe(event);
        Ok(())
    }

    fn ask(
        &mut self,
        offset: Offset,
        event: &Event,
        interaction: &Interaction,
        drawn: Vec<Drawn>,
    ) -> Result<(), TrainingError> {
        let chosen = std::iter::once((interaction.item.clone(), None));
        let (items, rates): (Vec<ItemId>, Vec<Option<f32>>) =
            chosen.chain(drawn.into_iter().map(|drawn| (drawn.item, Some(drawn.rate)))).unzip();
        let vectors = self.replay.vectors(&Question {
            position: &[offset],
            time: event.time,
            actor: &interaction.actor,
            about: None,
            context: &interaction.context,
            items: &items,
        })?;
        let Some(vectors) = vectors.filter(|vectors| vectors.rows.len() == items.len()) else {
            self.counts.without_features += 1;
            return Ok(());
        };
        for (place, ((item, sampled), features)) in (0..).zip(items.into_iter().zip(rates).zip(vectors.rows))
        {
            let kind = interaction.kind.clone();
            let outcome = Outcome { kind, value: interaction.value, delay: std::time::Duration::ZERO };
            let outcomes = if sampled.is_none() { vec![outcome] } else { Vec::new() };
            self.counts.examples += 1;
            self.counts.negatives += u64::from(sampled.is_some());
            self.ready.push_back(Example {
                request_id: RequestId::trusted(event.id.as_str()),
                surface: "".into(),
                time: event.time,
                actor: interaction.actor.clone(),
                item,
                place,
                propensity: 1.0,
                schema: vectors.schema,
                features,
                label: super::label(&self.schema, &outcomes),
                outcomes,
                weight: 1.0,
                sampled,
            });
        }
        Ok(())
    }
}

/// Whether the time of an event says when it came to be, rather than when somebody told of it.
fn is_dated(event: &Event) -> bool {
    matches!(event.fact, Fact::Interaction(_)) || event.time != event.received
}

impl<E: Iterator<Item = Entry>> Iterator for HistoryExamples<'_, E> {
    type Item = Result<Example, TrainingError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            let taken = match self.events.next()? {
                Ok((offset, event)) => self.take(offset, &event),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = taken {
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
