//! Training examples, from logs on disk to the files that people train with.

use std::fs::File;
use std::sync::Arc;

use headwater::clock::SystemClock;
use headwater_base::feature::feature_schema;
use headwater_base::{
    Actor, Clock, Decision, Event, EventId, Fact, FeatureValue, Fields, Interaction, ItemId, LoggedFeatures,
    RequestId, Rung, Shown, Timestamp, UserId,
};
use headwater_features::EncodedSchema;
use headwater_log::{DecisionLog, DecisionOptions, EmbeddedLog, EventLog as _, LogOptions};
use headwater_registry::Registry;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Value, json};

use crate::support::Site;

const NAMES: [&str; 4] = ["item_ctr_1h@1", "user_country@1", "item_tags@2", "mixed@1"];

fn event(id: &str, time: Timestamp, fact: Fact) -> Event {
    Event { id: EventId::trusted(id), time, received: time, fact }
}

fn decision(request_id: &str, time: Timestamp, schema: u64, rows: Option<Vec<Vec<FeatureValue>>>) -> Event {
    let shown = |item: &str| Shown {
        item: ItemId::trusted(item),
        score: 1.0,
        source: "ials".into(),
        propensity: 0.5,
    };
    let features = rows.map(|rows| Box::new(LoggedFeatures { schema, time, share: 0.5, rows }));
    let decision = Decision {
        request_id: RequestId::trusted(request_id),
        surface: "home".into(),
        actor: Actor::user(UserId::trusted("u1")),
        item: None,
        context: Fields::default(),
        position: vec![0],
        model: "ials@1".into(),
        settings: 0,
        arms: Vec::new(),
        seed: 0,
        rung: Rung::Personal,
        items: ["i1", "i2"].map(shown).into(),
        stages: Vec::new(),
        features,
    };
    event(request_id, time, Fact::Decision(Box::new(decision)))
}

fn cart(id: &str, time: Timestamp, item: &str) -> Event {
    let interaction = Interaction {
        kind: "cart".into(),
        actor: Actor::user(UserId::trusted("u1")),
        item: ItemId::trusted(item),
        value: Some(2.5),
        request_id: None,
        context: Fields::default(),
    };
    event(id, time, Fact::Interaction(interaction))
}

/// Two decisions with features of two schemas, one without, one of just now; the user put `i2` into the cart twice.
fn site() -> Site {
    let site = Site::of("shop");
    let data = site.path("headwater-data");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let start = Timestamp::from_seconds(1_764_000_000);
    let second = |seconds| start.plus(std::time::Duration::from_secs(seconds));

    let names = NAMES.map(str::to_owned);
    let schema = feature_schema(NAMES);
    std::fs::create_dir_all(&data).unwrap();
    Registry::open(&data, Arc::clone(&clock)).unwrap().remember_schema(schema, &names).unwrap();

    let number = FeatureValue::Number;
    let word = |word: &str| FeatureValue::Word(word.into());
    let words = |words: &[&str]| FeatureValue::Words(words.iter().map(|word| (*word).into()).collect());
    let rows = vec![
        vec![number(0.1), word("se"), words(&["red", "blue"]), number(3.0)],
        vec![FeatureValue::Missing, word("se"), words(&[]), word("x")],
    ];
    let unnamed = vec![vec![number(7.0)], vec![number(-0.0)]];
    let (decisions, _) =
        DecisionLog::open(&data.join("decisions"), DecisionOptions::default(), Arc::clone(&clock)).unwrap();
    for made in [
        decision("r1", second(0), schema, Some(rows)),
        decision("r2", second(60), 5, Some(unnamed.clone())),
        decision("r3", second(120), 5, None),
        decision("r4", clock.now(), 5, Some(unnamed)),
    ] {
        decisions.append(&made).unwrap();
    }
    decisions.close();
    let (events, _) = EmbeddedLog::open(&data.join("events"), LogOptions::default(), clock).unwrap();
    events.append(vec![cart("e1", second(10), "i2"), cart("e2", second(20), "i2")]).wait().unwrap();
    events.close();
    site
}

#[test]
fn examples_go_to_json_lines() {
    let site = site();
    let report = site.json(&["export", "examples", "--out", "examples.jsonl"]);
    let told =
        ["examples", "positives", "open", "without_features", "repeated", "features"].map(|key| &report[key]);
    assert_eq!(told, [4, 1, 1, 1, 1, 5].map(|count| json!(count)).each_ref());
    let lines = std::fs::read_to_string(site.path("examples.jsonl")).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(
        rows[1],
        json!({
            "request_id": "r1", "surface": "home", "time": "2025-11-24T16:00:00Z", "user": "u1", "session": null,
            "item": "i2", "place": 1, "propensity": 0.5, "label": 3.0, "weight": 2.0, "sampled": null,
            "outcomes": { "cart": { "value": 2.5, "delay": 10.0 } },
            "schema": format!("{:016x}", feature_schema(NAMES)),
            "features": { "item_ctr_1h@1": null, "user_country@1": "se", "item_tags@2": [], "mixed@1": "x" },
        })
    );
    assert!(lines.contains("\"item_ctr_1h@1\":0.1,"), "as short as the number is");
    assert_eq!((&rows[0]["label"], &rows[0]["outcomes"]), (&json!(0.0), &json!({})));
    assert_eq!(rows[2]["features"], json!({ "feature_0": 7.0 }), "of a schema whose names nobody remembers");

    let open = site.json(&["export", "examples", "--open", "--output", "examples.jsonl"]);
    assert_eq!((&open["examples"], &open["open"]), (&json!(6), &json!(1)));
}

fn column(row: &Row, name: &str) -> Field {
    row.get_column_iter().find(|(column, _)| *column == name).unwrap_or_else(|| panic!("{name}")).1.clone()
}

#[test]
fn examples_go_to_parquet_with_a_column_for_each_feature() {
    let site = site();
    assert_eq!(site.json(&["export", "examples", "--out", "examples.parquet"])["examples"], 4);
    let file = File::open(site.path("examples.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows: Vec<Row> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    let (first, second, third) = (&rows[0], &rows[1], &rows[2]);
    assert_eq!(column(second, "item"), Field::Str("i2".to_owned()));
    assert_eq!(column(second, "time"), Field::TimestampMicros(1_764_000_000_000_000));
    assert_eq!((column(second, "label"), column(second, "weight")), (Field::Float(3.0), Field::Float(2.0)));
    assert_eq!(column(second, "outcome.cart.delay"), Field::Double(10.0));
    assert_eq!(column(second, "outcome.cart.value"), Field::Float(2.5));
    assert_eq!(column(first, "outcome.cart.delay"), Field::Null);
    assert_eq!((column(first, "session"), column(first, "sampled")), (Field::Null, Field::Null));
    assert_eq!(column(first, "item_ctr_1h@1"), Field::Float(0.1));
    assert_eq!(column(second, "item_ctr_1h@1"), Field::Null);
    assert_eq!(column(first, "user_country@1"), Field::Str("se".to_owned()));
    let tags = |row: &Row| match column(row, "item_tags@2") {
        Field::ListInternal(list) => Some(list.elements().to_vec()),
        _ => None,
    };
    assert_eq!(tags(first), Some(vec![Field::Str("red".to_owned()), Field::Str("blue".to_owned())]));
    assert_eq!((tags(second), tags(third)), (Some(Vec::new()), None));
    assert_eq!(column(first, "mixed@1"), Field::Str("3".to_owned()), "a number among words is its text");
    assert_eq!((column(first, "feature_0"), column(third, "feature_0")), (Field::Null, Field::Float(7.0)));
}

#[test]
fn encoded_examples_are_numbers_by_encoders_that_are_saved_beside_them() {
    let site = site();
    let report = site.json(&["export", "examples", "--encoded", "--out", "examples.jsonl"]);
    assert_eq!((&report["examples"], &report["encoders"]), (&json!(4), &json!("examples.schema.json")));
    let saved = std::fs::read_to_string(site.path("examples.schema.json")).unwrap();
    let schema = EncodedSchema::from_json(&saved).unwrap();
    assert_eq!(report["features"], schema.dense_width());
    let lines = std::fs::read_to_string(site.path("examples.jsonl")).unwrap();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |row: &Value, name: &str| row["features"][name].clone();
    assert_eq!(named(&rows[0], "user_country@1=se"), json!(1.0));
    assert_eq!(named(&rows[2], "user_country@1=se"), json!(0.0), "a schema without the feature");
    assert_eq!(named(&rows[1], "item_ctr_1h@1 is missing"), json!(1.0));
    let tags = ["item_tags@2=blue", "item_tags@2=red"].map(|name| named(&rows[0], name));
    assert_eq!(tags, [json!(1.0), json!(1.0)]);
    // 7 and -0 with equal weights, standardised.
    assert_eq!([named(&rows[2], "feature_0"), named(&rows[3], "feature_0")], [json!(1.0), json!(-1.0)]);
    assert!(rows.iter().all(|row| row["features"].as_object().unwrap().len() == schema.dense_width()));
    assert_eq!(rows[0]["schema"], format!("{:016x}", schema.fingerprint()));

    let parquet = site.json(&["export", "examples", "--encoded", "--out", "encoded.parquet"]);
    assert_eq!(parquet["features"], report["features"]);
    let file = File::open(site.path("encoded.parquet")).unwrap();
    let rows = SerializedFileReader::new(file).unwrap().into_iter().map(Result::unwrap).collect::<Vec<Row>>();
    assert_eq!(column(&rows[0], "user_country@1=se"), Field::Float(1.0));
    assert!(
        site.fails(&["export", "examples", "--encoded", "--raw", "--out", "x.jsonl"], 2)["code"] == "usage"
    );
}

#[test]
fn settings_name_the_encoders_and_a_moment_ends_what_they_see() {
    let site = site();
    let path = site.path("headwater.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    let declared = "
        [features.item_ctr_1h]
        entity = \"item\"
        aggregate = { count = \"cart\" }
        encode = \"log1p\"
        [features.user_country]
        field = \"item.category\"
        encode = \"hashed(16)\"
        [features.item_tags]
        entity = \"user\"
        aggregate = { top_k = \"cart\", of = \"item.category\", k = 2 }
        encode = \"multi_hot(8, embedding)\"
    ";
    std::fs::write(&path, format!("{settings}\n{declared}")).unwrap();
    let ask = ["export", "examples", "--encoded", "--out", "examples.jsonl", "--fit-before"];
    let encoded = |before: &str| {
        let report = site.json(&[&ask[..], &[before]].concat());
        assert_eq!(report["examples"], 4, "{report}");
        lines(&site, "examples.jsonl")
    };
    let rows = encoded("2025-11-24T16:01:00Z");
    let of = |row: usize, name: &str| rows[row]["features"][name].clone();
    assert_eq!(of(0, "item_ctr_1h@1"), json!(0.09531018));
    assert_eq!(of(1, "item_ctr_1h@1"), json!(0.0), "missing");
    assert_eq!(of(0, "user_country@1 (embedding)"), of(1, "user_country@1 (embedding)"));
    // Sixteen buckets and one for what is missing, then those of the tags, of which there are two.
    assert_eq!(of(2, "user_country@1 (embedding)"), json!(16.0));
    assert_eq!(of(0, "item_tags@2 (embedding)").as_array().unwrap().len(), 2);
    assert_eq!(of(1, "mixed@1=x"), json!(1.0));
    // What was decided later, and alone has a number there, is unknown to the encoders; they know it without a cut.
    assert_eq!(of(2, "feature_0"), json!(0.0));
    let before_all = encoded("2025-11-24T16:00:00Z");
    assert_eq!(before_all[1]["features"].get("mixed@1=x"), None);
    let error = site.fails(&[&ask[..], &["tomorrow"]].concat(), 2);
    assert!(error["message"].as_str().unwrap().contains("RFC 3339"), "{error}");

    let wrong = declared.replace("log1p", "one_hot(4)");
    std::fs::write(&path, format!("{settings}\n{wrong}")).unwrap();
    let output = site.run(&["check", "--json"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("features.item_ctr_1h.encode") && told.contains("standardise(missing)"), "{told}");
}

/// [`site`] with a declared feature: how often the item was put into a cart.
fn counting() -> Site {
    let site = site();
    let path = site.path("headwater.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    let declared = "[features.carts]\nentity = \"item\"\naggregate = { count = \"cart\" }\n";
    std::fs::write(&path, format!("{settings}\n{declared}")).unwrap();
    site
}

fn lines(site: &Site, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(site.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_decision_without_features_has_them_by_replay() {
    let site = counting();
    let report = site.json(&["export", "examples", "--replay", "--out", "examples.jsonl"]);
    assert_eq!((&report["examples"], &report["replayed"]), (&json!(6), &json!(1)));
    // It saw the views at offset 0, before anything was put into a cart.
    let replayed: Vec<Value> = lines(&site, "examples.jsonl").split_off(4);
    assert!(replayed.iter().all(|row| row["request_id"] == "r3"));
    assert!(replayed.iter().all(|row| row["features"].get("carts@1").is_some()), "{replayed:?}");
}

#[test]
fn history_gives_examples_with_drawn_negatives() {
    let site = counting();
    let report = site.json(&["export", "examples", "--history", "2", "--out", "examples.jsonl"]);
    assert_eq!((&report["interactions"], &report["examples"]), (&json!(2), &json!(2)));
    let rows = lines(&site, "examples.jsonl");
    let told: Vec<_> =
        rows.iter().map(|row| (&row["item"], &row["label"], &row["features"]["carts@1"])).collect();
    // Nothing else is known that could be drawn, and the item itself is new at first.
    assert_eq!(told[1], (&json!("i2"), &json!(3.0), &json!(1.0)));

    let more = "type,user,item,time\ncart,u2,i1,2025-11-25T00:00:00Z\ncart,u2,i2,2025-11-26T00:00:00Z\n";
    site.write("more.csv", more);
    site.json(&["import", "more.csv"]);
    site.json(&["export", "examples", "--history", "2", "--out", "examples.jsonl"]);
    let last = lines(&site, "examples.jsonl").split_off(4);
    let told: Vec<_> =
        last.iter().map(|row| (&row["item"], &row["sampled"], &row["features"]["carts@1"])).collect();
    assert_eq!(told, [(&json!("i2"), &json!(null), &json!(2.0)), (&json!("i1"), &json!(1.0), &json!(1.0))]);
    let error =
        site.fails(&["export", "examples", "--history", "2", "--popularity=-1", "--out", "x.jsonl"], 2);
    assert_eq!(error["code"], "usage");
}

#[test]
fn without_declared_features_there_is_nothing_to_replay() {
    let site = Site::new();
    site.write("headwater.toml", "[interactions.cart]\n");
    let error = site.fails(&["export", "examples", "--history", "2", "--out", "examples.jsonl"], 1);
    assert_eq!(error["code"], "no_features");
}

#[test]
fn an_output_of_another_kind_is_refused() {
    let site = Site::of("shop");
    let error = site.fails(&["export", "examples", "--out", "examples.csv"], 2);
    assert_eq!(error["help"], "end it in .parquet or .jsonl");
    let empty = site.json(&["export", "examples", "--out", "examples.parquet"]);
    assert_eq!(empty["examples"], 0);
}

#[test]
fn a_window_of_nothing_is_refused() {
    let site = Site::of("shop");
    let path = site.path("headwater.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{settings}\n[training]\nattribution_window = \"0s\"\n")).unwrap();
    let error = site.fails(&["check"], 1);
    assert!(error.to_string().contains("`training.attribution_window` must be longer than 0s"), "{error}");
}
