//! Options of a training run, set by name.

mod streaming;

use std::collections::BTreeMap;

use headwater_base::Invalid;
use headwater_base::schema::one_of;
use headwater_models::blend::{Blend, BlendOptions};
use headwater_models::content::ContentOptions;
use headwater_models::filter::{FilterOptions, Form};
use headwater_models::ials::{IalsOptions, Solver};
use headwater_models::peers::PeersOptions;
use headwater_models::streaming::{CoVisitationOptions, SessionOptions};
use serde_json::Value;

use crate::fit::ModelKind;
use crate::mixture::{MEMBERS, Mixture};
use crate::presets::Preset;

const SECONDS_A_DAY: f64 = 86_400.0;

/// How models are trained and how a history is weighed: the options of every kind, each with its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingOptions {
    /// The factorisation.
    pub ials: IalsOptions,
    /// The graph filter.
    pub filter: FilterOptions,
    /// The item fields from which a factorisation learns vectors for items that nobody has touched; without one it learns none.
    pub content_fields: Vec<String>,
    /// How it learns them.
    pub content: ContentOptions,
    /// People of like taste.
    pub peers: PeersOptions,
    /// How a blend serves.
    pub blend: BlendOptions,
    /// What a blend is made of.
    pub mixture: Mixture,
    /// Co-visitation.
    pub neighbours: CoVisitationOptions,
    /// Session neighbours.
    pub sessions: SessionOptions,
    /// Days in which the weight of a training interaction halves, counted back from the end of the training data;
    /// `None` weighs old and new alike. Needs real times.
    pub half_life_days: Option<f32>,
    /// Bytes that a training may need, where that is known before it starts; `None` lets it try.
    pub memory: Option<u64>,
}

impl TrainingOptions {
    /// The keys that [`TrainingOptions::set`] takes for a kind of model.
    pub fn keys(kind: ModelKind) -> &'static [&'static str] {
        match kind {
            ModelKind::Ials => &[
                "alpha0",
                "block",
                "content",
                "content_lambda",
                "factors",
                "half_life_days",
                "iterations",
                "lambda",
                "nu",
                "seed",
                "steps",
            ],
            ModelKind::Filter => &[
                "components",
                "form",
                "half_life_days",
                "item_power",
                "lambda",
                "low_pass",
                "neighbours",
                "passes",
                "seed",
                "sharpen",
                "user_power",
            ],
            ModelKind::Peers => {
                &["common_power", "half_life_days", "item_power", "nearest", "sharpness", "user_power"]
            }
            ModelKind::Blend => &[
                "depth",
                "filter.components",
                "filter.form",
                "filter.item_power",
                "filter.lambda",
                "filter.low_pass",
                "filter.neighbours",
                "filter.passes",
                "filter.sharpen",
                "filter.user_power",
                "half_life_days",
                "ials.alpha0",
                "ials.content",
                "ials.content_lambda",
                "ials.factors",
                "ials.iterations",
                "ials.lambda",
                "ials.nu",
                "ials.steps",
                "members",
                "peers.common_power",
                "peers.item_power",
                "peers.nearest",
                "peers.sharpness",
                "peers.user_power",
                "seed",
            ],
            ModelKind::Neighbours => streaming::NEIGHBOURS,
            ModelKind::Sessions => streaming::SESSIONS,
            ModelKind::Popular | ModelKind::Trending => &[],
        }
    }

    /// The kind and the key that a key such as `ials.factors` of a blend means.
    fn member(key: &str) -> Option<(ModelKind, &str)> {
        let (kind, key) = key.split_once('.')?;
        Some((kind.parse().ok()?, key))
    }

    /// The same with the weights of this blend.
    #[must_use]
    pub fn weighed(&self, blend: &Blend) -> Self {
        let weights: Vec<f32> = blend.members().iter().map(|(_, weight)| *weight).collect();
        Self { mixture: self.mixture.with_weights(&weights), ..self.clone() }
    }

    /// Options that suit the data a preset was made for, chosen on its validation slice; its test cases had no part.
    pub fn for_preset(kind: ModelKind, preset: Preset) -> Self {
        let mut options = Self::default();
        if kind == ModelKind::Blend {
            MEMBERS.iter().for_each(|kind| options.choose(*kind, preset));
        }
        options.choose(kind, preset);
        options
    }

    fn choose(&mut self, kind: ModelKind, preset: Preset) {
        let chosen: &[(&str, &str)] = match (kind, preset) {
            // The films that are rated this month matter: weights halve within days, and little is known of each
            // user, so the regularisation is strong.
            (ModelKind::Ials, Preset::Movielens) => &[
                ("alpha0", "0.0003"),
                ("content", "genres, released, title"),
                ("half_life_days", "10"),
                ("lambda", "1"),
                ("nu", "0.65"),
            ],
            // What was bought is bought again: a large alpha0 keeps to what the history shows.
            (ModelKind::Ials, Preset::OnlineRetail) => &[
                ("alpha0", "2"),
                ("factors", "128"),
                ("half_life_days", "130"),
                ("lambda", "0.01"),
                ("nu", "0.33"),
            ],
            // Many users of few items each: stopping early regularises.
            (ModelKind::Ials, Preset::Split) => &[("iterations", "4"), ("lambda", "0.003"), ("steps", "2")],
            // Users and items of many interactions are held back a little less than in GF-CF.
            (ModelKind::Filter, Preset::Split) => &[
                ("item_power", "0.45"),
                ("low_pass", "0.34"),
                ("neighbours", "1000"),
                ("user_power", "0.43"),
            ],
            (ModelKind::Peers, Preset::Split) => &[("item_power", "0.15")],
            // Many factors pay in a blend, which has no need of the popular being right by itself. With peers beside
            // factors, those score what has fewer users.
            (ModelKind::Blend, Preset::Split) => &[
                ("ials.factors", "1024"),
                ("members", "ials, filter"),
                ("peers.item_power", "0.4"),
                ("peers.nearest", "30000"),
            ],
            // Its times are a second a click apart, so the 906,000 clicks of five months are ten days.
            (ModelKind::Sessions, Preset::Sessions) => &[("half_life_days", "5")],
            (ModelKind::Neighbours, Preset::Sessions) => &[("half_life_days", "7"), ("shrinkage", "5")],
            // Long histories of few items: more of each is compared, and what came before tells little of what comes.
            (ModelKind::Sessions, Preset::Sequence) => &[
                ("before", "0.2"),
                ("history_places", "4"),
                ("items", "64"),
                ("neighbours", "300"),
                ("recent", "2000"),
                ("session_places", "3"),
            ],
            _ => &[],
        };
        for (key, value) in chosen {
            self.set(kind, key, value).expect("options of presets are within range, which a test checks");
        }
    }

    /// Sets one option of a kind of model by its name.
    ///
    /// # Errors
    /// A key that the kind does not know, with the closest known one first; a value that does not read.
    pub fn set(&mut self, kind: ModelKind, key: &str, value: &str) -> Result<(), Invalid> {
        let keys = Self::keys(kind);
        if !keys.contains(&key) {
            let expected = match keys {
                [] => format!("no options: {kind} has none"),
                keys => one_of(keys, key),
            };
            return Err(Invalid::new("unknown_option", "set", key, expected));
        }
        if let Some((member, key)) = Self::member(key) {
            return self.set(member, key, value);
        }
        if !kind.is_trained() {
            return self.set_streaming(kind, key, value);
        }
        match key {
            "alpha0" => self.ials.alpha0 = parse(key, value, "a number, not negative")?,
            "common_power" => self.peers.common_power = parse(key, value, "a number from 0 to 2")?,
            "components" => self.filter.components = parse(key, value, "a whole number from 0 to 4096")?,
            "content" => {
                let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                self.content_fields = names.map(str::to_owned).collect();
            }
            "content_lambda" => self.content.lambda = parse(key, value, "a number above 0")?,
            "depth" => self.blend.depth = parse(key, value, "a whole number, at least 1")?,
            "factors" => self.ials.factors = parse(key, value, "a whole number from 1 to 4096")?,
            "form" => {
                self.filter.form = match value {
                    "graph" => Form::Graph,
                    "ease" => Form::Ease,
                    _ => return Err(Invalid::new("invalid_option", key, value, "graph or ease")),
                }
            }
            "half_life_days" => {
                let expected = "a number of days, or 0 for none";
                let days: f32 = parse(key, value, expected)?;
                if !days.is_finite() || days < 0.0 {
                    return Err(Invalid::new("invalid_option", key, value, expected));
                }
                self.half_life_days = (days > 0.0).then_some(days);
            }
            "item_power" if kind == ModelKind::Peers => {
                self.peers.item_power = parse(key, value, "a number from 0 to 2")?;
            }
            "item_power" => self.filter.item_power = parse(key, value, "a number from 0 to 2")?,
            "iterations" => self.ials.iterations = parse(key, value, "a whole number")?,
            "lambda" if kind == ModelKind::Filter => {
                self.filter.lambda = parse(key, value, "a number above 0")?;
            }
            "lambda" => self.ials.lambda = parse(key, value, "a number above 0")?,
            "low_pass" => self.filter.low_pass = parse(key, value, "a number, not negative")?,
            "members" => self.mixture = value.parse()?,
            "nearest" => self.peers.nearest = parse(key, value, "a whole number, at least 1")?,
            "neighbours" => self.filter.neighbours = parse(key, value, "a whole number, at least 1")?,
            "nu" => self.ials.nu = parse(key, value, "a number")?,
            "passes" => self.filter.passes = parse(key, value, "a whole number, at least 1")?,
            "seed" => {
                let seed = parse(key, value, "a whole number")?;
                (self.ials.seed, self.filter.seed) = (seed, seed);
            }
            "sharpness" => self.peers.sharpness = parse(key, value, "a number from 0.1 to 10")?,
            "sharpen" => self.filter.sharpen = parse(key, value, "a number, not negative")?,
            "block" => {
                let size = parse(key, value, "a number of factors, or 0 for conjugate gradient")?;
                self.ials.solver =
                    if size == 0 { IalsOptions::default().solver } else { Solver::Blocks { size } };
            }
            "steps" => {
                let steps = parse(key, value, "a number of conjugate gradient steps, or 0 for exact")?;
                self.ials.solver =
                    if steps == 0 { Solver::Cholesky } else { Solver::ConjugateGradient { steps } };
            }
            "user_power" if kind == ModelKind::Peers => {
                self.peers.user_power = parse(key, value, "a number from 0 to 2")?;
            }
            // The last of the keys above.
            _ => self.filter.user_power = parse(key, value, "a number from 0 to 2")?,
        }
        let valid = self.ials.validate().and_then(|()| self.filter.validate());
        let valid = valid.and_then(|()| self.content.validate());
        let valid = valid.and_then(|()| self.peers.validate()).and_then(|()| self.blend.validate());
        valid.map_err(|error| Invalid::new("invalid_option", key, value, error.to_string()))
    }

    /// Sets options from `KEY=VALUE` texts, in order.
    ///
    /// # Errors
    /// As [`TrainingOptions::set`]; a text without `=`.
    pub fn set_all<T: AsRef<str>>(&mut self, kind: ModelKind, settings: &[T]) -> Result<(), Invalid> {
        for setting in settings {
            let setting = setting.as_ref();
            let Some((key, value)) = setting.split_once('=') else {
                return Err(Invalid::new("invalid_option", "set", setting, "KEY=VALUE"));
            };
            self.set(kind, key.trim(), value.trim())?;
        }
        Ok(())
    }

    /// The options of a kind by name, as reports and manifests carry them.
    pub fn to_map(&self, kind: ModelKind) -> BTreeMap<String, Value> {
        TrainingOptions::keys(kind).iter().map(|key| ((*key).to_owned(), self.get(kind, key))).collect()
    }

    fn get(&self, kind: ModelKind, key: &str) -> Value {
        if let Some((member, key)) = Self::member(key) {
            return self.get(member, key);
        }
        if !kind.is_trained() {
            return self.get_streaming(kind, key);
        }
        let Self { ials, content_fields, content, filter, peers, blend, mixture, half_life_days, .. } = self;
        match key {
            "alpha0" => short(ials.alpha0),
            "common_power" => short(peers.common_power),
            "components" => filter.components.into(),
            "content" => content_fields.join(", ").into(),
            "content_lambda" => short(content.lambda),
            "depth" => blend.depth.into(),
            "factors" => ials.factors.into(),
            "form" => match filter.form {
                Form::Graph => "graph".into(),
                Form::Ease => "ease".into(),
            },
            "half_life_days" => half_life_days.map_or(Value::Null, short),
            "item_power" if kind == ModelKind::Peers => short(peers.item_power),
            "item_power" => short(filter.item_power),
            "iterations" => ials.iterations.into(),
            "lambda" if kind == ModelKind::Filter => short(filter.lambda),
            "lambda" => short(ials.lambda),
            "low_pass" => short(filter.low_pass),
            "members" => mixture.to_string().into(),
            "nearest" => peers.nearest.into(),
            "neighbours" => filter.neighbours.into(),
            "nu" => short(ials.nu),
            "passes" => filter.passes.into(),
            "seed" => ials.seed.into(),
            "sharpen" => short(filter.sharpen),
            "sharpness" => short(peers.sharpness),
            "block" => match ials.solver {
                Solver::Blocks { size } => size.into(),
                Solver::ConjugateGradient { .. } | Solver::Cholesky => Value::Null,
            },
            "steps" => match ials.solver {
                Solver::ConjugateGradient { steps } => steps.into(),
                Solver::Blocks { .. } => Value::Null,
                Solver::Cholesky => 0.into(),
            },
            "user_power" if kind == ModelKind::Peers => short(peers.user_power),
            _ => short(filter.user_power),
        }
    }

    /// The options [`TrainingOptions::to_map`] wrote.
    ///
    /// # Errors
    /// A key this version does not know; a value that does not read.
    pub fn from_map(kind: ModelKind, map: &BTreeMap<String, Value>) -> Result<Self, Invalid> {
        let mut options = Self::default();
        for (key, value) in map {
            match value {
                Value::Null => {}
                Value::String(text) => options.set(kind, key, text)?,
                other => options.set(kind, key, &other.to_string())?,
            }
        }
        Ok(options)
    }

    /// What an interaction this many seconds before the end of the training data counts, as a share of its weight.
    pub(crate) fn decay(&self, age_seconds: f64) -> f32 {
        let Some(days) = self.half_life_days else { return 1.0 };
        // Never 0: an observed cell stays observed.
        (-(age_seconds.max(0.0)) / (f64::from(days) * SECONDS_A_DAY)).exp2().max(1e-6) as f32
    }
}

/// The shortest decimal that reads back as the same `f32`: 0.1, not 0.10000000149.
fn short(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

fn parse<T: std::str::FromStr>(key: &str, value: &str, expected: &str) -> Result<T, Invalid> {
    value.parse().map_err(|_| Invalid::new("invalid_option", key, value, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ModelKind; 6] = [
        ModelKind::Ials,
        ModelKind::Filter,
        ModelKind::Peers,
        ModelKind::Blend,
        ModelKind::Neighbours,
        ModelKind::Sessions,
    ];

    #[test]
    fn options_are_set_by_name_and_come_back() {
        let mut options = TrainingOptions::default();
        let set = ["factors=128", "lambda = 0.1", "steps=0", "half_life_days=30"];
        options.set_all(ModelKind::Ials, &set).unwrap();
        assert_eq!((options.ials.factors, options.ials.solver), (128, Solver::Cholesky));
        assert_eq!(options.half_life_days, Some(30.0));
        let map = options.to_map(ModelKind::Ials);
        assert_eq!(map["lambda"], 0.1);
        assert_eq!(TrainingOptions::from_map(ModelKind::Ials, &map).unwrap(), options);
    }

    #[test]
    fn every_key_is_set_and_read() {
        for kind in KINDS {
            for key in TrainingOptions::keys(kind) {
                let mut options = TrainingOptions::default();
                let before = options.to_map(kind)[*key].clone();
                let value = match key.rsplit('.').next() {
                    Some("form") => "ease",
                    Some("block") => "16",
                    Some("members") => "ials, peers",
                    Some("shrinkage" | "sharpness") => "3",
                    _ => "2",
                };
                options.set(kind, key, value).unwrap();
                let after = options.to_map(kind);
                assert_ne!(after[*key], before, "{key}");
                assert_eq!(TrainingOptions::from_map(kind, &after).unwrap(), options, "{key}");
            }
        }
    }

    #[test]
    fn every_preset_has_options() {
        for (kind, preset) in KINDS.into_iter().flat_map(|kind| Preset::ALL.map(|preset| (kind, preset))) {
            let options = TrainingOptions::for_preset(kind, preset);
            assert_eq!(TrainingOptions::from_map(kind, &options.to_map(kind)).unwrap(), options);
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let ials = ModelKind::Ials;
        let mut options = TrainingOptions::default();
        let unknown = options.set_all(ials, &["factor=8"]).unwrap_err();
        assert_eq!((unknown.code, unknown.value.as_str()), ("unknown_option", "factor"));
        assert!(unknown.expected.starts_with("factors, "), "{unknown}");
        assert_eq!(options.set(ials, "low_pass", "1").unwrap_err().code, "unknown_option");
        let untrained = options.set(ModelKind::Popular, "factors", "8").unwrap_err();
        assert_eq!(untrained.expected, "no options: popular has none");
        assert_eq!(options.set_all(ials, &["factors"]).unwrap_err().expected, "KEY=VALUE");
        assert_eq!(options.set(ials, "factors", "many").unwrap_err().field, "factors");
        assert_eq!(options.set(ials, "lambda", "-1").unwrap_err().code, "invalid_option");
        assert_eq!(options.set(ModelKind::Filter, "sharpen", "-1").unwrap_err().code, "invalid_option");
        assert!(options.set(ials, "half_life_days", "nan").is_err());
    }

    #[test]
    fn weights_halve_with_age() {
        let options = TrainingOptions { half_life_days: Some(2.0), ..TrainingOptions::default() };
        assert!((options.decay(2.0 * SECONDS_A_DAY) - 0.5).abs() < 1e-6);
        assert_eq!(options.decay(-5.0), 1.0);
        assert_eq!(TrainingOptions::default().decay(1e12), 1.0);
    }
}
