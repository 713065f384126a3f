//! A small world: views fed by hand, a trained factorisation, an engine whose decisions are kept in memory.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use headwater_base::schema::InteractionType;
use headwater_base::time::ManualClock;
use headwater_base::value::FieldType;
use headwater_base::{
    Actor, Decision, Event, EventId, Fact, Fields, Interaction, ItemId, Schema, Timestamp, UserId, Value,
};
use headwater_features::{Views, ViewsOptions};
use headwater_log::request_id::RequestIds;
use headwater_log::{Batch, Partition};
use headwater_models::ials::{IalsOptions, train};
use headwater_models::matrix::Csr;
use headwater_pipeline::{
    Answer, AnswerCache, Engine, EngineParts, FilterSpec, LoadedModel, RecordError, Recorder, Request,
    Snapshot, SourceSpec, Surface, SurfaceSpec,
};
use parking_lot::Mutex;

/// Keeps decisions, or refuses them.
#[derive(Default)]
pub(crate) struct MemoryRecorder {
    pub(crate) decisions: Mutex<Vec<Decision>>,
    pub(crate) broken: Mutex<bool>,
}

impl Recorder for MemoryRecorder {
    fn record(&self, decision: Decision, _: Timestamp) -> Result<(), RecordError> {
        if *self.broken.lock() {
            return Err(RecordError::Other("disk full".into()));
        }
        self.decisions.lock().push(decision);
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) schema: Arc<Schema>,
    pub(crate) views: Arc<Views>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) recorder: Arc<MemoryRecorder>,
    pub(crate) engine: Arc<Engine>,
    next: Mutex<u64>,
}

pub(crate) fn schema(repeats: bool) -> Schema {
    Schema {
        interactions: [("click", 1.0), ("purchase", 5.0), ("impression", 0.0)]
            .map(|(name, weight)| (name.into(), InteractionType { weight }))
            .into(),
        items: [
            ("category", FieldType::Categorical),
            ("tags", FieldType::Tags),
            ("price", FieldType::Numeric),
        ]
        .map(|(name, field_type)| (name.into(), field_type))
        .into(),
        repeats,
        ..Schema::default()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(schema(false), None)
    }

    pub(crate) fn with(schema: Schema, cache: Option<AnswerCache>) -> Self {
        let schema = Arc::new(schema);
        let views = Arc::new(Views::new(Arc::clone(&schema), ViewsOptions::default()));
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_000_000)));
        let recorder = Arc::new(MemoryRecorder::default());
        let engine = Arc::new(Engine::new(EngineParts {
            views: Arc::clone(&views),
            schema: Arc::clone(&schema),
            recorder: Arc::clone(&recorder) as Arc<dyn Recorder>,
            clock: Arc::clone(&clock) as Arc<dyn headwater_base::Clock>,
            request_ids: Arc::new(RequestIds::new(7)),
            cache,
        }));
        Self { schema, views, clock, recorder, engine, next: Mutex::new(0) }
    }

    pub(crate) fn fact(&self, fact: Fact) {
        let mut next = self.next.lock();
        let now = Timestamp::from_seconds(1_000_000);
        let id = EventId::trusted(format!("e{next}"));
        let events = Arc::from(vec![Event { id, time: now, received: now, fact }]);
        self.views.apply(&Batch { partition: Partition(0), first: *next, events }).unwrap();
        *next += 1;
    }

    pub(crate) fn act(&self, user: &str, kind: &str, item: &str) {
        self.fact(Fact::Interaction(interaction(Actor::user(UserId::trusted(user)), kind, item)));
    }

    pub(crate) fn click(&self, user: &str, item: &str) {
        self.act(user, "click", item);
    }

    pub(crate) fn item(&self, id: &str, category: &str) {
        let fields = Fields::new([("category".into(), Value::Categorical(category.into()))]);
        self.upsert(id, fields, None);
    }

    pub(crate) fn upsert(&self, id: &str, fields: Fields, available: Option<bool>) {
        let item = ItemId::trusted(id);
        self.fact(Fact::ItemUpsert { item, fields, removed: Vec::new(), available, patch: false });
    }

    /// Two tastes: users a0..a9 click a-items, users b0..b9 click b-items; returns the trained model of it.
    pub(crate) fn two_tastes(&self) -> LoadedModel {
        self.two_tastes_by(|user, item| self.click(user, item))
    }

    /// The same, with clicks that go another way.
    pub(crate) fn two_tastes_by(&self, click: impl Fn(&str, &str)) -> LoadedModel {
        let mut pairs = Vec::new();
        for user in 0..10u32 {
            for item in 0..8u32 {
                if (user + item) % 3 != 0 {
                    for (taste, name) in [(0u32, 'a'), (1, 'b')] {
                        click(&format!("{name}{user}"), &format!("{name}-item{item}"));
                        pairs.push((taste * 10 + user, taste * 8 + item, 1.0));
                    }
                }
            }
        }
        let matrix = Csr::from_pairs(20, 16, pairs).unwrap();
        let options = IalsOptions { factors: 8, iterations: 10, ..IalsOptions::default() };
        let ials = train(&matrix, &options, &mut |_| {}).unwrap();
        let ids = ["a", "b"]
            .iter()
            .flat_map(|taste| (0..8).map(move |item| ItemId::trusted(format!("{taste}-item{item}"))));
        let position = self.views.position();
        LoadedModel::ials("ials", 1, ials, ids.collect(), position).unwrap()
    }

    pub(crate) fn publish(&self, specs: &[SurfaceSpec], models: Vec<LoadedModel>) {
        let surfaces = specs.iter().map(|spec| Surface::assemble(spec, &self.schema).unwrap());
        let models = models.into_iter().map(Arc::new);
        self.engine.publish(Snapshot::new(surfaces.collect::<Vec<_>>(), models, 42));
    }

    pub(crate) fn ask(&self, request: &Request) -> Answer {
        self.engine.recommend(request).unwrap()
    }

    pub(crate) fn home(&self, user: &str, limit: usize) -> Answer {
        self.ask(&home(user, limit))
    }

    pub(crate) fn later(&self, by: Duration) {
        use headwater_base::Clock as _;
        self.clock.set(self.clock.now().plus(by));
    }
}

pub(crate) fn interaction(actor: Actor, kind: &str, item: &str) -> Interaction {
    Interaction {
        kind: kind.into(),
        actor,
        item: ItemId::trusted(item),
        value: None,
        request_id: None,
        context: Fields::default(),
    }
}

pub(crate) fn home(user: &str, limit: usize) -> Request {
    Request {
        surface: "home".into(),
        actor: Actor::user(UserId::trusted(user)),
        limit: Some(limit),
        ..Request::default()
    }
}

pub(crate) fn spec(sources: &[&str], filters: &[&str]) -> SurfaceSpec {
    SurfaceSpec {
        sources: sources.iter().map(|word| SourceSpec::parse(word).unwrap()).collect(),
        filters: filters.iter().map(|word| FilterSpec::parse(word).unwrap()).collect(),
        ..SurfaceSpec::named("home")
    }
}

pub(crate) fn ids(answer: &Answer) -> Vec<&str> {
    answer.items.iter().map(|item| item.id.as_str()).collect()
}

pub(crate) fn skipped(answer: &Answer) -> Vec<(&str, &str)> {
    let skipped = answer.stages.iter().filter(|stage| !stage.skipped.is_empty());
    skipped.map(|stage| (stage.name.as_str(), stage.skipped.as_str())).collect()
}

pub(crate) fn words(values: &[&str]) -> Vec<CompactString> {
    values.iter().map(|value| (*value).into()).collect()
}
