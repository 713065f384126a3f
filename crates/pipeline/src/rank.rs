//! Ranking the caller's own candidates.

use headwater_base::{Invalid, ItemId, Rung, Stage};

use crate::candidate::{Candidate, Found, by_score};
use crate::engine::Engine;
use crate::error::PipelineError;
use crate::moment::Moment;
use crate::request::{Answer, AnswerItem, RankRequest, Request};
use crate::sources::ModelScorer;
use crate::stage::Scorer;

/// The most candidates one request may bring.
pub const MAX_CANDIDATES: usize = 10_000;

impl Engine {
    /// Orders the caller's candidates by the surface's model: all of them are answered, each once, what the model does
    /// not know last and in the order given. No filter applies: the caller chose the candidates.
    pub fn rank(&self, request: &RankRequest) -> Result<Answer, PipelineError> {
        let snapshot = self.snapshot();
        let surface = snapshot.surface(&request.surface)?;
        if request.items.len() > MAX_CANDIDATES {
            let expected = format!("at most {MAX_CANDIDATES} items");
            return Err(Invalid::new("too_long", "items", request.items.len(), expected).into());
        }
        let now = self.clock().now();
        let position = self.views().position();
        let catalogue = self.views().catalogue();
        let (profile, unread) = self.profile(&request.actor);
        let asked = Request {
            surface: request.surface.clone(),
            actor: request.actor.clone(),
            item: request.item.clone(),
            context: request.context.clone(),
            ..Request::default()
        };
        let moment = Moment {
            request: &asked,
            snapshot: &snapshot,
            catalogue: &catalogue,
            profile: &profile,
            views: self.views(),
            item: None,
            now,
        };

        let ids = distinct(&request.items);
        let mut candidates = Vec::with_capacity(ids.len());
        for (rank, id) in (0u32..).zip(&ids) {
            let item = catalogue.index(id.as_str()).unwrap_or(u32::MAX);
            candidates.push(Candidate::found(
                Found { item, score: f32::NEG_INFINITY },
                0,
                rank,
                Rung::Personal,
            ));
        }
        let own = surface
            .sources
            .iter()
            .find_map(|source| source.model())
            .map(|name| ModelScorer::new(name.into()));
        let scorer = surface.scorer.as_deref().or(own.as_ref().map(|scorer| scorer as &dyn Scorer));
        let mut stages = Vec::from_iter(unread);
        if let Some(scorer) = scorer {
            let skipped = scorer.score(&moment, &mut candidates).err().map(|error| error.to_string());
            stages.push(Stage {
                name: compact_str::format_compact!("scorer:{}", scorer.name()),
                entered: candidates.len() as u32,
                left: candidates.iter().filter(|candidate| candidate.score.is_finite()).count() as u32,
                skipped: skipped.unwrap_or_default().into(),
            });
        }
        let known = candidates.iter().any(|candidate| candidate.score.is_finite());
        candidates.sort_by(|a, b| match (a.score.is_finite(), b.score.is_finite()) {
            (false, false) => a.rank.cmp(&b.rank),
            _ => by_score(a, b),
        });

        let model = scorer.filter(|_| known).and_then(|scorer| scorer.model());
        let label = model.and_then(|name| snapshot.models.get(name)).map(|model| model.label().clone());
        let item = |candidate: &Candidate| AnswerItem {
            id: ids[candidate.rank as usize].clone(),
            score: candidate.score,
            source: "request".into(),
        };
        let mut answer = Answer {
            request_id: self.next_request_id(),
            surface: surface.name().clone(),
            model: label.unwrap_or_default(),
            rung: if known { Rung::Personal } else { Rung::Empty },
            items: candidates.iter().map(item).collect(),
            stages,
            cached: false,
            recorded: false,
            explanation: None,
        };
        self.record(&asked, &snapshot, surface, &mut answer, position);
        Ok(answer)
    }
}

/// The ids in the order given, each once.
fn distinct(ids: &[ItemId]) -> Vec<ItemId> {
    let mut met = std::collections::HashSet::with_capacity(ids.len());
    ids.iter().filter(|id| met.insert(id.as_str())).cloned().collect()
}
