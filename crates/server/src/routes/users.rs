//! `/v1/users`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use headwater_base::{Actor, Fact, Invalid, UserId};
use headwater_registry::Scope;
use http::{HeaderMap, StatusCode};

use super::entities::{write_many, write_one};
use super::{Checked, Route, Shared, json, route};
use crate::body;
use crate::openapi::{FieldsBody, Operation};
use crate::problem::Problem;
use crate::wire::fields::{Upsert, object, upsert};
use crate::wire::reader::Reader;
use crate::wire::reply::Accepted;

const FIELDS: &str = "Declared fields";

pub(super) fn routes() -> Vec<Route> {
    let id = |operation: Operation| operation.path_parameter("id", "The user's id");
    let write = |summary| Operation::new(summary).reply::<Accepted>(200, "What became of it");
    vec![
        route!(Get get "/v1/users/{id}", Some(Scope::Read), show,
            id(Operation::new("Show a user").reply::<FieldsBody>(200, "Their id, fields and number of interactions"))),
        route!(Put put "/v1/users/{id}", Some(Scope::Ingest), replace,
            id(write("Put a user's fields in place of the earlier ones").body::<FieldsBody>(FIELDS))),
        route!(Patch patch "/v1/users/{id}", Some(Scope::Ingest), change,
            id(write("Change some fields of a user; null takes a field away").body::<FieldsBody>(FIELDS))),
        route!(Delete delete "/v1/users/{id}", Some(Scope::Ingest), remove,
            id(write("Delete a user with their profile"))),
        route!(Post post "/v1/users", Some(Scope::Ingest), replace_many,
            write("Put many users: an array or lines, each with its id").body::<Vec<FieldsBody>>(FIELDS)),
        route!(Patch patch "/v1/users", Some(Scope::Ingest), change_many,
            write("Change many users: an array or lines, each with its id").body::<Vec<FieldsBody>>(FIELDS)),
    ]
}

async fn show(State(app): Shared, Checked(Path(id)): Checked<Path<String>>) -> Result<Response, Problem> {
    let profile = app.parts.views.profile(&Actor::user(UserId::parse(&id)?))?;
    if profile.last == 0 {
        return Err(Problem::new("unknown_user").field("id").value(id));
    }
    let mut reply = object(&profile.fields);
    reply.insert("id".into(), id.into());
    reply.insert("interactions".into(), profile.interactions.len().into());
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
    let user = UserId::parse(id)?;
    body::format(headers, false)?;
    let body = body::read(body, app.limits()).await?;
    let reader = Reader::of("body", body::json(&body)?)?;
    let read = upsert(&reader, &app.parts.schema.users, false, None)?;
    write_one(&app, fact(user, read, patch)).await
}

async fn remove(State(app): Shared, Checked(Path(id)): Checked<Path<String>>) -> Result<Response, Problem> {
    let user = UserId::parse(&id)?;
    write_one(&app, Fact::UserDelete { user }).await
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
        let id = reader.id("id")?.ok_or_else(|| Invalid::missing("id", "the id of a user"))?;
        let read = upsert(&reader, &app.parts.schema.users, false, Some("id"))?;
        Ok(fact(UserId::trusted(id.as_str()), read, patch))
    })
    .await
}

fn fact(user: UserId, read: Upsert, patch: bool) -> Fact {
    let removed = if patch { read.removed } else { Vec::new() };
    Fact::UserUpsert { user, fields: read.fields, removed, patch }
}
