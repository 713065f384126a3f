//! Prints what reading a batch of 100 events costs: JSON, validation against the schema, ids and times.
//!
//! `cargo run --release -p headwater-server --example parse_cost`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a command for developers: prints, and panics to report"
)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::time::Instant;

use headwater_base::schema::InteractionType;
use headwater_base::value::FieldType;
use headwater_base::{EventId, Schema, Timestamp};
use headwater_server::wire::event::{Entries, Reading, read};

const EVENTS: usize = 100;
const ROUNDS: u32 = 2_000;

fn main() {
    let schema = Schema {
        interactions: [("click".into(), InteractionType { weight: 1.0 })].into(),
        context: [("device".into(), FieldType::Categorical)].into(),
        ..Schema::default()
    };
    let next_id = || EventId::trusted("made");
    let reading = Reading { schema: &schema, now: Timestamp::from_seconds(1_800_000_000), next_id: &next_id };
    let body = |context: &str| {
        let event = |number: usize| {
            format!(
                r#"{{"id":"event-{number:09}","type":"click","user":"user-{number}","session":"s-{number}","item":"item-{number}","time":"2026-11-24T05:00:00.123Z"{context}}}"#
            )
        };
        format!("[{}]", (0..EVENTS).map(event).collect::<Vec<_>>().join(","))
    };
    for (name, body) in [("plain", body("")), ("with context", body(r#","context":{"device":"mobile"}"#))] {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            let Entries::Many(entries) = read(body.as_bytes(), false, EVENTS, &reading).unwrap() else {
                panic!()
            };
            assert!(entries.len() == EVENTS && entries.iter().all(Result::is_ok));
        }
        let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
        println!("{EVENTS} events {name}, {} bytes: {micros:.0} us", body.len());
    }
}
