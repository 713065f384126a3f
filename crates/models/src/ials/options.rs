//! What a training run is told.

use crate::error::ModelError;

/// Options of a training run. The defaults suit click-like data; `alpha0` and `lambda` are worth tuning, and more
/// factors bear more of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IalsOptions {
    /// Length of the vectors, from 1 to 4096.
    pub factors: usize,
    /// How many times users and items are solved in turn.
    pub iterations: usize,
    /// Weight of the implicit term: how much every cell of the matrix is pulled to 0. Not negative.
    pub alpha0: f32,
    /// Strength of the regularisation, positive.
    pub lambda: f32,
    /// How far the regularisation follows the frequency of a user or an item: 0 the same for all, 1 in proportion.
    pub nu: f32,
    /// How the least-squares problems of an iteration are solved.
    pub solver: Solver,
    /// Where the first item vectors come from.
    pub seed: u64,
}

/// How the least-squares problem of one user or one item is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// Conjugate gradient with this many steps, started from the vector of the iteration before.
    ConjugateGradient {
        /// Steps, at least 1.
        steps: usize,
    },
    /// So many factors at a time, exactly, each once, given the others: the subspaces of iALS++ (Rendle et al. 2021,
    /// "iALS++: Speeding up Matrix Factorization with Subspace Optimization"), started from the vector of the iteration
    /// before.
    Blocks {
        /// Factors of a block, a multiple of 8 from 8 to 256.
        size: usize,
    },
    /// Exactly.
    Cholesky,
}

impl Default for IalsOptions {
    fn default() -> Self {
        Self {
            factors: 64,
            iterations: 8,
            alpha0: 0.02,
            lambda: 0.005,
            nu: 1.0,
            solver: Solver::ConjugateGradient { steps: 3 },
            seed: 1,
        }
    }
}

impl IalsOptions {
    /// Checks every option against its range.
    ///
    /// # Errors
    /// The first option that is outside it.
    pub fn validate(&self) -> Result<(), ModelError> {
        let check = |ok: bool, option, value: f64, expected| {
            if ok { Ok(()) } else { Err(ModelError::Option { option, value, expected }) }
        };
        let finite = |x: f32| x.is_finite();
        check((1..=4096).contains(&self.factors), "factors", self.factors as f64, "1 to 4096")?;
        check(
            finite(self.alpha0) && self.alpha0 >= 0.0,
            "alpha0",
            self.alpha0.into(),
            "a finite number, not negative",
        )?;
        check(
            finite(self.lambda) && self.lambda > 0.0,
            "lambda",
            self.lambda.into(),
            "a finite number above 0",
        )?;
        check(finite(self.nu) && (-4.0..=4.0).contains(&self.nu), "nu", self.nu.into(), "-4 to 4")?;
        match self.solver {
            Solver::ConjugateGradient { steps } => check(steps >= 1, "steps", steps as f64, "at least 1"),
            Solver::Blocks { size } => {
                let fits = (8..=256).contains(&size) && size.is_multiple_of(8);
                check(fits, "block", size as f64, "a multiple of 8 from 8 to 256")
            }
            Solver::Cholesky => Ok(()),
        }
    }

    /// The regularisation of a row whose observed weights add up to `weight`, against `others` rows of the other
    /// side: `lambda (weight + alpha0 others)^nu` (Rendle et al. 2021, section 3.3).
    pub(crate) fn regularisation(&self, weight: f32, others: usize) -> f32 {
        self.lambda * (weight + self.alpha0 * others as f32).powf(self.nu)
    }
}
