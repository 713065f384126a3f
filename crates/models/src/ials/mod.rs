//! Matrix factorisation for implicit feedback by alternating least squares.
//!
//! The objective of Rendle, Krichene, Zhang and Koren 2021, "Revisiting the Performance of iALS on Item
//! Recommendation Benchmarks":
//!
//! ```text
//! sum over observed (u, i) of  w_ui (x_u . y_i - 1)^2
//!   + alpha0 * sum over all (u, i) of  (x_u . y_i)^2
//!   + lambda * ( sum_u (|w_u| + alpha0 |I|)^nu |x_u|^2  +  sum_i (|w_i| + alpha0 |U|)^nu |y_i|^2 )
//! ```
//!
//! where `|w_u|` is the sum of the weights of row u, so that an interaction of weight 2 counts as two.
//!
//! # The basis in which the implicit term is diagonal
//!
//! With Y fixed, setting the gradient of row u to zero gives its own system of d equations:
//!
//! ```text
//! (alpha0 G + lambda_u 1 + sum_i w_ui y_i y_i') x_u = sum_i w_ui y_i        G = Y'Y
//! ```
//!
//! G is the same for every u; only the multiple of the identity, lambda_u = lambda (|w_u| + alpha0 |I|)^nu, differs. So
//! decompose G = Q L Q' once per half-iteration and put y = Q z, x = Q v. Products z.v equal y.x, so neither scores nor
//! objective change, and alpha0 G + lambda_u becomes the *diagonal* D_u = alpha0 L + lambda_u for all users at once. A
//! product with the system then costs O(d + n d) for n observations where it was O(d^2 + n d), which for short
//! histories was nearly all of it; D_u preconditions it well, since what is left has rank n; and the Woodbury identity
//! gives an exact solution from an n x n system (`solve`). The price is one d x d decomposition and the rotation of
//! both sides by Q, n_rows d^2 products in one pass of a matrix kernel. The finished model stays in that basis, so a
//! fold-in at request time needs no d x d work either.
//!
//! The model keeps item vectors only. A user's vector is solved at request time from their history (fold-in), by the
//! very equation training uses; an item that training has not seen gets its vector the same way from the users who
//! touched it.

mod coarse;
mod options;
mod solve;
mod train;

pub use options::{IalsOptions, Solver};
pub use train::{IterationReport, Training, train};

use crate::error::ModelError;
use crate::index::QuantisedIndex;
use crate::kernels::lanes::PADDING;
use crate::model::{Allow, Embed, Past, Query, Retrieve, Row, Score, Scored, usable};
use solve::{Side, solve_exactly};

/// A trained factorisation. Clones share their vectors: a new snapshot is a clone with items appended.
#[derive(Clone, Debug)]
pub struct Ials {
    options: IalsOptions,
    users: usize,
    trained_items: usize,
    items: QuantisedIndex,
    /// `alpha0` times the diagonal of the items' Gram matrix.
    implicit: Vec<f32>,
    /// Mean of the trained vectors.
    mean: Vec<f32>,
    item_gram: Vec<f32>,
    user_gram: Vec<f32>,
}

/// The plain arrays of a model, for storage.
#[derive(Clone, Debug, PartialEq)]
pub struct IalsParts {
    /// How it was trained.
    pub options: IalsOptions,
    /// How many users it was trained on.
    pub users: usize,
    /// Item vectors, row-major, items x factors, in the basis in which their Gram matrix is diagonal.
    pub item_factors: Vec<f32>,
    /// The diagonal of the items' Gram matrix as trained, one number per factor.
    pub item_gram: Vec<f32>,
    /// Gram matrix of the user vectors in the same basis, factors x factors.
    pub user_gram: Vec<f32>,
}

impl Ials {
    /// From stored parts.
    ///
    /// # Errors
    /// Lengths that do not fit together, numbers that are not finite, options outside their range.
    pub fn from_parts(parts: IalsParts) -> Result<Self, ModelError> {
        parts.options.validate()?;
        let d = parts.options.factors;
        let check = |ok: bool, what: &str| {
            if ok { Ok(()) } else { Err(ModelError::Parts { what: what.to_owned() }) }
        };
        check(parts.item_factors.len().is_multiple_of(d), "item_factors must be items x factors")?;
        check(parts.item_gram.len() == d, "item_gram must have one number per factor")?;
        check(parts.user_gram.len() == d * d, "user_gram must be factors x factors")?;
        for (name, numbers) in [
            ("item_factors", &parts.item_factors),
            ("item_gram", &parts.item_gram),
            ("user_gram", &parts.user_gram),
        ] {
            check(numbers.iter().all(|x| x.is_finite()), &format!("{name} must be finite"))?;
        }
        check(parts.item_gram.iter().all(|g| *g >= 0.0), "item_gram must not be negative")?;
        let items = QuantisedIndex::from_rows(d, &parts.item_factors)?;
        let mut sums = vec![0f64; d];
        for vector in parts.item_factors.chunks_exact(d) {
            sums.iter_mut().zip(vector).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let rows = items.len().max(1) as f64;
        Ok(Self {
            mean: sums.iter().map(|sum| (sum / rows) as f32).collect(),
            options: parts.options,
            users: parts.users,
            trained_items: items.len(),
            implicit: parts.item_gram.iter().map(|g| parts.options.alpha0 * g).collect(),
            items,
            item_gram: parts.item_gram,
            user_gram: parts.user_gram,
        })
    }

    /// The parts from which [`Ials::from_parts`] makes the same model again, bit for bit. Appended items are left
    /// out: they are the serving side's to fold in again.
    pub fn to_parts(&self) -> IalsParts {
        let trained = (0..self.trained_items as Row).filter_map(|row| self.items.row(row));
        IalsParts {
            options: self.options,
            users: self.users,
            item_factors: trained.flatten().copied().collect(),
            item_gram: self.item_gram.clone(),
            user_gram: self.user_gram.clone(),
        }
    }

    /// How the model was trained.
    pub fn options(&self) -> &IalsOptions {
        &self.options
    }

    /// How many items the model was trained on; rows from there on were appended.
    pub fn trained_items(&self) -> usize {
        self.trained_items
    }

    /// The vectors of the items.
    pub fn index(&self) -> &QuantisedIndex {
        &self.items
    }

    /// The vector of a user with this history; `None` where it holds no item of the model.
    ///
    /// Rows the model does not know and weights that are not positive and finite are passed over. Repeated items
    /// count by the sum of their weights.
    pub fn fold_in_user(&self, history: &[Past]) -> Option<Vec<f32>> {
        let factors = self.options.factors;
        let width = factors.next_multiple_of(PADDING);
        let usable = history.iter().filter(|past| usable(past.weight));
        let observed: Vec<(&[f32], f32)> =
            usable.filter_map(|past| Some((self.items.padded_row(past.row)?, past.weight))).collect();
        let total: f32 = observed.iter().map(|(_, weight)| weight).sum();
        // A sum beyond f32 would be regularised to nothing.
        if total == 0.0 || !total.is_finite() {
            return None;
        }
        let side = Side { width, factors, implicit: &self.implicit };
        let lambda = self.options.regularisation(total, self.trained_items);
        let mut vector = vec![0.0; width];
        solve_exactly(&side, lambda, &observed, &mut vector);
        vector.truncate(factors);
        vector.iter().all(|x| x.is_finite()).then_some(vector)
    }

    /// Standard deviation of the scores of a user's vector over the trained items, from their mean and Gram matrix, which is
    /// diagonal in the basis of the model.
    pub fn deviation(&self, user: &[f32]) -> f32 {
        let (mut mean, mut squares) = (0f64, 0f64);
        for ((x, centre), gram) in user.iter().zip(&self.mean).zip(&self.item_gram) {
            mean += f64::from(*x) * f64::from(*centre);
            squares += f64::from(*x) * f64::from(*x) * f64::from(*gram);
        }
        (squares / self.trained_items as f64 - mean * mean).max(0.0).sqrt() as f32
    }

    /// The vector of an item from the vectors of the users who touched it, with the weights of what they did; `None`
    /// where nobody is given. Vectors of another length and weights that are not positive and finite are passed over.
    pub fn fold_in_item(&self, users: &[(&[f32], f32)]) -> Option<Vec<f32>> {
        let factors = self.options.factors;
        let observed = || users.iter().filter(|(user, weight)| user.len() == factors && usable(*weight));
        let total: f32 = observed().map(|(_, weight)| weight).sum();
        if total == 0.0 {
            return None;
        }
        let lambda = self.options.regularisation(total, self.users);
        let vector = solve::solve_item(&self.user_gram, self.options.alpha0, lambda, observed(), factors);
        vector.iter().all(|x| x.is_finite()).then_some(vector)
    }

    /// Appends an item the model was not trained on; returns its row. The implicit term keeps counting the trained
    /// items only, so that appending changes no other vector.
    ///
    /// # Errors
    /// A vector of the wrong length or with a number that is not finite.
    pub fn append_item(&mut self, vector: &[f32]) -> Result<Row, ModelError> {
        self.items.append(vector)
    }
}

impl Retrieve for Ials {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let Some(user) = self.fold_in_user(query.history) else { return Vec::new() };
        self.items.search(&user, limit, allow)
    }
}

impl Score for Ials {
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        match self.fold_in_user(query.history) {
            Some(user) => self.items.score(&user, rows, scores),
            None => scores.fill(f32::NEG_INFINITY),
        }
    }
}

impl Embed for Ials {
    fn dimensions(&self) -> usize {
        self.options.factors
    }

    fn embed(&self, query: &Query<'_>, vector: &mut [f32]) -> bool {
        let Some(user) = self.fold_in_user(query.history) else { return false };
        vector.copy_from_slice(&user);
        true
    }
}

#[cfg(test)]
mod tests;
