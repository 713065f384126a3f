//! What a training run is told.

use crate::error::ModelError;

/// Options of the graph filter. The defaults are those of GF-CF; `low_pass`, `sharpen` and the powers are worth tuning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterOptions {
    /// Singular vectors that the ideal low-pass filter lets through; 0 leaves the filter out.
    pub components: usize,
    /// Weight of the ideal low-pass filter beside the co-occurrences, not negative.
    pub low_pass: f32,
    /// How much of what the co-occurrences would blur is taken away again, not negative.
    pub sharpen: f32,
    /// How far a user's interactions count less the more they are: 0 not at all, 1 in proportion.
    pub user_power: f32,
    /// The same of an item.
    pub item_power: f32,
    /// Items kept for each item, by size of their weight.
    pub neighbours: usize,
    /// Passes over the interactions in search of the singular vectors, at least 1.
    pub passes: usize,
    /// Where the search sets out.
    pub seed: u64,
}

impl Default for FilterOptions {
    fn default() -> Self {
        Self {
            components: 256,
            low_pass: 0.3,
            sharpen: 0.0,
            user_power: 0.5,
            item_power: 0.5,
            neighbours: 400,
            passes: 8,
            seed: 1,
        }
    }
}

impl FilterOptions {
    /// Checks every option against its range.
    ///
    /// # Errors
    /// The first option that is outside it.
    pub fn validate(&self) -> Result<(), ModelError> {
        let check = |ok: bool, option, value: f64, expected| {
            if ok { Ok(()) } else { Err(ModelError::Option { option, value, expected }) }
        };
        check(self.components <= 4096, "components", self.components as f64, "0 to 4096")?;
        for (option, value, most) in [
            ("low_pass", self.low_pass, 1e3),
            ("sharpen", self.sharpen, 1e3),
            ("user_power", self.user_power, 2.0),
            ("item_power", self.item_power, 2.0),
        ] {
            let expected = if most > 2.0 { "a number from 0 to 1000" } else { "a number from 0 to 2" };
            check((0.0..=most).contains(&value), option, value.into(), expected)?;
        }
        check(self.neighbours >= 1, "neighbours", self.neighbours as f64, "at least 1")?;
        check(self.passes >= 1, "passes", self.passes as f64, "at least 1")
    }
}
