//! What is in the latest sessions most like the actor's, or in those with the item asked about.

use headwater_base::Rung;

use super::history::candidates;
use crate::candidate::Found;
use crate::error::StageError;
use crate::moment::Moment;
use crate::stage::{Allowed, Source};

/// The nearest neighbours of the session under way; where there is none, of what the actor did last.
#[derive(Debug)]
pub struct SessionsSource;

impl Source for SessionsSource {
    fn name(&self) -> &str {
        "sessions"
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
        Ok(candidates(moment, |query| {
            moment.views.sessions_like(query, moment.profile.owner, limit, allowed)
        }))
    }
}
