//! Search for the rows with the highest inner product: by a scan of int8 codes that proves its answer, or by the same
//! scan of the rows that a coarse stage names.
//!
//! Each row is kept in f32 and as int8 codes with one step per row. The scan gives every row an upper bound of its
//! exact score: the product of the codes plus the most that quantising the row and the query can have taken away
//! (Cauchy and Schwarz). Rows are then visited from the highest bound down and scored exactly in f32, until the next
//! bound is below the worst score of a full list. So the answer is that of scoring every row in f32, bit for bit and
//! ties by row included, and the [`Allow`] filter is asked only about rows whose exact score would make the list.
//!
//! Of many rows not all need reading. With a [`Coarse`] stage attached a search reads the candidates that the stage names
//! and the rows appended since it was built; a filter that refuses much makes it read more, and one that refuses
//! nearly everything makes it the whole scan again. What that loses is measured when the stage is built.
//!
//! Rows live in chunks behind [`Arc`]s: cloning an index shares them, and appending to the clone copies at most the
//! last chunk. That is how a catalogue grows while snapshots of it serve. The stage is built from a clone beside, and
//! attached to what the index has become meanwhile.

mod chunk;
mod clusters;
mod coarse;
mod codes;
mod graph;
mod removed;

use std::cell::RefCell;
use std::sync::Arc;

use chunk::Chunk;
pub(crate) use chunk::score;
pub use clusters::ClusterOptions;
pub(crate) use coarse::on_threads;
pub use coarse::{Coarse, CoarseKind, CoarseOptions, CoarseReport, MEASURED};
use codes::QuantisedQuery;
pub use graph::{GRAPH_BUILT_IN, GraphOptions};
use removed::Removed;

use crate::error::ModelError;
use crate::kernels::lanes::PADDING;
use crate::model::{Allow, Row, Scored};
use crate::top::TopK;

thread_local! {
    /// One number per row, kept from search to search: fresh memory of that size would cost as much as the scan.
    static BOUNDS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    /// The rows that the numbers belong to, where not all are read.
    static ROWS: RefCell<Vec<Row>> = const { RefCell::new(Vec::new()) };
}

/// Rows of equal length, searched by inner product.
#[derive(Clone, Debug)]
pub struct QuantisedIndex {
    dimensions: usize,
    rows: usize,
    chunks: Vec<Arc<Chunk>>,
    coarse: Option<Arc<Coarse>>,
    removed: Arc<Removed>,
}

/// What a visit found, and what the filter said.
struct Visit {
    top: TopK,
    asked: usize,
    allowed: usize,
}

impl QuantisedIndex {
    /// An index without rows, for vectors of `dimensions` numbers.
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions, rows: 0, chunks: Vec::new(), coarse: None, removed: Arc::default() }
    }

    /// From row-major `vectors`.
    ///
    /// # Errors
    /// A length that is no multiple of `dimensions`, a number that is not finite.
    pub fn from_rows(dimensions: usize, vectors: &[f32]) -> Result<Self, ModelError> {
        if dimensions == 0 || !vectors.len().is_multiple_of(dimensions) {
            return Err(ModelError::Parts { what: "vectors must be rows x dimensions".into() });
        }
        let mut index = Self::new(dimensions);
        for vector in vectors.chunks_exact(dimensions) {
            index.append(vector)?;
        }
        Ok(index)
    }

    /// Appends a row and returns its number. Clones made before do not see it.
    ///
    /// # Errors
    /// A vector of another length, or with a number that is not finite.
    pub fn append(&mut self, vector: &[f32]) -> Result<Row, ModelError> {
        if vector.len() != self.dimensions || !vector.iter().all(|x| x.is_finite()) {
            return Err(ModelError::Parts {
                what: format!("a row must be {} finite numbers", self.dimensions),
            });
        }
        let full =
            u32::try_from(self.rows).map_err(|_| ModelError::Parts { what: "too many rows".into() })?;
        match self.chunks.last_mut() {
            Some(last) if !last.is_full() => Arc::make_mut(last).push(vector),
            _ => {
                let mut chunk = Chunk::default();
                chunk.push(vector);
                self.chunks.push(Arc::new(chunk));
            }
        }
        self.rows += 1;
        Ok(full)
    }

    /// Takes a row out of every later answer; false where there is none, or where it was out. Clones made before do not
    /// see it. The row keeps its number and its vector.
    pub fn remove(&mut self, row: Row) -> bool {
        (row as usize) < self.rows && Arc::make_mut(&mut self.removed).insert(row)
    }

    /// Whether the row is there and was not removed.
    pub fn is_live(&self, row: Row) -> bool {
        (row as usize) < self.rows && !self.removed.contains(row)
    }

    /// The rows that were not removed.
    pub fn live_rows(&self) -> impl Iterator<Item = Row> + '_ {
        (0..self.rows as Row).filter(|row| !self.removed.contains(*row))
    }

    /// Searches through `coarse` from now on, which was built from this index or from an earlier clone of it.
    ///
    /// # Errors
    /// A coarse stage of rows of another length, or of more rows than there are.
    pub fn attach(&mut self, coarse: Arc<Coarse>) -> Result<(), ModelError> {
        if coarse.dimensions() != self.dimensions || coarse.report().rows > self.rows {
            return Err(ModelError::Parts { what: "the coarse stage is that of another index".into() });
        }
        self.coarse = Some(coarse);
        Ok(())
    }

    /// The coarse stage it searches through; where there is none, every search reads every row.
    pub fn coarse(&self) -> Option<&Arc<Coarse>> {
        self.coarse.as_ref()
    }

    /// How many rows came after the coarse stage, which every search reads.
    pub fn tail(&self) -> usize {
        self.rows - self.filed()
    }

    fn filed(&self) -> usize {
        self.coarse.as_ref().map_or(0, |coarse| coarse.report().rows)
    }

    /// Bytes of memory that the rows and the coarse stage hold.
    pub fn bytes(&self) -> usize {
        let coarse = self.coarse.as_ref().map_or(0, |coarse| coarse.report().bytes);
        self.chunks.iter().map(|chunk| chunk.bytes()).sum::<usize>() + coarse
    }

    /// How many rows there are, removed ones included.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Numbers per row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// A row as it was given.
    pub fn row(&self, row: Row) -> Option<&[f32]> {
        self.padded_row(row).map(|padded| &padded[..self.dimensions])
    }

    /// A row followed by its padding of zeros, as kernels want it.
    pub(crate) fn padded_row(&self, row: Row) -> Option<&[f32]> {
        let row = row as usize;
        (row < self.rows).then(|| self.chunks[row / chunk::CHUNK_ROWS].exact(row % chunk::CHUNK_ROWS))
    }

    /// Exact scores of `rows`, written to `scores`: the inner product with `query`, negative infinity where the row
    /// does not exist or the product is not finite.
    pub fn score(&self, query: &[f32], rows: &[Row], scores: &mut [f32]) {
        let mut padded = query.to_vec();
        padded.resize(query.len().next_multiple_of(PADDING), 0.0);
        for (row, value) in rows.iter().zip(scores) {
            let known = self.padded_row(*row).filter(|_| self.is_live(*row)).map(|row| score(&padded, row));
            *value = known.filter(|score| score.is_finite()).unwrap_or(f32::NEG_INFINITY);
        }
    }

    /// The `limit` allowed rows with the highest inner product with `query`, best first, ties by row; rows whose
    /// product is not finite are left out. Empty for a query of another length. With a coarse stage some of them may be
    /// missed.
    pub fn search(&self, query: &[f32], limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let Some(coarse) = self.coarse.as_deref().filter(|_| limit > 0 && query.len() == self.dimensions)
        else {
            return self.search_exact(query, limit, allow);
        };
        if let Some(rows) = allow.listed() {
            return self.search_among(query, limit, rows, allow);
        }
        let width = coarse.report().width;
        let quantised = QuantisedQuery::new(query);
        // What was measured holds for lists of that length. A filter makes the list as long as what it was asked about.
        let mut length = limit;
        let mut reading = width.saturating_mul(length.div_ceil(MEASURED));
        while reading <= coarse.most() {
            let visit = self.visit_coarse(coarse, &quantised, reading, limit, allow);
            if visit.allowed == 0 || visit.top.len() < limit {
                break;
            }
            length = limit.saturating_mul(visit.asked).div_ceil(visit.allowed);
            let needed = width.saturating_mul(length.div_ceil(MEASURED));
            if needed <= reading {
                return visit.top.into_ranked();
            }
            reading = needed;
        }
        self.search_exact(query, limit, allow)
    }

    /// As [`QuantisedIndex::search`], reading every row: the answer is exact.
    pub fn search_exact(&self, query: &[f32], limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        if limit == 0 || self.rows == 0 || query.len() != self.dimensions {
            return Vec::new();
        }
        if let Some(rows) = allow.listed() {
            return self.search_among(query, limit, rows, allow);
        }
        let query = QuantisedQuery::new(query);
        // Taken rather than borrowed, since `allow` may itself search.
        let mut bounds = BOUNDS.take();
        bounds.clear();
        self.read_from(0, &query, &mut bounds);
        let found = self.visit(&query, &mut bounds, |place| place as Row, limit, allow);
        BOUNDS.set(bounds);
        found.top.into_ranked()
    }

    /// The best of `rows`, each scored exactly.
    fn search_among(&self, query: &[f32], limit: usize, rows: &[Row], allow: &dyn Allow) -> Vec<Scored> {
        let mut scores = vec![f32::NEG_INFINITY; rows.len()];
        self.score(query, rows, &mut scores);
        let mut top = TopK::new(limit);
        for (&row, score) in rows.iter().zip(scores) {
            if score.is_finite() && top.admits(row, score) && allow.allows(row) {
                top.offer(row, score);
            }
        }
        top.into_ranked()
    }

    fn visit_coarse(
        &self,
        coarse: &Coarse,
        query: &QuantisedQuery,
        width: usize,
        limit: usize,
        allow: &dyn Allow,
    ) -> Visit {
        let (mut bounds, mut rows) = (BOUNDS.take(), ROWS.take());
        bounds.clear();
        rows.clear();
        coarse.stage().read(self, query, width, &mut rows, &mut bounds);
        rows.extend(self.filed() as Row..self.rows as Row);
        self.read_from(self.filed(), query, &mut bounds);
        let found = self.visit(query, &mut bounds, |place| rows[place], limit, allow);
        BOUNDS.set(bounds);
        ROWS.set(rows);
        found
    }

    /// Scores rows exactly, from the highest bound down, until no further row can make the list.
    fn visit(
        &self,
        query: &QuantisedQuery,
        bounds: &mut [f32],
        row_of: impl Fn(usize) -> Row,
        limit: usize,
        allow: &dyn Allow,
    ) -> Visit {
        for bound in &mut *bounds {
            // A bound that overflowed says nothing, so its row is visited first.
            *bound = if bound.is_finite() { *bound } else { f32::MAX };
        }
        let mut found = Visit { top: TopK::new(limit), asked: 0, allowed: 0 };
        for (low, high) in cuts(bounds, limit) {
            let mut visit: Vec<(f32, Row)> = Vec::new();
            for (place, &bound) in bounds.iter().enumerate() {
                if bound >= low && bound < high {
                    visit.push((bound, row_of(place)));
                }
            }
            visit.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            for (bound, row) in visit {
                if found.top.worst().is_some_and(|worst| bound < worst.score) {
                    return found;
                }
                let Some(vector) = self.padded_row(row) else { continue };
                let score = score(&query.exact, vector);
                if score.is_finite() && found.top.admits(row, score) && !self.removed.contains(row) {
                    found.asked += 1;
                    if allow.allows(row) {
                        found.allowed += 1;
                        found.top.offer(row, score);
                    }
                }
            }
        }
        found
    }

    /// Appends an upper bound of the score of every row from `first` on to `bounds`.
    fn read_from(&self, first: usize, query: &QuantisedQuery, bounds: &mut Vec<f32>) {
        let start = first / chunk::CHUNK_ROWS;
        let mut products = [0i32; chunk::CHUNK_ROWS];
        let skipped = first - start * chunk::CHUNK_ROWS;
        let place = bounds.len();
        for chunk in &self.chunks[start.min(self.chunks.len())..] {
            let end = bounds.len();
            bounds.resize(end + chunk.rows(), 0.0);
            chunk.codes.bounds(query, &mut products[..chunk.rows()], &mut bounds[end..]);
        }
        // The first chunk may begin before.
        bounds.drain(place..place + skipped.min(bounds.len() - place));
    }
}

/// Half-open ranges of bounds, highest first, that together hold every bound: the first is meant to hold somewhat
/// more than `limit` rows, judging by a sample, each further one several times as many. So only the rows near the top
/// are ever sorted.
fn cuts(bounds: &[f32], limit: usize) -> impl Iterator<Item = (f32, f32)> {
    const SAMPLE: usize = 1024;
    let step = bounds.len().div_ceil(SAMPLE);
    let mut sample: Vec<f32> = bounds.iter().step_by(step).copied().collect();
    sample.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut place = limit.saturating_mul(2).div_ceil(step).saturating_add(4);
    let mut high = f32::INFINITY;
    std::iter::from_fn(move || {
        if high == f32::NEG_INFINITY {
            return None;
        }
        let low = sample.get(place).copied().unwrap_or(f32::NEG_INFINITY);
        place = place.saturating_mul(4);
        let range = (low, high);
        high = low;
        Some(range)
    })
}

#[cfg(test)]
mod tests;
