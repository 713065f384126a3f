//! How models are trained.

use headwater_models::ials::{IalsOptions, Solver};
use headwater_training::TrainingOptions;
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
    /// Days in which the weight of an interaction halves, counted back from the newest; 0 weighs old and new alike.
    pub half_life_days: f32,
    /// Steps of the conjugate gradient per solve; 0 solves exactly.
    pub steps: usize,
    /// Where the first vectors come from; the same log, settings and seed give the same model.
    pub seed: u64,
}

impl Default for IalsSettings {
    fn default() -> Self {
        let defaults = TrainingOptions::default();
        let steps = match defaults.ials.solver {
            Solver::ConjugateGradient { steps } => steps,
            Solver::Cholesky => 0,
        };
        Self {
            factors: defaults.ials.factors,
            iterations: defaults.ials.iterations,
            alpha0: defaults.ials.alpha0,
            lambda: defaults.ials.lambda,
            nu: defaults.ials.nu,
            half_life_days: defaults.half_life_days.unwrap_or(0.0),
            steps,
            seed: defaults.ials.seed,
        }
    }
}

impl IalsSettings {
    /// The same as the trainer is told.
    pub fn options(&self) -> TrainingOptions {
        TrainingOptions {
            ials: IalsOptions {
                factors: self.factors,
                iterations: self.iterations,
                alpha0: self.alpha0,
                lambda: self.lambda,
                nu: self.nu,
                solver: match self.steps {
                    0 => Solver::Cholesky,
                    steps => Solver::ConjugateGradient { steps },
                },
                seed: self.seed,
            },
            half_life_days: (self.half_life_days > 0.0).then_some(self.half_life_days),
        }
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let ials = &settings.training.ials;
    if let Err(error) = ials.options().ials.validate() {
        found.push(("training.ials".to_owned(), error.to_string()));
    }
    if !(ials.half_life_days.is_finite() && ials.half_life_days >= 0.0) {
        let path = "training.ials.half_life_days";
        found.push((path.to_owned(), format!("`{path}` must be a finite number of at least 0")));
    }
    found
}
