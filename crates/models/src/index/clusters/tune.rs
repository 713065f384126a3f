//! How many clusters a search has to read.

use rayon::prelude::*;

use super::{Clusters, better};
use crate::index::QuantisedIndex;
use crate::index::coarse::MEASURED;
use crate::index::codes::QuantisedQuery;
use crate::model::Row;

/// What one query says.
struct Sampled {
    /// Place of the cluster of each row of the exact answer, in the order in which clusters are read.
    places: Vec<usize>,
    /// Rows read up to and with each place.
    read: Vec<usize>,
}

/// What was chosen, and measured with it.
pub(super) struct Tuned {
    pub(super) probes: usize,
    pub(super) recall: f64,
    pub(super) share: f64,
}

/// Chooses the fewest clusters on every other query, and measures the recall with them on those between.
pub(super) fn tune(clusters: &Clusters, index: &QuantisedIndex, queries: &[f32], recall: f32) -> Tuned {
    let mut home = vec![u32::MAX; index.len()];
    for (number, list) in (0u32..).zip(&clusters.lists) {
        list.rows.iter().for_each(|&row| home[row as usize] = number);
    }
    let sampled: Vec<Sampled> = queries
        .par_chunks_exact(index.dimensions())
        .map(|query| sample(clusters, index, &home, query))
        .collect();
    let half = |first: usize| sampled.iter().skip(first).step_by(2);
    let count = clusters.lists.len();
    let mut met = vec![0usize; count];
    half(0).flat_map(|sampled| &sampled.places).for_each(|&place| met[place] += 1);
    let total: usize = met.iter().sum();
    let mut found = 0;
    let enough = met.iter().position(|met| {
        found += met;
        found as f64 >= f64::from(recall) * total as f64
    });
    let probes = enough.map_or(count, |last| last + 1).min(count);
    let places: Vec<usize> = half(1).flat_map(|sampled| sampled.places.iter().copied()).collect();
    let within = places.iter().filter(|place| **place < probes).count();
    let read: usize = half(1).map(|sampled| sampled.read[probes - 1]).sum();
    Tuned {
        probes,
        recall: if places.is_empty() { 1.0 } else { within as f64 / places.len() as f64 },
        share: read as f64 / (half(1).count() * index.len()).max(1) as f64,
    }
}

fn sample(clusters: &Clusters, index: &QuantisedIndex, home: &[u32], query: &[f32]) -> Sampled {
    let mut order = Vec::new();
    clusters.promises(&QuantisedQuery::new(query), &mut order);
    order.sort_unstable_by(better);
    let mut place = vec![0; order.len()];
    let mut read = Vec::with_capacity(order.len());
    let mut rows = 0;
    for (at, (_, number)) in order.iter().enumerate() {
        place[*number as usize] = at;
        rows += clusters.lists[*number as usize].rows.len();
        read.push(rows);
    }
    let exact = index.search_exact(query, MEASURED, &|_: Row| true);
    let places = exact.iter().filter_map(|scored| place.get(home[scored.row as usize] as usize).copied());
    Sampled { places: places.collect(), read }
}
