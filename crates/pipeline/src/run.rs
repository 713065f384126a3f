//! One walk down the fallback ladder: sources, hydrators, filters, scorer, selector, under a deadline.
//!
//! A stage starts only while its share of the deadline lasts: sources within the first three quarters, the scorer within
//! the whole. What has run is used, late or not; what has not is skipped, and the answer's stages say so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use headwater_base::{Clock, Rung, Stage};
use headwater_features::ItemIndex;

use crate::candidate::{Candidate, Found, by_score};
use crate::error::StageError;
use crate::filters::Eligibility;
use crate::moment::Moment;
use crate::select::Shortlist;
use crate::stage::Source;
use crate::surface::Surface;

/// How many more candidates than open places are fetched where the selector may refuse some.
const OVERFETCH: usize = 4;
/// Candidates each source gives to a scorer, at least.
const POOL: usize = 200;
/// Refused items an explanation names.
const NAMED: usize = 50;

/// What a run chose, free of ids and of the request, so that it can be cached.
#[derive(Debug, Default)]
pub struct Ranked {
    /// The chosen candidates, best first.
    pub chosen: Vec<Candidate>,
    /// What each stage did.
    pub stages: Vec<Stage>,
    /// Whether a source that moves with everybody's events took part.
    pub streaming: bool,
    /// Where an explanation was asked for: each item a source found, with source, place and score.
    pub found: Vec<(ItemIndex, u16, u32, f32)>,
    /// And which items were refused by which filter.
    pub refused: Vec<(ItemIndex, CompactString)>,
    /// Distinct refused items per filter.
    pub filtered: Vec<(CompactString, u32)>,
}

impl Ranked {
    /// The best rung that brought a chosen item.
    pub fn rung(&self) -> Rung {
        self.chosen.iter().map(|candidate| candidate.rung).min().unwrap_or(Rung::Empty)
    }
}

/// One run of a surface for one request.
pub(crate) struct Run<'a> {
    surface: &'a Surface,
    moment: &'a Moment<'a>,
    clock: &'a dyn Clock,
    eligibility: Eligibility<'a>,
    shortlist: Shortlist,
    ranked: Ranked,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        surface: &'a Surface,
        moment: &'a Moment<'a>,
        clock: &'a dyn Clock,
        limit: usize,
    ) -> Self {
        Self {
            surface,
            moment,
            clock,
            eligibility: Eligibility::new(&surface.filters, moment, moment.request.explain),
            shortlist: Shortlist::new(limit),
            ranked: Ranked::default(),
        }
    }

    /// Fills the shortlist from the best rung down.
    pub(crate) fn finish(mut self) -> Ranked {
        let ladder = self.ladder();
        if self.surface.scorer.is_some() {
            self.score_together(&ladder);
        }
        for (source, rung) in ladder {
            self.fill_from(source, rung);
        }
        self.account();
        self.ranked.chosen = self.shortlist.chosen().to_vec();
        self.ranked
    }

    /// The sources with their rungs, best rung first, in the surface's order within a rung.
    fn ladder(&self) -> Vec<(u16, Rung)> {
        let sources = (0..).zip(&self.surface.sources);
        let mut ladder: Vec<(u16, Rung)> =
            sources.map(|(number, source)| (number, source.rung(self.moment))).collect();
        ladder.sort_by_key(|(_, rung)| *rung);
        ladder
    }

    /// Takes one source's items in its own order until the shortlist is full or the source has no more.
    fn fill_from(&mut self, source: u16, rung: Rung) {
        while self.shortlist.open() > 0 {
            let wanted = self.shortlist.open() * if self.surface.selector.refuses() { OVERFETCH } else { 1 };
            let Some(mut candidates) = self.fetch(source, rung, wanted) else { return };
            let exhausted = candidates.len() < wanted;
            self.hydrate_and_filter(&mut candidates);
            let before = self.shortlist.open();
            self.surface.selector.select(&candidates, &mut self.shortlist);
            if exhausted || self.shortlist.open() == before {
                return;
            }
        }
    }

    /// Scores the candidates of all sources on one scale and takes the best; what the scorer does not know keeps the
    /// order of the ladder, behind.
    fn score_together(&mut self, ladder: &[(u16, Rung)]) {
        let Some(scorer) = &self.surface.scorer else { return };
        let wanted = POOL.max(self.shortlist.open() * OVERFETCH);
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut met = std::collections::HashSet::new();
        for (source, rung) in ladder {
            let found = self.fetch(*source, *rung, wanted).unwrap_or_default();
            candidates.extend(found.into_iter().filter(|candidate| met.insert(candidate.item)));
        }
        self.hydrate_and_filter(&mut candidates);
        let entered = candidates.len();
        let name = format_compact!("scorer:{}", scorer.name());
        let scored = self.guarded(self.surface.deadline, || scorer.score(self.moment, &mut candidates));
        match scored {
            Ok(()) => {
                let known = candidates.iter().filter(|candidate| candidate.score.is_finite()).count();
                candidates.sort_by(|a, b| match (a.score.is_finite(), b.score.is_finite()) {
                    (false, false) => std::cmp::Ordering::Equal,
                    _ => by_score(a, b),
                });
                self.stage(name, entered, known, "");
            }
            Err(reason) => {
                for candidate in &mut candidates {
                    candidate.score = candidate.source_score;
                }
                self.stage(name, entered, 0, &reason);
            }
        }
        self.surface.selector.select(&candidates, &mut self.shortlist);
    }

    /// Asks one source; `None` where it was skipped or failed, which the answer's stages then say.
    fn fetch(&mut self, number: u16, rung: Rung, wanted: usize) -> Option<Vec<Candidate>> {
        let surface = self.surface;
        let source: &dyn Source = surface.sources[usize::from(number)].as_ref();
        let name = format_compact!("source:{}", source.name());
        // The last rung is cheap and always tried while there is nothing to show: late beats empty.
        let floor = rung == Rung::Popular && self.shortlist.chosen().is_empty();
        let budget = if floor { Duration::MAX } else { surface.deadline * 3 / 4 };
        let allowed = |item: ItemIndex| {
            !self.shortlist.holds(item)
                && surface.selector.admits(self.moment, item, &self.shortlist)
                && self.eligibility.allows(item)
        };
        let asked = self.guarded(budget, || source.candidates(self.moment, wanted, &allowed));
        match asked {
            Ok(found) => {
                self.ranked.streaming |= source.model().is_none();
                self.stage(name, wanted, found.len(), "");
                Some(self.admit(&found, number, rung))
            }
            Err(reason) => {
                self.stage(name, wanted, 0, &reason);
                None
            }
        }
    }

    fn admit(&mut self, found: &[Found], number: u16, rung: Rung) -> Vec<Candidate> {
        let ranked = (0u32..).zip(found).filter(|(_, found)| found.score.is_finite());
        let candidates: Vec<Candidate> =
            ranked.map(|(rank, found)| Candidate::found(*found, number, rank, rung)).collect();
        if self.moment.request.explain {
            let met = candidates.iter().map(|found| (found.item, number, found.rank, found.source_score));
            self.ranked.found.extend(met);
        }
        candidates
    }

    /// Runs a stage unless its time is over, turning an error or a panic into the reason it was skipped.
    fn guarded<T>(
        &self,
        budget: Duration,
        stage: impl FnOnce() -> Result<T, StageError>,
    ) -> Result<T, CompactString> {
        if self.clock.now() >= self.moment.now.plus(budget) {
            return Err("deadline".into());
        }
        match catch_unwind(AssertUnwindSafe(stage)) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(format_compact!("{error}")),
            Err(_) => Err("panicked".into()),
        }
    }

    /// Sources were asked for allowed items only; this is where it is enforced.
    fn hydrate_and_filter(&mut self, candidates: &mut Vec<Candidate>) {
        candidates.retain(|candidate| self.eligibility.allows(candidate.item));
        for hydrator in &self.surface.hydrators {
            hydrator.hydrate(self.moment, candidates);
        }
    }

    /// Adds what the filters and caps refused to the stages.
    fn account(&mut self) {
        let counts: Vec<(CompactString, u32, u32)> =
            self.eligibility.counts().map(|(name, entered, left)| (name.into(), entered, left)).collect();
        for (name, entered, left) in counts {
            self.stage(format_compact!("filter:{name}"), entered as usize, left as usize, "");
        }
        for (slot, cap) in self.surface.caps.iter().enumerate() {
            let (chosen, capped) = (self.shortlist.chosen().len(), self.shortlist.capped(slot) as usize);
            self.stage(format_compact!("filter:{}", cap.name), chosen + capped, chosen, "");
        }
        if self.moment.request.explain {
            let refused = self.eligibility.refused();
            for (_, name) in &refused {
                match self.ranked.filtered.iter_mut().find(|(known, _)| known == name) {
                    Some((_, count)) => *count += 1,
                    None => self.ranked.filtered.push(((*name).into(), 1)),
                }
            }
            self.ranked.refused =
                refused.into_iter().take(NAMED).map(|(item, name)| (item, name.into())).collect();
        }
    }

    /// Notes what a stage did; a source that is asked twice is one stage.
    fn stage(&mut self, name: CompactString, entered: usize, left: usize, skipped: &str) {
        let (entered, left) = (entered as u32, left as u32);
        match self.ranked.stages.iter_mut().find(|stage| stage.name == name && stage.skipped == skipped) {
            Some(stage) => {
                stage.entered = stage.entered.saturating_add(entered);
                stage.left = stage.left.saturating_add(left);
            }
            None => self.ranked.stages.push(Stage { name, entered, left, skipped: skipped.into() }),
        }
    }
}
