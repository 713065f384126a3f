//! Pure statistics: confidence intervals and tests.
