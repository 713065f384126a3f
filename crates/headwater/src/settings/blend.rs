//! How peers and blends are trained.

use headwater_models::blend::BlendOptions;
use headwater_models::peers::PeersOptions;
use headwater_training::{Mixture, TrainingOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::training::TrainingSettings;

/// `[training.peers]`; `train --model peers --set KEY=VALUE` changes one for one run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeersSettings {
    /// How many of the users most alike count.
    pub nearest: usize,
    /// The power to which likeness is raised: above 1, those most alike count far more than many who are a little alike.
    pub sharpness: f32,
    /// How far an item in common counts less the more users it has: 0 not at all, 1 in proportion.
    pub common_power: f32,
    /// How far a user is less alike the more they did.
    pub user_power: f32,
    /// How far an item scores less the more users it has.
    pub item_power: f32,
    /// Days in which the weight of an interaction halves, counted back from the newest; 0 weighs old and new alike.
    pub half_life_days: f32,
}

impl Default for PeersSettings {
    fn default() -> Self {
        let defaults = PeersOptions::default();
        Self {
            nearest: defaults.nearest,
            sharpness: defaults.sharpness,
            common_power: defaults.common_power,
            user_power: defaults.user_power,
            item_power: defaults.item_power,
            half_life_days: 0.0,
        }
    }
}

impl PeersSettings {
    /// The same as the trainer is told.
    pub fn options(&self) -> TrainingOptions {
        let peers = PeersOptions {
            nearest: self.nearest,
            sharpness: self.sharpness,
            common_power: self.common_power,
            user_power: self.user_power,
            item_power: self.item_power,
        };
        let half_life_days = (self.half_life_days > 0.0).then_some(self.half_life_days);
        TrainingOptions { peers, half_life_days, ..TrainingOptions::default() }
    }
}

/// `[training.blend]`; `train --model blend --set KEY=VALUE` changes one for one run, `--set ials.factors=128` one of a member.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BlendSettings {
    /// The models that are fused, each trained as its own table says: `ials`, `filter`, `peers`. Training chooses their weights on
    /// a slice that it holds out, unless all are given: `["ials:0.6", "peers:0.4"]`.
    pub members: Vec<String>,
    /// How many of each member's best items are candidates, where not more are asked for.
    pub depth: usize,
    /// Days in which the weight of an interaction halves for all members; 0 weighs old and new alike.
    pub half_life_days: f32,
    /// Seed of the members and of the slice.
    pub seed: u64,
}

impl Default for BlendSettings {
    fn default() -> Self {
        Self {
            members: Mixture::default().kinds().iter().map(ToString::to_string).collect(),
            depth: BlendOptions::default().depth,
            half_life_days: 0.0,
            seed: TrainingOptions::default().ials.seed,
        }
    }
}

impl BlendSettings {
    /// The members.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn mixture(&self) -> Result<Mixture, String> {
        self.members.join(", ").parse::<Mixture>().map_err(|invalid| invalid.to_string())
    }

    /// The same as the trainer is told, members as their own tables say.
    pub fn options(&self, training: &TrainingSettings) -> TrainingOptions {
        let mut options = TrainingOptions {
            filter: training.filter.options().filter,
            peers: training.peers.options().peers,
            blend: BlendOptions { depth: self.depth },
            // A mixture that cannot be is told when settings are read.
            mixture: self.mixture().unwrap_or_default(),
            half_life_days: (self.half_life_days > 0.0).then_some(self.half_life_days),
            ..training.ials.options()
        };
        (options.ials.seed, options.filter.seed) = (self.seed, self.seed);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_trained_as_their_own_tables_say() {
        let mut training = TrainingSettings::default();
        training.ials.factors = 17;
        training.peers.nearest = 23;
        training.blend.members = vec!["peers:1".into(), "ials:3".into()];
        training.blend.seed = 9;
        let options = training.blend.options(&training);
        assert_eq!((options.ials.factors, options.peers.nearest, options.ials.seed), (17, 23, 9));
        assert_eq!(options.mixture.weights(), Some(vec![3.0, 1.0]));
        training.blend.members.push("filter".into());
        assert!(training.blend.mixture().unwrap_err().contains("members among ials, filter and peers"));
    }
}
