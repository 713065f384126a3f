//! Small dense linear algebra: what the models need of it, and no more. Matrices are row-major slices.

pub(crate) mod cholesky;
pub(crate) mod eigen;
pub(crate) mod inverse;
pub(crate) mod spectrum;
pub(crate) mod tall;
