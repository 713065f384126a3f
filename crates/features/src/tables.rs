//! The rows of declared features that are not a user's: of sessions, items and the words of fields.

use std::io::{Read, Write};
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::random::stable_hash;
use headwater_base::{Fields, Interaction, SessionId, Value};

use crate::bytes::{Reader, Writer, damaged};
use crate::catalogue::CategoricalField;
use crate::declared::filter::passed;
use crate::declared::plan::Plan;
use crate::declared::{Attribute, FieldRef, Part};
use crate::profiles::Idle;
use crate::profiles::keyed::{Keyed, SHARDS};
use crate::spill::{Cold, Found, Spilled, bytes_of};
use crate::tiles::{NO_WORD, Row, RowLayout, Touch};
use crate::{Catalogue, FeaturesError, Interner, ItemIndex};

/// Rows by table of the plan, and the vocabularies of user and context fields.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) plan: Arc<Plan>,
    pub(crate) sessions: Keyed<Row>,
    /// By table of the plan: items by number, field values by word; empty for users and sessions.
    rows: Vec<Vec<Row>>,
    /// The words of each user and context field that the plan mentions.
    words: Vec<(FieldRef, Interner)>,
    /// Item fields that the plan mentions.
    categorical: Vec<(FieldRef, Option<CategoricalField>)>,
    /// The part whose layout a user's row has: empty where no feature is about users.
    no_rows: RowLayout,
    scratch: Scratch,
}

/// What an interaction is turned into before it is counted.
#[derive(Debug, Default)]
struct Scratch {
    filters: u64,
    attributes: Vec<u64>,
    keys: Vec<u32>,
}

/// The parties to an interaction.
pub(crate) struct Parties<'a> {
    pub(crate) interaction: &'a Interaction,
    pub(crate) item: ItemIndex,
    pub(crate) user_fields: &'a Fields,
    pub(crate) catalogue: &'a Catalogue,
}

impl Tables {
    pub(crate) fn new(plan: Arc<Plan>, catalogue: &Catalogue) -> Self {
        let keys = plan.keys.iter().filter_map(|part| match part {
            Part::Field(field) => Some(field),
            _ => None,
        });
        let attributes = plan.attributes.iter().filter_map(|attribute| match attribute {
            Attribute::Field(field) => Some(field),
            _ => None,
        });
        let mut fields: Vec<&FieldRef> = keys.chain(attributes).collect();
        fields.sort_unstable();
        fields.dedup();
        let (of_items, others): (Vec<&FieldRef>, Vec<&FieldRef>) =
            fields.into_iter().partition(|field| matches!(field, FieldRef::Item(_)));
        let categorical = of_items.into_iter().map(|field| {
            let FieldRef::Item(name) = field else { unreachable!("item fields were chosen above") };
            (field.clone(), catalogue.categorical_field(name))
        });
        Self {
            sessions: Keyed::default(),
            rows: plan.tables.iter().map(|_| Vec::new()).collect(),
            words: others.into_iter().map(|field| (field.clone(), Interner::default())).collect(),
            categorical: categorical.collect(),
            no_rows: RowLayout::default(),
            scratch: Scratch::default(),
            plan,
        }
    }

    /// The layout of a user's row; empty where no feature is about users.
    pub(crate) fn user_layout(&self) -> &RowLayout {
        self.plan.layout(&Part::User).unwrap_or(&self.no_rows)
    }

    /// Finds out what an interaction means for the plan's filters, attributes and keys.
    pub(crate) fn prepare(&mut self, parties: &Parties<'_>) {
        let plan = Arc::clone(&self.plan);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.filters = passed(&plan.filters, parties.interaction);
        scratch.attributes.clear();
        scratch.attributes.extend(plan.attributes.iter().map(|attribute| self.attribute(attribute, parties)));
        scratch.keys.clear();
        scratch.keys.extend(plan.keys.iter().map(|key| match key {
            Part::Field(field) => self.intern(field, parties),
            Part::Item => parties.item,
            Part::User | Part::Session => NO_WORD,
        }));
        self.scratch = scratch;
    }

    /// The prepared interaction, as rows see it.
    pub(crate) fn touch(&self, time: i64, value: Option<f32>) -> Touch<'_> {
        let Scratch { filters, attributes, keys } = &self.scratch;
        Touch { time, value, filters: *filters, attributes, keys }
    }

    /// Counts the prepared interaction for the session, the item and the words of fields.
    pub(crate) fn add(
        &mut self,
        (time, stamp): (i64, i64),
        interaction: &Interaction,
        item: ItemIndex,
        idle: Idle,
    ) {
        let Scratch { filters, attributes, keys } = &self.scratch;
        let touch = Touch { time, value: interaction.value, filters: *filters, attributes, keys };
        for (table, rows) in self.plan.tables.iter().zip(&mut self.rows) {
            let counts = table.layout.filters & touch.filters != 0;
            let (row, idle) = match &table.part {
                Part::User => continue,
                Part::Session => {
                    let Some(session) = &interaction.actor.session else { continue };
                    (session_row(&mut self.sessions, session, counts), idle.sessions)
                }
                Part::Item => (number_row(rows, item, counts), idle.users),
                Part::Field(_) => match table.key.map(|key| touch.keys[key]) {
                    Some(word) if word != NO_WORD => (number_row(rows, word, counts), idle.users),
                    _ => continue,
                },
            };
            let Some(row) = row else { continue };
            revive(row, stamp, idle);
            if counts {
                row.add(&table.layout, &touch);
            }
        }
    }

    /// Drops what sessions, items and words that went idle keep.
    pub(crate) fn forget_idle(&mut self, now: i64, idle: Idle) {
        self.sessions.retain(|row| now.saturating_sub(row.stamp) <= idle.sessions);
        for row in self.rows.iter_mut().flatten() {
            if now.saturating_sub(row.stamp) > idle.users {
                *row = Row::default();
            }
        }
    }

    /// Drops the row of a session.
    pub(crate) fn forget_session(&mut self, id: &SessionId) {
        self.sessions.remove(id.as_str());
    }

    /// The row of a session, in memory or from the disk; none where no feature is about sessions.
    pub(crate) fn session(
        &self,
        cold: &Cold,
        id: &SessionId,
    ) -> Result<Option<Found<'_, Row>>, FeaturesError> {
        if self.plan.layout(&Part::Session).is_none() {
            return Ok(None);
        }
        cold.find(&self.sessions, id.as_str())
    }

    /// The row of an item or of a word, by table of the plan.
    #[inline]
    pub(crate) fn row(&self, table: usize, number: u32) -> Option<&Row> {
        self.rows.get(table)?.get(number as usize)
    }

    /// The word of a categorical field; [`NO_WORD`] where it is missing or was never met.
    pub(crate) fn known_word(
        &self,
        field: &FieldRef,
        of_user: Option<&Fields>,
        context: &Fields,
        item: Option<(ItemIndex, &Catalogue)>,
    ) -> u32 {
        let fields = match field {
            FieldRef::Item(_) => {
                let found =
                    item.and_then(|(item, catalogue)| catalogue.categorical(self.item_field(field)?, item));
                return found.unwrap_or(NO_WORD);
            }
            FieldRef::User(_) => of_user,
            FieldRef::Context(_) => Some(context),
        };
        let word = fields.and_then(|fields| categorical(field, fields));
        word.and_then(|word| self.vocabulary(field)?.get(word)).unwrap_or(NO_WORD)
    }

    /// The number of a word of a categorical field; `None` where it was never met.
    pub(crate) fn word_of(&self, field: &FieldRef, word: &str, catalogue: &Catalogue) -> Option<u32> {
        match field {
            FieldRef::Item(_) => catalogue.word(self.item_field(field)?, word),
            FieldRef::User(_) | FieldRef::Context(_) => self.vocabulary(field)?.get(word),
        }
    }

    /// The words of a categorical field that were met, in the order in which they were.
    pub(crate) fn words_of(&self, field: &FieldRef, catalogue: &Catalogue) -> Vec<CompactString> {
        let numbered = |count: usize, text: &dyn Fn(u32) -> Option<CompactString>| {
            (0..count as u32).filter_map(text).collect()
        };
        match (self.item_field(field), self.vocabulary(field)) {
            (Some(found), _) => numbered(catalogue.words(found), &|word| {
                catalogue.value(found, word).map(CompactString::from)
            }),
            (_, Some(words)) => numbered(words.len(), &|word| words.text(word).map(Into::into)),
            _ => Vec::new(),
        }
    }

    /// The text of a word of an attribute.
    pub(crate) fn text(&self, attribute: usize, word: u32, catalogue: &Catalogue) -> Option<CompactString> {
        match &self.plan.attributes[attribute] {
            Attribute::Item => {
                ((word as usize) < catalogue.len()).then(|| catalogue.id(word).as_str().into())
            }
            Attribute::Field(field @ FieldRef::Item(_)) => {
                catalogue.value(self.item_field(field)?, word).map(Into::into)
            }
            Attribute::Field(field) => self.vocabulary(field)?.text(word).map(Into::into),
            Attribute::Value | Attribute::User | Attribute::Session => None,
        }
    }

    /// Bytes of rows, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let sessions: usize = self.sessions.iter().map(|(_, row)| size_of::<Row>() + row.heap_bytes()).sum();
        let rows = self.rows.iter().flatten().map(|row| size_of::<Row>() + row.heap_bytes());
        sessions + rows.sum::<usize>()
    }

    fn attribute(&mut self, attribute: &Attribute, parties: &Parties<'_>) -> u64 {
        let missing = u64::MAX;
        match attribute {
            Attribute::Value => parties.interaction.value.map_or(missing, |value| u64::from(value.to_bits())),
            Attribute::Item => u64::from(parties.item),
            // The one hash that would mean a missing one is moved aside.
            Attribute::User => {
                let user = parties.interaction.actor.user.as_ref();
                user.map_or(missing, |user| stable_hash(user.as_str()) >> 1)
            }
            Attribute::Session => {
                let session = parties.interaction.actor.session.as_ref();
                session.map_or(missing, |session| stable_hash(session.as_str()) >> 1)
            }
            Attribute::Field(field) => match self.intern(field, parties) {
                NO_WORD => missing,
                word => u64::from(word),
            },
        }
    }

    fn intern(&mut self, field: &FieldRef, parties: &Parties<'_>) -> u32 {
        let fields = match field {
            FieldRef::Item(_) => {
                let found = self.item_field(field);
                let word = found.and_then(|found| parties.catalogue.categorical(found, parties.item));
                return word.unwrap_or(NO_WORD);
            }
            FieldRef::User(_) => parties.user_fields,
            FieldRef::Context(_) => &parties.interaction.context,
        };
        let Some(word) = categorical(field, fields) else { return NO_WORD };
        let vocabulary = self.words.iter_mut().find(|(known, _)| known == field);
        vocabulary.map_or(NO_WORD, |(_, words)| words.intern(word))
    }

    fn vocabulary(&self, field: &FieldRef) -> Option<&Interner> {
        self.words.iter().find(|(known, _)| known == field).map(|(_, words)| words)
    }

    fn item_field(&self, field: &FieldRef) -> Option<CategoricalField> {
        self.categorical.iter().find(|(known, _)| known == field).and_then(|(_, found)| *found)
    }

    /// Writes the whole state: what is in memory and what is on the disk.
    pub(crate) fn write<W: Write>(&self, cold: &Cold, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        for (_, words) in &self.words {
            writer.length(words.len())?;
            (0..words.len()).try_for_each(|word| writer.text(words.text(word as u32).unwrap_or_default()))?;
        }
        for shard in 0..SHARDS {
            cold.in_order(&self.sessions, shard, |id, row| {
                writer.u8(1)?;
                writer.text(id)?;
                row.write(writer)
            })?;
            writer.u8(0)?;
        }
        for rows in &self.rows {
            // Rows at the end that were never counted may or may not have a place yet.
            let counted = rows.iter().rposition(|row| *row != Row::default()).map_or(0, |last| last + 1);
            writer.length(counted)?;
            rows[..counted].iter().try_for_each(|row| row.write(writer))?;
        }
        Ok(())
    }

    /// Replaces this (empty) state by the one written. `after` is told of each session's bytes, and may put some away.
    pub(crate) fn read<R: Read>(
        &mut self,
        cold: &mut Cold,
        reader: &mut Reader<R>,
        mut after: impl FnMut(&mut Self, &mut Cold, usize) -> Result<(), FeaturesError>,
    ) -> Result<(), FeaturesError> {
        for (_, words) in &mut self.words {
            for number in 0..reader.length()? {
                if words.intern(&reader.text()?) as usize != number {
                    return Err(damaged("a word that stands twice"));
                }
            }
        }
        for _ in 0..SHARDS {
            while reader.u8()? == 1 {
                let id = reader.text()?;
                let row = Row::decode(cold, reader)?;
                let bytes = bytes_of(&id, &row);
                self.sessions.entry(&id, || row);
                after(self, cold, bytes)?;
            }
        }
        let plan = Arc::clone(&self.plan);
        for (table, rows) in plan.tables.iter().zip(&mut self.rows) {
            for _ in 0..reader.length()? {
                rows.push(Row::read(&table.layout, reader)?);
            }
        }
        Ok(())
    }
}

/// The row of a session: rows of items and words stay in memory.
impl Spilled for Row {
    const KIND: u8 = 2;

    fn stamp(&self) -> i64 {
        self.stamp
    }

    fn heap_bytes(&self) -> usize {
        self.heap_bytes()
    }

    fn idle(idle: Idle) -> i64 {
        idle.sessions
    }

    fn forgotten(self) -> Option<Self> {
        None
    }

    fn encode<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        self.write(writer)
    }

    fn decode<R: Read>(cold: &Cold, reader: &mut Reader<R>) -> Result<Self, FeaturesError> {
        Self::read(cold.layout(&Part::Session), reader)
    }
}

/// A row that received nothing for too long starts anew.
pub(crate) fn revive(row: &mut Row, stamp: i64, idle: i64) {
    if row.stamp != i64::MIN && stamp.saturating_sub(row.stamp) > idle {
        row.clear();
    }
    row.stamp = stamp;
}

fn row_mut(rows: &mut Vec<Row>, number: u32) -> &mut Row {
    let index = number as usize;
    if rows.len() <= index {
        rows.resize_with(index + 1, Row::default);
    }
    &mut rows[index]
}

/// The row of an item or a word, which an interaction that counts makes. One that does not count keeps what is there from
/// going idle all the same: what a feature is must not depend on what other features count.
fn number_row(rows: &mut Vec<Row>, number: u32, counts: bool) -> Option<&mut Row> {
    if counts {
        return Some(row_mut(rows, number));
    }
    rows.get_mut(number as usize).filter(|row| row.stamp != i64::MIN)
}

/// The same for a session.
fn session_row<'a>(rows: &'a mut Keyed<Row>, session: &SessionId, counts: bool) -> Option<&'a mut Row> {
    if counts {
        return Some(rows.entry(session.as_str(), Row::default));
    }
    rows.get_mut(session.as_str())
}

fn categorical<'a>(field: &FieldRef, fields: &'a Fields) -> Option<&'a str> {
    let (FieldRef::Item(name) | FieldRef::User(name) | FieldRef::Context(name)) = field;
    match fields.get(name) {
        Some(Value::Categorical(word)) => Some(word),
        _ => None,
    }
}
