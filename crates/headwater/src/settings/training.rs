//! How models are trained.

use headwater_base::Timestamp;
use headwater_models::content::ContentOptions;
use headwater_models::filter::{FilterOptions, Form};
use headwater_models::ials::{IalsOptions, Solver};
use headwater_training::examples::ExampleOptions;
use headwater_training::{ModelKind, TrainingOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blend::{BlendSettings, PeersSettings};
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
    /// Graph filter of a user's own history.
    pub filter: FilterSettings,
    /// What people of like taste touched.
    pub peers: PeersSettings,
    /// Several of these, fused.
    pub blend: BlendSettings,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self {
            attribution_window: Period::hours(24),
            attribution_grace: Period::hours(1),
            ials: IalsSettings::default(),
            filter: FilterSettings::default(),
            peers: PeersSettings::default(),
            blend: BlendSettings::default(),
        }
    }
}

/// Which linear model a filter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FilterForm {
    /// On the graph of users and items.
    #[default]
    Graph,
    /// The closed form of least squares.
    Ease,
}

/// `[training.filter]`; `train --model filter --set KEY=VALUE` changes one for one run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSettings {
    /// Which linear model: `graph` filters on the graph of users and items, `ease` is the closed form of least squares, whose
    /// matrix of items times items has to fit into memory.
    pub form: FilterForm,
    /// Strength of EASE's regularisation.
    pub lambda: f32,
    /// Singular vectors that the low-pass filter lets through; 0 leaves it out.
    pub components: usize,
    /// Weight of the low-pass filter beside the co-occurrences.
    pub low_pass: f32,
    /// How much of what the co-occurrences blur is taken away again.
    pub sharpen: f32,
    /// How far a user's interactions count less the more they are: 0 not at all, 1 in proportion.
    pub user_power: f32,
    /// The same of an item.
    pub item_power: f32,
    /// Items kept for each item.
    pub neighbours: usize,
    /// Passes over the interactions in search of the singular vectors.
    pub passes: usize,
    /// Days in which the weight of an interaction halves, counted back from the newest; 0 weighs old and new alike.
    pub half_life_days: f32,
    /// Where the search sets out; the same log, settings and seed give the same model.
    pub seed: u64,
}

impl Default for FilterSettings {
    fn default() -> Self {
        let defaults = FilterOptions::default();
        Self {
            form: FilterForm::default(),
            lambda: defaults.lambda,
            components: defaults.components,
            low_pass: defaults.low_pass,
            sharpen: defaults.sharpen,
            user_power: defaults.user_power,
            item_power: defaults.item_power,
            neighbours: defaults.neighbours,
            passes: defaults.passes,
            half_life_days: 0.0,
            seed: defaults.seed,
        }
    }
}

impl FilterSettings {
    /// The same as the trainer is told.
    pub fn options(&self) -> TrainingOptions {
        let filter = FilterOptions {
            form: match self.form {
                FilterForm::Graph => Form::Graph,
                FilterForm::Ease => Form::Ease,
            },
            lambda: self.lambda,
            components: self.components,
            low_pass: self.low_pass,
            sharpen: self.sharpen,
            user_power: self.user_power,
            item_power: self.item_power,
            neighbours: self.neighbours,
            passes: self.passes,
            seed: self.seed,
        };
        let half_life_days = (self.half_life_days > 0.0).then_some(self.half_life_days);
        TrainingOptions { filter, half_life_days, ..TrainingOptions::default() }
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
    /// Instead, factors solved at once while the others stay, each block once per solve: a multiple of 8 from 8 to 256; 0
    /// leaves it to `steps`.
    pub block: usize,
    /// The item fields from which vectors are learnt for items that nobody has touched: `["category", "title"]`. An item is then
    /// retrieved for who likes items like it as soon as it is upserted.
    pub content: Vec<String>,
    /// Strength of the regularisation of what is learnt from these fields.
    pub content_lambda: f32,
    /// Where the first vectors come from; the same log, settings and seed give the same model.
    pub seed: u64,
}

impl Default for IalsSettings {
    fn default() -> Self {
        let defaults = TrainingOptions::default();
        let (steps, block) = match defaults.ials.solver {
            Solver::ConjugateGradient { steps } => (steps, 0),
            Solver::Blocks { size } => (1, size),
            Solver::Cholesky => (0, 0),
        };
        Self {
            factors: defaults.ials.factors,
            iterations: defaults.ials.iterations,
            alpha0: defaults.ials.alpha0,
            lambda: defaults.ials.lambda,
            nu: defaults.ials.nu,
            half_life_days: defaults.half_life_days.unwrap_or(0.0),
            steps,
            block,
            content: Vec::new(),
            content_lambda: defaults.content.lambda,
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
                solver: match (self.block, self.steps) {
                    (0, 0) => Solver::Cholesky,
                    (0, steps) => Solver::ConjugateGradient { steps },
                    (size, _) => Solver::Blocks { size },
                },
                seed: self.seed,
            },
            content_fields: self.content.clone(),
            content: ContentOptions { lambda: self.content_lambda, ..ContentOptions::default() },
            half_life_days: (self.half_life_days > 0.0).then_some(self.half_life_days),
            ..TrainingOptions::default()
        }
    }
}

impl TrainingSettings {
    /// The options of a kind of model; those of a kind that is not trained are never asked for.
    pub fn options(&self, kind: ModelKind) -> TrainingOptions {
        match kind {
            ModelKind::Filter => self.filter.options(),
            ModelKind::Peers => self.peers.options(),
            ModelKind::Blend => self.blend.options(self),
            _ => self.ials.options(),
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
    if let Err(error) = ials.options().content.validate() {
        found.push(("training.ials".to_owned(), format!("content_{error}")));
    }
    for name in ials.content.iter().filter(|name| !settings.items.fields.contains_key(*name)) {
        let path = "training.ials.content";
        found.push((
            path.to_owned(),
            format!("`{path}` names `{name}`, which is no field of `[items.fields]`"),
        ));
    }
    let filter = &settings.training.filter;
    if let Err(error) = filter.options().filter.validate() {
        found.push(("training.filter".to_owned(), error.to_string()));
    }
    if let Err(error) = settings.training.peers.options().peers.validate() {
        found.push(("training.peers".to_owned(), error.to_string()));
    }
    let blend = &settings.training.blend;
    if let Err(error) = blend.mixture() {
        found.push(("training.blend.members".to_owned(), error));
    }
    if let Err(error) = blend.options(&settings.training).blend.validate() {
        found.push(("training.blend".to_owned(), error.to_string()));
    }
    for (path, days) in [
        ("training.ials.half_life_days", ials.half_life_days),
        ("training.filter.half_life_days", filter.half_life_days),
        ("training.peers.half_life_days", settings.training.peers.half_life_days),
        ("training.blend.half_life_days", settings.training.blend.half_life_days),
    ] {
        if !(days.is_finite() && days >= 0.0) {
            found.push((path.to_owned(), format!("`{path}` must be a finite number of at least 0")));
        }
    }
    found
}
