//! What is too large, too slow or not HTTP.

use std::time::Duration;

use headwater_server::Limits;

use crate::server::Server;

#[tokio::test]
async fn a_hundred_megabytes_are_refused_by_their_announcement() {
    let server = Server::open().await;
    let mut client = server.client().await;
    client.raw(b"POST /v1/events HTTP/1.1\r\nhost: test\r\ncontent-length: 104857600\r\n\r\n[").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(client.try_reply().await.is_none());
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let server = Server::start(Limits { body: 1000, ..Limits::default() }, true).await;
    let mut client = server.client().await;
    client.raw(b"POST /v1/events HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("1f4\r\n{}\r\n", " ".repeat(500));
    for _ in 0..3 {
        client.raw(chunk.as_bytes()).await;
    }
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let server = Server::open().await;
    let mut client = server.client().await;
    client.raw(b"POST /v1/events HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for piece in [r#"{"type":"cli"#, r#"ck","user":"u""#, r#","item":"i"}"#] {
        client.raw(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await;
    }
    client.raw(b"0\r\n\r\n").await;
    assert_eq!(client.reply().await.json()["accepted"], 1);
}

#[tokio::test]
async fn a_batch_of_too_many_is_refused_whole() {
    let server = Server::start(Limits { batch: 3, ..Limits::default() }, true).await;
    let mut client = server.client().await;
    let click = r#"{"type":"click","user":"u","item":"i"}"#;
    let reply = client.post("/v1/events", &format!("[{}]", [click; 4].join(","))).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "too_many_events"));
    assert_eq!(client.post("/v1/items", r#"[{},{},{},{}]"#).await.code(), "too_many_events");
    assert_eq!(client.post("/v1/events", &format!("[{}]", [click; 3].join(","))).await.json()["accepted"], 3);
}

#[tokio::test]
async fn unknown_routes_methods_and_content_types_are_problems_too() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let reply = client.get("/v1/nothing").await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "unknown_route"));
    let reply = client.get("/v1/events").await;
    assert_eq!((reply.status, reply.code().as_str()), (405, "method_not_allowed"));
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = client.send("POST", "/v1/events", &[("content-type", "text/csv")], "a,b").await;
    assert_eq!((reply.status, reply.code().as_str()), (415, "unsupported_media_type"));
    let reply = client.send("POST", "/v1/recommend", &[("content-type", "application/x-ndjson")], "{}").await;
    assert_eq!(reply.status, 415);
    assert_eq!(client.get("/v1/items/%ff").await.status, 400);
}

#[tokio::test]
async fn a_body_that_never_ends_is_told_so() {
    let limits = Limits { request_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start(limits, true).await;
    let mut client = server.client().await;
    client.raw(b"POST /v1/events HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n[").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code().as_str()), (408, "request_timeout"));
    assert!(client.try_reply().await.is_none());
}

#[tokio::test]
async fn a_head_that_never_ends_is_hung_up_on() {
    let limits = Limits { header_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start(limits, true).await;
    let mut client = server.client().await;
    client.raw(b"POST /v1/events HTTP/1.1\r\nhost: te").await;
    let reply = client.try_reply().await;
    assert!(reply.is_none_or(|reply| reply.status == 408));
}

#[tokio::test]
async fn a_half_closed_connection_stores_nothing_and_harms_nobody() {
    let server = Server::open().await;
    let mut client = server.client().await;
    client.raw(b"POST /v1/events HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{\"type\":\"cl").await;
    client.finish().await;
    assert!(client.try_reply().await.is_none_or(|reply| reply.status == 400));
    let mut other = server.client().await;
    let reply = other.post("/v1/events", r#"{"type":"click","user":"u","item":"i"}"#).await;
    assert_eq!(reply.json()["accepted"], 1);
    use headwater_log::EventLog as _;
    assert_eq!(server.log.end().0, [1]);
}

#[tokio::test]
async fn what_is_not_http_is_hung_up_on() {
    let server = Server::open().await;
    let mut client = server.client().await;
    client.raw(b"\x16\x03\x01 hello\r\n\r\n").await;
    assert!(client.try_reply().await.is_none_or(|reply| reply.status == 400));
}
