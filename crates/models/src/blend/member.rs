//! The models that can be in a blend.

use std::sync::Arc;

use super::opinion::{Listed, Opinion, Projected, Summed};
use crate::filter::{Exact, Filter};
use crate::ials::Ials;
use crate::model::{Query, Retrieve as _};
use crate::peers::Peers;

/// A model in a blend. Clones share what is large.
#[derive(Clone, Debug)]
pub enum Member {
    /// A factorisation, which may know items that were appended after the training.
    Ials(Box<Ials>),
    /// A filter as it serves.
    Filter(Arc<Filter>),
    /// People of like taste.
    Peers(Arc<Peers>),
    /// A filter whole, for comparison.
    WholeFilter(Arc<Exact>),
}

impl Member {
    /// Items it can score.
    pub fn items(&self) -> usize {
        match self {
            Self::Ials(model) => model.items(),
            Self::Filter(model) => model.items(),
            Self::Peers(model) => model.items(),
            Self::WholeFilter(model) => model.items(),
        }
    }

    /// Items it was trained on.
    pub fn trained_items(&self) -> usize {
        match self {
            Self::Ials(model) => model.trained_items(),
            Self::Filter(_) | Self::Peers(_) | Self::WholeFilter(_) => self.items(),
        }
    }

    /// What it has to say; `None` where it knows nothing of the history.
    pub(super) fn opinion<'a>(&'a self, query: &Query<'_>) -> Option<Box<dyn Opinion + 'a>> {
        match self {
            Self::Ials(model) => Projected::new(model, query).map(|it| Box::new(it) as _),
            Self::Filter(model) => Summed::filter(model, query).map(|it| Box::new(it) as _),
            Self::Peers(model) => Summed::peers(model, query).map(|it| Box::new(it) as _),
            Self::WholeFilter(model) => Listed::new(model, query).map(|it| Box::new(it) as _),
        }
    }
}
