//! Importing each format, and taking it out again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Site, exported};

fn import(site: &Site, file: &str, text: &str, arguments: &[&str]) -> Value {
    let path = site.write(file, text);
    let mut all = vec!["import", path.to_str().unwrap()];
    all.extend(arguments);
    site.json(&all)
}

#[test]
fn csv_with_mapped_columns_defaults_and_refused_rows() {
    let site = Site::of("shop");
    let rows = "customer,sku,when,device,noise\n\
                u1,i1,11/24/2026 05:00,tv,x\n\
                u2,\"i,2\",11/23/2026 05:00,,x\n\
                u3,,11/24/2026 05:00,tv,x\n\
                u4,i4,yesterday,tv,x\n\
                u5,i5\n\
                u6,i6,11/24/2126 05:00,tv,x\n";
    let arguments = [
        "--map",
        "user=customer,item=sku,time=when,context.device=device",
        "--type",
        "view",
        "--time-format",
        "%m/%d/%Y %H:%M",
    ];
    let report = import(&site, "visits.csv", rows, &arguments);
    assert_eq!(
        (&report["events"], &report["rows"], &report["refused"]["rows"]),
        (&json!(2), &json!(6), &json!(4))
    );
    let reasons = &report["refused"]["reasons"];
    for code in ["missing_field", "invalid_time", "wrong_columns", "time_in_future"] {
        assert_eq!(reasons[code]["rows"], 1, "{code} in {reasons}");
    }
    let kept = std::fs::read_to_string(site.path(report["refused"]["file"].as_str().unwrap())).unwrap();
    let first: Value = serde_json::from_str(kept.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["line"], &first["code"], &first["field"]),
        (&json!(4), &json!("missing_field"), &json!("item"))
    );

    let again = import(&site, "visits.csv", rows, &arguments);
    assert_eq!((&again["events"], &again["duplicates"]), (&json!(0), &json!(2)));
    let events = exported(&site, &site.path("headwater-data"));
    assert_eq!(events.len(), 2);
    assert_eq!((&events[1]["item"], &events[1]["time"]), (&json!("i,2"), &json!("2026-11-23T05:00:00Z")));
    assert_eq!((&events[0]["context"], &events[1].get("context")), (&json!({ "device": "tv" }), &None));
}

#[test]
fn items_and_users_come_from_tables_too() {
    let site = Site::of("shop");
    let report = import(
        &site,
        "items.csv",
        "item,category,price,available\ni1,shoes,59.9,yes\ni2,hats,cheap,no\n",
        &["--rows", "items"],
    );
    assert_eq!((&report["kinds"]["item"], &report["refused"]["rows"]), (&json!(1), &json!(1)));
    import(&site, "users.csv", "user,country\nu1,nz\n", &["--rows", "users"]);
    let events = exported(&site, &site.path("headwater-data"));
    assert_eq!(
        events[0]["item_upsert"],
        json!({ "id": "i1", "fields": { "category": "shoes", "price": 59.9 }, "available": true })
    );
    assert_eq!(events[1]["user_upsert"]["fields"], json!({ "country": "nz" }));
}

#[test]
fn columns_that_do_not_fit_are_explained() {
    let site = Site::of("shop");
    let path = site.write("visits.csv", "customer,sku\nu1,i1\n");
    let path = path.to_str().unwrap();
    for (arguments, told) in [
        (vec![], "no column is named `item`"),
        (vec!["--map", "itm=sku"], "`itm` is not item"),
        (vec!["--map", "item=skuu,user=customer"], "the file has no column `skuu`, it has sku or customer"),
        (vec!["--map", "item=sku,user=customer"], "no column is named `type`"),
        (vec!["--map", "item=sku,user=customer", "--type", "viev"], "--type viev: the settings declare view"),
    ] {
        let mut all = vec!["import", path];
        all.extend(arguments);
        let error = site.fails(&all, 2);
        assert!(error["message"].as_str().unwrap().contains(told), "{told}: {error}");
    }
    assert_eq!(site.fails(&["import", "nowhere.csv"], 2)["code"], "usage");
}

#[test]
fn json_lines_go_in_come_out_and_go_in_again_unchanged() {
    let site = Site::of("shop");
    let lines = [
        json!({ "id": "e1", "type": "view", "user": "u1", "item": "i1", "time": "2026-11-20T05:00:00Z", "value": 2.5, "context": { "device": "tv" } }),
        json!({ "type": "purchase", "session": "s1", "item": "i2", "request_id": "r1" }),
        json!({ "id": "e3", "item_upsert": { "id": "i1", "fields": { "category": "shoes" }, "available": false } }),
        json!({ "id": "e4", "type": "merge", "session": "s1", "user": "u1" }),
        json!({ "id": "e5", "item_delete": { "id": "i2" } }),
        json!({ "id": "e6", "type": "vieww", "user": "u1", "item": "i1" }),
    ];
    let text = lines.map(|line| line.to_string()).join("\n");
    let report = import(&site, "events.jsonl", &text, &[]);
    assert_eq!(
        (&report["events"], &report["refused"]["reasons"]["unknown_type"]["rows"]),
        (&json!(5), &json!(1))
    );
    assert_eq!(import(&site, "events.jsonl", &text, &[])["duplicates"], 5);

    site.json(&["export", "--output", "out.jsonl"]);
    let out = site.path("out.jsonl");
    site.json(&["--data-dir", "second", "import", out.to_str().unwrap()]);
    assert_eq!(exported(&site, &site.path("second")), exported(&site, &site.path("headwater-data")));
    let since = site.json(&[
        "export",
        "--output",
        "late.jsonl",
        "--since",
        "2026-11-21T00:00:00Z",
        "--types",
        "view",
    ]);
    assert_eq!((&since["events"], &since["unselected"]), (&json!(0), &json!(5)));
}

#[test]
fn interactions_go_through_parquet() {
    let site = Site::of("shop");
    let rows = "id,type,user,session,item,time,value,context.device\n\
                e1,view,u1,,i1,2026-11-20T05:00:00.123456Z,2.5,tv\n\
                e2,cart,,s1,i2,2026-11-21T05:00:00Z,,\n";
    import(&site, "events.csv", rows, &[]);
    let written = site.json(&["export", "--format", "parquet", "--output", "events.parquet"]);
    assert_eq!(written["events"], 2);
    let path = site.path("events.parquet");
    let report = site.json(&["--data-dir", "second", "import", path.to_str().unwrap()]);
    assert_eq!((&report["events"], &report["refused"]["rows"]), (&json!(2), &json!(0)));
    let without_received = |data_dir: &str| {
        let mut events = exported(&site, &site.path(data_dir));
        for event in &mut events {
            event.as_object_mut().unwrap().remove("received");
        }
        events
    };
    assert_eq!(without_received("second"), without_received("headwater-data"));
    let broken = site.write("broken.parquet", "not parquet");
    assert_eq!(site.fails(&["import", broken.to_str().unwrap()], 1)["code"], "import");
}

#[test]
fn a_preset_brings_its_own_settings_where_there_are_none() {
    let site = Site::new();
    let sequence: String = (0..200).map(|n| format!("{} {}\n", n / 10, n % 17)).collect();
    let report = import(&site, "sequence.txt", &sequence, &["--preset", "sequence"]);
    assert_eq!((&report["settings_written"], &report["events"]), (&json!(true), &json!(200)));
    assert!(site.path("headwater-data/headwater.toml").is_file());
    assert_eq!(site.json(&["train", "--set", "factors=4"])["promoted"], true);

    let other = Site::of("shop");
    other.write("sequence.txt", &sequence);
    let error = other.fails(&["import", "sequence.txt", "--preset", "sequence"], 1);
    assert_eq!(error["code"], "settings_lack");
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_keeps_what_it_read() {
    let site = Site::of("shop");
    let pipe = site.path("events.jsonl");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = site.command(&["import", pipe.to_str().unwrap(), "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opening waits for the reader, which is there once signals are caught.
    let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let lines = |from: usize| -> String {
        let line = |n: usize| {
            json!({ "id": format!("e{n}"), "type": "view", "user": "u1", "item": "i1" }).to_string() + "\n"
        };
        (from..from + 5_000).map(line).collect()
    };
    writer.write_all(lines(0).as_bytes()).unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("stopping") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the import ended without noticing the signal");
    }
    // The reader may be gone before it has all of them.
    let _ = writer.write_all(lines(5_000).as_bytes());
    drop(writer);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["code"], "interrupted");
    let stored = exported(&site, &site.path("headwater-data")).len();
    assert!(stored <= 5_000, "{stored}");

    std::fs::remove_file(&pipe).unwrap();
    let again = import(&site, "events.jsonl", &(lines(0) + &lines(5_000)), &[]);
    assert_eq!((&again["events"], &again["duplicates"]), (&json!(10_000 - stored), &json!(stored)));
}
