//! Negatives for history without decisions: items that could have been shown, drawn by a known probability.

use hashbrown::HashMap;
use headwater_base::random::seeded;
use headwater_base::{Event, Fact, ItemId};
use rand::RngExt as _;

/// A drawn item.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The item.
    pub item: ItemId,
    /// The probability with which it was drawn, in (0, 1].
    pub rate: f32,
}

/// Weight of an item that nobody touched yet, so that weights are whole and sums exact.
const UNIT: f64 = 65_536.0;

/// Draws negatives from the items known so far, deterministically.
///
/// An item weighs (1 + its interactions so far) to the power chosen: 0 draws uniformly, 1 by popularity. Fold each event
/// with [`NegativeSampler::observe`] in the order of the log, and draw before folding the event that asks: then nothing
/// that is not known yet can be drawn, nor weigh.
///
/// Draws are systematic (Madow, 1949): n points at equal distances over the items' weights laid end to end, from one
/// random start. So an item of weight w among W is drawn with probability min(1, n w / W), exactly; where an item is
/// heavier than the distance, fewer than n items are drawn.
pub struct NegativeSampler {
    seed: u64,
    power: f64,
    numbers: HashMap<ItemId, usize>,
    items: Vec<Known>,
    weights: Sums,
}

struct Known {
    item: ItemId,
    interactions: u32,
    available: bool,
}

impl NegativeSampler {
    /// Draws by popularity to `power`, the same for the same seed.
    pub fn new(seed: u64, power: f64) -> Self {
        Self { seed, power, numbers: HashMap::new(), items: Vec::new(), weights: Sums::default() }
    }

    /// How many items may be drawn.
    pub fn available(&self) -> usize {
        self.items.iter().filter(|known| known.available).count()
    }

    /// Folds what an event says of items: that they exist, that they are gone, that they are popular.
    pub fn observe(&mut self, event: &Event) {
        match &event.fact {
            Fact::Interaction(interaction) => {
                // An item that is imported with its interactions only is available from the first one on.
                let number = self.number(&interaction.item);
                let known = &mut self.items[number];
                known.interactions = known.interactions.saturating_add(1);
                self.weigh(number);
            }
            Fact::ItemUpsert { item, available, patch, .. } => {
                let number = self.number(item);
                let known = &mut self.items[number];
                known.available = available.unwrap_or(known.available || !*patch);
                self.weigh(number);
            }
            Fact::ItemDelete { item } => {
                if let Some(number) = self.numbers.get(item).copied() {
                    self.items[number].available = false;
                    self.weigh(number);
                }
            }
            Fact::UserUpsert { .. }
            | Fact::UserDelete { .. }
            | Fact::Merge { .. }
            | Fact::Decision(_)
            | Fact::Erased => {}
        }
    }

    /// Draws about `count` of the items known now, none of them in `except`; `question` names the draw.
    pub fn draw(&mut self, question: &str, count: usize, except: &[&ItemId]) -> Vec<Drawn> {
        let mut excepted: Vec<usize> =
            except.iter().filter_map(|item| self.numbers.get(*item).copied()).collect();
        excepted.sort_unstable();
        excepted.dedup();
        for number in &excepted {
            self.weights.set(*number, 0);
        }
        let drawn = self.systematic(question, count);
        for number in excepted {
            self.weigh(number);
        }
        drawn
    }

    fn systematic(&self, question: &str, count: usize) -> Vec<Drawn> {
        let total = self.weights.total();
        if total == 0 || count == 0 {
            return Vec::new();
        }
        let start = seeded(self.seed, question).random_range(0..total);
        let mut drawn: Vec<Drawn> = Vec::with_capacity(count);
        let mut last = None;
        for step in 0..count as u128 {
            let point = (u128::from(start) + step * u128::from(total)) / count as u128;
            let number = self.weights.find(u64::try_from(point).unwrap_or(u64::MAX));
            if last != Some(number) {
                last = Some(number);
                let share = self.weights.get(number) as f64 / total as f64;
                let rate = (count as f64 * share).min(1.0) as f32;
                drawn.push(Drawn { item: self.items[number].item.clone(), rate });
            }
        }
        drawn
    }

    fn number(&mut self, item: &ItemId) -> usize {
        if let Some(number) = self.numbers.get(item) {
            return *number;
        }
        let number = self.items.len();
        self.numbers.insert(item.clone(), number);
        self.items.push(Known { item: item.clone(), interactions: 0, available: true });
        self.weights.push();
        number
    }

    fn weigh(&mut self, number: usize) {
        let known = &self.items[number];
        let weight = UNIT * (1.0 + f64::from(known.interactions)).powf(self.power);
        self.weights.set(number, if known.available { (weight.round() as u64).max(1) } else { 0 });
    }
}

/// Weights whose prefix sums are found and changed in logarithmic time (Fenwick, 1994).
#[derive(Default)]
struct Sums {
    weights: Vec<u64>,
    /// `tree[i]` is the sum of the `lowest bit of i + 1` weights up to `i`.
    tree: Vec<u64>,
    total: u64,
}

impl Sums {
    fn total(&self) -> u64 {
        self.total
    }

    fn get(&self, at: usize) -> u64 {
        self.weights[at]
    }

    /// Adds a weight of 0 at the end.
    fn push(&mut self) {
        let end = self.weights.len() + 1;
        let covered = end & end.wrapping_neg();
        self.tree.push(self.weights[end - covered..].iter().sum());
        self.weights.push(0);
    }

    fn set(&mut self, at: usize, weight: u64) {
        let change = weight.wrapping_sub(self.weights[at]);
        self.weights[at] = weight;
        self.total = self.total.wrapping_add(change);
        let mut node = at + 1;
        while node <= self.tree.len() {
            self.tree[node - 1] = self.tree[node - 1].wrapping_add(change);
            node += node & node.wrapping_neg();
        }
    }

    /// The place whose weight covers `point`, counted from 0 over all weights laid end to end; `point < total`.
    fn find(&self, mut point: u64) -> usize {
        let mut at = 0;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            if let Some(sum) = self.tree.get(at + step - 1)
                && *sum <= point
            {
                point -= sum;
                at += step;
            }
            step /= 2;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Sums;

    proptest! {
        #[test]
        fn a_point_is_found_where_a_walk_finds_it(weights in vec(0u64..5, 1..40), changes in vec((any::<prop::sample::Index>(), 0u64..5), 0..20)) {
            let (mut weights, mut sums) = (weights, Sums::default());
            for (at, weight) in weights.iter().enumerate() {
                sums.push();
                sums.set(at, *weight);
            }
            for (at, weight) in changes {
                let at = at.index(weights.len());
                weights[at] = weight;
                sums.set(at, weight);
            }
            let walk: Vec<usize> =
                weights.iter().enumerate().flat_map(|(at, weight)| vec![at; *weight as usize]).collect();
            prop_assert_eq!(sums.total(), walk.len() as u64);
            for (point, at) in walk.iter().enumerate() {
                prop_assert_eq!(sums.find(point as u64), *at);
            }
        }
    }
}
