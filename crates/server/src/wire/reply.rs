//! Replies of the writing routes.

use headwater_base::Invalid;
use headwater_log::Outcome;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a batch.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Accepted {
    /// Entries stored by this request.
    pub accepted: usize,
    /// Entries whose event id was stored before, or stands earlier in the same batch.
    pub duplicates: usize,
    /// Entries that were not stored.
    pub refused: Vec<Refused>,
}

/// One entry that was not stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refused {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Stable code; see the list of codes.
    pub code: &'static str,
    /// The field at fault.
    #[schema(value_type = String)]
    pub field: compact_str::CompactString,
    /// The offending value, cut to a readable length.
    pub value: String,
    /// What would have been accepted.
    pub expected: String,
}

impl Refused {
    /// The refusal of the entry at `index`.
    pub fn new(index: usize, invalid: Invalid) -> Self {
        Self {
            index,
            code: invalid.code,
            field: invalid.field,
            value: invalid.value,
            expected: invalid.expected,
        }
    }
}

impl Accepted {
    /// Counts what the log did, beside what never reached it.
    pub fn new(outcomes: &[Outcome], refused: Vec<Refused>) -> Self {
        let duplicates = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Duplicate)).count();
        Self { accepted: outcomes.len() - duplicates, duplicates, refused }
    }
}
