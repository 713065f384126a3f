//! Pure statistics: confidence intervals and tests.
//!
//! No I/O, no clock reads, no ambient randomness: every function is a function of its arguments and its seed.

pub mod bootstrap;
