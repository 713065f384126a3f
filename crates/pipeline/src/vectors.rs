//! The feature vectors that a surface logs with its decisions.

use headwater_base::random::stable_hash;
use headwater_base::{Clock, FeatureValue, ItemId, LoggedFeatures, RequestId};
use headwater_features::{FeatureRequest, FeaturesError, Views};
use headwater_log::Position;

use crate::request::Request;

/// Which features a surface reads, and for how many of its requests they are logged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurfaceFeatures {
    /// Columns of the views' plan.
    pub columns: Vec<usize>,
    /// The number of the list of these features: see [`headwater_base::feature::feature_schema`].
    pub schema: u64,
    /// Share of requests whose vectors are logged, 0 to 1.
    pub share: f32,
}

impl SurfaceFeatures {
    /// Whether the vectors of this request are logged: the same request id always gives the same answer.
    fn samples(&self, request_id: &RequestId) -> bool {
        let place = (stable_hash(request_id.as_str()) >> 11) as f64 / (1u64 << 53) as f64;
        !self.columns.is_empty() && place < f64::from(self.share)
    }

    /// Reads the vectors of the shown items, at one position of the log, which is given with them; `None` where this
    /// request is not in the sample.
    ///
    /// An error is the views', which have logged it.
    ///
    /// The moment is taken while the position is held, so that nothing that was folded was received after it.
    pub(crate) fn read<'a>(
        &self,
        views: &Views,
        clock: &dyn Clock,
        request: &Request,
        request_id: &RequestId,
        items: impl Iterator<Item = &'a ItemId>,
    ) -> Result<Option<(LoggedFeatures, Position)>, FeaturesError> {
        if !self.samples(request_id) {
            return Ok(None);
        }
        let held = views.hold();
        let time = clock.now();
        let items: Vec<_> = items.map(|id| held.item_index(id.as_str())).collect();
        let asked = FeatureRequest { actor: &request.actor, context: &request.context, time };
        let features = held.features(&asked, &self.columns, &items)?;
        let position = held.position().clone();
        drop(held);
        let rows: Vec<Vec<FeatureValue>> =
            (0..features.len()).map(|item| features.row(item).cloned().collect()).collect();
        Ok(Some((LoggedFeatures { schema: self.schema, time, share: self.share, rows }, position)))
    }
}
