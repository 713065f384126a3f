//! What is asked and what is answered, free of any wire format.

use std::collections::BTreeMap;

use compact_str::CompactString;
use headwater_base::{Actor, Fields, ItemId, RequestId, Rung, Stage};

/// A question to a surface.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The surface that asks.
    pub surface: CompactString,
    /// For whom; an actor nobody knows gets the worse rungs.
    pub actor: Actor,
    /// The item the question is about: "similar to this".
    pub item: Option<ItemId>,
    /// How many items; the surface's own where `None`.
    pub limit: Option<usize>,
    /// What is true of the moment.
    pub context: Fields,
    /// Items that must not be in the answer.
    pub exclude: Vec<ItemId>,
    /// Only these items may be in the answer; empty means no such bound.
    pub include: Vec<ItemId>,
    /// Only items whose field has one of the values, for each filter.
    pub categories: Vec<CategoryFilter>,
    /// Whether to say where each item came from and what was filtered.
    pub explain: bool,
}

/// Items whose categorical `field` has one of `values`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CategoryFilter {
    /// A categorical item field.
    pub field: CompactString,
    /// The accepted words.
    pub values: Vec<CompactString>,
}

/// A question about the caller's own candidates.
#[derive(Clone, Debug, Default)]
pub struct RankRequest {
    /// The surface whose scorer ranks.
    pub surface: CompactString,
    /// For whom.
    pub actor: Actor,
    /// The item the question is about.
    pub item: Option<ItemId>,
    /// What is true of the moment.
    pub context: Fields,
    /// The candidates; all of them are answered, repeated ones once.
    pub items: Vec<ItemId>,
    /// Whether to explain.
    pub explain: bool,
}

/// What was recommended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Names the decision in the log.
    pub request_id: RequestId,
    /// The surface that answered.
    pub surface: CompactString,
    /// `name@version` of the model that took part; empty where none did.
    pub model: CompactString,
    /// The best rung that brought a shown item.
    pub rung: Rung,
    /// The items, best first.
    pub items: Vec<AnswerItem>,
    /// What each stage did.
    pub stages: Vec<Stage>,
    /// Whether the list came from the cache (the decision is new all the same).
    pub cached: bool,
    /// Whether the decision reached the decision stream; it does not where none are kept.
    pub recorded: bool,
    /// The explanation, where asked for.
    pub explanation: Option<Explanation>,
}

/// One recommended item.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerItem {
    /// Which item.
    pub id: ItemId,
    /// What it was ranked by; `f32::NEG_INFINITY` where the scorer does not know it.
    pub score: f32,
    /// The source that brought it.
    pub source: CompactString,
}

/// Where the items came from and what was filtered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// For each shown item, in order, what each source said of it.
    pub items: Vec<ItemExplanation>,
    /// How many distinct candidates each filter refused.
    pub filtered: BTreeMap<CompactString, u32>,
    /// The first refused candidates, each with the filter that refused it.
    pub refused: Vec<(ItemId, CompactString)>,
}

/// What brought one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemExplanation {
    /// Which item.
    pub id: ItemId,
    /// The rung of the source that brought it.
    pub rung: Rung,
    /// Each source that found it: its name, the item's place in its list from 0, and its score.
    pub sources: Vec<(CompactString, u32, f32)>,
}
