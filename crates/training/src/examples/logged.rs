//! Examples of what decisions showed.

use std::collections::VecDeque;

use headwater_base::{ItemId, LoggedFeatures, Schema};
use headwater_log::LogReader;
use serde::Serialize;

use super::join::{Entry, Join, JoinCounts, Joined};
use super::{Example, ExampleOptions, FeatureReplay, Question, label};
use crate::TrainingError;

/// What examples were made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExampleCounts {
    /// Examples given.
    pub examples: u64,
    /// Of these, those with a positive label.
    pub positives: u64,
    /// Closed decisions that logged no features, and that no replay could give any.
    pub without_features: u64,
    /// Of the closed decisions, those whose features a replay gave.
    pub replayed: u64,
    /// Closed decisions whose features do not fit what was shown; skipped.
    pub unfitting: u64,
    /// The join.
    #[serde(flatten)]
    pub join: JoinCounts,
}

/// One example for each item that a decision showed, in the order of the decisions and of the items within.
pub struct Examples<'r, E: Iterator, D: Iterator> {
    join: Join<E, D>,
    schema: Schema,
    replay: &'r mut dyn FeatureReplay,
    ready: VecDeque<Example>,
    counts: ExampleCounts,
}

impl<'l, 'r> Examples<'r, headwater_log::Events<'l>, headwater_log::Events<'l>> {
    /// Of what two logs hold now. `schema` weighs the outcomes; `replay` serves where no features were logged.
    pub fn of(
        events: &'l LogReader,
        decisions: &'l LogReader,
        schema: Schema,
        options: ExampleOptions,
        replay: &'r mut dyn FeatureReplay,
    ) -> Self {
        Self::new(Join::of(events, decisions, options), schema, replay)
    }
}

impl<'r, E: Iterator<Item = Entry>, D: Iterator<Item = Entry>> Examples<'r, E, D> {
    /// Of the decisions that `join` gives.
    pub fn new(join: Join<E, D>, schema: Schema, replay: &'r mut dyn FeatureReplay) -> Self {
        Self { join, schema, replay, ready: VecDeque::new(), counts: ExampleCounts::default() }
    }

    /// What was met so far.
    pub fn counts(&self) -> ExampleCounts {
        ExampleCounts { join: self.join.counts(), ..self.counts }
    }

    fn take(&mut self, mut joined: Joined) -> Result<(), TrainingError> {
        let logged = match joined.decision.features.take() {
            Some(logged) => Some(*logged),
            None => self.replayed(&joined)?,
        };
        match logged {
            None => self.counts.without_features += 1,
            Some(logged) if logged.rows.len() != joined.decision.items.len() => self.counts.unfitting += 1,
            Some(logged) => self.give(joined, logged),
        }
        Ok(())
    }

    fn replayed(&mut self, joined: &Joined) -> Result<Option<LoggedFeatures>, TrainingError> {
        let decision = &joined.decision;
        let items: Vec<ItemId> = decision.items.iter().map(|shown| shown.item.clone()).collect();
        let vectors = self.replay.vectors(&Question {
            position: &decision.position,
            time: joined.time,
            actor: &decision.actor,
            about: decision.item.as_ref(),
            context: &decision.context,
            items: &items,
        })?;
        self.counts.replayed += u64::from(vectors.is_some());
        Ok(vectors)
    }

    fn give(&mut self, joined: Joined, logged: LoggedFeatures) {
        let decision = *joined.decision;
        // A share that is none cannot be corrected for.
        let weight = if logged.share > 0.0 && logged.share <= 1.0 { logged.share.recip() } else { 1.0 };
        let shown = decision.items.into_iter().zip(logged.rows).zip(joined.outcomes);
        for (place, ((shown, features), outcomes)) in (0..).zip(shown) {
            let label = label(&self.schema, &outcomes);
            self.counts.examples += 1;
            self.counts.positives += u64::from(label > 0.0);
            self.ready.push_back(Example {
                request_id: decision.request_id.clone(),
                surface: decision.surface.clone(),
                time: joined.time,
                actor: decision.actor.clone(),
                item: shown.item,
                place,
                propensity: shown.propensity,
                schema: logged.schema,
                features,
                outcomes,
                label,
                weight,
                sampled: None,
            });
        }
    }
}

impl<E: Iterator<Item = Entry>, D: Iterator<Item = Entry>> Iterator for Examples<'_, E, D> {
    type Item = Result<Example, TrainingError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            let taken = self.join.next()?.and_then(|joined| self.take(joined));
            if let Err(error) = taken {
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
