//! The simulated population of the demo: items with categories and appeal, users with latent tastes, and what users
//! do with what they are shown.
//!
//! Every user draws from a random stream of their own, so the same seed and the same answers give the same clicks,
//! in whatever order the users come. Tastes and items are vectors of one latent space; Headwater sees neither.
//!
//! What is shown further down is looked at less often (the examination hypothesis: a click needs a look and a
//! liking, and only the look depends on the place; Craswell et al. 2008).

use std::collections::HashSet;

use headwater_base::random::{Random, seeded};
use rand::RngExt as _;

/// Dimensions of the latent space.
const DIMENSIONS: usize = 12;
/// How steeply liking follows the match of taste and item.
const STEEPNESS: f32 = 7.0;
/// The match at which half of those who look click, for an item of ordinary appeal.
const HALF_LIKED: f32 = 0.75;

type Vector = [f32; DIMENSIONS];

/// How large a world to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PopulationOptions {
    /// Every draw follows from it.
    pub seed: u64,
    /// How many users there are.
    pub users: usize,
    /// Items from the start.
    pub items: usize,
    /// Items that arrive later.
    pub arriving: usize,
    /// Categories of items.
    pub categories: usize,
}

impl Default for PopulationOptions {
    fn default() -> Self {
        Self { seed: 7, users: 3_000, items: 2_000, arriving: 120, categories: 24 }
    }
}

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedItem {
    /// Its id: `item-0042`.
    pub id: String,
    /// Its category: `category-03`.
    pub category: String,
    vector: Vector,
    /// What makes an item liked by everybody, around 0.
    appeal: f32,
}

#[derive(Clone, Debug)]
struct SimulatedUser {
    id: String,
    taste: Vector,
    shifted: bool,
    touched: HashSet<usize>,
    random: Random,
}

/// Users, items and what the users like.
#[derive(Clone, Debug)]
pub struct Population {
    options: PopulationOptions,
    centres: Vec<Vector>,
    items: Vec<SimulatedItem>,
    users: Vec<SimulatedUser>,
    /// Items `..arrived` can be found.
    arrived: usize,
}

impl Population {
    /// Makes the world of a seed.
    pub fn new(options: PopulationOptions) -> Self {
        let mut random = seeded(options.seed, "demo/items");
        let centres: Vec<Vector> = (0..options.categories.max(1)).map(|_| direction(&mut random)).collect();
        let items = (0..options.items + options.arriving)
            .map(|number| {
                let category = random.random_range(0..centres.len());
                SimulatedItem {
                    id: format!("item-{number:04}"),
                    category: format!("category-{category:02}"),
                    vector: near(&centres[category], 0.45, &mut random),
                    appeal: 0.6 * normal(&mut random),
                }
            })
            .collect();
        let users = (0..options.users)
            .map(|number| {
                let id = format!("user-{number:04}");
                let mut random = seeded(options.seed, &id);
                let taste = taste(&centres, &mut random);
                SimulatedUser { id, taste, shifted: false, touched: HashSet::new(), random }
            })
            .collect();
        Self { options, centres, items, users, arrived: options.items }
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// The id of a user.
    pub fn user_id(&self, user: usize) -> &str {
        &self.users[user].id
    }

    /// The items there are so far.
    pub fn items(&self) -> &[SimulatedItem] {
        &self.items[..self.arrived]
    }

    /// Lets at most `count` more items arrive, and returns them.
    pub fn arrive(&mut self, count: usize) -> &[SimulatedItem] {
        let first = self.arrived;
        self.arrived = (first + count).min(self.items.len());
        &self.items[first..self.arrived]
    }

    /// The sudden shift: `share` of the users, chosen by the seed, like other things from now on.
    pub fn shift(&mut self, share: f64) {
        for user in &mut self.users {
            let mut random = seeded(self.options.seed, &format!("demo/shift/{}", user.id));
            if random.random::<f64>() < share {
                user.taste = taste(&self.centres, &mut random);
                user.shifted = true;
            }
        }
    }

    /// Whether a user's taste has shifted.
    pub fn shifted(&self, user: usize) -> bool {
        self.users[user].shifted
    }

    /// What a user finds without being shown anything: the best liked of a few items they come across, which are
    /// the appealing ones more often than not. `None` where they had them all.
    pub fn wander(&mut self, user: usize) -> Option<usize> {
        let user = &mut self.users[user];
        let items = &self.items[..self.arrived];
        let found = (0..12)
            .map(|_| {
                let (one, other) = (pick(items.len(), &mut user.random), pick(items.len(), &mut user.random));
                if items[one].appeal > items[other].appeal { one } else { other }
            })
            .filter(|item| !user.touched.contains(item))
            .max_by(|a, b| liking(&user.taste, &items[*a]).total_cmp(&liking(&user.taste, &items[*b])))?;
        user.touched.insert(found);
        Some(found)
    }

    /// What a user clicks of a page of items, top first. Nobody clicks what they had before, nor what the population
    /// does not know.
    pub fn react(&mut self, user: usize, shown: &[usize]) -> Vec<usize> {
        let user = &mut self.users[user];
        let mut clicked = Vec::new();
        for (place, item) in shown.iter().enumerate() {
            // Drawn for every place, so that one answer's length does not move the draws of another place.
            let (look, like) = (user.random.random::<f32>(), user.random.random::<f32>());
            let Some(known) = self.items.get(*item) else { continue };
            if look < examination(place) && like < liking(&user.taste, known) && user.touched.insert(*item) {
                clicked.push(*item);
            }
        }
        clicked
    }

    /// Whether a user who clicked (or not) looks at another page.
    pub fn stays(&mut self, user: usize, clicked: bool) -> bool {
        self.users[user].random.random::<f32>() < if clicked { 0.7 } else { 0.25 }
    }

    /// The item of an id, where it is one of ours.
    pub fn item_of(&self, id: &str) -> Option<usize> {
        let number = id.strip_prefix("item-")?.parse().ok()?;
        (number < self.items.len()).then_some(number)
    }
}

/// Chance that the item at a place (from 0) is looked at.
fn examination(place: usize) -> f32 {
    1.0 / (1.0 + 0.25 * place as f32)
}

/// Chance that somebody of this taste who looks at an item clicks it.
fn liking(taste: &Vector, item: &SimulatedItem) -> f32 {
    let matched: f32 = taste.iter().zip(&item.vector).map(|(a, b)| a * b).sum();
    1.0 / (1.0 + (STEEPNESS * (HALF_LIKED - matched) - item.appeal).exp())
}

fn pick(count: usize, random: &mut Random) -> usize {
    random.random_range(0..count.max(1))
}

/// A taste: one category loved, two liked.
fn taste(centres: &[Vector], random: &mut Random) -> Vector {
    let mut sum = [0.0; DIMENSIONS];
    for weight in [1.0, 0.6, 0.35] {
        let centre = &centres[pick(centres.len(), random)];
        for (total, value) in sum.iter_mut().zip(centre) {
            *total += weight * value;
        }
    }
    near(&unit(sum), 0.25, random)
}

/// A unit vector around `centre`, `spread` away in expectation.
fn near(centre: &Vector, spread: f32, random: &mut Random) -> Vector {
    let scale = spread / (DIMENSIONS as f32).sqrt();
    unit(centre.map(|value| value + scale * normal(random)))
}

fn direction(random: &mut Random) -> Vector {
    unit([0.0; DIMENSIONS].map(|_: f32| normal(random)))
}

fn unit(vector: Vector) -> Vector {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-6);
    vector.map(|value| value / length)
}

/// A standard normal number (Box and Muller 1958).
fn normal(random: &mut Random) -> f32 {
    let (radius, angle) = (1.0 - random.random::<f32>(), random.random::<f32>());
    (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> PopulationOptions {
        PopulationOptions { users: 200, items: 300, arriving: 10, ..PopulationOptions::default() }
    }

    /// Clicks per shown item where every user is shown what `choose` picks.
    fn click_rate(population: &mut Population, choose: impl Fn(&Population, usize) -> Vec<usize>) -> f64 {
        let (mut shown, mut clicks) = (0, 0);
        for user in 0..population.users() {
            let page = choose(population, user);
            shown += page.len();
            clicks += population.react(user, &page).len();
        }
        clicks as f64 / shown as f64
    }

    fn best_liked(population: &Population, user: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..population.items().len()).collect();
        let liked = |item: &usize| liking(&population.users[user].taste, &population.items[*item]);
        items.sort_by(|a, b| liked(b).total_cmp(&liked(a)));
        items.truncate(10);
        items
    }

    fn most_appealing(population: &Population, _user: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..population.items().len()).collect();
        items.sort_by(|a, b| population.items[*b].appeal.total_cmp(&population.items[*a].appeal));
        items.truncate(10);
        items
    }

    #[test]
    fn the_same_seed_and_answers_give_the_same_clicks_in_any_order_of_users() {
        let (mut forwards, mut backwards) = (Population::new(small()), Population::new(small()));
        let page: Vec<usize> = (0..20).collect();
        let mut one: Vec<_> = (0..200).map(|user| forwards.react(user, &page)).collect();
        let mut other: Vec<_> = (0..200).rev().map(|user| backwards.react(user, &page)).collect();
        other.reverse();
        assert_eq!(one, other);
        one.extend((0..200).map(|user| forwards.wander(user).into_iter().collect()));
        other.extend((0..200).map(|user| backwards.wander(user).into_iter().collect::<Vec<_>>()));
        assert_eq!(one, other);

        let mut else_seeded = Population::new(PopulationOptions { seed: 8, ..small() });
        let third: Vec<_> = (0..200).map(|user| else_seeded.react(user, &page)).collect();
        assert_ne!(one[..200], third);
    }

    #[test]
    fn personal_pages_are_clicked_more_than_popular_ones_and_both_more_than_chance() {
        let mut population = Population::new(small());
        let chance = click_rate(&mut population.clone(), |_, user| (user..user + 10).collect());
        let popular = click_rate(&mut population.clone(), most_appealing);
        let personal = click_rate(&mut population, best_liked);
        assert!(personal > 2.0 * popular && popular > 1.2 * chance, "{personal} {popular} {chance}");
    }

    #[test]
    fn the_shift_changes_what_a_share_of_the_users_like() {
        let before = Population::new(small());
        let mut after = before.clone();
        after.shift(0.5);
        let shifted = (0..200).filter(|user| after.shifted(*user)).count();
        assert!((70..130).contains(&shifted), "{shifted}");
        let kept = click_rate(&mut before.clone(), best_liked);
        let outdated = click_rate(&mut after, |_, user| best_liked(&before, user));
        assert!(outdated < 0.8 * kept, "{outdated} {kept}");
    }

    #[test]
    fn nobody_touches_an_item_twice_and_higher_places_are_clicked_more() {
        let mut population = Population::new(small());
        let page: Vec<usize> = (0..10).collect();
        let first = population.react(3, &page);
        assert!(population.react(3, &first).is_empty());
        assert!(population.react(3, &[9_999]).is_empty());
        let at = |place: usize| {
            let mut clicks = 0;
            for item in 0..population.items().len() {
                let mut page = vec![9_999; place];
                page.push(item);
                clicks += (0..20).filter(|user| !population.clone().react(*user, &page).is_empty()).count();
            }
            clicks
        };
        assert!(at(0) > at(9));
    }

    #[test]
    fn new_items_arrive_once() {
        let mut population = Population::new(small());
        assert_eq!(population.items().len(), 300);
        assert_eq!(population.arrive(4).len(), 4);
        assert_eq!(population.arrive(20).first().unwrap().id, "item-0304");
        assert_eq!((population.arrive(1).len(), population.items().len()), (0, 310));
        assert_eq!(population.item_of("item-0309"), Some(309));
        assert_eq!((population.item_of("item-0310"), population.item_of("film-1")), (None, None));
    }
}
