//! Options of a training run, set by name.

use std::collections::BTreeMap;

use headwater_base::Invalid;
use headwater_base::schema::one_of;
use headwater_models::ials::{IalsOptions, Solver};
use serde_json::Value;

use crate::presets::Preset;

const SECONDS_A_DAY: f64 = 86_400.0;

/// How a model is trained and how a history is weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainingOptions {
    /// The factorisation.
    pub ials: IalsOptions,
    /// Days in which the weight of a training interaction halves, counted back from the end of the training data;
    /// `None` weighs old and new alike. Needs real times.
    pub half_life_days: Option<f32>,
}

/// Every key [`TrainingOptions::set`] takes.
pub const KEYS: [&str; 8] =
    ["alpha0", "factors", "half_life_days", "iterations", "lambda", "nu", "seed", "steps"];

impl TrainingOptions {
    /// Options that suit the data a preset was made for, chosen on its validation slice; its test cases had no part.
    pub fn for_preset(preset: Preset) -> Self {
        let chosen: &[(&str, &str)] = match preset {
            // The films that are rated this month matter: weights halve within days, and little is known of each
            // user, so the regularisation is strong.
            Preset::Movielens => {
                &[("alpha0", "0.0003"), ("half_life_days", "10"), ("lambda", "1"), ("nu", "0.65")]
            }
            // What was bought is bought again: a large alpha0 keeps to what the history shows.
            Preset::OnlineRetail => &[
                ("alpha0", "2"),
                ("factors", "128"),
                ("half_life_days", "130"),
                ("lambda", "0.01"),
                ("nu", "0.33"),
            ],
            // Many users of few items each: stopping early regularises.
            Preset::Split => &[("iterations", "4"), ("lambda", "0.003"), ("steps", "2")],
            Preset::Sequence | Preset::Sessions => &[],
        };
        let mut options = Self::default();
        for (key, value) in chosen {
            options.set(key, value).expect("options of presets are within their range, which a test checks");
        }
        options
    }

    /// Sets one option by its name.
    ///
    /// # Errors
    /// An unknown key, with the closest known one first; a value that does not read.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Invalid> {
        match key {
            "alpha0" => self.ials.alpha0 = parse(key, value, "a number, not negative")?,
            "factors" => self.ials.factors = parse(key, value, "a whole number from 1 to 4096")?,
            "half_life_days" => {
                let days: f32 = parse(key, value, "a number of days, or 0 for none")?;
                if !days.is_finite() || days < 0.0 {
                    return Err(Invalid::new(
                        "invalid_option",
                        key,
                        value,
                        "a number of days, or 0 for none",
                    ));
                }
                self.half_life_days = (days > 0.0).then_some(days);
            }
            "iterations" => self.ials.iterations = parse(key, value, "a whole number")?,
            "lambda" => self.ials.lambda = parse(key, value, "a number above 0")?,
            "nu" => self.ials.nu = parse(key, value, "a number")?,
            "seed" => self.ials.seed = parse(key, value, "a whole number")?,
            "steps" => {
                let steps = parse(key, value, "a number of conjugate gradient steps, or 0 for exact")?;
                self.ials.solver =
                    if steps == 0 { Solver::Cholesky } else { Solver::ConjugateGradient { steps } };
            }
            _ => return Err(Invalid::new("unknown_option", "set", key, one_of(&KEYS, key))),
        }
        self.ials.validate().map_err(|error| Invalid::new("invalid_option", key, value, error.to_string()))
    }

    /// Sets options from `KEY=VALUE` texts, in order.
    ///
    /// # Errors
    /// As [`TrainingOptions::set`]; a text without `=`.
    pub fn set_all<T: AsRef<str>>(&mut self, settings: &[T]) -> Result<(), Invalid> {
        for setting in settings {
            let setting = setting.as_ref();
            let Some((key, value)) = setting.split_once('=') else {
                return Err(Invalid::new("invalid_option", "set", setting, "KEY=VALUE"));
            };
            self.set(key.trim(), value.trim())?;
        }
        Ok(())
    }

    /// Options by name, as reports and manifests carry them.
    pub fn to_map(&self) -> BTreeMap<String, Value> {
        let IalsOptions { factors, iterations, alpha0, lambda, nu, solver, seed } = self.ials;
        let steps = match solver {
            Solver::ConjugateGradient { steps } => steps,
            Solver::Cholesky => 0,
        };
        [
            ("alpha0", short(alpha0)),
            ("factors", factors.into()),
            ("half_life_days", self.half_life_days.map_or(Value::Null, short)),
            ("iterations", iterations.into()),
            ("lambda", short(lambda)),
            ("nu", short(nu)),
            ("seed", seed.into()),
            ("steps", steps.into()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// The options [`TrainingOptions::to_map`] wrote.
    ///
    /// # Errors
    /// A key this version does not know; a value that does not read.
    pub fn from_map(map: &BTreeMap<String, Value>) -> Result<Self, Invalid> {
        let mut options = Self::default();
        for (key, value) in map {
            match value {
                Value::Null => {}
                Value::String(text) => options.set(key, text)?,
                other => options.set(key, &other.to_string())?,
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

    #[test]
    fn options_are_set_by_name_and_come_back() {
        let mut options = TrainingOptions::default();
        options.set_all(&["factors=128", "lambda = 0.1", "steps=0", "half_life_days=30"]).unwrap();
        assert_eq!((options.ials.factors, options.ials.solver), (128, Solver::Cholesky));
        assert_eq!(options.half_life_days, Some(30.0));
        assert_eq!(options.to_map()["lambda"], 0.1);
        assert_eq!(TrainingOptions::from_map(&options.to_map()).unwrap(), options);
    }

    #[test]
    fn every_preset_has_options() {
        for preset in Preset::ALL {
            let options = TrainingOptions::for_preset(preset);
            options.ials.validate().unwrap();
            assert_eq!(TrainingOptions::from_map(&options.to_map()).unwrap(), options);
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let mut options = TrainingOptions::default();
        let unknown = options.set_all(&["factor=8"]).unwrap_err();
        assert_eq!((unknown.code, unknown.value.as_str()), ("unknown_option", "factor"));
        assert!(unknown.expected.starts_with("factors, "), "{unknown}");
        assert_eq!(options.set_all(&["factors"]).unwrap_err().expected, "KEY=VALUE");
        assert_eq!(options.set("factors", "many").unwrap_err().field, "factors");
        assert_eq!(options.set("lambda", "-1").unwrap_err().code, "invalid_option");
        assert!(options.set("half_life_days", "nan").is_err());
    }

    #[test]
    fn weights_halve_with_age() {
        let options = TrainingOptions { half_life_days: Some(2.0), ..TrainingOptions::default() };
        assert!((options.decay(2.0 * SECONDS_A_DAY) - 0.5).abs() < 1e-6);
        assert_eq!(options.decay(-5.0), 1.0);
        assert_eq!(TrainingOptions::default().decay(1e12), 1.0);
    }
}
