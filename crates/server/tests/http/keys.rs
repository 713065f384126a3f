//! Keys, scopes and rates.

use headwater_registry::Scope;
use headwater_server::Limits;

use crate::server::Server;

const CLICK: &str = r#"{"type":"click","user":"u","item":"i"}"#;
const ASK: &str = r#"{"surface":"home","user":"u"}"#;

#[tokio::test]
async fn a_server_is_closed_unless_opened() {
    let server = Server::closed().await;
    let mut client = server.client().await;
    let reply = client.post("/v1/events", CLICK).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "missing_key"));
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    let mut client = server.client().await.with_key("hw_wrong");
    let reply = client.post("/v1/recommend", ASK).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "unknown_key"));
    for free in ["/health/live", "/health/ready", "/metrics", "/openapi.json"] {
        assert_eq!(server.client().await.get(free).await.status, 200, "{free}");
    }
}

#[tokio::test]
async fn a_key_opens_what_its_scope_covers() {
    let server = Server::closed().await;
    let mut ingest = server.client_with(&[Scope::Ingest]).await;
    assert_eq!(ingest.post("/v1/events", CLICK).await.status, 200);
    let refused = ingest.post("/v1/recommend", ASK).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "missing_scope"));
    let mut read = server.client_with(&[Scope::Read]).await;
    assert_eq!(read.post("/v1/recommend", ASK).await.status, 200);
    assert_eq!(read.post("/v1/events", CLICK).await.status, 403);
    let mut admin = server.client_with(&[Scope::Admin]).await;
    assert_eq!(admin.post("/v1/events", CLICK).await.status, 200);
    assert_eq!(admin.get("/v1/models").await.body, "[]");
}

#[tokio::test]
async fn the_other_header_works_and_a_revoked_key_does_not() {
    let server = Server::closed().await;
    let (record, secret) = server.registry.create_key("test", &[Scope::Read]).unwrap();
    let header = [("x-api-key", secret.as_str())];
    let mut client = server.client().await;
    assert_eq!(client.send("POST", "/v1/recommend", &header, ASK).await.status, 200);
    server.registry.revoke_key(&record.id).unwrap();
    assert_eq!(client.send("POST", "/v1/recommend", &header, ASK).await.code(), "unknown_key");
}

#[tokio::test]
async fn a_key_that_used_up_its_rate_is_told_when_to_come_back() {
    let limits = Limits { requests_per_second: 1, burst: 2, ..Limits::default() };
    let server = Server::start(limits, false).await;
    let mut client = server.client_with(&[Scope::Read]).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.post("/v1/recommend", ASK).await);
    }
    let refused = statuses.pop().unwrap();
    assert!(statuses.iter().all(|reply| reply.status == 200));
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let mut other = server.client_with(&[Scope::Read]).await;
    assert_eq!(other.post("/v1/recommend", ASK).await.status, 200);
}
