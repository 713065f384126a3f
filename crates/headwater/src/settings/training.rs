//! How models are trained.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;

/// `[training]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingSettings {
    /// Factorisation for implicit feedback.
    pub ials: IalsSettings,
}

/// `[training.ials]`; `train --set KEY=VALUE` changes one for one run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IalsSettings {
    /// Length of the vectors of users and items.
    pub factors: usize,
    /// How many times users and items are solved in turn.
    pub iterations: usize,
    /// Weight of what was not interacted with: how much every cell of the matrix is pulled to 0.
    pub alpha0: f32,
    /// Strength of the regularisation.
    pub lambda: f32,
    /// How far the regularisation follows frequency: 0 the same for all, 1 in proportion.
    pub nu: f32,
    /// Where the first vectors come from; the same log, settings and seed give the same model.
    pub seed: u64,
}

impl Default for IalsSettings {
    fn default() -> Self {
        Self { factors: 64, iterations: 16, alpha0: 0.02, lambda: 0.005, nu: 1.0, seed: 1 }
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let ials = &settings.training.ials;
    let mut need = |holds: bool, key: &str, rule: &str| {
        if !holds {
            let path = format!("training.ials.{key}");
            found.push((path.clone(), format!("`{path}` must be {rule}")));
        }
    };
    need((1..=4096).contains(&ials.factors), "factors", "between 1 and 4096");
    need((1..=1_000).contains(&ials.iterations), "iterations", "between 1 and 1000");
    need(ials.alpha0 >= 0.0 && ials.alpha0.is_finite(), "alpha0", "a finite number of at least 0");
    need(ials.lambda > 0.0 && ials.lambda.is_finite(), "lambda", "a finite number above 0");
    need((0.0..=1.0).contains(&ials.nu), "nu", "between 0 and 1");
    found
}
