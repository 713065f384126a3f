//! The loop from outside: import, train, serve, an event, a changed answer, its explanation, a restart.

use serde_json::{Value, json};

use crate::support::{Server, Site};

/// Two tastes: even users touch a0..a19, odd ones b0..b19, each item of it but their own five.
fn two_tastes(site: &Site) {
    let mut rows = String::from("type,user,item,time\n");
    for user in 0..40 {
        let taste = if user % 2 == 0 { 'a' } else { 'b' };
        for step in 0..15 {
            let item = (user / 2 + step) % 20;
            rows += &format!("view,u{user},{taste}{item},{}\n", 1_790_000_000 + user * 100 + step);
        }
    }
    let path = site.write("events.csv", &rows);
    let report = site.json(&["import", path.to_str().unwrap()]);
    assert_eq!(report["events"], 600);
}

fn key(site: &Site) -> String {
    let created = site.json(&["keys", "create", "test", "--scopes", "ingest,read,admin"]);
    created["secret"].as_str().unwrap().to_owned()
}

fn recommend(server: &Server, key: &str, user: &str) -> Value {
    let body = json!({ "surface": "home", "user": user, "limit": 10 });
    let (status, answer) = server.request("POST", "/v1/recommend", key, &body);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn items(answer: &Value) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_event_changes_the_next_answer_and_a_restart_keeps_it() {
    let site = Site::of("video");
    let settings = std::fs::read_to_string(site.path("headwater.toml")).unwrap();
    site.write("headwater.toml", &(settings + "\n[interactions.view]\nweight = 1.0\n"));
    two_tastes(&site);
    let trained = site.json(&["train", "--model", "ials", "--set", "factors=8"]);
    assert_eq!((&trained["version"], &trained["promoted"]), (&json!(1), &json!(true)));
    let key = key(&site);
    let server = site.serve(&[]);

    assert_ne!(recommend(&server, &key, "new")["rung"], "personal");
    let events: Vec<Value> =
        (0..3).map(|item| json!({ "type": "view", "user": "new", "item": format!("b{item}") })).collect();
    let (status, accepted) = server.request("POST", "/v1/events", &key, &json!(events));
    assert_eq!((status, &accepted["accepted"]), (200, &json!(3)), "{accepted}");
    let answer = recommend(&server, &key, "new");
    assert_eq!((&answer["rung"], &answer["model"]), (&json!("personal"), &json!("ials@1")));
    let shown = items(&answer);
    assert!(shown[..5].iter().all(|item| item.starts_with('b')), "{shown:?}");
    assert!(["b0", "b1", "b2"].iter().all(|seen| !shown.contains(&(*seen).to_owned())), "{shown:?}");

    let request_id = answer["request_id"].as_str().unwrap().to_owned();
    let decision = |server: &Server| {
        let (status, decision) =
            server.request("GET", &format!("/v1/decisions/{request_id}"), &key, &Value::Null);
        assert_eq!((status, &decision["request_id"]), (200, &json!(request_id)), "{decision}");
        decision
    };
    let before = decision(&server);
    let (rest, code) = server.terminate();
    assert_eq!((rest.as_str(), code), ("", Some(0)));

    let mut server = site.serve(&[]);
    assert_eq!(items(&recommend(&server, &key, "new")), shown);
    assert_eq!(decision(&server), before);

    // Another process promotes; the running server takes it over.
    site.json(&["train", "--set", "factors=4", "--promote"]);
    server.logs("ials@2");
    assert_eq!(recommend(&server, &key, "u0")["model"], "ials@2");
}

/// A second is promised; what is acknowledged is in the very next answer that is not from the cache.
#[test]
fn a_new_item_is_in_the_answers_of_who_it_suits_once_its_first_event_is_acknowledged() {
    let site = Site::new();
    let surface = |source| {
        format!("[surfaces.{source}]\nsources = [\"{source}\"]\nfilters = [\"seen\", \"available\"]\n\n")
    };
    let settings = surface("sessions") + &surface("neighbours");
    site.write(
        "headwater.toml",
        &format!("[interactions.view]\n\n{settings}[server]\nlisten = \"127.0.0.1:0\"\n"),
    );
    let key = key(&site);
    let mut server = site.serve(&[]);
    let send = |server: &Server, actor: &str, item: &str| {
        let event = json!({ "type": "view", "session": actor, "item": item });
        let (status, accepted) = server.request("POST", "/v1/events", &key, &event);
        assert_eq!((status, &accepted["accepted"]), (200, &json!(1)), "{accepted}");
    };
    let ask = |server: &Server, surface: &str, session: &str| {
        let body = json!({ "surface": surface, "session": session, "limit": 3 });
        let (status, answer) = server.request("POST", "/v1/recommend", &key, &body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    send(&server, "asking", "tent");
    send(&server, "another", "tent");
    for item in ["first-new", "second-new"] {
        send(&server, "another", item);
        for surface in ["sessions", "neighbours"] {
            let answer = ask(&server, surface, &format!("asking-{item}-{surface}"));
            assert!(!items(&answer).is_empty() && answer["rung"] != "neighbours", "{answer}");
            send(&server, &format!("asking-{item}-{surface}"), "tent");
            let answer = ask(&server, surface, &format!("asking-{item}-{surface}"));
            assert_eq!(answer["rung"], "neighbours", "{answer}");
            let found = &answer["items"].as_array().unwrap().iter().find(|found| found["id"] == item);
            assert_eq!(found.unwrap()["source"], surface, "{answer}");
        }
    }
    // And so after a restart, from the checkpoint and from the log.
    assert_eq!(server.terminate().1, Some(0));
    server = site.serve(&[]);
    assert!(items(&ask(&server, "sessions", "asking")).contains(&"second-new".to_owned()));
}

/// The promise is a second; how long it takes is said by `headwater bench freshness`.
#[test]
fn an_upserted_item_is_in_the_answers_of_who_likes_items_like_it() {
    let site = Site::of("video");
    let settings = std::fs::read_to_string(site.path("headwater.toml")).unwrap();
    let surfaces = "\n[interactions.view]\nweight = 1.0\n[surfaces.taste]\nsources = [\"ials\"]\nfilters = [\"seen\", \"available\"]\n";
    let training = "[training.ials]\nfactors = 8\ncontent = [\"genre\"]\n";
    site.write("headwater.toml", &format!("{settings}{surfaces}{training}"));
    two_tastes(&site);
    let server = site.serve(&["--open"]);
    let upsert = |item: &str, genre: &str| {
        let (status, reply) =
            server.request("PUT", &format!("/v1/items/{item}"), "", &json!({ "genre": genre }));
        assert_eq!(status, 200, "{reply}");
    };
    for number in 0..20 {
        upsert(&format!("a{number}"), "drama");
        upsert(&format!("b{number}"), "comedy");
    }
    site.json(&["train", "--model", "ials"]);
    let ask = |user: &str| {
        let body = json!({ "surface": "taste", "user": user, "limit": 6 });
        let (status, answer) = server.request("POST", "/v1/recommend", "", &body);
        assert_eq!(status, 200, "{answer}");
        items(&answer)
    };
    // The new model, and then the item, come with a snapshot of their own.
    let until = |what: &dyn Fn() -> bool| assert!((0..20_000).any(|_| what()), "asked 20,000 times");
    until(&|| !ask("u0").is_empty());
    upsert("new-drama", "drama");
    until(&|| ask("u0").contains(&"new-drama".to_owned()));
    assert!(!ask("u1").contains(&"new-drama".to_owned()), "{:?}", ask("u1"));
}

#[test]
fn one_process_at_a_time_writes_a_folder() {
    let site = Site::of("shop");
    let server = site.serve(&[]);
    let path = site.write("events.csv", "type,user,item\nview,u1,i1\n");
    let error = site.fails(&["import", path.to_str().unwrap()], 1);
    assert_eq!(error["code"], "locked");
    assert!(error["help"].as_str().unwrap().contains("stop it"), "{error}");
    assert_eq!(site.json(&["export", "--output", "events.jsonl"])["events"], 0);
    drop(server);
    assert_eq!(site.json(&["import", path.to_str().unwrap()])["events"], 1);
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_is_opened() {
    let site = Site::of("shop");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(site.fails(&["serve", "--listen", &address], 1)["code"], "listen");
    assert!(!site.path("headwater-data").exists());
}

#[test]
fn requests_without_a_key_are_refused_unless_the_server_is_open() {
    let site = Site::of("shop");
    let ask = json!({ "surface": "home", "user": "u1" });
    let server = site.serve(&[]);
    assert_eq!(server.request("POST", "/v1/recommend", "", &ask).0, 401);
    drop(server);
    let server = site.serve(&["--open"]);
    assert_eq!(server.request("POST", "/v1/recommend", "", &ask).0, 200);
}

#[test]
fn a_graph_filter_is_trained_promoted_and_serves_the_next_event() {
    let site = Site::of("video");
    let settings = std::fs::read_to_string(site.path("headwater.toml")).unwrap();
    let surfaces =
        "\n[interactions.view]\nweight = 1.0\n[surfaces.graph]\nsources = [\"filter\", \"popular\"]\n";
    site.write("headwater.toml", &format!("{settings}{surfaces}[training.filter]\ncomponents = 16\n"));
    two_tastes(&site);
    let trained = site.json(&["train", "--model", "filter", "--set", "neighbours=30"]);
    assert_eq!((&trained["model"], &trained["promoted"]), (&json!("filter"), &json!(true)));
    assert_eq!(
        (&trained["options"]["components"], &trained["options"]["neighbours"]),
        (&json!(16), &json!(30))
    );
    assert_eq!(site.fails(&["train", "--model", "filter", "--set", "factors=8"], 2)["code"], "usage");
    let server = site.serve(&["--open"]);
    let ask = |body: Value| {
        let (status, answer) = server.request("POST", "/v1/recommend", "", &body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let personal = json!({ "surface": "graph", "user": "new", "limit": 5 });
    assert_ne!(ask(personal.clone())["rung"], "personal");
    let event = json!([{ "type": "view", "user": "new", "item": "b3" }]);
    assert_eq!(server.request("POST", "/v1/events", "", &event).0, 200);
    let answer = ask(personal);
    assert_eq!((&answer["rung"], &answer["model"]), (&json!("personal"), &json!("filter@1")));
    assert!(items(&answer).iter().all(|item| item.starts_with('b') && item != "b3"), "{answer}");
    let similar = ask(json!({ "surface": "graph", "item": "a0", "limit": 5 }));
    assert!(items(&similar).iter().all(|item| item.starts_with('a') && item != "a0"), "{similar}");
}

#[test]
fn a_blend_is_trained_with_its_members_and_serves_the_next_event() {
    let site = Site::of("video");
    let settings = std::fs::read_to_string(site.path("headwater.toml")).unwrap();
    let surfaces =
        "\n[interactions.view]\nweight = 1.0\n[surfaces.mixed]\nsources = [\"blend\", \"popular\"]\n";
    let training = "[training.ials]\nfactors = 8\n[training.blend]\nmembers = [\"ials\", \"peers\"]\n";
    site.write("headwater.toml", &format!("{settings}{surfaces}{training}"));
    two_tastes(&site);
    let trained = site.json(&["train", "--model", "blend", "--set", "peers.nearest=30"]);
    assert_eq!((&trained["model"], &trained["promoted"]), (&json!("blend"), &json!(true)));
    let options = &trained["options"];
    assert_eq!((&options["ials.factors"], &options["peers.nearest"]), (&json!(8), &json!(30)));
    let members = options["members"].as_str().unwrap();
    assert!(members.starts_with("ials:") && members.contains(", peers:"), "{members}");
    assert_eq!(site.fails(&["train", "--model", "blend", "--set", "members=dcn"], 2)["code"], "usage");
    let server = site.serve(&["--open"]);
    let ask = |body: Value| {
        let (status, answer) = server.request("POST", "/v1/recommend", "", &body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let personal = json!({ "surface": "mixed", "user": "new", "limit": 5 });
    assert_ne!(ask(personal.clone())["rung"], "personal");
    let event = json!([{ "type": "view", "user": "new", "item": "b3" }]);
    assert_eq!(server.request("POST", "/v1/events", "", &event).0, 200);
    let answer = ask(personal);
    assert_eq!((&answer["rung"], &answer["model"]), (&json!("personal"), &json!("blend@1")));
    assert!(items(&answer).iter().all(|item| item.starts_with('b') && item != "b3"), "{answer}");
    let similar = ask(json!({ "surface": "mixed", "item": "a0", "limit": 5 }));
    assert!(items(&similar).iter().all(|item| item.starts_with('a') && item != "a0"), "{similar}");
}
