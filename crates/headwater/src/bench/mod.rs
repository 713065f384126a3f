//! `headwater bench`: load generators and peers, on this machine, with what they measured as figures.

pub mod client;
pub mod error;
pub mod latency;
pub mod load;
pub mod peer;
pub mod report;

pub use error::BenchError;
