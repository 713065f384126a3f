//! Exact search for the rows with the highest inner product, by a scan of int8 codes that proves its answer.
//!
//! Each row is kept in f32 and as int8 codes with one step per row. The scan gives every row an upper bound of its
//! exact score: the product of the codes plus the most that quantising the row and the query can have taken away
//! (Cauchy and Schwarz). Rows are then visited from the highest bound down and scored exactly in f32, until the next
//! bound is below the worst score of a full list. So the answer is that of scoring every row in f32, bit for bit and
//! ties by row included, and the [`Allow`] filter is asked only about rows whose exact score would make the list.
//!
//! Rows live in chunks behind [`Arc`]s: cloning an index shares them, and appending to the clone copies at most the
//! last chunk. That is how a catalogue grows while snapshots of it serve.

mod chunk;

use std::cell::RefCell;
use std::sync::Arc;

pub(crate) use chunk::score;
use chunk::{Chunk, QuantisedQuery};

use crate::error::ModelError;
use crate::kernels::lanes::PADDING;
use crate::model::{Allow, Row, Scored};
use crate::top::TopK;

thread_local! {
    /// One number per row, kept from search to search: fresh memory of that size would cost as much as the scan.
    static BOUNDS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Rows of equal length, searched by inner product.
#[derive(Clone, Debug)]
pub struct QuantisedIndex {
    dimensions: usize,
    rows: usize,
    chunks: Vec<Arc<Chunk>>,
}

impl QuantisedIndex {
    /// An index without rows, for vectors of `dimensions` numbers.
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions, rows: 0, chunks: Vec::new() }
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

    /// How many rows there are.
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
            let known = self.padded_row(*row).map(|row| score(&padded, row));
            *value = known.filter(|score| score.is_finite()).unwrap_or(f32::NEG_INFINITY);
        }
    }

    /// The `limit` allowed rows with the highest inner product with `query`, best first, ties by row; rows whose
    /// product is not finite are left out. Empty for a query of another length.
    pub fn search(&self, query: &[f32], limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        if limit == 0 || self.rows == 0 || query.len() != self.dimensions {
            return Vec::new();
        }
        let query = QuantisedQuery::new(query);
        // Taken rather than borrowed, since `allow` may itself search.
        let mut bounds = BOUNDS.take();
        self.bounds(&query, &mut bounds);
        let found = self.visit(&query, &bounds, limit, allow);
        BOUNDS.set(bounds);
        found
    }

    /// Scores rows exactly, from the highest bound down, until no further row can make the list.
    fn visit(&self, query: &QuantisedQuery, bounds: &[f32], limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let mut top = TopK::new(limit);
        for (low, high) in cuts(bounds, limit) {
            let mut visit: Vec<(f32, Row)> = Vec::new();
            for (row, &bound) in (0..).zip(bounds) {
                if bound >= low && bound < high {
                    visit.push((bound, row));
                }
            }
            visit.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            for (bound, row) in visit {
                if top.worst().is_some_and(|worst| bound < worst.score) {
                    return top.into_ranked();
                }
                let Some(vector) = self.padded_row(row) else { continue };
                let score = score(&query.exact, vector);
                if score.is_finite() && top.admits(row, score) && allow.allows(row) {
                    top.offer(row, score);
                }
            }
        }
        top.into_ranked()
    }

    /// Fills `bounds` with an upper bound of every row's score; never NaN.
    fn bounds(&self, query: &QuantisedQuery, bounds: &mut Vec<f32>) {
        bounds.resize(self.rows, 0.0);
        let mut products = [0i32; chunk::CHUNK_ROWS];
        for (chunk, bounds) in self.chunks.iter().zip(bounds.chunks_mut(chunk::CHUNK_ROWS)) {
            chunk.bounds(query, &mut products[..chunk.rows()], bounds);
        }
        for bound in bounds {
            // A bound that overflowed says nothing, so its row is visited first.
            *bound = if bound.is_finite() { *bound } else { f32::MAX };
        }
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
