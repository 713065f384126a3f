//! Training: the singular vectors, then the matrix row by row, of which the largest entries stay.

use rayon::prelude::*;

use super::exact::{Exact, LANES, Scratch};
use super::{Filter, FilterOptions, FilterParts};
use crate::error::ModelError;
use crate::matrix::Csr;
use crate::model::Row;

/// Blocks of items between two reports of progress.
const AT_ONCE: usize = 32;

/// Where a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Searching the singular vectors.
    Spectrum {
        /// Passes done.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Computing the rows of the items.
    Rows {
        /// Items done.
        done: usize,
        /// Of how many.
        of: usize,
    },
}

/// Trains a filter on `matrix` (users x items, weights of the interactions): what serves, and the whole it was cut from.
///
/// # Errors
/// Options outside their range; so many items and neighbours that their entries cannot be counted in 32 bits.
pub fn train(
    matrix: &Csr,
    options: &FilterOptions,
    progress: &mut dyn FnMut(Stage),
) -> Result<(Filter, Exact), ModelError> {
    options.validate()?;
    let items = matrix.columns();
    if items.saturating_mul(options.neighbours.min(items)) > u32::MAX as usize {
        let expected = "few enough that items times neighbours stay below 2^32";
        return Err(ModelError::Option { option: "neighbours", value: options.neighbours as f64, expected });
    }
    let exact = Exact::new(matrix, options, &mut |done| {
        progress(Stage::Spectrum { done, of: options.passes });
    });
    let mut parts =
        FilterParts { options: *options, lengths: Vec::new(), rows: Vec::new(), weights: Vec::new() };
    let starts: Vec<usize> = (0..items).step_by(LANES).collect();
    for group in starts.chunks(AT_ONCE) {
        let blocks: Vec<Vec<Vec<(Row, f32)>>> = group
            .par_iter()
            .map_init(Scratch::default, |scratch, start| {
                let range = *start..(start + LANES).min(items);
                let block = exact.block(range.clone(), scratch);
                range.map(|item| largest(&block, item - start, options.neighbours)).collect()
            })
            .collect();
        for entries in blocks.iter().flatten() {
            parts.lengths.push(entries.len() as u32);
            parts.rows.extend(entries.iter().map(|(row, _)| *row));
            parts.weights.extend(entries.iter().map(|(_, weight)| *weight));
        }
        progress(Stage::Rows { done: parts.lengths.len(), of: items });
    }
    Ok((Filter::from_parts(parts)?, exact))
}

/// The entries of largest size in one lane, ties by item, in the order of the items. Entries of 0 say nothing.
fn largest(block: &[[[f32; 8]; 2]], lane: usize, limit: usize) -> Vec<(Row, f32)> {
    let column = (0..).zip(block).map(|(row, lanes)| (row, lanes[lane / 8][lane % 8]));
    let mut entries: Vec<(Row, f32)> =
        column.filter(|(_, weight)| *weight != 0.0 && weight.is_finite()).collect();
    if entries.len() > limit {
        entries.select_nth_unstable_by(limit, |a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        entries.truncate(limit);
        entries.sort_unstable_by_key(|(row, _)| *row);
    }
    entries
}
