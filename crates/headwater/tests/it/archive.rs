//! The archive as an operator and an analyst have it: archived beside a server, read back, read by other engines.

mod engines;

use std::sync::Arc;
use std::time::Duration;

use headwater::archiving;
use headwater::platform::{Layout, Platform, PlatformOptions};
use headwater::settings::{Keep, Period, Settings};
use headwater_base::time::ManualClock;
use headwater_base::{Actor, Clock, Event, EventId, Fact, Interaction, ItemId, Timestamp, UserId};
use headwater_log::archive::{Archive, Stream, Until};
use headwater_log::{LogReader, Partition};
use serde_json::{Value, json};

use crate::support::{Site, exported, text};

/// A shop in which things of every kind happened; some of it was recommended.
fn busy() -> Site {
    let site = Site::of("shop");
    let mut lines: Vec<Value> = (0..400)
        .map(|n| {
            json!({ "type": if n % 7 == 0 { "purchase" } else { "view" }, "user": format!("u{}", n % 23),
                "item": format!("i{}", n % 31), "value": n % 5,
                "context": { "device": if n % 2 == 0 { "tv" } else { "phone" } } })
        })
        .collect();
    lines.push(json!({ "type": "view", "session": "s1", "item": "i1" }));
    lines.push(json!({ "type": "merge", "session": "s1", "user": "u1" }));
    lines.push(json!({ "item_upsert": { "id": "i1", "fields": { "category": "schön", "price": 12.5 } } }));
    lines.push(json!({ "item_delete": { "id": "i30" } }));
    lines.push(json!({ "user_delete": { "id": "u22" } }));
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = site.write("events.jsonl", &lines);
    assert_eq!(site.json(&["import", path.to_str().unwrap()])["events"], 405);
    let key = site.json(&["keys", "create", "all", "--scopes", "read"]);
    let key = key["secret"].as_str().unwrap();
    let mut server = site.serve(&[]);
    // The user who was deleted is erased as the server starts: 17 interactions and the deletion.
    server.logs("erased users=1");
    for user in 0..20 {
        let ask = json!({ "surface": "home", "user": format!("u{user}"), "limit": 5 });
        assert_eq!(server.request("POST", "/v1/recommend", key, &ask).0, 200);
    }
    assert_eq!(site.json(&["archive", "--now"])["decisions"]["records"], 20, "beside the server");
    assert_eq!(server.terminate().1, Some(0));
    site
}

#[test]
fn what_is_archived_is_exported_as_from_the_log() {
    let site = busy();
    let again = site.json(&["archive", "--now"]);
    assert_eq!((&again["events"]["records"], &again["events"]["position"]), (&json!(0), &json!(405)));
    let output = site.run(&["export", "--from-archive"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 405 - 18);
    assert_eq!(lines, exported(&site, &site.path("headwater-data")));

    site.json(&["export", "--from-archive", "--output", "all.jsonl"]);
    let restored = site.json(&["--data-dir", "restored", "import", "all.jsonl"]);
    assert_eq!(restored["events"], 405 - 18);
}

#[test]
fn today_waits_unless_it_is_asked_for() {
    let site = Site::of("shop");
    let path = site.write("events.jsonl", &json!({ "type": "view", "user": "u", "item": "i" }).to_string());
    site.json(&["import", path.to_str().unwrap()]);
    let error = site.fails(&["export", "--from-archive", "--output", "x.jsonl"], 1);
    assert_eq!(error["code"], "archive");
    assert!(error["help"].as_str().unwrap().contains("headwater archive --now"), "{error}");
    let later = site.json(&["archive"]);
    assert_eq!((&later["events"]["files"], &later["events"]["waiting"]), (&json!(0), &json!(1)));
    let told = site.run(&["archive"]);
    assert!(text(&told.stdout).contains("1 record of a day that is not over"), "{}", text(&told.stdout));
    let now = site.json(&["archive", "--now"]);
    assert_eq!((&now["events"]["files"], &now["events"]["waiting"]), (&json!(1), &json!(0)));
    // The folder of another log.
    site.json(&["init", "--template", "shop", "--force"]);
    let error = site.command(&["--data-dir", "other", "archive", "--now", "--json"]);
    let output =
        { error }.env("HEADWATER_ARCHIVE__FOLDER", site.path("headwater-data/archive")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("do not belong together"), "{}", text(&output.stdout));
}

#[test]
fn an_archive_within_the_log_is_refused() {
    let site = Site::of("shop");
    for (folder, retention) in [("events/parquet", "30d"), ("", "30d"), ("archive", "1h")] {
        let output = site
            .command(&["check", "--json"])
            .env("HEADWATER_ARCHIVE__FOLDER", folder)
            .env("HEADWATER_ARCHIVE__RETENTION", retention)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{folder} {retention}");
        assert!(text(&output.stdout).contains("`archive."), "{}", text(&output.stdout));
    }
}

/// What a server deletes by age, with the archive ready or not.
#[test]
fn the_log_deletes_nothing_that_is_not_archived() {
    let folder = tempfile::tempdir().unwrap();
    let then = Timestamp::from_seconds(1_764_000_000);
    let clock = Arc::new(ManualClock::at(then));
    let ambient: Arc<dyn Clock> = clock.clone();
    let mut settings = Settings::default();
    settings.log.segment_size.0 = 64 << 10;
    settings.log.retention = Keep::For(Period::days(1));
    settings.archive.enabled = true;
    let start_after_a_run = || {
        let platform =
            Platform::open(&settings, folder.path(), PlatformOptions::default(), &ambient).unwrap();
        platform.shutdown().unwrap();
        LogReader::open(&Layout::of(folder.path()).events).unwrap().start()
    };

    let store = headwater::platform::Store::open(&settings, folder.path(), &ambient).unwrap();
    let events = (0..4000).map(|n| Event {
        id: EventId::trusted(format!("event-{n}")),
        time: then,
        received: then,
        fact: Fact::Interaction(Interaction {
            kind: "view".into(),
            actor: Actor::user(UserId::trusted("u")),
            item: ItemId::trusted("i"),
            value: None,
            request_id: None,
            context: headwater_base::Fields::default(),
        }),
    });
    use headwater_log::EventLog as _;
    for batch in events.collect::<Vec<_>>().chunks(500) {
        store.log.append(batch.to_vec()).wait().unwrap();
    }
    store.close().unwrap();
    drop(store);
    clock.set(then.plus(Duration::from_secs(10 * 86_400)));

    // Somebody else is at work in the archive, so that the server cannot archive.
    let archive = settings.archive_folder(folder.path());
    std::fs::create_dir_all(&archive).unwrap();
    let lock = std::fs::File::create(archive.join("lock")).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(start_after_a_run(), 0);
    lock.unlock().unwrap();

    let reader = LogReader::open(&Layout::of(folder.path()).events).unwrap();
    let decisions = LogReader::open(&Layout::of(folder.path()).decisions).unwrap();
    let archive = Archive::in_folder(&archive).unwrap();
    let round = archiving::round(
        &archive,
        [(Stream::Events, &reader), (Stream::Decisions, &decisions)],
        Until::Closed(clock.now()),
        settings.archive.retention,
        clock.now(),
        &mut |_, _, _| true,
    );
    assert_eq!(round.unwrap().events.records, 4000);
    assert!(start_after_a_run() > 0);
    assert_eq!(archive.read(Stream::Events, Partition(0), 0).unwrap().count(), 4000);
}
