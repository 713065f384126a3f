//! Reading the values of declared features for a request.

mod few;
mod rows;
mod window;

use std::sync::Arc;

use headwater_base::{Actor, FeatureValue, Fields, Timestamp, Value};

use crate::catalogue::Catalogue;
use crate::declared::plan::{Place, ReadOp, Source, TilesRead, layout_of};
use crate::declared::{FieldRef, Part, Plan, TimeFeature};
use crate::state::State;
use crate::tiles::column::get_time;
use crate::tiles::fixed::Window;
use crate::tiles::large::{Distinct, Frequent, Quantile, Recent};
use crate::tiles::{GroupLayout, NO_WORD, Row};
use crate::{FeaturesError, ItemIndex};
use few::Few;
pub use rows::FeatureRows;
use rows::{Reads, WindowRead};

/// For whom and when features are asked.
#[derive(Clone, Copy, Debug)]
pub struct FeatureRequest<'a> {
    /// Who asks.
    pub actor: &'a Actor,
    /// What is true of the moment.
    pub context: &'a Fields,
    /// Where windows end.
    pub time: Timestamp,
}

/// Items whose rows are looked for before the first of them is read.
const AT_ONCE: usize = 16;

/// Rows that were found for a request, by place of the plan. `None`: a part of the key is missing.
type Found<'a> = Option<Option<&'a Row>>;

struct Reading<'a> {
    state: &'a State,
    plan: &'a Plan,
    catalogue: &'a Catalogue,
    request: &'a FeatureRequest<'a>,
    /// By tail of the plan, its tile.
    tails: &'a [u32],
    user_fields: Option<&'a Fields>,
    user_row: Option<&'a Row>,
    session_row: Option<&'a Row>,
    /// Words that stand for those of the item and the user.
    given: &'a [(FieldRef, Value)],
}

impl State {
    /// Reads the features at `columns` of the plan for `items` into `rows`; an item that the catalogue does not know has no
    /// row of its own, and none of its fields.
    pub(crate) fn features(
        &self,
        request: &FeatureRequest<'_>,
        columns: &[usize],
        items: &[Option<ItemIndex>],
        rows: &mut FeatureRows,
    ) -> Result<(), FeaturesError> {
        self.features_given(request, columns, items, &[], rows)
    }

    /// The same where fields are taken to have the words `given`, whatever the item and the user have.
    pub(crate) fn features_given(
        &self,
        request: &FeatureRequest<'_>,
        columns: &[usize],
        items: &[Option<ItemIndex>],
        given: &[(FieldRef, Value)],
        rows: &mut FeatureRows,
    ) -> Result<(), FeaturesError> {
        let plan = &*self.tables.plan;
        let mut tails: Few<u32> = Few::new(plan.tails.len());
        let tails = tails.as_mut();
        for (tile, (hop, back)) in tails.iter_mut().zip(&plan.tails) {
            let tail = back.map_or(0, |back| request.time.as_micros().saturating_sub(back));
            *tile = hop.tile(Timestamp::from_micros(tail));
        }
        let asker = self.profiles.asker(&self.cold, request.actor)?;
        let (user_fields, user_row) = asker.known(request.time.as_micros(), self.idle);
        let session = match &request.actor.session {
            Some(session) => self.tables.session(&self.cold, session)?,
            None => None,
        };
        let reading = Reading {
            state: self,
            plan,
            catalogue: self.catalogue.current(),
            request,
            tails,
            user_fields,
            user_row,
            session_row: session.as_deref(),
            given,
        };
        reading.rows(columns, items, rows);
        Ok(())
    }
}

impl<'a> Reading<'a> {
    fn rows(&self, columns: &[usize], items: &[Option<ItemIndex>], out: &mut FeatureRows) {
        out.begin(self.plan, columns, items.len());
        let FeatureRows { shared_reads, item_reads, shared, rows, .. } = out;
        let at_once = AT_ONCE.min(items.len());
        let mut found: Few<Found<'a>> =
            Few::new(shared_reads.places.len().max(at_once * item_reads.places.len()));
        let found = found.as_mut();
        self.find_all(shared_reads, None, found);
        self.values(shared_reads, found, None, shared);
        let (width, places) = (item_reads.width, item_reads.places.len());
        if width == 0 {
            return;
        }
        for (items, rows) in items.chunks(AT_ONCE).zip(rows.chunks_mut(AT_ONCE * width)) {
            if items.len() > 1 {
                self.ask_for_words(items);
            }
            for (number, item) in items.iter().enumerate() {
                self.find_all(item_reads, *item, &mut found[number * places..]);
            }
            if items.len() > 1 {
                ask_for_tiles(item_reads, &found[..items.len() * places]);
            }
            for ((number, item), row) in items.iter().enumerate().zip(rows.chunks_mut(width)) {
                self.values(item_reads, &found[number * places..], *item, row);
            }
        }
    }

    /// Asks memory for the words of several items before any of them is waited for.
    fn ask_for_words(&self, items: &[Option<ItemIndex>]) {
        let mut asked = 0;
        for key in &self.plan.item_keys {
            for item in items.iter().flatten() {
                let item = Some((*item, self.catalogue));
                asked ^= self.state.tables.known_word(*key, None, self.request.context, item);
            }
        }
        std::hint::black_box(asked);
    }

    /// Finds the rows that are read.
    #[inline]
    fn find_all(&self, reads: &Reads, item: Option<ItemIndex>, found: &mut [Found<'a>]) {
        for (found, place) in found.iter_mut().zip(&reads.places) {
            *found = self.find(&self.plan.places[*place], item);
        }
    }

    /// Reads each of the values from the rows that were found.
    #[inline]
    fn values(
        &self,
        reads: &Reads,
        found: &[Found<'a>],
        item: Option<ItemIndex>,
        values: &mut [FeatureValue],
    ) {
        for (of, reads) in reads.windows() {
            let Some(row) = found[of.place] else {
                reads.iter().for_each(|read| values[read.value] = FeatureValue::Missing);
                continue;
            };
            let window = of.shape.window(row.map_or(&[], Row::words), self.tails[of.tail]);
            for WindowRead { read, value } in reads {
                values[*value] = self.of_window(*read, &window);
            }
        }
        for other in &reads.others {
            let value = &mut values[other.value];
            match &self.plan.features[other.column].source {
                Source::Tiles(read) => match found[other.place] {
                    Some(row) => self.of_large(read, row, value),
                    None => *value = FeatureValue::Missing,
                },
                Source::Field(field) => {
                    let field = self.field(field, item);
                    *value = field.map_or(FeatureValue::Missing, |value| self.of_field(value));
                }
                Source::Time(time) => *value = self.of_time(*time, item),
            }
        }
    }

    fn find(&self, place: &Place, item: Option<ItemIndex>) -> Found<'a> {
        let table = &self.plan.tables[place.table];
        let (row, idle) = match &table.part {
            Part::User => {
                let anybody = self.request.actor.user.is_some() || self.request.actor.session.is_some();
                // One who went idle has no row here.
                (anybody.then_some(self.user_row)?, i64::MAX)
            }
            Part::Session => {
                self.request.actor.session.as_ref()?;
                (self.session_row, self.state.idle.sessions)
            }
            Part::Item => (self.state.tables.row(place.table, item?), self.state.idle.users),
            Part::Field(_) => {
                let word = self.word(table.key?, item)?;
                (word.and_then(|word| self.state.tables.row(place.table, word)), self.state.idle.users)
            }
        };
        let now = self.request.time.as_micros();
        let row = row.filter(|row| now.saturating_sub(row.stamp) <= idle);
        match place.pair {
            None => Some(row),
            Some((group, key)) => {
                let key = self.word(key, item)?;
                let GroupLayout::Pairs(pairs) = &table.layout.groups[group] else { return None };
                Some(row.zip(key).and_then(|(row, key)| row.pair(pairs.slot, key)))
            }
        }
    }

    /// The word of a key: `None` where it is missing, `Some(None)` where it was never met.
    fn word(&self, key: usize, item: Option<ItemIndex>) -> Option<Option<u32>> {
        let field = match &self.plan.keys[key] {
            Part::Item => return item.map(Some),
            Part::Field(field) => field,
            Part::User | Part::Session => return None,
        };
        if let Some(Value::Categorical(word)) = self.given(field) {
            return Some(self.state.tables.word_of(field, word, self.catalogue));
        }
        let with_catalogue = item.map(|item| (item, self.catalogue));
        let word = self.state.tables.known_word(key, self.user_fields, self.request.context, with_catalogue);
        if word != NO_WORD {
            return Some(Some(word));
        }
        self.field(field, item).is_some().then_some(None)
    }

    fn given(&self, field: &FieldRef) -> Option<&'a Value> {
        self.given.iter().find(|(known, _)| known == field).map(|(_, value)| value)
    }

    fn field(&self, field: &FieldRef, item: Option<ItemIndex>) -> Option<&'a Value>
    where
        'a: 'a,
    {
        if let Some(value) = self.given(field) {
            return Some(value);
        }
        match field {
            FieldRef::Item(name) => self.catalogue.fields(item?).get(name),
            FieldRef::User(name) => self.user_fields?.get(name),
            FieldRef::Context(name) => self.request.context.get(name),
        }
    }

    fn of_field(&self, value: &Value) -> FeatureValue {
        match value {
            Value::Numeric(number) => FeatureValue::number(*number as f32),
            Value::Time(time) => FeatureValue::Number(self.request.time.seconds_since(*time) as f32),
            Value::Categorical(word) => FeatureValue::Word(word.clone()),
            Value::Tags(words) => FeatureValue::Words(words.as_slice().into()),
            Value::Text(_) | Value::Vector(_) => FeatureValue::Missing,
        }
    }

    fn of_time(&self, time: TimeFeature, item: Option<ItemIndex>) -> FeatureValue {
        const HOUR: i64 = 3_600_000_000;
        // The epoch was a Thursday.
        let hour = self.request.time.as_micros().div_euclid(HOUR) + 3 * 24;
        let number = match time {
            TimeFeature::HourOfDay => hour.rem_euclid(24) as f32,
            TimeFeature::DayOfWeek => hour.div_euclid(24).rem_euclid(7) as f32,
            TimeFeature::HourOfWeek => hour.rem_euclid(7 * 24) as f32,
            TimeFeature::ItemAge => match item {
                Some(item) => self.request.time.seconds_since(self.catalogue.added(item)).max(0.0) as f32,
                None => return FeatureValue::Missing,
            },
            TimeFeature::SessionLength | TimeFeature::SessionSeconds => return FeatureValue::Missing,
        };
        FeatureValue::Number(number)
    }

    #[inline]
    fn of_window(&self, read: ReadOp, window: &Window<'_>) -> FeatureValue {
        let now = self.request.time.as_micros();
        let count = |at: usize| window::count(window, at);
        let sum = |at: usize| window::sum(window, at);
        let decayed = |at: usize, half_life: f64| window::decayed(window, at, half_life, now);
        let seconds = |since: i64| FeatureValue::Number(((now - since).max(0) as f64 / 1e6) as f32);
        match read {
            ReadOp::Count(at) => number(count(at)),
            ReadOp::Sum(at) => number(sum(at)),
            ReadOp::Mean { count: valued, sum: total } => number(sum(total) / count(valued)),
            ReadOp::Rate { hits, total, prior } => number(rate(count(hits), count(total), prior)),
            ReadOp::Decayed { column, half_life } => number(decayed(column, half_life)),
            ReadOp::DecayedMean { count, sum, half_life } => match decayed(count, half_life) {
                0.0 => FeatureValue::Missing,
                count => number(decayed(sum, half_life) / count),
            },
            ReadOp::DecayedRate { hits, total, prior, half_life } => {
                number(rate(decayed(hits, half_life), decayed(total, half_life), prior))
            }
            ReadOp::Min(at) => window::extreme(window, at, f32::min),
            ReadOp::Max(at) => window::extreme(window, at, f32::max),
            ReadOp::LastValue(at) => window::newest(window, at)
                .map_or(FeatureValue::Missing, |tile| FeatureValue::number(f32::from_bits(tile[at + 2]))),
            ReadOp::LastWord(at, attribute) => {
                let word = window::newest(window, at)
                    .and_then(|tile| self.state.tables.text(attribute, tile[at + 2], self.catalogue));
                word.map_or(FeatureValue::Missing, FeatureValue::Word)
            }
            ReadOp::SecondsSinceLast(at) => {
                let time = window::newest(window, at).and_then(|tile| get_time(&tile[at..]));
                time.map_or(FeatureValue::Missing, seconds)
            }
            ReadOp::SecondsSinceFirst(at) => {
                let times = window.newest_first().filter_map(|tile| get_time(&tile[at..]));
                times.min().map_or(FeatureValue::Missing, seconds)
            }
            // Of large tiles.
            ReadOp::Distinct(_) | ReadOp::Quantile(..) | ReadOp::TopK(..) | ReadOp::LastN(..) => {
                FeatureValue::Missing
            }
        }
    }

    fn of_large(&self, read: &TilesRead, row: Option<&Row>, value: &mut FeatureValue) {
        let Place { table, pair, .. } = self.plan.places[read.place];
        let layout = layout_of(&self.plan.tables[table].layout, pair);
        let GroupLayout::Large(layout) = &layout.groups[read.group] else {
            *value = FeatureValue::Missing;
            return;
        };
        let tiles = layout.window(row.map_or(&[], |row| row.large(layout.slot)), self.tails[read.tail]);
        match read.read {
            ReadOp::Distinct(column) => {
                *value = number(Distinct::count(tiles.iter().rev().filter_map(|tile| tile.distinct(column))));
            }
            ReadOp::Quantile(column, rank) => {
                let all: Vec<&Quantile> =
                    tiles.iter().rev().filter_map(|tile| tile.quantile(column)).collect();
                *value = Quantile::at(&all, rank).map_or(FeatureValue::Missing, FeatureValue::number);
            }
            ReadOp::TopK(column, attribute, k) => {
                let all: Vec<&Frequent> =
                    tiles.iter().rev().filter_map(|tile| tile.frequent(column)).collect();
                self.words(attribute, Frequent::top(&all, k).into_iter(), value);
            }
            ReadOp::LastN(column, attribute, n) => {
                let recent = tiles.iter().rev().filter_map(|tile| tile.recent(column));
                self.words(attribute, recent.flat_map(Recent::newest_first).take(n), value);
            }
            // Of fixed tiles.
            _ => *value = FeatureValue::Missing,
        }
    }

    /// Writes the texts of words over those of an earlier list that nobody else has, if there are as many.
    fn words(&self, attribute: usize, words: impl Iterator<Item = u32> + Clone, value: &mut FeatureValue) {
        let texts =
            || words.clone().filter_map(|word| self.state.tables.text(attribute, word, self.catalogue));
        if let FeatureValue::Words(known) = value
            && let Some(known) = Arc::get_mut(known)
        {
            let mut texts = texts();
            let filled = known.iter_mut().zip(&mut texts).map(|(known, text)| *known = text).count();
            if filled == known.len() && texts.next().is_none() {
                return;
            }
        }
        *value = FeatureValue::Words(texts().collect());
    }
}

/// The same for the rows that were found for several items, and their newest tiles.
fn ask_for_tiles(reads: &Reads, found: &[Found<'_>]) {
    let mut asked = 0;
    for row in found.iter().flatten().flatten() {
        asked ^= row.words().first().copied().unwrap_or(0);
    }
    for found in found.chunks(reads.places.len().max(1)) {
        for (of, _) in reads.windows() {
            if let Some(row) = found[of.place].flatten() {
                asked ^= of.shape.newest(row.words());
            }
        }
    }
    std::hint::black_box(asked);
}

#[inline]
fn rate(hits: f64, total: f64, prior: (f32, f32)) -> f64 {
    (hits + f64::from(prior.0)) / (total + f64::from(prior.1))
}

#[inline]
fn number(value: f64) -> FeatureValue {
    FeatureValue::number(value as f32)
}
