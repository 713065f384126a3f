//! Data sets, time splits, trainers and evaluation.
