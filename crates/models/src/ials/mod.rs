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
//! The model keeps item vectors only. A user's vector is solved at request time from their history (fold-in), by the
//! very equation training uses; an item that training has not seen gets its vector the same way from the users who
//! touched it.

mod options;
mod solve;
mod train;

pub use options::{IalsOptions, Solver};
pub use train::{IterationReport, Training, train};

use crate::dense::{cholesky, dot};
use crate::error::ModelError;
use crate::model::{Allow, Embed, Past, Query, Retrieve, Row, Score, Scored};
use crate::top::TopK;

/// A trained factorisation. Cloning is what a new snapshot does when items are appended.
#[derive(Clone, Debug)]
pub struct Ials {
    options: IalsOptions,
    users: usize,
    trained_items: usize,
    items: Vec<f32>,
    /// `alpha0` times the diagonal of the items' Gram matrix.
    implicit: Vec<f32>,
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
        Ok(Self {
            options: parts.options,
            users: parts.users,
            trained_items: parts.item_factors.len() / d,
            implicit: parts.item_gram.iter().map(|g| parts.options.alpha0 * g.max(0.0)).collect(),
            items: parts.item_factors,
            item_gram: parts.item_gram,
            user_gram: parts.user_gram,
        })
    }

    /// The parts from which [`Ials::from_parts`] makes the same model again, bit for bit. Appended items are left
    /// out: they are the serving side's to fold in again.
    pub fn to_parts(&self) -> IalsParts {
        IalsParts {
            options: self.options,
            users: self.users,
            item_factors: self.items[..self.trained_items * self.options.factors].to_vec(),
            item_gram: self.item_gram.clone(),
            user_gram: self.user_gram.clone(),
        }
    }

    /// How the model was trained.
    pub fn options(&self) -> &IalsOptions {
        &self.options
    }

    /// The vector of an item.
    pub fn item(&self, row: Row) -> Option<&[f32]> {
        let d = self.options.factors;
        self.items.get(row as usize * d..(row as usize + 1) * d)
    }

    /// The vector of a user with this history; `None` where it holds no item of the model.
    ///
    /// Rows the model does not know and weights that are not positive and finite are passed over. Repeated items
    /// count by the sum of their weights.
    pub fn fold_in_user(&self, history: &[Past]) -> Option<Vec<f32>> {
        let mut vector = vec![0.0; self.options.factors];
        self.solve_user(history, &mut vector).then_some(vector)
    }

    fn solve_user(&self, history: &[Past], vector: &mut [f32]) -> bool {
        let usable = |past: &Past| {
            let known = self.item(past.row)?;
            (past.weight.is_finite() && past.weight > 0.0).then_some((known, past.weight))
        };
        let total: f32 = history.iter().filter_map(usable).map(|(_, weight)| weight).sum();
        if total == 0.0 {
            return false;
        }
        let lambda = self.options.regularisation(total, self.trained_items);
        let diagonal: Vec<f32> = self.implicit.iter().map(|g| g + lambda).collect();
        solve::exact(&diagonal, history.iter().filter_map(usable), vector);
        vector.iter().all(|x| x.is_finite())
    }

    /// The vector of an item from the vectors of the users who touched it, with the weights of what they did; `None`
    /// where nobody is given. Vectors must have the model's length.
    pub fn fold_in_item(&self, users: &[(&[f32], f32)]) -> Option<Vec<f32>> {
        let d = self.options.factors;
        let usable = |(x, w): &&(&[f32], f32)| x.len() == d && w.is_finite() && *w > 0.0;
        let total: f32 = users.iter().filter(usable).map(|(_, weight)| weight).sum();
        if total == 0.0 {
            return None;
        }
        let lambda = self.options.regularisation(total, self.users);
        let mut matrix: Vec<f32> = self.user_gram.iter().map(|g| self.options.alpha0 * g).collect();
        let mut vector = vec![0.0; d];
        for k in 0..d {
            matrix[k * d + k] += lambda;
        }
        for (x, weight) in users.iter().filter(usable) {
            crate::dense::add_scaled(&mut vector, *weight, x);
            for (row, target) in matrix.chunks_exact_mut(d).enumerate() {
                crate::dense::add_scaled(target, weight * x[row], x);
            }
        }
        cholesky::solve(&mut matrix, &mut vector);
        vector.iter().all(|x| x.is_finite()).then_some(vector)
    }

    /// Appends an item the model was not trained on; returns its row.
    ///
    /// # Errors
    /// A vector of the wrong length or with a number that is not finite.
    pub fn append_item(&mut self, vector: &[f32]) -> Result<Row, ModelError> {
        if vector.len() != self.options.factors || !vector.iter().all(|x| x.is_finite()) {
            let what = format!("an item vector must be {} finite numbers", self.options.factors);
            return Err(ModelError::Parts { what });
        }
        let row = self.items() as Row;
        self.items.extend_from_slice(vector);
        Ok(row)
    }
}

impl Retrieve for Ials {
    fn items(&self) -> usize {
        self.items.len() / self.options.factors
    }

    fn retrieve(&self, query: &Query<'_>, limit: usize, allow: &dyn Allow) -> Vec<Scored> {
        let Some(user) = self.fold_in_user(query.history) else { return Vec::new() };
        let mut top = TopK::new(limit);
        for (row, item) in (0..).zip(self.items.chunks_exact(self.options.factors)) {
            let score = dot(&user, item);
            if score.is_finite() && top.admits(row, score) && allow.allows(row) {
                top.offer(row, score);
            }
        }
        top.into_ranked()
    }
}

impl Score for Ials {
    fn score(&self, query: &Query<'_>, rows: &[Row], scores: &mut [f32]) {
        let user = self.fold_in_user(query.history);
        for (row, score) in rows.iter().zip(scores) {
            let known = user.as_ref().zip(self.item(*row)).map(|(user, item)| dot(user, item));
            *score = known.filter(|score| score.is_finite()).unwrap_or(f32::NEG_INFINITY);
        }
    }
}

impl Embed for Ials {
    fn dimensions(&self) -> usize {
        self.options.factors
    }

    fn embed(&self, query: &Query<'_>, vector: &mut [f32]) -> bool {
        self.solve_user(query.history, vector)
    }
}

#[cfg(test)]
mod tests;
