//! What happens in a benchmark: made-up interactions as numbers, and the events they stand for.
//!
//! Users come in visits of some ten interactions, 512 users at a time; items are drawn by Zipf's law. Six in ten are
//! impressions, three clicks, one a purchase of a price. Times rise by whole milliseconds; a share is received up to two
//! hours after it happened.

use compact_str::format_compact;
use headwater_base::random::{Random, seeded};
use headwater_base::{Actor, Event, EventId, Fact, Fields, Interaction, ItemId, Timestamp, UserId, Value};
use rand::RngExt as _;

use super::declared::KINDS;

/// 2026-01-01, milliseconds.
const START: i64 = 1_767_225_600_000;
/// Users that are there at the same time.
const PRESENT: usize = 512;
/// Chance that a visit ends with an interaction.
const LEAVING: f64 = 0.1;
/// Longest delay, milliseconds.
const LATEST: i64 = 2 * 3_600_000;
const DAY: f64 = 86_400_000.0;

/// One interaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// When it happened, milliseconds.
    pub(super) time: i64,
    /// When it was received.
    pub(super) received: i64,
    pub(super) user: u32,
    pub(super) item: u32,
    /// Into [`KINDS`].
    pub(super) kind: u8,
    pub(super) value: Option<f32>,
}

impl Moment {
    /// The event at `offset` of the log.
    pub(super) fn event(&self, offset: u64) -> Event {
        Event {
            id: EventId::trusted(format_compact!("e{offset}")),
            time: Timestamp::from_micros(self.time * 1_000),
            received: Timestamp::from_micros(self.received * 1_000),
            fact: Fact::Interaction(Interaction {
                kind: KINDS[usize::from(self.kind)].into(),
                actor: actor(self.user),
                item: ItemId::trusted(format_compact!("i{}", self.item)),
                value: self.value,
                request_id: None,
                context: Fields::default(),
            }),
        }
    }
}

pub(super) fn actor(user: u32) -> Actor {
    Actor::user(UserId::trusted(format_compact!("u{user}")))
}

/// The events with which the log of a benchmark begins: every item with its category.
pub(super) fn upserts(categories: &[u32]) -> impl Iterator<Item = Event> {
    let at = Timestamp::from_micros(START * 1_000);
    (0_u32..).zip(categories).map(move |(item, category)| Event {
        id: EventId::trusted(format_compact!("c{item}")),
        time: at,
        received: at,
        fact: Fact::ItemUpsert {
            item: ItemId::trusted(format_compact!("i{item}")),
            fields: Fields::new([(
                "category".into(),
                Value::Categorical(format_compact!("category-{category}")),
            )]),
            removed: Vec::new(),
            available: None,
            patch: false,
        },
    })
}

/// A world of made-up users and items.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    pub(super) users: u32,
    pub(super) items: u32,
    pub(super) categories: u32,
    /// Interactions of a user a day.
    pub(super) a_day: f64,
    /// The share of interactions that come late.
    pub(super) late: f64,
    /// Whether users come by turns, so that everybody comes, or at random.
    pub(super) by_turns: bool,
    pub(super) seed: u64,
}

impl World {
    /// The category of each item.
    pub(super) fn categories(&self) -> Vec<u32> {
        let mut random = seeded(self.seed, "bench/features/categories");
        (0..self.items).map(|_| random.random_range(0..self.categories)).collect()
    }

    /// Interactions without an end, in the order received; any number of them is the beginning of any larger number.
    pub(super) fn moments(&self) -> Moments {
        let random = seeded(self.seed, "bench/features/moments");
        let mut moments = Moments {
            world: *self,
            random,
            present: Vec::new(),
            turn: 0,
            now: START as f64,
            step: self.step(),
        };
        moments.present = (0..PRESENT).map(|_| moments.who()).collect();
        moments
    }

    /// How many days so many interactions take.
    pub(super) fn days(&self, moments: usize) -> f64 {
        moments as f64 * self.step() / DAY
    }

    /// An item by Zipf's law: by the inverse of its distribution function, exponent 1, in the continuous limit.
    pub(super) fn item(&self, random: &mut Random) -> u32 {
        let rank = f64::from(self.items).powf(random.random::<f64>()) as u32;
        rank.clamp(1, self.items) - 1
    }

    /// Mean time from one interaction to the next, milliseconds.
    fn step(&self) -> f64 {
        (DAY / (f64::from(self.users) * self.a_day)).max(1.0)
    }
}

/// Interactions of a [`World`].
pub(super) struct Moments {
    world: World,
    random: Random,
    present: Vec<u32>,
    /// Whose turn it is.
    turn: u32,
    now: f64,
    step: f64,
}

impl Moments {
    /// Who comes next.
    fn who(&mut self) -> u32 {
        if !self.world.by_turns {
            return self.random.random_range(0..self.world.users);
        }
        self.turn = (self.turn + 1) % self.world.users;
        self.turn
    }
}

impl Iterator for Moments {
    type Item = Moment;

    fn next(&mut self) -> Option<Moment> {
        self.now += (self.step * 2.0 * self.random.random::<f64>()).max(1.0);
        let received = self.now as i64;
        let place = self.random.random_range(0..PRESENT);
        let user = self.present[place];
        if self.random.random::<f64>() < LEAVING {
            self.present[place] = self.who();
        }
        let Self { world, random, .. } = self;
        let item = world.item(random);
        let kind = match random.random_range(0..10) {
            0..6 => 0,
            6..9 => 1,
            _ => 2,
        };
        let value = (kind == 2).then(|| f32::from(random.random_range(4..400_u16)) / 4.0);
        let late = random.random::<f64>() < world.late;
        let time = if late { received - random.random_range(0..LATEST) } else { received };
        Some(Moment { time, received, user, item, kind, value })
    }
}
