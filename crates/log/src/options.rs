//! What can be tuned.

use std::time::Duration;

/// Options of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// A segment is sealed once it is this large, in bytes.
    pub segment_bytes: u64,
    /// The longest a commit waits for more appends to share its fsync. It waits only while several appenders are
    /// active, and never longer than an fsync takes.
    pub linger: Duration,
    /// Most events waiting to be committed; appends block beyond it.
    pub queue_events: usize,
    /// Most encoded bytes waiting to be committed; appends block beyond it.
    pub queue_bytes: usize,
    /// How many recent events are kept in memory for subscribers.
    pub recent_events: usize,
    /// How long an event id is remembered, by receive time.
    pub deduplication: Duration,
    /// Most memory for the filters of event ids, in bytes; beyond it ids are looked up on disk.
    pub filter_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 128 << 20,
            linger: Duration::from_millis(2),
            queue_events: 65_536,
            queue_bytes: 64 << 20,
            recent_events: 16_384,
            deduplication: Duration::from_secs(7 * 24 * 60 * 60),
            filter_bytes: 64 << 20,
        }
    }
}

/// Options of the decision log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionOptions {
    /// A segment is sealed once it is this large, in bytes.
    pub segment_bytes: u64,
    /// How long a decision may wait for its fsync; the fsync itself comes on top.
    pub sync_interval: Duration,
}

impl Default for DecisionOptions {
    fn default() -> Self {
        Self { segment_bytes: 128 << 20, sync_interval: Duration::from_millis(25) }
    }
}
