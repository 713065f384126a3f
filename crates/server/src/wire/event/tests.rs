//! Reading events: the two paths agree, and each mistake is told apart.

use std::cell::Cell;

use headwater_base::schema::InteractionType;
use headwater_base::value::FieldType;
use headwater_base::{Schema, Value};

use super::*;

fn schema() -> Schema {
    Schema {
        interactions: [("click", 1.0), ("purchase", 5.0)]
            .map(|(name, weight)| (name.into(), InteractionType { weight }))
            .into(),
        context: [("device".into(), FieldType::Categorical)].into(),
        ..Schema::default()
    }
}

fn read_text(text: &str) -> Result<Vec<Entry>, Problem> {
    let schema = schema();
    let count = Cell::new(0);
    let next_id = || {
        count.set(count.get() + 1);
        EventId::trusted(format!("made-{}", count.get()))
    };
    let reading = Reading { schema: &schema, now: Timestamp::from_seconds(1_800_000_000), next_id: &next_id };
    read(text.as_bytes(), false, 1000, &reading).map(|entries| match entries {
        Entries::One(entry) => vec![*entry],
        Entries::Many(entries) => entries,
    })
}

fn refusal(text: &str) -> (&'static str, String, String, String) {
    let invalid = read_text(text).ok().unwrap().pop().unwrap().unwrap_err();
    (invalid.code, invalid.field.to_string(), invalid.value, invalid.expected)
}

const GOOD: &str = r#"{"id":"e1","type":"click","user":"u1","session":"s9","item":"i42",
    "time":"2026-11-24T05:00:00.123Z","value":1.5,"request_id":"r7","context":{"device":"mobile"}}"#;

#[test]
fn every_word_of_an_event_arrives() {
    let event = read_text(GOOD).ok().unwrap().pop().unwrap().unwrap();
    assert_eq!(event.id.as_str(), "e1");
    assert_eq!(event.time.to_string(), "2026-11-24T05:00:00.123Z");
    let Fact::Interaction(interaction) = event.fact else { panic!("not an interaction") };
    assert_eq!(interaction.actor.session.unwrap().as_str(), "s9");
    assert_eq!((interaction.item.as_str(), interaction.value), ("i42", Some(1.5)));
    assert_eq!(interaction.request_id.unwrap().as_str(), "r7");
    assert_eq!(interaction.context.get("device"), Some(&Value::Categorical("mobile".into())));
}

#[test]
fn ids_and_times_are_made_where_none_came() {
    let event =
        read_text(r#"{"type":"click","session":"s","item":"i"}"#).ok().unwrap().pop().unwrap().unwrap();
    assert_eq!((event.id.as_str(), event.time), ("made-1", Timestamp::from_seconds(1_800_000_000)));
}

#[test]
fn one_bad_event_costs_the_others_nothing() {
    let text = format!(r#"[{GOOD},{{"type":"click","user":1,"item":"i"}},{GOOD}]"#);
    let quick: Vec<Event> =
        read_text(&format!("[{GOOD},{GOOD}]")).ok().unwrap().into_iter().map(Result::unwrap).collect();
    let mut slow = read_text(&text).ok().unwrap();
    assert_eq!(slow.remove(1).unwrap_err().field, "user");
    let slow: Vec<Event> = slow.into_iter().map(Result::unwrap).collect();
    assert_eq!(quick, slow);
}

#[test]
fn lines_are_taken_by_their_looks() {
    let one = GOOD.replace('\n', " ");
    let entries = read_text(&format!("{one}\n\n{one}\nnot json\n")).ok().unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[2].as_ref().unwrap_err().code, "malformed_json");
}

#[test]
fn escapes_are_undone() {
    let event = read_text(r#"{"type":"cl\u0069ck","user":"\u00e9","item":"i"}"#)
        .ok()
        .unwrap()
        .pop()
        .unwrap()
        .unwrap();
    let Fact::Interaction(interaction) = event.fact else { panic!("not an interaction") };
    assert_eq!((interaction.kind.as_str(), interaction.actor.user.unwrap().as_str()), ("click", "é"));
}

#[test]
fn each_mistake_is_told_apart() {
    for (text, code, field, value, expected) in [
        (r#"{"user":"u","item":"i"}"#, "missing_field", "type", "", "click or purchase"),
        (r#"{"type":"clik","user":"u","item":"i"}"#, "unknown_type", "type", "clik", "click or purchase"),
        (r#"{"type":"click","item":"i"}"#, "missing_field", "user", "", "a user or a session"),
        (r#"{"type":"click","user":"u"}"#, "missing_field", "item", "", "the id of an item"),
        (r#"{"type":"click","user":"u","item":7}"#, "wrong_type", "item", "7", "a text"),
        (
            r#"{"type":"click","user":"u","item":"i","value":"NaN"}"#,
            "wrong_type",
            "value",
            "\"NaN\"",
            "a finite number",
        ),
        (
            r#"{"type":"click","user":"u","item":"i","value":1e999}"#,
            "not_finite",
            "value",
            "1e999",
            "a finite number",
        ),
        (
            r#"{"type":"click","user":"u","item":"i","value":1e99}"#,
            "not_finite",
            "value",
            "",
            "a finite number",
        ),
        (
            r#"{"type":"click","user":"u","item":"i","time":"yesterday"}"#,
            "invalid_time",
            "time",
            "yesterday",
            "",
        ),
        (
            r#"{"type":"click","user":"u","item":"i","time":"2060-01-01T00:00:00Z"}"#,
            "time_in_future",
            "time",
            "",
            "",
        ),
        (
            r#"{"type":"click","user":"u","item":"i","time":"1066-10-14T00:00:00Z"}"#,
            "time_out_of_range",
            "time",
            "",
            "",
        ),
        (r#"{"type":"click","user":"","item":"i"}"#, "missing_field", "user", "", "a non-empty id"),
        (r#"{"type":"click","user":"a\u0000","item":"i"}"#, "invalid_id", "user", "", ""),
        (r#"{"type":"click","usr":"u","item":"i"}"#, "unknown_field", "usr", "usr", ""),
        (
            r#"{"type":"click","user":"u","item":"i","context":{"device":3}}"#,
            "wrong_type",
            "context.device",
            "3",
            "a text",
        ),
        (
            r#"{"type":"click","user":"u","item":"i","context":[]}"#,
            "wrong_type",
            "context",
            "[]",
            "an object",
        ),
        (r#"{"type":"merge","session":"s"}"#, "missing_field", "user", "", "the user the session belongs to"),
    ] {
        let refused = refusal(text);
        assert_eq!((refused.0, refused.1.as_str()), (code, field), "{text}");
        assert!(value.is_empty() || refused.2 == value, "{text}: {}", refused.2);
        assert!(expected.is_empty() || refused.3 == expected, "{text}: {}", refused.3);
    }
    let long = format!(r#"{{"type":"click","user":"{}","item":"i"}}"#, "x".repeat(257));
    assert_eq!(refusal(&long).0, "too_long");
}

#[test]
fn a_body_that_is_not_json_says_where() {
    let problem = read_text("[{\"type\":\n oops}]").err().unwrap();
    assert_eq!(problem.code(), "malformed_json");
    assert!(format!("{problem:?}").contains("line 2 column 2"), "{problem:?}");
    assert_eq!(read_text("{\"value\":NaN}").err().unwrap().code(), "malformed_json");
    assert_eq!(read_text("7").err().unwrap().code(), "wrong_type");
    assert_eq!(read_text("").err().unwrap().code(), "malformed_json");
}

#[test]
fn a_merge_needs_no_item() {
    let event =
        read_text(r#"{"type":"merge","session":"s","user":"u"}"#).ok().unwrap().pop().unwrap().unwrap();
    assert!(matches!(event.fact, Fact::Merge { .. }));
}

#[test]
fn too_many_entries_are_refused_whole() {
    let text = format!("[{}]", vec!["{}"; 1001].join(","));
    assert_eq!(read_text(&text).err().unwrap().code(), "too_many_events");
    assert_eq!(read_text(&vec!["{}"; 1001].join("\n")).err().unwrap().code(), "too_many_events");
}
