//! `headwater demo`.
pub mod population;
