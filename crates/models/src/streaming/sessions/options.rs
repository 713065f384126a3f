//! What is kept of sessions, and how much each part of a match counts.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// What is kept of sessions, and how they are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionOptions {
    /// Sessions kept; the one that began first makes room for a new one. 0 keeps none. Default 262,144.
    pub kept: usize,
    /// Distinct items of a session; a further one begins the next session. 1 to 64. Default 20.
    pub items: usize,
    /// Time without an event after which an actor's next event begins a new session. Default 30 minutes.
    pub gap: Duration,
    /// A session that ended this long before the newest is forgotten. Default 180 days.
    pub window: Duration,
    /// How fast a session fades. Default 90 days.
    pub half_life: Duration,
    /// Latest distinct items of a history that are compared. Default 9.
    pub history: usize,
    /// Latest sessions of each of these items that are compared. Default 100.
    pub recent: usize,
    /// Most similar of the compared sessions that give candidates. Default 100.
    pub neighbours: usize,
    /// Places after which an item of the history counts 1/e of the latest. Default 2.7.
    pub history_places: f32,
    /// Places from the item that both sessions share after which a neighbour's item counts 1/e. Default 5.
    pub session_places: f32,
    /// What an item before the shared one counts, as a share of what one after it counts. Default 0.8.
    pub before: f32,
    /// What an item of the history that is not the latest counts as a candidate; one that is new counts 1. Default 1.6.
    pub repeated: f32,
    /// The power of an item's number of sessions by which a match over it is divided. Default 0.5.
    pub match_power: f32,
    /// The power of an item's number of sessions by which its score is divided. Default 0.25.
    pub item_power: f32,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            kept: 1 << 18,
            items: 20,
            gap: Duration::from_secs(30 * 60),
            window: Duration::from_secs(180 * DAY),
            half_life: Duration::from_secs(90 * DAY),
            history: 9,
            recent: 100,
            neighbours: 100,
            history_places: 2.7,
            session_places: 5.0,
            before: 0.8,
            repeated: 1.6,
            match_power: 0.5,
            item_power: 0.25,
        }
    }
}
