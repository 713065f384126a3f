//! A model as served: its mathematics, and its rows bound to the catalogue.
//!
//! A [`LoadedModel`] never changes under a request. New items make a new one ([`LoadedModel::grown`]), published in a
//! new snapshot. Only the binding of rows to catalogue indices is brought up to date in place, since it is a pure
//! function of the vocabulary and of a catalogue that only ever appends.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use compact_str::{CompactString, format_compact};
use headwater_base::{Fields, ItemId};
use headwater_features::{Catalogue, ItemIndex};
use headwater_log::Position;
use headwater_models::blend::{Blend, Member};
use headwater_models::content::ContentMap;
use headwater_models::filter::Filter;
use headwater_models::ials::Ials;
use headwater_models::index::{CoarseReport, QuantisedIndex};
use headwater_models::peers::Peers;
use headwater_models::{Allow, ModelError, Past, Query, Retrieve, Row, Score, Scored};

use crate::error::StageError;
use crate::index::{CoarseStages, IndexOptions};

const NONE: u32 = u32::MAX;
/// A coarse stage is built anew once more than one item in so many came after it.
const TAIL_SHARE: usize = 16;
/// But not for fewer items than a search hardly notices.
const TAIL_LEAST: usize = 4_096;

/// A model ready to serve.
pub struct LoadedModel {
    name: CompactString,
    version: u64,
    label: CompactString,
    kind: Kind,
    by_id: Arc<HashMap<ItemId, Row>>,
    appended: HashMap<ItemId, Row>,
    trained_to: Position,
    content: Option<Arc<ContentMap>>,
    rows: ArcSwap<RowMap>,
}

/// The mathematics.
enum Kind {
    Ials(Box<Factors>),
    Filter(Filter),
    Peers(Peers),
    Blend(Box<Blended>),
}

/// A blend, of which a factorisation takes in items that it was not trained on.
#[derive(Clone)]
struct Blended {
    blend: Blend,
    /// The blend without appended items; shares what is large with `blend`.
    trained: Blend,
}

impl Blended {
    fn factors(&self) -> Option<&Ials> {
        self.blend.members().iter().find_map(|(member, _)| match member {
            Member::Ials(ials) => Some(ials.as_ref()),
            _ => None,
        })
    }
}

/// A factorisation, which takes in items that it was not trained on.
#[derive(Clone)]
struct Factors {
    ials: Ials,
    /// Its vectors at length 1, so that the inner product of two is their cosine.
    directions: QuantisedIndex,
    /// The model without appended items; shares its vectors with `ials`.
    trained: Ials,
    trained_directions: QuantisedIndex,
}

/// Which catalogue item each row is, and which row each catalogue item has, for the first `bound` catalogue items.
#[derive(Clone, Debug, Default)]
pub struct RowMap {
    bound: usize,
    row_of: Vec<Row>,
    item_of: Vec<ItemIndex>,
}

impl RowMap {
    /// The model's row of a catalogue item.
    pub fn row(&self, item: ItemIndex) -> Option<Row> {
        self.row_of.get(item as usize).copied().filter(|row| *row != NONE)
    }

    /// The catalogue item of a row; `None` where the catalogue has never heard of it.
    pub fn item(&self, row: Row) -> Option<ItemIndex> {
        self.item_of.get(row as usize).copied().filter(|item| *item != NONE)
    }
}

impl LoadedModel {
    /// A factorisation whose row i is the item `vocabulary[i]`, trained on the log up to `trained_to`.
    ///
    /// # Errors
    /// A vocabulary of another length than the model, or one that repeats an id.
    pub fn ials(
        name: impl Into<CompactString>,
        version: u64,
        ials: Ials,
        vocabulary: Vec<ItemId>,
        trained_to: Position,
    ) -> Result<Self, StageError> {
        let directions = directions(&ials).map_err(broken)?;
        let rows = ials.items();
        let factors =
            Factors { trained_directions: directions.clone(), directions, trained: ials.clone(), ials };
        Self::new(name.into(), version, Kind::Ials(Box::new(factors)), rows, vocabulary, trained_to)
    }

    /// A graph filter, as [`LoadedModel::ials`].
    ///
    /// # Errors
    /// As there.
    pub fn filter(
        name: impl Into<CompactString>,
        version: u64,
        filter: Filter,
        vocabulary: Vec<ItemId>,
        trained_to: Position,
    ) -> Result<Self, StageError> {
        let rows = filter.items();
        Self::new(name.into(), version, Kind::Filter(filter), rows, vocabulary, trained_to)
    }

    /// Peers, as [`LoadedModel::ials`].
    ///
    /// # Errors
    /// As there.
    pub fn peers(
        name: impl Into<CompactString>,
        version: u64,
        peers: Peers,
        vocabulary: Vec<ItemId>,
        trained_to: Position,
    ) -> Result<Self, StageError> {
        let rows = peers.items();
        Self::new(name.into(), version, Kind::Peers(peers), rows, vocabulary, trained_to)
    }

    /// A blend, as [`LoadedModel::ials`].
    ///
    /// # Errors
    /// As there.
    pub fn blend(
        name: impl Into<CompactString>,
        version: u64,
        blend: Blend,
        vocabulary: Vec<ItemId>,
        trained_to: Position,
    ) -> Result<Self, StageError> {
        let rows = blend.items();
        let kind = Kind::Blend(Box::new(Blended { trained: blend.clone(), blend }));
        Self::new(name.into(), version, kind, rows, vocabulary, trained_to)
    }

    fn new(
        name: CompactString,
        version: u64,
        kind: Kind,
        rows: usize,
        vocabulary: Vec<ItemId>,
        trained_to: Position,
    ) -> Result<Self, StageError> {
        let ids = vocabulary.len();
        if ids != rows {
            return Err(StageError::Broken(format!("model `{name}` has {rows} rows but {ids} ids")));
        }
        let by_id: HashMap<ItemId, Row> = vocabulary.into_iter().zip(0..).collect();
        if by_id.len() != rows {
            return Err(StageError::Broken(format!("model `{name}` names an item twice")));
        }
        Ok(Self {
            label: format_compact!("{name}@{version}"),
            name,
            version,
            kind,
            by_id: Arc::new(by_id),
            appended: HashMap::new(),
            trained_to,
            content: None,
            rows: ArcSwap::default(),
        })
    }

    /// The same with vectors for items that nobody has touched, where `content` is given.
    ///
    /// # Errors
    /// Vectors of another length than those of the model's factorisation, or none there.
    pub fn with_content(mut self, content: Option<ContentMap>) -> Result<Self, StageError> {
        if let Some(content) = content {
            let (given, own) =
                (content.content.dimensions(), self.factors().map(|ials| ials.options().factors));
            if own != Some(given) {
                let name = &self.name;
                let told = format!("model `{name}` has no factorisation of {given} factors for its content");
                return Err(StageError::Broken(told));
            }
            self.content = Some(Arc::new(content));
        }
        Ok(self)
    }

    /// The vector of a row; `None` for a row that is none, and where the model has no vectors.
    pub fn row_vector(&self, row: Row) -> Option<Vec<f32>> {
        self.factors()?.index().row(row).map(<[f32]>::to_vec)
    }

    /// Whether attributes give an item a vector.
    pub fn reads_attributes(&self) -> bool {
        self.content.is_some()
    }

    /// The vector of an item with these fields; `None` where they say nothing that the model has learnt.
    pub fn content_vector(&self, fields: &Fields) -> Option<Vec<f32>> {
        self.content.as_ref()?.vector(fields)
    }

    /// Its name in the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version in the registry.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// `name@version`.
    pub fn label(&self) -> &CompactString {
        &self.label
    }

    /// The place in the log up to which it was trained; later items are folded in.
    pub fn trained_to(&self) -> &Position {
        &self.trained_to
    }

    /// How its items are searched; `None` where every one is read.
    pub fn index_report(&self) -> Option<CoarseReport> {
        match &self.kind {
            Kind::Ials(factors) => factors.ials.index().coarse().map(|coarse| *coarse.report()),
            _ => None,
        }
    }

    /// Where the model should get coarse stages by `options` and has none, or has appended more items than every search should
    /// read.
    pub(crate) fn wants_coarse(&self, options: &IndexOptions) -> bool {
        let Kind::Ials(factors) = &self.kind else { return false };
        let index = factors.ials.index();
        let most = (index.len() / TAIL_SHARE).max(TAIL_LEAST);
        options.from.is_some_and(|from| index.len() >= from)
            && (index.coarse().is_none() || index.tail() > most)
    }

    /// Coarse stages for the items; `None` where the model has no vectors.
    pub(crate) fn coarse(&self, options: &IndexOptions) -> Result<Option<CoarseStages>, StageError> {
        let Kind::Ials(factors) = &self.kind else { return Ok(None) };
        CoarseStages::build(&factors.ials, &factors.directions, options).map(Some).map_err(broken)
    }

    /// The same model, searched through `coarse`, which was built for it or for what it was before items were
    /// appended.
    ///
    /// # Errors
    /// A model without vectors; stages of another model.
    pub(crate) fn with_coarse(&self, coarse: &CoarseStages) -> Result<Self, StageError> {
        let Kind::Ials(factors) = &self.kind else {
            return Err(StageError::Broken(format!("model `{}` has no vectors to search", self.name)));
        };
        let mut factors = factors.clone();
        coarse.attach(&mut factors.ials, &mut factors.directions).map_err(broken)?;
        Ok(self.with_kind(Kind::Ials(factors), self.appended.clone()))
    }

    fn with_kind(&self, kind: Kind, appended: HashMap<ItemId, Row>) -> Self {
        Self {
            name: self.name.clone(),
            version: self.version,
            label: self.label.clone(),
            kind,
            by_id: Arc::clone(&self.by_id),
            appended,
            trained_to: self.trained_to.clone(),
            content: self.content.clone(),
            rows: ArcSwap::default(),
        }
    }

    /// How many of its items were folded in after training.
    pub fn appended(&self) -> usize {
        self.appended.len()
    }

    /// Whether the model was trained on this item; one that was not is folded in from those who touch it.
    pub fn trained_on(&self, id: &ItemId) -> bool {
        self.by_id.contains_key(id)
    }

    /// The rows bound to `catalogue`. Cheap unless the catalogue has new items, of which only those are looked up.
    pub fn rows(&self, catalogue: &Catalogue) -> Arc<RowMap> {
        let current = self.rows.load_full();
        if current.bound >= catalogue.len() {
            return current;
        }
        let mut map = RowMap::clone(&current);
        map.item_of.resize(self.by_id.len() + self.appended.len(), NONE);
        for item in map.bound..catalogue.len() {
            let row = self.row_of_id(catalogue.id(item as ItemIndex)).unwrap_or(NONE);
            map.row_of.push(row);
            if row != NONE {
                map.item_of[row as usize] = item as ItemIndex;
            }
        }
        map.bound = catalogue.len();
        let map = Arc::new(map);
        // Two requests may race here; either map is right, and a shorter one is only extended again.
        self.rows.store(Arc::clone(&map));
        map
    }

    fn row_of_id(&self, id: &ItemId) -> Option<Row> {
        self.by_id.get(id).or_else(|| self.appended.get(id)).copied()
    }

    /// The best allowed rows for a history.
    pub fn retrieve(&self, history: &[Past], limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        self.retrieves().retrieve(&Query { history, item: None }, limit, allow)
    }

    /// Scores rows for a history; see [`Score::score`].
    pub fn score(&self, history: &[Past], rows: &[Row], scores: &mut [f32]) {
        let query = Query { history, item: None };
        match &self.kind {
            Kind::Ials(factors) => factors.ials.score(&query, rows, scores),
            Kind::Filter(filter) => filter.score(&query, rows, scores),
            Kind::Peers(peers) => peers.score(&query, rows, scores),
            Kind::Blend(blended) => blended.blend.score(&query, rows, scores),
        }
    }

    fn retrieves(&self) -> &dyn Retrieve {
        match &self.kind {
            Kind::Ials(factors) => &factors.ials,
            Kind::Filter(filter) => filter,
            Kind::Peers(peers) => peers,
            Kind::Blend(blended) => &blended.blend,
        }
    }

    /// The rows most like `row`: nearest by cosine, or what a history of it alone speaks for.
    pub fn similar(&self, row: Row, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let allow = Others { row, allow };
        match &self.kind {
            Kind::Ials(factors) => match factors.directions.row(row) {
                Some(direction) => factors.directions.search(direction, limit, &allow),
                None => Vec::new(),
            },
            Kind::Filter(_) | Kind::Peers(_) | Kind::Blend(_) => {
                let history = [Past { row, weight: 1.0, age: 0.0 }];
                self.retrieves().retrieve(&Query { history: &history, item: None }, limit, &allow)
            }
        }
    }

    /// Whether items that it was not trained on can be folded in.
    pub fn grows(&self) -> bool {
        self.factors().is_some()
    }

    /// The factorisation that takes in items, where there is one.
    fn factors(&self) -> Option<&Ials> {
        match &self.kind {
            Kind::Ials(factors) => Some(&factors.ials),
            Kind::Blend(blended) => blended.factors(),
            Kind::Filter(_) | Kind::Peers(_) => None,
        }
    }

    /// The vector of a user with this history; `None` where it holds nothing the model knows, and where the model has no
    /// vectors.
    pub fn user_vector(&self, history: &[Past]) -> Option<Vec<f32>> {
        self.factors()?.fold_in_user(history)
    }

    /// The vector of an item from those who touched it, with the weight of what they did; `None` as above.
    pub fn item_vector(&self, users: &[(&[f32], f32)]) -> Option<Vec<f32>> {
        self.factors()?.fold_in_item(users)
    }

    /// The trained model with `items` appended, in this order, in place of whatever was appended before. Shares all
    /// trained vectors with this one.
    ///
    /// # Errors
    /// A model that does not grow; a vector of another length, or with a number that is not finite.
    pub fn grown(&self, items: &[(ItemId, Vec<f32>)]) -> Result<Self, StageError> {
        let (kind, rows) = match &self.kind {
            Kind::Ials(previous) => {
                let mut factors = previous.clone();
                factors.ials = factors.trained.clone();
                factors.directions = factors.trained_directions.clone();
                let mut rows = Vec::with_capacity(items.len());
                for (_, vector) in items {
                    factors.directions.append(&direction(vector)).map_err(broken)?;
                    rows.push(factors.ials.append_item(vector).map_err(broken)?);
                }
                if let Some(coarse) = CoarseStages::of(&previous.ials, &previous.directions) {
                    coarse.attach(&mut factors.ials, &mut factors.directions).map_err(broken)?;
                }
                (Kind::Ials(factors), rows)
            }
            Kind::Blend(blended) if blended.factors().is_some() => {
                let mut rows = Vec::with_capacity(items.len());
                let trained = blended.trained.clone();
                let blend = trained.map(|member| append(member, items, &mut rows)).map_err(broken)?;
                (Kind::Blend(Box::new(Blended { blend, trained })), rows)
            }
            Kind::Filter(_) | Kind::Peers(_) | Kind::Blend(_) => {
                return Err(StageError::Broken(format!("model `{}` takes in no new items", self.name)));
            }
        };
        Ok(self.with_kind(kind, items.iter().map(|(id, _)| id.clone()).zip(rows).collect()))
    }
}

/// All that are allowed but one.
struct Others<'a> {
    row: Row,
    allow: &'a dyn Allow,
}

impl Allow for Others<'_> {
    fn allows(&self, row: Row) -> bool {
        row != self.row && self.allow.allows(row)
    }

    fn listed(&self) -> Option<&[Row]> {
        self.allow.listed()
    }
}

/// The member with the items appended, where it takes them in; `rows` is then where they are.
fn append(member: &Member, items: &[(ItemId, Vec<f32>)], rows: &mut Vec<Row>) -> Result<Member, ModelError> {
    let Member::Ials(ials) = member else { return Ok(member.clone()) };
    let mut ials = ials.clone();
    *rows = items.iter().map(|(_, vector)| ials.append_item(vector)).collect::<Result<_, _>>()?;
    Ok(Member::Ials(ials))
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn broken(error: ModelError) -> StageError {
    StageError::Broken(error.to_string())
}

fn directions(ials: &Ials) -> Result<QuantisedIndex, ModelError> {
    let mut index = QuantisedIndex::new(ials.index().dimensions());
    for row in 0..ials.items() as Row {
        index.append(&ials.index().row(row).map(direction).unwrap_or_default())?;
    }
    Ok(index)
}

/// The vector at length 1; zeros stay zeros.
fn direction(vector: &[f32]) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let scale = if norm > 0.0 && norm.is_finite() { 1.0 / norm } else { 0.0 };
    vector.iter().map(|x| x * scale).collect()
}
