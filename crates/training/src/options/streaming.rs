//! Options of the kinds that are folded from the log instead of being trained, set by name.

use std::time::Duration;

use headwater_base::Invalid;
use serde_json::Value;

use super::{SECONDS_A_DAY, TrainingOptions, parse, short};
use crate::fit::ModelKind;

/// The keys of co-visitation.
pub(super) const NEIGHBOURS: &[&str] =
    &["half_gap_days", "half_life_days", "neighbours", "recent", "shrinkage", "window_days"];
/// The keys of session neighbours.
pub(super) const SESSIONS: &[&str] = &[
    "before",
    "gap_minutes",
    "half_life_days",
    "history",
    "history_places",
    "item_power",
    "items",
    "kept",
    "match_power",
    "neighbours",
    "recent",
    "repeated",
    "session_places",
    "window_days",
];

impl TrainingOptions {
    pub(super) fn set_streaming(&mut self, kind: ModelKind, key: &str, value: &str) -> Result<(), Invalid> {
        let Self { neighbours, sessions, .. } = self;
        match (kind, key) {
            (ModelKind::Neighbours, "half_gap_days") => neighbours.half_gap = days(key, value)?,
            (ModelKind::Neighbours, "half_life_days") => neighbours.half_life = days(key, value)?,
            (ModelKind::Neighbours, "neighbours") => neighbours.neighbours = count(key, value, 1_000)?,
            (ModelKind::Neighbours, "recent") => neighbours.recent = count(key, value, 64)?,
            (ModelKind::Neighbours, "shrinkage") => neighbours.shrinkage = number(key, value, 0.0, 1e6)?,
            (ModelKind::Neighbours, _) => neighbours.window = days(key, value)?,
            (_, "before") => sessions.before = number(key, value, 0.0, 100.0)?,
            (_, "gap_minutes") => sessions.gap = scaled(key, value, 60.0)?,
            (_, "half_life_days") => sessions.half_life = days(key, value)?,
            (_, "history") => sessions.history = count(key, value, 64)?,
            (_, "history_places") => sessions.history_places = number(key, value, 0.01, 1e6)?,
            (_, "item_power") => sessions.item_power = number(key, value, 0.0, 2.0)?,
            (_, "items") => sessions.items = count(key, value, 64)?,
            (_, "kept") => sessions.kept = count(key, value, 100_000_000)?,
            (_, "match_power") => sessions.match_power = number(key, value, 0.0, 2.0)?,
            (_, "neighbours") => sessions.neighbours = count(key, value, 100_000)?,
            (_, "recent") => sessions.recent = count(key, value, 100_000)?,
            (_, "repeated") => sessions.repeated = number(key, value, 0.0, 100.0)?,
            (_, "session_places") => sessions.session_places = number(key, value, 0.01, 1e6)?,
            // The last of the keys above.
            _ => sessions.window = days(key, value)?,
        }
        Ok(())
    }

    pub(super) fn get_streaming(&self, kind: ModelKind, key: &str) -> Value {
        let Self { neighbours, sessions, .. } = self;
        match (kind, key) {
            (ModelKind::Neighbours, "half_gap_days") => in_days(neighbours.half_gap),
            (ModelKind::Neighbours, "half_life_days") => in_days(neighbours.half_life),
            (ModelKind::Neighbours, "neighbours") => neighbours.neighbours.into(),
            (ModelKind::Neighbours, "recent") => neighbours.recent.into(),
            (ModelKind::Neighbours, "shrinkage") => short(neighbours.shrinkage),
            (ModelKind::Neighbours, _) => in_days(neighbours.window),
            (_, "before") => short(sessions.before),
            (_, "gap_minutes") => (sessions.gap.as_secs_f64() / 60.0).into(),
            (_, "half_life_days") => in_days(sessions.half_life),
            (_, "history") => sessions.history.into(),
            (_, "history_places") => short(sessions.history_places),
            (_, "item_power") => short(sessions.item_power),
            (_, "items") => sessions.items.into(),
            (_, "kept") => sessions.kept.into(),
            (_, "match_power") => short(sessions.match_power),
            (_, "neighbours") => sessions.neighbours.into(),
            (_, "recent") => sessions.recent.into(),
            (_, "repeated") => short(sessions.repeated),
            (_, "session_places") => short(sessions.session_places),
            _ => in_days(sessions.window),
        }
    }
}

fn days(key: &str, value: &str) -> Result<Duration, Invalid> {
    scaled(key, value, SECONDS_A_DAY)
}

fn in_days(duration: Duration) -> Value {
    (duration.as_secs_f64() / SECONDS_A_DAY).into()
}

fn scaled(key: &str, value: &str, seconds: f64) -> Result<Duration, Invalid> {
    const EXPECTED: &str = "a number above 0";
    let number: f64 = parse(key, value, EXPECTED)?;
    let duration = Duration::try_from_secs_f64(number * seconds).ok().filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| Invalid::new("invalid_option", key, value, EXPECTED))
}

fn count(key: &str, value: &str, most: usize) -> Result<usize, Invalid> {
    let expected = format!("a whole number from 1 to {most}");
    let number = parse(key, value, &expected)?;
    if (1..=most).contains(&number) {
        Ok(number)
    } else {
        Err(Invalid::new("invalid_option", key, value, expected))
    }
}

fn number(key: &str, value: &str, least: f32, most: f32) -> Result<f32, Invalid> {
    let expected = format!("a number from {least} to {most}");
    let number = parse(key, value, &expected)?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(Invalid::new("invalid_option", key, value, expected))
    }
}
