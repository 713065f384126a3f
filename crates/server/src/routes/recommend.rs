//! `POST /v1/recommend`, `POST /v1/rank`, `GET /v1/items/{id}/similar`.
//!
//! An answer takes a fraction of a millisecond of arithmetic, so it is computed on the worker that read the request:
//! handing it to another thread would cost more than it frees.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use headwater_base::{Actor, ItemId, SessionId, UserId};
use headwater_pipeline::{Answer, Request};
use headwater_registry::Scope;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::{Checked, Route, Shared, json, route};
use crate::app::App;
use crate::body;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::wire::recommend::{
    AnswerReply, RankBody, RecommendBody, rank as read_rank, recommend as read_recommend,
};

/// The surface that answers `similar` where the query names none.
const SIMILAR: &str = "similar";

pub(super) fn routes() -> Vec<Route> {
    let explain = |operation: Operation| {
        operation.query_parameter("explain", "true: say where each item came from and what was filtered")
    };
    vec![
        route!(Post post "/v1/recommend", Some(Scope::Read), recommend,
            explain(Operation::new("Recommend items for a surface")
                .describe("Never empty while anything may be shown: worse rungs fill what better ones leave open.")
                .body::<RecommendBody>("The question")
                .reply::<AnswerReply<'static>>(200, "The items, best first"))),
        route!(Post post "/v1/rank", Some(Scope::Read), rank,
            Operation::new("Rank the caller's own items")
                .describe("All items are answered, each once; what the model does not know comes last.")
                .body::<RankBody>("The question")
                .reply::<AnswerReply<'static>>(200, "The items, best first")),
        route!(Get get "/v1/items/{id}/similar", Some(Scope::Read), similar,
            explain(Operation::new("Items like this one")
                .path_parameter("id", "The item's id")
                .query_parameter("limit", "How many")
                .query_parameter("surface", "The surface that answers; `similar` where absent")
                .query_parameter("user", "For whom; what they have seen is left out where the surface says so")
                .query_parameter("session", "For whom")
                .reply::<AnswerReply<'static>>(200, "The items, best first"))),
    ]
}

#[derive(Deserialize, Default)]
struct Explain {
    explain: Option<bool>,
}

async fn recommend(
    State(app): Shared,
    Checked(Query(query)): Checked<Query<Explain>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    body::format(&headers, false)?;
    let body = body::read(body, app.limits()).await?;
    let mut request = read_recommend(body::json(&body)?, &app.parts.schema)?;
    request.explain |= query.explain.unwrap_or(false);
    Ok(reply(&app, &app.parts.engine.recommend(&request)?))
}

async fn rank(State(app): Shared, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    body::format(&headers, false)?;
    let body = body::read(body, app.limits()).await?;
    let request = read_rank(body::json(&body)?, &app.parts.schema)?;
    Ok(reply(&app, &app.parts.engine.rank(&request)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Similar {
    limit: Option<usize>,
    surface: Option<String>,
    user: Option<String>,
    session: Option<String>,
    explain: Option<bool>,
}

async fn similar(
    State(app): Shared,
    Checked(Path(id)): Checked<Path<String>>,
    Checked(Query(query)): Checked<Query<Similar>>,
) -> Result<Response, Problem> {
    let item = ItemId::parse(&id)?;
    if app.parts.views.item_index(item.as_str()).is_none() {
        return Err(Problem::new("unknown_item").field("id").value(id));
    }
    let request = Request {
        surface: query.surface.as_deref().unwrap_or(SIMILAR).into(),
        actor: Actor {
            user: query.user.as_deref().map(UserId::parse).transpose()?,
            session: query.session.as_deref().map(SessionId::parse).transpose()?,
        },
        item: Some(item),
        limit: query.limit,
        explain: query.explain.unwrap_or(false),
        ..Request::default()
    };
    Ok(reply(&app, &app.parts.engine.recommend(&request)?))
}

fn reply(app: &App, answer: &Answer) -> Response {
    app.metrics.answer(answer);
    json(StatusCode::OK, &AnswerReply::from(answer))
}
