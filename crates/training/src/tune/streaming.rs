//! Trials of the kinds that are folded from the log.

use headwater_base::random::Random;
use rand::RngExt as _;

use crate::fit::ModelKind;
use crate::options::TrainingOptions;

/// Each option that matters drawn anew, the half-life and the gap within a factor of four of what they are.
pub(super) fn draw(random: &mut Random, kind: ModelKind, start: &TrainingOptions) -> TrainingOptions {
    let mut log_uniform = |low: f32, high: f32| low * (high / low).powf(random.random::<f32>());
    let mut options = start.clone();
    let TrainingOptions { neighbours, sessions, .. } = &mut options;
    if kind == ModelKind::Neighbours {
        neighbours.half_gap = neighbours.half_gap.mul_f32(log_uniform(0.25, 4.0));
        neighbours.half_life = neighbours.half_life.mul_f32(log_uniform(0.25, 4.0));
        neighbours.shrinkage = log_uniform(0.1, 30.0);
    } else {
        sessions.half_life = sessions.half_life.mul_f32(log_uniform(0.25, 4.0));
        sessions.history_places = log_uniform(0.5, 8.0);
        sessions.session_places = log_uniform(1.0, 20.0);
        sessions.before = log_uniform(0.1, 1.5);
        sessions.repeated = log_uniform(0.5, 4.0);
        sessions.match_power = random.random_range(0.0..=1.2);
        sessions.item_power = random.random_range(0.0..=0.6);
    }
    options
}

/// Each within a factor of two of what it is, powers within a tenth.
pub(super) fn near(random: &mut Random, kind: ModelKind, best: &TrainingOptions) -> TrainingOptions {
    let mut factor = || (2.0 * random.random::<f32>() - 1.0).exp2();
    let mut options = best.clone();
    let TrainingOptions { neighbours, sessions, .. } = &mut options;
    if kind == ModelKind::Neighbours {
        neighbours.half_gap = neighbours.half_gap.mul_f32(factor());
        neighbours.half_life = neighbours.half_life.mul_f32(factor());
        neighbours.shrinkage *= factor();
    } else {
        sessions.half_life = sessions.half_life.mul_f32(factor());
        for option in [
            &mut sessions.history_places,
            &mut sessions.session_places,
            &mut sessions.before,
            &mut sessions.repeated,
        ] {
            *option *= factor();
        }
        for power in [&mut sessions.match_power, &mut sessions.item_power] {
            *power = (*power + random.random_range(-0.1..=0.1)).clamp(0.0, 2.0);
        }
    }
    options
}
