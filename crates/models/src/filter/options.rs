//! What a training run is told.

use crate::error::ModelError;

/// Which linear model a filter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// Filters on the graph of users and items.
    #[default]
    Graph,
    /// The closed form of least squares. Its matrix has to fit into memory: see [`FilterOptions::memory_bytes`].
    Ease,
}

/// Options of a filter. Those of the graph are by default those of GF-CF; `low_pass`, `sharpen` and the powers are worth
/// tuning, as is `lambda` of EASE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterOptions {
    /// Which linear model.
    pub form: Form,
    /// Strength of EASE's regularisation, positive.
    pub lambda: f32,
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
            form: Form::Graph,
            lambda: 200.0,
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
        check(
            self.lambda.is_finite() && self.lambda > 0.0,
            "lambda",
            self.lambda.into(),
            "a finite number above 0",
        )?;
        check(self.neighbours >= 1, "neighbours", self.neighbours as f64, "at least 1")?;
        check(self.passes >= 1, "passes", self.passes as f64, "at least 1")
    }

    /// About how many bytes training needs beside its matrix of `entries` interactions of `users` with `items`.
    pub fn memory_bytes(&self, users: usize, items: usize, entries: usize) -> u64 {
        let [users, items, entries] = [users, items, entries].map(|count| count as u64);
        let served = items * 8 * self.neighbours.min(items as usize) as u64;
        let work = match self.form {
            // Two more matrices, and thrice the vectors of both sides.
            Form::Graph => entries * 16 + 3 * (users + items) * 4 * (self.components as u64 + 48),
            Form::Ease => entries * 8 + super::ease::memory_bytes(items as usize),
        };
        served + work
    }
}
