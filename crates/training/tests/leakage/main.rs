//! No example holds anything later than its decision: every feature is asked for traces of its future.
//!
//! Each event carries its own time (or place in the log) in its value, in the fields it sets and in its context, so that
//! whatever a feature reads says when it is from. What says nothing of itself, such as a count, is declared a second
//! time for values from a cut on: before the cut it must read as if nothing had ever happened.

mod decisions;
mod declared;
mod history;
mod traces;
mod world;
