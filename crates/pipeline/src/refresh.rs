//! Vectors for items the model was not trained on.
//!
//! A [`Refresher`] follows the log behind the views. When somebody touches an item without a trained vector, it solves
//! the item's vector from the vectors of those who touched it, which are themselves solved from their profiles, and
//! publishes a grown model. It also does so for what happened between the model's training and the start of the
//! process, so a restart loses nothing. An item that is touched again is solved again.
//!
//! It also has the coarse stages of large models built, on a thread beside, and again once many items were appended. Until
//! they are done the model serves as it is; then the next snapshot has them.
//!
//! Where the model has learnt from attributes, an item that nobody has touched has the vector of its attributes as soon as the catalogue
//! has it; who then touches it moves it from there.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use compact_str::CompactString;
use headwater_base::{Actor, Fact, ItemId, Schema, Timestamp};
use headwater_features::{Catalogue, ItemIndex};
use headwater_log::{Batch, EventLog, LogError, Position, Subscription};
use headwater_models::index::CoarseReport;

use crate::engine::Engine;
use crate::error::StageError;
use crate::index::{CoarseStages, IndexOptions};
use crate::model::LoadedModel;

/// The least time between two grown models: growing copies the model's vectors.
const PACE: Duration = Duration::from_millis(250);
/// How long a step waits for events.
const WAIT: Duration = Duration::from_millis(50);
/// How many of those who touched an item last make its vector.
const ACTORS: usize = 64;
/// As many users as this count as much as an item's attributes.
const ATTRIBUTES: f32 = 3.0;
/// The most items folded in beyond the trained ones; further ones wait for the next training.
const MAX_APPENDED: usize = 100_000;

/// Follows the log and grows the engine's models.
pub struct Refresher {
    engine: Arc<Engine>,
    log: Arc<dyn EventLog>,
    schema: Arc<Schema>,
    index: IndexOptions,
    models: BTreeMap<CompactString, Growing>,
}

/// Coarse stages in the making.
type Building = JoinHandle<Result<Option<CoarseStages>, StageError>>;

/// What is known of one model's new items.
struct Growing {
    version: u64,
    subscription: Box<dyn Subscription>,
    items: Vec<(ItemId, Vec<f32>)>,
    place: HashMap<ItemId, usize>,
    touched: HashMap<ItemId, VecDeque<(Actor, f32)>>,
    changed: BTreeSet<ItemId>,
    grown: Option<Timestamp>,
    building: Option<Building>,
    /// Coarse stages of this model could not be built; trying again would fail again.
    unbuildable: bool,
}

impl Refresher {
    /// Grows the models of `engine` from what `log` says.
    pub fn new(engine: Arc<Engine>, log: Arc<dyn EventLog>, schema: Arc<Schema>) -> Self {
        let index = IndexOptions { from: None, ..IndexOptions::default() };
        Self { engine, log, schema, index, models: BTreeMap::new() }
    }

    /// And has their items searched as `index` says; without this every item is read.
    #[must_use]
    pub fn with_index(self, index: IndexOptions) -> Self {
        Self { index, ..self }
    }

    /// Runs on a thread of its own until the handle is dropped or the log closes.
    pub fn start(mut self) -> std::io::Result<RefresherHandle> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("item-fold-in".into()).spawn(move || {
            let idle = parking_lot::Condvar::new();
            let lock = parking_lot::Mutex::new(());
            while !stopped.load(Ordering::Relaxed) {
                match self.step() {
                    Ok(Step::Followed) => {}
                    Ok(Step::NothingToFollow) => {
                        idle.wait_for(&mut lock.lock(), WAIT);
                    }
                    Err(LogError::Closed) => return,
                    Err(error) => {
                        tracing::error!(%error, "new items cannot be folded in any more");
                        return;
                    }
                }
            }
        })?;
        Ok(RefresherHandle { stop, thread: Some(thread) })
    }

    /// Reads what the log has, waiting a little for more, and grows the models that have new items.
    pub fn step(&mut self) -> Result<Step, LogError> {
        let snapshot = self.engine.snapshot();
        self.models.retain(|name, _| snapshot.models.contains_key(name));
        let mut growing = snapshot.models.iter().filter(|(_, model)| model.grows()).peekable();
        if growing.peek().is_none() {
            return Ok(Step::NothingToFollow);
        }
        for (name, model) in growing {
            let current = self.models.get(name).is_some_and(|growing| growing.version == model.version());
            if !current {
                let growing = Growing::follow(self.log.as_ref(), model, &self.engine.views().catalogue())?;
                self.models.insert(name.clone(), growing);
            }
            let Some(growing) = self.models.get_mut(name) else { continue };
            if let Some(batch) = growing.subscription.next(WAIT)? {
                growing.note(&batch, model, &self.schema);
            } else if growing.subscription.closed() {
                return Err(LogError::Closed);
            }
            growing.index(&self.engine, model, &self.index);
            // It may just have got its clusters.
            let now = self.engine.snapshot();
            if let Some(model) = now.models.get(name).filter(|now| now.version() == model.version()) {
                growing.grow(&self.engine, model);
            }
        }
        Ok(Step::Followed)
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No model is loaded that takes in new items.
    NothingToFollow,
    /// The log was read.
    Followed,
}

impl Growing {
    fn follow(log: &dyn EventLog, model: &LoadedModel, catalogue: &Catalogue) -> Result<Self, LogError> {
        let mut from: Position = log.start();
        from.advance(model.trained_to());
        // A model trained on another log, or on one that was replaced, may name offsets this log has not reached.
        let end = log.end();
        let from = Position(
            from.0
                .iter()
                .enumerate()
                .map(|(i, offset)| end.0.get(i).map_or(0, |end| *offset.min(end)))
                .collect(),
        );
        Ok(Self {
            version: model.version(),
            subscription: log.subscribe(from)?,
            items: Vec::new(),
            place: HashMap::new(),
            touched: HashMap::new(),
            changed: untouched(model, catalogue),
            grown: None,
            building: None,
            unbuildable: false,
        })
    }

    /// Has coarse stages built where they are due, and publishes the model with them when they are done.
    fn index(&mut self, engine: &Engine, model: &Arc<LoadedModel>, options: &IndexOptions) {
        match self.building.take() {
            Some(building) if building.is_finished() => match building.join() {
                Ok(Ok(Some(coarse))) => {
                    // Growing replaces the model on this thread alone, so the snapshot's is the newest.
                    match model.with_coarse(&coarse) {
                        Ok(indexed) => self.publish(engine, indexed),
                        Err(error) => self.give_up(model, &error.to_string()),
                    }
                }
                Ok(Ok(None)) => self.unbuildable = true,
                Ok(Err(error)) => self.give_up(model, &error.to_string()),
                Err(_) => self.give_up(model, "the thread panicked"),
            },
            Some(building) => self.building = Some(building),
            None if !self.unbuildable && model.wants_coarse(options) => {
                let (model, options) = (Arc::clone(model), *options);
                let thread = std::thread::Builder::new().name("coarse-index".into());
                match thread.spawn(move || model.coarse(&options)) {
                    Ok(building) => self.building = Some(building),
                    Err(error) => tracing::error!(%error, "no thread to build the index on"),
                }
            }
            None => {}
        }
    }

    fn publish(&self, engine: &Engine, indexed: LoadedModel) {
        if let Some(report) = indexed.index_report() {
            let label = indexed.label();
            let CoarseReport { kind, parts, width, recall, share, rows, .. } = report;
            let kind = kind.name();
            if share < 1.0 {
                tracing::info!(model = %label, kind, parts, width, recall, share, rows, "not every item is read any more");
            } else {
                tracing::warn!(model = %label, kind, parts, rows, "at the recall asked for every item is still read");
            }
        }
        engine.grow(indexed);
    }

    fn give_up(&mut self, model: &LoadedModel, error: &str) {
        self.unbuildable = true;
        tracing::error!(error, model = %model.label(), "the index cannot be built; every item is read");
    }

    fn note(&mut self, batch: &Batch, model: &LoadedModel, schema: &Schema) {
        for event in batch.events.iter() {
            if let Fact::ItemUpsert { item, .. } = &event.fact {
                let room =
                    self.place.contains_key(item) || self.place.len() + self.changed.len() < MAX_APPENDED;
                if room && model.reads_attributes() && !model.trained_on(item) {
                    self.changed.insert(item.clone());
                }
            }
            let Fact::Interaction(interaction) = &event.fact else { continue };
            let weight = schema.weight(&interaction.kind);
            if weight <= 0.0 || model.trained_on(&interaction.item) {
                continue;
            }
            if !self.touched.contains_key(&interaction.item) && self.touched.len() >= MAX_APPENDED {
                continue;
            }
            let actors = self.touched.entry(interaction.item.clone()).or_default();
            actors.retain(|(actor, _)| *actor != interaction.actor);
            if actors.len() == ACTORS {
                actors.pop_front();
            }
            actors.push_back((interaction.actor.clone(), weight));
            self.changed.insert(interaction.item.clone());
        }
    }

    /// Solves the changed items and publishes, where the pace allows and the views have folded what was read.
    fn grow(&mut self, engine: &Engine, model: &LoadedModel) {
        let now = engine.clock().now();
        let due = self.grown.is_none_or(|last| now >= last.plus(PACE) || now < last);
        if self.changed.is_empty() || !due || !engine.views().position().covers(self.subscription.position())
        {
            return;
        }
        let rows = model.rows(&engine.views().catalogue());
        let mut solved = false;
        for id in std::mem::take(&mut self.changed) {
            if let Some(vector) = self.solve(engine, model, &rows, &id, now) {
                solved = true;
                match self.place.get(&id) {
                    Some(place) => self.items[*place].1 = vector,
                    None => {
                        self.place.insert(id.clone(), self.items.len());
                        self.items.push((id, vector));
                    }
                }
            }
        }
        self.grown = Some(now);
        if !solved {
            return;
        }
        match model.grown(&self.items) {
            Ok(grown) => {
                engine.grow(grown);
            }
            Err(error) => tracing::error!(%error, model = %model.label(), "a model could not be grown"),
        }
    }

    fn solve(
        &self,
        engine: &Engine,
        model: &LoadedModel,
        rows: &crate::model::RowMap,
        id: &ItemId,
        now: Timestamp,
    ) -> Option<Vec<f32>> {
        let itself = engine.views().item_index(id.as_str())?;
        let catalogue = engine.views().catalogue();
        let attributes = model.content_vector(catalogue.fields(itself));
        let Some(actors) = self.touched.get(id) else { return attributes };
        let mut history = Vec::new();
        let mut vectors: Vec<(Vec<f32>, f32)> = Vec::new();
        for (actor, weight) in actors {
            // Who cannot be read, which the views have logged, tells nothing about the item.
            let Ok(mut profile) = engine.views().profile(actor) else { continue };
            profile.interactions.retain(|interaction| interaction.item != itself);
            history.clear();
            crate::moment::past(&profile, rows, now, &mut history);
            vectors.extend(model.user_vector(&history).map(|vector| (vector, *weight)));
        }
        let users: Vec<(&[f32], f32)> =
            vectors.iter().map(|(vector, weight)| (vector.as_slice(), *weight)).collect();
        match (model.item_vector(&users), attributes) {
            (Some(touched), Some(attributes)) => Some(between(&touched, users.len() as f32, &attributes)),
            (touched, attributes) => touched.or(attributes),
        }
    }
}

/// Where `users` users and the attributes of an item put it together.
fn between(touched: &[f32], users: f32, attributes: &[f32]) -> Vec<f32> {
    let share = users / (users + ATTRIBUTES);
    touched.iter().zip(attributes).map(|(touched, told)| share * touched + (1.0 - share) * told).collect()
}

/// The items of the catalogue that the model was not trained on, where it reads attributes and they have some.
fn untouched(model: &LoadedModel, catalogue: &Catalogue) -> BTreeSet<ItemId> {
    if !model.reads_attributes() {
        return BTreeSet::new();
    }
    let described = (0..catalogue.len() as ItemIndex)
        .filter(|item| !catalogue.deleted(*item) && !catalogue.fields(*item).is_empty());
    let unknown = described.map(|item| catalogue.id(item)).filter(|id| !model.trained_on(id));
    unknown.take(MAX_APPENDED).cloned().collect()
}

/// Stops the thread when dropped.
pub struct RefresherHandle {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for RefresherHandle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that folds new items in had panicked");
        }
    }
}
