//! How models are trained.

use headwater_base::Timestamp;
use headwater_models::ials::{IalsOptions, Solver};
use headwater_training::TrainingOptions;
use headwater_training::examples::ExampleOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, Settings};

/// `[training]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingSettings {
    /// How long after a recommendation an interaction with a shown item still counts as its outcome, by event time.
    pub attribution_window: Period,
    /// How much later than the window's end such an interaction may be received. Examples wait this much longer.
    pub attribution_grace: Period,
    /// Factorisation for implicit feedback.
    pub ials: IalsSettings,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self {
            attribution_window: Period::hours(24),
            attribution_grace: Period::hours(1),
            ials: IalsSettings::default(),
        }
    }
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
            ..TrainingOptions::default()
        }
    }
}

impl Settings {
    /// How decisions and outcomes are joined, as of `now`.
    pub fn example_options(&self, now: Timestamp) -> ExampleOptions {
        ExampleOptions {
            window: self.training.attribution_window.0,
            grace: self.training.attribution_grace.0,
            ..ExampleOptions::at(now)
        }
    }
}

pub(super) fn contradictions(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if settings.training.attribution_window == Period::default() {
        let path = "training.attribution_window";
        found.push((path.to_owned(), format!("`{path}` must be longer than 0s")));
    }
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
