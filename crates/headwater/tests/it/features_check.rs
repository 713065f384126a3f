//! What a server served under load is what a replay gives, to the bit.

use std::sync::Arc;

use headwater::clock::SystemClock;
use headwater_base::random::{Random, seeded};
use headwater_base::{Clock as _, Fact, FeatureValue, Timestamp};
use headwater_log::{
    DecisionLog, DecisionOptions, EmbeddedLog, EventLog as _, LogOptions, LogReader, Position,
};
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::support::{Server, Site, text};

/// Features of every kind, over every kind of entity.
const SETTINGS: &str = r#"
[domain]
repeats = true
[interactions.click]
[interactions.impression]
weight = 0.1
[interactions.purchase]
weight = 5.0
[items.fields]
category = "categorical"
price = "numeric"
tags = "tags"
released = "time"
[users.fields]
country = "categorical"
[context.fields]
device = "categorical"

[features.item_clicks]
entity = "item"
aggregate = { count = "click" }
[features.item_clicks_5m]
entity = "item"
aggregate = { count = "click" }
window = "5m"
[features.item_ctr_1h]
entity = "item"
aggregate = { rate = ["click", "impression"], prior = [1, 20] }
window = "1h"
[features.item_mobile_1d]
entity = "item"
aggregate = { sum = "*" }
window = "1d"
where = { value = { min = 0.5 }, context = { device = "mobile" } }
[features.item_people_7d]
entity = "item"
aggregate = { distinct = "*", of = "user" }
window = "7d"
[features.item_heat]
entity = "item"
aggregate = { count = ["click", "purchase"] }
decay = "30m"
[features.item_median]
entity = "item"
aggregate = { quantile = "*", at = 0.5 }
window = "30d"
[features.category_mean_1d]
entity = "item.category"
aggregate = { mean = "purchase" }
window = "1d"
decay = "6h"
[features.user_smallest]
entity = "user"
aggregate = { min = "*" }
[features.user_largest_1d]
entity = "user"
aggregate = { max = "*" }
window = "1d"
[features.user_last_category]
entity = "user"
aggregate = { last = "*", of = "item.category" }
[features.user_favourites]
entity = "user"
aggregate = { top_k = "*", of = "item.category", k = 3 }
window = "30d"
[features.user_recent]
entity = "user"
aggregate = { last_n = "click", of = "item", n = 5 }
window = "7d"
[features.user_since]
entity = "user"
aggregate = { time_since = "purchase" }
[features.user_category_7d]
entity = ["user", "item.category"]
aggregate = { sum = "click" }
window = "7d"
decay = "1d"
[features.user_item]
entity = ["user", "item"]
aggregate = { count = "*" }
[features.country_device]
entity = ["user.country", "context.device"]
aggregate = { rate = ["purchase", "*"] }
window = "12d"
[features.session_spent]
entity = "session"
aggregate = { sum = "*" }
[features.price]
field = "item.price"
[features.tags]
field = "item.tags"
[features.released]
field = "item.released"
[features.country]
field = "user.country"
[features.device]
field = "context.device"
[features.hour]
time = "hour_of_week"
[features.length]
time = "session_length"
[features.seconds]
time = "session_seconds"
[features.age]
time = "item_age"

[surfaces.home]
filters = []
logged_share = 1.0
[views]
checkpoint_events = 400
"#;

/// How much a test sends, and from how many threads.
#[derive(Clone, Copy)]
struct Load {
    writers: u64,
    askers: u64,
    rounds: u64,
}

/// Somebody somewhere, out of not many, so that they meet.
struct Crowd<'a> {
    server: &'a Server,
    random: Random,
    now: Timestamp,
}

impl<'a> Crowd<'a> {
    fn new(server: &'a Server, stream: &str) -> Self {
        let now = SystemClock.now();
        Self { server, random: seeded(7, stream), now }
    }

    fn one_of(&mut self, prefix: &str, count: u32) -> String {
        format!("{prefix}{}", self.random.random_range(0..count))
    }

    fn word(&mut self, words: &[&str]) -> Value {
        json!(words[self.random.random_range(0..words.len())])
    }

    /// A user, a session or both.
    fn actor(&mut self) -> Value {
        match self.random.random_range(0..3u8) {
            0 => json!({ "user": self.one_of("u", 12) }),
            1 => json!({ "session": self.one_of("s", 12) }),
            _ => json!({ "user": self.one_of("u", 12), "session": self.one_of("s", 12) }),
        }
    }

    /// An interaction; one in three happened earlier than it is sent, up to 20 days.
    fn interaction(&mut self) -> Value {
        let mut event = self.actor();
        event["type"] = self.word(&["click", "click", "impression", "purchase"]);
        event["item"] = json!(self.one_of("i", 25));
        if self.random.random_bool(0.7) {
            event["value"] = json!(f64::from(self.random.random_range(0..40u8)) / 8.0);
        }
        if self.random.random_bool(0.5) {
            event["context"] = json!({ "device": self.word(&["mobile", "desktop", "tv"]) });
        }
        if self.random.random_bool(0.3) {
            let ago = std::time::Duration::from_secs(self.random.random_range(0..20 * 86_400));
            event["time"] = json!(self.now.minus(ago).to_string());
        }
        event
    }

    fn send(&mut self, method: &str, path: &str, body: &Value) {
        let (status, reply) = self.server.request(method, path, "", body);
        assert!(
            status == 200 || status == 404 && method == "DELETE",
            "{method} {path} {body}: {status} {reply}"
        );
    }

    /// What one writer does in one round: an event, a batch of them, or a change of who or what there is.
    fn write(&mut self) {
        match self.random.random_range(0..20u8) {
            0 => {
                let (session, user) = (self.one_of("s", 12), self.one_of("u", 12));
                self.send(
                    "POST",
                    "/v1/events",
                    &json!({ "type": "merge", "session": session, "user": user }),
                );
            }
            1..=3 => {
                let path = format!("/v1/items/{}", self.one_of("i", 25));
                let category = self.word(&["shoes", "hats", "coats", "rings"]);
                let price = f64::from(self.random.random_range(0..1000u32)) / 7.0;
                let tags = json!([self.word(&["red", "blue"]), self.word(&["old", "new"])]);
                let released = json!("2026-01-01T00:00:00Z");
                let item =
                    json!({ "category": category, "price": price, "tags": tags, "released": released });
                self.send("PUT", &path, &item);
            }
            4 => {
                let path = format!("/v1/items/{}", self.one_of("i", 25));
                self.send("DELETE", &path, &Value::Null);
            }
            5 => {
                let path = format!("/v1/users/{}", self.one_of("u", 12));
                let country = self.word(&["se", "at", "jp"]);
                self.send("PUT", &path, &json!({ "country": country }));
            }
            6..=10 => {
                let events: Vec<Value> =
                    (0..self.random.random_range(2..40)).map(|_| self.interaction()).collect();
                self.send("POST", "/v1/events", &json!(events));
            }
            _ => {
                let event = self.interaction();
                self.send("POST", "/v1/events", &event);
            }
        }
    }

    fn ask(&mut self) {
        let mut request = self.actor();
        request["surface"] = json!("home");
        request["limit"] = json!(10);
        if self.random.random_bool(0.5) {
            request["context"] = json!({ "device": self.word(&["mobile", "desktop", "watch"]) });
        }
        self.send("POST", "/v1/recommend", &request);
    }
}

/// Writers and askers at once; `beside` is done while they are at it.
fn under_load(server: &Server, wave: &str, load: Load, beside: impl FnOnce() + Send) {
    // There is something to show before anybody asks.
    let known: Vec<Value> =
        (0..25).map(|item| json!({ "type": "click", "user": "first", "item": format!("i{item}") })).collect();
    Crowd::new(server, wave).send("POST", "/v1/events", &json!(known));
    std::thread::scope(|scope| {
        for writer in 0..load.writers {
            let mut crowd = Crowd::new(server, &format!("{wave} writer {writer}"));
            scope.spawn(move || (0..load.rounds).for_each(|_| crowd.write()));
        }
        for asker in 0..load.askers {
            let mut crowd = Crowd::new(server, &format!("{wave} asker {asker}"));
            scope.spawn(move || (0..load.rounds).for_each(|_| crowd.ask()));
        }
        scope.spawn(beside);
    });
}

fn agrees(site: &Site, arguments: &[&str]) -> Value {
    let checked = site.json(&[&["features", "check"][..], arguments].concat());
    assert_eq!(checked["different"], 0, "{checked:#}");
    assert_eq!(checked["differences"], json!([]));
    checked
}

fn count(checked: &Value, key: &str) -> u64 {
    checked[key].as_u64().unwrap()
}

#[test]
fn what_is_served_while_others_write_is_what_a_replay_gives() {
    let load = Load { writers: 3, askers: 2, rounds: 200 };
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let server = site.serve(&["--open"]);
    under_load(&server, "first", load, || {
        // Beside the running server.
        let (mut compared, arguments) = (0, ["features", "check", "--json"]);
        while compared == 0 {
            let output = site.run(&arguments);
            let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
            if output.status.success() {
                assert_eq!(checked["different"], 0, "{checked:#}");
                compared = count(&checked, "compared");
            } else {
                assert_eq!(checked["error"]["code"], "nothing_to_check", "{checked:#}");
            }
        }
    });
    let checked = agrees(&site, &[]);
    assert_eq!((count(&checked, "logged"), count(&checked, "sampled")), (400, 400));
    assert_eq!((count(&checked, "decisions"), checked["skipped"]["overtaken"].as_u64()), (400, Some(0)));
    assert!(count(&checked, "compared") >= 100_000, "{checked:#}");
    let features = checked["features"].as_array().unwrap();
    assert_eq!(features.len(), 27);
    assert!(features.iter().all(|one| one["compared"] == features[0]["compared"]), "{checked:#}");
    assert_eq!(server.terminate().1, Some(0));

    // A restart goes on from a checkpoint. An edit is another version, and a new feature looks back on the whole log.
    let edited = SETTINGS.replace(
        "[features.item_clicks]\nentity = \"item\"",
        "[features.country_clicks]\nentity = [\"item\", \"user.country\"]\naggregate = { count = \"click\" }\n\
         [features.item_clicks]\nwindow = \"1d\"\nentity = \"item\"",
    );
    // And hardly anybody fits into the memory.
    let edited = edited.replace("[views]", "[views]\nmemory_limit = \"4KiB\"");
    for (wave, settings) in [("second", SETTINGS), ("third", &edited)] {
        site.write("headwater.toml", settings);
        let server = site.serve(&["--open"]);
        under_load(&server, wave, Load { rounds: 20, ..load }, || {});
        // Killed, not stopped.
        drop(server);
    }
    let checked = agrees(&site, &[]);
    assert_eq!((count(&checked, "decisions"), count(&checked, "not_computed")), (480, 0));
    let names: Vec<&str> =
        checked["features"].as_array().unwrap().iter().map(|one| one["feature"].as_str().unwrap()).collect();
    assert!(["item_clicks@1", "item_clicks@2", "country_clicks@1"].iter().all(|name| names.contains(name)));

    let half = agrees(&site, &["--sample", "0.5"]);
    assert!((180..300).contains(&count(&half, "sampled")), "{half:#}");
    let ten = agrees(&site, &["--limit", "10"]);
    assert_eq!((count(&ten, "sampled"), count(&ten, "decisions")), (10, 10));
    let table = text(&site.run(&["features", "check", "--limit", "10"]).stdout);
    assert!(table.contains("values of 10 decisions compared") && table.contains("none differ"), "{table}");
    assert_eq!(site.fails(&["features", "check", "--sample", "0"], 2)["code"], "usage");
}

#[test]
#[ignore = "takes minutes; prints what it compared"]
fn a_million_values_served_under_load_agree() {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    for wave in ["first", "second", "third"] {
        let server = site.serve(&["--open"]);
        under_load(&server, wave, Load { writers: 6, askers: 6, rounds: 400 }, || {});
        drop(server);
        let checked = agrees(&site, &[]);
        let told = ["compared", "different", "decisions", "replayed", "seconds"].map(|key| &checked[key]);
        println!(
            "compared, different, decisions, events replayed, seconds: {told:?}; {}",
            checked["skipped"]
        );
    }
    assert!(count(&agrees(&site, &[]), "compared") > 1_000_000);
}

#[test]
fn a_value_that_was_not_served_so_fails_the_check() {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let server = site.serve(&["--open"]);
    under_load(&server, "only", Load { writers: 1, askers: 1, rounds: 10 }, || {});
    assert_eq!(server.terminate().1, Some(0));
    let before = count(&agrees(&site, &[]), "compared");

    let folder = site.path("headwater-data").join("decisions");
    let reader = LogReader::open(&folder).unwrap();
    let mut last = reader.events_from(reader.end() - 1).next().unwrap().unwrap().1;
    drop(reader);
    let Fact::Decision(decision) = &mut last.fact else { panic!("{last:?}") };
    let changed = decision.features.as_mut().unwrap().rows[0]
        .iter_mut()
        .find_map(|value| match value {
            FeatureValue::Number(number) => Some(number),
            _ => None,
        })
        .unwrap();
    *changed = f32::from_bits(changed.to_bits() ^ 1);
    let (decisions, _) =
        DecisionLog::open(&folder, DecisionOptions::default(), Arc::new(SystemClock)).unwrap();
    decisions.append(&last).unwrap();
    decisions.close();

    let output = site.run(&["features", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("1 of "), "{}", text(&output.stderr));
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(count(&checked, "compared") > before);
    assert_eq!((&checked["different"], checked["differences"].as_array().unwrap().len()), (&json!(1), 1));
    let found = &checked["differences"][0];
    assert!(found["served"].is_number() && found["replayed"] != found["served"], "{found}");
    let table = text(&site.run(&["features", "check"]).stdout);
    assert!(table.contains(found["request_id"].as_str().unwrap()), "{table}");
}

/// A server that was under some load, and stopped.
fn served(settings: &str) -> Site {
    let site = Site::new();
    site.write("headwater.toml", settings);
    let server = site.serve(&["--open"]);
    under_load(&server, "only", Load { writers: 4, askers: 2, rounds: 100 }, || {});
    let mut last = Crowd::new(&server, "last");
    (0..5).for_each(|_| last.ask());
    assert_eq!(server.terminate().1, Some(0));
    site
}

#[test]
fn erased_records_are_no_difference() {
    let site = served(SETTINGS);
    let before = agrees(&site, &[]);
    assert_eq!((count(&before, "erased"), count(&before, "erased_decisions")), (0, 0));
    assert!(site.json(&["erase", "u3"])["records"].as_u64().unwrap() > 0);
    let after = agrees(&site, &[]);
    assert!(count(&after, "erased_decisions") > 0 && count(&after, "erased") > 0, "{after:#}");
    let (compared, erased) = (count(&after, "compared"), count(&after, "erased"));
    assert_eq!(compared + erased, 270 * count(&after, "decisions"), "{after:#}");
    // What no erased record is part of is compared as before.
    let features = after["features"].as_array().unwrap();
    let price = features.iter().find(|one| one["feature"] == "price@1").unwrap();
    assert_eq!((&price["erased"], count(price, "compared")), (&json!(0), 10 * count(&after, "decisions")));
}

#[test]
fn where_the_log_was_cut_a_check_goes_on_from_a_checkpoint() {
    let site = served(&format!("{SETTINGS}[log]\nsegment_size = \"64KiB\"\n"));
    let whole = agrees(&site, &[]);
    let folder = site.path("headwater-data").join("events");
    let (log, _) = EmbeddedLog::open(&folder, LogOptions::default(), Arc::new(SystemClock)).unwrap();
    assert!(log.truncate_below(SystemClock.now(), &Position(vec![1_200])).unwrap().events > 0);
    log.close();
    let cut = agrees(&site, &[]);
    let from = count(&cut, "from_checkpoint");
    assert!(from >= 400 && count(&cut, "log_start") > 0, "{cut:#}");
    let (compared, skipped) = (count(&cut, "decisions"), count(&cut["skipped"], "before_log"));
    assert!(compared > 0 && skipped > 0 && compared + skipped == count(&whole, "decisions"), "{cut:#}");
    let table = text(&site.run(&["features", "check"]).stdout);
    assert!(table.contains(&format!("went on from a checkpoint at offset {from}")), "{table}");

    std::fs::remove_dir_all(site.path("headwater-data").join("views")).unwrap();
    assert_eq!(site.fails(&["features", "check"], 1)["code"], "log_cut");
}

#[test]
fn without_logged_features_nothing_is_proved() {
    let site = Site::of("shop");
    let error = site.fails(&["features", "check"], 1);
    assert_eq!(error["code"], "nothing_to_check");
    assert!(error["help"].as_str().unwrap().contains("logged_share"), "{error}");
}
