//! The stages a request passes, each behind one small trait.
//!
//! A stage reads the [`Moment`] and never changes anything outside the candidates it is given. It may fail or even
//! panic: the run skips it and the answer says so.

use headwater_base::{Decision, Rung, Timestamp};
use headwater_features::ItemIndex;

use crate::candidate::{Candidate, Found};
use crate::error::StageError;
use crate::moment::Moment;
use crate::record::RecordError;
use crate::select::Shortlist;

/// Whether an item may still be retrieved; what the filters know, pushed down into retrieval.
pub type Allowed<'a> = &'a dyn Fn(ItemIndex) -> bool;

/// Brings candidates.
pub trait Source: Send + Sync {
    /// Its name in answers and metrics: `ials`, `trending`.
    fn name(&self) -> &str;

    /// The rung of the fallback ladder it answers for in this request.
    fn rung(&self, moment: &Moment<'_>) -> Rung;

    /// The model it reads, if any.
    fn model(&self) -> Option<&str> {
        None
    }

    /// At most `limit` allowed items, best first, ties by item; empty where the source has nothing to say.
    ///
    /// A source that honours `allowed` within its search is exact after filtering; the filter stage checks again.
    fn candidates(
        &self,
        moment: &Moment<'_>,
        limit: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<Found>, StageError>;
}

/// Adds to candidates what later stages read.
pub trait Hydrator: Send + Sync {
    /// Its name in the answer's stages.
    fn name(&self) -> &str;

    /// Fills in `candidates`.
    fn hydrate(&self, moment: &Moment<'_>, candidates: &mut [Candidate]);
}

/// A condition on items.
pub trait Filter: Send + Sync {
    /// Its name in the answer's stages: `seen`.
    fn name(&self) -> &str;

    /// The condition for one request; `None` where it passes everything.
    fn prepare<'a>(&'a self, moment: &'a Moment<'a>) -> Option<Box<dyn Keep + 'a>>;
}

/// A prepared condition. The same object is pushed down into retrieval and applied after it.
pub trait Keep {
    /// Whether `item` may be shown.
    fn keeps(&self, item: ItemIndex) -> bool;
}

impl<F: Fn(ItemIndex) -> bool> Keep for F {
    fn keeps(&self, item: ItemIndex) -> bool {
        self(item)
    }
}

/// Scores the candidates of all sources on one scale.
pub trait Scorer: Send + Sync {
    /// Its name in the answer's stages.
    fn name(&self) -> &str;

    /// The model it reads, if any.
    fn model(&self) -> Option<&str> {
        None
    }

    /// Sets the score of each candidate; `f32::NEG_INFINITY` where it knows nothing of the item.
    fn score(&self, moment: &Moment<'_>, candidates: &mut [Candidate]) -> Result<(), StageError>;
}

/// Chooses what is shown among ordered candidates.
pub trait Selector: Send + Sync {
    /// Its name in the answer's stages.
    fn name(&self) -> &str;

    /// Whether it may refuse a candidate for what was chosen before it, so that more must be fetched than shown.
    fn refuses(&self) -> bool;

    /// Whether `item` could still be chosen, given what was chosen; pushed down into retrieval.
    fn admits(&self, moment: &Moment<'_>, item: ItemIndex, shortlist: &Shortlist) -> bool;

    /// Moves candidates, in their order, into `shortlist` until it is full.
    fn select(&self, candidates: &[Candidate], shortlist: &mut Shortlist);
}

/// Keeps what was decided.
pub trait Recorder: Send + Sync {
    /// Whether decisions are kept at all; where they are not, none is made up.
    fn keeps(&self) -> bool {
        true
    }

    /// Hands the decision on before the answer leaves. Must not wait for a disk.
    fn record(&self, decision: Decision, now: Timestamp) -> Result<(), RecordError>;
}
