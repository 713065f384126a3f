//! `/v1/items`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use headwater_base::{Fact, Invalid, ItemId};
use headwater_registry::Scope;
use http::{HeaderMap, StatusCode};

use super::entities::{write_many, write_one};
use super::{Checked, Route, Shared, json, route};
use crate::body;
use crate::openapi::{FieldsBody, Operation};
use crate::problem::Problem;
use crate::wire::fields::{AVAILABLE, Upsert, object, upsert};
use crate::wire::reader::Reader;
use crate::wire::reply::Accepted;

const FIELDS: &str = "Declared fields, and `available`";

pub(super) fn routes() -> Vec<Route> {
    let id = |operation: Operation| operation.path_parameter("id", "The item's id");
    let write = |summary| Operation::new(summary).reply::<Accepted>(200, "What became of it");
    vec![
        route!(Get get "/v1/items/{id}", Some(Scope::Read), show,
            id(Operation::new("Show an item").reply::<FieldsBody>(200, "Its id, availability and fields"))),
        route!(Put put "/v1/items/{id}", Some(Scope::Ingest), replace,
            id(write("Put an item in place of what was known of it").body::<FieldsBody>(FIELDS))),
        route!(Patch patch "/v1/items/{id}", Some(Scope::Ingest), change,
            id(write("Change some fields of an item; null takes a field away").body::<FieldsBody>(FIELDS))),
        route!(Delete delete "/v1/items/{id}", Some(Scope::Ingest), remove, id(write("Delete an item"))),
        route!(Post post "/v1/items", Some(Scope::Ingest), replace_many,
            write("Put many items: an array or lines, each with its id").body::<Vec<FieldsBody>>(FIELDS)),
        route!(Patch patch "/v1/items", Some(Scope::Ingest), change_many,
            write("Change many items: an array or lines, each with its id").body::<Vec<FieldsBody>>(FIELDS)),
    ]
}

async fn show(State(app): Shared, Checked(Path(id)): Checked<Path<String>>) -> Result<Response, Problem> {
    let catalogue = app.parts.views.catalogue();
    let known = catalogue.index(&id).filter(|item| !catalogue.deleted(*item));
    let item = known.ok_or_else(|| Problem::new("unknown_item").field("id").value(&id))?;
    let mut reply = object(catalogue.fields(item));
    reply.insert("id".into(), id.into());
    reply.insert(AVAILABLE.into(), catalogue.available(item).into());
    Ok(json(StatusCode::OK, &reply))
}

async fn replace(
    State(app): Shared,
    Checked(Path(id)): Checked<Path<String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    write(app, &id, &headers, body, false).await
}

async fn change(
    State(app): Shared,
    Checked(Path(id)): Checked<Path<String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    write(app, &id, &headers, body, true).await
}

async fn write(
    app: std::sync::Arc<crate::App>,
    id: &str,
    headers: &HeaderMap,
    body: Body,
    patch: bool,
) -> Result<Response, Problem> {
    let item = ItemId::parse(id)?;
    body::format(headers, false)?;
    let body = body::read(body, app.limits()).await?;
    let reader = Reader::of("body", body::json(&body)?)?;
    let read = upsert(&reader, &app.parts.schema.items, true, None)?;
    write_one(&app, fact(item, read, patch)).await
}

async fn remove(State(app): Shared, Checked(Path(id)): Checked<Path<String>>) -> Result<Response, Problem> {
    let item = ItemId::parse(&id)?;
    write_one(&app, Fact::ItemDelete { item }).await
}

async fn replace_many(State(app): Shared, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    write_all(app, headers, body, false).await
}

async fn change_many(State(app): Shared, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    write_all(app, headers, body, true).await
}

async fn write_all(
    app: std::sync::Arc<crate::App>,
    headers: HeaderMap,
    body: Body,
    patch: bool,
) -> Result<Response, Problem> {
    write_many(&app, &headers, body, |mut reader| {
        let id = reader.id("id")?.ok_or_else(|| Invalid::missing("id", "the id of an item"))?;
        let read = upsert(&reader, &app.parts.schema.items, true, Some("id"))?;
        Ok(fact(ItemId::trusted(id.as_str()), read, patch))
    })
    .await
}

fn fact(item: ItemId, read: Upsert, patch: bool) -> Fact {
    let removed = if patch { read.removed } else { Vec::new() };
    Fact::ItemUpsert { item, fields: read.fields, removed, available: read.available, patch }
}
