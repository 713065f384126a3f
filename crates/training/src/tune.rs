//! Choosing options on the validation slice.
//!
//! The first trial is the options given. Up to the half of the trials, the options of the kind that matter most and (with
//! real times) the half-life are drawn at random, log-uniformly where the scale is unknown: with few dimensions that matter,
//! random search finds them in fewer trials than a grid (Bergstra and Bengio 2012). The other half is drawn near the best so
//! far.

use headwater_base::random::{Random, seeded};
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::TrainingError;
use crate::dataset::Split;
use crate::evaluate::measure;
use crate::fit::{ModelKind, fit};
use crate::options::TrainingOptions;

/// The metric that is maximised: NDCG at this cut.
pub const CUT: usize = 20;
/// Cases that a trial is judged on at most, the first ones of the slice.
const MOST_CASES: usize = 10_000;

/// One setting and what it reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The setting.
    pub options: TrainingOptions,
    /// Its NDCG on the validation slice.
    pub ndcg: f64,
}

impl Trial {
    pub(crate) fn to_report(&self, kind: ModelKind) -> Value {
        json!({ "options": self.options.to_map(kind), format!("ndcg@{CUT}"): self.ndcg })
    }
}

/// Tries `trials` settings around `start`.
///
/// # Errors
/// Options outside their range.
pub fn search(
    kind: ModelKind,
    split: &Split,
    start: &TrainingOptions,
    trials: usize,
    seed: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Trial>, TrainingError> {
    let mut random = seeded(seed, "tuning");
    let cases = &split.cases[..split.cases.len().min(MOST_CASES)];
    let mut done = Vec::with_capacity(trials);
    for number in 0..trials {
        let options = match best(&done) {
            None => *start,
            Some(best) if 2 * number >= trials => near(&mut random, kind, &best.options),
            Some(_) => draw(&mut random, kind, start, split.timed),
        };
        let fitted = fit(kind, split, &options, &mut |_| {})?;
        let ndcg = measure(&fitted, split, cases, &[CUT]).mean("ndcg", CUT).unwrap_or(0.0);
        done.push(Trial { options, ndcg });
        progress(number + 1, trials);
    }
    Ok(done)
}

/// The best trial; of equal ones the first.
pub fn best(trials: &[Trial]) -> Option<&Trial> {
    trials.iter().reduce(|best, trial| if trial.ndcg > best.ndcg { trial } else { best })
}

fn draw(random: &mut Random, kind: ModelKind, start: &TrainingOptions, timed: bool) -> TrainingOptions {
    let mut log_uniform = |low: f32, high: f32| low * (high / low).powf(random.random::<f32>());
    let mut options = *start;
    if kind == ModelKind::Filter {
        options.filter.lambda = log_uniform(10.0, 3_000.0);
        options.filter.low_pass = log_uniform(0.05, 2.0);
        options.filter.sharpen = log_uniform(0.01, 3.0);
    } else {
        options.ials.lambda = log_uniform(3e-4, 3.0);
        options.ials.alpha0 = log_uniform(1e-4, 3.0);
    }
    if timed {
        options.half_life_days = Some(log_uniform(3.0, 300.0));
    }
    if kind == ModelKind::Filter {
        options.filter.user_power = random.random_range(0.2..=1.0);
        options.filter.item_power = random.random_range(0.2..=0.8);
    } else {
        options.ials.nu = random.random_range(0.2..=1.0);
    }
    options
}

/// Each option within a factor of two of what it is there, powers within a tenth.
fn near(random: &mut Random, kind: ModelKind, best: &TrainingOptions) -> TrainingOptions {
    let mut factor = || (2.0 * random.random::<f32>() - 1.0).exp2();
    let mut options = *best;
    let TrainingOptions { ials, filter, .. } = &mut options;
    let scaled = match kind {
        ModelKind::Filter => vec![&mut filter.lambda, &mut filter.low_pass, &mut filter.sharpen],
        _ => vec![&mut ials.lambda, &mut ials.alpha0],
    };
    scaled.into_iter().for_each(|option| *option *= factor());
    options.half_life_days = options.half_life_days.map(|days| days * factor());
    let TrainingOptions { ials, filter, .. } = &mut options;
    let powers = match kind {
        ModelKind::Filter => vec![&mut filter.user_power, &mut filter.item_power],
        _ => vec![&mut ials.nu],
    };
    for power in powers {
        *power = (*power + random.random_range(-0.1..=0.1)).clamp(0.0, 1.0);
    }
    options
}
