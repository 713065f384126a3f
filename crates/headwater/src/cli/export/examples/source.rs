//! Where exported examples come from: decisions, or history where there are none.

use headwater_base::Schema;
use headwater_features::ViewsOptions;
use headwater_log::LogReader;
use headwater_training::TrainingError;
use headwater_training::examples::{
    Example, ExampleCounts, ExampleOptions, Examples, FeatureReplay, HistoryCounts, HistoryExamples,
    LogReplay, NegativeSampler, NoReplay,
};
use serde::Serialize;

use crate::export::ExportError;

/// How negatives of history are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawing {
    pub(super) negatives: usize,
    pub(super) power: f64,
    pub(super) seed: u64,
}

/// What examples are made of; they can be had again and again.
pub(super) struct Source {
    pub(super) events: LogReader,
    pub(super) decisions: LogReader,
    pub(super) schema: Schema,
    pub(super) options: ExampleOptions,
    /// The features to replay, where any are.
    pub(super) replayed: Option<ViewsOptions>,
    /// Set: history instead of decisions.
    pub(super) drawing: Option<Drawing>,
}

/// What was met on the way.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Counts {
    Decisions(ExampleCounts),
    History(HistoryCounts),
}

type Rows<'a> = dyn Iterator<Item = Result<Example, TrainingError>> + 'a;

impl Source {
    /// Hands all examples to `take`.
    pub(super) fn each(
        &self,
        take: &mut dyn FnMut(&mut Rows<'_>) -> Result<(), ExportError>,
    ) -> Result<Counts, ExportError> {
        let mut replay = self.replay();
        let events = self.events.events_from(self.events.start());
        let Some(Drawing { negatives, power, seed }) = self.drawing else {
            let (schema, options) = (self.schema.clone(), self.options.clone());
            let mut rows = Examples::of(&self.events, &self.decisions, schema, options, &mut *replay);
            take(&mut rows)?;
            return Ok(Counts::Decisions(rows.counts()));
        };
        let sampler = NegativeSampler::new(seed, power);
        let mut rows = HistoryExamples::new(events, self.schema.clone(), sampler, negatives, &mut *replay);
        take(&mut rows)?;
        Ok(Counts::History(rows.counts()))
    }

    fn replay(&self) -> Box<dyn FeatureReplay + '_> {
        match &self.replayed {
            Some(options) => {
                let events = self.events.events_from(self.events.start());
                Box::new(LogReplay::new(events, &self.schema, options))
            }
            None => Box::new(NoReplay),
        }
    }
}
