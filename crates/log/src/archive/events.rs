//! The table of events: one row a record, one column for each word of the API.

use compact_str::CompactString;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, ItemId, RequestId, SessionId, Timestamp, UserId,
};
use parquet::data_type::{BoolType, FloatType};
use parquet::errors::ParquetError;

use super::column::{Reading, Writing};
use super::text::{self, Reason};
use crate::Offset;

/// Facts by name, as the column `fact` has them.
pub(super) const ERASED: &str = "erased";
const INTERACTION: &str = "interaction";
const ITEM_UPSERT: &str = "item_upsert";
const ITEM_DELETE: &str = "item_delete";
const USER_UPSERT: &str = "user_upsert";
const USER_DELETE: &str = "user_delete";
const MERGE: &str = "merge";

pub(super) const SCHEMA: &str = "message events {
    REQUIRED INT64 offset;
    REQUIRED INT64 received (TIMESTAMP(MICROS, true));
    REQUIRED INT64 event_time (TIMESTAMP(MICROS, true));
    OPTIONAL BYTE_ARRAY event_id (STRING);
    OPTIONAL BYTE_ARRAY fact (STRING);
    OPTIONAL BYTE_ARRAY type (STRING);
    OPTIONAL BYTE_ARRAY user (STRING);
    OPTIONAL BYTE_ARRAY session (STRING);
    OPTIONAL BYTE_ARRAY item (STRING);
    OPTIONAL FLOAT value;
    OPTIONAL BYTE_ARRAY request_id (STRING);
    OPTIONAL BYTE_ARRAY context (STRING);
    OPTIONAL BYTE_ARRAY fields (STRING);
    OPTIONAL BYTE_ARRAY field_types (STRING);
    OPTIONAL BYTE_ARRAY removed (STRING);
    OPTIONAL BOOLEAN available;
    OPTIONAL BOOLEAN patch;
}";
/// Where `user` and `session` stand in [`SCHEMA`].
pub(super) const ACTOR: usize = 6;

/// What a record has to say, column by column.
#[derive(Default)]
struct Row<'a> {
    fact: &'static str,
    kind: Option<&'a str>,
    user: Option<&'a UserId>,
    session: Option<&'a SessionId>,
    item: Option<&'a ItemId>,
    value: Option<f32>,
    request_id: Option<&'a RequestId>,
    context: Option<String>,
    fields: Option<String>,
    field_types: Option<String>,
    removed: Option<String>,
    available: Option<bool>,
    patch: Option<bool>,
}

impl<'a> Row<'a> {
    fn new(fact: &'a Fact) -> Self {
        match fact {
            Fact::Interaction(interaction) => {
                let Interaction { kind, actor, item, value, request_id, context } = interaction;
                let (context, field_types) = optional_fields(context);
                Self {
                    fact: INTERACTION,
                    kind: Some(kind),
                    user: actor.user.as_ref(),
                    session: actor.session.as_ref(),
                    item: Some(item),
                    value: *value,
                    request_id: request_id.as_ref(),
                    context,
                    field_types,
                    ..Self::default()
                }
            }
            Fact::ItemUpsert { item, fields, removed, available, patch } => Self {
                item: Some(item),
                available: *available,
                ..Self::upsert(ITEM_UPSERT, fields, removed, *patch)
            },
            Fact::ItemDelete { item } => Self { fact: ITEM_DELETE, item: Some(item), ..Self::default() },
            Fact::UserUpsert { user, fields, removed, patch } => {
                Self { user: Some(user), ..Self::upsert(USER_UPSERT, fields, removed, *patch) }
            }
            Fact::UserDelete { user } => Self { fact: USER_DELETE, user: Some(user), ..Self::default() },
            Fact::Merge { session, user } => {
                Self { fact: MERGE, session: Some(session), user: Some(user), ..Self::default() }
            }
            // Decisions were refused before.
            Fact::Decision(_) | Fact::Erased => Self { fact: ERASED, ..Self::default() },
        }
    }

    fn upsert(fact: &'static str, fields: &Fields, removed: &[CompactString], patch: bool) -> Self {
        let (fields, field_types) = optional_fields(fields);
        let removed = (!removed.is_empty()).then(|| text::json(removed));
        Self { fact, fields, field_types, removed, patch: Some(patch), ..Self::default() }
    }
}

pub(super) fn optional_fields(fields: &Fields) -> (Option<String>, Option<String>) {
    if fields.is_empty() {
        return (None, None);
    }
    let (values, types) = text::put_fields(fields);
    (Some(values), Some(types))
}

/// Writes the records as one row group.
pub(super) fn put(out: &mut Writing<'_>, records: &[(Offset, Event)]) -> Result<(), ParquetError> {
    let rows: Vec<Row<'_>> = records.iter().map(|(_, event)| Row::new(&event.fact)).collect();
    out.longs(records.iter().map(|(offset, _)| offset.cast_signed()))?;
    out.longs(records.iter().map(|(_, event)| event.received.as_micros()))?;
    out.longs(records.iter().map(|(_, event)| event.time.as_micros()))?;
    out.texts(records.iter().map(|(_, event)| Some(&event.id)))?;
    out.texts(rows.iter().map(|row| Some(row.fact)))?;
    out.texts(rows.iter().map(|row| row.kind))?;
    out.texts(rows.iter().map(|row| row.user))?;
    out.texts(rows.iter().map(|row| row.session))?;
    out.texts(rows.iter().map(|row| row.item))?;
    out.optional::<FloatType>(rows.iter().map(|row| row.value))?;
    out.texts(rows.iter().map(|row| row.request_id))?;
    out.texts(rows.iter().map(|row| row.context.as_ref()))?;
    out.texts(rows.iter().map(|row| row.fields.as_ref()))?;
    out.texts(rows.iter().map(|row| row.field_types.as_ref()))?;
    out.texts(rows.iter().map(|row| row.removed.as_ref()))?;
    out.optional::<BoolType>(rows.iter().map(|row| row.available))?;
    out.optional::<BoolType>(rows.iter().map(|row| row.patch))
}

/// One row as it was read.
struct Read {
    fact: Option<CompactString>,
    kind: Option<CompactString>,
    user: Option<CompactString>,
    session: Option<CompactString>,
    item: Option<CompactString>,
    value: Option<f32>,
    request_id: Option<CompactString>,
    context: Option<CompactString>,
    fields: Option<CompactString>,
    field_types: Option<CompactString>,
    removed: Option<CompactString>,
    available: Option<bool>,
    patch: Option<bool>,
}

impl Read {
    fn fact(mut self) -> Result<Fact, Reason> {
        let fact = self.fact.take().unwrap_or_default();
        Ok(match fact.as_str() {
            INTERACTION => Fact::Interaction(Interaction {
                context: fields(self.context.as_deref(), self.field_types.as_deref())?,
                kind: need(self.kind, "type")?,
                actor: Actor {
                    user: self.user.map(UserId::trusted),
                    session: self.session.map(SessionId::trusted),
                },
                item: ItemId::trusted(need(self.item, "item")?),
                value: self.value,
                request_id: self.request_id.map(RequestId::trusted),
            }),
            ITEM_UPSERT => Fact::ItemUpsert {
                fields: fields(self.fields.as_deref(), self.field_types.as_deref())?,
                removed: removed(self.removed.as_deref())?,
                item: ItemId::trusted(need(self.item, "item")?),
                available: self.available,
                patch: need(self.patch, "patch")?,
            },
            ITEM_DELETE => Fact::ItemDelete { item: ItemId::trusted(need(self.item, "item")?) },
            USER_UPSERT => Fact::UserUpsert {
                fields: fields(self.fields.as_deref(), self.field_types.as_deref())?,
                removed: removed(self.removed.as_deref())?,
                user: UserId::trusted(need(self.user, "user")?),
                patch: need(self.patch, "patch")?,
            },
            USER_DELETE => Fact::UserDelete { user: UserId::trusted(need(self.user, "user")?) },
            MERGE => Fact::Merge {
                session: SessionId::trusted(need(self.session, "session")?),
                user: UserId::trusted(need(self.user, "user")?),
            },
            ERASED => Fact::Erased,
            other => return Err(format!("`{other}` is no fact")),
        })
    }
}

/// A value that the row cannot be without.
pub(super) fn need<T>(value: Option<T>, column: &str) -> Result<T, Reason> {
    value.ok_or_else(|| format!("a row has no `{column}`"))
}

pub(super) fn fields(values: Option<&str>, types: Option<&str>) -> Result<Fields, Reason> {
    match (values, types) {
        (Some(values), Some(types)) => text::take_fields(values, types),
        (None, _) => Ok(Fields::default()),
        (Some(_), None) => Err("a row has fields and no `field_types`".to_owned()),
    }
}

fn removed(names: Option<&str>) -> Result<Vec<CompactString>, Reason> {
    names.map_or(Ok(Vec::new()), text::take_json)
}

/// Reads what [`put`] wrote.
pub(super) fn take(input: &mut Reading<'_>) -> Result<Vec<(Offset, Event)>, ParquetError> {
    let (offsets, received, times) = (input.longs()?, input.longs()?, input.longs()?);
    let mut ids = input.texts()?.into_iter();
    let mut texts = Vec::with_capacity(5);
    for _ in 0..5 {
        texts.push(input.texts()?.into_iter());
    }
    let mut values = input.floats()?.into_iter();
    for _ in 0..5 {
        texts.push(input.texts()?.into_iter());
    }
    let (mut available, mut patch) = (input.flags()?.into_iter(), input.flags()?.into_iter());
    let mut records = Vec::with_capacity(input.rows());
    for ((offset, received), time) in offsets.into_iter().zip(received).zip(times) {
        let mut text = |column: usize| texts[column].next().flatten();
        let read = Read {
            fact: text(0),
            kind: text(1),
            user: text(2),
            session: text(3),
            item: text(4),
            request_id: text(5),
            context: text(6),
            fields: text(7),
            field_types: text(8),
            removed: text(9),
            value: values.next().flatten(),
            available: available.next().flatten(),
            patch: patch.next().flatten(),
        };
        let event = Event {
            id: EventId::trusted(ids.next().flatten().unwrap_or_default()),
            time: Timestamp::from_micros(time),
            received: Timestamp::from_micros(received),
            fact: read.fact().map_err(ParquetError::General)?,
        };
        records.push((offset.cast_unsigned(), event));
    }
    Ok(records)
}
