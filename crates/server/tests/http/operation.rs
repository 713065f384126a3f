//! Health, metrics, the OpenAPI document, tracing and shutdown.

use std::collections::BTreeSet;

use headwater_server::routes::table;
use serde_json::Value;

use crate::server::Server;

#[tokio::test]
async fn the_document_and_the_routes_are_the_same() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let document = client.get("/openapi.json").await.json();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert((path.clone(), method.to_uppercase()));
        }
    }
    assert_eq!(documented.len(), table().len());
    // Every method the router takes is documented, and every documented one is taken.
    let paths: BTreeSet<&String> = documented.iter().map(|(path, _)| path).collect();
    for path in paths {
        let asked = path.replace("{id}", "x").replace("{request_id}", "x");
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
            let reply = client.send(method, &asked, &[], "").await;
            let taken = reply.status != 405;
            assert_eq!(taken, documented.contains(&(path.clone(), method.to_owned())), "{method} {path}");
            if taken && reply.status == 404 {
                assert_ne!(reply.code(), "unknown_route", "{method} {path}");
            }
        }
    }
    let issue = [
        "/v1/events",
        "/v1/items",
        "/v1/users",
        "/v1/items/{id}",
        "/v1/users/{id}",
        "/v1/recommend",
        "/v1/rank",
        "/v1/items/{id}/similar",
        "/v1/decisions/{request_id}",
        "/v1/models",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
    ];
    assert!(issue.iter().all(|path| document["paths"].get(*path).is_some()));
}

#[tokio::test]
async fn every_reference_of_the_document_resolves() {
    let server = Server::open().await;
    let document = server.client().await.get("/openapi.json").await.json();
    let mut values: Vec<&Value> = vec![&document];
    let mut references = 0;
    while let Some(value) = values.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let name = reference.strip_prefix("#/components/schemas/").unwrap();
                    assert!(document["components"]["schemas"].get(name).is_some(), "{reference}");
                    references += 1;
                }
                values.extend(members.values());
            }
            Value::Array(items) => values.extend(items),
            _ => {}
        }
    }
    assert!(references > 20, "{references}");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let server = Server::open().await;
    let mut client = server.client().await;
    client.post("/v1/events", r#"[{"type":"click","user":"u","item":"i"},{"type":"clik"}]"#).await;
    client.post("/v1/recommend", r#"{"surface":"home","user":"v"}"#).await;
    let text = client.get("/metrics").await.body;
    for line in [
        r#"headwater_events_total{outcome="accepted"} 1"#,
        r#"headwater_events_refused_total{code="unknown_type"} 1"#,
        r#"headwater_answers_total{rung="trending"} 1"#,
        r#"headwater_requests_total{method="POST",route="/v1/recommend",status="2xx"} 1"#,
        r#"headwater_request_seconds_count{method="POST",route="/v1/events"} 1"#,
        "headwater_log_events 1",
        "headwater_log_lag_events 0",
        "headwater_decisions_lost_total 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_server_whose_views_stopped_is_alive_but_not_ready() {
    let server = Server::open().await;
    let mut client = server.client().await;
    assert_eq!(client.get("/health/ready").await.json()["status"], "ready");
    server.follower.stop().unwrap();
    let reply = client.post("/v1/events", r#"{"type":"click","user":"u","item":"i"}"#).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "unavailable"));
    assert_eq!(client.get("/health/live").await.status, 200);
    let ready = client.get("/health/ready").await;
    assert_eq!(ready.json()["lag"], 1);
}

#[tokio::test]
async fn a_trace_parent_comes_back() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let reply = client.send("GET", "/health/live", &[("traceparent", parent)], "").await;
    assert_eq!(reply.header("traceparent"), Some(parent));
    let reply = client.send("GET", "/health/live", &[("traceparent", "nonsense")], "").await;
    assert_eq!(reply.header("traceparent"), None);
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_server_stops() {
    let mut server = Server::open().await;
    let mut idle = server.client().await;
    idle.get("/health/live").await;
    let mut busy = server.client().await;
    let body = r#"{"type":"click","user":"u","item":"i"}"#;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    busy.raw(head.as_bytes()).await;
    // The server asks for the body: the request is under way.
    assert_eq!(busy.reply().await.status, 100);
    let ended = server.stop();
    // Idle connections are closed.
    assert!(idle.try_reply().await.is_none());
    busy.raw(body.as_bytes()).await;
    assert_eq!(busy.reply().await.json()["accepted"], 1);
    assert!(ended.await.unwrap().is_ok());
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_does_not_finish_is_cut_off_in_the_end() {
    let limits = headwater_server::Limits {
        drain: std::time::Duration::from_millis(100),
        ..headwater_server::Limits::default()
    };
    let mut server = Server::start(limits, true).await;
    let mut busy = server.client().await;
    busy.raw(b"POST /v1/events HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await;
    assert_eq!(busy.reply().await.status, 100);
    let ended = server.stop();
    assert!(ended.await.unwrap().is_err());
}
