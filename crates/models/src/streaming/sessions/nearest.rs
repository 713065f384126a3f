//! The answer to a query: similarities to recent sessions, then scores of what is in the most similar ones.
//!
//! With the latest distinct items of the history numbered p = 0, 1, ..., and n(i) sessions that hold item i, a session s
//! that holds some of them is as similar as
//!
//!   sim(s) = 2^(-age(s) / half-life) * sum of exp(-p / history places) / (5 + n(i_p))^(match power).
//!
//! Compared are the latest [`SessionOptions::recent`] sessions of each item. Of those the most similar give candidates: with
//! the latest shared item at place j of s, the item at place i scores
//!
//!   sim(s) * exp(-(|i - j| - 1) / session places) / (5 + n(i))^(item power),
//!
//! times [`SessionOptions::before`] where i < j, and [`SessionOptions::repeated`] for i_1, i_2, ...; the shared item scores as one
//! right after it does.
//!
//! A request allocates nothing but its answer: what it works in is kept by the thread.

use std::cell::RefCell;
use std::cmp::Reverse;

use super::best::Ranking;
use super::fade::fade;
use super::scratch::Sums;
use super::{Owner, SessionNeighbours, SessionOptions, age};
use crate::prefetch::prefetch;
use crate::{Allow, Past, Query, Retrieve, Row, Scored};

/// Sessions that every item is taken to be in besides those that it is in.
const PRIOR: f32 = 5.0;
/// Numbers of sessions whose power is looked up.
const POWERS: usize = 4096;
/// How many sessions are gone through between asking memory for the items of one and reading them: they lie all over it.
const AHEAD: usize = 12;

/// What the options say, worked out.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// By place in the history.
    history: Vec<f32>,
    /// By places after the shared item, less one.
    after: Vec<f32>,
    /// By places before it, less one.
    before: Vec<f32>,
    /// By number of sessions.
    item: Vec<f32>,
    item_power: f32,
    /// Half-lives in a microsecond.
    per_micro: f32,
}

impl Weights {
    pub(super) fn new(options: &SessionOptions) -> Self {
        let fading = |places: f32, number: usize| -> Vec<f32> {
            (0..number).map(|place| (-(place as f32) / places.max(1e-3)).exp()).collect()
        };
        let after = fading(options.session_places, options.items);
        Self {
            history: fading(options.history_places, options.history),
            before: after.iter().map(|weight| options.before * weight).collect(),
            after,
            item: (0..POWERS).map(|sessions| power(sessions, options.item_power)).collect(),
            item_power: options.item_power,
            per_micro: 1e-6 / options.half_life.as_secs_f32().max(1.0),
        }
    }

    /// What the scores of an item are multiplied with.
    pub(super) fn of_item(&self, sessions: usize) -> f32 {
        self.item.get(sessions).copied().unwrap_or_else(|| power(sessions, self.item_power))
    }
}

fn power(sessions: usize, power: f32) -> f32 {
    (PRIOR + sessions as f32).powf(-power)
}

/// An item of the history and what a session that holds it gains.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seed {
    row: Row,
    weight: f32,
}

/// How similar a session is, and which item of the history is the latest that it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Similar {
    sum: f32,
    seed: u32,
}

/// A session among those compared: ordered by similarity, of equally similar ones by which began last.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Near {
    /// The bits of the similarity, which is not negative, above the age of the slot.
    order: u64,
    seed: u32,
}

#[derive(Debug, Default)]
struct Scratch {
    seeds: Vec<Seed>,
    slots: Vec<u32>,
    fades: Vec<f32>,
    similar: Sums<Similar>,
    nearest: Vec<Near>,
    scores: Sums<f32>,
    ranking: Ranking,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl SessionNeighbours {
    /// What [`Retrieve::retrieve`] gives to `owner`, whose own session under way is no neighbour of itself.
    pub fn nearest(
        &self,
        query: &Query<'_>,
        owner: Option<Owner>,
        limit: usize,
        allow: &dyn Allow,
    ) -> Vec<Scored> {
        let own = owner.and_then(|owner| self.latest.get(&owner)).map(|latest| latest.slot);
        // Taken out, so that an `allow` that asks again finds a scratch of its own.
        let mut scratch = SCRATCH.take();
        let mut found = Vec::new();
        if let Some(item) = query.item {
            let of_item = [Past { row: item, weight: 1.0, age: 0.0 }];
            self.seeds(&of_item, &mut scratch.seeds);
            found = self.candidates(&mut scratch, None, limit, &|row: Row| row != item && allow.allows(row));
        }
        if found.is_empty() {
            self.seeds(query.history, &mut scratch.seeds);
            found = self.candidates(&mut scratch, own, limit, allow);
        }
        SCRATCH.set(scratch);
        found
    }

    /// The latest distinct items of the history that any session holds, back to the first gap.
    fn seeds(&self, history: &[Past], seeds: &mut Vec<Seed>) {
        seeds.clear();
        let gap = self.options.gap.as_secs_f32();
        let mut later = None;
        let mut most = 0.0_f32;
        for past in history.iter().rev() {
            if seeds.len() == self.weights.history.len() {
                break;
            }
            if !past.weight.is_finite() || past.weight <= 0.0 || self.holders_of(past.row) == 0 {
                continue;
            }
            if later.is_some_and(|later: f32| (past.age - later).abs() > gap) {
                break;
            }
            later = Some(past.age);
            if seeds.iter().all(|seed| seed.row != past.row) {
                most = most.max(past.weight);
                seeds.push(Seed { row: past.row, weight: past.weight });
            }
        }
        for (seed, place) in seeds.iter_mut().zip(&self.weights.history) {
            let matched = power(self.holders_of(seed.row), self.options.match_power);
            seed.weight = seed.weight / most * place * matched;
        }
    }

    /// How many sessions hold an item.
    pub(super) fn holders_of(&self, row: Row) -> usize {
        self.holders.get(row as usize).map_or(0, std::collections::VecDeque::len)
    }

    fn candidates(
        &self,
        scratch: &mut Scratch,
        own: Option<u32>,
        limit: usize,
        allow: &dyn Allow,
    ) -> Vec<Scored> {
        self.compare(scratch, own);
        self.keep_nearest(scratch);
        let Scratch { seeds, nearest, scores, ranking, .. } = scratch;
        scores.clear();
        for (number, near) in nearest.iter().enumerate() {
            if let Some(later) = nearest.get(number + AHEAD) {
                self.ask_for_items(self.slot_at(later.age()));
            }
            let items = self.items_of(self.slot_at(near.age()));
            let (similarity, shared) = (near.similarity(), seeds[near.seed as usize].row);
            let Some(place) = items.iter().position(|row| *row == shared) else { continue };
            let (before, after) = (&items[..place], &items[place + 1..]);
            for (row, weight) in before.iter().rev().zip(&self.weights.before) {
                *scores.entry(*row, 0.0) += similarity * weight;
            }
            *scores.entry(shared, 0.0) += similarity;
            for (row, weight) in after.iter().zip(&self.weights.after) {
                *scores.entry(*row, 0.0) += similarity * weight;
            }
        }
        for seed in seeds.iter().skip(1) {
            if let Some(score) = scores.get_mut(seed.row) {
                *score *= self.options.repeated;
            }
        }
        let damped = scores.entries().map(|(row, score)| (row, score * self.damping[row as usize]));
        ranking.best(damped, limit, allow)
    }

    /// Sums the similarities of the recent sessions of each seed, the heaviest being the first by far.
    ///
    /// A session that is first met at a later seed gains at most what is left. Once as many as are kept are already
    /// beyond that, sessions that are not yet met are passed over; which changes nothing (Kersbergen et al. stop early for
    /// the same reason).
    fn compare(&self, scratch: &mut Scratch, own: Option<u32>) {
        let Scratch { seeds, slots, fades, similar, .. } = scratch;
        similar.clear();
        let mut left: f32 = seeds.iter().map(|seed| seed.weight).sum();
        let mut settled = false;
        for (number, seed) in (0..).zip(seeds.iter()) {
            // Rounding must not pass over a session that is as good.
            let bound = left * 1.000_01;
            settled = settled || {
                let beyond = similar.entries().filter(|(_, similar)| similar.sum > bound);
                similar.len() >= self.options.neighbours && beyond.count() >= self.options.neighbours
            };
            left -= seed.weight;
            slots.clear();
            slots.extend(self.holders[seed.row as usize].iter().rev().take(self.options.recent));
            self.fades(slots, fades);
            for (slot, fade) in slots.iter().zip(fades.iter()) {
                if Some(*slot) == own {
                    continue;
                }
                let gain = seed.weight * fade;
                if settled {
                    if let Some(similar) = similar.get_mut(*slot) {
                        similar.sum += gain;
                    }
                } else {
                    similar.entry(*slot, Similar { sum: 0.0, seed: number }).sum += gain;
                }
            }
        }
    }

    /// The most similar sessions; of equally similar ones those that began last.
    fn keep_nearest(&self, scratch: &mut Scratch) {
        let Scratch { similar, nearest, .. } = scratch;
        nearest.clear();
        nearest.extend(similar.entries().map(|(slot, similar)| {
            let age = age(slot, self.oldest, self.options.kept);
            Near { order: u64::from(similar.sum.to_bits()) << 32 | u64::from(age), seed: similar.seed }
        }));
        let kept = self.options.neighbours;
        if nearest.len() > kept {
            if kept > 0 {
                nearest.select_nth_unstable_by_key(kept - 1, |near| Reverse(near.order));
            }
            nearest.truncate(kept);
        }
    }

    /// Asks memory for the items of a session that is read soon.
    fn ask_for_items(&self, slot: u32) {
        let start = slot as usize * self.options.items;
        // A cache line holds 16 rows.
        self.items[start..start + self.options.items].iter().step_by(16).for_each(prefetch);
    }

    /// What is left of the weights of sessions.
    fn fades(&self, slots: &[u32], fades: &mut Vec<f32>) {
        fades.clear();
        fades.extend(slots.iter().map(|slot| {
            let age = self.newest.as_micros() - self.ended[*slot as usize].as_micros();
            -(age as f32) * self.weights.per_micro
        }));
        // Apart from the loads, so that it is done on several at once.
        fades.iter_mut().for_each(|power| *power = fade(*power));
    }
}

impl Near {
    fn similarity(self) -> f32 {
        f32::from_bits((self.order >> 32) as u32)
    }

    fn age(self) -> u32 {
        self.order as u32
    }
}

impl Retrieve for SessionNeighbours {
    fn items(&self) -> usize {
        self.holders.len()
    }

    /// What is in the recent sessions most like the query's history since its last gap; where it has an item that any
    /// session holds, what is in sessions with that item.
    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.nearest(query, None, limit, allow)
    }
}
