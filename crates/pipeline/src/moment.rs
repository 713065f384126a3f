//! Everything one request may read.

use std::sync::Arc;

use headwater_base::Timestamp;
use headwater_features::{Catalogue, ItemIndex, Profile, Views};
use headwater_models::{Past, Row};

use crate::model::{LoadedModel, RowMap};
use crate::request::Request;
use crate::snapshot::Snapshot;

/// One request's fixed view of the world: taken once, read by every stage.
pub struct Moment<'a> {
    /// What is asked.
    pub request: &'a Request,
    /// Models and surfaces.
    pub snapshot: &'a Snapshot,
    /// Items and their fields.
    pub catalogue: &'a Catalogue,
    /// The actor's past.
    pub profile: &'a Profile,
    /// Streaming aggregates; these move between two reads, so only sources read them, once each.
    pub views: &'a Views,
    /// The item asked about, where the catalogue knows it.
    pub item: Option<ItemIndex>,
    /// When the request came.
    pub now: Timestamp,
}

impl Moment<'_> {
    /// The loaded model of this name, with its rows bound to the catalogue of this moment.
    pub fn model(&self, name: &str) -> Option<(&Arc<LoadedModel>, Arc<RowMap>)> {
        let model = self.snapshot.models.get(name)?;
        Some((model, model.rows(self.catalogue)))
    }

    /// The actor's past in the model's rows, appended to `history`; what the model does not know is left out.
    pub fn history(&self, rows: &RowMap, history: &mut Vec<Past>) {
        past(self.profile, rows, self.now, history);
    }
}

/// A profile's interactions as a model reads them.
pub(crate) fn past(profile: &Profile, rows: &RowMap, now: Timestamp, history: &mut Vec<Past>) {
    history.extend(profile.interactions.iter().filter_map(|interaction| {
        let row: Row = rows.row(interaction.item)?;
        let age = now.seconds_since(interaction.time).max(0.0) as f32;
        (interaction.weight > 0.0).then_some(Past { row, weight: interaction.weight, age })
    }));
}
