//! The Headwater binary as a library: settings, command line, wiring, simulator, benchmarks.
//!
//! [`run`] takes the command line and decides the exit code. Only this crate reads settings, the environment and the
//! clock of the machine.

pub mod archiving;
pub mod bench;
pub mod beside;
pub mod cli;
pub mod clock;
pub mod declared;
pub mod demo;
pub mod erasure;
pub mod export;
pub mod import;
pub mod interrupt;
pub mod lines;
pub mod output;
pub mod platform;
pub mod settings;

pub use cli::run;
