//! What a check found.

use compact_str::CompactString;
use headwater_base::{FeatureValue, ItemId, RequestId, Timestamp};
use headwater_log::Offset;
use serde::{Serialize, Serializer};

use super::symmetric_error;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Decisions whose vectors were compared.
    pub decisions: u64,
    /// Values compared.
    pub compared: u64,
    /// Of these, values that differ.
    pub different: u64,
    /// Values that differ and that erased records may have been part of: not among those compared.
    pub erased: u64,
    /// Values of features that could not be computed: not among those compared.
    pub not_computed: u64,
    /// Decisions that could not be compared.
    pub skipped: SkippedDecisions,
    /// By feature.
    pub features: Vec<FeatureAgreement>,
    /// Some of the values that differ, by position.
    pub differences: Vec<Difference>,
}

/// Decisions that could not be compared, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SkippedDecisions {
    /// The log no longer holds what came before them.
    pub before_log: u64,
    /// The log does not hold everything that they had seen.
    pub ahead_of_log: u64,
    /// So many later ones were written before them that the replay had passed them.
    pub overtaken: u64,
    /// Nobody remembers which features they logged.
    pub unknown_schema: u64,
    /// What they logged does not fit what they showed.
    pub unfitting: u64,
}

impl SkippedDecisions {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.before_log + self.ahead_of_log + self.overtaken + self.unknown_schema + self.unfitting
    }
}

/// How a feature did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FeatureAgreement {
    /// By name and version.
    pub feature: CompactString,
    /// Values compared.
    pub compared: u64,
    /// Of these, values that differ.
    pub different: u64,
    /// Of these, values that were missing when they were served, and are not in the replay.
    pub missing: u64,
    /// The other way round: served, and missing in the replay.
    pub extra: u64,
    /// Mean of `2 |a - b| / (|a| + |b|)` over the values that are numbers on both sides, 0 to 2.
    pub symmetric_error: Option<f64>,
    /// Values that differ and that erased records may have been part of.
    pub erased: u64,
    /// Values that could not be computed.
    pub not_computed: u64,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// By name and version.
    pub feature: CompactString,
    /// What was served.
    pub served: FeatureValue,
    /// What the replay gives.
    pub replayed: FeatureValue,
    /// Where the views stood.
    pub position: Offset,
    /// The moment for which it was read.
    #[serde(serialize_with = "time")]
    pub time: Timestamp,
    /// The decision's.
    pub request_id: RequestId,
    /// The item shown.
    pub item: ItemId,
}

fn time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Whether an erased record may have been part of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Erasable {
    /// It is of an item or of the request.
    #[default]
    Never,
    /// It is of whose the session was: users are erased with their own decisions, but what said whose a session was may be gone.
    OfSessions,
    /// It is of what was done.
    Always,
}

/// Counts of one feature while the check runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) feature: CompactString,
    /// Its column in the plan; `None` where it cannot be computed.
    pub(super) column: Option<usize>,
    pub(super) erasable: Erasable,
    pub(super) erased: u64,
    pub(super) not_computed: u64,
    compared: u64,
    different: u64,
    missing: u64,
    extra: u64,
    numbers: u64,
    error: f64,
}

impl Tally {
    pub(super) fn new(feature: CompactString, column: Option<usize>, erasable: Erasable) -> Self {
        Self { feature, column, erasable, ..Self::default() }
    }

    pub(super) fn add(&mut self, served: &FeatureValue, replayed: &FeatureValue) {
        self.compared += 1;
        if let Some(error) = symmetric_error(served, replayed) {
            self.numbers += 1;
            self.error += error;
        }
        if served.same(replayed) {
            return;
        }
        self.different += 1;
        self.missing += u64::from(*served == FeatureValue::Missing);
        self.extra += u64::from(*replayed == FeatureValue::Missing);
    }

    pub(super) fn agreement(&self) -> FeatureAgreement {
        FeatureAgreement {
            feature: self.feature.clone(),
            compared: self.compared,
            different: self.different,
            missing: self.missing,
            extra: self.extra,
            symmetric_error: (self.numbers > 0).then(|| self.error / self.numbers as f64),
            erased: self.erased,
            not_computed: self.not_computed,
        }
    }
}
