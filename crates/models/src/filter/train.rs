//! Training: the matrix row by row, of which the largest entries stay.

use rayon::prelude::*;

use super::ease::Ease;
use super::exact::{Exact, Whole};
use super::graph::{Graph, LANES, Scratch};
use super::{Filter, FilterOptions, FilterParts, Form};
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
    /// Inverting the Gram matrix.
    Inverse {
        /// Items done.
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
    let parts = match options.form {
        Form::Graph => {
            let graph = Graph::new(matrix, options, &mut |done| {
                progress(Stage::Spectrum { done, of: options.passes });
            });
            (cut_graph(&graph, options, progress), Whole::Graph(Box::new(graph)))
        }
        Form::Ease => {
            let ease = Ease::new(matrix, options.lambda, &mut |done| {
                progress(Stage::Inverse { done, of: items });
            });
            (cut_ease(&ease, options, progress), Whole::Ease(ease))
        }
    };
    let (parts, whole) = parts;
    Ok((Filter::from_parts(parts)?, Exact(whole)))
}

fn cut_graph(graph: &Graph, options: &FilterOptions, progress: &mut dyn FnMut(Stage)) -> FilterParts {
    let items = graph.items();
    let mut parts = FilterParts::empty(options);
    let starts: Vec<usize> = (0..items).step_by(LANES).collect();
    for group in starts.chunks(AT_ONCE) {
        let blocks: Vec<Vec<Vec<(Row, f32)>>> = group
            .par_iter()
            .map_init(Scratch::default, |scratch, start| {
                let range = *start..(start + LANES).min(items);
                let block = graph.block(range.clone(), scratch);
                let lane = |item: usize| {
                    let lane = item - start;
                    block.iter().map(move |lanes| lanes[lane / 8][lane % 8])
                };
                range.map(|item| largest(lane(item), options.neighbours)).collect()
            })
            .collect();
        blocks.iter().flatten().for_each(|entries| parts.push(entries));
        progress(Stage::Rows { done: parts.lengths.len(), of: items });
    }
    parts
}

fn cut_ease(ease: &Ease, options: &FilterOptions, progress: &mut dyn FnMut(Stage)) -> FilterParts {
    let mut parts = FilterParts::empty(options);
    let items: Vec<usize> = (0..ease.items()).collect();
    for group in items.chunks(AT_ONCE * LANES) {
        let rows: Vec<Vec<(Row, f32)>> = group
            .par_iter()
            .map(|item| largest(ease.row(*item).iter().copied(), options.neighbours))
            .collect();
        rows.iter().for_each(|entries| parts.push(entries));
        progress(Stage::Rows { done: parts.lengths.len(), of: items.len() });
    }
    parts
}

impl FilterParts {
    fn empty(options: &FilterOptions) -> Self {
        Self { options: *options, lengths: Vec::new(), rows: Vec::new(), weights: Vec::new() }
    }

    /// Adds an item with its entries.
    fn push(&mut self, entries: &[(Row, f32)]) {
        self.lengths.push(entries.len() as u32);
        self.rows.extend(entries.iter().map(|(row, _)| *row));
        self.weights.extend(entries.iter().map(|(_, weight)| *weight));
    }
}

/// The entries of largest size in the row of an item, ties by item, in the order of the items. Entries of 0 say nothing.
fn largest(row: impl Iterator<Item = f32>, limit: usize) -> Vec<(Row, f32)> {
    let mut entries: Vec<(Row, f32)> =
        (0..).zip(row).filter(|(_, weight)| *weight != 0.0 && weight.is_finite()).collect();
    if entries.len() > limit {
        entries.select_nth_unstable_by(limit, |a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        entries.truncate(limit);
        entries.sort_unstable_by_key(|(row, _)| *row);
    }
    entries
}
