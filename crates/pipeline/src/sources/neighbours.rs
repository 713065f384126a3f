//! What is touched together with the item asked about, or with what the actor touched last.

use headwater_base::Rung;

use super::history::candidates;
use crate::candidate::Found;
use crate::error::StageError;
use crate::moment::Moment;
use crate::stage::{Allowed, Source};

/// Co-visitation with the item asked about, or with what the actor touched last.
#[derive(Debug)]
pub struct NeighboursSource;

impl Source for NeighboursSource {
    fn name(&self) -> &str {
        "neighbours"
    }

    fn rung(&self, _: &Moment<'_>) -> Rung {
        Rung::Neighbours
    }

    fn candidates(
        &self,
        moment: &Moment<'_>,
        limit: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<Found>, StageError> {
        Ok(candidates(moment, |query| moment.views.neighbours_of(query, limit, allowed)))
    }
}
