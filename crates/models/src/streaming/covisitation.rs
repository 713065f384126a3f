//! Co-visitation: which items the same people touch, close together.

use std::thread;
use std::time::Duration;

use headwater_base::Timestamp;

use super::decay::{HalfLife, power_of_two};
use super::neighbour_list::NeighbourList;
use super::top_list::{Ranked, order_rounded, take_best};
use crate::{Allow, Past, Query, Retrieve, Row, Scored};

/// Groups of rows that are folded independently; fixed, so that the number of threads changes nothing.
const SHARDS: usize = 16;
/// Fewer pairings than this are folded by one thread: starting another costs more than it saves.
const PAIRINGS_WORTH_A_THREAD: usize = 1024;
/// Distinct recent items of a history that are asked for their neighbours.
const HISTORY_ITEMS: usize = 20;

/// What counts as touched together, and how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoVisitationOptions {
    /// Distinct items before an interaction that it is paired with. Default 10.
    pub recent: usize,
    /// Longest time between two interactions that still pair. Default 30 days.
    pub window: Duration,
    /// Gap at which a pair counts half of one without a gap. Default 1 day.
    pub half_gap: Duration,
    /// How fast pairs fade. Default 30 days.
    pub half_life: Duration,
    /// Neighbours kept per item. Default 64.
    pub neighbours: usize,
    /// Weight of evidence below which similarities shrink towards 0. Default 2.
    pub shrinkage: f32,
}

impl Default for CoVisitationOptions {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            recent: 10,
            window: Duration::from_secs(30 * DAY),
            half_gap: Duration::from_secs(DAY),
            half_life: Duration::from_secs(30 * DAY),
            neighbours: 64,
            shrinkage: 2.0,
        }
    }
}

/// One interaction of one actor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visit {
    /// The item's row.
    pub row: Row,
    /// When it happened.
    pub time: Timestamp,
    /// Weight of its type.
    pub weight: f32,
}

/// Interactions paired with what came before them, in log order, ready to be folded.
///
/// Pairing needs the actor's history and folding needs the items' lists; keeping the two apart lets the second run in
/// parallel over items.
#[derive(Clone, Debug)]
pub struct Pairs {
    options: CoVisitationOptions,
    half_life: HalfLife,
    window: f64,
    half_gap: f64,
    pairings: Vec<Pairing>,
    /// The earlier items of all pairings, each with its weight relative to the pairing's `whole`.
    earlier: Vec<(Row, f32)>,
    newest: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Pairing {
    row: Row,
    whole: i32,
    /// End of its slice of `Pairs::earlier`; the start is the end of the pairing before.
    end: u32,
}

impl Pairs {
    /// None yet.
    pub fn new(options: &CoVisitationOptions) -> Self {
        Self {
            half_life: HalfLife::new(options.half_life),
            window: options.window.as_secs_f64(),
            half_gap: options.half_gap.as_secs_f64().max(1.0),
            options: *options,
            pairings: Vec::new(),
            earlier: Vec::new(),
            newest: Timestamp::EPOCH,
        }
    }

    /// Forgets the pairings, keeping the memory.
    pub fn clear(&mut self) {
        self.pairings.clear();
        self.earlier.clear();
        self.newest = Timestamp::EPOCH;
    }

    /// How many interactions found something to pair with.
    pub fn len(&self) -> usize {
        self.pairings.len()
    }

    /// Whether none did.
    pub fn is_empty(&self) -> bool {
        self.pairings.is_empty()
    }

    /// Pairs `visit` with the actor's visits before it, given newest first.
    ///
    /// The p-th distinct earlier item (from 0) at a gap of g counts
    /// sqrt(weight x earlier weight) / (sqrt(p + 1) x (1 + g / half gap)).
    pub fn push(&mut self, visit: Visit, before: impl Iterator<Item = Visit>) {
        if visit.weight.is_nan() || visit.weight <= 0.0 {
            return;
        }
        let growth = self.half_life.growth(visit.time);
        let start = self.earlier.len();
        for earlier in before {
            let found = self.earlier.len() - start;
            if found == self.options.recent {
                break;
            }
            let gap = visit.time.seconds_since(earlier.time).abs();
            if earlier.row == visit.row
                || gap > self.window
                || earlier.weight.is_nan()
                || earlier.weight <= 0.0
            {
                continue;
            }
            if self.earlier[start..].iter().any(|(row, _)| *row == earlier.row) {
                continue;
            }
            let both = (f64::from(visit.weight) * f64::from(earlier.weight)).sqrt();
            let distance = ((found + 1) as f64).sqrt() * (1.0 + gap / self.half_gap);
            self.earlier.push((earlier.row, (growth.scale * both / distance) as f32));
        }
        if self.earlier.len() > start {
            // 2^31 half-lives of a second are 68 years past the epoch, and no event is that far ahead.
            let whole = i32::try_from(growth.whole).unwrap_or(i32::MAX);
            self.pairings.push(Pairing { row: visit.row, whole, end: self.earlier.len() as u32 });
            self.newest = self.newest.max(visit.time);
        }
    }

    fn rows(&self) -> usize {
        let of_visits = self.pairings.iter().map(|pairing| pairing.row);
        let rows = of_visits.chain(self.earlier.iter().map(|(row, _)| *row));
        rows.max().map_or(0, |row| row as usize + 1)
    }
}

/// The co-visitation neighbours of every item: at most [`CoVisitationOptions::neighbours`] each, decayed.
///
/// Weights are raw sums; similarities are worked out at reading, as shrunken cosine over all the weight each item
/// took part in: s(i, j) = c(i, j) / (sqrt(m(i) m(j)) + shrinkage), everything as of the newest interaction.
#[derive(Clone, Debug)]
pub struct CoVisitation {
    options: CoVisitationOptions,
    half_life: HalfLife,
    newest: Timestamp,
    rows: usize,
    /// Row r is at `shards[r % SHARDS][r / SHARDS]`.
    shards: Vec<Vec<NeighbourList>>,
}

/// Turns the weights of one list into similarities.
struct Normaliser {
    mass: f64,
    landmark: i32,
    shrinkage: f64,
}

impl CoVisitation {
    /// Nothing seen yet.
    pub fn new(options: &CoVisitationOptions) -> Self {
        let mut options = *options;
        options.neighbours = options.neighbours.max(1);
        Self {
            half_life: HalfLife::new(options.half_life),
            options,
            newest: Timestamp::EPOCH,
            rows: 0,
            shards: vec![Vec::new(); SHARDS],
        }
    }

    /// Rebuilds what [`Self::newest`] and [`Self::lists`] gave.
    pub fn from_parts(
        options: &CoVisitationOptions,
        newest: Timestamp,
        lists: impl IntoIterator<Item = NeighbourList>,
    ) -> Self {
        let mut model = Self::new(options);
        model.newest = newest;
        for (row, list) in lists.into_iter().enumerate() {
            model.shards[row % SHARDS].push(list);
            model.rows = row + 1;
        }
        model
    }

    /// The time of the newest pair.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }

    /// The lists, by row.
    pub fn lists(&self) -> impl ExactSizeIterator<Item = &NeighbourList> {
        (0..self.rows).map(|row| &self.shards[row % SHARDS][row / SHARDS])
    }

    /// Folds one interaction, given the actor's earlier ones, newest first.
    pub fn observe(&mut self, visit: Visit, before: impl Iterator<Item = Visit>) {
        let mut pairs = Pairs::new(&self.options);
        pairs.push(visit, before);
        self.fold(&pairs, 1);
    }

    /// Folds pairings in order, on up to `threads` threads; the result does not depend on their number, nor on how
    /// pairings are cut into batches.
    pub fn fold(&mut self, pairs: &Pairs, threads: usize) {
        self.fold_beside(pairs, threads, || ());
    }

    /// The same, with `beside` run by this thread before it takes its share of the lists.
    pub fn fold_beside(&mut self, pairs: &Pairs, threads: usize, beside: impl FnOnce()) {
        self.grow(pairs.rows());
        self.newest = self.newest.max(pairs.newest);
        let limit = self.options.neighbours;
        if threads < 2 || pairs.len() < PAIRINGS_WORTH_A_THREAD {
            beside();
            let mut all: Share<'_> = self.shards.iter_mut().map(Some).collect();
            fold_share(&mut all, pairs, limit);
            return;
        }
        let mut shares: Vec<Share<'_>> =
            (0..threads.min(SHARDS)).map(|_| (0..SHARDS).map(|_| None).collect()).collect();
        let count = shares.len();
        for (shard, lists) in self.shards.iter_mut().enumerate() {
            shares[shard % count][shard] = Some(lists);
        }
        thread::scope(|scope| {
            let mut shares = shares.into_iter();
            let mine = shares.next();
            for mut share in shares {
                scope.spawn(move || fold_share(&mut share, pairs, limit));
            }
            beside();
            if let Some(mut mine) = mine {
                fold_share(&mut mine, pairs, limit);
            }
        });
    }

    /// The neighbours of `row` with their similarities, most similar first, ties by row.
    pub fn neighbours(&self, row: Row, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let ranked = self.similarities(row).map(|(row, score)| Ranked { score, row }).collect();
        scored(take_best(ranked, limit, allow))
    }

    /// Adds what `other` folded from other users' interactions, `row_of` translating its rows.
    ///
    /// As long as no list was full, equal to having folded both streams, up to the rounding of sums. A full list
    /// keeps the heaviest of both, and what was turned away before the merge stays lost.
    pub fn merge(&mut self, other: &Self, row_of: impl Fn(Row) -> Row) {
        self.newest = self.newest.max(other.newest);
        for (row, list) in other.lists().enumerate() {
            let row = row_of(row as Row) as usize;
            self.grow(row + 1);
            self.shards[row % SHARDS][row / SHARDS].merge(list, &row_of, self.options.neighbours);
        }
    }

    fn grow(&mut self, rows: usize) {
        for row in self.rows..rows {
            self.shards[row % SHARDS].push(NeighbourList::default());
        }
        self.rows = self.rows.max(rows);
    }

    fn list(&self, row: Row) -> Option<&NeighbourList> {
        self.shards[row as usize % SHARDS].get(row as usize / SHARDS)
    }

    fn similarities(&self, row: Row) -> impl Iterator<Item = (Row, f64)> + '_ {
        self.list(row).into_iter().flat_map(move |list| {
            let growth = self.half_life.growth(self.newest);
            let normaliser = Normaliser {
                mass: list.mass(),
                landmark: list.landmark(),
                shrinkage: f64::from(self.options.shrinkage) * growth.relative_to(i64::from(list.landmark())),
            };
            let pairs = list.rows().iter().zip(list.weights());
            pairs.map(move |(other, weight)| (*other, normaliser.similarity(*weight, self.list(*other))))
        })
    }

    /// Similarities of `seeds` to everything, weighted and summed, in no order.
    fn sum(&self, seeds: &[(Row, f64)]) -> Vec<Ranked> {
        let mut found: Vec<Ranked> = Vec::new();
        for (seed, weight) in seeds {
            found.extend(self.similarities(*seed).map(|(row, score)| Ranked { row, score: score * weight }));
        }
        // Stable, so that each row's terms are summed in the order of the seeds.
        found.sort_by_key(|ranked| ranked.row);
        found.dedup_by(|next, kept| {
            let same = next.row == kept.row;
            if same {
                kept.score += next.score;
            }
            same
        });
        found
    }
}

impl Normaliser {
    fn similarity(&self, weight: f32, other: Option<&NeighbourList>) -> f64 {
        let theirs = other.map_or(0.0, |other| {
            other.mass() * power_of_two(i64::from(other.landmark()) - i64::from(self.landmark))
        });
        let scale = (self.mass * theirs).sqrt() + self.shrinkage;
        if scale > 0.0 && scale.is_finite() { f64::from(weight) / scale } else { 0.0 }
    }
}

/// The shards one thread folds; `None` where another does.
type Share<'a> = Vec<Option<&'a mut Vec<NeighbourList>>>;

fn fold_share(share: &mut Share<'_>, pairs: &Pairs, limit: usize) {
    let mut start = 0;
    for pairing in &pairs.pairings {
        let earlier = &pairs.earlier[start..pairing.end as usize];
        start = pairing.end as usize;
        if let Some(list) = list_of(share, pairing.row) {
            let factor = list.factor(pairing.whole);
            for (row, weight) in earlier {
                list.add(*row, weight * factor, limit);
            }
        }
        for (row, weight) in earlier {
            if let Some(list) = list_of(share, *row) {
                let factor = list.factor(pairing.whole);
                list.add(pairing.row, weight * factor, limit);
            }
        }
    }
}

fn list_of<'a>(share: &'a mut Share<'_>, row: Row) -> Option<&'a mut NeighbourList> {
    let lists = share[row as usize % SHARDS].as_deref_mut()?;
    lists.get_mut(row as usize / SHARDS)
}

fn scored(ranked: Vec<Ranked>) -> Vec<Scored> {
    let rounded = |ranked: Ranked| Scored { row: ranked.row, score: ranked.score as f32 };
    order_rounded(ranked.into_iter().map(rounded).collect())
}

/// The latest distinct items of a history with the weight of their neighbours: 1/sqrt(p + 1) for the p-th latest,
/// times the square root of the interaction's weight.
fn seeds(history: &[Past]) -> Vec<(Row, f64)> {
    let mut seeds: Vec<(Row, f64)> = Vec::with_capacity(HISTORY_ITEMS);
    for past in history.iter().rev() {
        if seeds.len() == HISTORY_ITEMS {
            break;
        }
        if past.weight > 0.0 && past.weight.is_finite() && seeds.iter().all(|(row, _)| *row != past.row) {
            let position = (seeds.len() + 1) as f64;
            seeds.push((past.row, (f64::from(past.weight) / position).sqrt()));
        }
    }
    seeds
}

impl Retrieve for CoVisitation {
    fn items(&self) -> usize {
        self.rows
    }

    /// The neighbours of the query's item, or, where it has none or none is given, of the latest items of the history.
    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let of_item = query.item.map(|item| self.sum(&[(item, 1.0)])).filter(|found| !found.is_empty());
        let found = of_item.unwrap_or_else(|| self.sum(&seeds(query.history)));
        scored(take_best(found.into(), limit, allow))
    }
}
