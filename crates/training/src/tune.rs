//! Choosing options on the validation slice.
//!
//! The first trial is the options given. Up to the half of the trials, the options of the kind that matter most and (with
//! real times) the half-life are drawn at random, log-uniformly where the scale is unknown: with few dimensions that matter,
//! random search finds them in fewer trials than a grid (Bergstra and Bengio 2012). The other half is drawn near the best so
//! far.

mod streaming;

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
            None => start.clone(),
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

/// The options that are searched: those on a scale from 0, with where to draw them, and powers likewise.
struct Searched<'a> {
    scaled: Vec<(&'a mut f32, [f32; 2])>,
    powers: Vec<(&'a mut f32, [f32; 2])>,
}

fn searched(kind: ModelKind, options: &mut TrainingOptions) -> Searched<'_> {
    let TrainingOptions { ials, filter, peers, .. } = options;
    let (mut scaled, mut powers) = (Vec::new(), Vec::new());
    let among = |member| kind == member || kind == ModelKind::Blend;
    if among(ModelKind::Filter) {
        scaled.push((&mut filter.lambda, [10.0, 3_000.0]));
        scaled.push((&mut filter.low_pass, [0.05, 2.0]));
        scaled.push((&mut filter.sharpen, [0.01, 3.0]));
        powers.push((&mut filter.user_power, [0.2, 1.0]));
        powers.push((&mut filter.item_power, [0.2, 0.8]));
    }
    if among(ModelKind::Ials) {
        scaled.push((&mut ials.lambda, [3e-4, 3.0]));
        scaled.push((&mut ials.alpha0, [1e-4, 3.0]));
        powers.push((&mut ials.nu, [0.2, 1.0]));
    }
    if among(ModelKind::Peers) {
        scaled.push((&mut peers.sharpness, [1.0, 4.0]));
        powers.push((&mut peers.common_power, [0.0, 1.0]));
        powers.push((&mut peers.user_power, [0.0, 1.0]));
        powers.push((&mut peers.item_power, [0.0, 0.8]));
    }
    Searched { scaled, powers }
}

fn draw(random: &mut Random, kind: ModelKind, start: &TrainingOptions, timed: bool) -> TrainingOptions {
    if !kind.is_trained() {
        return streaming::draw(random, kind, start);
    }
    let mut log_uniform = |[low, high]: [f32; 2]| low * (high / low).powf(random.random::<f32>());
    let mut options = start.clone();
    for (option, range) in searched(kind, &mut options).scaled {
        *option = log_uniform(range);
    }
    if timed {
        options.half_life_days = Some(log_uniform([3.0, 300.0]));
    }
    for (power, [low, high]) in searched(kind, &mut options).powers {
        *power = random.random_range(low..=high);
    }
    options
}

/// Each option within a factor of two of what it is there, powers within a tenth.
fn near(random: &mut Random, kind: ModelKind, best: &TrainingOptions) -> TrainingOptions {
    if !kind.is_trained() {
        return streaming::near(random, kind, best);
    }
    let mut factor = || (2.0 * random.random::<f32>() - 1.0).exp2();
    let mut options = best.clone();
    for (option, _) in searched(kind, &mut options).scaled {
        *option *= factor();
    }
    options.half_life_days = options.half_life_days.map(|days| days * factor());
    for (power, _) in searched(kind, &mut options).powers {
        *power = (*power + random.random_range(-0.1..=0.1)).clamp(0.0, 1.0);
    }
    // A factor of two may lead out of the range of what is no scale.
    options.peers.sharpness = options.peers.sharpness.clamp(0.1, 10.0);
    options
}
