//! Items and users.

use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn an_item_is_put_changed_shown_and_deleted() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let json_type = [("content-type", "application/json")];
    let body = r#"{"category":"shoes","price":59.9,"available":true}"#;
    assert_eq!(client.send("PUT", "/v1/items/i42", &json_type, body).await.json()["accepted"], 1);
    let shown = client.get("/v1/items/i42").await;
    assert_eq!(shown.json(), json!({"id": "i42", "available": true, "category": "shoes", "price": 59.9}));

    let patch = r#"{"price":null,"tags":["sale"],"available":false}"#;
    client.send("PATCH", "/v1/items/i42", &json_type, patch).await;
    let shown = client.get("/v1/items/i42").await.json();
    assert_eq!(shown, json!({"id": "i42", "available": false, "category": "shoes", "tags": ["sale"]}));

    client.send("PUT", "/v1/items/i42", &json_type, r#"{"price":1}"#).await;
    assert_eq!(
        client.get("/v1/items/i42").await.json(),
        json!({"id": "i42", "available": true, "price": 1.0})
    );

    assert_eq!(client.send("DELETE", "/v1/items/i42", &[], "").await.status, 200);
    let gone = client.get("/v1/items/i42").await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "unknown_item"));
}

#[tokio::test]
async fn a_user_is_put_changed_shown_and_deleted() {
    let server = Server::open().await;
    let mut client = server.client().await;
    client.send("PUT", "/v1/users/u1", &[], r#"{"country":"is"}"#).await;
    client.post("/v1/events", r#"{"type":"click","user":"u1","item":"i"}"#).await;
    let shown = client.get("/v1/users/u1").await.json();
    assert_eq!(shown, json!({"id": "u1", "country": "is", "interactions": 1}));
    client.send("PATCH", "/v1/users/u1", &[], r#"{"country":null}"#).await;
    assert_eq!(client.get("/v1/users/u1").await.json(), json!({"id": "u1", "interactions": 1}));
    client.send("DELETE", "/v1/users/u1", &[], "").await;
    assert_eq!(client.get("/v1/users/u1").await.code(), "unknown_user");
}

#[tokio::test]
async fn bulk_forms_refuse_by_index() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let items = r#"[{"id":"i1","category":"shoes"},{"category":"hats"},{"id":"i2","price":"cheap"},{"id":"i3","colour":"red"},7]"#;
    let reply = client.post("/v1/items", items).await;
    assert_eq!(reply.status, 200);
    insta::assert_json_snapshot!(reply.json());
    assert_eq!(client.get("/v1/items/i1").await.json()["category"], "shoes");

    let lines = "{\"id\":\"u1\",\"country\":\"is\"}\n{\"id\":\"u2\",\"country\":\"no\"}\n";
    let reply = client.send("POST", "/v1/users", &[("content-type", "application/x-ndjson")], lines).await;
    assert_eq!(reply.json()["accepted"], 2);
    let reply = client.send("PATCH", "/v1/items", &[], r#"[{"id":"i1","price":3}]"#).await;
    assert_eq!(reply.json()["accepted"], 1);
    assert_eq!(client.get("/v1/items/i1").await.json()["category"], "shoes");
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let server = Server::open().await;
    let mut client = server.client().await;
    let reply = client.send("PUT", "/v1/items/i1", &[], r#"{"price":"59.9"}"#).await;
    assert_eq!((reply.status, reply.code().as_str()), (422, "wrong_type"));
    assert_eq!(
        (&reply.json()["field"], &reply.json()["expected"]),
        (&json!("price"), &json!("a finite number"))
    );
    let long = "x".repeat(300);
    let reply = client.send("PUT", &format!("/v1/items/{long}"), &[], "{}").await;
    assert_eq!((reply.status, reply.code().as_str()), (422, "too_long"));
    let text = "y".repeat(300);
    let reply = client.send("PUT", "/v1/items/i1", &[], &format!(r#"{{"category":"{text}"}}"#)).await;
    assert_eq!((reply.code().as_str(), &reply.json()["field"]), ("too_long", &json!("category")));
}
