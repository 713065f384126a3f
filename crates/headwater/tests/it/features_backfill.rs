//! Features over the whole history: ready before a server starts, or as a table.

use serde_json::{Value, json};

use crate::support::Site;

const SETTINGS: &str = r#"
[interactions.click]
[interactions.view]
weight = 0.0
[items.fields]
category = "categorical"
[features.clicks]
entity = "item"
aggregate = { count = "click" }
"#;

const EDITED: &str = r#"
[features.recent]
entity = "user"
aggregate = { last_n = "*", of = "item", n = 2 }
[features.seen]
entity = ["user", "item"]
aggregate = { count = "*" }
"#;

fn import(site: &Site, name: &str, events: &[(&str, &str, &str, u32)]) {
    let line = |(kind, user, item, minute): &(&str, &str, &str, u32)| {
        let time = format!("2026-11-01T00:{minute:02}:00Z");
        json!({ "id": format!("{name}-{minute}-{kind}"), "type": kind, "user": user, "item": item, "time": time })
    };
    let lines: String = events.iter().map(|event| format!("{}\n", line(event))).collect();
    let path = site.write(&format!("{name}.jsonl"), &lines);
    assert_eq!(site.json(&["import", path.to_str().unwrap()])["events"], events.len());
}

/// Four events under the settings before they are edited.
fn site() -> Site {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let events = [
        ("click", "u1", "i1", 1),
        ("view", "u1", "i2", 2),
        ("click", "u2", "i1", 4),
        ("click", "u1", "i2", 3),
    ];
    import(&site, "first", &events);
    site
}

fn values(site: &Site) -> Value {
    site.json(&["features", "values", "user", "u1", "--with", "item=i1"])["features"].clone()
}

#[test]
fn a_server_that_starts_with_new_features_goes_on_from_a_backfill() {
    let before = site();
    before.write("headwater.toml", &format!("{SETTINGS}{EDITED}"));
    before.serve(&["--open"]).logs("replayed=4");

    let site = site();
    let server = site.serve(&["--open"]);
    // Beside a server that works with the settings before.
    site.write("headwater.toml", &format!("{SETTINGS}{EDITED}"));
    let report = site.json(&["features", "backfill"]);
    assert_eq!((&report["features"], &report["from"], &report["end"]), (&json!(3), &json!(0), &json!(4)));
    let event = json!({ "type": "click", "user": "u1", "item": "i1" });
    assert_eq!(server.request("POST", "/v1/events", "", &event).0, 200);
    assert_eq!(server.terminate().1, Some(0));
    let again = site.json(&["features", "backfill"]);
    assert_eq!((&again["from"], &again["end"]), (&json!(4), &json!(5)));
    assert_eq!(server_replays(&site, "replayed=0"), values(&site));
    let restarted = values(&site);
    std::fs::remove_dir_all(site.path("headwater-data/views")).unwrap();
    assert_eq!(values(&site), restarted);
    assert_eq!(restarted[2], json!({ "feature": "seen@1", "type": "number", "value": 2.0 }));
}

/// Starts a server, waits for what it says, and stops it; the values then.
fn server_replays(site: &Site, words: &str) -> Value {
    let mut server = site.serve(&["--open"]);
    server.logs(words);
    assert_eq!(server.terminate().1, Some(0));
    values(site)
}

#[test]
fn other_settings_leave_a_backfill_for_those_it_is_for() {
    let site = site();
    site.write("headwater.toml", &format!("{SETTINGS}{EDITED}"));
    site.json(&["features", "backfill"]);
    site.write("headwater.toml", SETTINGS);
    site.serve(&["--open"]).logs("replayed=0");
    site.write("headwater.toml", &format!("{SETTINGS}{EDITED}"));
    site.serve(&["--open"]).logs("replayed=0");
    site.write("headwater.toml", "[interactions.click]\n");
    assert_eq!(site.fails(&["features", "backfill"], 1)["code"], "no_features");
}

#[test]
fn a_table_has_what_features_were_before_each_interaction() {
    let site = site();
    site.write("headwater.toml", &format!("{SETTINGS}{EDITED}"));
    let report = site.json(&["features", "backfill", "--output", "past.jsonl"]);
    // What came late is in no row, and in those after it.
    assert_eq!((&report["rows"], &report["late"], &report["events"]), (&json!(3), &json!(1), &json!(4)));
    import(&site, "more", &[("view", "u1", "i1", 5)]);
    site.json(&["features", "backfill", "--output", "past.jsonl"]);
    let lines = std::fs::read_to_string(site.path("past.jsonl")).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |user: &str, item: &str, kind: &str, minute: u32, clicks: f32, recent: &[&str], seen: f32| {
        json!({
            "user": user, "session": null, "item": item, "type": kind, "time": format!("2026-11-01T00:0{minute}:00Z"),
            "clicks@1": clicks, "recent@1": recent, "seen@1": seen,
        })
    };
    // An item that the log has not named yet has no features of its own.
    let mut first = row("u1", "i1", "click", 1, 0.0, &[], 0.0);
    (first["clicks@1"], first["seen@1"]) = (Value::Null, Value::Null);
    let mut second = row("u1", "i2", "view", 2, 0.0, &["i1"], 0.0);
    (second["clicks@1"], second["seen@1"]) = (Value::Null, Value::Null);
    let third = row("u2", "i1", "click", 4, 1.0, &[], 0.0);
    let last = row("u1", "i1", "view", 5, 2.0, &["i2", "i2"], 1.0);
    assert_eq!(rows, [first, second, third, last]);

    let one = ["features", "backfill", "--output", "past.csv", "--only", "clicks"];
    assert_eq!(site.json(&one)["features"], json!(["clicks@1"]));
    let csv = std::fs::read_to_string(site.path("past.csv")).unwrap();
    assert_eq!(csv.lines().next(), Some("user,session,item,type,time,clicks@1"));
    assert_eq!(csv.lines().last(), Some("u1,,i1,view,2026-11-01T00:05:00Z,2"));
    let error = site.fails(&["features", "backfill", "--output", "x.csv", "--only", "click"], 2);
    assert!(error["message"].as_str().unwrap().contains("expected clicks"), "{error}");
    assert_eq!(site.fails(&["features", "backfill", "--only", "clicks"], 2)["code"], "usage");
}
