//! A model as served: its mathematics, and its rows bound to the catalogue.
//!
//! A [`LoadedModel`] never changes under a request. New items make a new one ([`LoadedModel::grown`]), published in a
//! new snapshot. Only the binding of rows to catalogue indices is brought up to date in place, since it is a pure
//! function of the vocabulary and of a catalogue that only ever appends.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use compact_str::{CompactString, format_compact};
use headwater_base::ItemId;
use headwater_features::{Catalogue, ItemIndex};
use headwater_log::Position;
use headwater_models::filter::Filter;
use headwater_models::ials::Ials;
use headwater_models::index::QuantisedIndex;
use headwater_models::{Allow, ModelError, Past, Query, Retrieve, Row, Score, Scored};

use crate::error::StageError;

const NONE: u32 = u32::MAX;

/// A model ready to serve.
pub struct LoadedModel {
    name: CompactString,
    version: u64,
    label: CompactString,
    kind: Kind,
    by_id: Arc<HashMap<ItemId, Row>>,
    appended: HashMap<ItemId, Row>,
    trained_to: Position,
    rows: ArcSwap<RowMap>,
}

/// The mathematics.
enum Kind {
    Ials(Box<Factors>),
    Filter(Filter),
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
            rows: ArcSwap::default(),
        })
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
        let query = Query { history, item: None };
        match &self.kind {
            Kind::Ials(factors) => factors.ials.retrieve(&query, limit, allow),
            Kind::Filter(filter) => filter.retrieve(&query, limit, allow),
        }
    }

    /// Scores rows for a history; see [`Score::score`].
    pub fn score(&self, history: &[Past], rows: &[Row], scores: &mut [f32]) {
        let query = Query { history, item: None };
        match &self.kind {
            Kind::Ials(factors) => factors.ials.score(&query, rows, scores),
            Kind::Filter(filter) => filter.score(&query, rows, scores),
        }
    }

    /// The rows most like `row`: nearest by cosine, or what a history of it alone speaks for.
    pub fn similar(&self, row: Row, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let allow = |other: Row| other != row && allow.allows(other);
        match &self.kind {
            Kind::Ials(factors) => match factors.directions.row(row) {
                Some(direction) => factors.directions.search(direction, limit, &allow),
                None => Vec::new(),
            },
            Kind::Filter(filter) => {
                let history = [Past { row, weight: 1.0, age: 0.0 }];
                filter.retrieve(&Query { history: &history, item: None }, limit, &allow)
            }
        }
    }

    /// Whether items that it was not trained on can be folded in.
    pub fn grows(&self) -> bool {
        matches!(self.kind, Kind::Ials(_))
    }

    /// The vector of a user with this history; `None` where it holds nothing the model knows, and where the model has no
    /// vectors.
    pub fn user_vector(&self, history: &[Past]) -> Option<Vec<f32>> {
        match &self.kind {
            Kind::Ials(factors) => factors.ials.fold_in_user(history),
            Kind::Filter(_) => None,
        }
    }

    /// The vector of an item from those who touched it, with the weight of what they did; `None` as above.
    pub fn item_vector(&self, users: &[(&[f32], f32)]) -> Option<Vec<f32>> {
        match &self.kind {
            Kind::Ials(factors) => factors.ials.fold_in_item(users),
            Kind::Filter(_) => None,
        }
    }

    /// The trained model with `items` appended, in this order, in place of whatever was appended before. Shares all
    /// trained vectors with this one.
    ///
    /// # Errors
    /// A model that does not grow; a vector of another length, or with a number that is not finite.
    pub fn grown(&self, items: &[(ItemId, Vec<f32>)]) -> Result<Self, StageError> {
        let Kind::Ials(factors) = &self.kind else {
            return Err(StageError::Broken(format!("model `{}` takes in no new items", self.name)));
        };
        let mut factors = factors.clone();
        factors.ials = factors.trained.clone();
        factors.directions = factors.trained_directions.clone();
        let mut appended = HashMap::with_capacity(items.len());
        for (id, vector) in items {
            factors.directions.append(&direction(vector)).map_err(broken)?;
            appended.insert(id.clone(), factors.ials.append_item(vector).map_err(broken)?);
        }
        Ok(Self {
            name: self.name.clone(),
            version: self.version,
            label: self.label.clone(),
            kind: Kind::Ials(factors),
            by_id: Arc::clone(&self.by_id),
            appended,
            trained_to: self.trained_to.clone(),
            rows: ArcSwap::default(),
        })
    }
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
