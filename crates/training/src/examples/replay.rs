//! Features as they were, by folding the event log once more beside the examples.

use std::iter::Peekable;

use compact_str::CompactString;
use headwater_base::feature::feature_schema;
use headwater_base::{FeatureType, LoggedFeatures, Schema};
use headwater_features::{FeatureRequest, Replay, ViewsOptions};
use headwater_log::{Offset, Partition};

use super::join::Entry;
use super::{FeatureReplay, Question};
use crate::TrainingError;

/// Replays the declared features, all of them, from a log that is held from its start.
pub struct LogReplay<E: Iterator> {
    events: Peekable<E>,
    replay: Replay,
    columns: Vec<(CompactString, FeatureType)>,
    number: u64,
    overtaken: u64,
}

impl<E: Iterator<Item = Entry>> LogReplay<E> {
    /// A replay of `events`. Of the options, the plan and the idle times matter.
    pub fn new(events: E, schema: &Schema, options: &ViewsOptions) -> Self {
        let columns: Vec<_> = options.plan.columns().map(|(label, kind)| (label.clone(), kind)).collect();
        let number = feature_schema(columns.iter().map(|(label, _)| label.as_str()));
        let (events, replay) = (events.peekable(), Replay::new(schema, options));
        Self { events, replay, columns, number, overtaken: 0 }
    }

    /// The number of the features it gives.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The features it gives, by name and version.
    pub fn columns(&self) -> &[(CompactString, FeatureType)] {
        &self.columns
    }

    /// Questions that it gave nothing for, since a later one had been asked before.
    pub fn overtaken(&self) -> u64 {
        self.overtaken
    }
}

impl<E: Iterator<Item = Entry>> FeatureReplay for LogReplay<E> {
    fn vectors(&mut self, question: &Question<'_>) -> Result<Option<LoggedFeatures>, TrainingError> {
        let partition = Partition(0);
        let wanted: Offset = question.position.first().copied().unwrap_or(0);
        let before = |entry: &Entry| entry.as_ref().map_or(true, |(offset, _)| *offset < wanted);
        while let Some(entry) = self.events.next_if(before) {
            let (offset, event) = entry?;
            self.replay.fold(partition, offset, &event);
        }
        if self.columns.is_empty() || self.replay.position().offset(partition) > wanted {
            self.overtaken += u64::from(!self.columns.is_empty());
            return Ok(None);
        }
        let catalogue = self.replay.catalogue();
        let items: Vec<_> = question.items.iter().map(|item| catalogue.index(item.as_str())).collect();
        let request =
            FeatureRequest { actor: question.actor, context: question.context, time: question.time };
        let columns: Vec<usize> = (0..self.columns.len()).collect();
        let features = self.replay.features(&request, &columns, &items);
        let rows = (0..features.len()).map(|item| features.row(item).cloned().collect()).collect();
        Ok(Some(LoggedFeatures { schema: self.number, time: question.time, share: 1.0, rows }))
    }
}
