//! Questions and answers as JSON.

use std::collections::BTreeMap;

use headwater_base::{Actor, Fields, Invalid, ItemId, Schema, SessionId, Stage, UserId};
use headwater_pipeline::{Answer, CategoryFilter, Explanation, RankRequest, Request};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::fields;
use super::reader::{Reader, parse};
use super::text::Text;

/// The longest `exclude` or `include` list.
const MOST_LISTED: usize = 10_000;

/// The body of `POST /v1/recommend`, for the OpenAPI document.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents what `recommend` reads field by field")]
pub struct RecommendBody {
    /// A surface declared in the settings.
    pub surface: String,
    /// The user.
    pub user: Option<String>,
    /// The session, alone or beside the user.
    pub session: Option<String>,
    /// The item the question is about.
    pub item: Option<String>,
    /// How many items; the surface's own number where absent.
    pub limit: Option<u32>,
    /// Declared context fields.
    #[schema(value_type = Option<Object>)]
    pub context: Option<serde_json::Value>,
    /// Items not to answer.
    pub exclude: Option<Vec<String>>,
    /// Only these items.
    pub include: Option<Vec<String>>,
    /// Only items with one of these words, for each named field.
    pub categories: Option<BTreeMap<String, Vec<String>>>,
    /// Whether to explain; also as `?explain=true`.
    pub explain: Option<bool>,
}

/// The body of `POST /v1/rank`, for the OpenAPI document.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents what `rank` reads field by field")]
pub struct RankBody {
    /// A surface declared in the settings.
    pub surface: String,
    /// The user.
    pub user: Option<String>,
    /// The session, alone or beside the user.
    pub session: Option<String>,
    /// The candidates.
    pub items: Vec<String>,
    /// Declared context fields.
    #[schema(value_type = Option<Object>)]
    pub context: Option<serde_json::Value>,
}

/// Reads a question to a surface.
pub fn recommend(raw: &RawValue, schema: &Schema) -> Result<Request, Invalid> {
    let mut reader = Reader::of("body", raw)?;
    let request = Request {
        surface: surface(&mut reader)?,
        actor: actor(&mut reader)?,
        item: reader.id("item")?.as_ref().map(item),
        limit: reader.count("limit")?,
        context: context(&mut reader, schema)?,
        exclude: reader.ids("exclude", MOST_LISTED)?.iter().map(item).collect(),
        include: reader.ids("include", MOST_LISTED)?.iter().map(item).collect(),
        categories: categories(&mut reader)?,
        explain: reader.flag("explain")?.unwrap_or(false),
    };
    reader.finish()?;
    Ok(request)
}

/// Reads a question about the caller's own candidates.
pub fn rank(raw: &RawValue, schema: &Schema) -> Result<RankRequest, Invalid> {
    let mut reader = Reader::of("body", raw)?;
    let request = RankRequest {
        surface: surface(&mut reader)?,
        actor: actor(&mut reader)?,
        item: reader.id("item")?.as_ref().map(item),
        context: context(&mut reader, schema)?,
        items: reader.ids("items", headwater_pipeline::rank::MAX_CANDIDATES)?.iter().map(item).collect(),
        explain: reader.flag("explain")?.unwrap_or(false),
    };
    reader.finish()?;
    if request.items.is_empty() {
        return Err(Invalid::missing("items", "the ids of the items to rank"));
    }
    Ok(request)
}

fn surface(reader: &mut Reader<'_>) -> Result<compact_str::CompactString, Invalid> {
    let surface = reader.text("surface")?;
    surface
        .map(|surface| surface.as_str().into())
        .ok_or_else(|| Invalid::missing("surface", "a surface declared in the settings"))
}

fn actor(reader: &mut Reader<'_>) -> Result<Actor, Invalid> {
    Ok(Actor {
        user: reader.id("user")?.map(|id| UserId::trusted(id.as_str())),
        session: reader.id("session")?.map(|id| SessionId::trusted(id.as_str())),
    })
}

fn item(id: &Text<'_>) -> ItemId {
    ItemId::trusted(id.as_str())
}

fn context(reader: &mut Reader<'_>, schema: &Schema) -> Result<Fields, Invalid> {
    reader.raw("context").map_or(Ok(Fields::default()), |raw| fields::context(&schema.context, raw))
}

fn categories(reader: &mut Reader<'_>) -> Result<Vec<CategoryFilter>, Invalid> {
    let Some(raw) = reader.raw("categories") else { return Ok(Vec::new()) };
    let filters = Reader::of("categories", raw)?;
    let filters = filters.members().map(|(field, raw)| {
        let words: Vec<Text<'_>> =
            parse(field, raw, "a list of texts").map_err(|invalid| invalid.within("categories"))?;
        let values = words.iter().map(|word| word.as_str().into()).collect();
        Ok(CategoryFilter { field: field.into(), values })
    });
    filters.collect()
}

/// The reply of the asking routes.
#[derive(Serialize, ToSchema)]
pub struct AnswerReply<'a> {
    /// Names the decision: `GET /v1/decisions/{request_id}`.
    request_id: &'a str,
    /// The surface that answered.
    surface: &'a str,
    /// `name@version` of the model that took part; empty where none did.
    model: &'a str,
    /// The rung of the fallback ladder: personal, neighbours, trending, popular or empty.
    rung: &'a str,
    /// Best first.
    items: Vec<ItemReply<'a>>,
    /// Stages that were skipped or failed; absent where all ran.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<SkippedReply<'a>>,
    /// The explanation, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationReply<'a>>,
}

/// One recommended item.
#[derive(Serialize, ToSchema)]
pub struct ItemReply<'a> {
    id: &'a str,
    /// What it was ranked by; `null` where the model does not know it.
    score: Option<f32>,
    /// The source that brought it.
    source: &'a str,
}

/// A stage that gave nothing.
#[derive(Serialize, ToSchema)]
pub struct SkippedReply<'a> {
    stage: &'a str,
    reason: &'a str,
}

/// Where the items came from and what was filtered.
#[derive(Serialize, ToSchema)]
pub struct ExplanationReply<'a> {
    /// For each shown item, what each source said of it.
    items: Vec<ItemExplanationReply<'a>>,
    /// Distinct items each filter refused.
    filtered: BTreeMap<&'a str, u32>,
    /// The first refused items, with the filter that refused each.
    refused: Vec<RefusedReply<'a>>,
    /// Candidates in and out of each stage.
    stages: Vec<StageReply<'a>>,
}

/// What brought one item.
#[derive(Serialize, ToSchema)]
pub struct ItemExplanationReply<'a> {
    id: &'a str,
    rung: &'a str,
    sources: Vec<SourceReply<'a>>,
}

/// What one source said of an item.
#[derive(Serialize, ToSchema)]
pub struct SourceReply<'a> {
    source: &'a str,
    /// Its place in the source's list, from 0.
    rank: u32,
    score: f32,
}

/// An item a filter refused.
#[derive(Serialize, ToSchema)]
pub struct RefusedReply<'a> {
    id: &'a str,
    filter: &'a str,
}

/// What a stage did.
#[derive(Serialize, ToSchema)]
pub struct StageReply<'a> {
    name: &'a str,
    entered: u32,
    left: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    skipped: &'a str,
}

impl<'a> From<&'a Answer> for AnswerReply<'a> {
    fn from(answer: &'a Answer) -> Self {
        let items = answer.items.iter().map(|item| ItemReply {
            id: item.id.as_str(),
            score: item.score.is_finite().then_some(item.score),
            source: &item.source,
        });
        let skipped = answer.stages.iter().filter(|stage| !stage.skipped.is_empty());
        Self {
            request_id: answer.request_id.as_str(),
            surface: &answer.surface,
            model: &answer.model,
            rung: answer.rung.as_str(),
            items: items.collect(),
            skipped: skipped
                .map(|stage| SkippedReply { stage: &stage.name, reason: &stage.skipped })
                .collect(),
            explanation: answer.explanation.as_ref().map(|explanation| explain(explanation, &answer.stages)),
        }
    }
}

/// Stages as JSON.
pub fn stages(stages: &[Stage]) -> Vec<StageReply<'_>> {
    let reply = stages.iter().map(|stage| StageReply {
        name: &stage.name,
        entered: stage.entered,
        left: stage.left,
        skipped: &stage.skipped,
    });
    reply.collect()
}

fn explain<'a>(explanation: &'a Explanation, all: &'a [Stage]) -> ExplanationReply<'a> {
    let items = explanation.items.iter().map(|item| ItemExplanationReply {
        id: item.id.as_str(),
        rung: item.rung.as_str(),
        sources: item
            .sources
            .iter()
            .map(|(source, rank, score)| SourceReply { source, rank: *rank, score: *score })
            .collect(),
    });
    let refused = explanation.refused.iter().map(|(id, filter)| RefusedReply { id: id.as_str(), filter });
    ExplanationReply {
        items: items.collect(),
        filtered: explanation.filtered.iter().map(|(filter, count)| (filter.as_str(), *count)).collect(),
        refused: refused.collect(),
        stages: stages(all),
    }
}
