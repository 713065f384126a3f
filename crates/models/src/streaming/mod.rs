//! Models that are kept by folding the stream, one interaction at a time, with no training run.
//!
//! [`DecayedPopularity`] counts interactions that fade; [`CoVisitation`] learns which items the same people touch.
//! Both decay *forward* (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", ICDE 2009): the weight of an event
//! is fixed when it arrives, relative to a landmark, and the common factor that turns it into the present weight is
//! left to the reader. So nothing has to be touched as time passes, late events count for exactly what is left of
//! them, and the order of two scores changes only when one of them grows.
//!
//! Landmarks are whole half-lives, so moving one multiplies by a power of two, which is exact. Both models are
//! deterministic to the bit, on any machine and for any grouping of the same interactions into batches, and both
//! merge with a model of other users' interactions.

pub mod covisitation;
pub mod decay;
mod neighbour_list;
pub mod popularity;
mod top_list;

pub use covisitation::{CoVisitation, CoVisitationOptions, Pairs, Visit};
pub use decay::HalfLife;
pub use neighbour_list::NeighbourList;
pub use popularity::DecayedPopularity;

#[cfg(test)]
mod tests;
