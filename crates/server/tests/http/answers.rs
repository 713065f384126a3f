//! `POST /v1/recommend`, `POST /v1/rank`, `GET /v1/items/{id}/similar`, `GET /v1/decisions/{request_id}`.

use serde_json::json;

use crate::client::Client;
use crate::server::Server;

/// Three people with one taste.
async fn tastes(client: &mut Client) {
    let mut events = Vec::new();
    for user in ["u1", "u2", "u3"] {
        for item in ["i1", "i2", "i3"] {
            events.push(json!({"id": format!("{user}{item}"), "type": "click", "user": user, "item": item}));
        }
    }
    let reply = client.post("/v1/events", &json!(events).to_string()).await;
    assert_eq!(reply.json()["accepted"], 9);
}

fn ids(reply: &serde_json::Value) -> Vec<&str> {
    reply["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_acknowledged_event_is_in_the_very_next_answer() {
    let server = Server::open().await;
    let mut client = server.client().await;
    tastes(&mut client).await;
    let ask = r#"{"surface":"home","user":"new","limit":3}"#;
    let stranger = client.post("/v1/recommend", ask).await.json();
    assert_eq!((stranger["rung"].as_str(), ids(&stranger).len()), (Some("trending"), 3));
    client.post("/v1/events", r#"{"type":"click","user":"new","item":"i1"}"#).await;
    let known = client.post("/v1/recommend", ask).await.json();
    assert_eq!(known["rung"], "neighbours");
    assert!(!ids(&known).contains(&"i1"));
}

#[tokio::test]
async fn an_answer_has_the_promised_shape_and_can_be_looked_up() {
    let server = Server::open().await;
    let mut client = server.client().await;
    tastes(&mut client).await;
    client.post("/v1/events", r#"{"id":"x","type":"click","user":"u4","item":"i1"}"#).await;
    let ask = r#"{"surface":"home","user":"u4","session":"s9","item":null,"limit":20,"context":{"device":"tv"},"exclude":[]}"#;
    let answer = client.post("/v1/recommend", ask).await;
    assert_eq!(answer.status, 200);
    let redacted = |value: &serde_json::Value| {
        let mut value = value.clone();
        value["request_id"] = json!("[request id]");
        for item in value["items"].as_array_mut().unwrap() {
            assert!(item["score"].as_f64().unwrap() > 0.0);
            item["score"] = json!("[score]");
        }
        value
    };
    insta::assert_json_snapshot!("answer", redacted(&answer.json()));

    let request_id = answer.json()["request_id"].as_str().unwrap().to_owned();
    let decision = client.get(&format!("/v1/decisions/{request_id}")).await;
    assert_eq!((decision.status, &decision.json()["request_id"]), (200, &json!(request_id)));
    insta::assert_json_snapshot!("decision", redacted(&decision.json()));
    let unknown = client.get("/v1/decisions/unheard-of").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "unknown_decision"));
}

#[tokio::test]
async fn an_explanation_lists_sources_and_what_was_filtered() {
    let server = Server::open().await;
    let mut client = server.client().await;
    tastes(&mut client).await;
    client.post("/v1/events", r#"{"id":"x","type":"click","user":"u4","item":"i1"}"#).await;
    let ask = r#"{"surface":"home","user":"u4","limit":5}"#;
    let explained = client.post("/v1/recommend?explain=true", ask).await.json();
    let explanation = &explained["explanation"];
    assert_eq!(explanation["items"][0]["sources"][0]["source"], "neighbours");
    assert_eq!(explanation["filtered"]["seen"], 1);
    assert_eq!(explanation["refused"][0], json!({"id": "i1", "filter": "seen"}));
    assert!(client.post("/v1/recommend", ask).await.json().get("explanation").is_none());
}

#[tokio::test]
async fn similar_answers_for_known_items_only() {
    let server = Server::open().await;
    let mut client = server.client().await;
    tastes(&mut client).await;
    let similar = client.get("/v1/items/i1/similar?limit=2").await.json();
    assert_eq!((similar["surface"].as_str(), ids(&similar)), (Some("similar"), vec!["i2", "i3"]));
    assert_eq!(client.get("/v1/items/nothing/similar").await.code(), "unknown_item");
    assert_eq!(client.get("/v1/items/i1/similar?limit=many").await.code(), "malformed_request");
    assert_eq!(client.get("/v1/items/i1/similar?limit=100000").await.code(), "out_of_range");
}

#[tokio::test]
async fn ranking_returns_every_candidate() {
    let server = Server::open().await;
    let mut client = server.client().await;
    tastes(&mut client).await;
    let reply =
        client.post("/v1/rank", r#"{"surface":"home","user":"u1","items":["i9","i1","i9"]}"#).await.json();
    assert_eq!(ids(&reply), ["i9", "i1"]);
    assert_eq!(reply["items"][0]["score"], json!(null));
    let reply = client.post("/v1/rank", r#"{"surface":"home","user":"u1"}"#).await;
    assert_eq!((reply.code().as_str(), &reply.json()["field"]), ("missing_field", &json!("items")));
}

#[tokio::test]
async fn wrong_questions_name_the_field() {
    let server = Server::open().await;
    let mut client = server.client().await;
    for (body, status, code, field) in [
        (r#"{"user":"u"}"#, 422, "missing_field", "surface"),
        (r#"{"surface":"hom","user":"u"}"#, 422, "unknown_surface", "surface"),
        (r#"{"surface":"home","limit":"ten"}"#, 422, "wrong_type", "limit"),
        (r#"{"surface":"home","limit":0}"#, 422, "out_of_range", "limit"),
        (r#"{"surface":"home","limit":-1}"#, 422, "wrong_type", "limit"),
        (r#"{"surface":"home","exclude":"i1"}"#, 422, "wrong_type", "exclude"),
        (r#"{"surface":"home","usr":"u"}"#, 422, "unknown_field", "usr"),
        (r#"{"surface":"home","context":{"device":1}}"#, 422, "wrong_type", "context.device"),
        (r#"{"surface":"home","categories":{"colour":["red"]}}"#, 422, "unknown_field", "categories.colour"),
    ] {
        let reply = client.post("/v1/recommend", body).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{body}: {reply:?}");
        assert_eq!(reply.json()["field"], field, "{body}");
    }
    assert_eq!(client.post("/v1/recommend", "{").await.code(), "malformed_json");
    assert_eq!(client.post("/v1/recommend", "[]").await.code(), "wrong_type");
}
