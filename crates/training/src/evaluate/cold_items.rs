//! What becomes of items that nobody has touched: some are taken out of the training data with all that was done to them, and ranked by
//! their attributes alone for the users who did touch them.

use headwater_base::random::seeded;
use headwater_models::ials::Ials;
use headwater_models::index::QuantisedIndex;
use headwater_models::{Allow, Past, Query, Retrieve, Row, Scored};
use rand::seq::index::sample;

use super::measure::measure_ranking;
use super::report::ColdItems;
use crate::content::fit_content;
use crate::dataset::{Case, Split};
use crate::fit::{ModelKind, fit_ials};
use crate::options::TrainingOptions;
use crate::{EvaluateOptions, TrainingError};

/// One item of so many is taken out.
const ONE_OF: usize = 10;
/// Cases at most, the first ones.
const MOST_CASES: usize = 5_000;

/// Measures a factorisation that learns from attributes; `None` for any other model and where no item has fields.
pub(super) fn evaluate(
    kind: ModelKind,
    split: &Split,
    training: &TrainingOptions,
    options: &EvaluateOptions,
) -> Result<Option<ColdItems>, TrainingError> {
    if kind != ModelKind::Ials || training.content_fields.is_empty() || split.fields.is_empty() {
        return Ok(None);
    }
    let taken = take(split, options.seed);
    let (warm, cold) = without(split, &taken);
    if cold.cases.is_empty() {
        return Ok(None);
    }
    let ials = fit_ials(&warm, training, &mut |_| {})?;
    let Some(map) = fit_content(&warm, &ials, training)? else { return Ok(None) };
    let mut index = QuantisedIndex::new(ials.options().factors);
    let mut rows = Vec::new();
    for (row, of_item) in (0..).zip(&cold.fields) {
        if let Some(vector) = map.vector(of_item) {
            index.append(&vector)?;
            rows.push(row);
        }
    }
    let attributes = ByAttributes { ials, index, rows };
    let mine = measure_ranking(&attributes, None, &cold, &cold.cases, &options.at);
    let random = Random { items: cold.items.len(), seed: options.seed };
    let beside = measure_ranking(&random, None, &cold, &cold.cases, &options.at);
    Ok(Some(ColdItems {
        items: cold.items.len(),
        users: cold.cases.len(),
        metrics: mine.metrics(options.seed),
        difference: [("random".to_owned(), mine.difference(&beside, options.seed))].into(),
        beside: [("random".to_owned(), beside.metrics(options.seed))].into(),
    }))
}

/// The rows taken out, ascending: some of those that have fields.
fn take(split: &Split, seed: u64) -> Vec<Row> {
    let described: Vec<Row> =
        (0..).zip(&split.fields).filter(|(_, fields)| !fields.is_empty()).map(|(row, _)| row).collect();
    let count = described.len().div_ceil(ONE_OF);
    let mut random = seeded(seed, "cold items");
    let mut taken: Vec<Row> =
        sample(&mut random, described.len(), count).into_iter().map(|index| described[index]).collect();
    taken.sort_unstable();
    taken
}

/// The training data without the items taken out, in the same numbers; and these items alone, with cases whose histories are in the
/// numbers of the training data.
fn without(split: &Split, taken: &[Row]) -> (Split, Split) {
    let place = |row: Row| taken.binary_search(&row).ok().map(|place| place as Row);
    let mut cases = vec![Case { history: Vec::new(), relevant: Vec::new() }; split.users];
    let mut entries = Vec::with_capacity(split.entries.len());
    for entry in &split.entries {
        let case = &mut cases[entry.user as usize];
        match place(entry.item) {
            Some(place) => case.relevant.push(place),
            None => {
                let age = if split.timed { split.now.seconds_since(entry.time).max(0.0) as f32 } else { 0.0 };
                case.history.push(Past { row: entry.item, weight: entry.weight, age });
                entries.push(*entry);
            }
        }
    }
    cases.retain(|case| !case.history.is_empty() && !case.relevant.is_empty());
    cases.truncate(MOST_CASES);
    for case in &mut cases {
        case.relevant.sort_unstable();
        case.relevant.dedup();
    }
    let of_taken = |row: &Row| *row as usize;
    let cold = Split {
        items: taken.iter().map(|row| split.items[of_taken(row)].clone()).collect(),
        fields: taken.iter().map(|row| split.fields[of_taken(row)].clone()).collect(),
        catalogue: taken.len(),
        by_id: (0..taken.len() as Row).collect(),
        entries: Vec::new(),
        cases,
        cold: Vec::new(),
        // The history is of other items, in other numbers: it excludes none.
        repeats: true,
        ..*split
    };
    (Split { entries, ..split.without_cases() }, cold)
}

/// Items by the product of the vectors of their attributes with the user's.
struct ByAttributes {
    ials: Ials,
    index: QuantisedIndex,
    /// The item of each row of the index.
    rows: Vec<Row>,
}

impl Retrieve for ByAttributes {
    fn items(&self) -> usize {
        self.rows.len()
    }

    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let Some(user) = self.ials.fold_in_user(query.history) else { return Vec::new() };
        let item = |row: Row| self.rows[row as usize];
        let found = self.index.search(&user, limit, &|row: Row| allow.allows(item(row)));
        found.iter().map(|scored| Scored { row: item(scored.row), score: scored.score }).collect()
    }
}

/// Items in an order of chance, another for every history.
struct Random {
    items: usize,
    seed: u64,
}

impl Retrieve for Random {
    fn items(&self) -> usize {
        self.items
    }

    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let rows: Vec<Row> = query.history.iter().map(|past| past.row).collect();
        let mut random = seeded(self.seed, &format!("{rows:?}"));
        let order = sample(&mut random, self.items, self.items).into_iter().map(|row| row as Row);
        let allowed = order.filter(|row| allow.allows(*row)).take(limit);
        allowed.enumerate().map(|(place, row)| Scored { row, score: -(place as f32) }).collect()
    }
}
