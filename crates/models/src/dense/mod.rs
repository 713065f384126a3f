//! Small dense linear algebra: what the factorisation needs of it, and no more. Matrices are row-major slices.

pub(crate) mod cholesky;
pub(crate) mod eigen;
