//! How the views are kept.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use headwater_base::Schema;
use headwater_base::random::stable_hash;
use headwater_models::streaming::{CoVisitationOptions, SessionOptions};

use crate::declared::Plan;
use crate::profiles::Idle;
use crate::spill::SpillOptions;

/// Settings of the views. Those that shape the state are part of a checkpoint's fingerprint: a checkpoint made under
/// others is not used, and the log is replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewsOptions {
    /// Half-life of what is popular. Default 30 days.
    pub popular_half_life: Duration,
    /// Half-life of what is trending. Default 1 hour.
    pub trending_half_life: Duration,
    /// Pairing and keeping of neighbours.
    pub neighbours: CoVisitationOptions,
    /// Keeping and comparing of sessions.
    pub sessions: SessionOptions,
    /// The declared features. Default: none.
    pub plan: Arc<Plan>,
    /// A user, an item or another entity of which nothing was received for this long starts anew, with an empty history;
    /// fields stay. Default 400 days.
    pub idle_entities: Duration,
    /// The same of sessions. Default 30 days.
    pub idle_sessions: Duration,
    /// A limit for the memory of users and sessions; shapes nothing. Default: none.
    pub spill: Option<SpillOptions>,
    /// Threads that fold a large batch; shapes nothing. Default: the machine's, at most 4.
    pub threads: usize,
}

impl Default for ViewsOptions {
    fn default() -> Self {
        Self {
            popular_half_life: Duration::from_secs(30 * 24 * 60 * 60),
            trending_half_life: Duration::from_secs(60 * 60),
            neighbours: CoVisitationOptions::default(),
            sessions: SessionOptions::default(),
            plan: Arc::default(),
            idle_entities: Duration::from_secs(400 * 24 * 60 * 60),
            idle_sessions: Duration::from_secs(30 * 24 * 60 * 60),
            spill: None,
            threads: thread::available_parallelism().map_or(1, |threads| threads.get().min(4)),
        }
    }
}

impl ViewsOptions {
    pub(crate) fn idle(&self) -> Idle {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Idle { users: micros(self.idle_entities), sessions: micros(self.idle_sessions) }
    }

    /// A hash of all that shapes the state: these options, the interaction types and the item fields.
    pub(crate) fn fingerprint(&self, schema: &Schema) -> u64 {
        let mut text = format!("{:?} {:?}\n", self.popular_half_life, self.trending_half_life);
        let CoVisitationOptions { recent, window, half_gap, half_life, neighbours, shrinkage: _ } =
            &self.neighbours;
        text += &format!("{recent} {window:?} {half_gap:?} {half_life:?} {neighbours}\n");
        let SessionOptions { kept, items, gap, window, .. } = &self.sessions;
        text += &format!("{kept} {items} {gap:?} {window:?}\n");
        for (name, declared) in &schema.interactions {
            text += &format!("{name:?} {:08x}\n", declared.weight.to_bits());
        }
        for (name, field_type) in &schema.items {
            text += &format!("{name:?} {field_type:?}\n");
        }
        text +=
            &format!("{:?} {:?} {:016x}\n", self.idle_entities, self.idle_sessions, self.plan.fingerprint());
        stable_hash(&text)
    }
}
