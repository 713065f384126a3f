//! Reading the values of declared features for a request.

mod few;
mod rows;
pub(crate) mod window;

use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{Actor, FeatureValue, Fields, Timestamp, Value};
use headwater_models::prefetch::prefetch;

use crate::catalogue::Catalogue;
use crate::declared::plan::{Place, ReadOp, Source, layout_of};
use crate::declared::{FieldRef, Part, Plan, TimeFeature};
use crate::state::State;
use crate::tiles::{GroupLayout, NO_WORD, Row, RowView};
use crate::{FeaturesError, ItemIndex};
use few::Few;
pub use rows::FeatureRows;
use rows::{LargeOf, OtherRead, OtherSource, Reads, Scratch, WindowRead};
pub(crate) use window::TileValue;

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
type Found<'a> = Option<Option<RowView<'a>>>;

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

    /// Reads a column that is no aggregate, for a user who has these fields.
    pub(crate) fn of_moment(
        &self,
        request: &FeatureRequest<'_>,
        user_fields: Option<&Fields>,
        item: Option<ItemIndex>,
        column: usize,
    ) -> FeatureValue {
        let reading = Reading {
            state: self,
            plan: &self.tables.plan,
            catalogue: self.catalogue.current(),
            request,
            tails: &[],
            user_fields,
            user_row: None,
            session_row: None,
            given: &[],
        };
        reading.of_moment(column, item)
    }
}

impl<'a> Reading<'a> {
    fn rows(&self, columns: &[usize], items: &[Option<ItemIndex>], out: &mut FeatureRows) {
        out.begin(self.plan, columns, items.len());
        let FeatureRows { shared_reads, item_reads, shared, rows, scratch, .. } = out;
        let at_once = AT_ONCE.min(items.len());
        let mut found: Few<Found<'a>> =
            Few::new(shared_reads.places.len().max(at_once * item_reads.places.len()));
        let found = found.as_mut();
        self.find_all(shared_reads, None, found);
        self.values(shared_reads, found, None, scratch, shared);
        let (width, places) = (item_reads.width, item_reads.places.len());
        if width == 0 {
            return;
        }
        for (items, rows) in items.chunks(AT_ONCE).zip(rows.chunks_mut(AT_ONCE * width)) {
            if items.len() > 1 {
                self.ask_for(item_reads, items);
            }
            for (number, item) in items.iter().enumerate() {
                self.find_all(item_reads, *item, &mut found[number * places..]);
            }
            if items.len() > 1 {
                found[..items.len() * places].iter().flatten().flatten().for_each(|row| row.prefetch());
            }
            for ((number, item), row) in items.iter().enumerate().zip(rows.chunks_mut(width)) {
                self.values(item_reads, &found[number * places..], *item, scratch, row);
            }
        }
    }

    /// Asks memory for the rows of items and for their words, before any of them is waited for.
    fn ask_for(&self, reads: &Reads, items: &[Option<ItemIndex>]) {
        for item in items.iter().flatten() {
            self.catalogue.all_words(*item).first().into_iter().for_each(prefetch);
        }
        for place in &reads.places {
            let table = self.plan.places[*place].table;
            if self.plan.tables[table].part == Part::Item {
                let rows = items.iter().flatten().filter_map(|item| self.state.tables.row(table, *item));
                rows.for_each(prefetch);
            }
        }
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
        scratch: &mut Scratch,
        values: &mut [FeatureValue],
    ) {
        let now = self.request.time.as_micros();
        for (of, reads) in reads.windows() {
            let Some(row) = found[of.place] else {
                reads.iter().for_each(|read| values[read.value] = FeatureValue::Missing);
                continue;
            };
            let window = of.shape.window(row.map_or(&[], |row| row.words), self.tails[of.tail]);
            for WindowRead { read, value } in reads {
                values[*value] = match window::of_fixed(read, &window, now, &mut None) {
                    TileValue::Number(number) => FeatureValue::Number(number),
                    TileValue::Word(word) => self.word_value(*read, word),
                    TileValue::Missing | TileValue::Words => FeatureValue::Missing,
                };
            }
        }
        for OtherRead { source, value } in &reads.others {
            let value = &mut values[*value];
            match source {
                OtherSource::Large(large) => {
                    let read = match found[large.place] {
                        Some(row) => self.of_large(large, reads.places[large.place], row, scratch),
                        None => TileValue::Missing,
                    };
                    match read {
                        TileValue::Number(number) => *value = FeatureValue::Number(number),
                        TileValue::Words => self.write_words(large.read, &scratch.words, value),
                        TileValue::Missing | TileValue::Word(_) => *value = FeatureValue::Missing,
                    }
                }
                OtherSource::Moment(column) => *value = self.of_moment(*column, item),
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
        let row = row.filter(|row| now.saturating_sub(row.stamp) <= idle).map(Row::view);
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
        matches!(self.field(field, item), Some(Value::Categorical(_))).then_some(None)
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

    /// The value of a column that is no aggregate.
    fn of_moment(&self, column: usize, item: Option<ItemIndex>) -> FeatureValue {
        match &self.plan.features[column].source {
            Source::Field(field) => {
                let field = self.field(field, item);
                field.map_or(FeatureValue::Missing, |value| self.of_field(value))
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

    fn of_large(
        &self,
        of: &LargeOf,
        place: usize,
        row: Option<RowView<'_>>,
        scratch: &mut Scratch,
    ) -> TileValue {
        let Place { table, pair, .. } = self.plan.places[place];
        let layout = layout_of(&self.plan.tables[table].layout, pair);
        let GroupLayout::Large(layout) = &layout.groups[of.group] else { return TileValue::Missing };
        let tiles = row.map_or(&[][..], |row| row.large(layout.slot));
        let Scratch { words, known } = scratch;
        known.forget();
        window::of_large(of.read, layout.window(tiles, self.tails[of.tail]), words, known)
    }

    fn text(&self, read: ReadOp, word: u32) -> Option<CompactString> {
        self.state.tables.text(read.attribute()?, word, self.catalogue)
    }

    fn word_value(&self, read: ReadOp, word: u32) -> FeatureValue {
        self.text(read, word).map_or(FeatureValue::Missing, FeatureValue::Word)
    }

    /// Writes the texts of words over those of an earlier list that nobody else has, if there are as many.
    fn write_words(&self, read: ReadOp, words: &[u32], value: &mut FeatureValue) {
        let texts = || words.iter().filter_map(|word| self.text(read, *word));
        if let FeatureValue::Words(known) = value
            && let Some(known) = Arc::get_mut(known).filter(|known| known.len() == words.len())
            && known.iter_mut().zip(texts()).map(|(known, text)| *known = text).count() == words.len()
        {
            return;
        }
        *value = FeatureValue::Words(texts().collect());
    }
}
