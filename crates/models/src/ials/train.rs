//! Training: users and items solved in turn.

use headwater_base::random::seeded;
use rayon::prelude::*;

use super::solve::{Side, Workspace};
use super::{Ials, IalsOptions, IalsParts, Solver};
use crate::dense::eigen;
use crate::dense::tall::{gram, normal_rows, padded, rotate};
use crate::error::ModelError;
use crate::kernels::lanes::{dot, prefetch};
use crate::kernels::product::{Rotation, rotate_tile};
use crate::kernels::vectorised;
use crate::matrix::{Csr, SparseRow};

/// Rows that one task solves or turns: enough to be worth handing out, few enough to balance.
const BLOCK: usize = 64;
/// How many observed vectors ahead one is asked for: gathering them waits for memory more than for anything else.
const AHEAD: usize = 4;
/// Observations up to which a row is solved exactly even where conjugate gradient is asked for: it is as cheap.
const EXACT: usize = 12;

/// A training run under way.
#[derive(Clone, Debug)]
pub struct Training<'a> {
    options: IalsOptions,
    by_user: &'a Csr,
    by_item: Csr,
    users: Vec<f32>,
    items: Vec<f32>,
    iteration: usize,
}

/// What a finished iteration tells its observer.
#[derive(Clone, Copy, Debug)]
pub struct IterationReport<'a> {
    /// Number of the iteration, from 1.
    pub iteration: usize,
    /// How many there will be.
    pub iterations: usize,
    training: &'a Training<'a>,
}

impl IterationReport<'_> {
    /// The objective after this iteration; costs about half an iteration, so it is computed only when asked for.
    pub fn objective(&self) -> f64 {
        self.training.objective()
    }
}

/// Trains on `matrix` (users x items, weights of the observed interactions). `progress` is called after each
/// iteration.
///
/// # Errors
/// Options outside their range.
pub fn train(
    matrix: &Csr,
    options: &IalsOptions,
    progress: &mut dyn FnMut(IterationReport<'_>),
) -> Result<Ials, ModelError> {
    let mut training = Training::new(matrix, options)?;
    for iteration in 1..=options.iterations {
        training.step();
        progress(IterationReport { iteration, iterations: options.iterations, training: &training });
    }
    training.finish()
}

impl<'a> Training<'a> {
    /// Sets out with small random item vectors and no user vectors.
    ///
    /// # Errors
    /// Options outside their range.
    pub fn new(matrix: &'a Csr, options: &IalsOptions) -> Result<Self, ModelError> {
        options.validate()?;
        let d = options.factors;
        let mut random = seeded(options.seed, "ials");
        let deviation = 0.1 / (d as f32).sqrt();
        Ok(Self {
            options: *options,
            by_user: matrix,
            by_item: matrix.transpose(),
            users: vec![0.0; matrix.rows() * padded(d)],
            items: normal_rows(&mut random, deviation, matrix.columns(), d),
            iteration: 0,
        })
    }

    /// One iteration: all users against the items, then all items against the users.
    pub fn step(&mut self) {
        half(&self.options, self.options.solver, self.by_user, &mut self.users, &mut self.items);
        half(&self.options, self.options.solver, &self.by_item, &mut self.items, &mut self.users);
        self.iteration += 1;
    }

    /// The objective: sum over observed cells of w (s - 1)^2, plus alpha0 times the sum over all cells of s^2, plus
    /// the regularisation.
    pub fn objective(&self) -> f64 {
        let d = self.options.factors;
        let width = padded(d);
        let (user_gram, item_gram) = (gram(&self.users, d), gram(&self.items, d));
        let implicit: f64 = user_gram.iter().zip(&item_gram).map(|(a, b)| a * b).sum();
        let observed = |(user, x): (SparseRow<'_>, &[f32])| -> f64 {
            let cells = user.iter().map(|(item, weight)| {
                let score = dot(x, &self.items[item as usize * width..(item as usize + 1) * width]);
                f64::from(weight) * (f64::from(score) - 1.0).powi(2)
            });
            cells.sum()
        };
        let observed: f64 = self.by_user.iter().zip(self.users.chunks_exact(width)).map(observed).sum();
        let penalty = |matrix: &Csr, factors: &[f32]| -> f64 {
            let rows = matrix.iter().zip(factors.chunks_exact(width));
            rows.map(|(row, vector)| {
                let lambda = self.options.regularisation(row.weight(), matrix.columns());
                f64::from(lambda) * vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>()
            })
            .sum()
        };
        observed
            + f64::from(self.options.alpha0) * implicit
            + penalty(self.by_user, &self.users)
            + penalty(&self.by_item, &self.items)
    }

    /// The vectors of users and items, without padding.
    #[cfg(test)]
    pub(super) fn factors(&self) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let d = self.options.factors;
        let rows = |all: &[f32]| all.chunks_exact(padded(d)).map(|row| row[..d].to_vec()).collect();
        (rows(&self.users), rows(&self.items))
    }

    /// Ends the run: solves the users once more, exactly, against the final items, since the model keeps their Gram
    /// matrix for the fold-in of items.
    ///
    /// # Errors
    /// None in practice: the parts fit by construction.
    pub fn finish(mut self) -> Result<Ials, ModelError> {
        let d = self.options.factors;
        half(&self.options, Solver::Cholesky, self.by_user, &mut self.users, &mut self.items);
        let item_gram = gram(&self.items, d);
        let unpadded =
            |rows: &[f32]| rows.chunks_exact(padded(d)).flat_map(|row| &row[..d]).copied().collect();
        Ials::from_parts(IalsParts {
            options: self.options,
            users: self.by_user.rows(),
            item_gram: (0..d).map(|k| item_gram[k * d + k] as f32).collect(),
            user_gram: gram(&self.users, d).iter().map(|&g| g as f32).collect(),
            item_factors: unpadded(&self.items),
        })
    }
}

/// Solves every row of `solved` against `fixed`; turns both into the basis in which the Gram matrix of `fixed` is
/// diagonal (a common rotation changes no score and no objective).
fn half(options: &IalsOptions, solver: Solver, matrix: &Csr, solved: &mut [f32], fixed: &mut [f32]) {
    let d = options.factors;
    let width = padded(d);
    let (values, vectors) = eigen::symmetric(&gram(fixed, d), d);
    let rotation = Rotation::new(&vectors, d, width);
    rotate(&rotation, fixed);
    let implicit: Vec<f32> = values.iter().map(|&v| options.alpha0 * v.max(0.0) as f32).collect();
    let side = Side { width, factors: d, implicit: &implicit };
    solved.par_chunks_mut(BLOCK * width).enumerate().for_each_init(
        Scratch::default,
        |scratch, (block, rows)| {
            let task =
                Task { options, solver, matrix, side, rotation: &rotation, fixed, first: block * BLOCK };
            solve_block(scratch, &task, rows);
        },
    );
}

/// The buffers of one thread.
#[derive(Default)]
struct Scratch {
    workspace: Workspace,
    turned: Vec<f32>,
    waiting: Vec<usize>,
}

/// A block of rows to be solved.
struct Task<'a> {
    options: &'a IalsOptions,
    solver: Solver,
    matrix: &'a Csr,
    side: Side<'a>,
    rotation: &'a Rotation,
    fixed: &'a [f32],
    first: usize,
}

vectorised! {
    /// Solves the rows of one block: short ones exactly, which needs no start; the others from their last vectors,
    /// turned into the new basis four at a time.
    fn solve_block(scratch: &mut Scratch, task: &Task<'_>, solved: &mut [f32]) {
        let width = task.side.width;
        let Scratch { workspace, turned, waiting } = scratch;
        waiting.clear();
        for (offset, x) in solved.chunks_exact_mut(width).enumerate() {
            let row = task.matrix.row(task.first + offset);
            match task.solver {
                _ if row.is_empty() => x.fill(0.0),
                Solver::ConjugateGradient { .. } | Solver::Blocks { .. } if row.len() > EXACT => {
                    waiting.push(offset);
                }
                _ => {
                    gather(workspace, task, row);
                    workspace.exact(&task.side, x);
                }
            }
        }
        turned.resize(4 * width, 0.0);
        for four in waiting.chunks(4) {
            let start = |k: usize| {
                let offset = four[k.min(four.len() - 1)];
                &solved[offset * width..(offset + 1) * width]
            };
            rotate_tile(task.rotation, [start(0), start(1), start(2), start(3)], turned);
            for (&offset, x) in four.iter().zip(turned.chunks_exact_mut(width)) {
                gather(workspace, task, task.matrix.row(task.first + offset));
                match task.solver {
                    Solver::ConjugateGradient { steps } => workspace.conjugate_gradient(&task.side, steps, x),
                    Solver::Blocks { size } => workspace.sweep(&task.side, size, x),
                    Solver::Cholesky => workspace.exact(&task.side, x),
                }
                solved[offset * width..(offset + 1) * width].copy_from_slice(x);
            }
        }
    }
}

#[inline(always)]
fn gather(workspace: &mut Workspace, task: &Task<'_>, row: SparseRow<'_>) {
    let width = task.side.width;
    let lambda = task.options.regularisation(row.weight(), task.matrix.columns());
    workspace.begin(&task.side, lambda, row.len());
    let vector = |other: u32| &task.fixed[other as usize * width..(other as usize + 1) * width];
    for (number, (other, weight)) in row.iter().enumerate() {
        if let Some(&ahead) = row.indices.get(number + AHEAD) {
            prefetch(vector(ahead));
        }
        workspace.observe(number, vector(other), weight);
    }
}
