//! Models that are kept by folding the stream, one interaction at a time, with no training run.
//!
//! [`DecayedPopularity`] counts interactions that fade; [`CoVisitation`] learns which items the same people touch;
//! [`SessionNeighbours`] keeps the latest sessions, to be compared with one under way.
//!
//! The first two decay *forward* (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", ICDE 2009): the weight of an
//! event is fixed when it arrives, relative to a landmark, and the common factor that turns it into the present weight is
//! left to the reader. So nothing has to be touched as time passes, late events count for exactly what is left of
//! them, and the order of two scores changes only when one of them grows. Landmarks are whole half-lives, so moving one
//! multiplies by a power of two, which is exact. Both merge with a model of other users' interactions.
//!
//! What is kept is deterministic to the bit, on any machine and for any grouping of the same interactions into batches.

pub mod covisitation;
pub mod decay;
mod neighbour_list;
pub mod popularity;
pub mod sessions;
mod top_list;

pub use covisitation::{CoVisitation, CoVisitationOptions, Pairs, Visit};
pub use decay::HalfLife;
pub use neighbour_list::NeighbourList;
pub use popularity::DecayedPopularity;
pub use sessions::{Owner, SessionNeighbours, SessionOptions};

#[cfg(test)]
mod tests;
