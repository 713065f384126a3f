//! Reading the values of declared features for a request.

mod few;
mod window;

use compact_str::CompactString;
use headwater_base::{Actor, FeatureValue, Fields, Timestamp, Value};

use crate::catalogue::Catalogue;
use crate::declared::plan::{Place, ReadOp, Source, TilesRead, layout_of};
use crate::declared::{FieldRef, Part, Plan, TimeFeature};
use crate::state::State;
use crate::tiles::column::get_time;
use crate::tiles::fixed::Window;
use crate::tiles::large::{Cell, Distinct, Frequent, Quantile};
use crate::tiles::{GroupLayout, NO_WORD, Row};
use crate::{FeaturesError, ItemIndex};
use few::Few;

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

/// The values of features for the items of one request.
///
/// What does not depend on the item is kept once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureRows {
    /// What was asked for, of which plan: what follows of it is kept as long as the same is asked.
    asked: Vec<usize>,
    plan: u64,
    /// The columns whose values are shared, and those whose values are in each row.
    shared_columns: Vec<usize>,
    item_columns: Vec<usize>,
    /// For each column, where its value is: in `shared`, or in each row.
    columns: Vec<ColumnPlace>,
    shared: Vec<FeatureValue>,
    rows: Vec<FeatureValue>,
    items: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ColumnPlace {
    Shared(usize),
    Row(usize),
}

impl FeatureRows {
    /// Forgets the values, for those of `columns` to take their place.
    fn begin(&mut self, plan: &Plan, columns: &[usize]) {
        self.shared.clear();
        self.rows.clear();
        if self.asked == columns && self.plan == plan.fingerprint() {
            return;
        }
        self.asked.clear();
        self.asked.extend_from_slice(columns);
        self.plan = plan.fingerprint();
        self.shared_columns.clear();
        self.item_columns.clear();
        self.columns.clear();
        self.columns.resize(columns.len(), ColumnPlace::Shared(0));
        // Columns of one window lie side by side, so that it is looked for once.
        let mut order: Vec<(usize, usize)> = columns.iter().copied().enumerate().collect();
        order.sort_by_key(|(_, column)| match &plan.features[*column].source {
            Source::Tiles(read) => read.window,
            Source::Field(_) | Source::Time(_) => usize::MAX,
        });
        for (asked, column) in order {
            let (of_kind, place): (_, fn(usize) -> ColumnPlace) = if plan.features[column].of_item {
                (&mut self.item_columns, ColumnPlace::Row)
            } else {
                (&mut self.shared_columns, ColumnPlace::Shared)
            };
            self.columns[asked] = place(of_kind.len());
            of_kind.push(column);
        }
    }

    /// How many items have a row.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// The values of an item, in the order of the columns.
    pub fn row(&self, item: usize) -> impl ExactSizeIterator<Item = &FeatureValue> {
        self.columns.iter().map(move |column| self.at(item, *column))
    }

    /// One value.
    pub fn value(&self, item: usize, column: usize) -> &FeatureValue {
        self.at(item, self.columns[column])
    }

    fn at(&self, item: usize, column: ColumnPlace) -> &FeatureValue {
        match column {
            ColumnPlace::Shared(index) => &self.shared[index],
            ColumnPlace::Row(index) => &self.rows[item * self.item_columns.len() + index],
        }
    }
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
        let plan = self.plan;
        let places = plan.places.len();
        let mut found: Few<Found<'a>> = Few::new(places * AT_ONCE.min(items.len()).max(1));
        let found = found.as_mut();
        out.begin(plan, columns);
        out.items = items.len();
        self.find_all(&mut found[..places], false, None);
        out.shared.resize(out.shared_columns.len(), FeatureValue::Missing);
        self.values(&out.shared_columns, &found[..places], None, &mut out.shared);
        if out.item_columns.is_empty() {
            return;
        }
        for at in 1..found.len() / places.max(1) {
            let (shared, others) = found.split_at_mut(places);
            others[(at - 1) * places..at * places].copy_from_slice(shared);
        }
        let width = out.item_columns.len();
        out.rows.resize(width * items.len(), FeatureValue::Missing);
        for (items, rows) in items.chunks(AT_ONCE).zip(out.rows.chunks_mut(AT_ONCE * width)) {
            if items.len() > 1 {
                self.ask_for_words(items);
            }
            for (found, item) in found.chunks_mut(places.max(1)).zip(items) {
                self.find_all(found, true, *item);
            }
            if items.len() > 1 {
                self.ask_for_tiles(&found[..items.len() * places]);
            }
            for ((number, item), row) in items.iter().enumerate().zip(rows.chunks_mut(width)) {
                let found = &found[number * places..(number + 1) * places];
                self.values(&out.item_columns, found, *item, row);
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

    /// The same for the rows that were found for them, and their newest tiles.
    fn ask_for_tiles(&self, found: &[Found<'a>]) {
        let mut asked = 0;
        for row in found.iter().flatten().flatten() {
            asked ^= row.words().first().copied().unwrap_or(0);
        }
        for (place, shape) in &self.plan.item_tiles {
            for row in found.iter().skip(*place).step_by(self.plan.places.len()).flatten().flatten() {
                asked ^= shape.newest(row.words());
            }
        }
        std::hint::black_box(asked);
    }

    /// Finds the rows of the places that depend on the item, or of those that do not.
    fn find_all(&self, found: &mut [Found<'a>], of_item: bool, item: Option<ItemIndex>) {
        for (found, place) in found.iter_mut().zip(&self.plan.places) {
            if place.of_item == of_item {
                *found = self.find(place, item);
            }
        }
    }

    /// Reads the columns, of which those of one window follow one another, into as many values, which are missing yet.
    #[inline]
    fn values(
        &self,
        columns: &[usize],
        found: &[Found<'a>],
        item: Option<ItemIndex>,
        values: &mut [FeatureValue],
    ) {
        let (mut known, mut window) = (usize::MAX, Window::default());
        for (column, value) in columns.iter().zip(values) {
            let feature = &self.plan.features[*column];
            let Source::Tiles(read) = &feature.source else {
                *value = self.of_moment(&feature.source, item);
                continue;
            };
            let Some(row) = found[read.place] else { continue };
            let Some(shape) = read.shape else {
                *value = self.of_large(read, row, self.tails[read.tail]);
                continue;
            };
            if known != read.window {
                known = read.window;
                window = shape.window(row.map_or(&[], Row::words), self.tails[read.tail]);
            }
            match of_window(read.read, &window).map(|number| number as f32) {
                Some(number) if number.is_finite() => *value = FeatureValue::Number(number),
                Some(_) => {}
                None => *value = self.of_other_window(read.read, &window),
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

    #[inline(never)]
    fn of_moment(&self, source: &Source, item: Option<ItemIndex>) -> FeatureValue {
        match source {
            Source::Field(field) => {
                self.field(field, item).map_or(FeatureValue::Missing, |value| self.of_field(value))
            }
            Source::Time(time) => self.of_time(*time, item),
            Source::Tiles(_) => FeatureValue::Missing,
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

    #[inline(never)]
    fn of_large(&self, read: &TilesRead, row: Option<&Row>, tail: u32) -> FeatureValue {
        let Place { table, pair, .. } = self.plan.places[read.place];
        let layout = layout_of(&self.plan.tables[table].layout, pair);
        let GroupLayout::Large(layout) = &layout.groups[read.group] else { return FeatureValue::Missing };
        let tiles = row.map_or(&[][..], |row| row.large(layout.slot));
        self.of_cells(read.read, |column| layout.window(tiles, tail, column))
    }

    /// What is rarer or takes longer.
    #[inline(never)]
    fn of_other_window(&self, read: ReadOp, window: &Window<'_>) -> FeatureValue {
        let now = self.request.time.as_micros();
        let decayed = |at: usize, half_life: f64| window::decayed(window, at, half_life, now);
        let seconds = |since: i64| FeatureValue::Number(((now - since).max(0) as f64 / 1e6) as f32);
        match read {
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
            _ => FeatureValue::Missing,
        }
    }

    fn of_cells<'c, I: Iterator<Item = &'c Cell>>(
        &self,
        read: ReadOp,
        cells: impl Fn(usize) -> I,
    ) -> FeatureValue {
        match read {
            ReadOp::Distinct(column) => {
                let mut all = cells(column).filter_map(|cell| match cell {
                    Cell::Distinct(distinct) => Some(distinct),
                    _ => None,
                });
                let (first, second) = (all.next(), all.next());
                number(match (first, second) {
                    (None, _) => 0.0,
                    (Some(first), None) => Distinct::count(&[first]),
                    (Some(first), Some(second)) => {
                        let all: Vec<&Distinct> = [first, second].into_iter().chain(all).collect();
                        Distinct::count(&all)
                    }
                })
            }
            ReadOp::Quantile(column, rank) => {
                let all: Vec<&Quantile> = cells(column)
                    .filter_map(|cell| match cell {
                        Cell::Quantile(quantile) => Some(quantile),
                        _ => None,
                    })
                    .collect();
                Quantile::at(&all, rank).map_or(FeatureValue::Missing, FeatureValue::number)
            }
            ReadOp::TopK(column, attribute, k) => {
                let all: Vec<&Frequent> = cells(column)
                    .filter_map(|cell| match cell {
                        Cell::Frequent(frequent) => Some(frequent),
                        _ => None,
                    })
                    .collect();
                self.words(attribute, Frequent::top(&all, k).into_iter())
            }
            ReadOp::LastN(column, attribute, n) => {
                let recent = cells(column).filter_map(|cell| match cell {
                    Cell::Recent(recent) => Some(recent.newest_first()),
                    _ => None,
                });
                self.words(attribute, recent.flatten().take(n))
            }
            _ => FeatureValue::Missing,
        }
    }

    fn words(&self, attribute: usize, words: impl Iterator<Item = u32>) -> FeatureValue {
        let mut texts = words.filter_map(|word| self.state.tables.text(attribute, word, self.catalogue));
        // Most lists are short: they are copied once, and not grown first.
        let mut few = [const { CompactString::const_new("") }; FEW_WORDS];
        let mut length = 0;
        for (place, text) in few.iter_mut().zip(&mut texts) {
            *place = text;
            length += 1;
        }
        if length < FEW_WORDS {
            return FeatureValue::Words(few[..length].into());
        }
        let texts: Vec<CompactString> = few.into_iter().chain(texts).collect();
        FeatureValue::Words(texts.into())
    }
}

/// How many words are usual in a list.
const FEW_WORDS: usize = 8;

/// What is read most, and soonest; `None` where it is something else.
#[inline]
fn of_window(read: ReadOp, window: &Window<'_>) -> Option<f64> {
    match read {
        ReadOp::Count(at) => Some(window::count(window, at)),
        ReadOp::Sum(at) => Some(window::sum(window, at)),
        ReadOp::Mean { count, sum } => Some(window::sum(window, sum) / window::count(window, count)),
        ReadOp::Rate { hits, total, prior } => {
            Some(rate(window::count(window, hits), window::count(window, total), prior))
        }
        _ => None,
    }
}

#[inline]
fn rate(hits: f64, total: f64, prior: (f32, f32)) -> f64 {
    (hits + f64::from(prior.0)) / (total + f64::from(prior.1))
}

fn number(value: f64) -> FeatureValue {
    FeatureValue::number(value as f32)
}
