//! Events as they come in: one, an array, or NDJSON.
//!
//! The quick path reads a whole array into borrowed structs in one pass. Where that fails, the array is cut into raw
//! values and each is read field by field, so that the good ones are kept and each bad one is told what is wrong.

use std::borrow::Cow;

use compact_str::CompactString;
use headwater_base::id::validate_id;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, Invalid, ItemId, RequestId, Schema, SessionId,
    Timestamp, UserId,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields;
use super::reader::Reader;
use super::text::Text;
use crate::problem::Problem;

/// The type that says a session turned out to be a user's.
pub const MERGE: &str = "merge";

/// What an event needs beside its own words.
pub struct Reading<'a> {
    /// The declared domain.
    pub schema: &'a Schema,
    /// When the request came.
    pub now: Timestamp,
    /// Makes an id for an event that brings none.
    pub next_id: &'a dyn Fn() -> EventId,
}

/// One event of a body, or why it is refused.
pub type Entry = Result<Event, Invalid>;

/// A body's events.
pub enum Entries {
    /// The body was one object.
    One(Box<Entry>),
    /// An array or lines, in order.
    Many(Vec<Entry>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    user: Option<Text<'a>>,
    #[serde(borrow, default)]
    session: Option<Text<'a>>,
    #[serde(borrow, default)]
    item: Option<Text<'a>>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(default)]
    value: Option<f64>,
    #[serde(borrow, default)]
    request_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
}

/// Reads a body. `lines` says that the content type is NDJSON; a body of several objects is taken for it in any case.
///
/// # Errors
/// A body that is not JSON at all, or has more than `most` entries. What is wrong with one entry stands in its place.
pub fn read(body: &[u8], lines: bool, most: usize, reading: &Reading<'_>) -> Result<Entries, Problem> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        _ if lines => read_lines(body, most, reading),
        Some(b'[') => read_array(body, most, reading),
        Some(b'{') => match serde_json::from_slice::<&RawValue>(body) {
            Ok(raw) => Ok(Entries::One(Box::new(read_one(raw, reading)))),
            Err(_) if serde_json::from_slice::<&RawValue>(first_line(body)).is_ok() => {
                read_lines(body, most, reading)
            }
            Err(error) => Err(malformed(&error)),
        },
        _ => match serde_json::from_slice::<&RawValue>(body) {
            Ok(raw) => Err(Invalid::new(
                "wrong_type",
                "",
                raw.get(),
                "an event, an array of events, or lines of them",
            )
            .into()),
            Err(error) => Err(malformed(&error)),
        },
    }
}

fn read_array(body: &[u8], most: usize, reading: &Reading<'_>) -> Result<Entries, Problem> {
    if let Ok(words) = serde_json::from_slice::<Vec<Words<'_>>>(body) {
        check_count(words.len(), most)?;
        return Ok(Entries::Many(words.into_iter().map(|words| words.event(reading)).collect()));
    }
    let raws: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    check_count(raws.len(), most)?;
    Ok(Entries::Many(raws.into_iter().map(|raw| read_one(raw, reading)).collect()))
}

fn read_lines(body: &[u8], most: usize, reading: &Reading<'_>) -> Result<Entries, Problem> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut entries = Vec::new();
    for line in lines {
        check_count(entries.len() + 1, most)?;
        let raw: Result<&RawValue, _> = serde_json::from_slice(line);
        entries.push(match raw {
            Ok(raw) => read_one(raw, reading),
            Err(error) => {
                let line = String::from_utf8_lossy(line);
                Err(Invalid::new("malformed_json", "", line, format!("one JSON object a line: {error}")))
            }
        });
    }
    Ok(Entries::Many(entries))
}

fn first_line(body: &[u8]) -> &[u8] {
    let body = body.trim_ascii_start();
    body.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn check_count(count: usize, most: usize) -> Result<(), Problem> {
    if count <= most {
        return Ok(());
    }
    Err(Problem::new("too_many_events").value(count.to_string()).expected(format!("at most {most} entries")))
}

/// The refusal of a body that is not JSON.
pub fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new("malformed_json").expected(format!("JSON: {error}"))
}

fn read_one(raw: &RawValue, reading: &Reading<'_>) -> Entry {
    match serde_json::from_str::<Words<'_>>(raw.get()) {
        Ok(words) => words.event(reading),
        Err(_) => Words::slowly(raw)?.event(reading),
    }
}

impl<'a> Words<'a> {
    /// The same words read one by one; fails with the first that is wrong.
    fn slowly(raw: &'a RawValue) -> Result<Self, Invalid> {
        let mut reader = Reader::of("event", raw)?;
        let words = Self {
            kind: reader.text("type")?,
            user: reader.text("user")?,
            session: reader.text("session")?,
            item: reader.text("item")?,
            id: reader.text("id")?,
            time: reader.text("time")?,
            value: reader.number("value")?,
            request_id: reader.text("request_id")?,
            context: reader.raw("context"),
        };
        reader.finish()?;
        Ok(words)
    }

    fn event(self, reading: &Reading<'_>) -> Entry {
        let schema = reading.schema;
        let Some(kind) = &self.kind else {
            return Err(Invalid::missing("type", schema.unknown_type("").expected));
        };
        let id = match &self.id {
            Some(id) => EventId::trusted(checked("id", id)?),
            None => (reading.next_id)(),
        };
        let time = match &self.time {
            Some(text) => text.as_str().parse()?,
            None => reading.now,
        };
        let user = self.user.as_ref().map(|user| checked("user", user)).transpose()?.map(UserId::trusted);
        let session = self
            .session
            .as_ref()
            .map(|session| checked("session", session))
            .transpose()?
            .map(SessionId::trusted);
        let fact = if kind.as_str() == MERGE {
            let user = user.ok_or_else(|| Invalid::missing("user", "the user the session belongs to"))?;
            let session =
                session.ok_or_else(|| Invalid::missing("session", "the session that is the user's"))?;
            Fact::Merge { session, user }
        } else {
            if !schema.interactions.contains_key(kind.as_str()) {
                return Err(schema.unknown_type(kind.as_str()));
            }
            if user.is_none() && session.is_none() {
                return Err(Invalid::missing("user", "a user or a session"));
            }
            let Some(item) = &self.item else { return Err(Invalid::missing("item", "the id of an item")) };
            let context = match self.context {
                Some(raw) if raw.get() != "null" => fields::context(&schema.context, raw)?,
                _ => Fields::default(),
            };
            let request_id = self.request_id.as_ref().map(|id| checked("request_id", id)).transpose()?;
            Fact::Interaction(Interaction {
                kind: CompactString::from(kind.as_str()),
                actor: Actor { user, session },
                item: ItemId::trusted(checked("item", item)?),
                value: self.value.map(value).transpose()?,
                request_id: request_id.map(RequestId::trusted),
                context,
            })
        };
        let event = Event { id, time, received: reading.now, fact };
        schema.validate(&event)?;
        Ok(event)
    }
}

fn checked(field: &str, id: &Text<'_>) -> Result<CompactString, Invalid> {
    validate_id(field, id.as_str())?;
    Ok(match &id.0 {
        Cow::Borrowed(text) => CompactString::from(*text),
        Cow::Owned(text) => CompactString::from(text.as_str()),
    })
}

/// A value as stored: single precision, in which a huge double is not finite.
fn value(number: f64) -> Result<f32, Invalid> {
    let single = number as f32;
    if single.is_finite() {
        Ok(single)
    } else {
        Err(Invalid::new("not_finite", "value", number, "a finite number"))
    }
}

#[cfg(test)]
mod tests;
