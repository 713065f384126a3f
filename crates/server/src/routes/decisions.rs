//! `GET /v1/decisions/{request_id}`.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use headwater_base::{Decision, Fact, ItemId, RequestId, SessionId, Timestamp, UserId};
use headwater_registry::Scope;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Checked, Route, Shared, json, route};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::wire::fields::object;
use crate::wire::recommend::{StageReply, stages};

pub(super) fn routes() -> Vec<Route> {
    let operation = Operation::new("Show a past decision")
        .path_parameter("request_id", "The request id of an answer")
        .reply::<DecisionReply<'static>>(200, "What was shown to whom, and why");
    vec![route!(Get get "/v1/decisions/{request_id}", Some(Scope::Read), show, operation)]
}

#[derive(Serialize, ToSchema)]
struct DecisionReply<'a> {
    request_id: &'a str,
    /// When it was made.
    time: String,
    surface: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    #[schema(value_type = Object)]
    context: serde_json::Map<String, serde_json::Value>,
    /// Offset of the views it saw, one per partition of the log.
    position: &'a [u64],
    /// `name@version` of the model that took part.
    model: &'a str,
    /// Hash of the effective settings, in hexadecimal.
    settings: String,
    /// Arm by experiment.
    arms: BTreeMap<&'a str, &'a str>,
    rung: &'a str,
    items: Vec<ShownReply<'a>>,
    stages: Vec<StageReply<'a>>,
}

#[derive(Serialize, ToSchema)]
struct ShownReply<'a> {
    id: &'a str,
    /// `null` where the model did not know the item.
    score: Option<f32>,
    source: &'a str,
    /// Probability that the policy shows this item at this position.
    propensity: f32,
}

async fn show(
    State(app): Shared,
    Checked(Path(request_id)): Checked<Path<String>>,
) -> Result<Response, Problem> {
    let request_id = RequestId::parse(&request_id)?;
    let unknown = || Problem::new("unknown_decision").field("request_id").value(request_id.as_str());
    let decisions = std::sync::Arc::clone(&app.parts.decisions);
    let asked = request_id.clone();
    let found = tokio::task::spawn_blocking(move || decisions.find(&asked)).await;
    let found = found.map_err(|_| Problem::new("internal"))??;
    let event = found.ok_or_else(unknown)?;
    let Fact::Decision(decision) = &event.fact else { return Err(unknown()) };
    Ok(json(StatusCode::OK, &reply(decision, event.time)))
}

fn reply(decision: &Decision, time: Timestamp) -> DecisionReply<'_> {
    let shown = decision.items.iter().map(|shown| ShownReply {
        id: shown.item.as_str(),
        score: shown.score.is_finite().then_some(shown.score),
        source: &shown.source,
        propensity: shown.propensity,
    });
    DecisionReply {
        request_id: decision.request_id.as_str(),
        time: time.to_string(),
        surface: &decision.surface,
        user: decision.actor.user.as_ref().map(UserId::as_str),
        session: decision.actor.session.as_ref().map(SessionId::as_str),
        item: decision.item.as_ref().map(ItemId::as_str),
        context: object(&decision.context),
        position: &decision.position,
        model: &decision.model,
        settings: format!("{:016x}", decision.settings),
        arms: decision.arms.iter().map(|(name, arm)| (name.as_str(), arm.as_str())).collect(),
        rung: decision.rung.as_str(),
        items: shown.collect(),
        stages: stages(&decision.stages),
    }
}
