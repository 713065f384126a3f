//! What is touched together with the item asked about, or with what the actor touched last.

use headwater_base::Rung;
use headwater_models::{Past, Query};

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
        let interactions = moment.profile.interactions.iter().filter(|_| moment.item.is_none());
        let history: Vec<Past> = interactions
            .filter(|interaction| interaction.weight > 0.0)
            .map(|interaction| Past {
                row: interaction.item,
                weight: interaction.weight,
                age: moment.now.seconds_since(interaction.time).max(0.0) as f32,
            })
            .collect();
        let query = Query { history: &history, item: moment.item };
        let found = moment.views.neighbours_of(&query, limit, allowed);
        Ok(found.into_iter().map(|(item, score)| Found { item, score }).collect())
    }
}
