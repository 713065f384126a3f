//! The rows of declared features that are not a user's: of sessions, items and the words of fields.

use std::io::{Read, Write};
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::random::stable_hash;
use headwater_base::{Fields, Interaction, SessionId, Timestamp, Value};

use crate::bytes::{Reader, Writer, damaged};
use crate::catalogue::CategoricalField;
use crate::declared::filter::TypeFilters;
use crate::declared::hop::Tiles;
use crate::declared::plan::Plan;
use crate::declared::{Attribute, FieldRef, Part};
use crate::profiles::Idle;
use crate::profiles::keyed::{Keyed, Place};
use crate::spill::{Cold, Found, Spilled, bytes_of};
use crate::tiles::{NO_WORD, Row, Touch};
use crate::{Catalogue, FeaturesError, Interner, ItemIndex};

/// Rows by table of the plan, and the vocabularies of user and context fields.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) plan: Arc<Plan>,
    pub(crate) sessions: Keyed<Row>,
    /// By table of the plan: items by number, field values by word; empty for users and sessions.
    pub(crate) rows: Vec<Vec<Row>>,
    /// The words of each user and context field that the plan mentions.
    words: Vec<(FieldRef, Interner)>,
    /// By attribute and by key of the plan.
    attributes: Vec<WordOf>,
    keys: Vec<WordOf>,
    /// By number of an interaction type, what its interactions pass; made when the first one comes.
    types: Vec<Option<TypeFilters>>,
    scratch: Scratch,
}

/// Where a word comes from, looked up once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum WordOf {
    /// It is no word.
    Nothing,
    /// Of the item's id.
    Item,
    /// Of a field of the item; `None` for one that the catalogue numbers no values of.
    ItemField(Option<CategoricalField>),
    /// Of a user or context field: an index into the tables' words.
    Other(usize),
}

/// What an interaction is turned into before it is counted.
#[derive(Debug, Default)]
struct Scratch {
    filters: u64,
    attributes: Vec<u64>,
    keys: Vec<u32>,
}

impl Scratch {
    fn touch(&self, time: i64, value: Option<f32>) -> Touch<'_> {
        let Self { filters, attributes, keys } = self;
        let tiles = Tiles::at(Timestamp::from_micros(time));
        Touch { time, tiles, value, filters: *filters, attributes, keys }
    }
}

/// The parties to an interaction.
pub(crate) struct Parties<'a> {
    pub(crate) interaction: &'a Interaction,
    /// The number of its type.
    pub(crate) kind: u16,
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
        fields.retain(|field| !matches!(field, FieldRef::Item(_)));
        let of_field = |field: &FieldRef| match field {
            FieldRef::Item(name) => WordOf::ItemField(catalogue.categorical_field(name)),
            _ => fields.binary_search(&field).map_or(WordOf::Nothing, WordOf::Other),
        };
        let of_key = |part: &Part| match part {
            Part::Item => WordOf::Item,
            Part::Field(field) => of_field(field),
            Part::User | Part::Session => WordOf::Nothing,
        };
        let of_attribute = |attribute: &Attribute| match attribute {
            Attribute::Item => WordOf::Item,
            Attribute::Field(field) => of_field(field),
            Attribute::Value | Attribute::User | Attribute::Session => WordOf::Nothing,
        };
        Self {
            sessions: Keyed::default(),
            rows: plan.tables.iter().map(|_| Vec::new()).collect(),
            attributes: plan.attributes.iter().map(of_attribute).collect(),
            keys: plan.keys.iter().map(of_key).collect(),
            types: Vec::new(),
            words: fields.iter().map(|field| ((*field).clone(), Interner::default())).collect(),
            scratch: Scratch::default(),
            plan,
        }
    }

    /// Finds out what an interaction means for the plan's filters, attributes and keys.
    pub(crate) fn prepare(&mut self, parties: &Parties<'_>) {
        let Self { plan, words, attributes, keys, types, scratch, .. } = self;
        scratch.filters = filters_of(types, plan, parties).passed(&plan.filters, parties.interaction);
        scratch.attributes.clear();
        for (attribute, of) in plan.attributes.iter().zip(attributes) {
            scratch.attributes.push(match attribute {
                Attribute::Value | Attribute::User | Attribute::Session => {
                    hashed(attribute, parties.interaction)
                }
                Attribute::Item | Attribute::Field(_) => match intern(*of, words, parties) {
                    NO_WORD => MISSING,
                    word => u64::from(word),
                },
            });
        }
        scratch.keys.clear();
        scratch.keys.extend(keys.iter().map(|of| intern(*of, words, parties)));
    }

    /// The prepared interaction, as rows see it.
    pub(crate) fn touch(&self, time: i64, value: Option<f32>) -> Touch<'_> {
        self.scratch.touch(time, value)
    }

    /// Where the row lies of the session of a prepared interaction, which one that counts makes.
    pub(crate) fn session_place(&mut self, session: &SessionId) -> Option<Place> {
        if self.plan.layout(&Part::Session).filters & self.scratch.filters != 0 {
            return Some(self.sessions.place(session.as_str(), Row::default));
        }
        self.sessions.known_place(session.as_str())
    }

    /// Counts the prepared interaction for the session, the item and the words of fields.
    pub(crate) fn add(
        &mut self,
        (time, stamp): (i64, i64),
        interaction: &Interaction,
        item: ItemIndex,
        idle: Idle,
    ) {
        let touch = self.scratch.touch(time, interaction.value);
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
        if self.plan.layout(&Part::Session).groups.is_empty() {
            return Ok(None);
        }
        cold.find(&self.sessions, id.as_str())
    }

    /// The row of an item or of a word, by table of the plan.
    #[inline]
    pub(crate) fn row(&self, table: usize, number: u32) -> Option<&Row> {
        self.rows.get(table)?.get(number as usize)
    }

    /// The word of a key of the plan that is a categorical field; [`NO_WORD`] where it is missing or was never met.
    #[inline]
    pub(crate) fn known_word(
        &self,
        key: usize,
        of_user: Option<&Fields>,
        context: &Fields,
        item: Option<(ItemIndex, &Catalogue)>,
    ) -> u32 {
        let found = match self.keys[key] {
            WordOf::Nothing | WordOf::Item | WordOf::ItemField(None) => None,
            WordOf::ItemField(Some(field)) => {
                item.and_then(|(item, catalogue)| catalogue.categorical(field, item))
            }
            WordOf::Other(index) => {
                let (field, words) = &self.words[index];
                let fields = if matches!(field, FieldRef::User(_)) { of_user } else { Some(context) };
                fields.and_then(|fields| words.get(categorical(field, fields)?))
            }
        };
        found.unwrap_or(NO_WORD)
    }

    /// The number of a word of a categorical field; `None` where it was never met.
    pub(crate) fn word_of(&self, field: &FieldRef, word: &str, catalogue: &Catalogue) -> Option<u32> {
        match field {
            FieldRef::Item(name) => catalogue.word(catalogue.categorical_field(name)?, word),
            FieldRef::User(_) | FieldRef::Context(_) => self.vocabulary(field)?.get(word),
        }
    }

    /// The words of a categorical field that were met, in the order in which they were.
    pub(crate) fn words_of(&self, field: &FieldRef, catalogue: &Catalogue) -> Vec<CompactString> {
        let numbered = |count: usize, text: &dyn Fn(u32) -> Option<CompactString>| {
            (0..count as u32).filter_map(text).collect()
        };
        match field {
            FieldRef::Item(name) => catalogue.categorical_field(name).map_or_else(Vec::new, |found| {
                numbered(catalogue.words(found), &|word| catalogue.text(found, word))
            }),
            FieldRef::User(_) | FieldRef::Context(_) => {
                self.vocabulary(field).map_or_else(Vec::new, |words| {
                    numbered(words.len(), &|word| words.text(word).map(Into::into))
                })
            }
        }
    }

    /// The text of a word of an attribute.
    pub(crate) fn text(&self, attribute: usize, word: u32, catalogue: &Catalogue) -> Option<CompactString> {
        match self.attributes[attribute] {
            WordOf::Item => ((word as usize) < catalogue.len()).then(|| catalogue.id(word).as_str().into()),
            WordOf::ItemField(field) => catalogue.text(field?, word),
            WordOf::Other(index) => self.words[index].1.text(word).map(Into::into),
            WordOf::Nothing => None,
        }
    }

    /// The word of an attribute that has this text.
    pub(crate) fn number(&self, attribute: usize, text: &str, catalogue: &Catalogue) -> Option<u32> {
        match self.attributes[attribute] {
            WordOf::Item => catalogue.index(text),
            WordOf::ItemField(field) => catalogue.word(field?, text),
            WordOf::Other(index) => self.words[index].1.get(text),
            WordOf::Nothing => None,
        }
    }

    /// Bytes of rows, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let sessions: usize = self.sessions.iter().map(|(_, row)| size_of::<Row>() + row.heap_bytes()).sum();
        let rows = self.rows.iter().flatten().map(|row| size_of::<Row>() + row.heap_bytes());
        sessions + rows.sum::<usize>()
    }

    fn vocabulary(&self, field: &FieldRef) -> Option<&Interner> {
        self.words.iter().find(|(known, _)| known == field).map(|(_, words)| words)
    }

    /// Writes the whole state: what is in memory and what is on the disk.
    pub(crate) fn write<W: Write>(&self, cold: &Cold, writer: &mut Writer<W>) -> Result<(), FeaturesError> {
        for (_, words) in &self.words {
            writer.length(words.len())?;
            (0..words.len()).try_for_each(|word| writer.text(words.text(word as u32).unwrap_or_default()))?;
        }
        cold.write(&self.sessions, writer, |_| Ok(true))?;
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
        cold.read(reader, |cold, id, row: Row| {
            let bytes = bytes_of(&id, &row);
            self.sessions.entry(&id, || row);
            after(self, cold, bytes)
        })?;
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

/// What the interactions of a type pass.
fn filters_of(types: &mut Vec<Option<TypeFilters>>, plan: &Plan, parties: &Parties<'_>) -> TypeFilters {
    let Parties { interaction, kind, .. } = parties;
    // The last number may stand for several types.
    if *kind == u16::MAX {
        return TypeFilters::new(&plan.filters, &interaction.kind);
    }
    let number = usize::from(*kind);
    if types.len() <= number {
        types.resize(number + 1, None);
    }
    *types[number].get_or_insert_with(|| TypeFilters::new(&plan.filters, &interaction.kind))
}

/// An attribute that is missing.
const MISSING: u64 = u64::MAX;

/// An attribute that is no word: what tells its values apart.
fn hashed(attribute: &Attribute, interaction: &Interaction) -> u64 {
    let actor = &interaction.actor;
    let value = match attribute {
        Attribute::Value => interaction.value.map(|value| u64::from(value.to_bits())),
        // The one hash that would mean a missing one is moved aside.
        Attribute::User => actor.user.as_ref().map(|user| stable_hash(user.as_str()) >> 1),
        Attribute::Session => actor.session.as_ref().map(|session| stable_hash(session.as_str()) >> 1),
        Attribute::Item | Attribute::Field(_) => None,
    };
    value.unwrap_or(MISSING)
}

/// A word of an interaction, which gets its number now if it has none.
#[inline]
fn intern(of: WordOf, words: &mut [(FieldRef, Interner)], parties: &Parties<'_>) -> u32 {
    match of {
        WordOf::Nothing | WordOf::ItemField(None) => NO_WORD,
        WordOf::Item => parties.item,
        WordOf::ItemField(Some(field)) => {
            parties.catalogue.categorical(field, parties.item).unwrap_or(NO_WORD)
        }
        WordOf::Other(index) => {
            let (field, words) = &mut words[index];
            let of_user = matches!(field, FieldRef::User(_));
            let fields = if of_user { parties.user_fields } else { &parties.interaction.context };
            categorical(field, fields).map_or(NO_WORD, |word| words.intern(word))
        }
    }
}

/// A row that received nothing for too long starts anew.
pub(crate) fn revive(row: &mut Row, stamp: i64, idle: i64) {
    if row.stamp != i64::MIN && stamp.saturating_sub(row.stamp) > idle {
        row.clear();
    }
    row.stamp = stamp;
}

pub(crate) fn row_mut(rows: &mut Vec<Row>, number: u32) -> &mut Row {
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
