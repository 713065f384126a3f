//! Which decisions are checked: a first look at the stream of decisions.

use std::collections::{BTreeSet, BinaryHeap};

use headwater_base::random::stable_hash;
use headwater_base::{Decision, Event, Fact, RequestId};
use headwater_log::{LogError, Offset};
use serde::Serialize;

/// How many decisions are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Share of those that logged features.
    pub(super) share: f64,
    /// At most so many.
    pub(super) limit: Option<usize>,
}

/// What the stream of decisions holds.
#[derive(Debug, Serialize)]
pub(super) struct Survey {
    /// Decisions read, erased ones included.
    #[serde(rename = "decisions_read")]
    pub(super) read: u64,
    /// Of these, those of users who were erased.
    pub(super) erased_decisions: u64,
    /// Of these, those that logged features.
    pub(super) logged: u64,
    /// Of these, those in the sample.
    pub(super) sampled: u64,
    /// The schemas of those in the sample.
    #[serde(skip)]
    pub(super) schemas: BTreeSet<u64>,
    /// The furthest position that one in the sample saw.
    #[serde(skip)]
    pub(super) reaches: Offset,
    /// Those whose key is below are in the sample.
    #[serde(skip)]
    below: u64,
}

impl Survey {
    /// Looks at all decisions.
    pub(super) fn of(
        decisions: impl Iterator<Item = Result<(Offset, Event), LogError>>,
        sample: Sample,
    ) -> Result<Self, LogError> {
        // 2^64 does not fit, and the cast saturates: a share of 1 takes every key but the last.
        let share = (sample.share * 2f64.powi(64)) as u64;
        let mut survey = Self {
            read: 0,
            erased_decisions: 0,
            logged: 0,
            sampled: 0,
            schemas: BTreeSet::new(),
            reaches: 0,
            below: share,
        };
        let mut smallest: BinaryHeap<u64> = BinaryHeap::new();
        for entry in decisions {
            survey.read += 1;
            let decision = match entry?.1.fact {
                Fact::Decision(decision) => decision,
                Fact::Erased => {
                    survey.erased_decisions += 1;
                    continue;
                }
                _ => continue,
            };
            let Some(features) = &decision.features else { continue };
            survey.logged += 1;
            let key = key(&decision.request_id);
            if key >= share {
                continue;
            }
            survey.schemas.insert(features.schema);
            survey.reaches = survey.reaches.max(decision.position.first().copied().unwrap_or(0));
            survey.sampled += 1;
            if let Some(limit) = sample.limit {
                smallest.push(key);
                if smallest.len() > limit {
                    smallest.pop();
                    survey.sampled -= 1;
                    survey.below = smallest.peek().map_or(share, |largest| largest + 1);
                }
            }
        }
        Ok(survey)
    }

    /// The decisions of the sample, in the order of the stream.
    pub(super) fn decisions(
        &self,
        decisions: impl Iterator<Item = Result<(Offset, Event), LogError>>,
    ) -> impl Iterator<Item = Result<Box<Decision>, LogError>> {
        decisions.filter_map(|entry| match entry.map(|(_, event)| event.fact) {
            Ok(Fact::Decision(decision)) => (decision.features.is_some()
                && key(&decision.request_id) < self.below)
                .then_some(Ok(decision)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

/// Not the hash by which features are logged, of which a sample would be all or nothing.
fn key(request_id: &RequestId) -> u64 {
    stable_hash(&format!("features check {request_id}"))
}
