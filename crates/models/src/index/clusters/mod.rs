//! Rows sorted into clusters, so that a search reads only those clusters that promise most.
//!
//! The centres come from k-means on the rows as they are, lengths included: a cluster then holds rows of like direction
//! *and* like length, and its centre's product with a query says how good its rows are. To that is added what the rows
//! scatter around their centre, since of two clusters with the same centre the wider one has the better best rows. A search reads the first
//! `probes` clusters in that order; within them its answer is proven as that of the whole scan is.
//!
//! How many are needed is measured when the clusters are built: on half of the sample queries the fewest are chosen with
//! which the exact answer is met to the recall that is asked for, on the other half that recall is measured again
//! and reported.

mod train;
mod tune;

use super::QuantisedIndex;
use super::codes::{Codes, QuantisedQuery};
use crate::error::ModelError;
use crate::kernels::nearest::Centres;
use crate::model::Row;

/// Length of the lists for which the recall is measured.
pub const MEASURED: usize = 100;
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

impl ClusterOptions {
    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validate(&self) -> Result<(), ModelError> {
        if !(0.5..=1.0).contains(&self.recall) {
            let value = f64::from(self.recall);
            return Err(ModelError::Option { option: "recall", value, expected: "0.5 to 1" });
        }
        Ok(())
    }
}

/// What is known of clusters when they are built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterReport {
    /// How many there are.
    pub clusters: usize,
    /// How many a search reads.
    pub probes: usize,
    /// Share of the exact 100 best rows found, on sample queries that had no part in choosing `probes`.
    pub recall: f64,
    /// Share of the rows that a search reads, on the same queries.
    pub share: f64,
    /// Rows in clusters; later ones are all read by every search.
    pub rows: usize,
    /// Bytes of memory beside those of the rows.
    pub bytes: usize,
}

/// The rows of one cluster.
#[derive(Clone, Debug, Default)]
struct List {
    rows: Vec<Row>,
    codes: Codes,
}

/// The first rows of an index in clusters. Never changes: rows that come later are no part of it.
#[derive(Clone, Debug)]
pub struct Clusters {
    dimensions: usize,
    centres: Codes,
    /// How far rows scatter around their centre, for a query of length 1.
    reaches: Vec<f32>,
    lists: Vec<List>,
    report: ClusterReport,
}

impl Clusters {
    /// Sorts the rows of `index` into clusters. `queries`, row-major, are those on which recall is measured.
    ///
    /// # Errors
    /// Options outside their range; queries of another length than the rows, or fewer than two.
    pub fn build(
        index: &QuantisedIndex,
        queries: &[f32],
        options: &ClusterOptions,
    ) -> Result<Self, ModelError> {
        options.validate()?;
        if options.threads > 0 {
            let all = ClusterOptions { threads: 0, ..*options };
            return on_threads(options.threads, || Self::build(index, queries, &all))?;
        }
        let d = index.dimensions();
        if d == 0 || !queries.len().is_multiple_of(d) || queries.len() < 2 * d {
            let what = "at least two sample queries of the rows' length are needed".into();
            return Err(ModelError::Parts { what });
        }
        let live: Vec<Row> = index.live_rows().collect();
        let wanted = if options.clusters > 0 { options.clusters } else { chosen(live.len()) };
        let rows = train::Rows { index, live: &live };
        let centres = train::centres(&rows, wanted.clamp(1, live.len().max(1)), options);
        let mut clusters = Self::fill(&rows, &centres);
        tune::tune(&mut clusters, index, queries, options.recall);
        Ok(clusters)
    }

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
        let lists_bytes: usize =
            lists.iter().map(|list| list.codes.bytes() + size_of_val(list.rows.as_slice())).sum();
        let report = ClusterReport {
            clusters: count,
            probes: count,
            recall: 1.0,
            share: 1.0,
            rows: rows.index.len(),
            bytes: lists_bytes + quantised.bytes() + size_of_val(reaches.as_slice()),
        };
        Self { dimensions: d, centres: quantised, reaches, lists, report }
    }

    /// What was measured when they were built.
    pub fn report(&self) -> &ClusterReport {
        &self.report
    }

    /// Numbers per row.
    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
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

    /// Appends the rows of the best `probes` clusters to `rows`, with upper bounds of their scores.
    pub(super) fn read(
        &self,
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

/// Runs `work` on a pool of so many threads; 0 is the one there is.
pub(crate) fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, ModelError> {
    if threads == 0 {
        return Ok(work());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool =
        pool.map_err(|error| ModelError::Parts { what: format!("no threads to build on: {error}") })?;
    Ok(pool.install(work))
}

/// What promises more first, equal promises by number.
fn better(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// More clusters leave fewer rows to read and more centres; from half as many to twice as many a search costs the same.
fn chosen(rows: usize) -> usize {
    ((rows as f64).sqrt() * 2.0).ceil() as usize
}

#[cfg(test)]
mod tests;
