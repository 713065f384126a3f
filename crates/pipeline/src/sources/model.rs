//! Candidates and scores from a loaded model.

use std::cell::RefCell;

use compact_str::CompactString;
use headwater_base::Rung;
use headwater_models::{Allow, Past, Row};

use crate::candidate::{Candidate, Found};
use crate::error::StageError;
use crate::model::RowMap;
use crate::moment::Moment;
use crate::stage::{Allowed, Scorer, Source};

thread_local! {
    /// The history in the model's rows, kept between requests of a thread so that it is not allocated anew.
    static HISTORY: RefCell<Vec<Past>> = const { RefCell::new(Vec::new()) };
}

fn with_history<T>(moment: &Moment<'_>, rows: &RowMap, use_it: impl FnOnce(&[Past]) -> T) -> T {
    let mut history = HISTORY.take();
    history.clear();
    moment.history(rows, &mut history);
    let result = use_it(&history);
    HISTORY.set(history);
    result
}

/// The model's best items: for the actor's history, or like the item asked about.
#[derive(Debug)]
pub struct ModelSource {
    model: CompactString,
}

impl ModelSource {
    /// Reads the loaded model of this name.
    pub fn new(model: CompactString) -> Self {
        Self { model }
    }
}

/// What is allowed, by row.
struct AllowedRows<'a> {
    rows: &'a RowMap,
    allowed: Allowed<'a>,
    /// The rows that the request names, where it names all that may be.
    listed: Option<Vec<Row>>,
}

impl Allow for AllowedRows<'_> {
    fn allows(&self, row: Row) -> bool {
        self.rows.item(row).is_some_and(self.allowed)
    }

    fn listed(&self) -> Option<&[Row]> {
        self.listed.as_deref()
    }
}

impl Source for ModelSource {
    fn name(&self) -> &str {
        &self.model
    }

    /// Likeness to an item says nothing of the actor's own taste.
    fn rung(&self, moment: &Moment<'_>) -> Rung {
        if moment.item.is_some() { Rung::Neighbours } else { Rung::Personal }
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }

    fn candidates(
        &self,
        moment: &Moment<'_>,
        limit: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<Found>, StageError> {
        let (model, rows) =
            moment.model(&self.model).ok_or_else(|| StageError::NoModel(self.model.clone()))?;
        let included = &moment.request.include;
        let listed = (!included.is_empty()).then(|| {
            let items = included.iter().filter_map(|id| moment.catalogue.index(id.as_str()));
            let mut listed: Vec<Row> = items.filter_map(|item| rows.row(item)).collect();
            listed.sort_unstable();
            listed.dedup();
            listed
        });
        let allow = AllowedRows { rows: &rows, allowed, listed };
        let scored = match moment.item {
            Some(item) => match rows.row(item) {
                Some(row) => model.similar(row, limit, &allow),
                None => Vec::new(),
            },
            None => with_history(moment, &rows, |history| model.retrieve(history, limit, &allow)),
        };
        let found = scored
            .iter()
            .filter_map(|scored| rows.item(scored.row).map(|item| Found { item, score: scored.score }));
        Ok(found.collect())
    }
}

/// Scores any candidates by the model's taste for the actor's history.
#[derive(Debug)]
pub struct ModelScorer {
    model: CompactString,
}

impl ModelScorer {
    /// Reads the loaded model of this name.
    pub fn new(model: CompactString) -> Self {
        Self { model }
    }
}

impl Scorer for ModelScorer {
    fn name(&self) -> &str {
        &self.model
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }

    fn score(&self, moment: &Moment<'_>, candidates: &mut [Candidate]) -> Result<(), StageError> {
        let (model, map) =
            moment.model(&self.model).ok_or_else(|| StageError::NoModel(self.model.clone()))?;
        let rows: Vec<Row> =
            candidates.iter().map(|candidate| map.row(candidate.item).unwrap_or(Row::MAX)).collect();
        let mut scores = vec![f32::NEG_INFINITY; rows.len()];
        with_history(moment, &map, |history| model.score(history, &rows, &mut scores));
        for (candidate, score) in candidates.iter_mut().zip(scores) {
            candidate.score = if score.is_finite() { score } else { f32::NEG_INFINITY };
        }
        Ok(())
    }
}
