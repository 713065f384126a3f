//! Training: users and items solved in turn.

use headwater_base::random::{Random, seeded};
use rand::Rng as _;
use rayon::prelude::*;

use super::{Ials, IalsOptions, IalsParts, solve};
use crate::dense::{add_scaled, dot, eigen};
use crate::error::ModelError;
use crate::matrix::Csr;

/// Rows of one chunk of a parallel sum. Fixed, so that the sum has the same bits whatever the number of threads.
const CHUNK: usize = 1024;

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
            users: vec![0.0; matrix.rows() * d],
            items: normal(&mut random, deviation, matrix.columns() * d),
            iteration: 0,
        })
    }

    /// One iteration: all users against the items, then all items against the users.
    pub fn step(&mut self) {
        half(&self.options, self.by_user, &mut self.users, &mut self.items);
        half(&self.options, &self.by_item, &mut self.items, &mut self.users);
        self.iteration += 1;
    }

    /// The objective: sum over observed cells of w (s - 1)^2, plus alpha0 times the sum over all cells of s^2, plus
    /// the regularisation.
    pub fn objective(&self) -> f64 {
        let d = self.options.factors;
        let (user_gram, item_gram) = (gram(&self.users, d), gram(&self.items, d));
        let implicit: f64 = user_gram.iter().zip(&item_gram).map(|(a, b)| a * b).sum();
        let observed: f64 = (0..self.by_user.rows())
            .map(|user| {
                let x = &self.users[user * d..(user + 1) * d];
                let cell = |(item, weight): (u32, f32)| {
                    let score = dot(x, &self.items[item as usize * d..(item as usize + 1) * d]);
                    f64::from(weight) * (f64::from(score) - 1.0).powi(2)
                };
                self.by_user.row(user).iter().map(cell).sum::<f64>()
            })
            .sum();
        let penalty = |matrix: &Csr, factors: &[f32]| -> f64 {
            let rows = matrix.iter().zip(factors.chunks_exact(d));
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

    /// Ends the run: solves the users once more against the final items, since the model keeps their Gram matrix for
    /// the fold-in of items, and turns both into the basis of the items' Gram matrix.
    ///
    /// # Errors
    /// None in practice: the parts fit by construction.
    pub fn finish(mut self) -> Result<Ials, ModelError> {
        let d = self.options.factors;
        half(&self.options, self.by_user, &mut self.users, &mut self.items);
        let item_gram = gram(&self.items, d);
        let user_gram = gram(&self.users, d);
        Ials::from_parts(IalsParts {
            options: self.options,
            users: self.by_user.rows(),
            item_gram: (0..d).map(|k| item_gram[k * d + k] as f32).collect(),
            user_gram: user_gram.iter().map(|&g| g as f32).collect(),
            item_factors: self.items,
        })
    }
}

/// Solves every row of `solved` against `fixed`; turns both into the basis in which the Gram matrix of `fixed` is
/// diagonal (a common rotation changes no score and no objective).
fn half(options: &IalsOptions, matrix: &Csr, solved: &mut [f32], fixed: &mut [f32]) {
    let d = options.factors;
    let (values, vectors) = eigen::symmetric(&gram(fixed, d), d);
    let vectors: Vec<f32> = vectors.iter().map(|&v| v as f32).collect();
    rotate(fixed, &vectors, d);
    rotate(solved, &vectors, d);
    let implicit: Vec<f32> = values.iter().map(|&v| options.alpha0 * v.max(0.0) as f32).collect();
    solved.par_chunks_mut(d).enumerate().for_each(|(number, vector)| {
        let row = matrix.row(number);
        let lambda = options.regularisation(row.weight(), matrix.columns());
        let diagonal: Vec<f32> = implicit.iter().map(|g| g + lambda).collect();
        let rows = row.iter().map(|(i, w)| (&fixed[i as usize * d..(i as usize + 1) * d], w));
        solve::exact(&diagonal, rows, vector);
    });
}

/// Turns each row of `factors` by the orthogonal matrix whose rows are `vectors`.
fn rotate(factors: &mut [f32], vectors: &[f32], d: usize) {
    factors.par_chunks_mut(d).for_each(|row| {
        let turned: Vec<f32> = vectors.chunks_exact(d).map(|vector| dot(vector, row)).collect();
        row.copy_from_slice(&turned);
    });
}

/// The Gram matrix `F'F` of the rows of `factors`.
fn gram(factors: &[f32], d: usize) -> Vec<f64> {
    let parts: Vec<Vec<f32>> = factors
        .par_chunks(CHUNK * d)
        .map(|chunk| {
            let mut part = vec![0f32; d * d];
            for row in chunk.chunks_exact(d) {
                for (target, &x) in part.chunks_exact_mut(d).zip(row) {
                    add_scaled(target, x, row);
                }
            }
            part
        })
        .collect();
    let mut sum = vec![0f64; d * d];
    for part in parts {
        for (sum, x) in sum.iter_mut().zip(part) {
            *sum += f64::from(x);
        }
    }
    sum
}

/// Independent normal numbers by the transform of Box and Muller (1958).
fn normal(random: &mut Random, deviation: f32, count: usize) -> Vec<f32> {
    let mut uniform = || (random.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
    let mut numbers = Vec::with_capacity(count + 1);
    while numbers.len() < count {
        let radius = deviation * (-2.0 * (1.0 - uniform()).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * uniform()).sin_cos();
        numbers.extend([radius * cos, radius * sin]);
    }
    numbers.truncate(count);
    numbers
}
