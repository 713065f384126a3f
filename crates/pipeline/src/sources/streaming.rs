//! What moves now, and what always works: decayed counts of the views.

use headwater_base::Rung;

use crate::candidate::Found;
use crate::error::StageError;
use crate::moment::Moment;
use crate::stage::{Allowed, Source};

/// The items with the steepest recent counts.
#[derive(Debug)]
pub struct TrendingSource;

impl Source for TrendingSource {
    fn name(&self) -> &str {
        "trending"
    }

    fn rung(&self, _: &Moment<'_>) -> Rung {
        Rung::Trending
    }

    fn candidates(
        &self,
        moment: &Moment<'_>,
        limit: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<Found>, StageError> {
        Ok(found(moment.views.trending(limit, allowed, None)))
    }
}

/// The items with the most interactions.
#[derive(Debug)]
pub struct PopularSource;

impl Source for PopularSource {
    fn name(&self) -> &str {
        "popular"
    }

    fn rung(&self, _: &Moment<'_>) -> Rung {
        Rung::Popular
    }

    fn candidates(
        &self,
        moment: &Moment<'_>,
        limit: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<Found>, StageError> {
        Ok(found(moment.views.popular(limit, allowed, None)))
    }
}

fn found(scored: Vec<(headwater_features::ItemIndex, f32)>) -> Vec<Found> {
    scored.into_iter().map(|(item, score)| Found { item, score }).collect()
}
