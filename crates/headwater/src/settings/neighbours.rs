//! The two kinds of neighbours that are folded from the log: of items, and of sessions.

use headwater_models::streaming::{CoVisitationOptions, SessionOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, Settings, ViewSettings};

/// `[views.sessions]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSettings {
    /// Sessions kept; beyond, the one that began first makes room. 0 keeps none. Each takes 100 to 200 bytes of memory with 20
    /// items.
    pub kept: usize,
    /// Distinct items of a session; a further one begins the next session.
    pub items: usize,
    /// After this long without an event, the next one of the same user or session id begins a new session.
    pub gap: Period,
    /// A session that ended this long before the newest event is forgotten.
    pub window: Period,
    /// After this long a session counts half.
    pub half_life: Period,
    /// Latest distinct items of the session under way that are looked for in others.
    pub history: usize,
    /// Latest sessions of each of these items that are compared.
    pub recent: usize,
    /// Most similar of the compared sessions whose items are answered.
    pub neighbours: usize,
    /// Places after which an item of the session under way counts 1/e of its latest.
    pub history_places: f32,
    /// Places from the item that both sessions have after which an item of the other counts 1/e.
    pub session_places: f32,
    /// What an item before the one that both have counts, as a share of what one after it counts.
    pub before: f32,
    /// What an item counts that the session under way has already, where another counts 1. What was seen is left out where a
    /// surface says so.
    pub repeated: f32,
    /// How far a match over an item counts less the more sessions have the item: 0 not at all, 1 in proportion.
    pub match_power: f32,
    /// The same of an item that is answered.
    pub item_power: f32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        let defaults = SessionOptions::default();
        Self {
            kept: defaults.kept,
            items: defaults.items,
            gap: Period(defaults.gap),
            window: Period(defaults.window),
            half_life: Period(defaults.half_life),
            history: defaults.history,
            recent: defaults.recent,
            neighbours: defaults.neighbours,
            history_places: defaults.history_places,
            session_places: defaults.session_places,
            before: defaults.before,
            repeated: defaults.repeated,
            match_power: defaults.match_power,
            item_power: defaults.item_power,
        }
    }
}

impl SessionSettings {
    /// As the views are told.
    pub fn options(&self) -> SessionOptions {
        SessionOptions {
            kept: self.kept,
            items: self.items,
            gap: self.gap.0,
            window: self.window.0,
            half_life: self.half_life.0,
            history: self.history,
            recent: self.recent,
            neighbours: self.neighbours,
            history_places: self.history_places,
            session_places: self.session_places,
            before: self.before,
            repeated: self.repeated,
            match_power: self.match_power,
            item_power: self.item_power,
        }
    }
}

impl ViewSettings {
    /// Options of co-visitation, as the views are told.
    pub fn neighbour_options(&self) -> CoVisitationOptions {
        CoVisitationOptions {
            recent: self.neighbours_recent,
            window: self.neighbours_window.0,
            half_gap: self.neighbours_half_gap.0,
            half_life: self.neighbours_half_life.0,
            neighbours: self.neighbours,
            shrinkage: self.neighbours_shrinkage,
        }
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let views = &settings.views;
    let sessions = &views.sessions;
    let mut found = Vec::new();
    let mut need = |holds: bool, path: &str, rule: &str| {
        if !holds {
            found.push((path.to_owned(), format!("`{path}` must be {rule}")));
        }
    };
    for (path, number, most) in [
        ("views.neighbours", views.neighbours, 1_000),
        ("views.neighbours_recent", views.neighbours_recent, 64),
        ("views.sessions.items", sessions.items, 64),
        ("views.sessions.history", sessions.history, 64),
        ("views.sessions.recent", sessions.recent, 100_000),
        ("views.sessions.neighbours", sessions.neighbours, 100_000),
    ] {
        need((1..=most).contains(&number), path, &format!("between 1 and {most}"));
    }
    need(sessions.kept <= 100_000_000, "views.sessions.kept", "at most 100000000");
    for (path, period) in [
        ("views.neighbours_half_life", views.neighbours_half_life),
        ("views.neighbours_window", views.neighbours_window),
        ("views.neighbours_half_gap", views.neighbours_half_gap),
        ("views.sessions.gap", sessions.gap),
        ("views.sessions.window", sessions.window),
        ("views.sessions.half_life", sessions.half_life),
    ] {
        need(period > Period::default(), path, "longer than 0s");
    }
    for (path, number, least, most) in [
        ("views.neighbours_shrinkage", views.neighbours_shrinkage, 0.0, 1e6),
        ("views.sessions.history_places", sessions.history_places, 0.01, 1e6),
        ("views.sessions.session_places", sessions.session_places, 0.01, 1e6),
        ("views.sessions.before", sessions.before, 0.0, 100.0),
        ("views.sessions.repeated", sessions.repeated, 0.0, 100.0),
        ("views.sessions.match_power", sessions.match_power, 0.0, 2.0),
        ("views.sessions.item_power", sessions.item_power, 0.0, 2.0),
    ] {
        need((least..=most).contains(&number), path, &format!("a number from {least} to {most}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_models_and_sound() {
        let settings = Settings::default();
        assert_eq!(contradictions(&settings), []);
        assert_eq!(settings.views_options().sessions, SessionOptions::default());
        assert_eq!(settings.views_options().neighbours, CoVisitationOptions::default());
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_range() {
        let mut settings = Settings::default();
        settings.views.sessions.items = 65;
        settings.views.sessions.gap = Period::default();
        settings.views.sessions.item_power = f32::NAN;
        let found: Vec<String> = contradictions(&settings).into_iter().map(|(_, told)| told).collect();
        assert_eq!(
            found,
            [
                "`views.sessions.items` must be between 1 and 64",
                "`views.sessions.gap` must be longer than 0s",
                "`views.sessions.item_power` must be a number from 0 to 2",
            ]
        );
    }
}
