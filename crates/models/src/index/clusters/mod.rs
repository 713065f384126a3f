//! Rows sorted into clusters, so that a search reads only those clusters that promise most.
//!
//! The centres come from k-means on the rows as they are, lengths included: a cluster then holds rows of like direction
//! *and* like length, and its centre's product with a query says how good its rows are. To that is added what the rows
//! scatter around their centre, since of two clusters with the same centre the wider one has the better best rows. A search reads the first
//! `probes` clusters in that order; within them its answer is proven as that of the whole scan is.

mod train;
mod tune;

use super::QuantisedIndex;
use super::coarse::{Coarse, CoarseKind, CoarseReport, Stage};
use super::codes::{Codes, QuantisedQuery};
use crate::kernels::nearest::Centres;
use crate::model::Row;

/// A search that would read more than one cluster in so many reads everything instead.
const MOST: usize = 4;
/// How many times its scatter in one dimension a cluster counts as wide.
const REACH: f32 = 1.25;

/// How clusters are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterOptions {
    /// How many; 0 chooses by the number of rows.
    pub clusters: usize,
    /// Share of the exact 100 best rows that a search should find, 0.5 to 1.
    pub recall: f32,
    /// Passes of k-means over its sample.
    pub passes: usize,
    /// Threads that build them; 0 takes all.
    pub threads: usize,
    /// Which rows the centres start from; the same rows, queries, options and seed give the same clusters.
    pub seed: u64,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { clusters: 0, recall: 0.97, passes: 4, threads: 0, seed: 1 }
    }
}

/// The rows of one cluster.
#[derive(Clone, Debug, Default)]
struct List {
    rows: Vec<Row>,
    codes: Codes,
}

/// The first rows of an index in clusters.
#[derive(Debug)]
struct Clusters {
    centres: Codes,
    /// How far rows scatter around their centre, for a query of length 1.
    reaches: Vec<f32>,
    lists: Vec<List>,
}

/// Sorts the rows of `index` into clusters, tuned on `queries`.
pub(super) fn build(index: &QuantisedIndex, queries: &[f32], options: &ClusterOptions) -> Coarse {
    let live: Vec<Row> = index.live_rows().collect();
    let wanted = if options.clusters > 0 { options.clusters } else { chosen(live.len()) };
    let rows = train::Rows { index, live: &live };
    let centres = train::centres(&rows, wanted.clamp(1, live.len().max(1)), options);
    let clusters = Clusters::fill(&rows, &centres);
    let tuned = tune::tune(&clusters, index, queries, options.recall);
    let count = clusters.lists.len();
    let report = CoarseReport {
        kind: CoarseKind::Clusters,
        parts: count,
        width: tuned.probes,
        recall: tuned.recall,
        share: tuned.share,
        rows: index.len(),
        bytes: clusters.bytes(),
    };
    Coarse::new(index.dimensions(), count / MOST, report, clusters)
}

impl Clusters {
    fn fill(rows: &train::Rows<'_>, centres: &[f32]) -> Self {
        let (d, width) = (rows.index.dimensions(), rows.width());
        let count = centres.len() / width;
        let near = train::assign(rows, rows.live, &Centres::new(centres, width));
        let mut lists = vec![List::default(); count];
        let mut scatter = vec![0f64; count];
        let mut sizes = vec![0usize; count];
        near.iter().for_each(|&number| sizes[number as usize] += 1);
        for (list, &size) in lists.iter_mut().zip(&sizes) {
            *list = List { rows: Vec::with_capacity(size), codes: Codes::with_capacity(size, d) };
        }
        for (&row, &number) in rows.live.iter().zip(&near) {
            let number = number as usize;
            let Some(vector) = rows.index.row(row) else { continue };
            let centre = &centres[number * width..][..d];
            scatter[number] += vector.iter().zip(centre).map(|(y, c)| f64::from(y - c).powi(2)).sum::<f64>();
            lists[number].rows.push(row);
            lists[number].codes.push(vector);
        }
        let mut quantised = Codes::with_capacity(count, d);
        centres.chunks_exact(width).for_each(|centre| quantised.push(&centre[..d]));
        let reach = |(scatter, size): (&f64, &usize)| {
            REACH * (scatter / (*size).max(1) as f64 / d as f64).sqrt() as f32
        };
        let reaches: Vec<f32> = scatter.iter().zip(&sizes).map(reach).collect();
        Self { centres: quantised, reaches, lists }
    }

    fn bytes(&self) -> usize {
        let lists = self.lists.iter().map(|list| list.codes.bytes() + size_of_val(list.rows.as_slice()));
        lists.sum::<usize>() + self.centres.bytes() + size_of_val(self.reaches.as_slice())
    }

    /// The clusters with what they promise, in no order.
    fn promises(&self, query: &QuantisedQuery, order: &mut Vec<(f32, u32)>) {
        let count = self.lists.len();
        let (mut products, mut bounds) = (vec![0; count], vec![0.0; count]);
        self.centres.bounds(query, &mut products, &mut bounds);
        order.clear();
        let promises = bounds.iter().zip(&self.reaches).map(|(bound, reach)| bound + query.norm * reach);
        // A promise that overflowed says nothing, so its cluster is read first.
        order.extend(promises.map(|p| if p.is_finite() { p } else { f32::MAX }).zip(0..));
    }
}

impl Stage for Clusters {
    /// Reads the rows of the best `probes` clusters.
    fn read(
        &self,
        _: &QuantisedIndex,
        query: &QuantisedQuery,
        probes: usize,
        rows: &mut Vec<Row>,
        bounds: &mut Vec<f32>,
    ) {
        let mut order = Vec::with_capacity(self.lists.len());
        self.promises(query, &mut order);
        if probes < order.len() {
            order.select_nth_unstable_by(probes, better);
            order.truncate(probes);
        }
        let mut products = Vec::new();
        for (_, number) in order {
            let list = &self.lists[number as usize];
            let start = bounds.len();
            rows.extend_from_slice(&list.rows);
            bounds.resize(start + list.rows.len(), 0.0);
            products.resize(list.rows.len(), 0);
            list.codes.bounds(query, &mut products, &mut bounds[start..]);
        }
    }
}

/// What promises more first, equal promises by number.
fn better(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// More clusters leave fewer rows to read and more centres; from half as many to twice as many a search costs the same.
fn chosen(rows: usize) -> usize {
    ((rows as f64).sqrt() * 2.0).ceil() as usize
}
