//! The engine: a request reads on one page.

use std::sync::Arc;

use arc_swap::ArcSwap;
use compact_str::CompactString;
use headwater_base::{Actor, Clock, Decision, ItemId, RequestId, Rung, Schema, Shown, Stage};
use headwater_features::{Catalogue, Profile, Views};
use headwater_log::Position;
use headwater_log::request_id::RequestIds;
use parking_lot::Mutex;

use crate::cache::{AnswerCache, CacheKey, Versions};
use crate::error::PipelineError;
use crate::model::LoadedModel;
use crate::moment::Moment;
use crate::record::LOST;
use crate::request::{Answer, AnswerItem, Explanation, ItemExplanation, Request};
use crate::run::{Ranked, Run};
use crate::snapshot::Snapshot;
use crate::stage::Recorder;
use crate::surface::Surface;

/// What an engine is made of.
pub struct EngineParts {
    /// The state folded from the log.
    pub views: Arc<Views>,
    /// The declared domain.
    pub schema: Arc<Schema>,
    /// Where decisions go.
    pub recorder: Arc<dyn Recorder>,
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
    /// Generates request ids.
    pub request_ids: Arc<RequestIds>,
    /// How many answers to keep; `None` computes each anew.
    pub cache: Option<AnswerCache>,
}

/// Answers requests from one swapped snapshot and the live views. Shared by all threads.
pub struct Engine {
    parts: EngineParts,
    snapshot: ArcSwap<Snapshot>,
    publishing: Mutex<u64>,
}

impl Engine {
    /// An engine with an empty snapshot: every surface is unknown until one is published.
    pub fn new(parts: EngineParts) -> Self {
        Self { parts, snapshot: ArcSwap::default(), publishing: Mutex::new(0) }
    }

    /// Recommends items for a surface.
    pub fn recommend(&self, request: &Request) -> Result<Answer, PipelineError> {
        let now = self.parts.clock.now();
        let snapshot = self.snapshot.load();
        let surface = snapshot.surface(&request.surface)?;
        let limit = surface.limit(request.limit)?;
        self.check(request)?;

        let position = self.parts.views.position();
        let catalogue = self.parts.views.catalogue();
        let (profile, unread) = self.profile(&request.actor);
        let versions = Versions {
            last_event: profile.last,
            snapshot: snapshot.generation,
            catalogue: catalogue.version(),
        };
        let cache = self.cacheable(request).filter(|_| unread.is_none());
        let key = cache.map(|cache| (cache, CacheKey::new(request, limit, versions)));

        let known = key.as_ref().and_then(|(cache, key)| cache.get(key, now));
        let cached = known.is_some();
        let ranked = known.unwrap_or_else(|| {
            let item = request.item.as_ref().and_then(|id| catalogue.index(id.as_str()));
            let moment = Moment {
                request,
                snapshot: &snapshot,
                catalogue: &catalogue,
                profile: &profile,
                views: &self.parts.views,
                item,
                now,
            };
            Arc::new(Run::new(surface, &moment, self.parts.clock.as_ref(), limit).finish())
        });
        let mut answer = self.answer(request, &snapshot, surface, &catalogue, &ranked);
        if let Some((cache, key)) = key
            && !cached
        {
            cache.put(key, ranked, now);
        }
        answer.cached = cached;
        answer.stages.extend(unread);
        self.record(request, &snapshot, surface, &mut answer, position);
        Ok(answer)
    }

    /// The snapshot requests read now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts a snapshot in front of the next request.
    pub fn publish(&self, snapshot: Snapshot) {
        self.update(|_| Some(snapshot));
    }

    /// Replaces a loaded model by a grown one, unless another version was published meanwhile; true where it was done.
    pub fn grow(&self, model: LoadedModel) -> bool {
        self.update(|current| {
            let serving = current.models.get(model.name())?;
            if serving.version() != model.version() {
                return None;
            }
            let mut next = current.clone();
            next.models.insert(model.name().into(), Arc::new(model));
            Some(next)
        })
    }

    fn update(&self, change: impl FnOnce(&Snapshot) -> Option<Snapshot>) -> bool {
        let mut generation = self.publishing.lock();
        let Some(mut next) = change(&self.snapshot.load()) else { return false };
        *generation += 1;
        next.generation = *generation;
        self.snapshot.store(Arc::new(next));
        true
    }

    /// The views this engine reads.
    pub fn views(&self) -> &Arc<Views> {
        &self.parts.views
    }

    /// The clock this engine reads.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// Answers kept at this moment.
    pub fn cached_answers(&self) -> usize {
        self.parts.cache.as_ref().map_or(0, AnswerCache::len)
    }

    /// An explanation shows what happened now, so it is computed now.
    fn cacheable(&self, request: &Request) -> Option<&AnswerCache> {
        self.parts.cache.as_ref().filter(|_| !request.explain)
    }

    pub(crate) fn check(&self, request: &Request) -> Result<(), PipelineError> {
        let fields = &self.parts.schema.items;
        for filter in &request.categories {
            if !fields.contains_key(&filter.field) {
                let names: Vec<&str> = fields.keys().map(CompactString::as_str).collect();
                let expected = headwater_base::schema::one_of(&names, &filter.field);
                let field = compact_str::format_compact!("categories.{}", filter.field);
                return Err(
                    headwater_base::Invalid::new("unknown_field", field, &filter.field, expected).into()
                );
            }
        }
        Ok(())
    }

    fn answer(
        &self,
        request: &Request,
        snapshot: &Snapshot,
        surface: &Surface,
        catalogue: &Catalogue,
        ranked: &Ranked,
    ) -> Answer {
        let item = |candidate: &crate::Candidate| AnswerItem {
            id: catalogue.id(candidate.item).clone(),
            score: candidate.score,
            source: surface.source_name(candidate.source).into(),
        };
        Answer {
            request_id: self.next_request_id(),
            surface: surface.name().clone(),
            model: model_of(snapshot, surface, ranked),
            rung: ranked.rung(),
            items: ranked.chosen.iter().map(item).collect(),
            stages: ranked.stages.clone(),
            cached: false,
            recorded: false,
            explanation: request.explain.then(|| explain(surface, catalogue, ranked)),
        }
    }

    /// What is known of who asks. Where the disk it is on refuses, the answer is that for somebody unknown, and says so.
    pub(crate) fn profile(&self, actor: &Actor) -> (Profile, Option<Stage>) {
        match self.parts.views.profile(actor) {
            Ok(profile) => (profile, None),
            Err(_) => (Profile::default(), Some(unread("profile"))),
        }
    }

    pub(crate) fn next_request_id(&self) -> RequestId {
        self.parts.request_ids.next(self.parts.clock.now())
    }

    pub(crate) fn record(
        &self,
        request: &Request,
        snapshot: &Snapshot,
        surface: &Surface,
        answer: &mut Answer,
        position: Position,
    ) {
        if !self.parts.recorder.keeps() {
            return;
        }
        let shown_items = answer.items.iter().map(|item| &item.id);
        let (views, clock) = (&self.parts.views, self.parts.clock.as_ref());
        let read = surface.features.read(views, clock, request, &answer.request_id, shown_items);
        // Where features were read, the decision saw the views as they were then.
        let (features, position) = match read {
            Ok(Some((features, position))) => (Some(Box::new(features)), position),
            Ok(None) => (None, position),
            Err(_) => {
                answer.stages.push(unread("features"));
                (None, position)
            }
        };
        let shown = |item: &AnswerItem| Shown {
            item: item.id.clone(),
            score: item.score,
            source: item.source.clone(),
            propensity: 1.0,
        };
        let decision = Decision {
            request_id: answer.request_id.clone(),
            surface: answer.surface.clone(),
            actor: request.actor.clone(),
            item: request.item.clone(),
            context: request.context.clone(),
            position: position.0,
            model: answer.model.clone(),
            settings: snapshot.settings,
            arms: Vec::new(),
            seed: 0,
            rung: answer.rung,
            items: answer.items.iter().map(shown).collect(),
            stages: answer.stages.clone(),
            features,
        };
        match self.parts.recorder.record(decision, self.parts.clock.now()) {
            Ok(()) => answer.recorded = true,
            Err(error) => answer.stages.push(Stage {
                name: LOST.into(),
                entered: 1,
                left: 0,
                skipped: compact_str::format_compact!("{error}"),
            }),
        }
    }
}

/// What the views could not read and have logged; the reason names files, which clients need not know.
fn unread(what: &str) -> Stage {
    Stage {
        name: compact_str::format_compact!("views:{what}"),
        entered: 1,
        left: 0,
        skipped: "it could not be read from the disk".into(),
    }
}

/// The model that brought or scored a shown item; the scorer's where there is one.
fn model_of(snapshot: &Snapshot, surface: &Surface, ranked: &Ranked) -> CompactString {
    let scored = surface.scorer.as_ref().and_then(|scorer| scorer.model());
    let brought = || {
        let sources = ranked.chosen.iter().map(|candidate| usize::from(candidate.source));
        sources.filter_map(|source| surface.sources[source].model()).next()
    };
    let name = if ranked.rung() == Rung::Empty { None } else { scored.or_else(brought) };
    name.and_then(|name| snapshot.models.get(name)).map(|model| model.label().clone()).unwrap_or_default()
}

fn explain(surface: &Surface, catalogue: &Catalogue, ranked: &Ranked) -> Explanation {
    let id = |item| -> ItemId { catalogue.id(item).clone() };
    let items = ranked.chosen.iter().map(|chosen| {
        let found = ranked.found.iter().filter(|(item, ..)| *item == chosen.item);
        let mut sources: Vec<(CompactString, u32, f32)> = found
            .map(|(_, source, rank, score)| (surface.source_name(*source).into(), *rank, *score))
            .collect();
        sources.dedup_by(|a, b| a.0 == b.0);
        ItemExplanation { id: id(chosen.item), rung: chosen.rung, sources }
    });
    Explanation {
        items: items.collect(),
        filtered: ranked.filtered.iter().cloned().collect(),
        refused: ranked.refused.iter().map(|(item, filter)| (id(*item), filter.clone())).collect(),
    }
}
