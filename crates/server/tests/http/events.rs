//! `POST /v1/events`.

use serde_json::json;

use crate::server::Server;

const CLICK: &str = r#"{"id":"e1","type":"click","user":"u1","session":"s9","item":"i42","time":"2026-11-24T05:00:00.123Z","value":1.0,"request_id":"r7","context":{"device":"mobile"}}"#;

#[tokio::test]
async fn an_accepted_event_is_in_the_log_once() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let first = client.post("/v1/events", CLICK).await;
    assert_eq!((first.status, first.json()), (200, json!({"accepted": 1, "duplicates": 0, "refused": []})));
    let again = client.post("/v1/events", CLICK).await;
    assert_eq!(again.json(), json!({"accepted": 0, "duplicates": 1, "refused": []}));
    use headwater_log::{EventLog as _, Partition};
    let batch = server.log.read(Partition(0), 0, 10).unwrap();
    assert_eq!(batch.events.len(), 1);
    assert_eq!(batch.events[0].time.to_string(), "2026-11-24T05:00:00.123Z");
    assert_eq!(batch.events[0].received.to_string(), crate::server::NOW);
}

#[tokio::test]
async fn the_good_half_of_a_batch_is_stored_and_the_bad_half_is_listed() {
    let server = Server::open().await;
    let body = format!(
        r#"[{CLICK},{{"type":"clik","user":"u","item":"i"}},{{"type":"click","user":"u","item":"i1"}},
            {{"type":"click","user":"u"}},{{"type":"click","user":"u","item":"i","value":1e999}},{CLICK},
            {{"type":"click","user":"u","item":"i","time":"2026-11-24T05:06:00Z"}}]"#
    );
    let reply = server.client().await.post("/v1/events", &body).await;
    assert_eq!(reply.status, 200);
    insta::assert_json_snapshot!(reply.json());
}

#[tokio::test]
async fn lines_are_taken_by_content_type_and_by_looks() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let line = |id: &str| format!(r#"{{"id":"{id}","type":"click","user":"u","item":"i"}}"#);
    let typed = [("content-type", "application/x-ndjson")];
    let reply = client.send("POST", "/v1/events", &typed, &line("a")).await;
    assert_eq!(reply.json()["accepted"], 1);
    let lines = format!("{}\n{{\"type\":\n{}\n", line("b"), line("c"));
    let reply = client.send("POST", "/v1/events", &typed, &lines).await;
    assert_eq!((reply.status, reply.json()["accepted"].clone()), (200, json!(2)));
    assert_eq!(reply.json()["refused"][0]["code"], "malformed_json");
    assert_eq!(reply.json()["refused"][0]["index"], 1);
    let reply = client.post("/v1/events", &format!("{}\n{}", line("d"), line("e"))).await;
    assert_eq!(reply.json()["accepted"], 2);
}

#[tokio::test]
async fn one_bad_event_alone_is_a_problem() {
    let server = Server::open().await;
    let reply = server.client().await.post("/v1/events", r#"{"type":"clik","user":"u","item":"i"}"#).await;
    assert_eq!(reply.status, 422);
    insta::assert_json_snapshot!(reply.json());
}

#[tokio::test]
async fn malformed_json_says_where() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let reply = client.post("/v1/events", "[{\"type\": \"click\",\n  oops}]").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "malformed_json"));
    assert!(reply.json()["expected"].as_str().unwrap().contains("line 2 column 3"), "{reply:?}");
    let reply = client.post("/v1/events", r#"{"type":"click","user":"u","item":"i","value":NaN}"#).await;
    assert_eq!(reply.code(), "malformed_json");
    assert_eq!(client.post("/v1/events", "").await.code(), "malformed_json");
    assert_eq!(client.post("/v1/events", "\"event\"").await.code(), "wrong_type");
}

#[tokio::test]
async fn a_session_becomes_a_users() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let body = r#"[{"type":"click","session":"s1","item":"i1"},{"type":"merge","session":"s1","user":"u1"}]"#;
    assert_eq!(client.post("/v1/events", body).await.json()["accepted"], 2);
    assert_eq!(client.get("/v1/users/u1").await.json()["interactions"], 1);
}

#[tokio::test]
async fn events_without_id_or_time_get_both() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let click = r#"{"type":"click","user":"u","item":"i"}"#;
    assert_eq!(client.post("/v1/events", &format!("[{click},{click}]")).await.json()["accepted"], 2);
    assert_eq!(client.post("/v1/events", click).await.json()["accepted"], 1);
}

#[tokio::test]
async fn an_empty_batch_stores_nothing() {
    let server = Server::open().await;
    let reply = server.client().await.post("/v1/events", "[]").await;
    assert_eq!((reply.status, reply.json()), (200, json!({"accepted": 0, "duplicates": 0, "refused": []})));
}
