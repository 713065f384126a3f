//! Events as JSON lines, for `import` and `export`: what is exported reads back to the same events.
//!
//! Interactions and merges are written as `POST /v1/events` takes them. What the API has routes for instead, items and
//! users, is an object under `item_upsert`, `item_delete`, `user_upsert` or `user_delete`:
//!
//! ```json
//! {"id":"e1","time":"2026-11-24T05:00:00Z","type":"click","user":"u1","item":"i42"}
//! {"item_upsert":{"id":"i42","fields":{"category":"shoes"},"available":true}}
//! {"user_delete":{"id":"u1"}}
//! ```
//!
//! Beside the members of the API a line may carry `received`, the time the event was taken; without it, it is now.

use compact_str::CompactString;
use headwater_base::{Event, EventId, Fact, Fields, Invalid, ItemId, Schema, Timestamp, UserId};
use headwater_server::wire::event::{Entries, Reading, read};
use headwater_server::wire::fields::{context, object};
use headwater_server::wire::reader::Reader;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

const ITEM_UPSERT: &str = "item_upsert";
const ITEM_DELETE: &str = "item_delete";
const USER_UPSERT: &str = "user_upsert";
const USER_DELETE: &str = "user_delete";
/// Members that the API does not know; a line without their names takes the quick path.
const BEYOND_THE_API: [&str; 3] = ["\"received\"", "_upsert\"", "_delete\""];

/// Writes `event` as one line, the line break included; false for what has no line: decisions and erased events.
pub fn encode(event: &Event, out: &mut String) -> bool {
    let mut line = Map::new();
    line.insert("id".to_owned(), event.id.as_str().into());
    line.insert("time".to_owned(), event.time.to_string().into());
    line.insert("received".to_owned(), event.received.to_string().into());
    match &event.fact {
        Fact::Interaction(interaction) => {
            line.insert("type".to_owned(), interaction.kind.as_str().into());
            if let Some(user) = &interaction.actor.user {
                line.insert("user".to_owned(), user.as_str().into());
            }
            if let Some(session) = &interaction.actor.session {
                line.insert("session".to_owned(), session.as_str().into());
            }
            line.insert("item".to_owned(), interaction.item.as_str().into());
            if let Some(value) = interaction.value {
                line.insert("value".to_owned(), f64::from(value).into());
            }
            if let Some(request_id) = &interaction.request_id {
                line.insert("request_id".to_owned(), request_id.as_str().into());
            }
            if !interaction.context.is_empty() {
                line.insert("context".to_owned(), object(&interaction.context).into());
            }
        }
        Fact::Merge { session, user } => {
            line.insert("type".to_owned(), "merge".into());
            line.insert("user".to_owned(), user.as_str().into());
            line.insert("session".to_owned(), session.as_str().into());
        }
        Fact::ItemUpsert { item, fields, removed, available, patch } => {
            let mut body = upsert(item.as_str(), fields, removed, *patch);
            if let Some(available) = available {
                body["available"] = (*available).into();
            }
            line.insert(ITEM_UPSERT.to_owned(), body);
        }
        Fact::UserUpsert { user, fields, removed, patch } => {
            line.insert(USER_UPSERT.to_owned(), upsert(user.as_str(), fields, removed, *patch));
        }
        Fact::ItemDelete { item } => {
            line.insert(ITEM_DELETE.to_owned(), json!({ "id": item.as_str() }));
        }
        Fact::UserDelete { user } => {
            line.insert(USER_DELETE.to_owned(), json!({ "id": user.as_str() }));
        }
        Fact::Decision(_) | Fact::Erased => return false,
    }
    out.push_str(&Json::Object(line).to_string());
    out.push('\n');
    true
}

fn upsert(id: &str, fields: &Fields, removed: &[CompactString], patch: bool) -> Json {
    let mut body = json!({ "id": id, "fields": object(fields) });
    if patch {
        body["patch"] = true.into();
    }
    if !removed.is_empty() {
        body["removed"] = removed.iter().map(CompactString::as_str).collect();
    }
    body
}

/// Reads one line. `id` makes an id for a line that brings none; `now` is its receive time where it names none.
///
/// # Errors
/// What is wrong with the line: malformed JSON, an unknown member, a value out of its bounds.
pub fn decode(
    line: &[u8],
    schema: &Schema,
    now: Timestamp,
    id: &dyn Fn() -> EventId,
) -> Result<Event, Invalid> {
    let text = std::str::from_utf8(line)
        .map_err(|_| Invalid::new("invalid_utf8", "line", String::from_utf8_lossy(line), "UTF-8 text"))?;
    if !BEYOND_THE_API.iter().any(|member| text.contains(member)) {
        return of_the_api(line, schema, now, id);
    }
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|error| Invalid::new("malformed_json", "line", text, format!("one JSON object: {error}")))?;
    let mut reader = Reader::of("line", raw)?;
    let received = match reader.text("received")? {
        Some(received) => received.as_str().parse().map_err(|mut invalid: Invalid| {
            invalid.field = "received".into();
            invalid
        })?,
        None => now,
    };
    let Some(fact) = entity(&mut reader, schema)? else {
        let members: Vec<String> = reader
            .members()
            .filter(|(name, _)| *name != "received")
            .map(|(name, raw)| format!("{}:{}", Json::from(name), raw.get()))
            .collect();
        return of_the_api(format!("{{{}}}", members.join(",")).as_bytes(), schema, received, id);
    };
    let event_id = match reader.id("id")? {
        Some(given) => EventId::parse(given.as_str())?,
        None => id(),
    };
    let time = match reader.text("time")? {
        Some(time) => time.as_str().parse()?,
        None => received,
    };
    reader.finish()?;
    Ok(Event { id: event_id, time, received, fact })
}

fn of_the_api(
    line: &[u8],
    schema: &Schema,
    now: Timestamp,
    id: &dyn Fn() -> EventId,
) -> Result<Event, Invalid> {
    let reading = Reading { schema, now, next_id: id };
    match read(line, true, 1, &reading) {
        Ok(Entries::One(entry)) => *entry,
        Ok(Entries::Many(mut entries)) => {
            entries.pop().unwrap_or_else(|| Err(Invalid::missing("line", "one JSON object")))
        }
        // One line cannot be several entries, and what is wrong with it stands in its entry.
        Err(_) => {
            Err(Invalid::new("malformed_json", "line", String::from_utf8_lossy(line), "one JSON object"))
        }
    }
}

/// The item or user that the line is about; `None` where it is neither.
fn entity(reader: &mut Reader<'_>, schema: &Schema) -> Result<Option<Fact>, Invalid> {
    if let Some(raw) = reader.raw(ITEM_UPSERT) {
        let mut body = Reader::of(ITEM_UPSERT, raw)?;
        let fact = Fact::ItemUpsert {
            item: ItemId::parse(&id_of(&mut body, ITEM_UPSERT)?)?,
            fields: fields_of(&mut body, &schema.items)?,
            removed: removed_of(&mut body)?,
            available: body.flag("available")?,
            patch: body.flag("patch")?.unwrap_or(false),
        };
        body.finish()?;
        return Ok(Some(fact));
    }
    if let Some(raw) = reader.raw(USER_UPSERT) {
        let mut body = Reader::of(USER_UPSERT, raw)?;
        let fact = Fact::UserUpsert {
            user: UserId::parse(&id_of(&mut body, USER_UPSERT)?)?,
            fields: fields_of(&mut body, &schema.users)?,
            removed: removed_of(&mut body)?,
            patch: body.flag("patch")?.unwrap_or(false),
        };
        body.finish()?;
        return Ok(Some(fact));
    }
    if let Some(raw) = reader.raw(ITEM_DELETE) {
        let mut body = Reader::of(ITEM_DELETE, raw)?;
        let item = ItemId::parse(&id_of(&mut body, ITEM_DELETE)?)?;
        body.finish()?;
        return Ok(Some(Fact::ItemDelete { item }));
    }
    if let Some(raw) = reader.raw(USER_DELETE) {
        let mut body = Reader::of(USER_DELETE, raw)?;
        let user = UserId::parse(&id_of(&mut body, USER_DELETE)?)?;
        body.finish()?;
        return Ok(Some(Fact::UserDelete { user }));
    }
    Ok(None)
}

fn id_of(body: &mut Reader<'_>, within: &str) -> Result<CompactString, Invalid> {
    match body.id("id")? {
        Some(id) => Ok(id.as_str().into()),
        None => Err(Invalid::missing("id", "an id").within(within)),
    }
}

fn fields_of(
    body: &mut Reader<'_>,
    declared: &std::collections::BTreeMap<CompactString, headwater_base::value::FieldType>,
) -> Result<Fields, Invalid> {
    match body.raw("fields") {
        Some(raw) => context(declared, raw).map_err(|mut invalid| {
            // The reader of a context is the reader of any object of declared fields; only the name differs.
            if let Some(field) = invalid.field.strip_prefix("context.") {
                invalid.field = compact_str::format_compact!("fields.{field}");
            }
            invalid
        }),
        None => Ok(Fields::default()),
    }
}

fn removed_of(body: &mut Reader<'_>) -> Result<Vec<CompactString>, Invalid> {
    let names = body.ids("removed", headwater_base::value::MAX_FIELDS)?;
    Ok(names.iter().map(|name| name.as_str().into()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_base::event::{Actor, Interaction};
    use headwater_base::schema::InteractionType;
    use headwater_base::value::FieldType;
    use headwater_base::{RequestId, SessionId, Value};

    fn schema() -> Schema {
        Schema {
            interactions: [("click".into(), InteractionType { weight: 1.0 })].into(),
            items: [("category".into(), FieldType::Categorical), ("price".into(), FieldType::Numeric)].into(),
            users: [("since".into(), FieldType::Time)].into(),
            context: [("device".into(), FieldType::Categorical)].into(),
            repeats: false,
        }
    }

    fn read_line(line: &str) -> Result<Event, Invalid> {
        decode(line.as_bytes(), &schema(), Timestamp::from_seconds(2_000_000_000), &|| {
            EventId::trusted("made")
        })
    }

    #[test]
    fn every_kind_of_event_round_trips() {
        let facts = [
            Fact::Interaction(Interaction {
                kind: "click".into(),
                actor: Actor { user: Some(UserId::trusted("u\"1")), session: Some(SessionId::trusted("s1")) },
                item: ItemId::trusted("i1"),
                value: Some(0.1),
                request_id: Some(RequestId::trusted("r1")),
                context: Fields::new([("device".into(), Value::Categorical("tv".into()))]),
            }),
            Fact::Merge { session: SessionId::trusted("s1"), user: UserId::trusted("u1") },
            Fact::ItemUpsert {
                item: ItemId::trusted("i1"),
                fields: Fields::new([("price".into(), Value::Numeric(59.9))]),
                removed: vec!["category".into()],
                available: Some(false),
                patch: true,
            },
            Fact::ItemDelete { item: ItemId::trusted("i1") },
            Fact::UserUpsert {
                user: UserId::trusted("u1"),
                fields: Fields::new([("since".into(), Value::Time(Timestamp::from_seconds(5)))]),
                removed: vec![],
                patch: false,
            },
            Fact::UserDelete { user: UserId::trusted("u1") },
        ];
        for fact in facts {
            let event = Event {
                id: EventId::trusted("e1"),
                time: Timestamp::from_micros(1_234_567),
                received: Timestamp::from_micros(2_345_678),
                fact,
            };
            let mut line = String::new();
            assert!(encode(&event, &mut line));
            assert_eq!(read_line(line.trim_end()), Ok(event), "{line}");
        }
    }

    #[test]
    fn lines_without_id_and_times_get_them() {
        let event = read_line(r#"{"type":"click","user":"u1","item":"i1"}"#).unwrap();
        assert_eq!(event.id.as_str(), "made");
        assert_eq!((event.time, event.received), (Timestamp::from_seconds(2_000_000_000), event.time));
        let event = read_line(r#"{"item_upsert":{"id":"i1","fields":{"category":"a"}}}"#).unwrap();
        assert_eq!(event.time, event.received);
    }

    #[test]
    fn wrong_lines_name_the_field() {
        for (line, code, field) in [
            (r#"{"item_upsert":{"fields":{}}}"#, "missing_field", "item_upsert.id"),
            (r#"{"item_upsert":{"id":"i1","fields":{"price":"x"}}}"#, "wrong_type", "fields.price"),
            (r#"{"item_upsert":{"id":"i1","field":{}}}"#, "unknown_field", "field"),
            (r#"{"item_delete":{"id":"i1"},"user":"u1"}"#, "unknown_field", "user"),
            (r#"{"received":"soon","type":"click","user":"u1","item":"i1"}"#, "invalid_time", "received"),
            (r#"{"type":"clik","user":"u1","item":"i1"}"#, "unknown_type", "type"),
        ] {
            let invalid = read_line(line).unwrap_err();
            assert_eq!((invalid.code, invalid.field.as_str()), (code, field), "{line}");
        }
        assert_eq!(read_line("{").unwrap_err().code, "malformed_json");
    }
}
