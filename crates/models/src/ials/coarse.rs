//! The coarse stage of searches among the items of a factorisation.

use std::sync::Arc;

use headwater_base::random::seeded;
use rand::RngExt as _;
use rayon::prelude::*;

use super::Ials;
use crate::error::ModelError;
use crate::index::{Coarse, CoarseOptions, on_threads};
use crate::model::{Past, Row};

/// Users that are made up to measure recall.
const USERS: usize = 400;
/// Interests a made-up user has at most.
const INTERESTS: usize = 3;
/// Items of an interest in a made-up history.
const DEPTH: usize = 5;

impl Ials {
    /// Builds a coarse stage of the items; recall is measured on made-up users, whose histories are random items with
    /// those that score best beside them.
    ///
    /// # Errors
    /// Options outside their range, a model without items.
    pub fn coarse(&self, options: &CoarseOptions) -> Result<Coarse, ModelError> {
        let users = on_threads(options.threads(), || self.made_up_users(options.seed()))?;
        Coarse::build(&self.items, &users, options)
    }

    /// Searches through `coarse` from now on, which was built for this model or for what it was before items were
    /// appended.
    ///
    /// # Errors
    /// The coarse stage of another model.
    pub fn attach(&mut self, coarse: Arc<Coarse>) -> Result<(), ModelError> {
        self.items.attach(coarse)
    }

    fn made_up_users(&self, seed: u64) -> Vec<f32> {
        let live: Vec<Row> = self.items.live_rows().collect();
        let mut random = seeded(seed, "ials/made-up-users");
        let mut interests = Vec::with_capacity(USERS);
        for _ in 0..USERS {
            let count = random.random_range(1..=INTERESTS);
            let own: Vec<Row> = (0..count)
                .filter_map(|_| live.get(random.random_range(0..live.len().max(1))).copied())
                .collect();
            interests.push(own);
        }
        let vector = |interests: &Vec<Row>| {
            let around = interests.iter().flat_map(|&row| {
                let best = self.items.row(row).map(|item| self.items.search(item, DEPTH, &|_: Row| true));
                std::iter::once(row).chain(best.unwrap_or_default().into_iter().map(|scored| scored.row))
            });
            let history: Vec<Past> = around.map(|row| Past { row, weight: 1.0, age: 0.0 }).collect();
            self.fold_in_user(&history)
        };
        let users: Vec<Option<Vec<f32>>> = interests.par_iter().map(vector).collect();
        users.into_iter().flatten().flatten().collect()
    }
}
