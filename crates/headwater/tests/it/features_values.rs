//! Values of features from outside: of one entity, of all as a table, as they are and as they were.

use std::fs::File;

use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use serde_json::{Value, json};

use crate::support::{Site, text};

const SETTINGS: &str = r#"
[interactions.click]
[interactions.buy]
[items.fields]
category = "categorical"
price = "numeric"
[users.fields]
country = "categorical"
[context.fields]
device = "categorical"
[features.clicks]
entity = "item"
aggregate = { count = "click" }
[features.clicked]
entity = "user"
aggregate = { last_n = "click", of = "item", n = 2 }
[features.spent]
entity = "user"
aggregate = { sum = "buy" }
[features.liking]
entity = ["user", "item.category"]
aggregate = { count = "*" }
[features.category_clicks]
entity = "item.category"
aggregate = { count = "click" }
[features.country_clicks]
entity = "user.country"
aggregate = { count = "click" }
[features.device_clicks]
entity = ["item", "context.device"]
aggregate = { count = "click" }
[features.length]
time = "session_length"
[features.price]
field = "item.price"
"#;

/// Two items of two categories, two users and a session.
fn site() -> Site {
    let site = Site::new();
    site.write("headwater.toml", SETTINGS);
    let lines = [
        json!({ "id": "e1", "item_upsert": { "id": "i1", "fields": { "category": "shoes", "price": 9.5 } } }),
        json!({ "id": "e2", "item_upsert": { "id": "i2", "fields": { "category": "hats" } } }),
        json!({ "id": "e3", "user_upsert": { "id": "u1", "fields": { "country": "se" } } }),
        json!({ "id": "e4", "type": "click", "user": "u1", "item": "i1", "time": "2026-11-01T00:00:00Z", "context": { "device": "tv" } }),
        json!({ "id": "e5", "type": "click", "user": "u1", "item": "i2", "time": "2026-11-01T00:01:00Z" }),
        json!({ "id": "e6", "type": "buy", "user": "u1", "item": "i1", "time": "2026-11-01T00:02:00Z", "value": 9.5 }),
        json!({ "id": "e7", "type": "click", "user": "u2", "item": "i1", "time": "2026-11-01T00:03:00Z" }),
        json!({ "id": "e8", "type": "click", "session": "s1", "item": "i2", "time": "2026-11-01T00:04:00Z" }),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = site.write("events.jsonl", &lines);
    assert_eq!(site.json(&["import", path.to_str().unwrap()])["events"], 8);
    site
}

/// The values of features by name.
fn values(site: &Site, arguments: &[&str]) -> Value {
    let document = site.json(&[&["features", "values"][..], arguments].concat());
    let features = document["features"].as_array().unwrap().iter();
    let pairs = features.map(|one| (one["feature"].as_str().unwrap().to_owned(), one["value"].clone()));
    pairs.collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn an_entity_has_the_values_that_it_alone_decides_and_a_pair_those_of_both() {
    let site = site();
    let of_user = json!({ "clicked@1": ["i2", "i1"], "country_clicks@1": 2.0, "spent@1": 9.5 });
    assert_eq!(values(&site, &["user", "u1"]), of_user);
    let of_item = json!({ "category_clicks@1": 2.0, "clicks@1": 2.0, "price@1": 9.5 });
    assert_eq!(values(&site, &["item", "i1"]), of_item);
    assert_eq!(values(&site, &["item.category", "hats"]), json!({ "category_clicks@1": 2.0 }));
    assert_eq!(values(&site, &["user.country", "se"]), json!({ "country_clicks@1": 2.0 }));
    let session = values(&site, &["session", "s1"]);
    assert_eq!((&session["length@1"], &session["clicked@1"]), (&json!(1.0), &json!(["i2"])));
    let pair = values(&site, &["user", "u1", "--with", "item.category=shoes"]);
    assert_eq!((&pair["liking@1"], &pair["category_clicks@1"]), (&json!(2.0), &json!(2.0)));
    let moment = values(&site, &["item", "i1", "--with", "user=u2", "--with", "context.device=tv"]);
    let of = |name: &str| &moment[name];
    assert_eq!(
        (of("device_clicks@1"), of("liking@1"), of("spent@1")),
        (&json!(1.0), &json!(1.0), &json!(0.0))
    );
    let nothing = values(&site, &["item", "i1", "--with", "context.device=watch"]);
    assert_eq!(nothing["device_clicks@1"], json!(0.0));

    let document = site.json(&["features", "values", "user", "u1"]);
    assert_eq!(document["unnamed"]["device_clicks@1"], json!(["item", "context.device"]));
    assert_eq!((&document["offset"], &document["begun"]), (&json!(8), &json!(0)));
    let printed = text(&site.run(&["features", "values", "user", "u1"]).stdout);
    assert!(printed.contains("clicked@1         [i2, i1]\n"), "{printed}");
    assert!(printed.contains("not known without item (--with ENTITY=ID): clicks@1\n"), "{printed}");
}

#[test]
fn a_checkpoint_and_the_whole_log_give_the_same_and_a_moment_of_the_past_what_it_knew() {
    let site = site();
    let of_user = values(&site, &["user", "u1"]);
    let more =
        json!({ "id": "e9", "type": "click", "user": "u1", "item": "i1", "time": "2026-11-01T00:05:00Z" });
    let document = site.json(&["features", "values", "user", "u1"]);
    let before = document["time"].as_str().unwrap();
    let path = site.write("more.jsonl", &more.to_string());
    site.json(&["import", path.to_str().unwrap()]);
    let now = values(&site, &["user", "u1"]);
    assert_eq!(now["clicked@1"], json!(["i1", "i2"]));
    assert_eq!(values(&site, &["user", "u1", "--at", before]), of_user);
    std::fs::remove_dir_all(site.path("headwater-data/views")).unwrap();
    assert_eq!(values(&site, &["user", "u1"]), now);
    assert!(!site.path("headwater-data/views").exists(), "looking makes nothing");
    // Nothing had been received by then, whatever is said to have happened before.
    let error = site.fails(&["features", "values", "user", "u1", "--at", "2026-11-02T00:00:00Z"], 1);
    assert_eq!(error["code"], "unknown_entity");
}

#[test]
fn an_unknown_entity_is_told_from_one_of_an_unknown_kind() {
    let site = site();
    for (entity, id, help) in [
        ("user", "u3", "is it `u1`?"),
        ("item", "nothing-like-it", "it knows 2 others"),
        ("item.category", "shoe", "is it `shoes`?"),
    ] {
        let error = site.fails(&["features", "values", entity, id], 1);
        assert_eq!(error["code"], "unknown_entity");
        assert!(error["message"].as_str().unwrap().contains(&format!("`{id}`")), "{error}");
        assert!(error["help"].as_str().unwrap().starts_with(help), "{error}");
    }
    for entity in ["users", "item.price", "item.colour"] {
        let error = site.fails(&["features", "values", entity, "x"], 2);
        assert_eq!(error["message"], format!("`{entity}` is no kind of entity"));
    }
    assert_eq!(site.fails(&["features", "values", "user", "u1", "--with", "i1"], 2)["code"], "usage");
    assert_eq!(
        site.fails(&["features", "values", "user", "u1", "--with", "item=i9"], 1)["code"],
        "unknown_entity"
    );
    let bare = Site::new();
    bare.write("headwater.toml", "[interactions.click]\n");
    assert_eq!(bare.fails(&["features", "values", "user", "u1"], 1)["code"], "no_features");
}

#[test]
fn all_entities_go_to_a_table_in_three_formats() {
    let site = site();
    let report = site.json(&["features", "export", "user", "--output", "users.jsonl"]);
    let columns = json!(["clicked@1", "country_clicks@1", "spent@1"]);
    assert_eq!((&report["rows"], &report["features"]), (&json!(2), &columns));
    let lines = std::fs::read_to_string(site.path("users.jsonl")).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["user"], &rows[0]["clicked@1"]), (&json!("u1"), &json!(["i2", "i1"])));
    // Of a user without a country nothing is known by country.
    assert_eq!((&rows[1]["spent@1"], &rows[1]["country_clicks@1"]), (&json!(0.0), &Value::Null));

    let items = ["features", "export", "item", "--with", "context.device=tv", "--output"];
    site.json(&[&items[..], &["items.csv"]].concat());
    let lines = std::fs::read_to_string(site.path("items.csv")).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "item,time,category_clicks@1,clicks@1,device_clicks@1,price@1");
    assert!(lines[1].starts_with("i1,") && lines[1].ends_with(",2,2,1,9.5"), "{lines:?}");
    assert!(lines[2].starts_with("i2,") && lines[2].ends_with(",2,2,0,"), "{lines:?}");

    let report = site.json(&[&items[..], &["items.parquet"]].concat());
    assert_eq!(report["rows"], 2);
    let file = File::open(site.path("items.parquet")).unwrap();
    let rows: Vec<Row> = SerializedFileReader::new(file).unwrap().into_iter().map(Result::unwrap).collect();
    let column = |row: &Row, name: &str| {
        row.get_column_iter().find(|(found, _)| *found == name).map(|(_, field)| field.clone()).unwrap()
    };
    assert_eq!(column(&rows[0], "item"), Field::Str("i1".to_owned()));
    assert_eq!((column(&rows[0], "price@1"), column(&rows[1], "price@1")), (Field::Float(9.5), Field::Null));

    let printed = text(&site.run(&["features", "export", "item.category"]).stdout);
    let words: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&words[0]["item.category"], &words[0]["category_clicks@1"]), (&json!("hats"), &json!(2.0)));
    assert_eq!(site.fails(&["features", "export", "user", "--output", "x.txt"], 2)["code"], "usage");
    assert_eq!(site.fails(&["features", "export", "user"], 2)["code"], "usage");
}
