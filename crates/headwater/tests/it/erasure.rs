//! A user who asks to be forgotten is in no file any more, and everybody else is where they were.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use headwater::platform::{Layout, Store};
use headwater::settings::Settings;
use headwater_base::time::ManualClock;
use headwater_base::{
    Actor, Clock, Event, EventId, Fact, Fields, Interaction, ItemId, SessionId, Timestamp, UserId,
};
use headwater_log::archive::{Archive, PartitionOf, Stream, Until};
use headwater_log::{DecisionLog, EventLog as _, Partition};
use serde_json::{Value, json};

use crate::support::{Server, Site, exported, text};

const GONE: &str = "somebody-who-left";
const THEIRS: &str = "a-session-of-theirs";

/// People who click around, one of them in all the ways in which a record can be somebody's.
fn import(site: &Site) {
    import_part(site, 0);
}

/// The `part`-th 400 of such clicks.
fn import_part(site: &Site, part: usize) {
    let mut lines = String::new();
    for at in part * 400..(part + 1) * 400 {
        let time = format!("2026-11-{:02}T{:02}:{:02}:00Z", 1 + part, at % 400 / 60, at % 60);
        let item = format!("i{}", at % 23);
        let mut line = json!({ "id": format!("e{at}"), "type": "view", "item": item, "time": time });
        match at % 10 {
            3 => line["user"] = json!(GONE),
            6 => line["session"] = json!(THEIRS),
            _ => line["user"] = json!(format!("u{}", at % 7)),
        }
        if at % 50 == 3 {
            line["id"] = json!(format!("{GONE}/{at}"));
            line["session"] = json!(THEIRS);
        }
        lines += &format!("{line}\n");
    }
    let path = site.write("events.jsonl", &lines);
    assert_eq!(site.json(&["import", path.to_str().unwrap()])["events"], 400);
    std::fs::remove_file(path).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Files below `folder` that hold `text`, in their names or in themselves.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = files(folder);
    assert!(found.len() > 5, "{found:?}");
    found.retain(|path| {
        let bytes = std::fs::read(path).unwrap();
        path.to_string_lossy().contains(text)
            || bytes.windows(text.len()).any(|window| window == text.as_bytes())
    });
    found
}

fn key(site: &Site) -> String {
    let created = site.json(&["keys", "create", "test", "--scopes", "ingest,read,admin"]);
    created["secret"].as_str().unwrap().to_owned()
}

fn recommend(server: &Server, key: &str, body: &Value) -> String {
    let (status, answer) = server.request("POST", "/v1/recommend", key, body);
    assert_eq!(status, 200, "{answer}");
    answer["request_id"].as_str().unwrap().to_owned()
}

/// Events that are not of the one who left.
fn others(site: &Site) -> Vec<Value> {
    let mut events = exported(site, &site.path("headwater-data"));
    events.retain(|event| !event.to_string().contains(GONE) && !event.to_string().contains(THEIRS));
    events
}

/// With short segments, and erasing every second where `often`.
fn site(often: bool) -> Site {
    let site = Site::of("shop");
    let settings = std::fs::read_to_string(site.path("headwater.toml")).unwrap();
    let period = if often { "1s" } else { "1d" };
    let logging = settings.replace("[surfaces.home]\n", "[surfaces.home]\nlogged_share = 1.0\n");
    assert_ne!(logging, settings, "the template has another surface");
    let settings = format!("{logging}\n[log]\nerasure = \"{period}\"\n");
    site.write("headwater.toml", &settings);
    site
}

#[test]
fn a_running_platform_erases_a_deleted_user_from_every_file() {
    erases_from_every_file(&site(true));
}

#[test]
fn a_running_platform_erases_a_deleted_user_whose_profile_is_on_the_disk() {
    let site = site(true);
    let settings = std::fs::read_to_string(site.path("headwater.toml")).unwrap();
    let limited = settings.replace("[views]\n", "[views]\nmemory_limit = \"0B\"\n");
    assert_ne!(limited, settings, "the template has no views");
    site.write("headwater.toml", &limited);
    let server = erases_from_every_file(&site);
    let metrics = server.request("GET", "/metrics", "", &Value::Null).1;
    assert!(metrics.to_string().contains("headwater_views_memory_bytes 0"), "{metrics}");
    // What a server that was killed leaves there is gone with the next start.
    let cold = site.path("headwater-data").join("views/cold");
    drop(server);
    std::fs::create_dir_all(&cold).unwrap();
    std::fs::write(cold.join("left"), GONE).unwrap();
    site.json(&["erase"]);
    assert!(!cold.join("left").exists());
}

fn erases_from_every_file(site: &Site) -> Server {
    import(site);
    let data = site.path("headwater-data");
    let key = key(site);
    let mut server = site.serve(&[]);
    let user = json!({ "surface": "home", "user": GONE });
    let theirs = recommend(&server, &key, &user);
    let as_session = recommend(&server, &key, &json!({ "surface": "home", "session": THEIRS }));
    let of_another = recommend(&server, &key, &json!({ "surface": "home", "user": "u1" }));
    let path = format!("/v1/users/{GONE}");
    let (status, _) = server.request("PUT", &path, &key, &json!({}));
    assert_eq!(status, 200);
    let kept = others(site);
    site.json(&["archive", "--now"]);
    for stream in ["events", "decisions"] {
        let archive = data.join("archive").join(stream);
        let held = holding(&data, GONE);
        assert!(held.iter().any(|path| path.starts_with(&archive)), "{stream} are not archived: {held:?}");
    }
    assert!(holding(&data, GONE).len() >= 2, "{:?}", holding(&data, GONE));

    let (status, reply) = server.request("DELETE", &path, &key, &Value::Null);
    assert_eq!(status, 200, "{reply}");
    assert_eq!(server.request("GET", &path, &key, &Value::Null).0, 404);
    server.logs("erased users=1 sessions=1");
    assert_eq!(holding(&data, GONE), [""; 0].map(PathBuf::from));
    // The answers of others can still be explained; theirs are gone.
    let explained = |id: &str| server.request("GET", &format!("/v1/decisions/{id}"), &key, &Value::Null).0;
    assert_eq!((explained(&theirs), explained(&as_session), explained(&of_another)), (404, 404, 200));
    // What is new after it is stored at the offsets that follow, and a new user is a user like any other.
    let back = json!({ "type": "view", "user": GONE, "item": "i1" });
    assert_eq!(server.request("POST", "/v1/events", &key, &back).1["accepted"], 1);
    assert_eq!(server.request("GET", &path, &key, &Value::Null).1["interactions"], 1);
    assert_eq!(server.request("DELETE", &path, &key, &Value::Null).0, 200);
    server.logs("erased users=1 sessions=0");
    assert_eq!(server.terminate().1, Some(0));
    for text in [GONE, THEIRS] {
        assert_eq!(holding(&data, text), [""; 0].map(PathBuf::from));
    }

    assert_eq!(others(site), kept);
    assert_eq!(exported(site, &data).len(), kept.len());
    let mut server = site.serve(&[]);
    server.logs("replayed=0");
    assert_eq!(server.request("GET", &path, &key, &Value::Null).0, 404);
    assert_eq!(server.request("GET", "/v1/users/u1", &key, &Value::Null).0, 200);
    server
}

#[test]
fn a_stopped_platform_is_erased_by_command_and_its_views_equal_a_replay() {
    let site = site(false);
    import(&site);
    let data = site.path("headwater-data");
    let kept = others(&site);
    site.json(&["archive", "--now"]);
    // What is prepared for a later start does not keep them either.
    site.json(&["features", "backfill"]);
    assert!(holding(&data, GONE).iter().any(|path| path.to_string_lossy().contains("prepared-")));
    let erased = site.json(&["erase", GONE]);
    // The deletion itself is not archived yet.
    assert_eq!((&erased["archived_files"], &erased["archived_records"]), (&json!(1), &json!(80)));
    assert_eq!(
        (&erased["users"], &erased["sessions"], &erased["records"]),
        (&json!(1), &json!(1), &json!(81))
    );
    assert_eq!(erased["complete"], true);
    for text in [GONE, THEIRS] {
        assert_eq!(holding(&data, text), [""; 0].map(PathBuf::from));
    }
    assert_eq!(others(&site), kept);
    assert_eq!(site.json(&["erase"])["users"], 0);

    // A start from the checkpoint ends in the same bytes as one that replays the whole log.
    let checkpoint = || {
        let mut found = files(&data.join("views"));
        found.retain(|path| path.extension().is_some_and(|extension| extension == "views"));
        found.sort();
        std::fs::read(found.last().unwrap()).unwrap()
    };
    let empty = site.write("nothing.jsonl", "");
    site.json(&["import", empty.to_str().unwrap()]);
    let from_checkpoint = checkpoint();
    for file in files(&data.join("views")) {
        std::fs::remove_file(file).unwrap();
    }
    site.json(&["import", empty.to_str().unwrap()]);
    assert_eq!(checkpoint(), from_checkpoint);
}

/// Runs `erase` until it has said for so many times that something is erased, and kills it there; whether it got there,
/// and whether it was still at work.
fn killed_after(site: &Site, steps: usize) -> (bool, bool) {
    let mut command = site.command(&["erase", GONE, "--log", "headwater=info,headwater_log=debug"]);
    let mut erase = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(erase.stderr.take().unwrap()).lines().map(Result::unwrap);
    let reached = lines.by_ref().filter(|line| line.contains("erased records of")).nth(steps).is_some();
    if reached {
        erase.kill().unwrap();
    }
    drop(lines);
    let status = erase.wait().unwrap();
    assert!(reached || status.success(), "{status}");
    (reached, !status.success())
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let copied = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(copied.parent().unwrap()).unwrap();
        std::fs::copy(path, copied).unwrap();
    }
}

#[test]
fn an_erasure_that_is_killed_goes_on_with_the_next() {
    let made = site(false);
    let settings = std::fs::read_to_string(made.path("headwater.toml")).unwrap();
    made.write("headwater.toml", &settings.replace("[log]\n", "[log]\nsegment_size = \"64KiB\"\n"));
    for part in 0..4 {
        import_part(&made, part);
        made.json(&["archive", "--now"]);
    }
    let kept = others(&made);
    let (mut killed, mut before_the_archive_was_done) = (0, 0);
    for steps in 0.. {
        let site = Site::new();
        copy(made.folder.path(), site.folder.path());
        let data = site.path("headwater-data");
        let archived = || {
            let held = holding(&data, GONE).into_iter();
            held.filter(|path| path.starts_with(data.join("archive"))).count()
        };
        assert_eq!(archived(), 4);
        let (reached, at_work) = killed_after(&site, steps);
        if at_work {
            killed += 1;
            before_the_archive_was_done += usize::from(archived() > 0);
            assert_eq!(site.json(&["erase"])["complete"], true);
        }
        for text in [GONE, THEIRS] {
            assert_eq!(holding(&data, text), [""; 0].map(PathBuf::from), "killed after {steps} steps");
        }
        assert_eq!(others(&site), kept, "killed after {steps} steps");
        let output = site.run(&["export", "--from-archive"]);
        assert_eq!(text(&output.stdout).lines().count(), kept.len(), "killed after {steps} steps");
        if !reached {
            assert!(steps >= 6, "two segments and four files, not {steps}");
            break;
        }
    }
    assert!(killed > 2 && before_the_archive_was_done > 1, "{killed}, {before_the_archive_was_done}");
}

/// The log's beginning, and with it the merge that says whose the session is, is only in the archive.
#[test]
fn a_session_of_which_only_the_archive_knows_whose_it_was_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_764_000_000)));
    let ambient: Arc<dyn Clock> = clock.clone();
    let mut settings = Settings::default();
    settings.log.segment_size.0 = 64 << 10;
    let store = Store::open(&settings, folder.path(), &ambient).unwrap();
    let (decisions, _) = DecisionLog::open(
        &Layout::of(folder.path()).decisions,
        settings.decision_options(),
        Arc::clone(&ambient),
    )
    .unwrap();
    let append = |facts: Vec<Fact>| {
        let now = clock.now();
        let event = |fact| Event { id: EventId::default(), time: now, received: now, fact };
        store.log.append(facts.into_iter().map(event).collect()).wait().unwrap();
    };
    let view = |actor: Actor| {
        let (kind, item) = ("view".into(), ItemId::trusted("i"));
        Fact::Interaction(Interaction {
            kind,
            actor,
            item,
            value: None,
            request_id: None,
            context: Fields::default(),
        })
    };
    let (gone, theirs) = (UserId::trusted(GONE), SessionId::trusted(THEIRS));
    append(vec![
        view(Actor::session(theirs.clone())),
        Fact::Merge { session: theirs.clone(), user: gone.clone() },
    ]);
    for _ in 0..20 {
        append(vec![view(Actor::user(UserId::trusted("somebody-else"))); 200]);
    }
    let archive = Arc::new(Archive::in_folder(&settings.archive_folder(folder.path())).unwrap());
    let events = PartitionOf(&*store.log, Partition(0));
    archive.archive(Stream::Events, Partition(0), &events, Until::Now, &mut |_, _| true).unwrap();
    clock.set(clock.now().plus(Duration::from_secs(10 * 86_400)));
    store.log.truncate(clock.now().minus(Duration::from_secs(86_400))).unwrap();
    assert!(store.log.start().offset(Partition(0)) > 2);

    append(vec![view(Actor::session(theirs)), Fact::UserDelete { user: gone }]);
    let report = store.eraser(&Arc::new(decisions), &settings).run(&|| true).unwrap();
    assert_eq!((report.users, report.sessions, report.complete), (1, 1, true));
    assert_eq!((report.records, report.archived_records), (2, 2));
    store.close().unwrap();
    for text in [GONE, THEIRS] {
        assert_eq!(holding(folder.path(), text), [""; 0].map(PathBuf::from));
    }
    assert!(!holding(folder.path(), "somebody-else").is_empty());
}

#[test]
fn a_running_server_is_not_erased_from_beside() {
    let site = site(false);
    import(&site);
    let server = site.serve(&[]);
    let error = site.fails(&["erase", GONE], 1);
    assert_eq!(error["code"], "locked");
    assert!(error["help"].as_str().unwrap().contains("DELETE /v1/users/{id}"), "{error}");
    drop(server);
    assert_eq!(site.fails(&["erase", ""], 2)["code"], "usage");
    assert_eq!(site.fails(&["erase", GONE, "--data-dir", "misspelt"], 1)["code"], "no_log");
    assert!(!site.path("misspelt").exists());
}
