//! Peers: what people of like taste touched.
//!
//! A history is compared with that of every user of the training. With `d` the sum of weights of an item or a user, the
//! likeness of user v to a history x, and the score of an item i, are
//!
//! ```text
//! l(v) = ( sum over items j of both  x_j r_vj d_j^-a  /  d_v^b )^sharpness
//! s(i) = sum over the nearest users v  l(v) r_vi d_i^-c
//! ```
//!
//! With `sharpness` 1 and everybody near this is a linear filter (paths of length three, as in LinkProp: Fu et al. 2022,
//! "Revisiting Neighborhood-based Link Prediction for Collaborative Filtering"). Above 1, those most alike count far more
//! than many who are a little alike, which no item-item matrix can express: that is what it adds to a blend.
//!
//! A user whose every item is in the history has nothing to tell and is passed over, unless nobody else is near; so one who asks
//! is not their own peer.
//! The model holds the interactions it was trained on, without names. A request costs a pass over those who touched an item of
//! the history and over the histories of the nearest.

use crate::error::ModelError;
use crate::matrix::Csr;
use crate::model::{Allow, Past, Query, Retrieve, Row, Score, Scored, usable};
use crate::sums::Sums;

/// Options of peers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeersOptions {
    /// How many of the nearest users count.
    pub nearest: usize,
    /// The power to which likeness is raised.
    pub sharpness: f32,
    /// How far an item in common counts less the more users it has: 0 not at all, 1 in proportion.
    pub common_power: f32,
    /// How far a user is less alike the more they did.
    pub user_power: f32,
    /// How far an item scores less the more users it has.
    pub item_power: f32,
}

impl Default for PeersOptions {
    fn default() -> Self {
        Self { nearest: 1_000, sharpness: 1.5, common_power: 0.4, user_power: 0.6, item_power: 0.2 }
    }
}

impl PeersOptions {
    /// Checks every option against its range.
    ///
    /// # Errors
    /// The first option that is outside it.
    pub fn validate(&self) -> Result<(), ModelError> {
        let check = |ok: bool, option, value: f64, expected| {
            if ok { Ok(()) } else { Err(ModelError::Option { option, value, expected }) }
        };
        check(self.nearest >= 1, "nearest", self.nearest as f64, "at least 1")?;
        let sharp = (0.1..=10.0).contains(&self.sharpness);
        check(sharp, "sharpness", self.sharpness.into(), "a number from 0.1 to 10")?;
        for (option, value) in [
            ("common_power", self.common_power),
            ("user_power", self.user_power),
            ("item_power", self.item_power),
        ] {
            check((0.0..=2.0).contains(&value), option, value.into(), "a number from 0 to 2")?;
        }
        Ok(())
    }
}

/// The histories of the training, ready to be compared.
#[derive(Clone, Debug)]
pub struct Peers {
    options: PeersOptions,
    by_user: Csr,
    by_item: Csr,
    /// Degrees to minus the powers: of items in common, of users, of items scored.
    common: Vec<f32>,
    users: Vec<f32>,
    items: Vec<f32>,
}

impl Peers {
    /// Of `matrix` (users x items, weights of the interactions).
    ///
    /// # Errors
    /// Options outside their range.
    pub fn new(matrix: Csr, options: &PeersOptions) -> Result<Self, ModelError> {
        options.validate()?;
        let by_item = matrix.transpose();
        let powers = |matrix: &Csr, power: f32| -> Vec<f32> {
            let degrees = matrix.iter().map(|row| row.weights.iter().map(|w| f64::from(*w)).sum::<f64>());
            degrees
                .map(|degree| if degree > 0.0 { degree.powf((-power).into()) as f32 } else { 0.0 })
                .collect()
        };
        Ok(Self {
            options: *options,
            common: powers(&by_item, options.common_power),
            items: powers(&by_item, options.item_power),
            users: powers(&matrix, options.user_power),
            by_user: matrix,
            by_item,
        })
    }

    /// How it compares.
    pub fn options(&self) -> &PeersOptions {
        &self.options
    }

    /// The interactions it compares with, users x items.
    pub fn matrix(&self) -> &Csr {
        &self.by_user
    }

    /// The same with another number of nearest users.
    #[must_use]
    pub fn with_nearest(mut self, nearest: usize) -> Self {
        self.options.nearest = nearest.max(1);
        self
    }

    /// The scores of a history; `None` where it holds nothing that is known.
    pub(crate) fn sums(&self, history: &[Past]) -> Option<Sums> {
        let known = |past: &&Past| usable(past.weight) && (past.row as usize) < self.items();
        let mut signal: Vec<(Row, f32)> =
            history.iter().filter(known).map(|past| (past.row, past.weight)).collect();
        if signal.is_empty() {
            return None;
        }
        signal.sort_by_key(|(row, _)| *row);
        signal.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        let mut sums = Sums::new(self.items());
        for (user, likeness) in self.nearest(&signal) {
            for (row, weight) in self.by_user.row(user as usize).iter() {
                sums.add(row, likeness * weight * self.items[row as usize]);
            }
        }
        Some(sums)
    }

    /// The users nearest to a signal on the items, by number, with their likeness.
    fn nearest(&self, signal: &[(Row, f32)]) -> Vec<(Row, f32)> {
        let mut overlaps = Sums::new(self.by_user.rows());
        for (row, x) in signal {
            let x = x * self.common[*row as usize];
            for (user, weight) in self.by_item.row(*row as usize).iter() {
                overlaps.add(user, x * weight);
            }
        }
        let telling = |user: Row| {
            let row = self.by_user.row(user as usize);
            let known = |item: &Row| signal.binary_search_by_key(item, |(row, _)| *row).is_ok();
            row.len() > signal.len() || !row.indices.iter().all(known)
        };
        let likeness = |(user, overlap): (Row, f32)| {
            let likeness = (overlap * self.users[user as usize]).powf(self.options.sharpness);
            (likeness.is_finite() && likeness > 0.0).then_some((user, likeness))
        };
        let mut users: Vec<(Row, f32)> = overlaps.touched().filter_map(likeness).collect();
        if users.iter().any(|(user, _)| telling(*user)) {
            users.retain(|(user, _)| telling(*user));
        }
        if users.len() > self.options.nearest {
            let nearer = |a: &(Row, f32), b: &(Row, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            users.select_nth_unstable_by(self.options.nearest, nearer);
            users.truncate(self.options.nearest);
        }
        // In one order, whatever the selection did, so that sums have the same bits every time.
        users.sort_unstable_by_key(|(user, _)| *user);
        users
    }
}

impl Retrieve for Peers {
    fn items(&self) -> usize {
        self.by_user.columns()
    }

    /// Only items that a peer touched.
    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.sums(query.history).map(|sums| sums.best(limit, allow)).unwrap_or_default()
    }
}

impl Score for Peers {
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        match self.sums(query.history) {
            Some(sums) => sums.scores(self.items(), rows, scores),
            None => scores.fill(f32::NEG_INFINITY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: usize = 30;
    const ITEMS: usize = 25;

    fn matrix() -> Csr {
        let pairs = (0..USERS as u32).flat_map(|user| {
            (0..2 + user % 6)
                .map(move |k| (user, (user * 5 + k * k * 3) % ITEMS as u32, 1.0 + (k % 3) as f32))
        });
        Csr::from_pairs(USERS, ITEMS, pairs).unwrap()
    }

    fn past(row: Row, weight: f32) -> Past {
        Past { row, weight, age: 0.0 }
    }

    /// The scores by their definition, in f64.
    fn reference(options: &PeersOptions, x: &[f64; ITEMS]) -> Vec<f64> {
        let mut r = vec![[0f64; ITEMS]; USERS];
        for (user, row) in matrix().iter().enumerate() {
            for (item, weight) in row.iter() {
                r[user][item as usize] = weight.into();
            }
        }
        let of_item = |i: usize| (0..USERS).map(|u| r[u][i]).sum::<f64>();
        let mut likeness: Vec<(usize, f64)> = (0..USERS)
            .filter(|u| (0..ITEMS).any(|i| r[*u][i] > 0.0 && x[i] == 0.0))
            .map(|u| {
                let common = |i: usize| x[i] * r[u][i] * of_item(i).powf(-f64::from(options.common_power));
                let overlap: f64 = (0..ITEMS).filter(|i| r[u][*i] > 0.0).map(common).sum();
                let degree: f64 = r[u].iter().sum();
                let alike = overlap * degree.powf(-f64::from(options.user_power));
                (u, alike.powf(options.sharpness.into()))
            })
            .collect();
        likeness.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        likeness.truncate(options.nearest);
        (0..ITEMS)
            .map(|i| {
                let sum: f64 = likeness.iter().map(|(u, alike)| alike * r[*u][i]).sum();
                if sum > 0.0 { sum * of_item(i).powf(-f64::from(options.item_power)) } else { 0.0 }
            })
            .collect()
    }

    #[test]
    fn scores_are_those_of_the_definition() {
        let history = [past(3, 1.0), past(10, 2.0), past(3, 0.5), past(18, 1.0)];
        let mut x = [0f64; ITEMS];
        (x[3], x[10], x[18]) = (1.5, 2.0, 1.0);
        for (nearest, sharpness) in [(4, 2.0), (1_000, 1.0), (7, 1.5)] {
            let options = PeersOptions { nearest, sharpness, ..PeersOptions::default() };
            let peers = Peers::new(matrix(), &options).unwrap();
            let rows: Vec<Row> = (0..ITEMS as Row).collect();
            let mut scores = vec![0f32; ITEMS];
            peers.score(&Query { history: &history, item: None }, &rows, &mut scores);
            let expected = reference(&options, &x);
            assert!(expected.iter().filter(|score| **score > 0.0).count() > 5);
            for (score, expected) in scores.iter().zip(expected) {
                assert!((f64::from(*score) - expected).abs() <= 1e-4 * expected, "{score} {expected}");
            }
        }
    }

    #[test]
    fn who_asks_is_not_their_own_peer() {
        // User 0 asks with all that they did; users 1 and 2 share an item with them.
        let pairs = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0)].map(|(user, item)| (user, item, 1.0));
        let peers = Peers::new(Csr::from_pairs(3, 4, pairs).unwrap(), &PeersOptions::default()).unwrap();
        let history = [past(0, 1.0), past(1, 1.0)];
        let query = Query { history: &history, item: None };
        let found: Vec<Row> = peers.retrieve(&query, 9, &|_| true).iter().map(|s| s.row).collect();
        // Of those with something to tell there is user 1 alone.
        assert_eq!(found, [2, 1]);
        let alone = [past(2, 1.0), past(1, 1.0)];
        let scores: Vec<Scored> = peers.retrieve(&Query { history: &alone, item: None }, 9, &|_| true);
        assert_eq!(scores.iter().map(|s| s.row).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn options_outside_their_range_are_refused() {
        let defaults = PeersOptions::default();
        for (options, name) in [
            (PeersOptions { nearest: 0, ..defaults }, "nearest"),
            (PeersOptions { sharpness: f32::NAN, ..defaults }, "sharpness"),
            (PeersOptions { item_power: -0.1, ..defaults }, "item_power"),
        ] {
            assert!(Peers::new(matrix(), &options).unwrap_err().to_string().starts_with(name));
        }
    }
}
