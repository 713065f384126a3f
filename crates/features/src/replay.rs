//! The state replayed: what features were at any position of the log.
//!
//! A replay folds with the very code that folds the live views, without what no feature reads (popularity, neighbours
//! and what each actor did last). Between two events it can be asked for the features of any request, as they were then.

use headwater_base::{Event, Schema, Timestamp};
use headwater_log::{Batch, Offset, Partition, Position};

use crate::read::{FeatureRequest, FeatureRows};
use crate::state::{NoSink, State};
use crate::{Catalogue, FeaturesError, ItemIndex, Views, ViewsOptions};

/// A state that is folded event by event, from the log's beginning or from a checkpoint.
#[derive(Debug)]
pub struct Replay {
    pub(crate) state: State,
}

impl Replay {
    /// The state of an empty log. Of the options, the plan and the idle times matter; it is all in memory.
    pub fn new(schema: &Schema, options: &ViewsOptions) -> Self {
        let options = ViewsOptions { spill: None, ..options.clone() };
        Self { state: State::new(schema, &options) }
    }

    /// Goes on from where these views stand: from a checkpoint, for one.
    ///
    /// # Panics
    /// If the views have a limit: a replay is all in memory.
    pub fn continuing(views: Views) -> Self {
        assert!(views.spilled().is_none(), "views without a limit");
        Self { state: views.into_state() }
    }

    /// Folds an event that follows what was folded.
    pub fn fold(&mut self, partition: Partition, offset: Offset, event: &Event) {
        self.state.fold(offset, event, &mut NoSink);
        self.state.position.set(partition, offset + 1);
    }

    /// Folds a batch, up to the offset `end`.
    ///
    /// # Errors
    /// [`FeaturesError::Gap`] where events are missing before it.
    pub fn apply(&mut self, batch: &Batch, end: Offset) -> Result<(), FeaturesError> {
        let position = self.state.position.offset(batch.partition);
        if batch.first > position && position > 0 {
            return Err(FeaturesError::Gap { partition: batch.partition, position, first: batch.first });
        }
        for (offset, event) in
            (batch.first..end).zip(batch.events.iter()).skip_while(|(at, _)| *at < position)
        {
            self.fold(batch.partition, offset, event);
        }
        Ok(())
    }

    /// Where the replay stands.
    pub fn position(&self) -> &Position {
        &self.state.position
    }

    /// The latest receive time so far; the epoch where nothing was folded.
    pub fn received(&self) -> Timestamp {
        Timestamp::from_micros(self.state.clock)
    }

    /// Reads the features at `columns` of the plan for `items`.
    pub fn features(
        &self,
        request: &FeatureRequest<'_>,
        columns: &[usize],
        items: &[Option<ItemIndex>],
    ) -> FeatureRows {
        let mut rows = FeatureRows::default();
        self.features_into(request, columns, items, &mut rows);
        rows
    }

    /// The same into `rows`, which may have served before: then nothing is allocated.
    pub fn features_into(
        &self,
        request: &FeatureRequest<'_>,
        columns: &[usize],
        items: &[Option<ItemIndex>],
        rows: &mut FeatureRows,
    ) {
        let read = self.state.features(request, columns, items, rows);
        read.expect("a replay keeps everything in memory");
    }

    /// The catalogue at this position.
    pub fn catalogue(&self) -> &Catalogue {
        self.state.catalogue.current()
    }

    /// Bytes of profiles and tiles, about.
    pub fn resident_bytes(&self) -> usize {
        self.state.profiles.heap_bytes() + self.state.tables.heap_bytes()
    }
}
